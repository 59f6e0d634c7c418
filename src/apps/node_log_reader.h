// `lockstep logs --node NAME`: a node's structured log for people.
#pragma once

#include <string>

#include "apps/report.h"

namespace lockstep::apps {

/// Of a member of the network or of a job, by its name: all that its files still have, the oldest
/// line first. As it is with `as_json`.
Exit show_node_log(const std::string& network, const std::string& name, bool as_json);

}  // namespace lockstep::apps
