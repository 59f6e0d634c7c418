// The table of the kinds of jobs.
#include "plan/kind.h"

#include "plan/sweep.h"
#include "plan/sweep_programs.h"
#include "plan/train.h"
#include "plan/train_programs.h"

namespace lockstep::plan {
namespace {

struct Kind {
  Result<void> (*check)(const model::JobSpec& spec);
  Result<Parts> (*parts)(const Material& material);
  Result<std::unique_ptr<Planner>> (*planner)(const model::Job& job);
};

/// The section of a training job is read, and checked, with the job file itself.
Result<void> nothing_to_check(const model::JobSpec&) {
  return {};
}

Result<void> check_sweep(const model::JobSpec& spec) {
  (void)TRY(read_sweep(spec));
  return {};
}

template <class T>
Result<std::unique_ptr<Planner>> make(const model::Job& job) {
  return std::unique_ptr<Planner>(std::make_unique<T>(TRY(T::create(job))));
}

// In the order of model::JobKind.
constexpr Kind kinds[] = {{nothing_to_check, train_parts, make<TrainPlanner>},
                          {check_sweep, sweep_parts, make<SweepPlanner>}};
static_assert(std::size(kinds) == std::size(model::job_kind_names));

const Kind& kind_of(const model::JobSpec& spec) {
  return kinds[static_cast<size_t>(spec.kind)];
}

}  // namespace

Result<void> check(const model::JobSpec& spec) {
  return kind_of(spec).check(spec);
}

Result<Parts> make_parts(const Material& material) {
  return kind_of(material.spec).parts(material);
}

Result<std::unique_ptr<Planner>> make_planner(const model::Job& job) {
  return kind_of(job.spec).planner(job);
}

}  // namespace lockstep::plan
