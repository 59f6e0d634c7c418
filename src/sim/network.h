// What becomes of a message: when its copies arrive, if any does.
#pragma once

#include <map>

#include "model/faults.h"
#include "sim/fault_points.h"
#include "sim/random.h"

namespace lockstep::sim {

/// Of all links, always.
struct NetworkFaults {
  uint64_t delay_us_min = 5'000;
  uint64_t delay_us_max = 20'000;
  uint32_t loss_millionths = 0;
};

class Network {
 public:
  /// Borrows all but `always`. Where no fault is asked for, nothing is drawn for one.
  Network(const NetworkFaults& always,
          const model::Faults& faults,
          const Random& random,
          FaultCounts& counts)
      : always_(always), faults_(&faults), fault_random_(random), counts_(&counts) {}
  /// Times of arrival; `random` draws what every message needs.
  [[nodiscard]] std::vector<uint64_t> arrivals(uint64_t now_us,
                                               const std::string& from,
                                               const std::string& to,
                                               Random& random);

 private:
  [[nodiscard]] bool is_cut(uint64_t now_us, const std::string& from, const std::string& to) const;
  [[nodiscard]] uint64_t slowed(uint64_t now_us,
                                const std::string& from,
                                const std::string& to,
                                uint64_t delay_us);
  NetworkFaults always_;
  const model::Faults* faults_;
  Random fault_random_;
  FaultCounts* counts_;
  // Until when a message of a link is held back.
  std::map<std::pair<std::string, std::string>, uint64_t> held_until_;
};

[[nodiscard]] inline bool is_during(const model::FaultSpan& span, uint64_t now_us) {
  constexpr uint64_t us_per_ms = 1000;
  return now_us >= span.from_ms * us_per_ms && now_us < span.until_ms * us_per_ms;
}

/// The largest factor by which `who` is slowed now, 1 where it is not.
[[nodiscard]] uint32_t slowness(const model::Faults& faults,
                                uint64_t now_us,
                                const std::string& who);

}  // namespace lockstep::sim
