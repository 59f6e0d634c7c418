// When a provider's owner lends the machine: local time, and whether others use it.
#pragma once

#include <optional>

#include "place/working_hours.h"

namespace lockstep::apps {

/// What the machine's processors have done so far.
struct LoadSample {
  uint64_t now_ms = 0;      // by a clock that never goes back
  uint64_t busy_ticks = 0;  // of all processors
  uint64_t own_ticks = 0;   // of them, this process
};
/// Nothing where the system does not say.
[[nodiscard]] std::optional<LoadSample> sample_load();

/// Others use the machine while more than a tenth of it works for them.
class IdleMeter {
 public:
  IdleMeter(uint32_t cpus, uint64_t ticks_per_second)
      : cpus_(cpus), ticks_per_second_(ticks_per_second) {}
  /// Whole minutes, up to this sample, in which nobody but this process has used the machine.
  uint32_t idle_minutes(const LoadSample& sample);
  /// Shorter stretches are too rough to judge: one tick would be a load.
  static constexpr uint64_t look_ms = 10'000;

 private:
  uint32_t cpus_;
  uint64_t ticks_per_second_;
  std::optional<LoadSample> last_;
  uint64_t busy_ms_ = 0;  // when others last used it
};

/// Asks the system again and again.
class WorkingTime {
 public:
  explicit WorkingTime(std::vector<model::Hours> when);
  [[nodiscard]] bool may_work_now();

 private:
  std::vector<model::Hours> when_;
  IdleMeter meter_;
};

/// The week's day and minute of this moment where the machine stands.
[[nodiscard]] place::Moment local_moment();

}  // namespace lockstep::apps
