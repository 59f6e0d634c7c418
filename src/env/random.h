// Randomness that nobody else can know, brought in by constructor.
#pragma once

#include <span>

#include "base/bytes.h"

namespace lockstep::env {

class Random {
 public:
  virtual ~Random() = default;
  /// Fills all of `out`. Errors: io_failed; then nothing in `out` may be used.
  virtual Result<void> fill(std::span<uint8_t> out) = 0;
};

}  // namespace lockstep::env
