#include "platform/memory_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <system_error>

namespace lockstep::platform {
namespace {

/// What RLIMIT_DATA counts: private writable memory.
uint64_t data_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  uint64_t kilobytes = 0;
  while (status >> word) {
    if (word == "VmData:") {
      status >> kilobytes;
      break;
    }
  }
  return kilobytes * 1024;
}

}  // namespace

// RLIMIT_AS would count what is only reserved, and files that are mapped.
Result<void> limit_memory(uint64_t more_bytes) {
  rlimit limit{};
  const uint64_t used = data_bytes();
  const uint64_t wanted = used + std::min(more_bytes, UINT64_MAX / 2 - used);
  if (getrlimit(RLIMIT_DATA, &limit) == 0) {
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
    limit.rlim_max = limit.rlim_cur;
    if (setrlimit(RLIMIT_DATA, &limit) == 0) {
      return {};
    }
  }
  return refuse(Code::io_failed,
                "the bound on memory cannot be set: " + std::system_category().message(errno));
}

}  // namespace lockstep::platform
