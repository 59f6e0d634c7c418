#include "sim/cheat.h"

#include <algorithm>

#include "law/roots.h"
#include "sim/random.h"

namespace lockstep::sim {
namespace {

using model::TensorRef;

Hash state_root_of(const law::Program& program, std::span<const TensorRef> leaves) {
  std::vector<Hash> roots;
  for (const TensorRef& leaf : leaves) {
    roots.push_back(leaf.root);
  }
  return law::state_root(program, roots);
}

/// Noise of about a thousandth, the same for the same seed and element.
float noise(Random& random) {
  constexpr float scale = 1.0F / (1 << 20);
  return (static_cast<float>(random.between(0, 2048)) - 1024.0F) * scale;
}

}  // namespace

std::optional<CheatKind> cheat_named(std::string_view name) {
  for (const CheatKind kind : {CheatKind::skip, CheatKind::bitflip}) {
    if (name == name_of(kind)) {
      return kind;
    }
  }
  return std::nullopt;
}

const char* name_of(CheatKind kind) {
  return kind == CheatKind::skip ? "skip" : "bitflip";
}

bool Cheat::lies_about(const model::Task& task) {
  if (task.tag.kind != model::TaskKind::lane) {
    return false;
  }
  if (kind_ == CheatKind::skip) {
    return true;
  }
  if (!only_) {
    only_ = task.tag;
  }
  return *only_ == task.tag;
}

bool Cheat::lies_in(const law::Leaf& leaf) const {
  if (parameters_.empty()) {
    return leaf.writer && leaf.shape.type == law::DType::f32 && leaf.shape.count() > 1;
  }
  const auto end = kind_ == CheatKind::bitflip ? parameters_.begin() + 1 : parameters_.end();
  return leaf.writer && std::find(parameters_.begin(), end, leaf.name) != end;
}

Result<Bytes> Cheat::false_leaf(const model::Task& task,
                                size_t leaf,
                                ByteView honest,
                                store::Blobs& blobs) const {
  if (kind_ == CheatKind::bitflip) {
    Bytes bytes(honest.begin(), honest.end());
    bytes.at(bytes.size() / 2) ^= 1;
    return bytes;
  }
  Bytes bytes = TRY(blobs.get(task.leaves.at(leaf).tensor.data));
  Random random(task.tag.round * uint64_t{1000} + task.tag.part * uint64_t{100} + leaf);
  for (size_t at = 0; at + sizeof(float) <= bytes.size(); at += sizeof(float)) {
    float value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    value += noise(random);
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
  return bytes;
}

Result<void> Cheat::alter(const node::RunTask& work, node::WorkDone& done, store::Blobs& blobs) {
  if (!done.result.ok() || !lies_about(work.task)) {
    return {};
  }
  auto known = programs_.find(work.task.program->root);
  if (known == programs_.end()) {
    const law::Program decoded = TRY(law::decode(work.task.program->bytes));
    known = programs_.emplace(work.task.program->root, decoded).first;
  }
  const law::Program& program = known->second;
  if (auto* const roots = std::get_if<std::vector<Hash>>(&*done.result)) {
    roots->back() = last_state_.at(work.task.tag);
    return {};
  }
  auto* const execution = std::get_if<model::Execution>(&*done.result);
  auto* const trace = std::get_if<model::StepTrace>(&*done.result);
  if (trace != nullptr && trace->step + 1 != work.task.steps) {
    return {};
  }
  for (size_t i = 0; i < program.leaves.size(); ++i) {
    const law::Leaf& leaf = program.leaves[i];
    if (!lies_in(leaf)) {
      continue;
    }
    const Bytes honest =
        execution != nullptr ? TRY(blobs.get(execution->leaves[i].data)) : trace->after[i];
    Bytes lie = TRY(false_leaf(work.task, i, honest, blobs));
    if (execution != nullptr) {
      execution->leaves[i].data = TRY(blobs.put(lie));
      execution->leaves[i].root = law::tensor_root(leaf.shape, execution->leaves[i].data);
      if (!execution->output_roots.empty()) {
        execution->output_roots[*leaf.writer] = execution->leaves[i].root;
      }
    } else {
      trace->outputs[*leaf.writer] = lie;
      trace->after[i] = std::move(lie);
    }
  }
  if (execution != nullptr) {
    execution->output_root = state_root_of(program, execution->leaves);
    execution->state_roots.back() = execution->output_root;
    last_state_[work.task.tag] = execution->output_root;
  }
  return {};
}

}  // namespace lockstep::sim
