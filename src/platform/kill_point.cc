// KillPoints: what is armed, and one trace file, for the whole process.
#include "platform/kill_point.h"

#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill() is not in <csignal>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <mutex>

#include "platform/files.h"

namespace lockstep::platform {
namespace {

constexpr size_t trace_bytes_max = size_t{256} << 20;

struct State {
  std::mutex mutex;
  std::map<std::string, uint64_t, std::less<>> left;  // by name: times until the kill
  Descriptor trace;
};

State& state() {
  static State the_only;
  return the_only;
}

using Point = std::pair<std::string, uint64_t>;

Result<Point> read_point(std::string_view word) {
  const size_t colon = word.rfind(':');
  uint64_t times = 0;
  if (colon != std::string_view::npos && colon > 0) {
    const char* const end = word.data() + word.size();
    const auto [stopped, failed] = std::from_chars(word.data() + colon + 1, end, times);
    if (failed != std::errc() || stopped != end) {
      times = 0;
    }
  }
  if (times == 0) {
    return refuse(Code::bad_option,
                  "is no point to be killed at",
                  "write NAME:N, N counted from 1",
                  std::string(word));
  }
  return Point(word.substr(0, colon), times);
}

}  // namespace

Result<void> KillPoints::arm(std::string_view word) {
  std::map<std::string, uint64_t, std::less<>> armed;
  size_t begin = 0;
  while (begin <= word.size()) {
    const size_t end = std::min(word.find(',', begin), word.size());
    const auto [name, times] = TRY(read_point(word.substr(begin, end - begin)));
    armed[name] = times;
    begin = end + 1;
  }
  State& now = state();
  const std::lock_guard lock(now.mutex);
  now.left = std::move(armed);
  on_ = true;
  return {};
}

Result<void> KillPoints::trace(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.ok()) {
    return system_error(errno, "cannot be written", path);
  }
  State& now = state();
  const std::lock_guard lock(now.mutex);
  now.trace = std::move(file);
  on_ = true;
  return {};
}

void KillPoints::stop() {
  State& now = state();
  const std::lock_guard lock(now.mutex);
  now.left.clear();
  now.trace.close();
  on_ = false;
}

void KillPoints::reached(std::string_view name, std::string_view detail) {
  const std::string point = std::string(name).append(detail);
  State& now = state();
  const std::lock_guard lock(now.mutex);
  if (now.trace.ok()) {
    const std::string line = point + "\n";
    // One write of a short line to a file opened for appending: whole, whoever else appends. A
    // trace that cannot be written misses points, which its reader notices.
    (void)!::write(now.trace.number(), line.data(), line.size());
  }
  const auto armed = now.left.find(point);
  if (armed != now.left.end() && --armed->second == 0) {
    ::kill(::getpid(), SIGKILL);
    while (true) {
      ::pause();
    }
  }
}

Result<std::map<std::string, uint64_t>> read_kill_trace(const std::string& path) {
  const Bytes bytes = TRY(Files().read(path, trace_bytes_max));
  std::map<std::string, uint64_t> counts;
  std::string line;
  for (const uint8_t byte : bytes) {
    if (byte == '\n') {
      ++counts[line];
      line.clear();
    } else {
      line += static_cast<char>(byte);
    }
  }
  return counts;
}

}  // namespace lockstep::platform
