// What an owner lends of a machine, and when: as plain data with canonical bytes.
#pragma once

#include "codec/record.h"

namespace lockstep::model {

inline constexpr uint16_t day_minutes = 1440;
inline constexpr uint8_t week_days = 7;
inline constexpr uint8_t every_day = 0x7f;

/// A stretch of the day that comes back on some days of the week, in the owner's local time.
struct Hours {
  uint8_t days = every_day;          // bit 0 is Monday; those on which the stretch begins
  uint16_t from_minute = 0;          // since midnight, below day_minutes
  uint16_t to_minute = day_minutes;  // the first one not in it, 1 to day_minutes; at or below
                                     // from_minute it is of the next day
  /// 0: at any load. Otherwise the machine's owner must have left it alone for so many minutes.
  uint16_t idle_minutes = 0;
  bool operator==(const Hours&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.days, self.from_minute, self.to_minute, self.idle_minutes);
  }
};

/// The part of a machine that works for others: all their tasks together stay within it.
struct Slice {
  uint32_t cpus = 0;
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;
  uint32_t gpus = 0;
  std::vector<Hours> when;  // any one of them allows work; none: never
  bool operator==(const Slice&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.cpus, self.memory_bytes, self.disk_bytes, self.gpus, self.when);
  }
};

/// What a slice is cut from: what this process may use of the machine, at most.
struct MachineSize {
  uint32_t cpus = 0;
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;
  uint32_t gpus = 0;
};

}  // namespace lockstep::model
