// The scenario file: YAML text into a checked Scenario. Reads no file itself.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/scenario.h"

namespace lockstep::spec {

/// Reads a whole scenario file. `path` names it in messages and gives the default for `name`.
///
///     name: silent-claimant          # default: the file's stem
///     about: lies and never answers  # required
///     providers: 3                   # 1 to 16
///     auditors: 1                    # 0 to 16
///     verify: full                   # none, spot:p or full
///     finality: job                  # or a span in whole seconds: 2s
///     claim_every: 4                 # 1 to 9: state roots are claimed every so many steps
///     roles: {provider-2: silent-claimant}
///     cheats: {provider-2: skip}     # or bitflip
///     loss: 0.01                     # of messages, below 1
///     faults: random                 # each seed a plan within the fault model; or left out
///     time_limit: 3600               # seconds of the network's time
///     expect:
///       settles: yes                 # or no: the job is not settled within the time limit
///       convicted: [provider-2]
///       never_convicted: [provider-1]
///       model: honest                # or any
///       profit: 0 LKS                # the most the attackers gain against honest play; or any
///
/// Machines are "provider-N", "auditor-N", "requester" and "ledger"; those named must be there.
/// Whether a role is known the simulator says. The values shown for providers, auditors, verify,
/// finality, claim_every, time_limit, settles, model and profit are the defaults.
///
/// Errors, `where` always "path:line:column": those of parse_yaml, and unknown_key, duplicate_key,
/// wrong_type, out_of_range, missing_key.
[[nodiscard]] Result<model::Scenario> parse_scenario(std::string_view text, std::string_view path);

}  // namespace lockstep::spec
