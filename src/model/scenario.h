// An attack on a simulated network and what must come of it: the outcome of reading a scenario
// file. Plain data.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/job_spec.h"

namespace lockstep::model {

/// What must be so after every run, whatever its seed.
struct Expected {
  bool settles = true;
  std::vector<std::string> convicted;        // machines whose owners are slashed, every time
  std::vector<std::string> never_convicted;  // besides all honest ones
  bool model_honest = true;                  // the model is the honest run's, bit for bit
  /// The most that the attackers together may gain against honest play, in any run; absent: nobody
  /// promises anything.
  std::optional<Amount> profit_max = Amount();
  bool operator==(const Expected&) const = default;
};

struct Scenario {
  std::string name;
  std::string about;  // one line: what the attackers try
  uint32_t providers = 3;
  uint32_t auditors = 1;
  VerifySpec verify{VerifyKind::full, 1'000'000, 0};
  FinalitySpec finality;
  uint32_t claim_every = 4;                                 // of tasks of ten steps
  std::vector<std::pair<std::string, std::string>> roles;   // machine: role
  std::vector<std::pair<std::string, std::string>> cheats;  // machine: "skip" or "bitflip"
  uint32_t loss_millionths = 0;                             // of messages
  bool requester_faults = false;  // another plan for each seed, of the requester's machine alone
  bool random_faults = false;     // another plan of faults within the model for each seed
  uint64_t time_limit_s = 3600;   // of the network's time
  Expected expect;
  bool operator==(const Scenario&) const = default;
};

}  // namespace lockstep::model
