// What was seen lately: so that something said again counts once, and what belongs to it is known.
#pragma once

#include <deque>
#include <map>
#include <utility>

namespace lockstep::apps {

struct Nothing {};

/// The last keys that were added, with a value each.
template <class Key, class Value = Nothing>
class Recent {
 public:
  explicit Recent(size_t count_max) : count_max_(count_max) {}
  /// True: not seen before, or long ago.
  bool add(const Key& key, Value value = {}) {
    if (!known_.emplace(key, std::move(value)).second) {
      return false;
    }
    order_.push_back(key);
    if (order_.size() > count_max_) {
      known_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }
  /// Null: not seen, or long ago.
  [[nodiscard]] const Value* find(const Key& key) const {
    const auto found = known_.find(key);
    return found == known_.end() ? nullptr : &found->second;
  }

 private:
  size_t count_max_;
  std::map<Key, Value> known_;
  std::deque<Key> order_;
};

}  // namespace lockstep::apps
