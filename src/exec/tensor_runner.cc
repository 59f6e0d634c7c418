#include "exec/tensor_runner.h"

#include <algorithm>

#include "law/roots.h"
#include "model/market.h"

namespace lockstep::exec {
namespace {

/// Tensor roots of all leaves; only those that a step writes are hashed again.
void hash_leaves(const tensor::Executor& executor, std::vector<model::TensorRef>& leaves) {
  const law::Program& program = executor.program();
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (program.leaves[i].writer) {
      leaves[i].data = law::data_hash(executor.leaf(i));
      leaves[i].root = law::tensor_root(program.leaves[i].shape, leaves[i].data);
    }
  }
}

Hash root_of(const law::Program& program, const std::vector<model::TensorRef>& leaves) {
  std::vector<Hash> roots;
  roots.reserve(leaves.size());
  for (const model::TensorRef& leaf : leaves) {
    roots.push_back(leaf.root);
  }
  return law::state_root(program, roots);
}

}  // namespace

Result<tensor::Executor*> TensorRunner::executor_for(const model::ProgramRef& ref,
                                                     bool keep_outputs) {
  const auto found = std::find_if(executors_.begin(), executors_.end(), [&](const Kept& kept) {
    return kept.root == ref.root && kept.keep_outputs == keep_outputs;
  });
  if (found != executors_.end()) {
    std::rotate(found, found + 1, executors_.end());
    return executors_.back().executor.get();
  }
  law::Program program = TRY(law::decode(ref.bytes));
  if (law::program_root(program) != ref.root || program.constants.size() != ref.constants.size()) {
    return refuse(Code::wrong_task, "the program's bytes do not have its root");
  }
  std::vector<law::Tensor> constants;
  for (size_t i = 0; i < ref.constants.size(); ++i) {
    const law::Constant& constant = program.constants[i];
    if (law::tensor_root(constant.shape, ref.constants[i]) != constant.root) {
      return refuse(Code::wrong_task, "a constant does not have its root");
    }
    constants.push_back({constant.shape, TRY(blobs_.get(ref.constants[i]))});
  }
  tensor::Options options = options_;
  options.keep_outputs = keep_outputs;
  auto executor = TRY(tensor::Executor::create(std::move(program), std::move(constants), options));
  if (executors_.size() == executors_max) {
    executors_.erase(executors_.begin());
  }
  executors_.push_back({ref.root, keep_outputs, std::move(executor)});
  return executors_.back().executor.get();
}

Result<std::vector<Hash>> TensorRunner::load(const model::Task& task, tensor::Executor& executor) {
  const law::Program& program = executor.program();
  if (task.leaves.size() != program.leaves.size() || task.steps == 0 || task.claim_every == 0 ||
      task.steps > limits::task_steps_max) {
    return refuse(Code::wrong_task, "the task's leaves or steps do not fit its program");
  }
  std::vector<Bytes> bytes;
  std::vector<ByteView> views;
  std::vector<Hash> roots;
  for (size_t i = 0; i < task.leaves.size(); ++i) {
    const model::TensorRef& leaf = task.leaves[i].tensor;
    if (law::tensor_root(program.leaves[i].shape, leaf.data) != leaf.root) {
      return refuse(Code::wrong_task,
                    "the leaf's data and shape do not have its root",
                    {},
                    program.leaves[i].name);
    }
    bytes.push_back(TRY(blobs_.get(leaf.data)));
    roots.push_back(leaf.root);
  }
  views.assign(bytes.begin(), bytes.end());
  TRY(executor.load(views));
  return roots;
}

Result<model::Execution> TensorRunner::step_through(const model::Task& task,
                                                    uint32_t hash_every,
                                                    tensor::Executor& executor) {
  const law::Program& program = executor.program();
  const std::vector<Hash> before = TRY(load(task, executor));
  model::Execution done;
  done.tag = task.tag;
  done.input_root = law::state_root(program, before);
  for (const model::LeafInput& leaf : task.leaves) {
    done.leaves.push_back(leaf.tensor);
  }
  for (uint32_t step = 1; step <= task.steps; ++step) {
    const uint64_t start = clock_.now_ns();
    executor.step();
    const uint64_t stepped = clock_.now_ns();
    meter_.compute_ns += stepped - start;
    if (step % hash_every == 0 || step == task.steps) {
      hash_leaves(executor, done.leaves);
      done.state_roots.push_back(root_of(program, done.leaves));
      meter_.hash_ns += clock_.now_ns() - stepped;
    }
  }
  done.output_root = done.state_roots.back();
  return done;
}

Result<model::Execution> TensorRunner::run(const model::Task& task) {
  const bool is_short = task.steps < model::short_task_steps;
  tensor::Executor& executor = *TRY(executor_for(*task.program, is_short));
  const law::Program& program = executor.program();
  model::Execution done = TRY(step_through(task, task.claim_every, executor));
  const uint64_t start = clock_.now_ns();
  for (uint32_t i = 0; is_short && i < program.records.size(); ++i) {
    done.output_roots.push_back(
        law::tensor_root(program.records[i].out, law::data_hash(executor.output(i))));
  }
  meter_.hash_ns += clock_.now_ns() - start;
  for (size_t i = 0; i < done.leaves.size(); ++i) {
    if (program.leaves[i].writer) {
      const ByteView leaf = executor.leaf(i);
      TRY(blobs_.put(Bytes(leaf.begin(), leaf.end())));
    }
  }
  return done;
}

Result<std::vector<Hash>> TensorRunner::step_roots(const model::Task& task) {
  tensor::Executor& executor = *TRY(executor_for(*task.program, false));
  return TRY(step_through(task, 1, executor)).state_roots;
}

Result<model::StepTrace> TensorRunner::trace(const model::Task& task, uint32_t step) {
  if (step >= task.steps) {
    return refuse(Code::wrong_task, "the task has no such step");
  }
  tensor::Executor& executor = *TRY(executor_for(*task.program, true));
  const law::Program& program = executor.program();
  TRY(load(task, executor));
  for (uint32_t i = 0; i < step; ++i) {
    executor.step();
  }
  const auto copy = [](ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); };
  model::StepTrace trace;
  trace.step = step;
  for (size_t i = 0; i < program.leaves.size(); ++i) {
    trace.before.push_back(copy(executor.leaf(i)));
  }
  executor.step();
  for (uint32_t i = 0; i < program.records.size(); ++i) {
    trace.outputs.push_back(copy(executor.output(i)));
  }
  for (size_t i = 0; i < program.leaves.size(); ++i) {
    trace.after.push_back(copy(executor.leaf(i)));
  }
  for (const Hash& constant : task.program->constants) {
    trace.constants.push_back(TRY(blobs_.get(constant)));
  }
  return trace;
}

}  // namespace lockstep::exec
