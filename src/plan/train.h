// The planner of training jobs: rounds of lanes and a merge, then evaluation and a sum.
#pragma once

#include <map>
#include <set>

#include "law/program.h"
#include "plan/planner.h"

namespace lockstep::plan {

/// Lane task (r, l) reads the merge of round r − 1 and data blob (lanes·r + l) mod blobs. Its
/// programs are "train", "merge", "evaluate" and "sum". Names of leaves that are wired: "images",
/// "labels", "correct", "loss"; merge's "lane<l>/<leaf>"; sum's "part<b>".
class TrainPlanner final : public Planner {
 public:
  /// Borrows `job`. Errors: bad_plan when a program and the job's inputs do not fit together.
  static Result<TrainPlanner> create(const model::Job& job);

  Result<std::vector<model::Task>> advance(std::span<const model::Execution> finished) override;
  std::vector<model::TaskTag> annul(const model::TaskTag& tag) override;
  [[nodiscard]] bool done() const override;
  [[nodiscard]] uint64_t task_count() const override;
  [[nodiscard]] uint64_t operations() const override;
  [[nodiscard]] Result<model::TensorRef> output(const model::TaskTag& tag,
                                                std::string_view leaf) const override;
  /// A milestone is a merge.
  [[nodiscard]] uint32_t rounds() const override { return job_->spec.train.rounds; }
  [[nodiscard]] std::optional<Milestone> milestone(const model::Execution& task) const override;
  [[nodiscard]] std::optional<uint32_t> round_of(const model::TaskTag& tag) const override;
  [[nodiscard]] JobResult result() const override;
  [[nodiscard]] std::string about() const override;

 private:
  struct Program {
    const model::ProgramRef* ref = nullptr;
    law::Program program;
    uint64_t operations = 0;  // of a task
    uint32_t steps = 1;
  };
  explicit TrainPlanner(const model::Job& job) : job_(&job) {}
  Result<void> add(model::TaskKind kind, std::string_view name, uint32_t steps);
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

  const model::Job* job_;
  std::map<model::TaskKind, Program> programs_;
  std::map<model::TaskTag, std::vector<model::TensorRef>> outputs_;
  std::set<model::TaskTag> issued_;
};

}  // namespace lockstep::plan
