// `lockstep verify`: checks a receipt offline, on a machine that never saw the network.
#pragma once

#include "apps/report.h"

namespace lockstep::apps {

/// Reads and checks a receipt and tells what was checked. Exit::verification_failed where anything
/// does not hold, Exit::invalid_input where the file cannot be read.
[[nodiscard]] Exit verify_receipt(const std::string& path, bool json);

}  // namespace lockstep::apps
