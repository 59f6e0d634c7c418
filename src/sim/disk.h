// Simulated disks: a key-value store over a journal of checksummed records, whose unsynced tail a
// crash may lose or tear, and one for blobs. Both may be full, and what they keep may rot.
#pragma once

#include <set>

#include "env/key_value.h"
#include "model/faults.h"
#include "sim/fault_points.h"
#include "sim/random.h"

namespace lockstep::sim {

/// What both disks of a machine suffer.
class DiskFaults {
 public:
  enum class Owner : uint8_t { provider, auditor, ledger, requester };
  DiskFaults(Owner owner, FaultCounts& counts) : owner_(owner), counts_(&counts) {}
  /// The machine goes down at the next write to `site`, `skip` of them let pass.
  void arm(model::CrashPoint point, const std::string& site, const Random& random, uint64_t skip) {
    armed_ = {point, site, random, skip};
  }
  void disarm() { armed_.reset(); }
  [[nodiscard]] bool is_armed() const { return armed_.has_value(); }
  void set_full(bool full) { full_ = full; }
  /// How a write of `size` bytes ends: all of it is kept, none and an error, or so much of it that
  /// is kept when the machine goes down.
  struct Fate {
    bool full = false;
    std::optional<size_t> kept;
  };
  [[nodiscard]] Fate write(const std::vector<env::KeyValue::Change>& batch, size_t size);
  void fired(FaultPoint point) { counts_->fired(point); }

 private:
  struct Armed {
    model::CrashPoint point;
    std::string site;
    Random random;
    uint64_t skip = 0;
  };
  Owner owner_;
  FaultCounts* counts_;
  std::optional<Armed> armed_;
  bool full_ = false;
};

class Disk final : public env::KeyValue {
 public:
  /// Borrows the faults; without them only arm() and stop() do harm.
  explicit Disk(DiskFaults* faults = nullptr) : faults_(faults) {}
  /// io_failed once the machine is down, and for a value that does not have its checksum.
  Result<std::optional<Bytes>> get(const std::string& key) override;
  /// One journal record: written, then synced, then acknowledged.
  Result<void> apply(std::vector<Change> batch) override;
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override;

  /// The machine goes down inside the next apply(): the record is lost, torn or, rarely, whole, as
  /// chance has it; apply() fails.
  void arm(const Random& random) { armed_ = random; }
  [[nodiscard]] bool is_armed() const { return armed_.has_value(); }
  /// Goes down now: nothing unsynced is left to lose.
  void stop() { down_ = true; }
  [[nodiscard]] bool is_down() const { return down_; }
  /// Comes up again: reads the journal, drops what follows the last whole record.
  void restart();
  /// One bit of a stored value changes, in the journal too. False: there is no value.
  bool rot(Random random);

 private:
  struct Stored {
    Bytes value;
    Hash sum;
  };
  void replay();
  void go_down(ByteView record, size_t kept);
  DiskFaults* faults_;
  Bytes journal_;
  std::map<std::string, Stored> values_;
  std::optional<Random> armed_;
  bool down_ = false;
};

/// Where blobs lie. Not checksummed: blobs say themselves what they are.
class BlobDisk final : public env::KeyValue {
 public:
  /// Borrows the faults and, where given, what lies on the disk; otherwise it begins empty.
  explicit BlobDisk(DiskFaults& faults, env::KeyValue* values = nullptr)
      : faults_(&faults), values_(values != nullptr ? values : &own_) {}
  BlobDisk(const BlobDisk&) = delete;
  BlobDisk& operator=(const BlobDisk&) = delete;
  Result<std::optional<Bytes>> get(const std::string& key) override;
  Result<void> apply(std::vector<Change> batch) override;
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override;
  void stop() { down_ = true; }
  [[nodiscard]] bool is_down() const { return down_; }
  void restart() { down_ = false; }
  bool rot(Random random);

 private:
  DiskFaults* faults_;
  env::MemoryKeyValue own_;
  env::KeyValue* values_;
  std::set<std::string> rotten_;  // for counting only
  bool down_ = false;
};

}  // namespace lockstep::sim
