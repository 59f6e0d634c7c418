// The planner of sweeps: one training for each learning rate, none of which waits for another, an
// evaluation of each, a choice of the best and an evaluation of that.
#pragma once

#include "plan/task_graph.h"
#include "spec/fields.h"

namespace lockstep::plan {

struct SweepSpec {
  std::vector<spec::WrittenNumber> rates;
  /// Of each training. `rounds` is the number of its tasks; `lr` holds the schedule, and a base
  /// rate of 1 that the training's own rate multiplies.
  model::TrainSpec train;
};

/// Reads the section `sweep` of the job file:
///
///     sweep:
///       lr: [0.01, 0.1]        # required, 2 to 64, no two the same
///       schedule: constant     # or warmup_cosine, over the steps of one training
///       warmup: 0              # steps of warmup_cosine
///       momentum: 0.9
///       batch: 25
///       tasks: 1               # of each training, one after the other
///       steps: 40              # of one task
///       claim_every: 5
///
/// Errors: those of spec::Fields, and missing_key where there is no test data: the choice is by
/// right answers; bad_plan for a job without a whole job file.
[[nodiscard]] Result<SweepSpec> read_sweep(const model::JobSpec& spec);

/// "task 2 of rate 0.05", "evaluation 3 of rate 0.05", "sum of rate 0.05", "choice", "evaluation 3
/// of the choice", "sum of the choice".
[[nodiscard]] std::string sweep_task_name(const model::JobSpec& spec, const model::TaskTag& tag);

/// Task r of variant v is lane (r, v); it reads lane (r − 1, v) and data blob r mod blobs, the same
/// for all variants. Evaluations and sums have the variant as their round. The merge (0, 0) takes
/// the parameters of the variant with the most right answers, of equals the first; evaluations and
/// a sum of round `variants` are of what it took. Programs are "train", "choose", "evaluate" and
/// "sum"; leaves besides a training job's: "rate", "best" (the chosen variant), choose's
/// "variant<v>/<leaf>" and, of the job, "rate<v>".
class SweepPlanner final : public TaskGraph {
 public:
  /// Borrows `job`. Errors: bad_plan, those of read_sweep().
  static Result<SweepPlanner> create(const model::Job& job);

  /// The milestone is the choice.
  [[nodiscard]] uint32_t rounds() const override { return 1; }
  [[nodiscard]] std::optional<Milestone> milestone(const model::Execution& task) const override;
  /// Trainings have no rounds in common.
  [[nodiscard]] std::optional<uint32_t> round_of(const model::TaskTag&) const override {
    return std::nullopt;
  }
  [[nodiscard]] JobResult result() const override;
  [[nodiscard]] Result<ResultsTable> table() const override;
  [[nodiscard]] std::string about() const override;

 private:
  SweepPlanner(const model::Job& job, SweepSpec sweep) : TaskGraph(job), sweep_(std::move(sweep)) {}
  [[nodiscard]] uint32_t variants() const { return static_cast<uint32_t>(sweep_.rates.size()); }
  [[nodiscard]] uint32_t tests() const { return static_cast<uint32_t>(job().test_blobs.size()); }
  [[nodiscard]] uint64_t test_images() const;
  /// The last task of a variant's training.
  [[nodiscard]] model::TaskTag trained(uint32_t variant) const;
  [[nodiscard]] std::vector<model::TaskTag> all_tags() const;
  [[nodiscard]] std::vector<model::TaskTag> reads(const model::TaskTag& tag) const override;
  [[nodiscard]] Result<model::LeafInput> source(const model::TaskTag& tag,
                                                const std::string& leaf) const override;
  [[nodiscard]] Result<model::LeafInput> lane_source(const model::TaskTag& tag,
                                                     const std::string& leaf) const;
  [[nodiscard]] Result<model::LeafInput> choice_source(const std::string& leaf) const;

  SweepSpec sweep_;
};

}  // namespace lockstep::plan
