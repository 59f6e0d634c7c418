#include "place/working_hours.h"

#include <algorithm>

namespace lockstep::place {
namespace {

constexpr uint32_t week_minutes = uint32_t{model::week_days} * model::day_minutes;
constexpr uint32_t ask_minutes_max = 60;

struct Stretch {
  bool inside = false;
  uint32_t until_change = week_minutes;
};

/// The stretch around a minute of the week, or the next one.
Stretch stretch_at(const model::Hours& hours, uint32_t minute_of_week) {
  const uint32_t from = std::min(hours.from_minute, model::day_minutes);
  const uint32_t to = std::min(hours.to_minute, model::day_minutes);
  const uint32_t length = to > from ? to - from : to + model::day_minutes - from;
  Stretch found;
  for (uint32_t day = 0; day < model::week_days; ++day) {
    if ((hours.days >> day & 1) == 0) {
      continue;
    }
    const uint32_t start = day * model::day_minutes + from;
    const uint32_t since = (minute_of_week + 2 * week_minutes - start) % week_minutes;
    const bool inside = since < length;
    found.inside = found.inside || inside;
    found.until_change =
        std::min(found.until_change, inside ? length - since : week_minutes - since);
  }
  return found;
}

}  // namespace

MayWork may_work(std::span<const model::Hours> when, const Moment& moment) {
  const uint32_t now = (moment.week_day % model::week_days * uint32_t{model::day_minutes} +
                        moment.minute % model::day_minutes);
  bool at_any_load = false;
  bool while_idle = false;
  uint32_t change = ask_minutes_max;
  uint32_t idle_in = ask_minutes_max;
  for (const model::Hours& hours : when) {
    const Stretch stretch = stretch_at(hours, now);
    change = std::min(change, stretch.until_change);
    if (!stretch.inside) {
      continue;
    }
    at_any_load = at_any_load || hours.idle_minutes == 0;
    if (hours.idle_minutes <= moment.idle_minutes) {
      while_idle = while_idle || hours.idle_minutes > 0;
    } else {
      idle_in = std::min(idle_in, hours.idle_minutes - moment.idle_minutes);
    }
  }
  if (at_any_load) {
    return {true, std::max(1U, change)};
  }
  // The owner may be back at any time.
  return while_idle ? MayWork{true, 1} : MayWork{false, std::max(1U, std::min(change, idle_in))};
}

}  // namespace lockstep::place
