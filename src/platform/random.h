// The operating system's randomness.
#pragma once

#include "env/random.h"

namespace lockstep::platform {

/// getrandom(): waits until the machine has gathered enough after it started.
class Random final : public env::Random {
 public:
  Result<void> fill(std::span<uint8_t> out) override;
};

}  // namespace lockstep::platform
