// For tests: which random programs a test runs. LOCKSTEP_SOAK multiplies them, LOCKSTEP_SEED picks
// the one that a failure named.
#pragma once

#include <numeric>
#include <vector>

#include "base/test_soak.h"

namespace lockstep::duels {

inline std::vector<uint64_t> seeds_of(uint64_t count) {
  if (const auto seed = test_number("LOCKSTEP_SEED")) {
    return {*seed};
  }
  std::vector<uint64_t> seeds(count * soak_times());
  std::iota(seeds.begin(), seeds.end(), uint64_t{0});
  return seeds;
}

}  // namespace lockstep::duels
