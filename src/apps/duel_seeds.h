// For tests: which random programs a test runs. LOCKSTEP_SOAK multiplies them, LOCKSTEP_SEED picks
// the one that a failure named.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace lockstep::duels {

inline std::vector<uint64_t> seeds_of(uint64_t count) {
  if (const char* seed = std::getenv("LOCKSTEP_SEED"); seed != nullptr) {
    return {std::strtoull(seed, nullptr, 10)};
  }
  const char* soak = std::getenv("LOCKSTEP_SOAK");
  const uint64_t times = soak == nullptr ? 1 : std::strtoull(soak, nullptr, 10);
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 0; seed < count * (times == 0 ? 1 : times); ++seed) {
    seeds.push_back(seed);
  }
  return seeds;
}

}  // namespace lockstep::duels
