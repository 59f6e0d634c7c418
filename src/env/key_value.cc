#include "env/key_value.h"

namespace lockstep::env {

Result<std::optional<Bytes>> MemoryKeyValue::get(const std::string& key) {
  const auto found = values_.find(key);
  return found == values_.end() ? std::optional<Bytes>() : std::optional<Bytes>(found->second);
}

Result<void> MemoryKeyValue::apply(std::vector<Change> batch) {
  for (Change& change : batch) {
    if (change.value) {
      values_[change.key] = std::move(*change.value);
    } else {
      values_.erase(change.key);
    }
  }
  return {};
}

Result<std::vector<std::string>> MemoryKeyValue::keys(const std::string& prefix,
                                                      const std::string& after,
                                                      size_t count_max) {
  return keys_of(values_, prefix, after, count_max);
}

}  // namespace lockstep::env
