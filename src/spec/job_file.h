// The job file: YAML text from anybody into a checked JobSpec. Reads no file itself.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/job_spec.h"

namespace lockstep::spec {

/// Reads a whole job file. `path` names it in messages and gives the default for `name`.
///
///     kind: train                    # or another of model::job_kind_names
///     name: fashion-mnist            # default: the file's stem; letters, digits, '.', '_', '-'
///     model: model.onnx              # required
///     data:                          # required
///       format: idx
///       train_images: a.gz           # required, like train_labels
///       train_labels: b.gz
///       test_images: c.gz            # both or neither
///       test_labels: d.gz
///       blob_images: 1000
///       shuffle: 0                   # the seed
///     train:
///       loss: softmax_cross_entropy
///       optimizer: {name: sgd, momentum: 0.9}         # or just `sgd`: the same
///       lr: {schedule: warmup_cosine, base: 0.05, warmup: 60}   # or a number: constant
///       batch: 25
///       rounds: 60
///       lanes: 6
///       local_steps: 40
///       claim_every: 5
///       seed: 0
///     resources: {cpus: 2, memory: 2GB, gpu: none}    # gpu: none, any, A100 or A100:2
///     budget: 25 LKS
///     verify: spot:0.1               # none, confirm, spot:p, replicate:k, full, self
///     finality: job                  # or a span: 30s, 15m, 1h, 2d; default: the planner's choice
///     outputs: {weights: model.safetensors}
///
/// The values shown are the defaults, but for data, resources and budget, where nothing written
/// means nothing asked. The defaults of lr.warmup and claim_every shrink with the job where they
/// would not fit it. spot:1 is the same as full. A job of another kind has a section of the kind's
/// name in place of `train`; it is kept as it is, for plan::check().
///
/// Errors, `where` always "path:line:column" from one, columns in characters: those of parse_yaml,
/// and unknown_key, duplicate_key, wrong_type, out_of_range, missing_key. Of several mistakes one
/// is reported, the same each time.
[[nodiscard]] Result<model::JobSpec> parse_job(std::string_view text, std::string_view path);

}  // namespace lockstep::spec
