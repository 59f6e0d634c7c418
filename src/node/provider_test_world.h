// For tests only: a provider's node, a real ledger, a requester played by the test. The law's own
// interpreter is the provider's machine.
#pragma once

#include "attest/witness.h"
#include "node/provider.h"
#include "node/test_network.h"

namespace lockstep::node::provider_test {

using model::TaskId;
using test_network::execution_of;
using test_network::requester_chain;
using test_network::Shape;
using test_network::step_roots;
using test_network::trace_of;

/// A store that can stop taking changes.
class FailingStore final : public env::KeyValue {
 public:
  bool fails = false;
  Result<std::optional<Bytes>> get(const std::string& key) override { return values_.get(key); }
  Result<void> apply(std::vector<Change> batch) override {
    if (fails) {
      return refuse(Code::io_failed, "the disk is full");
    }
    return values_.apply(std::move(batch));
  }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return values_.keys(prefix, after, count_max);
  }

 private:
  env::MemoryKeyValue values_;
};

class World final : public test_network::NodeNetwork {
 public:
  std::vector<Send> said;  // by the provider, to the requester
  FailingStore secrets;
  size_t works_done = 0;
  bool loses_claims = false;
  bool loses_answers = false;
  std::optional<model::Slice> slice;  // both with the next restart()
  std::function<Result<uint64_t>(const law::Program&, uint32_t)> memory_need;

  /// Registered, a job and a lease opened.
  /// With a span claims become final while the job runs, and nothing is audited.
  explicit World(uint64_t blob_bytes_max = store::Blobs::unlimited, uint64_t span_ms = 0)
      : blobs_(values_, law::data_mode(), blob_bytes_max), span_ms_(span_ms) {
    register_all();
    restart();
    open_job();
  }

  [[nodiscard]] const model::LeaseId& lease() const { return lease_; }
  [[nodiscard]] const ledger::Claim& claim() const { return state().claims.begin()->second; }
  [[nodiscard]] model::ClaimId claim_id() const { return state().claims.begin()->first; }
  [[nodiscard]] store::Blobs& blobs() { return blobs_; }
  [[nodiscard]] const Provider& node() const { return *node_; }
  [[nodiscard]] PublicKey requester_key() const { return requester.node.public_key(); }

  /// A node that knows nothing but its keys and its stores.
  void restart() {
    Machine machine;
    machine.name = "provider-1";
    machine.price_per_unit = ledger::test::lks(1'000'000);
    machine.operations_per_second = 1000;
    auto made = Provider::create({genesis_,
                                  {provider.node, provider.owner.public_key()},
                                  machine,
                                  ledger::test::some_hash(55),
                                  slice,
                                  memory_need},
                                 blobs_,
                                 secrets);
    CHECK(made.ok());
    node_ = std::move(made).value();
    run(*node_);
  }
  void open(bool is_open) {
    node_->set_open(is_open);
    settle();
  }
  /// Its log is lost; what else it keeps is not.
  void forget_blocks() {
    const auto keys = secrets.keys("block/", "", SIZE_MAX);
    CHECK(keys.ok());
    for (const std::string& key : *keys) {
      CHECK(secrets.apply({{key, std::nullopt}}).ok());
    }
  }
  void say(const net::Message& message) { say_as(requester_key(), message); }
  void say_as(const PublicKey& from, const net::Message& message) {
    node_->on_message(now, from, message);
    settle();
  }
  /// Does what the provider asked its machine for, one after the other, until there is no more.
  void do_works() {
    while (!works.empty()) {
      const RunTask work = works.front();
      works.erase(works.begin());
      ++works_done;
      node_->on_work(now, done(work, blobs_));
      settle();
    }
  }
  [[nodiscard]] model::Assignment assignment(const Shape& shape) {
    return NodeNetwork::assignment(lease_, shape);
  }
  [[nodiscard]] model::Signed sign(const model::Assignment& assignment) const {
    return sign_as(requester.node, model::SignedKind::assignment, codec::encode(assignment));
  }
  TaskId assign(const Shape& shape) {
    const model::Signed paper = sign(assignment(shape));
    say(net::Assign{paper});
    return model::task_id(paper);
  }
  void vouch(const model::Receipt& receipt) {
    const model::Voucher voucher{receipt.task, receipt.output_root};
    say(net::GiveVoucher{
        sign_as(requester.node, model::SignedKind::voucher, codec::encode(voucher))});
  }
  /// Another provider of the same job.
  [[nodiscard]] model::LeaseId open_rival_lease();
  /// A task of the rival's own job, which it asks for as a requester.
  [[nodiscard]] model::Signed assignment_of_rival(const Shape& shape);
  /// A task of the rival's on the ledger, whose salts nobody will hear.
  [[nodiscard]] model::ClaimId claim_as_rival(const model::LeaseId& lease);
  /// The auditor challenges the claim, and the rival is silent.
  void convict_rival(const model::ClaimId& claim);
  /// The execution of a task as the law gives it.
  [[nodiscard]] model::Execution expected(const Shape& shape) const {
    return execution_of(
        program_, trace_of(program_, inputs(shape.part), shape.steps), shape.claim_every);
  }
  /// What the provider said of one kind since the last look; forgets it.
  template <class T>
  [[nodiscard]] std::vector<T> heard() {
    std::vector<T> found;
    std::erase_if(said, [&](const Send& one) {
      const T* message = std::get_if<T>(&one.message);
      if (message != nullptr) {
        found.push_back(*message);
      }
      return message != nullptr;
    });
    return found;
  }
  [[nodiscard]] std::vector<model::Receipt> receipts() {
    std::vector<model::Receipt> found;
    for (const net::Deliver& delivered : heard<net::Deliver>()) {
      const auto receipt = model::open<model::Receipt>(
          delivered.receipt, state().network, model::SignedKind::receipt);
      CHECK(receipt.ok());
      CHECK(delivered.receipt.signer == provider.node.public_key());
      found.push_back(*receipt);
    }
    return found;
  }

 private:
  void open_job();
  void turn() override {
    fire_timers();
    produce_if_due();
  }
  void hear(const Send& message) override;
  void asked(const RunTask& /*work*/) override {
    CHECK(works.empty());  // one after the other
  }

  env::MemoryKeyValue values_;
  store::Blobs blobs_;
  uint64_t span_ms_;
  std::unique_ptr<Provider> node_;
  model::LeaseId lease_;
};

inline void World::open_job() {
  model::OpenJob asked_for = terms();
  if (span_ms_ > 0) {
    asked_for.share_millionths = 0;
    asked_for.finality = model::FinalityRule::span;
    asked_for.span_ms = span_ms_;
  }
  send(requester.owner, asked_for);
  say(net::AskQuote{asked_for.operations, asked_for.tasks});
  const auto quotes = heard<net::GiveQuote>();
  CHECK(quotes.size() == 1);
  send(requester.node,
       model::OpenLease{ledger::test::find<ledger::JobOpened>(events)->job, quotes[0].quote});
  const auto opened = ledger::test::find<ledger::LeaseOpened>(events);
  CHECK(opened.has_value());
  lease_ = opened->lease;
  settle();
}

inline model::LeaseId World::open_rival_lease() {
  send(rival.owner,
       model::register_node(
           state().network, rival.node, {rival.owner.public_key(), model::Role::provider}));
  send(rival.owner, model::AddStake{ledger::test::lks(500)});
  const model::JobId job = state().leases.at(lease_).job;
  events.clear();
  send(requester.node, model::OpenLease{job, quote(rival, "rival", 1000)});
  const auto opened = ledger::test::find<ledger::LeaseOpened>(events);
  CHECK(opened.has_value());
  return opened->lease;
}

inline model::Signed World::assignment_of_rival(const Shape& shape) {
  send(rival.owner,
       model::register_node(
           state().network, rival.node, {rival.owner.public_key(), model::Role::requester}));
  model::OpenJob asked_for = terms();
  asked_for.requester = rival.node.public_key();
  events.clear();
  send(rival.owner, asked_for);
  const auto job = ledger::test::find<ledger::JobOpened>(events);
  CHECK(job.has_value());
  say_as(rival.node.public_key(), net::AskQuote{asked_for.operations, asked_for.tasks});
  const auto quotes = heard<net::GiveQuote>();
  CHECK(quotes.size() == 1);
  send(rival.node, model::OpenLease{job->job, quotes[0].quote});
  const auto opened = ledger::test::find<ledger::LeaseOpened>(events);
  CHECK(opened.has_value());
  return sign_as(rival.node,
                 model::SignedKind::assignment,
                 codec::encode(NodeNetwork::assignment(opened->lease, shape)));
}

inline model::ClaimId World::claim_as_rival(const model::LeaseId& lease) {
  const model::Assignment assignment = NodeNetwork::assignment(lease, {.part = 99});
  const model::Signed paper = sign(assignment);
  const model::Receipt receipt = attest::make_receipt(
      assignment, model::task_id(paper), expected({.part = 99}), ledger::test::some_hash(50));
  const model::Signed kept =
      sign_as(rival.node, model::SignedKind::receipt, codec::encode(receipt));
  events.clear();
  send(rival.node, model::PostClaim{lease, {{paper, kept, std::nullopt}}});
  const auto posted = ledger::test::find<ledger::ClaimPosted>(events);
  CHECK(posted.has_value());
  return posted->claim;
}

inline void World::convict_rival(const model::ClaimId& claim) {
  constexpr uint64_t silence_ms = 7000;
  const Hash root = ledger::test::some_hash(60);
  const Hash salt = ledger::test::some_hash(61);
  const PublicKey& challenger = auditor.node.public_key();
  send(auditor.node,
       model::CommitChallenge{model::challenge_commitment(claim, 0, root, challenger, salt)});
  send(auditor.node, model::Challenge{claim, 0, root, salt});
  send(auditor.node, model::AskOpen{claim, 0, {}});
  run_ms(silence_ms);
}

inline void World::hear(const Send& message) {
  const auto* submit = std::get_if<net::SubmitTransaction>(&message.message);
  if (submit == nullptr) {
    said.push_back(message);
    return;
  }
  const auto body = codec::decode<model::Transaction>(submit->transaction.body);
  CHECK(body.ok());
  const bool lost = (loses_claims && std::holds_alternative<model::PostClaim>(*body)) ||
                    (loses_answers && std::holds_alternative<model::PostAnswer>(*body));
  if (!lost) {
    CHECK(sequencer_.submit(submit->transaction).ok());
  }
}

}  // namespace lockstep::node::provider_test
