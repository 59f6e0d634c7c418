// The standard benchmark: an ordinary training task, always the same, whose result is known. It
// shows what a machine does in a second, and that it computes right.
#pragma once

#include "env/clock.h"
#include "graph/builder.h"
#include "model/benchmark.h"
#include "tensor/executor.h"

namespace lockstep::exec {

/// Steps of SGD with momentum on a small convolutional network; images, labels and first weights
/// come from the law's random operator, so every leaf begins as zeros.
[[nodiscard]] Result<graph::Built> benchmark_program();
inline constexpr uint32_t benchmark_steps = 2;
/// The state root after the last step: part of benchmark_version.
[[nodiscard]] Hash benchmark_root();

/// What the kernels of `isa` are called in a device class on this processor: "x86-64-avx2".
[[nodiscard]] std::string family_of(tensor::Isa isa);

struct BenchmarkOptions {
  uint64_t duration_ms = 10'000;
  int threads = 1;
  tensor::Isa isa = tensor::Isa::portable;
  Hash expected = benchmark_root();
};
struct BenchmarkResult {
  uint64_t operations_per_second = 0;  // by the law's cost; hashing of the result included
  uint64_t tasks = 0;                  // in the time measured
  std::string family;
  std::string device_class;
};

/// Runs the task once unmeasured, then again and again until the time is over, at least once; every
/// result is compared with the one expected. Errors: wrong_hash when this machine computes wrong:
/// then it must not offer anything; unsupported_device; out_of_range for the thread count; internal
/// when the clock stands still.
[[nodiscard]] Result<BenchmarkResult> run_benchmark(const BenchmarkOptions& options,
                                                    env::Clock& clock);

}  // namespace lockstep::exec
