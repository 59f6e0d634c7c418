// The law programs of a training job: a lane's step, the merge, the evaluation and the sum.
#pragma once

#include "formats/onnx.h"
#include "graph/builder.h"
#include "model/job_spec.h"

namespace lockstep::prepare {

/// Names of the leaves: the model's parameters by their own names, "momentum/<parameter>", "step"
/// (global, i64), "loss" (sum over the task's steps), "images", "labels".
struct ProgramSpec {
  const formats::Model& model;
  const model::JobSpec& job;
  int64_t test_blobs = 0;
};

Result<graph::Built> train_program(const ProgramSpec& spec);
/// Averages parameters, momentum and loss over the lanes: ((x_0 + x_1) + …) / f32(lanes).
Result<graph::Built> merge_program(const ProgramSpec& spec);
/// Adds the number of right answers on one blob to "correct".
Result<graph::Built> evaluate_program(const ProgramSpec& spec);
/// Adds "part1" … to "correct".
Result<graph::Built> sum_program(const ProgramSpec& spec);

}  // namespace lockstep::prepare
