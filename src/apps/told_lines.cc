#include "apps/told_lines.h"

#include <algorithm>
#include <array>

namespace lockstep::apps {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 3> steps_of_tasks = {
    "task_placed", "task_delivered", "task_accepted"};

bool happens_once(const json& event) {
  const auto name = event.find("event");
  if (name == event.end() || !name->is_string()) {
    return false;
  }
  if (*name == "round") {
    const auto again = event.find("again");
    return again != event.end() && *again == false;
  }
  return event.contains("block") ||
         std::find(steps_of_tasks.begin(), steps_of_tasks.end(), name->get<std::string>()) !=
             steps_of_tasks.end();
}

/// Each life has a clock of its own.
std::string content_of(json event) {
  event.erase("time_ms");
  return event.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

ToldLines::ToldLines(std::string_view lines) : is_cut_(!lines.empty() && lines.back() != '\n') {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    json event = json::parse(line, nullptr, false);
    if (event.is_object() && happens_once(event)) {
      told_.insert(content_of(std::move(event)));
    }
  }
}

bool ToldLines::is_repeat(const json& event) const {
  return !told_.empty() && happens_once(event) && told_.contains(content_of(event));
}

}  // namespace lockstep::apps
