// What a party holds of its task: roots, receipts, the last trace, and the trees they make.
#include "attest/witness.h"

#include <algorithm>

#include "attest/own_fold.h"
#include "attest/own_tree.h"
#include "base/check.h"
#include "law/roots.h"

namespace lockstep::attest {
namespace {

std::vector<Hash> leaf_hashes(const law::Program& program, const std::vector<Bytes>& leaves) {
  CHECK(leaves.size() == program.leaves.size());
  std::vector<Hash> hashes;
  for (size_t i = 0; i < leaves.size(); ++i) {
    const law::Leaf& leaf = program.leaves[i];
    const Hash root = law::tensor_root(leaf.shape, law::data_hash(leaves[i]));
    hashes.push_back(law::leaf_hash(leaf.name, root));
  }
  return hashes;
}

}  // namespace

std::vector<Hash> list_roots(const model::Execution& execution, uint32_t steps) {
  std::vector<Hash> roots = execution.state_roots;
  if (steps < model::short_task_steps) {
    roots.insert(roots.end(), execution.output_roots.begin(), execution.output_roots.end());
  }
  return roots;
}

model::Receipt make_receipt(const model::Assignment& assignment,
                            const model::TaskId& task,
                            const model::Execution& execution,
                            const Hash& salt) {
  model::Receipt receipt;
  receipt.lease = assignment.lease;
  receipt.task = task;
  receipt.law_version = law::law_version;
  receipt.program = assignment.program;
  receipt.input_root = execution.input_root;
  receipt.output_root = execution.output_root;
  receipt.list = model::task_list(salt, list_roots(execution, assignment.steps));
  return receipt;
}

Witness::Witness(law::Program program,
                 uint32_t steps,
                 uint32_t claim_every,
                 std::vector<Hash> roots)
    : program_(std::move(program)),
      steps_(steps),
      claim_every_(claim_every),
      roots_(std::move(roots)) {
  CHECK(steps_ > 0 && claim_every_ > 0);
  CHECK(roots_.size() == state_roots() + (is_short() ? program_.records.size() : 0));
}

void Witness::set_trace(model::StepTrace trace) {
  CHECK(trace.step < steps_ && trace.outputs.size() == program_.records.size() &&
        trace.constants.size() == program_.constants.size());
  Tracked tracked;
  for (size_t i = 0; i < trace.outputs.size(); ++i) {
    const Hash data = law::data_hash(trace.outputs[i]);
    tracked.output_roots.push_back(law::tensor_root(program_.records[i].out, data));
  }
  tracked.leaf_hashes_before = leaf_hashes(program_, trace.before);
  tracked.leaf_hashes_after = leaf_hashes(program_, trace.after);
  tracked.bytes = std::move(trace);
  trace_ = std::move(tracked);
}

Witness::Outputs Witness::outputs_of(uint32_t step) const {
  Outputs outputs;
  if (is_short() && step + 1 == steps_) {
    outputs.first = state_roots();
    return outputs;
  }
  outputs.list.tree = model::Tree::step;
  outputs.list.step = step;
  return outputs;
}

uint32_t Witness::window_steps(uint32_t window) const {
  return std::min(claim_every_, steps_ - window * claim_every_);
}

std::vector<Hash> Witness::window_roots(uint32_t window) const {
  CHECK(steps_known_.size() == steps_);
  const auto first = steps_known_.begin() + static_cast<ptrdiff_t>(window) * claim_every_;
  std::vector<Hash> roots(first, first + window_steps(window));
  roots.back() = roots_[window];  // what the receipt says
  return roots;
}

OwnTree Witness::tree_of(const model::Place& place, const Hash& salt) const {
  if (place.tree == model::Tree::task) {
    return OwnTree::task(salt, roots_);
  }
  if (place.tree == model::Tree::window) {
    // A window has at most limits::task_steps_max entries: it is opened whole and never hashed.
    return OwnTree::list(model::step_list_mode(), window_roots(place.step));
  }
  CHECK(is_traced(place.step));
  switch (place.tree) {
    case model::Tree::step:
      return OwnTree::list(model::step_list_mode(), trace_->output_roots);
    case model::Tree::state:
      return OwnTree::list(law::state_mode(), trace_->leaf_hashes_after);
    case model::Tree::tensor:
      return OwnTree::tensor(trace_->bytes.outputs[place.record]);
    default:
      break;
  }
  OwnFold fold(program_, trace_->bytes, place.record, place.chunk);
  CHECK(fold.steps() > 1);
  std::vector<Hash> states;
  (void)fold.before(fold.steps() - 1, &states);
  return OwnTree::list(model::fold_list_mode(), states);
}

uint64_t Witness::fold_steps(const model::Place& place) const {
  const law::Op op = law::op_of(program_, place.record);
  const law::Fold fold(op, static_cast<int64_t>(place.chunk));
  return static_cast<uint64_t>(fold.steps());
}

}  // namespace lockstep::attest
