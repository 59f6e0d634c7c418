#include "plan/task_graph.h"

#include <algorithm>

#include "law/roots.h"
#include "model/market.h"

namespace lockstep::plan {
namespace {

using model::LeafInput;
using model::Task;
using model::TaskKind;
using model::TaskTag;

Error bad_plan(std::string what, std::string where = {}) {
  return refuse(Code::bad_plan, std::move(what), {}, std::move(where));
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

Result<void> TaskGraph::add_program(TaskKind kind, std::string_view name, uint32_t steps) {
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

Result<void> TaskGraph::set_tasks(std::vector<TaskTag> tags, uint32_t claim_every) {
  if (tags.size() > tasks_max || claim_every == 0) {
    return bad_plan("the job's numbers are out of range");
  }
  if (job_->programs.size() != programs_.size()) {
    return bad_plan("the job has a program that no task runs");
  }
  tags_ = std::move(tags);
  claim_every_ = claim_every;
  return {};
}

const TaskGraph::Program& TaskGraph::program_of(TaskKind kind) const {
  return programs_.at(kind);
}

bool TaskGraph::ready(const TaskTag& tag) const {
  const auto needed = reads(tag);
  return std::all_of(
      needed.begin(), needed.end(), [&](const TaskTag& read) { return outputs_.contains(read); });
}

Result<LeafInput> TaskGraph::from_task(const TaskTag& tag, std::string_view leaf) const {
  const auto index = leaf_index(program_of(tag.kind).program, leaf);
  const auto output = outputs_.find(tag);
  if (!index || output == outputs_.end()) {
    return bad_plan("a task reads a leaf that its producer does not have", std::string(leaf));
  }
  return LeafInput{output->second[*index], tag, *index};
}

Result<LeafInput> TaskGraph::from_job(std::string_view leaf) const {
  for (const auto& input : job_->initial) {
    if (input.name == leaf) {
      return LeafInput{input.tensor, std::nullopt, 0};
    }
  }
  return bad_plan("a program has a leaf that the job does not give", std::string(leaf));
}

Result<Task> TaskGraph::make(const TaskTag& tag) const {
  const Program& program = program_of(tag.kind);
  Task task{tag, program.ref, program.steps, 1, program.operations, {}};
  task.claim_every = std::min(claim_every_, model::claim_every_max(program.steps));
  for (const law::Leaf& leaf : program.program.leaves) {
    task.leaves.push_back(TRY(source(tag, leaf.name)));
  }
  return task;
}

Result<std::vector<Task>> TaskGraph::advance(std::span<const model::Execution> finished) {
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
  for (const TaskTag& tag : tags_) {
    if (!issued_.contains(tag) && ready(tag)) {
      tasks.push_back(TRY(make(tag)));
    }
  }
  for (const Task& task : tasks) {
    issued_.insert(task.tag);
  }
  return tasks;
}

std::vector<TaskTag> TaskGraph::annul(const TaskTag& tag) {
  std::set<TaskTag> lost{tag};
  for (const TaskTag& later : tags_) {  // producers stand before their readers
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

uint64_t TaskGraph::operations() const {
  uint64_t total = 0;
  for (const TaskTag& tag : tags_) {
    total += program_of(tag.kind).operations;
  }
  return total;
}

Result<model::TensorRef> TaskGraph::output(const TaskTag& tag, std::string_view leaf) const {
  return TRY(from_task(tag, leaf)).tensor;
}

std::optional<uint32_t> TaskGraph::leaf_of(TaskKind kind, std::string_view leaf) const {
  return leaf_index(program_of(kind).program, leaf);
}

}  // namespace lockstep::plan
