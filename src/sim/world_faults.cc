// The faults of a plan, as they strike a simulated network: crashes, full and rotting disks,
// clocks.
#include <algorithm>

#include "sim/machine.h"

namespace lockstep::sim {
namespace {

constexpr uint64_t us_per_ms = 1000;
constexpr int64_t million = 1'000'000;

/// How far a clock is off, in microseconds.
int64_t error_us(const model::Faults& faults, const std::string& who, uint64_t now_us) {
  int64_t sum = 0;
  for (const model::ClockFault& clock : faults.clocks) {
    if (clock.who != who || !is_during(clock.span, now_us)) {
      continue;
    }
    const auto since_us = static_cast<int64_t>(now_us - clock.span.from_ms * us_per_ms);
    sum += clock.offset_ms * static_cast<int64_t>(us_per_ms) +
           since_us / million * clock.drift_ppm + since_us % million * clock.drift_ppm / million;
  }
  return sum;
}

}  // namespace

std::optional<size_t> World::machine_named(const std::string& name) const {
  for (size_t i = 0; i < machines_.size(); ++i) {
    if (machines_[i]->name == name) {
      return i;
    }
  }
  return std::nullopt;
}

Result<void> World::check_names() const {
  const model::Faults& faults = options_.faults;
  std::vector<std::string> names;
  for (const model::LinkFault& link : faults.links) {
    for (const std::string& name : {link.from, link.to}) {
      if (!name.empty()) {
        names.push_back(name);
      }
    }
  }
  for (const model::PartitionFault& cut : faults.partitions) {
    names.insert(names.end(), cut.side.begin(), cut.side.end());
  }
  const auto add = [&](const auto& list) {
    for (const auto& fault : list) {
      names.push_back(fault.who);
    }
  };
  add(faults.slow);
  add(faults.clocks);
  add(faults.crashes);
  add(faults.full);
  add(faults.rot);
  for (const std::string& name : names) {
    if (!machine_named(name)) {
      return refuse(Code::bad_option,
                    "a fault names a machine that this network does not have",
                    "name one of its machines",
                    name);
    }
  }
  return {};
}

void World::plan_faults() {
  const model::Faults& faults = options_.faults;
  for (size_t i = 0; i < faults.crashes.size(); ++i) {
    planned_.push_back({faults.crashes[i].at_ms * us_per_ms, Planned::Kind::crash, i});
  }
  for (size_t i = 0; i < faults.full.size(); ++i) {
    planned_.push_back({faults.full[i].span.from_ms * us_per_ms, Planned::Kind::full_begins, i});
    planned_.push_back({faults.full[i].span.until_ms * us_per_ms, Planned::Kind::full_ends, i});
  }
  for (size_t i = 0; i < faults.rot.size(); ++i) {
    planned_.push_back({faults.rot[i].at_ms * us_per_ms, Planned::Kind::rot, i});
  }
  std::stable_sort(planned_.begin(), planned_.end(), [](const Planned& a, const Planned& b) {
    return a.at_us < b.at_us;
  });
}

void World::strike_due(Observer& observer) {
  while (!planned_.empty() && planned_.front().at_us <= now_us_) {
    const Planned planned = planned_.front();
    planned_.erase(planned_.begin());
    strike(planned, observer);
  }
}

void World::strike(const Planned& planned, Observer& observer) {
  const model::Faults& faults = options_.faults;
  if (planned.kind == Planned::Kind::full_begins || planned.kind == Planned::Kind::full_ends) {
    const std::string& who = faults.full[planned.place].who;
    const bool full = std::any_of(faults.full.begin(), faults.full.end(), [&](const auto& fault) {
      return fault.who == who && is_during(fault.span, now_us_);
    });
    machines_[*machine_named(who)]->disk_faults.set_full(full);
    return;
  }
  if (planned.kind == Planned::Kind::rot) {
    const model::RotFault& rot = faults.rot[planned.place];
    Machine& machine = *machines_[*machine_named(rot.who)];
    const Random random(secret_of(options_.seed, rot.who).bytes[0] + rot.at_ms);
    if (rot.blob ? machine.blob_disk.rot(random) : machine.disk.rot(random)) {
      counts_.fired(rot.blob ? FaultPoint::blob_rot : FaultPoint::disk_rot);
    }
    return;
  }
  const model::CrashFault& crash = faults.crashes[planned.place];
  const size_t index = *machine_named(crash.who);
  Machine& machine = *machines_[index];
  if (!machine.up) {
    return;
  }
  machine.restart_ms = crash.restart_ms;
  if (crash.point == model::CrashPoint::now) {
    kill(index, observer);
    return;
  }
  if (crash.point == model::CrashPoint::after_send) {
    machine.dies_sending = true;
    machine.sends_left = crash.skip;
  } else {
    machine.disk_faults.arm(
        crash.point, crash.site, Random(options_.seed + crash.at_ms), crash.skip);
  }
  deadlines_.emplace_back(now_us_ + crash.wait_ms * us_per_ms, index);
}

bool World::is_clock_off(const Machine& machine) const {
  const auto& clocks = options_.faults.clocks;
  return std::any_of(
      clocks.begin(), clocks.end(), [&](const auto& clock) { return clock.who == machine.name; });
}

uint64_t World::clock_ms(Machine& machine) {
  if (!is_clock_off(machine)) {
    return now_ms();
  }
  const int64_t off_us = error_us(options_.faults, machine.name, now_us_);
  if (off_us != 0) {
    counts_.fired(off_us > 0 ? FaultPoint::clock_ahead : FaultPoint::clock_behind);
  }
  const int64_t local_us = std::max<int64_t>(0, static_cast<int64_t>(now_us_) + off_us);
  machine.told_ms = std::max(machine.told_ms, static_cast<uint64_t>(local_us) / us_per_ms);
  return machine.told_ms;
}

/// When a machine's clock will say `at_ms`, as far as is known now; whoever takes the timer looks
/// at the clock again.
uint64_t World::timer_us(Machine& machine, uint64_t at_ms) {
  if (!is_clock_off(machine)) {
    return std::max(at_ms * us_per_ms, now_us_ + 1);
  }
  const uint64_t local_ms = clock_ms(machine);
  return at_ms <= local_ms ? now_us_ + 1 : now_us_ + (at_ms - local_ms) * us_per_ms;
}

void World::count_crash(const Machine& machine, bool after_send) {
  const bool auditor = machine.name.starts_with("auditor");
  if (machine.name == "requester") {
    counts_.fired(after_send ? FaultPoint::crash_requester_sent : FaultPoint::crash_requester);
  } else if (machine.name == "ledger") {
    counts_.fired(after_send ? FaultPoint::crash_ledger_sent : FaultPoint::crash_ledger);
  } else if (auditor) {
    counts_.fired(after_send ? FaultPoint::crash_auditor_sent : FaultPoint::crash_auditor);
  } else {
    counts_.fired(after_send ? FaultPoint::crash_provider_sent : FaultPoint::crash_provider);
  }
}

}  // namespace lockstep::sim
