// For tests only: a key-value store that lives on when its user crashes, and fails at the nth
// change and ever after.
#pragma once

#include "env/key_value.h"

namespace lockstep::store::test {

class CrashingValues final : public env::KeyValue {
 public:
  /// Changes that still succeed.
  uint64_t lives = UINT64_MAX;
  uint64_t applied = 0;
  bool is_full = false;

  Result<std::optional<Bytes>> get(const std::string& key) override { return values_.get(key); }
  Result<void> apply(std::vector<Change> batch) override {
    if (is_full) {
      return refuse(Code::disk_full, "the disk is full");
    }
    if (lives == 0) {
      return refuse(Code::io_failed, "the machine is down");
    }
    --lives;
    ++applied;
    return values_.apply(std::move(batch));
  }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return values_.keys(prefix, after, count_max);
  }
  [[nodiscard]] std::vector<std::string> all(const std::string& prefix) {
    return values_.keys(prefix, "", SIZE_MAX).value();
  }

 private:
  env::MemoryKeyValue values_;
};

}  // namespace lockstep::store::test
