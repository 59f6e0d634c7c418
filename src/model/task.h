// A task: a pure function from content-addressed leaves to content-addressed leaves.
#pragma once

#include <optional>

#include "model/job.h"

namespace lockstep::model {

/// What a task is for. Tasks of one job are told apart by this, in the order of its fields.
enum class TaskKind : uint8_t { lane, merge, evaluate, sum };
constexpr TaskKind last_of(TaskKind) {
  return TaskKind::sum;
}
struct TaskTag {
  TaskKind kind = TaskKind::lane;
  uint32_t round = 0;  // lane, merge; evaluate, sum: which of several evaluated models
  uint32_t part = 0;   // lane: its number; evaluate: the blob's
  auto operator<=>(const TaskTag&) const = default;
};

/// A leaf's value before the task: a job input, or what another task's leaf became.
struct LeafInput {
  TensorRef tensor;
  std::optional<TaskTag> task;
  uint32_t leaf = 0;
};

struct Task {
  TaskTag tag;
  const ProgramRef* program = nullptr;  // of the job, which outlives its tasks
  uint32_t steps = 1;
  uint32_t claim_every = 1;       // state roots are claimed every so many steps
  uint64_t operations = 0;        // all steps, by the law's cost
  std::vector<LeafInput> leaves;  // in the program's order
};

struct Execution {
  TaskTag tag;
  std::vector<TensorRef> leaves;  // after the last step, in the program's order
  Hash input_root, output_root;
  std::vector<Hash> state_roots;   // after every claim_every-th step and after the last
  std::vector<Hash> output_roots;  // the last step's operators' outputs, of short tasks only
};

/// One step of a task in full: what an answer or a proof is made from. Bytes are row-major
/// little-endian; their shapes are the program's.
struct StepTrace {
  uint32_t step = 0;             // from 0
  std::vector<Bytes> before;     // leaves before the step
  std::vector<Bytes> outputs;    // of every record
  std::vector<Bytes> after;      // leaves after the step
  std::vector<Bytes> constants;  // of the program
};

}  // namespace lockstep::model
