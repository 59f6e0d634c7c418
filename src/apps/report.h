// What the program tells people (lines) or scripts (--json: one event a line).
#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace lockstep::apps {

/// Exit codes of the command; scripts rely on them.
enum class Exit : int { ok = 0, failed = 1, invalid_input = 2 };

class Report {
 public:
  explicit Report(bool json) : json_(json) {}
  /// One event: `text` for people, `event` with its name under "event" for scripts.
  void tell(const std::string& text, const std::string& name, nlohmann::json event) const;
  /// The error on standard error, or as event "error"; returns the exit code that fits.
  [[nodiscard]] Exit fail(const Error& error) const;

 private:
  bool json_;
};

}  // namespace lockstep::apps
