// What the program tells people (lines) or scripts (--json: one event a line).
#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace lockstep::apps {

/// Exit codes of the command; scripts rely on them.
enum class Exit : int {
  ok = 0,
  failed = 1,
  invalid_input = 2,
  funds = 5,
  no_offer = 6,
  verification_failed = 7,
};
[[nodiscard]] Exit exit_of(const Error& error);

/// printf into a string, cut at 512 bytes.
template <class... Args>
std::string text_of(const char* pattern, Args... args) {
  char text[512];
  (void)std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

class Report {
 public:
  /// Events that tell() gives are also added to `log`, one line each, where there is one.
  explicit Report(bool json, std::vector<std::string>* log = nullptr) : json_(json), log_(log) {}
  /// One event: `text` for people (none where it is empty), `event` with its name under "event" for
  /// scripts.
  void tell(const std::string& text, const std::string& name, nlohmann::json event) const;
  /// The same, but not for the log: what differs from run to run, such as wall time.
  void aside(const std::string& text, const std::string& name, nlohmann::json event) const;
  /// The error on standard error, or as event "error"; returns the exit code that fits.
  [[nodiscard]] Exit fail(const Error& error) const;

 private:
  bool json_;
  std::vector<std::string>* log_;
};

}  // namespace lockstep::apps
