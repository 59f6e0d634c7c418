// How much memory a task will take, known before it runs.
#pragma once

#include "law/program.h"

namespace lockstep::exec {

struct MemoryNeed {
  uint64_t run = 0;    // to run the task
  uint64_t trace = 0;  // to show one of its steps in a dispute: who takes a task must be able to
  [[nodiscard]] uint64_t most() const { return run > trace ? run : trace; }
};

/// The engine's arena by its memory plan, the leaves' bytes as they come out of the store and the
/// constants beside it, and for a trace the copies that it is made of. Not counted are a kernel's
/// scratch space and a second program that a TensorRunner may keep. `program` has passed
/// law::check.
[[nodiscard]] MemoryNeed memory_need(const law::Program& program, uint32_t steps);

}  // namespace lockstep::exec
