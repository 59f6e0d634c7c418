#include "exec/tensor_runner.h"

#include "law/roots.h"

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

Result<tensor::Executor*> TensorRunner::executor_for(const model::ProgramRef& ref) {
  auto& kept = executors_[ref.root];
  if (!kept) {
    law::Program program = TRY(law::decode(ref.bytes));
    if (law::program_root(program) != ref.root ||
        program.constants.size() != ref.constants.size()) {
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
    kept = TRY(tensor::Executor::create(std::move(program), std::move(constants), options_));
  }
  return kept.get();
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

Result<model::Execution> TensorRunner::run(const model::Task& task) {
  tensor::Executor& executor = *TRY(executor_for(*task.program));
  const law::Program& program = executor.program();
  const std::vector<Hash> before = TRY(load(task, executor));
  model::Execution done{task.tag, {}, law::state_root(program, before), {}, {}};
  for (const model::LeafInput& leaf : task.leaves) {
    done.leaves.push_back(leaf.tensor);
  }
  for (uint32_t step = 1; step <= task.steps; ++step) {
    const uint64_t start = clock_.now_ns();
    executor.step();
    const uint64_t stepped = clock_.now_ns();
    meter_.compute_ns += stepped - start;
    if (step % task.claim_every == 0 || step == task.steps) {
      hash_leaves(executor, done.leaves);
      done.state_roots.push_back(root_of(program, done.leaves));
      meter_.hash_ns += clock_.now_ns() - stepped;
    }
  }
  for (size_t i = 0; i < done.leaves.size(); ++i) {
    if (program.leaves[i].writer) {
      const ByteView leaf = executor.leaf(i);
      TRY(blobs_.put(Bytes(leaf.begin(), leaf.end())));
    }
  }
  done.output_root = done.state_roots.back();
  return done;
}

}  // namespace lockstep::exec
