// What a requester asks of the planner of any kind of job: which tasks are ready, and what the job
// comes to. A new kind of job is another planner here.
#pragma once

#include <memory>
#include <span>
#include <variant>

#include "law/types.h"
#include "model/task.h"

namespace lockstep::plan {

/// What people are told when a certain task is done.
struct Milestone {
  uint32_t round = 0;     // from 1
  model::TensorRef loss;  // f32, a sum of `terms` losses
  uint32_t terms = 1;
};

/// Where the trained model and its evaluation are when the job is done.
struct JobResult {
  model::TaskTag model;                      // a merge
  std::vector<std::string> parameters;       // its leaves that are the model, in the model's order
  std::optional<model::TaskTag> evaluation;  // a sum of evaluations of that model, leaf "correct"
  uint64_t test_images = 0;                  // in all of them together
};

/// A number of the results table: a scalar that a task computed, times `scale`.
struct Measured {
  model::TensorRef tensor;
  law::DType type = law::DType::f32;  // or i64
  double scale = 1;
  uint32_t decimals = 0;  // to be shown
};

/// What a job found out besides its model, for people.
struct ResultsTable {
  std::vector<std::string> columns;  // none: the kind has no table
  std::vector<std::vector<std::variant<std::string, Measured>>> rows;
  std::optional<model::TensorRef> chosen;  // i64: the row, from 0, whose model the job kept
};

/// Deterministic and without I/O: the tasks that are ready follow from the outputs so far. Receipts
/// are checked by the kinds of tasks: the model is the merge of the highest round, and evaluations
/// read it.
class Planner {
 public:
  virtual ~Planner() = default;

  /// Takes finished tasks and returns those that became ready, each once, in tag order. Errors:
  /// wrong_task for an output that was not asked for or has a wrong number of leaves.
  virtual Result<std::vector<model::Task>> advance(std::span<const model::Execution> finished) = 0;

  /// Forgets a task's output and all that was computed from it; they are planned again by
  /// advance(). Returns the tags forgotten.
  virtual std::vector<model::TaskTag> annul(const model::TaskTag& tag) = 0;

  [[nodiscard]] virtual bool done() const = 0;
  /// Tasks of the whole job, and their operations: exact before any work starts.
  [[nodiscard]] virtual uint64_t task_count() const = 0;
  [[nodiscard]] virtual uint64_t operations() const = 0;
  /// A leaf of a finished task by name. Errors: bad_plan.
  [[nodiscard]] virtual Result<model::TensorRef> output(const model::TaskTag& tag,
                                                        std::string_view leaf) const = 0;

  /// Milestones of the whole job.
  [[nodiscard]] virtual uint32_t rounds() const = 0;
  /// Of a task of this job that finished; nothing for most tasks.
  [[nodiscard]] virtual std::optional<Milestone> milestone(const model::Execution& task) const = 0;
  /// The round (from 1) that a task belongs to, where it belongs to one.
  [[nodiscard]] virtual std::optional<uint32_t> round_of(const model::TaskTag& tag) const = 0;
  [[nodiscard]] virtual JobResult result() const = 0;
  /// Of a job that is done. Errors: bad_plan.
  [[nodiscard]] virtual Result<ResultsTable> table() const { return ResultsTable{}; }
  /// For people: "60 rounds of 6 lanes".
  [[nodiscard]] virtual std::string about() const = 0;
};

/// The planner of the job's kind. Borrows `job`. Errors: bad_plan for a kind that has none, and
/// when the job's programs and inputs do not fit together; those of reading a program.
[[nodiscard]] Result<std::unique_ptr<Planner>> make_planner(const model::Job& job);

}  // namespace lockstep::plan
