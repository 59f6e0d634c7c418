// Whether a machine may work for others now, and when to ask again.
#pragma once

#include <span>

#include "model/slice.h"

namespace lockstep::place {

/// The owner's local time, and since when only this program has used the machine.
struct Moment {
  uint8_t week_day = 0;       // 0 is Monday
  uint16_t minute = 0;        // since midnight
  uint32_t idle_minutes = 0;  // that the load of others has been low; who measures sets the limit
};

struct MayWork {
  bool now = false;
  /// 1 to 60. The answer stays what it is for so long, unless the owner's load changes. Never
  /// longer, as local time jumps when summer time begins and ends.
  uint32_t ask_again_minutes = 1;
};

/// Any one of `when` allows work. A stretch belongs to the day on which it begins.
[[nodiscard]] MayWork may_work(std::span<const model::Hours> when, const Moment& moment);

}  // namespace lockstep::place
