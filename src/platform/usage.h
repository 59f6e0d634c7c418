// What this process has taken of the machine so far, for its metrics.
#pragma once

#include <cstdint>

namespace lockstep::platform {

/// 0 where the system does not say.
struct Usage {
  double cpu_seconds = 0;  // of all threads, in the program and in the kernel
  uint64_t resident_bytes = 0;
  uint64_t open_files = 0;
  uint64_t open_files_max = 0;
};
[[nodiscard]] Usage usage_of_process();

}  // namespace lockstep::platform
