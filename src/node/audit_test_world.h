// For tests only: an auditor's node against a real ledger, a requester that serves blobs, and a
// claimant that may lie or keep silent. The law's own interpreter is its machine.
#pragma once

#include <algorithm>
#include <functional>

#include "attest/witness.h"
#include "base/check.h"
#include "chain/sequencer.h"
#include "env/key_value.h"
#include "judge/programs.h"
#include "law/interpret.h"
#include "law/roots.h"
#include "ledger/test_world.h"
#include "node/auditor.h"

namespace lockstep::node::audit_test {

using ledger::AuditPhase;
using ledger::test::lks;
using ledger::test::Party;
using ledger::test::some_hash;
using ledger::test::some_key;
using ledger::test::some_party;
using model::ClaimId;
using model::LeaseId;

using Output = std::variant<model::Execution, std::vector<Hash>, model::StepTrace>;

inline constexpr uint32_t steps = 9;
inline constexpr uint32_t claim_every = 4;
inline const Hash sequencer_secret = some_hash(7);
inline const Hash requester_secret = some_hash(8);

inline const std::vector<Hash>& requester_chain() {
  static const std::vector<Hash> chain = model::preimage_chain(requester_secret, 100);
  return chain;
}
inline const Hash& sequencer_anchor() {
  static const Hash anchor = model::preimage_chain(sequencer_secret, limits::preimages_max).front();
  return anchor;
}

/// All steps of a task. A lie changes one bit of what the step leaves, and goes on from there.
inline std::vector<model::StepTrace> trace_of(const law::Program& program,
                                              std::vector<law::Tensor> leaves,
                                              std::optional<uint32_t> lie_step) {
  std::vector<model::StepTrace> traces;
  for (uint32_t step = 0; step < steps; ++step) {
    model::StepTrace trace;
    trace.step = step;
    for (const law::Tensor& leaf : leaves) {
      trace.before.push_back(leaf.data);
    }
    std::vector<law::Tensor> values;
    leaves = law::run_step(program, leaves, {}, &values);
    if (lie_step == step) {
      values[1].data[2] ^= 1;
      leaves[0] = values[1];
    }
    for (const law::Tensor& value : values) {
      trace.outputs.push_back(value.data);
    }
    for (const law::Tensor& leaf : leaves) {
      trace.after.push_back(leaf.data);
    }
    traces.push_back(std::move(trace));
  }
  return traces;
}

inline Hash state_root_of(const law::Program& program, const std::vector<Bytes>& leaves) {
  std::vector<Hash> roots;
  for (size_t i = 0; i < leaves.size(); ++i) {
    roots.push_back(law::tensor_root({program.leaves[i].shape, leaves[i]}));
  }
  return law::state_root(program, roots);
}

inline std::vector<Hash> step_roots(const law::Program& program,
                                    const std::vector<model::StepTrace>& traces) {
  std::vector<Hash> roots;
  for (const model::StepTrace& trace : traces) {
    roots.push_back(state_root_of(program, trace.after));
  }
  return roots;
}

inline model::Execution execution_of(const law::Program& program,
                                     const std::vector<model::StepTrace>& traces) {
  model::Execution execution;
  execution.input_root = state_root_of(program, traces.front().before);
  const std::vector<Hash> roots = step_roots(program, traces);
  for (uint32_t step = 0; step < steps; ++step) {
    if ((step + 1) % claim_every == 0 || step + 1 == steps) {
      execution.state_roots.push_back(roots[step]);
    }
  }
  execution.output_root = roots.back();
  return execution;
}

/// Four floats that differ from task to task.
inline Bytes leaf_bytes(uint32_t part, uint32_t leaf) {
  std::array<float, 4> values{};
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.25F + 0.125F * static_cast<float>(i + leaf) + static_cast<float>(part);
  }
  Bytes bytes(sizeof values);
  std::memcpy(bytes.data(), values.data(), sizeof values);
  return bytes;
}

/// A task as the claimant knows it.
struct Claimed {
  model::Signed assignment, receipt;
  Hash salt;
  std::vector<model::StepTrace> traces;
  model::Execution execution;
};

class World {
 public:
  Party requester = some_party(1), provider = some_party(2), auditor = some_party(3);
  uint64_t now = 1000;
  ledger::test::Events events;           // all that happened
  std::vector<model::Transaction> said;  // by the node under test, each once
  std::vector<RunTask> works;            // asked for and not yet done
  std::vector<Hash> blobs_asked;         // of the requester
  std::vector<RunTask> all_works;
  // Faults.
  std::function<bool(const model::Transaction&)> loses = [](const auto&) { return false; };
  bool machine_stops = false;
  bool machine_fails = false;
  bool requester_has_blobs = true;
  bool claimant_opens_salts = true;

  /// `self` audits: an auditor, or the requester.
  explicit World(bool requester_audits = false)
      : self_(requester_audits ? requester : auditor),
        own_blobs_(requester_audits ? requester_values_ : own_values_, law::data_mode()),
        sequencer_(start()) {
    register_all(!requester_audits);
    restart();
  }

  [[nodiscard]] const ledger::State& state() const { return sequencer_.ledger().state(); }
  [[nodiscard]] const ledger::Audit& audit() const { return state().claims.at(claim_).audit; }
  [[nodiscard]] const ClaimId& claim() const { return claim_; }
  [[nodiscard]] const PublicKey& self() const { return key_of_self_; }
  [[nodiscard]] Auditor& node() { return *node_; }
  [[nodiscard]] Amount balance(const Party& party) const {
    return state().accounts.at(party.owner.public_key()).balance;
  }

  /// A node that knows nothing but its keys and its store.
  void restart() {
    works.clear();
    timers_.clear();
    following_ = false;
    auto made = Auditor::create({genesis_, {self_.node, self_.owner.public_key()}, some_hash(55)},
                                own_blobs_);
    CHECK(made.ok());
    node_ = std::move(made).value();
    key_of_self_ = self_.node.public_key();
    node_->start(now);
    settle();
  }

  /// Opens a job and claims one task for each entry: the step that is lied about, or none. The
  /// requester's preimage follows at once, so the next block draws.
  void claim_tasks(const std::vector<std::optional<uint32_t>>& lies);

  void run_ms(uint64_t milliseconds) {
    const uint64_t until = now + milliseconds;
    while (now < until) {
      now += 50;
      turn();
    }
  }
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
      node_->on_work(now, done(work));
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
  [[nodiscard]] chain::Sequencer start();
  void register_all(bool with_auditor);
  void send(const crypto::SecretKey& key, const model::Transaction& body);
  void produce();
  [[nodiscard]] Claimed work(const LeaseId& lease, uint32_t part, std::optional<uint32_t> lie);
  [[nodiscard]] WorkDone done(const RunTask& work);
  void turn();
  void settle();
  void carry_out(Effect effect);
  void hear(const Send& message);
  void act_as_claimant();
  void answer(const ledger::DisputeKey& key, const ledger::Dispute& dispute);

  Party self_;
  PublicKey key_of_self_;
  crypto::SecretKey sequencer_key_ = some_key(100);
  law::Program program_ = ledger::test::small_program();
  env::MemoryKeyValue log_, requester_values_, own_values_;
  store::Blobs requester_blobs_{requester_values_, law::data_mode()};
  store::Blobs own_blobs_;
  model::Genesis genesis_;
  chain::Sequencer sequencer_;
  std::unique_ptr<Auditor> node_;
  bool following_ = false;
  std::set<std::pair<uint64_t, uint64_t>> timers_;  // (when, id)
  std::set<model::TransactionId> heard_;
  ClaimId claim_;
  std::vector<Claimed> claimed_;
};

inline chain::Sequencer World::start() {
  genesis_.name = "test";
  genesis_.sequencer = sequencer_key_.public_key();
  genesis_.preimages = sequencer_anchor();
  for (const Party& party : {requester, provider, auditor}) {
    genesis_.balances.push_back({party.owner.public_key(), lks(1000)});
  }
  std::sort(genesis_.balances.begin(), genesis_.balances.end(), [](const auto& a, const auto& b) {
    return a.owner < b.owner;
  });
  auto sequencer = chain::Sequencer::create(genesis_, sequencer_key_, sequencer_secret, log_);
  CHECK(sequencer.ok());
  return std::move(sequencer).value();
}

inline void World::register_all(bool with_auditor) {
  send(requester.owner, model::RegisterNode{requester.node.public_key(), model::Role::requester});
  send(provider.owner, model::RegisterNode{provider.node.public_key(), model::Role::provider});
  send(provider.owner, model::AddStake{lks(500)});
  if (with_auditor) {
    send(auditor.owner, model::RegisterNode{auditor.node.public_key(), model::Role::auditor});
    send(auditor.owner, model::AddStake{lks(500)});
  }
  send(requester.owner, model::RegisterProgram{law::encode(program_), {}});
}

/// Signs, and makes the block that takes it.
inline void World::send(const crypto::SecretKey& key, const model::Transaction& body) {
  const auto found = state().nonces.find(key.public_key());
  const uint64_t nonce = found == state().nonces.end() ? 0 : found->second;
  const model::Context context{state().network, model::SignedKind::transaction, nonce};
  CHECK(sequencer_.submit(model::sign(key, context, codec::encode(body))).ok());
  now = std::max(now, sequencer_.next_block_ms(now).value_or(now));
  produce();
}

inline void World::produce() {
  auto block = sequencer_.produce(now, events);
  CHECK(block.ok());
  if (following_) {
    node_->on_message(now, sequencer_key_.public_key(), net::Blocks{{*block}});
  }
}

inline Claimed World::work(const LeaseId& lease, uint32_t part, std::optional<uint32_t> lie) {
  model::Assignment assignment;
  assignment.job = state().leases.at(lease).job;
  assignment.lease = lease;
  assignment.part = part;
  assignment.program = law::program_root(program_);
  assignment.steps = steps;
  assignment.claim_every = claim_every;
  assignment.operations = steps * law::cost(program_);
  std::vector<law::Tensor> leaves;
  for (uint32_t leaf = 0; leaf < 2; ++leaf) {
    leaves.push_back({program_.leaves[leaf].shape, leaf_bytes(part, leaf)});
    const auto address = requester_blobs_.put(leaves.back().data);
    CHECK(address.ok());
    assignment.leaves.push_back({{law::tensor_root(leaves.back()), *address}, std::nullopt});
  }
  Claimed claimed;
  claimed.traces = trace_of(program_, std::move(leaves), lie);
  claimed.execution = execution_of(program_, claimed.traces);
  claimed.salt = some_hash(500 + part);
  const auto sign_as = [&](const crypto::SecretKey& key, model::SignedKind kind, Bytes body) {
    return model::sign(key, {state().network, kind, 0}, std::move(body));
  };
  claimed.assignment =
      sign_as(requester.node, model::SignedKind::assignment, codec::encode(assignment));
  const model::Receipt receipt = attest::make_receipt(
      assignment, model::task_id(claimed.assignment), claimed.execution, claimed.salt);
  claimed.receipt = sign_as(provider.node, model::SignedKind::receipt, codec::encode(receipt));
  return claimed;
}

inline void World::claim_tasks(const std::vector<std::optional<uint32_t>>& lies) {
  model::OpenJob terms;
  terms.name = "job";
  terms.requester = requester.node.public_key();
  terms.programs = {law::program_root(program_)};
  terms.operations = 100 * law::cost(program_);
  terms.tasks = 10;
  terms.price_per_unit = lks(1'000'000);
  terms.share_millionths = 1'000'000;
  terms.preimages = requester_chain()[0];
  send(requester.owner, terms);
  model::Quote quote;
  quote.owner = provider.owner.public_key();
  quote.name = "provider";
  quote.price_per_unit = terms.price_per_unit;
  quote.operations_per_second = 1000;
  quote.expires_ms = now + 60'000;
  const model::Signed signed_quote = model::sign(
      provider.node, {state().network, model::SignedKind::quote, 0}, codec::encode(quote));
  send(requester.node,
       model::OpenLease{ledger::test::find<ledger::JobOpened>(events)->job, signed_quote});
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

/// The node's machine: it reads what the node's own store holds.
inline WorkDone World::done(const RunTask& work) {
  if (machine_fails) {
    return {work.id, refuse(Code::io_failed, "the machine is broken")};
  }
  std::vector<law::Tensor> leaves;
  for (size_t i = 0; i < work.task.leaves.size(); ++i) {
    auto bytes = own_blobs_.get(work.task.leaves[i].tensor.data);
    CHECK(bytes.ok());  // a task runs only when its blobs are there
    leaves.push_back({program_.leaves[i].shape, std::move(bytes).value()});
  }
  CHECK(work.task.program->bytes == law::encode(program_) && work.task.steps == steps);
  auto traces = trace_of(program_, std::move(leaves), std::nullopt);
  if (work.kind == WorkKind::execute) {
    return {work.id, Output(execution_of(program_, traces))};
  }
  if (work.kind == WorkKind::steps) {
    return {work.id, Output(step_roots(program_, traces))};
  }
  return {work.id, Output(std::move(traces.at(work.step)))};
}

inline void World::turn() {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const uint64_t id = timers_.begin()->second;
    timers_.erase(timers_.begin());
    node_->on_timer(now, id);
  }
  settle();
  if (!machine_stops) {
    do_works();
  }
  const auto next = sequencer_.next_block_ms(now);
  if (next && *next <= now) {
    produce();
  }
  settle();
  act_as_claimant();
}

/// Until the node asks for nothing more.
inline void World::settle() {
  for (Effects effects = node_->take_effects(); !effects.empty(); effects = node_->take_effects()) {
    for (Effect& effect : effects) {
      carry_out(std::move(effect));
    }
  }
}

inline void World::carry_out(Effect effect) {
  if (const auto* timer = std::get_if<SetTimer>(&effect)) {
    timers_.emplace(timer->at_ms, timer->id);
  } else if (auto* work = std::get_if<RunTask>(&effect)) {
    CHECK((work->id & AuditDesk::id_bit) != 0);
    all_works.push_back(*work);
    works.push_back(std::move(*work));
  } else if (const auto* message = std::get_if<Send>(&effect)) {
    hear(*message);
  } else {
    CHECK(false);  // an auditor neither tells nor asks its owner
  }
}

inline void World::hear(const Send& message) {
  if (const auto* follow = std::get_if<net::FollowBlocks>(&message.message)) {
    following_ = true;
    auto blocks = sequencer_.blocks(follow->first, 1000);
    CHECK(blocks.ok());
    node_->on_message(now, sequencer_key_.public_key(), net::Blocks{std::move(blocks).value()});
  } else if (const auto* ask = std::get_if<net::AskBlob>(&message.message)) {
    CHECK(message.to == requester.node.public_key());
    blobs_asked.push_back(ask->address);
    auto bytes = requester_blobs_.get(ask->address);
    net::GiveBlob give{ask->address, false, {}};
    if (requester_has_blobs && bytes.ok()) {
      give = {ask->address, true, std::move(bytes).value()};
    }
    node_->on_message(now, message.to, give);
  } else if (const auto* submit = std::get_if<net::SubmitTransaction>(&message.message)) {
    const auto body = codec::decode<model::Transaction>(submit->transaction.body);
    CHECK(body.ok());
    if (heard_.insert(model::transaction_id(submit->transaction)).second) {
      said.push_back(*body);
    }
    if (!loses(*body)) {
      // Refused where the world has used its nonce up: as lost as any other.
      (void)sequencer_.submit(submit->transaction).ok();
    }
  } else {
    CHECK(false);  // an auditor says nothing else
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
  witness.set_steps(step_roots(program_, claimed.traces));
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
