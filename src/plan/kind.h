// What a kind of job is: how its section of the job file is checked, which programs and first
// values it needs, which planner wires its tasks and how these are called. A new kind is one entry
// of a table here.
#pragma once

#include <functional>

#include "graph/builder.h"
#include "plan/planner.h"

namespace lockstep::plan {

struct NamedTensor {
  std::string name;
  law::Tensor tensor;
};
struct NamedBuilt {
  std::string name;
  graph::Built built;
};

/// The network that is trained, whatever file it came from.
struct Network {
  std::vector<NamedTensor> parameters;  // f32, in the order of the layers; names are unique
  law::Dims image_dims;                 // [height, width, channels]
  /// f32 [batch, classes] of f32 images [batch, height, width, channels]; `parameters` in order.
  std::function<Result<graph::Value>(
      graph::Builder&, graph::Value images, std::span<const graph::Value> parameters)>
      logits;
};

/// What a job's programs are made from: data are cut into blobs of spec.data.blob_images.
struct Material {
  const model::JobSpec& spec;
  const Network& network;
  uint32_t test_blobs = 0;
};

/// What a kind adds to a job beside its data: they become Job::programs and Job::initial.
struct Parts {
  std::vector<NamedBuilt> programs;
  std::vector<NamedTensor> initial;  // the network's parameters are among them
};

/// Of the kind's own section, before any file is opened. Errors: those of spec::Fields, each with
/// its place in the job file.
[[nodiscard]] Result<void> check(const model::JobSpec& spec);
/// Errors: those of check(), of the network and of the builder.
[[nodiscard]] Result<Parts> make_parts(const Material& material);

/// How people call a task of such a job; no two tasks of a job are called the same.
[[nodiscard]] std::string name_of(const model::JobSpec& spec, const model::TaskTag& tag);
/// The same where the job's kind is not known: "lane 3 of round 7", "merge of round 7",
/// "evaluation 2", "sum"; with "of model 5" where there are several.
[[nodiscard]] std::string name_of(const model::TaskTag& tag);

}  // namespace lockstep::plan
