// A store that tells when writing begins to fail, and when it works again.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "env/key_value.h"

namespace lockstep::apps {

class ToldStore final : public env::KeyValue {
 public:
  /// Called on whichever thread wrote.
  using Tell = std::function<void(const std::optional<Error>& error)>;
  ToldStore(env::KeyValue& inner, Tell tell) : inner_(&inner), tell_(std::move(tell)) {}
  Result<std::optional<Bytes>> get(const std::string& key) override { return inner_->get(key); }
  Result<void> apply(std::vector<Change> batch) override {
    auto done = inner_->apply(std::move(batch));
    if (failed_.exchange(!done.ok()) == done.ok()) {
      tell_(done.ok() ? std::nullopt : std::optional(done.error()));
    }
    return done;
  }
  Result<void> sync() override { return inner_->sync(); }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return inner_->keys(prefix, after, count_max);
  }

 private:
  env::KeyValue* inner_;
  Tell tell_;
  std::atomic<bool> failed_ = false;
};

}  // namespace lockstep::apps
