// What the program tells people (lines) or scripts (--json: one event a line).
#pragma once

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace lockstep::apps {

/// Exit codes of the command; scripts rely on them.
enum class Exit : int {
  ok = 0,
  failed = 1,
  invalid_input = 2,
  not_found = 3,  // no such network, node, job or lease
  locked = 4,     // another process has it, or this user may not
  funds = 5,
  no_offer = 6,
  verification_failed = 7,
  unreachable = 8,
  timeout = 9,
  interrupted = 130,  // 128 + SIGINT, as shells have it
};
[[nodiscard]] Exit exit_of(const Error& error);

struct RunRecord;

/// printf into a string, cut at 512 bytes.
template <class... Args>
std::string text_of(const char* pattern, Args... args) {
  char text[512];
  (void)std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

class Report {
 public:
  /// Events that tell() gives are also added to `log`, one line each, where there is one; all
  /// events to `record`.
  explicit Report(bool json, std::vector<std::string>* log = nullptr, RunRecord* record = nullptr)
      : json_(json), log_(log), record_(record) {}
  /// Nothing is printed: everything goes there, the event with its name under "event".
  using Sink = std::function<void(const std::string& text, const nlohmann::json& event)>;
  explicit Report(Sink sink) : sink_(std::move(sink)) {}
  /// What is told from here on happens then: events say so as "time_ms".
  void at(uint64_t now_ms) const { now_ms_ = now_ms; }
  /// One event: `text` for people (none where it is empty), `event` with its name under "event" for
  /// scripts.
  void tell(const std::string& text, const std::string& name, nlohmann::json event) const;
  /// The same, but not for the log: what differs from run to run, such as wall time.
  void aside(const std::string& text, const std::string& name, nlohmann::json event) const;
  /// The error on standard error, or as event "error"; returns the exit code that fits.
  [[nodiscard]] Exit fail(const Error& error) const;

 private:
  [[nodiscard]] nlohmann::json stamped(const std::string& name, nlohmann::json event) const;

  bool json_ = false;
  std::vector<std::string>* log_ = nullptr;
  RunRecord* record_ = nullptr;
  mutable std::optional<uint64_t> now_ms_;
  Sink sink_;
};

}  // namespace lockstep::apps
