// For tests only: a real sequencer with parties that own something, tasks computed by the law's own
// interpreter, and one node under test between the network and its machine.
#pragma once

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "chain/sequencer.h"
#include "law/interpret.h"
#include "law/roots.h"
#include "ledger/test_world.h"
#include "node/node.h"
#include "store/blobs.h"

namespace lockstep::node::test_network {

using ledger::test::lks;
using ledger::test::Party;
using ledger::test::some_hash;
using ledger::test::some_key;
using ledger::test::some_party;

inline const Hash sequencer_secret = some_hash(7);
inline const Hash& sequencer_anchor() {
  static const Hash anchor = model::preimage_chain(sequencer_secret, limits::preimages_max).front();
  return anchor;
}
inline const Hash requester_secret = some_hash(8);
inline const std::vector<Hash>& requester_chain() {
  static const std::vector<Hash> chain = model::preimage_chain(requester_secret, 100);
  return chain;
}

// ---- tasks

inline std::vector<Bytes> data_of(const std::vector<law::Tensor>& tensors) {
  std::vector<Bytes> data;
  data.reserve(tensors.size());
  for (const law::Tensor& tensor : tensors) {
    data.push_back(tensor.data);
  }
  return data;
}

/// All steps of a task. A lie changes one bit of what the step leaves, and goes on from there.
inline std::vector<model::StepTrace> trace_of(const law::Program& program,
                                              std::vector<law::Tensor> leaves,
                                              uint32_t steps,
                                              std::optional<uint32_t> lie_step = std::nullopt) {
  std::vector<model::StepTrace> traces;
  for (uint32_t step = 0; step < steps; ++step) {
    model::StepTrace trace;
    trace.step = step;
    trace.before = data_of(leaves);
    std::vector<law::Tensor> values;
    leaves = law::run_step(program, leaves, {}, &values);
    if (lie_step == step) {
      values[1].data[2] ^= 1;
      leaves[0] = values[1];
    }
    trace.outputs = data_of(values);
    trace.after = data_of(leaves);
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
  roots.reserve(traces.size());
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

struct Shape {
  uint32_t part = 0;
  uint32_t steps = 1;
  uint32_t claim_every = 1;
};

// ---- the network

/// A sequencer, and parties 1 to n with 1,000 LKS each.
class Network {
 public:
  uint64_t now = 1000;

  explicit Network(uint64_t parties) : sequencer_(start(parties)) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] const ledger::State& state() const { return sequencer_.ledger().state(); }

  /// Signed with the signer's next nonce, for the next block.
  void submit(const crypto::SecretKey& key, const model::Transaction& body) {
    const auto found = state().nonces.find(key.public_key());
    const uint64_t nonce = found == state().nonces.end() ? 0 : found->second;
    const model::Context context{state().network, model::SignedKind::transaction, nonce};
    CHECK(sequencer_.submit(model::sign(key, context, codec::encode(body))).ok());
  }
  [[nodiscard]] model::Signed sign_as(const crypto::SecretKey& key,
                                      model::SignedKind kind,
                                      Bytes body) const {
    return model::sign(key, {state().network, kind, 0}, std::move(body));
  }
  /// Ten tasks at 0.001 LKS an operation.
  [[nodiscard]] static model::OpenJob terms(const Party& requester,
                                            std::vector<Hash> programs,
                                            uint64_t operations,
                                            uint32_t share_millionths) {
    model::OpenJob terms;
    terms.name = "job";
    terms.requester = requester.node.public_key();
    terms.programs = std::move(programs);
    terms.operations = operations;
    terms.tasks = 10;
    terms.price_per_unit = lks(1'000'000);
    terms.share_millionths = share_millionths;
    terms.preimages = requester_chain()[0];
    return terms;
  }
  [[nodiscard]] model::Signed quote(const Party& provider,
                                    std::string name,
                                    uint64_t operations_per_second) const {
    model::Quote quote;
    quote.owner = provider.owner.public_key();
    quote.name = std::move(name);
    quote.price_per_unit = lks(1'000'000);
    quote.operations_per_second = operations_per_second;
    quote.expires_ms = now + 60'000;
    return sign_as(provider.node, model::SignedKind::quote, codec::encode(quote));
  }

 protected:
  ~Network() = default;

  crypto::SecretKey sequencer_key_ = some_key(100);
  model::Genesis genesis_;
  env::MemoryKeyValue log_;
  chain::Sequencer sequencer_;

 private:
  [[nodiscard]] chain::Sequencer start(uint64_t parties) {
    genesis_.name = "test";
    genesis_.sequencer = sequencer_key_.public_key();
    genesis_.preimages = sequencer_anchor();
    for (uint64_t number = 1; number <= parties; ++number) {
      genesis_.balances.push_back({some_party(number).owner.public_key(), lks(1000)});
    }
    std::sort(genesis_.balances.begin(), genesis_.balances.end(), [](const auto& a, const auto& b) {
      return a.owner < b.owner;
    });
    auto sequencer = chain::Sequencer::create(genesis_, sequencer_key_, sequencer_secret, log_);
    CHECK(sequencer.ok());
    return std::move(sequencer).value();
  }
};

/// The same with one node that runs: its time, its timers, its machine, and a requester that
/// serves blobs.
class NodeNetwork : public Network {
 public:
  Party requester = some_party(1), provider = some_party(2), auditor = some_party(3);
  Party rival = some_party(4);     // another provider, that the test plays
  ledger::test::Events events;     // all that happened
  std::vector<RunTask> works;      // asked for and not yet done
  std::vector<Hash> blobs_asked;   // of the requester
  std::vector<Send> asked_others;  // for blobs: they say nothing by themselves
  // Faults.
  bool hears_blocks = true;
  bool requester_has_blobs = true;
  bool machine_fails = false;

  NodeNetwork() : Network(4) {}
  virtual ~NodeNetwork() = default;

  [[nodiscard]] const law::Program& program() const { return program_; }
  void run_ms(uint64_t milliseconds) {
    const uint64_t until = now + milliseconds;
    while (now < until) {
      now += 50;
      turn();
    }
  }
  /// Signs, and makes the block that takes it.
  void send(const crypto::SecretKey& key, const model::Transaction& body) {
    submit(key, body);
    now = std::max(now, sequencer_.next_block_ms(now).value_or(now));
    produce();
  }
  [[nodiscard]] std::vector<law::Tensor> inputs(uint32_t part) const {
    return {{program_.leaves[0].shape, leaf_bytes(part, 0)},
            {program_.leaves[1].shape, leaf_bytes(part, 1)}};
  }

 protected:
  virtual void turn() = 0;
  /// A message that neither follows blocks nor asks for a blob.
  virtual void hear(const Send& message) = 0;
  /// Before the work joins `works`.
  virtual void asked(const RunTask& work) = 0;

  void register_all(bool with_auditor = true) {
    const auto registration = [&](const auto& party, model::Role role) {
      return model::register_node(
          model::network_id(genesis_), party.node, {party.owner.public_key(), role});
    };
    send(requester.owner, registration(requester, model::Role::requester));
    send(provider.owner, registration(provider, model::Role::provider));
    send(provider.owner, model::AddStake{lks(500)});
    if (with_auditor) {
      send(auditor.owner, registration(auditor, model::Role::auditor));
      send(auditor.owner, model::AddStake{lks(500)});
    }
    send(requester.owner, model::RegisterProgram{law::encode(program_), {}});
  }
  /// In place of the node that ran; it knows nothing but its keys and its stores.
  void run(Node& node) {
    works.clear();
    timers_.clear();
    following_ = false;
    node_ = &node;
    node_->start(now);
    settle();
  }
  [[nodiscard]] model::OpenJob terms() const {
    return Network::terms(
        requester, {law::program_root(program_)}, 100 * law::cost(program_), 1'000'000);
  }
  /// The requester gets the leaves to give.
  [[nodiscard]] model::Assignment assignment(const model::LeaseId& lease, const Shape& shape) {
    model::Assignment assignment;
    assignment.job = state().leases.at(lease).job;
    assignment.lease = lease;
    assignment.part = shape.part;
    assignment.program = law::program_root(program_);
    assignment.steps = shape.steps;
    assignment.claim_every = shape.claim_every;
    assignment.operations = shape.steps * law::cost(program_);
    for (const law::Tensor& tensor : inputs(shape.part)) {
      const auto address = requester_blobs_.put(tensor.data);
      CHECK(address.ok());
      assignment.leaves.push_back({{law::tensor_root(tensor), *address}, std::nullopt});
    }
    return assignment;
  }
  void fire_timers() {
    while (!timers_.empty() && timers_.begin()->first <= now) {
      const uint64_t id = timers_.begin()->second;
      timers_.erase(timers_.begin());
      node_->on_timer(now, id);
    }
    settle();
  }
  void produce_if_due() {
    const auto next = sequencer_.next_block_ms(now);
    if (next && *next <= now) {
      produce();
    }
  }
  /// Until the node asks for nothing more.
  void settle() {
    for (Effects effects = node_->take_effects(); !effects.empty();
         effects = node_->take_effects()) {
      for (Effect& effect : effects) {
        carry_out(std::move(effect));
      }
    }
  }
  /// The node's machine: it reads what the node's own store holds, and leaves its outputs there.
  [[nodiscard]] WorkDone done(const RunTask& work, store::Blobs& blobs) {
    if (machine_fails) {
      return {work.id, refuse(Code::io_failed, "the machine is broken")};
    }
    std::vector<law::Tensor> leaves;
    for (size_t i = 0; i < work.task.leaves.size(); ++i) {
      auto bytes = blobs.get(work.task.leaves[i].tensor.data);
      if (!bytes.ok()) {
        return {work.id, bytes.error()};  // it has rotted since it was fetched
      }
      leaves.push_back({program_.leaves[i].shape, std::move(bytes).value()});
    }
    CHECK(work.task.program->bytes == law::encode(program_));
    auto traces = trace_of(program_, std::move(leaves), work.task.steps);
    if (work.kind == WorkKind::steps) {
      return {work.id, Output(step_roots(program_, traces))};
    }
    if (work.kind == WorkKind::trace) {
      return {work.id, Output(std::move(traces.at(work.step)))};
    }
    for (const Bytes& bytes : traces.back().after) {
      CHECK(blobs.put(bytes).ok());
    }
    return {work.id, Output(execution_of(program_, traces, work.task.claim_every))};
  }

  law::Program program_ = ledger::test::small_program();
  env::MemoryKeyValue requester_values_;
  store::Blobs requester_blobs_{requester_values_, law::data_mode()};

 private:
  using Output = std::variant<model::Execution, std::vector<Hash>, model::StepTrace>;

  void produce() {
    ledger::test::Events happened;
    auto block = sequencer_.produce(now, happened);
    CHECK(block.ok());
    events.insert(events.end(), happened.begin(), happened.end());
    if (following_ && hears_blocks) {
      node_->on_message(now, sequencer_key_.public_key(), net::Blocks{{*block}});
      settle();
    }
  }
  void carry_out(Effect effect) {
    if (const auto* timer = std::get_if<SetTimer>(&effect)) {
      timers_.emplace(timer->at_ms, timer->id);
    } else if (auto* work = std::get_if<RunTask>(&effect)) {
      asked(*work);
      works.push_back(std::move(*work));
    } else if (const auto* message = std::get_if<Send>(&effect)) {
      deliver(*message);
    } else {
      CHECK(false);  // neither providers nor auditors tell or ask their owner
    }
  }
  void deliver(const Send& message) {
    if (const auto* follow = std::get_if<net::FollowBlocks>(&message.message)) {
      following_ = true;
      auto blocks = sequencer_.blocks(follow->first, 1000);
      CHECK(blocks.ok());
      if (hears_blocks) {
        node_->on_message(now, message.to, net::Blocks{std::move(blocks).value()});
      }
    } else if (const auto* ask = std::get_if<net::AskBlob>(&message.message)) {
      if (message.to != requester.node.public_key()) {
        asked_others.push_back(message);
        return;
      }
      blobs_asked.push_back(ask->address);
      const auto opened = requester_blobs_.open(ask->address);
      net::GiveBlob give{ask->address};
      if (requester_has_blobs && opened.ok()) {
        CHECK(ask->first == net::last_piece && store::piece_count(opened->bytes.size()) == 1);
        give.answer = net::BlobAnswer::piece;
        give.total = opened->bytes.size();
        give.bytes = opened->bytes;
      }
      node_->on_message(now, message.to, give);
    } else {
      hear(message);
    }
  }

  Node* node_ = nullptr;
  bool following_ = false;
  std::set<std::pair<uint64_t, uint64_t>> timers_;  // (when, id)
};

}  // namespace lockstep::node::test_network
