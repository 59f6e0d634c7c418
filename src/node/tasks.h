// From an assignment on the ledger to a task that an engine runs.
#pragma once

#include "judge/programs.h"
#include "model/task.h"

namespace lockstep::node {

/// `program` is filled from the registered one and must outlive the task. Errors: wrong_task when
/// the number of leaves is not the program's.
[[nodiscard]] Result<model::Task> task_of(const model::Assignment& assignment,
                                          const judge::Registered& registered,
                                          const model::ProgramRef& program);
[[nodiscard]] model::ProgramRef program_ref(const judge::Registered& registered);
/// Addresses of all blobs that the task reads: leaves, then constants; unique.
[[nodiscard]] std::vector<Hash> blobs_of(const model::Assignment& assignment,
                                         const judge::Registered& registered);

}  // namespace lockstep::node
