// The part of a planner that is the same for every kind of job: which tasks exist, which are ready,
// what became of them. A kind says what its tasks read.
#pragma once

#include <map>
#include <set>

#include "law/program.h"
#include "plan/planner.h"

namespace lockstep::plan {

class TaskGraph : public Planner {
 public:
  Result<std::vector<model::Task>> advance(std::span<const model::Execution> finished) final;
  std::vector<model::TaskTag> annul(const model::TaskTag& tag) final;
  [[nodiscard]] bool done() const final { return outputs_.size() == tags_.size(); }
  [[nodiscard]] uint64_t task_count() const final { return tags_.size(); }
  [[nodiscard]] uint64_t operations() const final;
  [[nodiscard]] Result<model::TensorRef> output(const model::TaskTag& tag,
                                                std::string_view leaf) const final;

 protected:
  static constexpr uint64_t tasks_max = uint64_t{1} << 20;  // of one job: all are walked

  explicit TaskGraph(const model::Job& job) : job_(&job) {}
  /// Tasks of this kind run the job's program `name`. Errors: bad_plan, those of reading it.
  Result<void> add_program(model::TaskKind kind, std::string_view name, uint32_t steps);
  /// All tasks of the job, producers before their readers. Errors: bad_plan, also when the job has
  /// a program that no task runs.
  Result<void> set_tasks(std::vector<model::TaskTag> tags, uint32_t claim_every);

  /// The tasks whose outputs this one needs.
  [[nodiscard]] virtual std::vector<model::TaskTag> reads(const model::TaskTag& tag) const = 0;
  /// Where a leaf of a ready task comes from: from_task() of one that it reads, from_job(), or
  /// data.
  [[nodiscard]] virtual Result<model::LeafInput> source(const model::TaskTag& tag,
                                                        const std::string& leaf) const = 0;
  [[nodiscard]] Result<model::LeafInput> from_task(const model::TaskTag& tag,
                                                   std::string_view leaf) const;
  [[nodiscard]] Result<model::LeafInput> from_job(std::string_view leaf) const;
  /// The place of a leaf in the program that runs such tasks.
  [[nodiscard]] std::optional<uint32_t> leaf_of(model::TaskKind kind, std::string_view leaf) const;
  [[nodiscard]] const model::Job& job() const { return *job_; }

 private:
  struct Program {
    const model::ProgramRef* ref = nullptr;
    law::Program program;
    uint64_t operations = 0;  // of a task
    uint32_t steps = 1;
  };
  [[nodiscard]] const Program& program_of(model::TaskKind kind) const;
  [[nodiscard]] bool ready(const model::TaskTag& tag) const;
  [[nodiscard]] Result<model::Task> make(const model::TaskTag& tag) const;

  const model::Job* job_;
  uint32_t claim_every_ = 1;
  std::map<model::TaskKind, Program> programs_;
  std::vector<model::TaskTag> tags_;
  std::map<model::TaskTag, std::vector<model::TensorRef>> outputs_;
  std::set<model::TaskTag> issued_;
};

/// "lane3/weights" split at the number: {3, "weights"}; nothing when it does not begin with
/// `prefix` and a number.
[[nodiscard]] std::optional<std::pair<uint32_t, std::string>> numbered(std::string_view name,
                                                                       std::string_view prefix);

}  // namespace lockstep::plan
