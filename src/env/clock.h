// Time, brought in by constructor.
#pragma once

#include <cstdint>

namespace lockstep::env {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds since an arbitrary start; never goes back.
  virtual uint64_t now_ns() = 0;
};

}  // namespace lockstep::env
