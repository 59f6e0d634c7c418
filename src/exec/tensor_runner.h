// Runs tensor tasks: leaves out of the store, steps by the engine, leaves and roots back.
#pragma once

#include <map>
#include <memory>

#include "env/clock.h"
#include "model/task.h"
#include "store/blobs.h"
#include "tensor/executor.h"

namespace lockstep::exec {

/// Time spent since the start, in nanoseconds.
struct Meter {
  uint64_t compute_ns = 0, hash_ns = 0;
};

/// Keeps one executor a program. Not for use by several threads at once.
class TensorRunner {
 public:
  TensorRunner(store::Blobs& blobs, env::Clock& clock, tensor::Options options)
      : blobs_(blobs), clock_(clock), options_(options) {}

  /// Errors: those of law::check and of the store; wrong_task when a leaf's bytes do not fit its
  /// root or the steps exceed the limit. Nothing is stored then.
  Result<model::Execution> run(const model::Task& task);
  [[nodiscard]] const Meter& meter() const { return meter_; }

 private:
  Result<tensor::Executor*> executor_for(const model::ProgramRef& program);
  Result<std::vector<Hash>> load(const model::Task& task, tensor::Executor& executor);

  store::Blobs& blobs_;
  env::Clock& clock_;
  tensor::Options options_;
  std::map<Hash, std::unique_ptr<tensor::Executor>> executors_;
  Meter meter_;
};

}  // namespace lockstep::exec
