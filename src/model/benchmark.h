// The outcome of the standard benchmark as it is kept, and the device class that follows from it.
#pragma once

#include "codec/record.h"

namespace lockstep::model {

/// Increased whenever the benchmark's program or the way it is timed changes: older records are
/// then measured again.
inline constexpr uint16_t benchmark_version = 1;

struct Benchmark {
  uint16_t version = benchmark_version;
  std::string family;     // of the kernels that ran: "x86-64-avx2"
  std::string processor;  // the processor's name, as the machine gives it
  uint32_t threads = 0;   // that it ran on
  uint64_t operations_per_second = 0;
  uint64_t measured_ms = 0;  // milliseconds since 1970
  bool operator==(const Benchmark&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.version,
          self.family,
          self.processor,
          self.threads,
          self.operations_per_second,
          self.measured_ms);
  }
};

/// "FAMILY/SPEED": the speed is the largest power of two that is not above the units (of 10^9
/// operations) done in a second, 0 below one. "x86-64-avx2/8" does 8 to 15 units a second.
[[nodiscard]] std::string device_class(const std::string& family, uint64_t operations_per_second);

/// Whether a kept record still speaks of this machine: same version, kernels, processor and
/// threads, not older than 30 days, and not from the future.
inline constexpr uint64_t benchmark_age_ms_max = uint64_t{30} * 24 * 3600 * 1000;
[[nodiscard]] bool is_current(const Benchmark& kept, const Benchmark& wanted, uint64_t now_ms);

}  // namespace lockstep::model
