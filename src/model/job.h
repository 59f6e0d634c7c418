// A prepared, content-addressed job: every input by its roots, every program by its bytes. Its
// canonical bytes are a file of this machine: one process prepares a job, another runs it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "model/job_spec.h"

namespace lockstep::model {

/// A tensor by its root (type, dims and data) and by the address of its bytes.
struct TensorRef {
  Hash root;
  Hash data;
  bool operator==(const TensorRef&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.root, self.data);
  }
};

struct NamedTensorRef {
  std::string name;
  TensorRef tensor;
  bool operator==(const NamedTensorRef&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.name, self.tensor);
  }
};

/// Canonical bytes of a program and the addresses of its constants' bytes, in the program's order.
struct ProgramRef {
  Hash root;
  Bytes bytes;
  std::vector<Hash> constants;
  bool operator==(const ProgramRef&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.root, self.bytes, self.constants);
  }
};

/// A program by what it does in the job; the planner of the job's kind knows the names.
struct NamedProgram {
  std::string name;
  ProgramRef ref;
  bool operator==(const NamedProgram&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.name, self.ref);
  }
};

struct DataBlob {
  TensorRef images, labels;
  bool operator==(const DataBlob&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.images, self.labels);
  }
};

/// What a job is made of, whatever its kind; spec.kind says which planner wires it.
struct Job {
  JobSpec spec;
  std::vector<NamedProgram> programs;   // in this order they are registered and in the job's terms
  std::vector<NamedTensorRef> initial;  // leaves that no task and no data gives
  std::vector<std::string> parameters;  // leaves that are the trained model, in the model's order
  std::vector<DataBlob> train_blobs, test_blobs;
  bool operator==(const Job&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(
        self.spec, self.programs, self.initial, self.parameters, self.train_blobs, self.test_blobs);
  }
};

/// Null when the job has no program of that name.
[[nodiscard]] inline const ProgramRef* program_named(const Job& job, std::string_view name) {
  for (const NamedProgram& program : job.programs) {
    if (program.name == name) {
      return &program.ref;
    }
  }
  return nullptr;
}

}  // namespace lockstep::model
