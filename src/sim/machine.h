// One simulated machine with its node. Not for use outside the module.
#pragma once

#include "sim/world.h"

namespace lockstep::sim {

struct World::Machine {
  Machine(std::string its_name,
          const crypto::SecretKey& its_key,
          DiskFaults::Owner disks_of,
          FaultCounts& counts,
          env::KeyValue* blob_values)
      : name(std::move(its_name)),
        key(its_key),
        disk_faults(disks_of, counts),
        blob_disk(disk_faults, blob_values),
        disk(&disk_faults) {}
  std::string name;
  crypto::SecretKey key;
  crypto::PublicKey owner;
  node::Machine table;  // providers only
  DiskFaults disk_faults;
  BlobDisk blob_disk;
  store::Blobs* blobs = nullptr;  // its own
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
  bool dies_sending = false;  // after the next call in which it sends anything,
  uint64_t sends_left = 0;    // so many let pass
  uint64_t told_ms = 0;       // by its clock, the last time
  [[nodiscard]] bool is_dead() const { return disk.is_down() || blob_disk.is_down(); }
};

/// A fault of the plan, at its time.
struct World::Planned {
  enum class Kind : uint8_t { crash, full_begins, full_ends, rot };
  uint64_t at_us = 0;
  Kind kind = Kind::crash;
  size_t place = 0;  // in the list of its kind
};

/// Secrets of the world's parties; keys do not depend on the seed of a run.
[[nodiscard]] crypto::SecretKey node_key(std::string_view name);
[[nodiscard]] crypto::SecretKey owner_key(std::string_view name);

}  // namespace lockstep::sim
