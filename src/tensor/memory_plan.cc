// Liveness and first-fit placement.
#include "tensor/memory_plan.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace lockstep::tensor {
namespace {

constexpr uint32_t never = UINT32_MAX;

int64_t aligned(int64_t bytes) {
  return (bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
}

/// Free ranges by offset; neighbours merged. The last one has no end.
class Arena {
 public:
  int64_t take(int64_t bytes) {
    if (bytes == 0) {
      return 0;
    }
    auto at = free_.begin();
    while (at->second < bytes) {
      ++at;
    }
    const auto [offset, size] = *at;
    free_.erase(at);
    if (size > bytes) {
      free_.emplace(offset + bytes, size - bytes);
    }
    high_ = std::max(high_, offset + bytes);
    return offset;
  }
  void give(int64_t offset, int64_t bytes) {
    if (bytes == 0) {
      return;
    }
    auto at = free_.emplace(offset, bytes).first;
    if (const auto next = std::next(at); next != free_.end() && offset + bytes == next->first) {
      at->second += next->second;
      free_.erase(next);
    }
    if (at != free_.begin()) {
      const auto before = std::prev(at);
      if (before->first + before->second == offset) {
        before->second += at->second;
        free_.erase(at);
      }
    }
  }
  [[nodiscard]] int64_t high() const { return high_; }

 private:
  // Larger than any sum of buffers: 65,536 records of 2^40 elements of 8 bytes are 2^59.
  std::map<int64_t, int64_t> free_{{0, int64_t{1} << 61}};
  int64_t high_ = 0;
};

/// The last record that reads each record's output; its own number where none does; `never` where
/// the output outlives the step.
std::vector<uint32_t> last_uses(const law::Program& program, bool keep_outputs) {
  std::vector<uint32_t> last(program.records.size());
  for (uint32_t r = 0; r < last.size(); ++r) {
    last[r] = r;
    for (const law::Source& source : program.records[r].inputs) {
      if (source.from == law::From::value) {
        last[source.index] = r;
      }
    }
  }
  if (keep_outputs) {
    std::fill(last.begin(), last.end(), never);
  }
  for (const law::Leaf& leaf : program.leaves) {
    if (leaf.writer.has_value()) {
      last[*leaf.writer] = never;
    }
  }
  return last;
}

/// What lives only within a step. A writer's buffer is placed already: after a trade it holds the
/// leaf's value, also while the records before the writer run.
void place_values(const law::Program& program,
                  const std::vector<uint32_t>& last,
                  Arena& arena,
                  MemoryPlan& plan) {
  // Outputs by the record after which they are dead.
  std::vector<std::vector<uint32_t>> dead_after(last.size());
  for (uint32_t r = 0; r < last.size(); ++r) {
    if (last[r] != never) {
      dead_after[last[r]].push_back(r);
    }
  }
  std::vector<bool> placed(last.size(), false);
  for (const MemoryPlan::Trade& swap : plan.swaps) {
    placed[swap.record] = true;
  }
  for (uint32_t r = 0; r < last.size(); ++r) {
    if (!placed[r]) {
      const int64_t bytes = program.records[r].out.bytes();
      plan.records[r] = {arena.take(aligned(bytes)), bytes};
    }
    for (const uint32_t dead : dead_after[r]) {
      arena.give(plan.records[dead].offset, aligned(plan.records[dead].bytes));
    }
  }
}

}  // namespace

MemoryPlan plan_memory(const law::Program& program, bool keep_outputs) {
  MemoryPlan plan;
  Arena arena;
  plan.records.resize(program.records.size());
  std::vector<bool> traded(program.records.size(), false);
  for (uint32_t i = 0; i < program.leaves.size(); ++i) {
    const law::Leaf& leaf = program.leaves[i];
    const int64_t bytes = leaf.shape.bytes();
    plan.leaves.push_back({arena.take(aligned(bytes)), bytes});
    if (!leaf.writer.has_value()) {
      continue;
    }
    const uint32_t writer = *leaf.writer;
    if (traded[writer]) {
      plan.copies.push_back({i, writer});
      continue;
    }
    traded[writer] = true;
    plan.swaps.push_back({i, writer});
    plan.records[writer] = {arena.take(aligned(bytes)), bytes};
  }
  for (const law::Constant& constant : program.constants) {
    plan.constants.push_back({arena.take(aligned(constant.shape.bytes())), constant.shape.bytes()});
  }
  place_values(program, last_uses(program, keep_outputs), arena, plan);
  plan.arena_bytes = arena.high();
  return plan;
}

}  // namespace lockstep::tensor
