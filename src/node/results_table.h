// The results table of a job: a planner says which scalars stand in it, here they are read.
#pragma once

#include "node/notice.h"
#include "plan/planner.h"
#include "store/blobs.h"

namespace lockstep::node {

/// A number that cannot be read, or is no scalar of its type, is the text "?".
[[nodiscard]] TableTold read_table(const plan::ResultsTable& table, store::Blobs& blobs);

}  // namespace lockstep::node
