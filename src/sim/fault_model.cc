#include "sim/fault_model.h"

#include <algorithm>
#include <map>
#include <set>

#include "sim/random.h"

namespace lockstep::sim {
namespace {

using model::CrashPoint;
using model::FaultSpan;

constexpr uint32_t whole_millionths = 1'000'000;
constexpr uint32_t loss_millionths_max = 50'000;  // that may go on for ever
constexpr uint32_t factor_max = 20;
constexpr int32_t drift_ppm_max = 1000;
constexpr uint64_t wait_ms_max = 60'000;
constexpr uint64_t time_ms_max = uint64_t{1} << 40;

Error beyond(const std::string& fault, const std::string& what) {
  return refuse(Code::bad_option,
                what,
                "see docs/fault_model.md for what a network may suffer",
                "faults." + fault);
}

/// Shares of D: a machine may be away for two fifths and must then be left alone for three.
uint64_t cut_ms_max(const model::Genesis& genesis) {
  return genesis.answer_ms * 2 / 5;
}
uint64_t calm_ms_min(const model::Genesis& genesis) {
  return genesis.answer_ms * 3 / 5;
}
uint64_t small_ms_max(const model::Genesis& genesis) {
  return genesis.answer_ms / 5;
}

bool is_name(const std::string& name) {
  return name == "ledger" || name == "requester" || name.starts_with("provider-") ||
         name.starts_with("auditor-");
}

bool is_span(const FaultSpan& span) {
  return span.from_ms < span.until_ms && span.until_ms <= time_ms_max;
}

Result<void> check_links(const model::Faults& faults, const model::Genesis& genesis) {
  for (const model::LinkFault& link : faults.links) {
    const bool named =
        (link.from.empty() || is_name(link.from)) && (link.to.empty() || is_name(link.to));
    if (!named || !is_span(link.span) || link.lost > whole_millionths ||
        link.duplicated > whole_millionths || link.held_back > whole_millionths) {
      return beyond("links", "a link's fault has no machine, no time or no share");
    }
    if (link.held_ms > small_ms_max(genesis) || link.slow_factor < 1 ||
        link.slow_factor > factor_max) {
      return beyond("links", "a message is held back for longer than D/5, or slowed too much");
    }
  }
  for (const model::PartitionFault& cut : faults.partitions) {
    if (cut.side.empty() || !std::all_of(cut.side.begin(), cut.side.end(), is_name) ||
        !is_span(cut.span)) {
      return beyond("partitions", "a partition has no machines or no time");
    }
  }
  return {};
}

Result<void> check_machines(const model::Faults& faults, const model::Genesis& genesis) {
  for (const model::SlowFault& slow : faults.slow) {
    if (!is_name(slow.who) || !is_span(slow.span) || slow.factor < 1 || slow.factor > factor_max) {
      return beyond("slow", "a machine is slowed by more than a factor of 20");
    }
  }
  const auto small = static_cast<int64_t>(small_ms_max(genesis));
  for (const model::ClockFault& clock : faults.clocks) {
    if (!is_name(clock.who) || !is_span(clock.span) || clock.drift_ppm > drift_ppm_max ||
        clock.drift_ppm < -drift_ppm_max) {
      return beyond("clocks", "a clock drifts by more than 1000 parts in a million");
    }
    const auto length = static_cast<int64_t>(clock.span.until_ms - clock.span.from_ms);
    const int64_t drift = length * std::abs(clock.drift_ppm) / whole_millionths;
    if (clock.offset_ms > small || clock.offset_ms < -small ||
        std::abs(clock.offset_ms) + drift > small) {
      return beyond("clocks", "a clock is off by more than D/5");
    }
  }
  return {};
}

Result<void> check_disks(const model::Faults& faults) {
  static const std::set<std::string> sites = {
      "", "receipt", "voucher", "forget", "blob", "block", "placed", "accepted", "job"};
  for (const model::CrashFault& crash : faults.crashes) {
    if (!is_name(crash.who) || crash.at_ms > time_ms_max || crash.wait_ms > wait_ms_max ||
        !sites.contains(crash.site) || crash.restart_ms == uint64_t{0}) {
      return beyond("crashes", "a crash has no machine, no known place or no time");
    }
    if ((crash.who == "ledger" || crash.who == "requester") && !crash.restart_ms) {
      return beyond("crashes", "the ledger's node and the requester must come back");
    }
  }
  for (const model::FullFault& full : faults.full) {
    if (!is_name(full.who) || !is_span(full.span)) {
      return beyond("full", "a full disk has no machine or no time");
    }
  }
  bool book_rots = false;
  for (const model::RotFault& rot : faults.rot) {
    const bool book = rot.who == "requester" && !rot.blob;
    if (!is_name(rot.who) || rot.at_ms > time_ms_max || rot.who == "ledger" ||
        (rot.who == "requester" && rot.blob)) {
      return beyond("rot", "the ledger's log and the requester's blobs are the only copies");
    }
    if (book && book_rots) {
      return beyond("rot", "two values of the requester's book may be a record and its twin");
    }
    book_rots = book_rots || book;
  }
  return {};
}

/// When a machine cannot do its part: it is down, full, or does not reach the ledger.
using Cuts = std::map<std::string, std::vector<FaultSpan>>;

bool fits(const std::string& pattern, const std::string& name) {
  return pattern.empty() || pattern == name;
}

/// Everybody whom a fault names, with the ledger and the requester, whom all need.
std::set<std::string> everybody(const model::Faults& faults) {
  std::set<std::string> names = {"ledger", "requester", "provider-*", "auditor-*"};
  for (const model::LinkFault& link : faults.links) {
    names.insert(link.from);
    names.insert(link.to);
  }
  for (const model::PartitionFault& cut : faults.partitions) {
    names.insert(cut.side.begin(), cut.side.end());
  }
  for (const model::CrashFault& crash : faults.crashes) {
    names.insert(crash.who);
  }
  for (const model::FullFault& full : faults.full) {
    names.insert(full.who);
  }
  names.erase("");
  return names;
}

void add_links(const model::Faults& faults, const std::set<std::string>& names, Cuts& cuts) {
  // A machine needs the ledger for its deadlines and the requester for its inputs.
  for (const std::string& name : names) {
    for (const std::string& other : {std::string("ledger"), std::string("requester")}) {
      for (const model::LinkFault& link : faults.links) {
        const bool between = (fits(link.from, name) && fits(link.to, other)) ||
                             (fits(link.from, other) && fits(link.to, name));
        if (between && name != other && link.lost > loss_millionths_max) {
          cuts[name].push_back(link.span);
        }
      }
      for (const model::PartitionFault& cut : faults.partitions) {
        const auto has = [&](const std::string& one) {
          return std::find(cut.side.begin(), cut.side.end(), one) != cut.side.end();
        };
        if (has(name) != has(other)) {
          cuts[name].push_back(cut.span);
        }
      }
    }
  }
}

void add_machines(const model::Faults& faults, Cuts& cuts) {
  for (const model::CrashFault& crash : faults.crashes) {
    // Who is gone for good is no longer promised anything; and what is forgotten is settled.
    if (crash.restart_ms && crash.site != "forget") {
      const uint64_t wait_ms = crash.point == CrashPoint::now ? 0 : crash.wait_ms;
      cuts[crash.who].push_back({crash.at_ms, crash.at_ms + wait_ms + *crash.restart_ms});
    }
  }
  for (const model::FullFault& full : faults.full) {
    cuts[full.who].push_back(full.span);
  }
}

/// No cut is longer than `longest_ms`, and one is apart from the next by what calm_ms_min() asks.
Result<void> check_spans(const std::string& name,
                         std::vector<FaultSpan> spans,
                         uint64_t longest_ms,
                         const model::Genesis& genesis) {
  std::sort(spans.begin(), spans.end(), [](const FaultSpan& a, const FaultSpan& b) {
    return a.from_ms < b.from_ms;
  });
  std::optional<FaultSpan> open;
  for (const FaultSpan& span : spans) {
    if (open && span.from_ms > open->until_ms &&
        span.from_ms < open->until_ms + calm_ms_min(genesis)) {
      return beyond(name, "a machine is cut off again before 3/5 of D have passed");
    }
    const bool apart = !open || span.from_ms > open->until_ms;
    open = apart ? span : FaultSpan{open->from_ms, std::max(open->until_ms, span.until_ms)};
    if (open->until_ms - open->from_ms > longest_ms) {
      return beyond(name, "a machine is cut off for too long");
    }
  }
  return {};
}

Result<void> check_cuts(const model::Faults& faults, const model::Genesis& genesis) {
  const std::set<std::string> names = everybody(faults);
  Cuts links;
  add_links(faults, names, links);
  Cuts machines;
  add_machines(faults, machines);
  const std::vector<FaultSpan> ledger = machines["ledger"];  // when it is down all are cut off
  const std::vector<FaultSpan> requester = machines["requester"];  // and most, when this is
  for (const std::string& name : names) {
    // A requester that does not hear a provider places its tasks again, while the provider, who
    // lives, claims them.
    const bool placed_again = !name.starts_with("auditor-");
    const uint64_t longest_ms = placed_again ? small_ms_max(genesis) : cut_ms_max(genesis);
    TRY(check_spans(name, links[name], longest_ms, genesis));
    std::vector<FaultSpan> all = links[name];
    all.insert(all.end(), machines[name].begin(), machines[name].end());
    if (name != "ledger") {
      all.insert(all.end(), ledger.begin(), ledger.end());
    }
    if (name != "ledger" && name != "requester") {
      all.insert(all.end(), requester.begin(), requester.end());
    }
    TRY(check_spans(name, std::move(all), cut_ms_max(genesis), genesis));
  }
  return {};
}

}  // namespace

Result<void> within_model(const model::Faults& faults, const model::Genesis& genesis) {
  TRY(check_links(faults, genesis));
  TRY(check_machines(faults, genesis));
  TRY(check_disks(faults));
  return check_cuts(faults, genesis);
}

uint64_t faults_over_ms(const model::Faults& faults) {
  uint64_t over = 0;
  const auto spans = [&](const auto& list) {
    for (const auto& fault : list) {
      over = std::max(over, fault.span.until_ms);
    }
  };
  spans(faults.links);
  spans(faults.partitions);
  spans(faults.slow);
  spans(faults.clocks);
  spans(faults.full);
  for (const model::CrashFault& crash : faults.crashes) {
    const uint64_t wait_ms = crash.point == CrashPoint::now ? 0 : crash.wait_ms;
    over = std::max(over, crash.at_ms + wait_ms + crash.restart_ms.value_or(0));
  }
  for (const model::RotFault& rot : faults.rot) {
    over = std::max(over, rot.at_ms);
  }
  return over;
}

}  // namespace lockstep::sim
