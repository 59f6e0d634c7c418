// The planner of training jobs: rounds of lanes and a merge, then evaluation and a sum.
#pragma once

#include <map>
#include <set>
#include <span>

#include "law/program.h"
#include "model/task.h"

namespace lockstep::plan {

/// Deterministic and without I/O: the tasks that are ready follow from the outputs so far. Lane
/// task (r, l) reads the merge of round r − 1 and data blob (lanes·r + l) mod blobs.
class TrainPlanner {
 public:
  /// Borrows `job`. Errors: bad_plan when a program and the job's inputs do not fit together.
  static Result<TrainPlanner> create(const model::TrainJob& job);

  /// Takes finished tasks and returns those that became ready, each once, in tag order. Errors:
  /// wrong_task for an output that was not asked for or has a wrong number of leaves.
  Result<std::vector<model::Task>> advance(std::span<const model::Execution> finished);

  /// Forgets a task's output and all that was computed from it; they are planned again by
  /// advance(). Returns the tags forgotten.
  std::vector<model::TaskTag> annul(const model::TaskTag& tag);

  [[nodiscard]] bool done() const;
  /// Tasks of the whole job, and their operations: exact before any work starts.
  [[nodiscard]] uint64_t task_count() const;
  [[nodiscard]] uint64_t operations() const;
  /// A leaf of a finished task by name. Errors: bad_plan.
  [[nodiscard]] Result<model::TensorRef> output(const model::TaskTag& tag,
                                                std::string_view leaf) const;

 private:
  struct Program {
    const model::ProgramRef* ref = nullptr;
    law::Program program;
    uint64_t operations = 0;  // of a task
    uint32_t steps = 1;
  };
  explicit TrainPlanner(const model::TrainJob& job) : job_(&job) {}
  [[nodiscard]] const Program& program_of(model::TaskKind kind) const;
  [[nodiscard]] std::vector<model::TaskTag> all_tags() const;
  [[nodiscard]] std::vector<model::TaskTag> reads(const model::TaskTag& tag) const;
  [[nodiscard]] bool ready(const model::TaskTag& tag) const;
  [[nodiscard]] Result<model::Task> make(const model::TaskTag& tag) const;
  [[nodiscard]] Result<model::LeafInput> source(const model::TaskTag& tag,
                                                const std::string& leaf) const;
  [[nodiscard]] Result<model::LeafInput> from_task(const model::TaskTag& tag,
                                                   std::string_view leaf) const;
  [[nodiscard]] Result<model::LeafInput> from_job(std::string_view leaf) const;

  const model::TrainJob* job_;
  std::map<model::TaskKind, Program> programs_;
  std::map<model::TaskTag, std::vector<model::TensorRef>> outputs_;
  std::set<model::TaskTag> issued_;
};

}  // namespace lockstep::plan
