// For tests: tasks of the small job with all that was computed in them, parties that tell the truth
// or lie about them, and a dispute between two of them as the ledger judges it.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>

#include "apps/small_job.h"
#include "attest/witness.h"
#include "base/test_random.h"
#include "exec/tensor_runner.h"
#include "judge/dispute.h"
#include "law/float_environment.h"
#include "law/fold.h"
#include "law/roots.h"
#include "model/transaction.h"
#include "plan/planner.h"
#include "prepare/prepare.h"
#include "tensor/executor.h"

namespace lockstep::disputes {

/// The same draws everywhere.
struct Draw : TestRandom {
  using TestRandom::TestRandom;
  Hash hash() {
    Hash hash;
    for (uint8_t& byte : hash.bytes) {
      byte = static_cast<uint8_t>(next());
    }
    return hash;
  }
};

/// A task with its honest execution, every step in full.
struct TaskCase {
  std::string name;
  model::Task task;
  const judge::Registered* registered = nullptr;
  model::Execution execution;
  std::vector<Hash> step_roots;
  std::vector<model::StepTrace> traces;
  std::shared_ptr<tensor::Executor> executor;  // keeps outputs
  [[nodiscard]] const law::Program& program() const { return registered->program; }
  [[nodiscard]] uint32_t steps() const { return task.steps; }
  [[nodiscard]] bool is_short() const { return task.steps < model::short_task_steps; }
};

inline Hash salt_of_task() {
  return Draw{99}.hash();
}

inline Hash root_of(const law::Program& program, const std::vector<Bytes>& leaves) {
  std::vector<Hash> roots;
  for (size_t i = 0; i < leaves.size(); ++i) {
    roots.push_back(law::tensor_root(program.leaves[i].shape, law::data_hash(leaves[i])));
  }
  return law::state_root(program, roots);
}

/// What one party says that the task came to. Steps that it has not computed itself are honest.
struct Party {
  const TaskCase* about = nullptr;
  std::vector<Hash> step_roots;
  std::vector<Hash> output_roots;  // the last step's, of a short task
  std::map<uint32_t, model::StepTrace> own;

  [[nodiscard]] std::vector<Hash> list() const {
    model::Execution execution;
    execution.output_roots = output_roots;
    const uint32_t every = about->task.claim_every;
    for (uint32_t step = 0; step < about->steps(); ++step) {
      if ((step + 1) % every == 0 || step + 1 == about->steps()) {
        execution.state_roots.push_back(step_roots[step]);
      }
    }
    return attest::list_roots(execution, about->steps());
  }
  [[nodiscard]] const model::StepTrace& trace(uint32_t step) const {
    const auto found = own.find(step);
    return found == own.end() ? about->traces[step] : found->second;
  }
  [[nodiscard]] attest::Witness witness() const {
    return {about->program(), about->steps(), about->task.claim_every, list()};
  }
  /// The claim of this party's receipt.
  [[nodiscard]] judge::Case claim() const {
    return {about->registered,
            about->steps(),
            about->task.claim_every,
            about->execution.input_root,
            step_roots.back(),
            model::task_list(salt_of_task(), list()),
            true};
  }
};

inline Party honest(const TaskCase& about) {
  return {&about, about.step_roots, about.execution.output_roots, {}};
}

/// The small job run to its end, and its tasks.
class World {
 public:
  World() : blobs_(values_, law::data_mode()), runner_(blobs_, clock_, options()) {
    model::JobSpec spec = small_job();
    spec.train.rounds = 1;
    spec.train.batch = 2;
    spec.train.local_steps = 10;
    spec.train.claim_every = 4;
    MemoryFiles files = small_files();
    prepared_ =
        std::make_unique<prepare::Prepared>(prepare::prepare(spec, "", files, blobs_).value());
    const auto planner = plan::make_planner(prepared_->job).value();
    std::vector<model::Execution> finished;
    while (!planner->done()) {
      const std::vector<model::Task> tasks = planner->advance(finished).value();
      finished.clear();
      for (const model::Task& task : tasks) {
        finished.push_back(runner_.run(task).value());
        add(task);
      }
    }
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] const std::vector<TaskCase>& cases() const { return cases_; }
  [[nodiscard]] platform::Clock& clock() { return clock_; }
  [[nodiscard]] const model::Job& job() const { return prepared_->job; }
  /// The task as it runs on other leaves, for those who do not compute what they were assigned.
  TaskCase computed(std::string name, const model::Task& task) {
    TaskCase made{std::move(name), task, nullptr, runner_.run(task).value(), {}, {}, nullptr};
    made.registered = programs_.add(task.program->bytes, task.program->constants).value();
    made.step_roots = runner_.step_roots(task).value();
    for (uint32_t step = 0; step < task.steps; ++step) {
      made.traces.push_back(runner_.trace(task, step).value());
    }
    std::vector<law::Tensor> constants;
    for (size_t i = 0; i < task.program->constants.size(); ++i) {
      constants.push_back({made.program().constants[i].shape, made.traces[0].constants[i]});
    }
    tensor::Options kept = options();
    kept.keep_outputs = true;
    made.executor = tensor::Executor::create(made.program(), std::move(constants), kept).value();
    return made;
  }
  model::TensorRef put(const law::Shape& shape, const Bytes& bytes) {
    const Hash data = blobs_.put(bytes).value();
    return {law::tensor_root(shape, data), data};
  }

 private:
  static tensor::Options options() { return {1, tensor::best_isa(), false}; }
  void add(const model::Task& task) {
    static const char* const names[] = {"lane", "merge", "evaluate", "sum"};
    if (task.tag.part > 0) {
      return;  // the same program again
    }
    cases_.push_back(computed(names[static_cast<size_t>(task.tag.kind)], task));
    if (task.tag.kind == model::TaskKind::lane) {
      model::Task part = task;
      part.steps = 3;
      part.claim_every = 2;
      cases_.push_back(computed("lane, 3 steps", part));
    }
  }
  env::MemoryKeyValue values_;
  store::Blobs blobs_;
  platform::Clock clock_;
  exec::TensorRunner runner_;
  judge::Programs programs_;
  std::unique_ptr<prepare::Prepared> prepared_;
  std::vector<TaskCase> cases_;
};

/// Every operator after `record` that reads a value which is not the honest one, computed from it.
inline void recompute(const law::Program& program, uint32_t record, model::StepTrace& trace) {
  const law::FloatEnvironment environment;
  std::vector<bool> changed(program.records.size(), false);
  changed[record] = true;
  for (uint32_t at = record + 1; at < program.records.size(); ++at) {
    std::vector<ByteView> inputs;
    for (const law::Source& source : program.records[at].inputs) {
      const bool is_value = source.from == law::From::value;
      changed[at] = changed[at] || (is_value && changed[source.index]);
      inputs.emplace_back(is_value                          ? trace.outputs[source.index]
                          : source.from == law::From::state ? trace.before[source.index]
                                                            : trace.constants[source.index]);
    }
    if (!changed[at]) {
      continue;
    }
    const law::Op op = law::op_of(program, at);
    law::TensorReader reader(op, std::move(inputs));
    Bytes made = law::evaluate(op, reader).data;
    changed[at] = made != trace.outputs[at];
    trace.outputs[at] = std::move(made);
  }
}

/// The leaves after the step, as the leaf table has them.
inline void write_leaves(const law::Program& program, model::StepTrace& trace) {
  for (size_t i = 0; i < program.leaves.size(); ++i) {
    const auto writer = program.leaves[i].writer;
    trace.after[i] = writer ? trace.outputs[*writer] : trace.before[i];
  }
}

/// A party whose step is `step` and who went on from it as the program says.
inline Party liar(const TaskCase& about, model::StepTrace step) {
  const law::Program& program = about.program();
  Party party = honest(about);
  const uint32_t at = step.step;
  party.step_roots[at] = root_of(program, step.after);
  if (party.step_roots[at] != about.step_roots[at] && at + 1 < about.steps()) {
    std::vector<law::Tensor> leaves;
    std::vector<ByteView> views;
    for (size_t i = 0; i < step.after.size(); ++i) {
      leaves.push_back({program.leaves[i].shape, step.after[i]});
      law::canonicalise(leaves.back());
    }
    views.reserve(leaves.size());
    for (const law::Tensor& leaf : leaves) {
      views.emplace_back(leaf.data);
    }
    about.executor->load(views).value();
    for (uint32_t next = at + 1; next < about.steps(); ++next) {
      about.executor->step();
      std::vector<Bytes> after;
      for (size_t i = 0; i < leaves.size(); ++i) {
        const ByteView leaf = about.executor->leaf(i);
        after.emplace_back(leaf.begin(), leaf.end());
      }
      party.step_roots[next] = root_of(program, after);
    }
  }
  const bool is_last = at + 1 == about.steps();
  for (size_t i = 0; i < party.output_roots.size(); ++i) {
    const bool ran = party.step_roots[at] != about.step_roots[at] && !is_last;
    const auto record = static_cast<uint32_t>(i);
    const ByteView bytes = is_last ? ByteView(step.outputs[i])
                           : ran   ? about.executor->output(record)
                                   : ByteView();
    if (is_last || ran) {
      party.output_roots[i] = law::tensor_root(program.records[i].out, law::data_hash(bytes));
    }
  }
  party.own.emplace(at, std::move(step));
  return party;
}

/// Who computed `about` from other leaves, and claims to have begun with the assigned ones.
inline Party from_others(const TaskCase& about, const TaskCase& other) {
  Party party{&about, other.step_roots, other.execution.output_roots, {}};
  for (uint32_t step = 0; step < about.steps(); ++step) {
    party.own.emplace(step, other.traces[step]);
  }
  return party;
}

enum class Verdict { conceded, bad_answer, refuted, holds, inadmissible, silent, broken };
inline bool is_convicted(Verdict verdict) {
  return verdict == Verdict::bad_answer || verdict == Verdict::refuted;
}

struct End {
  Verdict verdict = Verdict::broken;
  std::string error;  // of a broken one
  size_t answers = 0;
  uint64_t answer_bytes = 0, proof_bytes = 0, decide_ns = 0;
  std::optional<model::StepProof> step;
  std::optional<model::LeafProof> leaf;
  model::Kept kept;
};

using Forge = std::function<void(model::Answer&)>;
inline constexpr size_t never = SIZE_MAX;

/// One dispute. Borrows everything.
class Dispute {
 public:
  Dispute(const judge::Case& claim, const Party& claimant, const Party& challenger)
      : claim_(claim),
        claimant_(claimant),
        challenger_(challenger),
        accused_(claimant.witness()),
        accuser_(challenger.witness()) {}
  /// The claimant's answers go through this.
  void forge(Forge forge) { forge_ = std::move(forge); }
  /// It does not give the answer of this number.
  void withhold(size_t answer) { withheld_ = answer; }

  End run(env::Clock& clock) {
    for (int moves = 0; moves < 64 && !over_; ++moves) {
      const attest::Witness::Move move = accuser_.next(end_.kept);
      if (const auto* ask = std::get_if<attest::Witness::Ask>(&move)) {
        answer(ask->place);
      } else if (const auto* need = std::get_if<attest::NeedTrace>(&move)) {
        accuser_.set_trace(challenger_.trace(need->step));
      } else if (std::holds_alternative<attest::NeedSteps>(move)) {
        accuser_.set_steps(challenger_.step_roots);
      } else if (const auto* prove = std::get_if<attest::Witness::Prove>(&move)) {
        decide(*prove, clock);
      } else {
        close(Verdict::conceded);
      }
    }
    return over_ ? end_ : broken("the dispute does not end");
  }

 private:
  void close(Verdict verdict) {
    end_.verdict = verdict;
    over_ = true;
  }
  End broken(std::string why) {
    end_.error = std::move(why);
    close(Verdict::broken);
    return end_;
  }
  void answer(const model::Place& place) {
    const auto admitted = judge::admissible(claim_, end_.kept, place);
    if (!admitted.ok()) {
      broken("the challenger asks what may not be asked: " + admitted.error().message());
      return;
    }
    if (end_.answers == withheld_) {
      close(Verdict::silent);
      return;
    }
    auto reply = accused_.answer(place, salt_of_task());
    for (int tries = 0; tries < 3 && reply.ok(); ++tries) {
      if (const auto* need = std::get_if<attest::NeedTrace>(&*reply)) {
        accused_.set_trace(claimant_.trace(need->step));
      } else if (std::holds_alternative<attest::NeedSteps>(*reply)) {
        accused_.set_steps(claimant_.step_roots);
      } else {
        break;
      }
      reply = accused_.answer(place, salt_of_task());
    }
    if (!reply.ok() || !std::holds_alternative<model::Answer>(*reply)) {
      broken("the claimant has no answer");
      return;
    }
    take(std::get<model::Answer>(*reply));
  }
  void take(model::Answer answer) {
    if (forge_) {
      forge_(answer);
    }
    const auto taken = judge::take(claim_, end_.kept, answer);
    if (!taken.ok()) {
      if (taken.error().code == Code::bad_answer) {
        close(Verdict::bad_answer);
      } else {
        broken(taken.error().message());
      }
      return;
    }
    ++end_.answers;
    end_.answer_bytes += codec::encode(model::PostAnswer{{}, 0, answer}).size();
  }
  void decide(const attest::Witness::Prove& prove, env::Clock& clock) {
    if (const auto* step = std::get_if<model::StepProof>(&prove.proof)) {
      end_.step = *step;
    } else {
      end_.leaf = std::get<model::LeafProof>(prove.proof);
    }
    end_.proof_bytes = codec::encode(model::PostProof{{}, 0, prove.proof}).size();
    const uint64_t start = clock.now_ns();
    const model::Outcome outcome = end_.step ? judge::decide(claim_, end_.kept, *end_.step)
                                             : judge::decide(claim_, end_.kept, *end_.leaf);
    end_.decide_ns = clock.now_ns() - start;
    close(outcome == model::Outcome::refuted ? Verdict::refuted
          : outcome == model::Outcome::holds ? Verdict::holds
                                             : Verdict::inadmissible);
  }

  const judge::Case& claim_;
  const Party& claimant_;
  const Party& challenger_;
  attest::Witness accused_, accuser_;
  Forge forge_;
  size_t withheld_ = never;
  bool over_ = false;
  End end_;
};

/// Built once: the job's own run is the longest part of some tests.
inline World& world() {
  static World the_world;
  return the_world;
}

inline End dispute(const Party& claimant, const Party& challenger, const Forge& forge = {}) {
  const judge::Case claim = claimant.claim();
  Dispute dispute(claim, claimant, challenger);
  dispute.forge(forge);
  return dispute.run(world().clock());
}

inline void flip(Bytes& bytes, Draw& draw) {
  bytes[draw.below(bytes.size())] ^= static_cast<uint8_t>(1U << draw.below(8));
}

/// One bit of a random element. A bool's is its lowest.
inline void flip_element(const law::Shape& shape, Bytes& bytes, Draw& draw) {
  const auto size = static_cast<size_t>(law::size_of(shape.type));
  const size_t element = draw.below(bytes.size() / size);
  const size_t bit = shape.type == law::DType::boolean ? 0 : draw.below(8 * size);
  bytes[element * size + bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
}

/// The task with one false bit in a leaf that it starts from.
inline model::Task on_false_leaf(const TaskCase& about, size_t leaf, Draw& draw) {
  const law::Shape& shape = about.program().leaves[leaf].shape;
  law::Tensor tensor{shape, about.traces[0].before[leaf]};
  flip_element(shape, tensor.data, draw);
  law::canonicalise(tensor);
  model::Task task = about.task;
  task.leaves[leaf].tensor = world().put(shape, tensor.data);
  return task;
}

enum class Later { honest, recomputed };

/// The step with one false bit in the output of `record`.
inline model::StepTrace false_step(
    const TaskCase& about, uint32_t step, uint32_t record, Later later, Draw& draw) {
  model::StepTrace trace = about.traces[step];
  flip_element(about.program().records[record].out, trace.outputs[record], draw);
  if (later == Later::recomputed) {
    recompute(about.program(), record, trace);
  }
  write_leaves(about.program(), trace);
  return trace;
}

/// Lies about one operator. Where nothing that the receipt covers would be false, a leaf is, too:
/// its list differs from the honest one.
inline Party lie_about(
    const TaskCase& about, uint32_t step, uint32_t record, Later later, Draw& draw) {
  const std::vector<Hash> truth = honest(about).list();
  model::StepTrace trace = false_step(about, step, record, later, draw);
  Party party = liar(about, trace);
  for (int tries = 0; tries < 20 && party.list() == truth; ++tries) {
    const size_t leaf = draw.below(trace.after.size());
    flip_element(about.program().leaves[leaf].shape, trace.after[leaf], draw);
    party = liar(about, trace);
  }
  return party;
}

inline std::string text_of(const TaskCase& about, uint32_t step, uint32_t record) {
  return about.name + ", step " + std::to_string(step) + ", record " + std::to_string(record) +
         " of kind " + std::to_string(static_cast<int>(about.program().records[record].kind));
}

}  // namespace lockstep::disputes
