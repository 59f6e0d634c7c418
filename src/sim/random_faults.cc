// Random plans of faults: candidates are drawn, and those that would leave the model are dropped.
#include <algorithm>

#include "sim/fault_model.h"
#include "sim/random.h"

namespace lockstep::sim {
namespace {

using model::CrashPoint;
using model::Faults;
using model::FaultSpan;

constexpr uint64_t begin_ms_max = 9000;
constexpr uint64_t busy_from_ms = 200;  // while small jobs are placed and run
constexpr uint64_t busy_until_ms = 2500;
constexpr uint32_t candidates_min = 6;
constexpr uint32_t candidates_max = 12;
constexpr uint64_t requester_stream = 0x7265717565737465;  // draws nothing from the others
constexpr uint32_t requester_candidates_max = 3;

class Drawer {
 public:
  Drawer(uint64_t seed, uint32_t providers, uint32_t auditors)
      : random_(seed), providers_(providers), auditors_(auditors) {}

  Faults draw() {
    Faults plan;
    const uint64_t candidates = random_.between(candidates_min, candidates_max);
    for (uint64_t i = 0; i < candidates; ++i) {
      Faults next = plan;
      add(next);
      if (within_model(next, model::Genesis()).ok()) {
        plan = std::move(next);
      }
    }
    return plan;
  }

  /// What the requester's machine suffers, beside the rest.
  void draw_requester(Faults& plan) {
    const uint64_t candidates = random_.between(0, requester_candidates_max);
    for (uint64_t i = 0; i < candidates; ++i) {
      Faults next = plan;
      add_requester(next);
      if (within_model(next, model::Genesis()).ok()) {
        plan = std::move(next);
      }
    }
  }

 private:
  void add_requester(Faults& plan) {
    const uint64_t kind = random_.between(0, 7);
    if (kind == 0) {
      plan.full.push_back({"requester", span(2000)});
      return;
    }
    model::CrashFault crash;
    crash.who = "requester";
    crash.at_ms = time_ms();
    crash.point =
        static_cast<CrashPoint>(random_.between(0, static_cast<uint64_t>(model::crash_point_last)));
    crash.wait_ms = random_.between(300, 1500);
    crash.restart_ms = random_.between(1, 2000 - crash.wait_ms);
    static constexpr const char* sites[] = {"", "job", "placed", "accepted", "block", "blob"};
    crash.site = sites[random_.between(0, std::size(sites) - 1)];
    if (kind == 1) {  // what rots is read when it comes up again
      plan.rot.push_back({crash.who, crash.at_ms, false});
    }
    plan.crashes.push_back(crash);
  }

  void add(Faults& plan) {
    switch (random_.between(0, 12)) {
      case 0:
        return add_loss(plan);
      case 1:
        return add_dead_link(plan);
      case 2:
        return add_partition(plan);
      case 3:
        plan.slow.push_back({anybody(), span(3000), factor()});
        return;
      case 4:
        return add_clock(plan);
      case 5:
        plan.full.push_back({worker_or_ledger(), span(2000)});
        return;
      case 6:
        return add_rot(plan);
      default:
        return add_crash(plan);
    }
  }

  void add_loss(Faults& plan) {
    constexpr uint32_t share = 50'000;
    model::LinkFault link{maybe_anybody(), maybe_anybody(), span(8000), 0, 0, 0, 0, 1};
    link.lost = static_cast<uint32_t>(random_.between(0, share));
    link.duplicated = static_cast<uint32_t>(random_.between(0, uint64_t{4} * share));
    link.held_back = static_cast<uint32_t>(random_.between(0, uint64_t{4} * share));
    link.held_ms = random_.between(10, 1000);
    plan.links.push_back(link);
  }

  void add_dead_link(Faults& plan) {
    model::LinkFault link{anybody(), maybe_anybody(), span(1000), 0, 0, 0, 0, 1};
    if (random_.chance(300'000)) {
      link.slow_factor = factor();
    } else {
      link.lost = 1'000'000;
    }
    if (random_.chance(500'000)) {
      std::swap(link.from, link.to);
    }
    plan.links.push_back(link);
  }

  void add_partition(Faults& plan) {
    std::vector<std::string> side;
    const uint64_t count = random_.between(1, 2);
    for (uint64_t i = 0; i < count; ++i) {
      side.push_back(anybody());
    }
    plan.partitions.push_back({std::move(side), span(1000)});
  }

  void add_clock(Faults& plan) {
    constexpr int64_t off_ms = 950;
    const auto offset = static_cast<int64_t>(random_.between(0, 2 * off_ms)) - off_ms;
    const auto drift = static_cast<int32_t>(random_.between(0, 2000)) - 1000;
    plan.clocks.push_back({anybody(), span(20'000), offset, drift});
  }

  /// What a provider wrote down is read when it comes up again.
  void add_rot(Faults& plan) {
    const uint64_t at_ms = time_ms();
    if (random_.chance(500'000)) {
      plan.rot.push_back({worker(), at_ms, true});
      return;
    }
    const std::string who = provider();
    plan.rot.push_back({who, at_ms, false});
    model::CrashFault crash;
    crash.who = who;
    crash.at_ms = at_ms + 1;
    crash.restart_ms = random_.between(1, 1500);
    plan.crashes.push_back(crash);
  }

  void add_crash(Faults& plan) {
    model::CrashFault crash;
    crash.who = worker_or_ledger();
    crash.at_ms = time_ms();
    crash.point =
        static_cast<CrashPoint>(random_.between(0, static_cast<uint64_t>(model::crash_point_last)));
    crash.wait_ms = random_.between(300, 1500);
    crash.restart_ms = random_.between(1, 2000 - crash.wait_ms);
    const bool writes = crash.point != CrashPoint::now && crash.point != CrashPoint::after_send;
    if (writes && crash.who.starts_with("auditor")) {
      crash.site = "blob";
      crash.at_ms = random_.between(1000, 5000);
    } else if (writes && crash.who.starts_with("provider")) {
      static constexpr const char* sites[] = {"", "receipt", "voucher", "forget", "blob"};
      crash.site = sites[random_.between(0, std::size(sites) - 1)];
      if (crash.site == "forget") {
        crash.wait_ms = 60'000;
      } else if (!crash.site.empty()) {
        crash.at_ms = random_.between(0, busy_from_ms + 800);
      }
    }
    plan.crashes.push_back(crash);
  }

  FaultSpan span(uint64_t longest_ms) {
    const uint64_t from_ms = time_ms();
    return {from_ms, from_ms + random_.between(50, longest_ms)};
  }
  uint64_t time_ms() {
    return random_.chance(500'000) ? random_.between(busy_from_ms, busy_until_ms)
                                   : random_.between(0, begin_ms_max);
  }
  uint32_t factor() { return static_cast<uint32_t>(random_.between(2, 20)); }
  std::string provider() { return "provider-" + std::to_string(random_.between(1, providers_)); }
  std::string worker() {
    const uint64_t number = random_.between(1, uint64_t{providers_} + auditors_);
    return number <= providers_ ? "provider-" + std::to_string(number)
                                : "auditor-" + std::to_string(number - providers_);
  }
  std::string worker_or_ledger() { return random_.chance(250'000) ? "ledger" : worker(); }
  std::string anybody() { return random_.chance(200'000) ? "requester" : worker_or_ledger(); }
  std::string maybe_anybody() { return random_.chance(500'000) ? "" : anybody(); }

  Random random_;
  uint32_t providers_;
  uint32_t auditors_;
};

}  // namespace

model::Faults random_faults(uint64_t seed, uint32_t providers, uint32_t auditors) {
  Faults plan = Drawer(seed, providers, auditors).draw();
  Drawer(seed ^ requester_stream, providers, auditors).draw_requester(plan);
  return plan;
}

model::Faults requester_faults(uint64_t seed) {
  Faults plan;
  while (plan.crashes.empty()) {
    Drawer(seed++, 1, 0).draw_requester(plan);
  }
  return plan;
}

}  // namespace lockstep::sim
