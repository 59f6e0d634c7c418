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
  std::string (*task_name)(const model::JobSpec& spec, const model::TaskTag& tag);
};

/// The section of a training job is read, and checked, with the job file itself.
Result<void> nothing_to_check(const model::JobSpec&) {
  return {};
}

Result<void> check_sweep(const model::JobSpec& spec) {
  (void)TRY(read_sweep(spec));
  return {};
}

std::string general_name(const model::JobSpec&, const model::TaskTag& tag) {
  return name_of(tag);
}

template <class T>
Result<std::unique_ptr<Planner>> make(const model::Job& job) {
  return std::unique_ptr<Planner>(std::make_unique<T>(TRY(T::create(job))));
}

// In the order of model::JobKind.
constexpr Kind kinds[] = {{nothing_to_check, train_parts, make<TrainPlanner>, general_name},
                          {check_sweep, sweep_parts, make<SweepPlanner>, sweep_task_name}};
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

std::string name_of(const model::JobSpec& spec, const model::TaskTag& tag) {
  return kind_of(spec).task_name(spec, tag);
}

std::string name_of(const model::TaskTag& tag) {
  const std::string place = std::to_string(tag.round + 1);
  const std::string of_model = tag.round == 0 ? "" : " of model " + place;
  switch (tag.kind) {
    case model::TaskKind::lane:
      return "lane " + std::to_string(tag.part + 1) + " of round " + place;
    case model::TaskKind::merge:
      return "merge of round " + place;
    case model::TaskKind::evaluate:
      return "evaluation " + std::to_string(tag.part + 1) + of_model;
    case model::TaskKind::sum:
      return "sum" + of_model;
  }
  return "unknown";
}

}  // namespace lockstep::plan
