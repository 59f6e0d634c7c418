#include "plan/train.h"

#include "base/limits.h"

namespace lockstep::plan {
namespace {

using model::LeafInput;
using model::TaskKind;
using model::TaskTag;

Error bad_plan(std::string what, std::string where = {}) {
  return refuse(Code::bad_plan, std::move(what), {}, std::move(where));
}

}  // namespace

Result<TrainPlanner> TrainPlanner::create(const model::Job& job) {
  const auto& train = job.spec.train;
  const uint64_t training = uint64_t{train.rounds} * (uint64_t{train.lanes} + 1);
  const bool in_range = train.rounds > 0 && train.lanes > 0 && training <= tasks_max &&
                        job.test_blobs.size() < tasks_max - training && train.claim_every > 0 &&
                        train.local_steps > 0 && train.local_steps <= limits::task_steps_max;
  if (!in_range) {
    return bad_plan("the job's numbers are out of range", "train");
  }
  if (job.train_blobs.empty()) {
    return bad_plan("the job has no training data");
  }
  TrainPlanner planner(job);
  TRY(planner.add_program(TaskKind::lane, "train", train.local_steps));
  TRY(planner.add_program(TaskKind::merge, "merge", 1));
  TRY(planner.add_program(TaskKind::evaluate, "evaluate", 1));
  TRY(planner.add_program(TaskKind::sum, "sum", 1));
  TRY(planner.set_tasks(planner.all_tags(), train.claim_every));
  return planner;
}

std::vector<TaskTag> TrainPlanner::all_tags() const {
  std::vector<TaskTag> tags;
  const auto& train = job().spec.train;
  for (uint32_t round = 0; round < train.rounds; ++round) {
    for (uint32_t lane = 0; lane < train.lanes; ++lane) {
      tags.push_back({TaskKind::lane, round, lane});
    }
    tags.push_back({TaskKind::merge, round, 0});
  }
  for (uint32_t blob = 0; blob < job().test_blobs.size(); ++blob) {
    tags.push_back({TaskKind::evaluate, 0, blob});
  }
  if (!job().test_blobs.empty()) {
    tags.push_back({TaskKind::sum, 0, 0});
  }
  return tags;
}

std::vector<TaskTag> TrainPlanner::reads(const TaskTag& tag) const {
  const auto& train = job().spec.train;
  std::vector<TaskTag> tags;
  switch (tag.kind) {
    case TaskKind::lane:
      if (tag.round > 0) {
        tags = {{TaskKind::lane, tag.round - 1, 0}, {TaskKind::merge, tag.round - 1, 0}};
      }
      break;
    case TaskKind::merge:
      for (uint32_t lane = 0; lane < train.lanes; ++lane) {
        tags.push_back({TaskKind::lane, tag.round, lane});
      }
      break;
    case TaskKind::evaluate:
      tags = {{TaskKind::merge, train.rounds - 1, 0}};
      break;
    case TaskKind::sum:
      for (uint32_t blob = 0; blob < job().test_blobs.size(); ++blob) {
        tags.push_back({TaskKind::evaluate, 0, blob});
      }
      break;
  }
  return tags;
}

Result<LeafInput> TrainPlanner::source(const TaskTag& tag, const std::string& leaf) const {
  const auto& train = job().spec.train;
  const bool is_data = leaf == "images" || leaf == "labels";
  if (is_data && tag.kind <= TaskKind::evaluate) {
    const auto& blobs = tag.kind == TaskKind::lane ? job().train_blobs : job().test_blobs;
    const uint64_t at =
        tag.kind == TaskKind::lane ? uint64_t{train.lanes} * tag.round + tag.part : tag.part;
    const model::DataBlob& blob = blobs[at % blobs.size()];
    return LeafInput{leaf == "images" ? blob.images : blob.labels, std::nullopt, 0};
  }
  switch (tag.kind) {
    case TaskKind::lane: {
      if (tag.round == 0) {
        return from_job(leaf);
      }
      const bool merged = leaf_of(TaskKind::merge, leaf).has_value();
      return from_task({merged ? TaskKind::merge : TaskKind::lane, tag.round - 1, 0}, leaf);
    }
    case TaskKind::merge: {
      const auto lane = numbered(leaf, "lane");
      return lane ? from_task({TaskKind::lane, tag.round, lane->first}, lane->second)
                  : from_task({TaskKind::lane, tag.round, 0}, leaf);
    }
    case TaskKind::evaluate:
      return leaf == "correct" ? from_job(leaf)
                               : from_task({TaskKind::merge, train.rounds - 1, 0}, leaf);
    case TaskKind::sum: {
      const auto part = numbered(leaf, "part");
      return from_task({TaskKind::evaluate, 0, part ? part->first : 0}, "correct");
    }
  }
  return bad_plan("an unknown kind of task");
}

std::optional<Milestone> TrainPlanner::milestone(const model::Execution& task) const {
  if (task.tag.kind != TaskKind::merge) {
    return std::nullopt;
  }
  const auto loss = leaf_of(TaskKind::merge, "loss");
  if (!loss || *loss >= task.leaves.size()) {
    return std::nullopt;
  }
  return Milestone{task.tag.round + 1, task.leaves[*loss], job().spec.train.local_steps};
}

std::optional<uint32_t> TrainPlanner::round_of(const TaskTag& tag) const {
  const bool in_a_round = tag.kind == TaskKind::lane || tag.kind == TaskKind::merge;
  return in_a_round ? std::optional(tag.round + 1) : std::nullopt;
}

JobResult TrainPlanner::result() const {
  JobResult result{
      {TaskKind::merge, job().spec.train.rounds - 1, 0}, job().parameters, std::nullopt, 0};
  if (!job().test_blobs.empty()) {
    result.evaluation = TaskTag{TaskKind::sum, 0, 0};
    result.test_images = uint64_t{job().test_blobs.size()} * job().spec.data.blob_images;
  }
  return result;
}

std::string TrainPlanner::about() const {
  const auto& train = job().spec.train;
  return std::to_string(train.rounds) + " rounds of " + std::to_string(train.lanes) + " lanes";
}

}  // namespace lockstep::plan
