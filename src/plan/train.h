// The planner of training jobs: rounds of lanes and a merge, then evaluation and a sum.
#pragma once

#include "plan/task_graph.h"

namespace lockstep::plan {

/// Lane task (r, l) reads the merge of round r − 1 and data blob (lanes·r + l) mod blobs. Its
/// programs are "train", "merge", "evaluate" and "sum". Names of leaves that are wired: "images",
/// "labels", "correct", "loss"; merge's "lane<l>/<leaf>"; sum's "part<b>".
class TrainPlanner final : public TaskGraph {
 public:
  /// Borrows `job`. Errors: bad_plan when a program and the job's inputs do not fit together.
  static Result<TrainPlanner> create(const model::Job& job);

  /// A milestone is a merge.
  [[nodiscard]] uint32_t rounds() const override { return job().spec.train.rounds; }
  [[nodiscard]] std::optional<Milestone> milestone(const model::Execution& task) const override;
  [[nodiscard]] std::optional<uint32_t> round_of(const model::TaskTag& tag) const override;
  [[nodiscard]] JobResult result() const override;
  [[nodiscard]] std::string about() const override;

 private:
  using TaskGraph::TaskGraph;
  [[nodiscard]] std::vector<model::TaskTag> all_tags() const;
  [[nodiscard]] std::vector<model::TaskTag> reads(const model::TaskTag& tag) const override;
  [[nodiscard]] Result<model::LeafInput> source(const model::TaskTag& tag,
                                                const std::string& leaf) const override;
};

}  // namespace lockstep::plan
