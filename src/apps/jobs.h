// A network's jobs as the commands name them.
#pragma once

#include "apps/network_folder.h"

namespace lockstep::apps {

/// Errors: not_registered, with the jobs that there are.
[[nodiscard]] Result<void> check_job(const NetworkFolder& network, const std::string& job);
/// Stops a requester whose job was never opened, and notes why: it is not started again.
Result<void> end_unopened(const NetworkFolder& network, const std::string& job, const Error& why);

}  // namespace lockstep::apps
