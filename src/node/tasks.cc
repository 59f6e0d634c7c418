// From an assignment on the ledger to a task that an engine runs.
#include "node/tasks.h"

#include <set>

namespace lockstep::node {

model::ProgramRef program_ref(const judge::Registered& registered) {
  return {registered.root, registered.bytes, registered.constants};
}

Result<model::Task> task_of(const model::Assignment& assignment,
                            const judge::Registered& registered,
                            const model::ProgramRef& program) {
  if (assignment.leaves.size() != registered.program.leaves.size()) {
    return refuse(Code::wrong_task, "an assignment has another number of leaves than its program");
  }
  model::Task task;
  task.tag = model::tag_of(assignment);
  task.program = &program;
  task.steps = assignment.steps;
  task.claim_every = assignment.claim_every;
  task.operations = assignment.operations;
  for (const model::AssignedLeaf& leaf : assignment.leaves) {
    task.leaves.push_back({leaf.tensor, std::nullopt, 0});
  }
  return task;
}

std::vector<Hash> blobs_of(const model::Assignment& assignment,
                           const judge::Registered& registered) {
  std::vector<Hash> blobs;
  std::set<Hash> seen;
  for (const model::AssignedLeaf& leaf : assignment.leaves) {
    if (seen.insert(leaf.tensor.data).second) {
      blobs.push_back(leaf.tensor.data);
    }
  }
  for (const Hash& constant : registered.constants) {
    if (seen.insert(constant).second) {
      blobs.push_back(constant);
    }
  }
  return blobs;
}

}  // namespace lockstep::node
