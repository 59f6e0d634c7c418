#include "apps/working_time.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

#include "platform/loop.h"

namespace lockstep::apps {
namespace {

/// "cpu  user nice system idle iowait irq softirq steal …": all that is neither idle nor stolen.
std::optional<uint64_t> busy_ticks() {
  std::ifstream file("/proc/stat");
  std::string name;
  uint64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft = 0;
  if (!(file >> name >> user >> nice >> system >> idle >> waiting >> irq >> soft)) {
    return std::nullopt;
  }
  return user + nice + system + irq + soft;
}

std::optional<uint64_t> own_ticks() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  constexpr int before_times = 11;
  std::istringstream words(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < before_times; ++i) {
    words >> skipped;
  }
  uint64_t user = 0;
  uint64_t system = 0;
  return words >> user >> system ? std::optional(user + system) : std::nullopt;
}

uint32_t online_cpus() {
  return static_cast<uint32_t>(std::max<int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN)));
}

uint64_t ticks_per_second() {
  return static_cast<uint64_t>(std::max<int64_t>(1, sysconf(_SC_CLK_TCK)));
}

}  // namespace

std::optional<LoadSample> sample_load() {
  const auto own = own_ticks();
  const auto busy = busy_ticks();
  if (!own || !busy) {
    return std::nullopt;
  }
  return LoadSample{platform::Loop::monotonic_ms(), *busy, *own};
}

uint32_t IdleMeter::idle_minutes(const LoadSample& sample) {
  constexpr uint64_t minute_ms = 60'000;
  constexpr uint64_t tenth = 10;
  if (!last_) {
    last_ = sample;
    busy_ms_ = sample.now_ms;
  }
  const uint64_t passed_ms = sample.now_ms - last_->now_ms;
  if (passed_ms >= look_ms) {
    const uint64_t busy = sample.busy_ticks - std::min(sample.busy_ticks, last_->busy_ticks);
    const uint64_t own = sample.own_ticks - std::min(sample.own_ticks, last_->own_ticks);
    const uint64_t others = busy - std::min(busy, own);
    const uint64_t all = passed_ms * ticks_per_second_ * cpus_ / 1000;
    busy_ms_ = others * tenth > all ? sample.now_ms : busy_ms_;
    last_ = sample;
  }
  return static_cast<uint32_t>((sample.now_ms - busy_ms_) / minute_ms);
}

place::Moment local_moment() {
  constexpr int week_days = 7;
  constexpr int hour_minutes = 60;
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  (void)localtime_r(&now, &parts);
  place::Moment moment;
  moment.week_day = static_cast<uint8_t>((parts.tm_wday + week_days - 1) % week_days);
  moment.minute = static_cast<uint16_t>(parts.tm_hour * hour_minutes + parts.tm_min);
  return moment;
}

WorkingTime::WorkingTime(std::vector<model::Hours> when)
    : when_(std::move(when)), meter_(online_cpus(), ticks_per_second()) {}

bool WorkingTime::may_work_now() {
  place::Moment moment = local_moment();
  const auto load = sample_load();
  moment.idle_minutes = load ? meter_.idle_minutes(*load) : 0;
  return place::may_work(when_, moment).now;
}

}  // namespace lockstep::apps
