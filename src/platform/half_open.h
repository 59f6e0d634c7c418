// Connections that others opened and that have proved no key yet: how many there may be, in all and
// from one place, and which one goes when a further one comes.
#pragma once

#include <array>
#include <map>
#include <set>
#include <vector>

#include "env/network.h"

namespace lockstep::platform {

/// Where a connection comes from, as far as somebody can be told from others there.
using Origin = std::array<uint8_t, 16>;

class HalfOpen {
 public:
  HalfOpen(size_t count_max, size_t origin_max) : count_max_(count_max), origin_max_(origin_max) {}

  /// Gives those that must go to make room: the oldest ones, as an honest side is soon done and so
  /// is seldom old. Links come in the order of their numbers.
  [[nodiscard]] std::vector<env::Link> add(env::Link link, const Origin& origin) {
    std::vector<env::Link> leaving;
    const auto from_there = by_origin_.find(origin);
    if (from_there != by_origin_.end() && from_there->second.size() >= origin_max_) {
      leaving.push_back(*from_there->second.begin());
    } else if (origins_.size() >= count_max_) {
      leaving.push_back(origins_.begin()->first);
    }
    for (const env::Link old : leaving) {
      remove(old);
    }
    origins_.emplace(link, origin);
    by_origin_[origin].insert(link);
    return leaving;
  }

  void remove(env::Link link) {
    const auto found = origins_.find(link);
    if (found == origins_.end()) {
      return;
    }
    const auto siblings = by_origin_.find(found->second);
    siblings->second.erase(link);
    if (siblings->second.empty()) {
      by_origin_.erase(siblings);
    }
    origins_.erase(found);
  }

  [[nodiscard]] size_t size() const { return origins_.size(); }
  /// 0 if there is none.
  [[nodiscard]] env::Link oldest() const { return origins_.empty() ? 0 : origins_.begin()->first; }

 private:
  size_t count_max_;
  size_t origin_max_;
  std::map<env::Link, Origin> origins_;
  std::map<Origin, std::set<env::Link>> by_origin_;
};

}  // namespace lockstep::platform
