// A job file's spec and its data made into a content-addressed job.
#pragma once

#include "env/files.h"
#include "formats/onnx.h"
#include "model/job.h"
#include "plan/kind.h"
#include "store/blobs.h"

namespace lockstep::prepare {

struct Prepared {
  model::Job job;
  formats::Model model;
};

/// A path of a job file, which is relative to the folder that the file lies in.
[[nodiscard]] std::string resolve(const std::string& folder, const std::string& path);

/// What kinds of jobs make programs from. Borrows the model.
[[nodiscard]] plan::Network network_of(const formats::Model& model);

/// Reads the model and the data (paths relative to `folder`), shuffles and cuts the training
/// images, has the job's kind build the programs (plan/kind.h) and puts every tensor into `blobs`.
/// Errors: those of the kind, of the formats and of the files; bad_data when images, labels and
/// model do not fit; `where` is the file.
Result<Prepared> prepare(const model::JobSpec& spec,
                         const std::string& folder,
                         env::Files& files,
                         store::Blobs& blobs);

}  // namespace lockstep::prepare
