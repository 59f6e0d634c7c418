// Law programs that kinds of jobs have in common: a step of training, evaluation, a sum of counts.
#pragma once

#include "plan/kind.h"

namespace lockstep::plan {

/// Names of the leaves: the network's parameters by their own names, "momentum/<parameter>", "step"
/// (global, i64), "loss" (sum over the task's steps), "images", "labels".
struct ProgramSpec {
  const Network& network;
  const model::TrainSpec& train;
  int64_t blob_images = 0;
  uint32_t test_blobs = 0;
};

/// A step on one batch; `rate` makes the learning rate (f32 []) out of the global step (i64 []).
Result<graph::Built> step_program(
    const ProgramSpec& spec,
    const std::function<graph::Value(graph::Builder&, graph::Value step)>& rate);
/// Adds the number of right answers on one blob to "correct".
Result<graph::Built> evaluate_program(const ProgramSpec& spec);
/// Adds "part1" … to "correct".
Result<graph::Built> sum_program(const ProgramSpec& spec);

/// The same values added left to right.
graph::Value sum_in_order(graph::Builder& builder, std::span<const graph::Value> values);
/// First values of those leaves: parameters with their momenta, "step", "loss" and "correct".
std::vector<NamedTensor> first_values(const Network& network);
[[nodiscard]] law::Tensor zeros(const law::Shape& shape);

}  // namespace lockstep::plan
