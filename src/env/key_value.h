// An ordered key-value store with atomic batches, and one that lives in memory.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace lockstep::env {

class KeyValue {
 public:
  struct Change {
    std::string key;
    std::optional<Bytes> value;  // none deletes
  };
  virtual ~KeyValue() = default;
  /// Nothing when the key is absent. Errors: io_failed.
  virtual Result<std::optional<Bytes>> get(const std::string& key) = 0;
  /// All changes or none, after all earlier ones. Durable before anything that happens afterwards
  /// is seen outside of this machine: at once, or in one go with others by sync(), which whoever
  /// lets a node speak calls first. Errors: io_failed, disk_full.
  virtual Result<void> apply(std::vector<Change> batch) = 0;
  /// Makes everything applied so far durable. Errors: io_failed, disk_full.
  virtual Result<void> sync() { return {}; }
  /// Keys that begin with `prefix` and come after `after` (bytewise; empty: from the first one), in
  /// order, at most `count_max`. Errors: io_failed.
  virtual Result<std::vector<std::string>> keys(const std::string& prefix,
                                                const std::string& after,
                                                size_t count_max) = 0;
};

/// What KeyValue::keys() gives for a store that is this map.
template <class Value>
std::vector<std::string> keys_of(const std::map<std::string, Value>& values,
                                 const std::string& prefix,
                                 const std::string& after,
                                 size_t count_max) {
  std::vector<std::string> keys;
  auto at = after < prefix ? values.lower_bound(prefix) : values.upper_bound(after);
  for (; at != values.end() && at->first.starts_with(prefix) && keys.size() < count_max; ++at) {
    keys.push_back(at->first);
  }
  return keys;
}

class MemoryKeyValue final : public KeyValue {
 public:
  Result<std::optional<Bytes>> get(const std::string& key) override;
  Result<void> apply(std::vector<Change> batch) override;
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override;

 private:
  std::map<std::string, Bytes> values_;
};

}  // namespace lockstep::env
