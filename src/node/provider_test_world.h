// For tests only: a provider's node, a real ledger, a requester played by the test. The law's own
// interpreter is the provider's machine.
#pragma once

#include <algorithm>

#include "base/check.h"
#include "chain/sequencer.h"
#include "law/interpret.h"
#include "law/roots.h"
#include "ledger/test_world.h"
#include "node/provider.h"

namespace lockstep::node::provider_test {

using ledger::test::lks;
using ledger::test::Party;
using ledger::test::some_hash;
using ledger::test::some_key;
using ledger::test::some_party;
using model::TaskId;

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

 private:
  env::MemoryKeyValue values_;
};

/// What a machine gives.
using Made = std::variant<model::Execution, std::vector<Hash>, model::StepTrace>;

struct Shape {
  uint32_t part = 0;
  uint32_t steps = 1;
  uint32_t claim_every = 1;
};

/// All steps of a task by the law.
inline std::vector<model::StepTrace> trace_of(const law::Program& program,
                                              std::vector<law::Tensor> leaves,
                                              uint32_t steps) {
  std::vector<model::StepTrace> traces;
  for (uint32_t step = 0; step < steps; ++step) {
    model::StepTrace trace;
    trace.step = step;
    std::vector<law::Tensor> values;
    for (const law::Tensor& leaf : leaves) {
      trace.before.push_back(leaf.data);
    }
    leaves = law::run_step(program, leaves, {}, &values);
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

inline std::vector<Hash> roots_of(const law::Program& program, const std::vector<Bytes>& leaves) {
  std::vector<Hash> roots;
  for (size_t i = 0; i < leaves.size(); ++i) {
    roots.push_back(law::tensor_root({program.leaves[i].shape, leaves[i]}));
  }
  return roots;
}

inline std::vector<Hash> step_roots(const law::Program& program,
                                    const std::vector<model::StepTrace>& traces) {
  std::vector<Hash> roots;
  for (const model::StepTrace& trace : traces) {
    roots.push_back(law::state_root(program, roots_of(program, trace.after)));
  }
  return roots;
}

inline model::Execution execution_of(const law::Program& program,
                                     const std::vector<model::StepTrace>& traces,
                                     uint32_t claim_every) {
  model::Execution execution;
  execution.input_root = law::state_root(program, roots_of(program, traces.front().before));
  const std::vector<Hash> roots = step_roots(program, traces);
  for (uint32_t step = 0; step < roots.size(); ++step) {
    if ((step + 1) % claim_every == 0 || step + 1 == roots.size()) {
      execution.state_roots.push_back(roots[step]);
    }
  }
  execution.output_root = roots.back();
  if (roots.size() < model::short_task_steps) {
    for (size_t i = 0; i < program.records.size(); ++i) {
      execution.output_roots.push_back(
          law::tensor_root({program.records[i].out, traces.back().outputs[i]}));
    }
  }
  const std::vector<Hash> leaf_roots = roots_of(program, traces.back().after);
  for (size_t i = 0; i < leaf_roots.size(); ++i) {
    execution.leaves.push_back({leaf_roots[i], law::data_hash(traces.back().after[i])});
  }
  return execution;
}

inline Bytes leaf_bytes(uint32_t part, uint32_t leaf) {
  std::array<float, 4> values{};
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.25F + 0.125F * static_cast<float>(i + leaf) + static_cast<float>(part);
  }
  Bytes bytes(sizeof values);
  std::memcpy(bytes.data(), values.data(), sizeof values);
  return bytes;
}

inline const Hash sequencer_secret = some_hash(7);
inline const Hash& sequencer_anchor() {
  static const Hash anchor = model::preimage_chain(sequencer_secret, limits::preimages_max).front();
  return anchor;
}
inline const std::vector<Hash>& requester_chain() {
  static const std::vector<Hash> chain = model::preimage_chain(some_hash(8), 100);
  return chain;
}

class World {
 public:
  Party requester = some_party(1), provider = some_party(2), auditor = some_party(3);
  uint64_t now = 1000;
  ledger::test::Events events;  // all that happened
  std::vector<Send> said;       // by the provider, to the requester
  std::vector<RunTask> works;   // asked for and not yet done
  FailingStore secrets;
  size_t works_done = 0;
  bool hears_blocks = true;
  bool requester_has_blobs = true;
  bool machine_fails = false;
  bool loses_claims = false;

  /// Registered, a job and a lease opened.
  World() : sequencer_(start()) {
    register_all();
    restart();
    open_job();
  }

  [[nodiscard]] const ledger::State& state() const { return sequencer_.ledger().state(); }
  [[nodiscard]] const model::LeaseId& lease() const { return lease_; }
  [[nodiscard]] const ledger::Claim& claim() const { return state().claims.begin()->second; }
  [[nodiscard]] model::ClaimId claim_id() const { return state().claims.begin()->first; }
  [[nodiscard]] PublicKey requester_key() const { return requester.node.public_key(); }
  [[nodiscard]] const law::Program& program() const { return program_; }

  /// A node that knows nothing but its keys and its stores.
  void restart() {
    works.clear();
    timers_.clear();
    Machine machine;
    machine.name = "provider-1";
    machine.price_per_unit = lks(1'000'000);
    machine.operations_per_second = 1000;
    auto made = Provider::create(
        {genesis_, {provider.node, provider.owner.public_key()}, machine, some_hash(55)},
        blobs_,
        secrets);
    CHECK(made.ok());
    node_ = std::move(made).value();
    node_->start(now);
    settle();
  }
  void say(const net::Message& message) { say_as(requester_key(), message); }
  void say_as(const PublicKey& from, const net::Message& message) {
    node_->on_message(now, from, message);
    settle();
  }
  void run_ms(uint64_t milliseconds) {
    const uint64_t until = now + milliseconds;
    while (now < until) {
      now += 50;
      turn();
    }
  }
  /// Does what the provider asked its machine for, one after the other, until there is no more.
  void do_works() {
    while (!works.empty()) {
      const RunTask work = works.front();
      works.erase(works.begin());
      ++works_done;
      node_->on_work(now, done(work));
      settle();
    }
  }
  /// Signs, and makes the block that takes it.
  void send(const crypto::SecretKey& key, const model::Transaction& body) {
    const auto found = state().nonces.find(key.public_key());
    const uint64_t nonce = found == state().nonces.end() ? 0 : found->second;
    const model::Context context{state().network, model::SignedKind::transaction, nonce};
    CHECK(sequencer_.submit(model::sign(key, context, codec::encode(body))).ok());
    now = std::max(now, sequencer_.next_block_ms(now).value_or(now));
    produce();
  }
  [[nodiscard]] model::Assignment assignment(const Shape& shape) {
    model::Assignment assignment;
    assignment.job = state().leases.at(lease_).job;
    assignment.lease = lease_;
    assignment.part = shape.part;
    assignment.program = law::program_root(program_);
    assignment.steps = shape.steps;
    assignment.claim_every = shape.claim_every;
    assignment.operations = shape.steps * law::cost(program_);
    for (uint32_t leaf = 0; leaf < 2; ++leaf) {
      const law::Tensor tensor{program_.leaves[leaf].shape, leaf_bytes(shape.part, leaf)};
      const auto address = requester_blobs_.put(tensor.data);
      CHECK(address.ok());
      assignment.leaves.push_back({{law::tensor_root(tensor), *address}, std::nullopt});
    }
    return assignment;
  }
  [[nodiscard]] model::Signed sign(const model::Assignment& assignment) const {
    return model::sign(requester.node,
                       {state().network, model::SignedKind::assignment, 0},
                       codec::encode(assignment));
  }
  TaskId assign(const Shape& shape) {
    const model::Signed paper = sign(assignment(shape));
    say(net::Assign{paper});
    return model::task_id(paper);
  }
  void vouch(const model::Receipt& receipt) {
    const model::Voucher voucher{receipt.task, receipt.output_root};
    say(net::GiveVoucher{model::sign(
        requester.node, {state().network, model::SignedKind::voucher, 0}, codec::encode(voucher))});
  }
  /// The execution of a task as the law gives it.
  [[nodiscard]] model::Execution expected(const Shape& shape) const {
    return execution_of(
        program_, trace_of(program_, inputs(shape.part), shape.steps), shape.claim_every);
  }
  [[nodiscard]] std::vector<law::Tensor> inputs(uint32_t part) const {
    return {{program_.leaves[0].shape, leaf_bytes(part, 0)},
            {program_.leaves[1].shape, leaf_bytes(part, 1)}};
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
  [[nodiscard]] chain::Sequencer start();
  void register_all();
  void open_job();
  void produce();
  [[nodiscard]] WorkDone done(const RunTask& work);
  void turn();
  void settle();
  void carry_out(Effect effect);
  void hear(const Send& message);

  crypto::SecretKey sequencer_key_ = some_key(100);
  law::Program program_ = ledger::test::small_program();
  env::MemoryKeyValue log_, requester_values_, values_;
  store::Blobs requester_blobs_{requester_values_, law::data_mode()};
  store::Blobs blobs_{values_, law::data_mode()};
  model::Genesis genesis_;
  chain::Sequencer sequencer_;
  std::unique_ptr<Provider> node_;
  std::set<std::pair<uint64_t, uint64_t>> timers_;  // (when, id)
  model::LeaseId lease_;
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

inline void World::register_all() {
  send(requester.owner, model::RegisterNode{requester.node.public_key(), model::Role::requester});
  send(provider.owner, model::RegisterNode{provider.node.public_key(), model::Role::provider});
  send(provider.owner, model::AddStake{lks(500)});
  send(auditor.owner, model::RegisterNode{auditor.node.public_key(), model::Role::auditor});
  send(auditor.owner, model::AddStake{lks(500)});
  send(requester.owner, model::RegisterProgram{law::encode(program_), {}});
}

inline void World::open_job() {
  model::OpenJob terms;
  terms.name = "job";
  terms.requester = requester_key();
  terms.programs = {law::program_root(program_)};
  terms.operations = 100 * law::cost(program_);
  terms.tasks = 10;
  terms.price_per_unit = lks(1'000'000);
  terms.share_millionths = 1'000'000;
  terms.preimages = requester_chain()[0];
  send(requester.owner, terms);
  say(net::AskQuote{terms.operations, terms.tasks});
  const auto quotes = heard<net::GiveQuote>();
  CHECK(quotes.size() == 1);
  send(requester.node,
       model::OpenLease{ledger::test::find<ledger::JobOpened>(events)->job, quotes[0].quote});
  const auto opened = ledger::test::find<ledger::LeaseOpened>(events);
  CHECK(opened.has_value());
  lease_ = opened->lease;
  settle();
}

inline void World::produce() {
  ledger::test::Events happened;
  auto block = sequencer_.produce(now, happened);
  CHECK(block.ok());
  events.insert(events.end(), happened.begin(), happened.end());
  if (hears_blocks && node_) {
    node_->on_message(now, sequencer_key_.public_key(), net::Blocks{{*block}});
    settle();
  }
}

/// The provider's machine: it reads what the provider's own store holds, and leaves its outputs
/// there.
inline WorkDone World::done(const RunTask& work) {
  if (machine_fails) {
    return {work.id, refuse(Code::io_failed, "the machine is broken")};
  }
  std::vector<law::Tensor> leaves;
  for (size_t i = 0; i < work.task.leaves.size(); ++i) {
    auto bytes = blobs_.get(work.task.leaves[i].tensor.data);
    CHECK(bytes.ok());  // a task runs only when its blobs are there
    leaves.push_back({program_.leaves[i].shape, std::move(bytes).value()});
  }
  CHECK(work.task.program->bytes == law::encode(program_));
  auto traces = trace_of(program_, std::move(leaves), work.task.steps);
  if (work.kind == WorkKind::steps) {
    return {work.id, Made(step_roots(program_, traces))};
  }
  if (work.kind == WorkKind::trace) {
    return {work.id, Made(std::move(traces.at(work.step)))};
  }
  for (const Bytes& bytes : traces.back().after) {
    CHECK(blobs_.put(bytes).ok());
  }
  return {work.id, Made(execution_of(program_, traces, work.task.claim_every))};
}

inline void World::turn() {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const uint64_t id = timers_.begin()->second;
    timers_.erase(timers_.begin());
    node_->on_timer(now, id);
  }
  settle();
  const auto next = sequencer_.next_block_ms(now);
  if (next && *next <= now) {
    produce();
  }
}

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
    CHECK(works.empty());  // one after the other
    works.push_back(std::move(*work));
  } else if (const auto* message = std::get_if<Send>(&effect)) {
    hear(*message);
  } else {
    CHECK(false);  // a provider neither tells nor asks its owner
  }
}

inline void World::hear(const Send& message) {
  if (const auto* follow = std::get_if<net::FollowBlocks>(&message.message)) {
    auto blocks = sequencer_.blocks(follow->first, 1000);
    CHECK(blocks.ok());
    if (hears_blocks) {
      node_->on_message(now, message.to, net::Blocks{std::move(blocks).value()});
    }
  } else if (const auto* ask = std::get_if<net::AskBlob>(&message.message)) {
    CHECK(message.to == requester_key());
    auto bytes = requester_blobs_.get(ask->address);
    const bool found = requester_has_blobs && bytes.ok();
    node_->on_message(
        now, message.to, net::GiveBlob{ask->address, found, found ? *bytes : Bytes{}});
  } else if (const auto* submit = std::get_if<net::SubmitTransaction>(&message.message)) {
    const auto body = codec::decode<model::Transaction>(submit->transaction.body);
    CHECK(body.ok());
    if (!loses_claims || !std::holds_alternative<model::PostClaim>(*body)) {
      CHECK(sequencer_.submit(submit->transaction).ok());
    }
  } else {
    said.push_back(message);
  }
}

}  // namespace lockstep::node::provider_test
