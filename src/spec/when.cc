#include "spec/when.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "spec/yaml_tree.h"

namespace lockstep::spec {
namespace {

using model::Hours;
using std::string_view;

constexpr std::array<string_view, model::week_days> day_names = {
    "mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr size_t items_max = 32;
constexpr size_t bytes_max = 2048;
constexpr uint16_t idle_minutes_default = 10;
constexpr const char* advice_text =
    "write always, idle, 22:00-07:00, or mon-fri 22:00-07:00 idle; several with commas";

Error bad(Code code, string_view text, string_view what, string_view where) {
  return refuse(code, quote(text) + " " + std::string(what), advice_text, std::string(where));
}

string_view trimmed(string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::vector<string_view> cut(string_view text, char at) {
  std::vector<string_view> parts;
  parts.reserve(static_cast<size_t>(std::count(text.begin(), text.end(), at)) + 1);
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find(at, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

/// Digits only, `digits_max` of them at most.
std::optional<uint16_t> number(string_view text, size_t digits_max) {
  uint16_t value = 0;
  const char* const end = text.data() + text.size();
  if (text.empty() || text.size() > digits_max || text.front() == '-' ||
      std::from_chars(text.data(), end, value).ptr != end) {
    return std::nullopt;
  }
  return value;
}

std::optional<size_t> day(string_view text) {
  const auto found = std::find(day_names.begin(), day_names.end(), text);
  return found == day_names.end() ? std::nullopt
                                  : std::optional(static_cast<size_t>(found - day_names.begin()));
}

/// "mon-fri+sun" as bits.
std::optional<uint8_t> days(string_view text) {
  unsigned bits = 0;
  for (const string_view part : cut(text, '+')) {
    const size_t dash = std::min(part.find('-'), part.size());
    const auto first = day(part.substr(0, dash));
    const auto last = dash == part.size() ? first : day(part.substr(dash + 1));
    if (!first || !last) {
      return std::nullopt;
    }
    bits |= 1U << *last;
    for (size_t at = *first; at != *last; at = (at + 1) % model::week_days) {
      bits |= 1U << at;
    }
  }
  return static_cast<uint8_t>(bits);
}

/// "07:30" in minutes; up to "24:00".
std::optional<uint16_t> minute(string_view text) {
  constexpr size_t text_bytes = 5;
  if (text.size() != text_bytes || text[2] != ':') {
    return std::nullopt;
  }
  const auto hours = number(text.substr(0, 2), 2);
  const auto minutes = number(text.substr(3), 2);
  if (!hours || !minutes || *minutes > 59) {
    return std::nullopt;
  }
  const auto total = static_cast<uint16_t>(*hours * 60 + *minutes);
  return total <= model::day_minutes ? std::optional(total) : std::nullopt;
}

Result<void> read_stretch(string_view word, string_view where, Hours& hours) {
  const size_t dash = std::min(word.find('-'), word.size());
  const auto from = minute(word.substr(0, dash));
  const auto to = dash == word.size() ? std::nullopt : minute(word.substr(dash + 1));
  if (!from || !to || *from == model::day_minutes) {
    return bad(Code::wrong_type, word, "is no stretch of a day", where);
  }
  // Until 00:00 is until the end of the day.
  hours.from_minute = *from;
  hours.to_minute = *to == 0 ? model::day_minutes : *to;
  if (*from == *to) {
    return bad(Code::out_of_range, word, "begins when it ends; a whole day is 00:00-24:00", where);
  }
  return {};
}

Result<uint16_t> read_idle(string_view word, string_view where) {
  if (word == "idle") {
    return idle_minutes_default;
  }
  constexpr size_t digits_max = 4;
  const auto minutes =
      number(word.substr(std::min(word.size(), string_view("idle:").size())), digits_max);
  if (!word.starts_with("idle:") || !minutes) {
    return bad(Code::wrong_type, word, "is no rule; idle:30 means idle for 30 minutes", where);
  }
  if (*minutes == 0 || *minutes > model::day_minutes) {
    return bad(Code::out_of_range, word, "must have 1 to 1440 minutes", where);
  }
  return *minutes;
}

Result<Hours> read_item(string_view item, string_view where) {
  if (item == "always") {
    return Hours{};
  }
  Hours hours;
  bool has_days = false;
  bool has_stretch = false;
  for (const string_view word : cut(item, ' ')) {
    if (word.empty()) {
      continue;
    }
    const bool first = !has_stretch && hours.idle_minutes == 0;
    const auto named = days(word);
    if (named && first && !has_days) {
      hours.days = *named;
      has_days = true;
    } else if (!named && first && word.front() >= '0' && word.front() <= '9') {
      TRY(read_stretch(word, where, hours));
      has_stretch = true;
    } else if (hours.idle_minutes == 0 && word.starts_with("idle")) {
      hours.idle_minutes = TRY(read_idle(word, where));
    } else {
      return bad(Code::wrong_type, item, "is not understood at " + quote(word), where);
    }
  }
  if (!has_stretch && hours.idle_minutes == 0) {
    return bad(Code::wrong_type, item, "names no hours; a whole day is 00:00-24:00", where);
  }
  return hours;
}

std::string clock_text(uint16_t minutes) {
  const std::string hour = std::to_string(minutes / 60);
  const std::string rest = std::to_string(minutes % 60);
  return (hour.size() < 2 ? "0" : "") + hour + ":" + (rest.size() < 2 ? "0" : "") + rest;
}

std::string days_text(uint8_t bits) {
  std::string text;
  for (size_t first = 0; first < day_names.size(); ++first) {
    if ((bits >> first & 1) == 0) {
      continue;
    }
    size_t last = first;
    while (last + 1 < day_names.size() && (bits >> (last + 1) & 1) != 0) {
      ++last;
    }
    text += (text.empty() ? "" : "+") + std::string(day_names.at(first));
    text += first == last ? "" : "-" + std::string(day_names.at(last));
    first = last;
  }
  return text;
}

std::string text_of(const Hours& hours) {
  if (hours == Hours{}) {
    return "always";
  }
  std::string text;
  const auto add = [&](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  if (hours.days != model::every_day) {
    add(days_text(hours.days));
  }
  const bool whole_day = hours.from_minute == 0 && hours.to_minute == model::day_minutes;
  if (!whole_day || hours.idle_minutes == 0) {
    add(clock_text(hours.from_minute) + "-" + clock_text(hours.to_minute));
  }
  if (hours.idle_minutes == idle_minutes_default) {
    add("idle");
  } else if (hours.idle_minutes != 0) {
    add("idle:" + std::to_string(hours.idle_minutes));
  }
  return text;
}

}  // namespace

Result<std::vector<Hours>> parse_when(string_view text, string_view where) {
  const std::vector<string_view> items = cut(text.substr(0, bytes_max), ',');
  if (text.size() > bytes_max || items.size() > items_max) {
    return bad(Code::out_of_range, text, "is too long", where);
  }
  std::vector<Hours> when;
  when.reserve(items.size());
  for (const string_view item : items) {
    if (trimmed(item).empty()) {
      return bad(Code::wrong_type, text, "has an empty item", where);
    }
    when.push_back(TRY(read_item(trimmed(item), where)));
  }
  return when;
}

std::string text_of(const std::vector<Hours>& when) {
  std::string text;
  for (const Hours& hours : when) {
    text += (text.empty() ? "" : ", ") + text_of(hours);
  }
  return text;
}

}  // namespace lockstep::spec
