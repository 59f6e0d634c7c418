// `lockstep sim check`: a scenario over many seeds.
#pragma once

#include "apps/report.h"

namespace lockstep::apps {

struct CheckOptions {
  std::vector<std::string> paths;
  uint64_t seeds = 20;
  uint64_t first_seed = 1;
  uint64_t seconds = 0;  // not 0: one seed of each scenario after the other until the time is up
  bool table = false;    // one row of Markdown a scenario, and nothing else
  bool json = false;
};
/// Fails when a seed did not come to what the scenario expects.
[[nodiscard]] Exit sim_check(const CheckOptions& options);

}  // namespace lockstep::apps
