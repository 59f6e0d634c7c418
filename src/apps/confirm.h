// Before money moves, somebody agrees to it.
#pragma once

#include <string>

#include "base/result.h"

namespace lockstep::apps {

/// Whether it can be agreed to: by --yes, or by somebody at a terminal. Errors: bad_option.
[[nodiscard]] Result<void> check_can_agree(bool yes, const std::string& to_what);
/// Asks, unless `yes`. Errors: bad_option where nobody is there; cancelled.
[[nodiscard]] Result<void> agree(bool yes, const std::string& to_what);

}  // namespace lockstep::apps
