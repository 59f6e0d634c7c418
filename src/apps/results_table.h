// A job's results table, for people and as an event.
#pragma once

#include "apps/report.h"
#include "node/notice.h"

namespace lockstep::apps {

/// One line for the columns and one for each row, the chosen row marked; one event "results" and
/// one "result" a row: cells as they are, and as they are shown. Nothing for a job without a table.
void tell_table(const Report& report, const node::TableTold& table);

}  // namespace lockstep::apps
