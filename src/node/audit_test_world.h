// For tests only: an auditor's node against a real ledger, a requester that serves blobs, and a
// claimant that may lie or keep silent. The law's own interpreter is its machine.
#pragma once

#include <functional>

#include "attest/witness.h"
#include "judge/programs.h"
#include "node/auditor.h"
#include "node/test_network.h"

namespace lockstep::node::audit_test {

using ledger::AuditPhase;
using ledger::test::some_hash;
using model::ClaimId;
using model::LeaseId;
using test_network::Party;
using test_network::requester_chain;

using Output = std::variant<model::Execution, std::vector<Hash>, model::StepTrace>;

inline constexpr uint32_t steps = 9;
inline constexpr uint32_t claim_every = 4;

/// A task as the claimant knows it.
struct Claimed {
  model::Signed assignment, receipt;
  Hash salt;
  std::vector<model::StepTrace> traces;
  model::Execution execution;
};

class World final : public test_network::NodeNetwork {
 public:
  std::vector<model::Transaction> said;  // by the node under test, each once
  std::vector<RunTask> all_works;
  // Faults.
  std::function<bool(const model::Transaction&)> loses = [](const auto&) { return false; };
  bool machine_stops = false;
  bool claimant_opens_salts = true;
  bool keeps_blocks = false;  // from the next restart on

  /// `self` audits: an auditor, or the requester.
  explicit World(bool requester_audits = false)
      : self_(requester_audits ? requester : auditor),
        own_blobs_(requester_audits ? requester_values_ : own_values_, law::data_mode()) {
    register_all(!requester_audits);
    restart();
  }

  [[nodiscard]] const ledger::Audit& audit() const { return state().claims.at(claim_).audit; }
  [[nodiscard]] const ClaimId& claim() const { return claim_; }
  [[nodiscard]] const PublicKey& self() const { return key_of_self_; }
  [[nodiscard]] Auditor& node() { return *node_; }
  [[nodiscard]] store::Blobs& blobs() { return own_blobs_; }
  /// A bit of each blob that the auditor has.
  void rot_blobs() {
    const auto keys = own_values_.keys("blob/", "", 1000);
    CHECK(keys.ok());
    for (const std::string& key : *keys) {
      Bytes bytes = own_values_.get(key).value().value();
      bytes.back() ^= 1;
      CHECK(own_values_.apply({{key, std::move(bytes)}}).ok());
    }
  }
  [[nodiscard]] Amount balance(const Party& party) const {
    return state().accounts.at(party.owner.public_key()).balance;
  }

  /// A node that knows nothing but its keys and its store, and its log where it keeps one.
  void restart() {
    auto made = Auditor::create({genesis_, {self_.node, self_.owner.public_key()}, some_hash(55)},
                                own_blobs_,
                                keeps_blocks ? &blocks_ : nullptr);
    CHECK(made.ok());
    node_ = std::move(made).value();
    key_of_self_ = self_.node.public_key();
    run(*node_);
  }

  /// Opens a job and claims one task for each entry: the step that is lied about, or none. The
  /// requester's preimage follows at once, so the next block draws.
  void claim_tasks(const std::vector<std::optional<uint32_t>>& lies);

  /// Until it is so; at most 60 s.
  bool run_until(const std::function<bool()>& so) {
    const uint64_t until = now + 60'000;
    while (now < until && !so()) {
      now += 50;
      turn();
    }
    return so();
  }
  bool run_to(AuditPhase phase) {
    return run_until([&] { return audit().phase == phase; });
  }
  /// Does what the node asked its machine for.
  void do_works() {
    for (const RunTask& work : std::exchange(works, {})) {
      node_->on_work(now, done(work, own_blobs_));
    }
    settle();
  }
  template <class T>
  [[nodiscard]] std::vector<T> said_of() const {
    std::vector<T> found;
    for (const model::Transaction& transaction : said) {
      if (const T* one = std::get_if<T>(&transaction)) {
        found.push_back(*one);
      }
    }
    return found;
  }
  template <class T>
  [[nodiscard]] bool happened() const {
    return ledger::test::count<T>(events) > 0;
  }
  /// Gives the node key's next nonce to something without effect: what the node has sent with it
  /// never enters a block.
  void use_up_nonce() { send(self_.node, model::CloseLease{LeaseId{some_hash(999)}}); }

 private:
  [[nodiscard]] Claimed work(const LeaseId& lease, uint32_t part, std::optional<uint32_t> lie);
  void turn() override;
  void hear(const Send& message) override;
  void asked(const RunTask& work) override {
    CHECK((work.id & AuditDesk::id_bit) != 0);
    all_works.push_back(work);
  }
  void act_as_claimant();
  void answer(const ledger::DisputeKey& key, const ledger::Dispute& dispute);

  Party self_;
  PublicKey key_of_self_;
  env::MemoryKeyValue own_values_;
  store::Blobs own_blobs_;
  env::MemoryKeyValue blocks_;
  std::unique_ptr<Auditor> node_;
  std::set<model::TransactionId> heard_;
  ClaimId claim_;
  std::vector<Claimed> claimed_;
};

inline Claimed World::work(const LeaseId& lease, uint32_t part, std::optional<uint32_t> lie) {
  const model::Assignment paper = assignment(lease, {part, steps, claim_every});
  Claimed claimed;
  claimed.traces = test_network::trace_of(program_, inputs(part), steps, lie);
  claimed.execution = test_network::execution_of(program_, claimed.traces, claim_every);
  claimed.salt = some_hash(500 + part);
  claimed.assignment = sign_as(requester.node, model::SignedKind::assignment, codec::encode(paper));
  const model::Receipt receipt = attest::make_receipt(
      paper, model::task_id(claimed.assignment), claimed.execution, claimed.salt);
  claimed.receipt = sign_as(provider.node, model::SignedKind::receipt, codec::encode(receipt));
  return claimed;
}

inline void World::claim_tasks(const std::vector<std::optional<uint32_t>>& lies) {
  send(requester.owner, terms());
  send(requester.node,
       model::OpenLease{ledger::test::find<ledger::JobOpened>(events)->job,
                        quote(provider, "provider", 1000)});
  const auto lease = ledger::test::find<ledger::LeaseOpened>(events);
  CHECK(lease.has_value());
  model::PostClaim body{lease->lease, {}};
  for (uint32_t part = 0; part < lies.size(); ++part) {
    claimed_.push_back(work(lease->lease, part, lies[part]));
    body.entries.push_back({claimed_.back().assignment, claimed_.back().receipt, std::nullopt});
  }
  send(provider.node, body);
  const auto posted = ledger::test::find<ledger::ClaimPosted>(events);
  CHECK(posted.has_value());
  claim_ = posted->claim;
  send(requester.node, model::RevealPreimage{lease->job, requester_chain()[1]});
  CHECK(audit().phase == AuditPhase::drawn && audit().auditor == self());
  settle();
}

inline void World::turn() {
  fire_timers();
  if (!machine_stops) {
    do_works();
  }
  produce_if_due();
  settle();
  act_as_claimant();
}

inline void World::hear(const Send& message) {
  const auto* submit = std::get_if<net::SubmitTransaction>(&message.message);
  CHECK(submit != nullptr);  // an auditor says nothing else
  const auto body = codec::decode<model::Transaction>(submit->transaction.body);
  CHECK(body.ok());
  if (heard_.insert(model::transaction_id(submit->transaction)).second) {
    said.push_back(*body);
  }
  if (!loses(*body)) {
    // Refused where the world has used its nonce up: as lost as any other.
    (void)sequencer_.submit(submit->transaction).ok();
  }
}

inline void World::act_as_claimant() {
  if (claimed_.empty()) {
    return;
  }
  if (audit().phase == AuditPhase::committed && claimant_opens_salts) {
    model::OpenSalts body{claim_, {}};
    for (const uint32_t place : audit().tasks) {
      body.salts.push_back(claimed_[place].salt);
    }
    send(provider.node, body);
  }
  const auto disputes = state().disputes;
  for (const auto& [key, dispute] : disputes) {
    if (dispute.asked && state().disputes.contains(key)) {
      answer(key, dispute);
    }
  }
  settle();
}

/// Truthfully about its lies.
inline void World::answer(const ledger::DisputeKey& key, const ledger::Dispute& dispute) {
  const Claimed& claimed = claimed_.at(key.second);
  attest::Witness witness(
      program_, steps, claim_every, attest::list_roots(claimed.execution, steps));
  witness.set_steps(test_network::step_roots(program_, claimed.traces));
  auto reply = witness.answer(*dispute.asked, claimed.salt);
  CHECK(reply.ok());
  if (const auto* need = std::get_if<attest::NeedTrace>(&*reply)) {
    witness.set_trace(claimed.traces.at(need->step));
    reply = witness.answer(*dispute.asked, claimed.salt);
  }
  CHECK(reply.ok());
  const auto* given = std::get_if<model::Answer>(&*reply);
  CHECK(given != nullptr);
  send(provider.node, model::PostAnswer{key.first, key.second, *given});
}

}  // namespace lockstep::node::audit_test
