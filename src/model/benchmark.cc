#include "model/benchmark.h"

#include <bit>

namespace lockstep::model {

std::string device_class(const std::string& family, uint64_t operations_per_second) {
  constexpr uint64_t unit = 1'000'000'000;
  return family + "/" + std::to_string(std::bit_floor(operations_per_second / unit));
}

bool is_current(const Benchmark& kept, const Benchmark& wanted, uint64_t now_ms) {
  return kept.version == wanted.version && kept.family == wanted.family &&
         kept.processor == wanted.processor && kept.threads == wanted.threads &&
         kept.operations_per_second > 0 && kept.measured_ms <= now_ms &&
         now_ms - kept.measured_ms <= benchmark_age_ms_max;
}

}  // namespace lockstep::model
