// One simulated machine with its node. Not for use outside the module.
#pragma once

#include "sim/world.h"

namespace lockstep::sim {

struct World::Machine {
  Machine(std::string its_name, const crypto::SecretKey& its_key)
      : name(std::move(its_name)), key(its_key) {}
  std::string name;
  crypto::SecretKey key;
  crypto::PublicKey owner;
  node::Machine table;  // providers only
  env::MemoryKeyValue blob_values;
  store::Blobs* blobs = nullptr;  // its own, or the requester's
  std::unique_ptr<store::Blobs> own_blobs;
  Disk disk;
  std::unique_ptr<node::Node> node;
  std::unique_ptr<exec::TensorRunner> runner;
  std::optional<Cheat> cheat;
  uint64_t operations_per_second = 10'000'000'000;
  uint64_t free_us = 0;
  uint32_t life = 0;
  bool up = true;
  std::optional<uint64_t> restart_ms;
};

/// Secrets of the world's parties; keys do not depend on the seed of a run.
[[nodiscard]] crypto::SecretKey node_key(std::string_view name);
[[nodiscard]] crypto::SecretKey owner_key(std::string_view name);

}  // namespace lockstep::sim
