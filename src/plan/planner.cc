// Chooses a job's planner by its kind.
#include "plan/planner.h"

#include "plan/train.h"

namespace lockstep::plan {

Result<std::unique_ptr<Planner>> make_planner(const model::Job& job) {
  switch (job.spec.kind) {
    case model::JobKind::train:
      return std::unique_ptr<Planner>(
          std::make_unique<TrainPlanner>(TRY(TrainPlanner::create(job))));
    case model::JobKind::sweep:
      break;
  }
  return refuse(Code::bad_plan, "this kind of job is not offered here", "use kind: train", "kind");
}

}  // namespace lockstep::plan
