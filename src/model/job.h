// A prepared, content-addressed job: every input by its roots, every program by its bytes.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "model/job_spec.h"

namespace lockstep::model {

/// A tensor by its root (type, dims and data) and by the address of its bytes.
struct TensorRef {
  Hash root;
  Hash data;
  bool operator==(const TensorRef&) const = default;
};

struct NamedTensorRef {
  std::string name;
  TensorRef tensor;
};

/// Canonical bytes of a program and the addresses of its constants' bytes, in the program's order.
struct ProgramRef {
  Hash root;
  Bytes bytes;
  std::vector<Hash> constants;
};

struct DataBlob {
  TensorRef images, labels;
};

/// Leaf names that the planner wires are fixed: "images", "labels", "correct"; merge's
/// "lane<l>/<leaf>"; sum's "part<b>".
struct TrainJob {
  JobSpec spec;
  ProgramRef train, merge, evaluate, sum;
  std::vector<NamedTensorRef> initial;  // the first round's leaves, and "correct"
  std::vector<std::string> parameters;  // leaves that are the trained model, in the model's order
  std::vector<DataBlob> train_blobs, test_blobs;
};

}  // namespace lockstep::model
