// The simulator's only source of chance: one stream a seed and purpose.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace lockstep::sim {

/// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /// Uniform in [low, high].
  uint64_t between(uint64_t low, uint64_t high);
  /// True `millionths` times in a million.
  bool chance(uint32_t millionths) { return between(1, 1'000'000) <= millionths; }

 private:
  uint64_t state_;
};

/// A secret of the simulated world: H(seed, name), "lockstep v1 sim".
[[nodiscard]] Hash secret_of(uint64_t seed, std::string_view name);

}  // namespace lockstep::sim
