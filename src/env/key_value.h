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
  /// All changes or none; durable when it returns. Errors: io_failed.
  virtual Result<void> apply(std::vector<Change> batch) = 0;
};

class MemoryKeyValue final : public KeyValue {
 public:
  Result<std::optional<Bytes>> get(const std::string& key) override;
  Result<void> apply(std::vector<Change> batch) override;

 private:
  std::map<std::string, Bytes> values_;
};

}  // namespace lockstep::env
