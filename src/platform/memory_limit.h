// An upper bound on this process' memory, set by itself and kept by the kernel.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace lockstep::platform {

/// From now on this process may have so many bytes of private memory more than it has: an
/// allocation beyond fails, whichever thread makes it. It cannot be raised again. Errors:
/// io_failed.
Result<void> limit_memory(uint64_t more_bytes);

}  // namespace lockstep::platform
