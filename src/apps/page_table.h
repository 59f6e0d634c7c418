// The results table of a job that has one: what each variant came to, and which one was kept.
#pragma once

#include <string>

#include "apps/run_record.h"

namespace lockstep::apps {

/// Empty for a job without a table. Such a job's rounds are no line of training: its page shows
/// this in place of the loss.
[[nodiscard]] std::string results_section(const RunRecord& record);

}  // namespace lockstep::apps
