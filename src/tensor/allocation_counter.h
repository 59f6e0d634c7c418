// For tests only: counts what this test program allocates.
#pragma once

#include <cstdint>

namespace lockstep::tensor {

/// Calls of any operator new since the program started, from every thread.
int64_t allocations_so_far();

}  // namespace lockstep::tensor
