// Named points at which a process can be told to kill itself, as kill -9 would, so that tests can
// try a crash at each. Nothing is armed unless the program's own command line said so.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lockstep::platform {

class KillPoints {
 public:
  /// `word` is "NAME:N": SIGKILL when the point NAME is reached the N-th time from now, N from 1
  /// on. Several, with commas between them: at whichever comes first. They replace what was armed.
  /// Errors: bad_option.
  static Result<void> arm(std::string_view word);
  /// From now on appends one line, the point's name, to a file each time that a point is reached,
  /// before any kill. Errors: disk_full, io_failed.
  static Result<void> trace(const std::string& path);
  /// Neither armed nor traced any more.
  static void stop();
  [[nodiscard]] static bool on() { return on_.load(std::memory_order_relaxed); }
  static void reached(std::string_view name, std::string_view detail);

 private:
  // The program's, as its command line is.
  // NOLINTNEXTLINE(readability-identifier-naming,cppcoreguidelines-avoid-non-const-global-variables)
  static inline std::atomic<bool> on_{false};
};

/// This point, `name` followed by `detail`, is reached. One branch when nothing is armed or traced.
/// Any thread.
inline void kill_point(std::string_view name, std::string_view detail = {}) {
  if (KillPoints::on()) [[unlikely]] {
    KillPoints::reached(name, detail);
  }
}

/// How often each point was reached, as a file that trace() made says. Errors: file_not_found,
/// too_large, io_failed.
Result<std::map<std::string, uint64_t>> read_kill_trace(const std::string& path);

}  // namespace lockstep::platform
