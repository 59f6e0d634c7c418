// A node's folder as something that can be replayed: its node made as its process makes it, over
// stores in memory. Not for use outside the module.
#pragma once

#include "sim/recorded_run.h"

namespace lockstep::apps {

class FolderNode final : public sim::ReplayedNode {
 public:
  /// Borrows the real store, which is only read.
  FolderNode(std::string folder, const crypto::SecretKey& key, env::KeyValue& real)
      : folder_(std::move(folder)), key_(key), real_(&real) {}
  Result<std::unique_ptr<sim::ReplayedLife>> live(ByteView setup,
                                                  env::KeyValue& store,
                                                  env::KeyValue& worker_store) override;
  Result<Bytes> blob(const Hash& address) override;

 private:
  std::string folder_;
  crypto::SecretKey key_;
  env::KeyValue* real_;
};

}  // namespace lockstep::apps
