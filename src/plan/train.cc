#include "plan/train.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "law/roots.h"
#include "model/market.h"

namespace lockstep::plan {
namespace {

using model::LeafInput;
using model::Task;
using model::TaskKind;
using model::TaskTag;

constexpr uint64_t tasks_max = uint64_t{1} << 20;  // of one job: all their tags are walked

Error bad_plan(std::string what, std::string where = {}) {
  return refuse(Code::bad_plan, std::move(what), {}, std::move(where));
}

/// "lane3/weights" split at the number: {3, "weights"}; nothing when it does not begin with
/// `prefix`.
std::optional<std::pair<uint32_t, std::string>> numbered(std::string_view name,
                                                         std::string_view prefix) {
  if (!name.starts_with(prefix)) {
    return std::nullopt;
  }
  size_t at = prefix.size();
  uint32_t number = 0;
  while (at < name.size() && name[at] >= '0' && name[at] <= '9' && number < 100'000) {
    number = number * 10 + static_cast<uint32_t>(name[at++] - '0');
  }
  if (at == prefix.size() || (at < name.size() && name[at] != '/')) {
    return std::nullopt;
  }
  return std::pair(number, std::string(name.substr(std::min(name.size(), at + 1))));
}

std::optional<uint32_t> leaf_index(const law::Program& program, std::string_view name) {
  for (uint32_t i = 0; i < program.leaves.size(); ++i) {
    if (program.leaves[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<void> TrainPlanner::add(TaskKind kind, std::string_view name, uint32_t steps) {
  const model::ProgramRef* ref = model::program_named(*job_, name);
  if (ref == nullptr) {
    return bad_plan("the job lacks a program", std::string(name));
  }
  Program entry{ref, TRY(law::decode(ref->bytes)), 0, steps};
  TRY(law::check(entry.program));
  if (law::program_root(entry.program) != ref->root) {
    return bad_plan("a program is not the one that the job names", std::string(name));
  }
  const uint64_t cost = law::cost(entry.program);
  if (cost > UINT64_MAX / steps / tasks_max) {
    return bad_plan("the job is too large", std::string(name));
  }
  entry.operations = cost * steps;
  programs_.emplace(kind, std::move(entry));
  return {};
}

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
  TRY(planner.add(TaskKind::lane, "train", train.local_steps));
  TRY(planner.add(TaskKind::merge, "merge", 1));
  TRY(planner.add(TaskKind::evaluate, "evaluate", 1));
  TRY(planner.add(TaskKind::sum, "sum", 1));
  if (job.programs.size() != planner.programs_.size()) {
    return bad_plan("the job has a program that no task runs");
  }
  return planner;
}

const TrainPlanner::Program& TrainPlanner::program_of(TaskKind kind) const {
  return programs_.at(kind);
}

std::vector<TaskTag> TrainPlanner::all_tags() const {
  std::vector<TaskTag> tags;
  const auto& train = job_->spec.train;
  for (uint32_t round = 0; round < train.rounds; ++round) {
    for (uint32_t lane = 0; lane < train.lanes; ++lane) {
      tags.push_back({TaskKind::lane, round, lane});
    }
    tags.push_back({TaskKind::merge, round, 0});
  }
  for (uint32_t blob = 0; blob < job_->test_blobs.size(); ++blob) {
    tags.push_back({TaskKind::evaluate, 0, blob});
  }
  if (!job_->test_blobs.empty()) {
    tags.push_back({TaskKind::sum, 0, 0});
  }
  return tags;
}

std::vector<TaskTag> TrainPlanner::reads(const TaskTag& tag) const {
  const auto& train = job_->spec.train;
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
      for (uint32_t blob = 0; blob < job_->test_blobs.size(); ++blob) {
        tags.push_back({TaskKind::evaluate, 0, blob});
      }
      break;
  }
  return tags;
}

bool TrainPlanner::ready(const TaskTag& tag) const {
  const auto needed = reads(tag);
  return std::all_of(
      needed.begin(), needed.end(), [&](const TaskTag& read) { return outputs_.contains(read); });
}

Result<LeafInput> TrainPlanner::from_task(const TaskTag& tag, std::string_view leaf) const {
  const auto index = leaf_index(program_of(tag.kind).program, leaf);
  const auto output = outputs_.find(tag);
  if (!index || output == outputs_.end()) {
    return bad_plan("a task reads a leaf that its producer does not have", std::string(leaf));
  }
  return LeafInput{output->second[*index], tag, *index};
}

Result<LeafInput> TrainPlanner::from_job(std::string_view leaf) const {
  for (const auto& input : job_->initial) {
    if (input.name == leaf) {
      return LeafInput{input.tensor, std::nullopt, 0};
    }
  }
  return bad_plan("a program has a leaf that the job does not give", std::string(leaf));
}

Result<LeafInput> TrainPlanner::source(const TaskTag& tag, const std::string& leaf) const {
  const auto& train = job_->spec.train;
  const bool is_data = leaf == "images" || leaf == "labels";
  if (is_data && tag.kind <= TaskKind::evaluate) {
    const auto& blobs = tag.kind == TaskKind::lane ? job_->train_blobs : job_->test_blobs;
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
      const bool merged = leaf_index(program_of(TaskKind::merge).program, leaf).has_value();
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

Result<Task> TrainPlanner::make(const TaskTag& tag) const {
  const Program& program = program_of(tag.kind);
  Task task{tag, program.ref, program.steps, 1, program.operations, {}};
  task.claim_every = std::min(job_->spec.train.claim_every, model::claim_every_max(program.steps));
  for (const law::Leaf& leaf : program.program.leaves) {
    task.leaves.push_back(TRY(source(tag, leaf.name)));
  }
  return task;
}

Result<std::vector<Task>> TrainPlanner::advance(std::span<const model::Execution> finished) {
  for (const model::Execution& execution : finished) {
    const bool asked = issued_.contains(execution.tag) && !outputs_.contains(execution.tag);
    if (!asked || execution.leaves.size() != program_of(execution.tag.kind).program.leaves.size()) {
      return refuse(Code::wrong_task, "an output for a task that was not asked for");
    }
  }
  for (const model::Execution& execution : finished) {
    outputs_[execution.tag] = execution.leaves;
  }
  std::vector<Task> tasks;
  for (const TaskTag& tag : all_tags()) {
    if (!issued_.contains(tag) && ready(tag)) {
      tasks.push_back(TRY(make(tag)));
    }
  }
  for (const Task& task : tasks) {
    issued_.insert(task.tag);
  }
  return tasks;
}

std::vector<TaskTag> TrainPlanner::annul(const TaskTag& tag) {
  std::set<TaskTag> lost{tag};
  for (const TaskTag& later : all_tags()) {  // producers stand before their readers
    const auto needed = reads(later);
    if (std::any_of(
            needed.begin(), needed.end(), [&](const TaskTag& t) { return lost.contains(t); })) {
      lost.insert(later);
    }
  }
  std::vector<TaskTag> forgotten;
  for (const TaskTag& gone : lost) {
    if (issued_.erase(gone) > 0) {
      forgotten.push_back(gone);
    }
    outputs_.erase(gone);
  }
  return forgotten;
}

bool TrainPlanner::done() const {
  return outputs_.size() == task_count();
}

uint64_t TrainPlanner::task_count() const {
  const auto& train = job_->spec.train;
  const uint64_t tests = job_->test_blobs.size();
  return uint64_t{train.rounds} * (train.lanes + 1) + tests + (tests > 0 ? 1 : 0);
}

uint64_t TrainPlanner::operations() const {
  uint64_t total = 0;
  for (const TaskTag& tag : all_tags()) {
    total += program_of(tag.kind).operations;
  }
  return total;
}

Result<model::TensorRef> TrainPlanner::output(const TaskTag& tag, std::string_view leaf) const {
  return TRY(from_task(tag, leaf)).tensor;
}

std::optional<Milestone> TrainPlanner::milestone(const model::Execution& task) const {
  if (task.tag.kind != TaskKind::merge) {
    return std::nullopt;
  }
  const auto loss = leaf_index(program_of(TaskKind::merge).program, "loss");
  if (!loss || *loss >= task.leaves.size()) {
    return std::nullopt;
  }
  return Milestone{task.tag.round + 1, task.leaves[*loss], job_->spec.train.local_steps};
}

std::optional<uint32_t> TrainPlanner::round_of(const TaskTag& tag) const {
  const bool in_a_round = tag.kind == TaskKind::lane || tag.kind == TaskKind::merge;
  return in_a_round ? std::optional(tag.round + 1) : std::nullopt;
}

JobResult TrainPlanner::result() const {
  JobResult result{
      {TaskKind::merge, job_->spec.train.rounds - 1, 0}, job_->parameters, std::nullopt, 0};
  if (!job_->test_blobs.empty()) {
    result.evaluation = TaskTag{TaskKind::sum, 0, 0};
    result.test_images = uint64_t{job_->test_blobs.size()} * job_->spec.data.blob_images;
  }
  return result;
}

std::string TrainPlanner::about() const {
  const auto& train = job_->spec.train;
  return std::to_string(train.rounds) + " rounds of " + std::to_string(train.lanes) + " lanes";
}

}  // namespace lockstep::plan
