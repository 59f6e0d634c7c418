// Runs tensor tasks: leaves out of the store, steps by the engine, leaves and roots back.
#pragma once

#include <memory>
#include <vector>

#include "env/clock.h"
#include "model/task.h"
#include "store/blobs.h"
#include "tensor/executor.h"

namespace lockstep::exec {

/// Time spent since the start, in nanoseconds.
struct Meter {
  uint64_t compute_ns = 0, hash_ns = 0;
};

/// Keeps the executors of the programs used last. Not for use by several threads at once.
class TensorRunner {
 public:
  TensorRunner(store::Blobs& blobs, env::Clock& clock, tensor::Options options)
      : blobs_(blobs), clock_(clock), options_(options) {}

  /// Errors: those of law::check and of the store; wrong_task when a leaf's bytes do not fit its
  /// root or the steps exceed the limit. Nothing is stored then.
  Result<model::Execution> run(const model::Task& task);
  /// The state roots after every step. Stores nothing. Errors: as run().
  Result<std::vector<Hash>> step_roots(const model::Task& task);
  /// Everything that step `step` (from 0, below task.steps) reads and writes. Stores nothing.
  /// Errors: as run().
  Result<model::StepTrace> trace(const model::Task& task, uint32_t step);
  [[nodiscard]] const Meter& meter() const { return meter_; }

 private:
  /// `keep_outputs`: every operator's output stays readable after a step.
  Result<tensor::Executor*> executor_for(const model::ProgramRef& program, bool keep_outputs);
  Result<model::Execution> step_through(const model::Task& task,
                                        uint32_t hash_every,
                                        tensor::Executor& executor);
  Result<std::vector<Hash>> load(const model::Task& task, tensor::Executor& executor);

  store::Blobs& blobs_;
  env::Clock& clock_;
  tensor::Options options_;
  struct Kept {
    Hash root;
    bool keep_outputs = false;
    std::unique_ptr<tensor::Executor> executor;
  };
  static constexpr size_t executors_max = 2;  // a job alternates between two programs
  std::vector<Kept> executors_;               // used last at the end
  Meter meter_;
};

}  // namespace lockstep::exec
