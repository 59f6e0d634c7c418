#include "sim/network.h"

#include <algorithm>

namespace lockstep::sim {
namespace {

constexpr uint32_t always_millionths = 1'000'000;

bool fits(const std::string& pattern, const std::string& name) {
  return pattern.empty() || pattern == name;
}

}  // namespace

uint32_t slowness(const model::Faults& faults, uint64_t now_us, const std::string& who) {
  uint32_t factor = 1;
  for (const model::SlowFault& slow : faults.slow) {
    if (slow.who == who && is_during(slow.span, now_us)) {
      factor = std::max(factor, slow.factor);
    }
  }
  return factor;
}

bool Network::is_cut(uint64_t now_us, const std::string& from, const std::string& to) const {
  const auto has = [](const std::vector<std::string>& side, const std::string& name) {
    return std::find(side.begin(), side.end(), name) != side.end();
  };
  return std::any_of(faults_->partitions.begin(), faults_->partitions.end(), [&](const auto& cut) {
    return is_during(cut.span, now_us) && has(cut.side, from) != has(cut.side, to);
  });
}

uint64_t Network::slowed(uint64_t now_us,
                         const std::string& from,
                         const std::string& to,
                         uint64_t delay_us) {
  const uint32_t node = std::max(slowness(*faults_, now_us, from), slowness(*faults_, now_us, to));
  if (node > 1) {
    counts_->fired(FaultPoint::node_slow);
  }
  return delay_us * node;
}

std::vector<uint64_t> Network::arrivals(uint64_t now_us,
                                        const std::string& from,
                                        const std::string& to,
                                        Random& random) {
  const uint64_t drawn_us = random.between(always_.delay_us_min, always_.delay_us_max);
  if (always_.loss_millionths > 0 && random.chance(always_.loss_millionths)) {
    counts_->fired(FaultPoint::message_lost);
    return {};
  }
  if (faults_->empty()) {
    return {now_us + drawn_us};
  }
  if (is_cut(now_us, from, to)) {
    counts_->fired(FaultPoint::partition_cut);
    return {};
  }
  uint64_t delay_us = slowed(now_us, from, to, drawn_us);
  uint64_t held_us = 0;
  std::optional<uint64_t> again_us;
  for (const model::LinkFault& link : faults_->links) {
    if (!fits(link.from, from) || !fits(link.to, to) || !is_during(link.span, now_us)) {
      continue;
    }
    if (link.lost > 0 && fault_random_.chance(link.lost)) {
      counts_->fired(link.lost >= always_millionths ? FaultPoint::link_one_way
                                                    : FaultPoint::message_lost);
      return {};
    }
    if (link.slow_factor > 1) {
      counts_->fired(FaultPoint::link_slow);
      delay_us *= link.slow_factor;
    }
    if (link.duplicated > 0 && fault_random_.chance(link.duplicated)) {
      counts_->fired(FaultPoint::message_duplicated);
      again_us = fault_random_.between(1, 2 * always_.delay_us_max);
    }
    if (link.held_back > 0 && fault_random_.chance(link.held_back)) {
      held_us = fault_random_.between(0, link.held_ms * 1000);
    }
  }
  uint64_t& held_until_us = held_until_[{from, to}];
  const uint64_t arrival_us = now_us + delay_us + held_us;
  if (arrival_us < held_until_us) {
    counts_->fired(FaultPoint::message_reordered);
  }
  if (held_us > 0) {
    held_until_us = std::max(held_until_us, arrival_us);
  }
  std::vector<uint64_t> arrivals = {arrival_us};
  if (again_us) {
    arrivals.push_back(arrival_us + *again_us);
  }
  return arrivals;
}

}  // namespace lockstep::sim
