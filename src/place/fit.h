// Whether a task fits into what an owner lends. Known before it runs: a program states its memory.
#pragma once

#include "model/slice.h"

namespace lockstep::place {

/// What one task takes of the machine that runs it.
struct TaskNeed {
  uint64_t memory_bytes = 0;  // exec::memory_need()
  uint64_t disk_bytes = 0;    // of blobs that it reads and leaves
  uint32_t threads = 1;
};

/// What the tasks in hand take already.
struct InUse {
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;
  uint32_t threads = 0;
};

/// Errors: no_offer, with the figures: "the task needs 6.1 GB of memory, the slice has 4 GB". A
/// task that would fit if the slice were empty is refused as wrong_state: it may come again later.
[[nodiscard]] Result<void> fits(const model::Slice& slice, const InUse& used, const TaskNeed& need);

}  // namespace lockstep::place
