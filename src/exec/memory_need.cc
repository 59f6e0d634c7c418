#include "exec/memory_need.h"

#include "model/market.h"
#include "tensor/memory_plan.h"

namespace lockstep::exec {

MemoryNeed memory_need(const law::Program& program, uint32_t steps) {
  const auto arena = [&](bool keep_outputs) {
    return static_cast<uint64_t>(tensor::plan_memory(program, keep_outputs).arena_bytes);
  };
  uint64_t leaves = 0;
  uint64_t constants = 0;
  uint64_t outputs = 0;
  for (const law::Leaf& leaf : program.leaves) {
    leaves += static_cast<uint64_t>(leaf.shape.bytes());
  }
  for (const law::Constant& constant : program.constants) {
    constants += static_cast<uint64_t>(constant.shape.bytes());
  }
  for (const law::Record& record : program.records) {
    outputs += static_cast<uint64_t>(record.out.bytes());
  }
  // Short tasks claim the outputs of their last step: see model::short_task_steps.
  const uint64_t all_kept = arena(true);
  const uint64_t beside = leaves + constants;
  MemoryNeed need;
  need.run = (steps < model::short_task_steps ? all_kept : arena(false)) + beside;
  need.trace = all_kept + beside + leaves + outputs;
  return need;
}

}  // namespace lockstep::exec
