#include "platform/usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace lockstep::platform {
namespace {

double seconds_of(const timeval& time) {
  constexpr double microseconds = 1e6;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / microseconds;
}

uint64_t resident_bytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) {
    return 0;
  }
  unsigned long long whole = 0;     // NOLINT(google-runtime-int): what scanf has a name for
  unsigned long long resident = 0;  // NOLINT(google-runtime-int)
  // NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers
  const int got = std::fscanf(file, "%llu %llu", &whole, &resident);
  (void)std::fclose(file);
  const auto page = ::sysconf(_SC_PAGESIZE);
  return got == 2 && page > 0 ? uint64_t{resident} * static_cast<uint64_t>(page) : 0;
}

uint64_t open_files() {
  uint64_t count = 0;
  std::error_code failed;
  std::filesystem::directory_iterator at("/proc/self/fd", failed);
  while (!failed && at != std::filesystem::directory_iterator()) {
    ++count;
    at.increment(failed);
  }
  return count == 0 ? 0 : count - 1;  // the folder itself
}

}  // namespace

Usage usage_of_process() {
  Usage usage;
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0) {
    usage.cpu_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    usage.open_files_max = limit.rlim_cur;
  }
  usage.resident_bytes = resident_bytes();
  usage.open_files = open_files();
  return usage;
}

}  // namespace lockstep::platform
