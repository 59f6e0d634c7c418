// A node's store on disk: RocksDB behind env::KeyValue. Small values lie in one tree, large ones in
// another, so that listing keys never reads blobs.
#pragma once

#include <memory>
#include <string>

#include "env/key_value.h"

namespace lockstep::platform {

struct RocksOptions {
  bool sync_each = false;                          // apply() is durable at once
  uint64_t buffer_bytes_max = uint64_t{32} << 20;  // written, but not yet in a sorted file
  uint64_t cache_bytes_max = uint64_t{8} << 20;    // read
  uint64_t value_bytes_max = uint64_t{64} << 20;   // of one value
};

/// One process has it open. get() and keys() may be called from any thread, apply() and sync() too
/// (one waits for the other). All of them read and write the disk.
///
/// A batch is in the log when apply() returns: it outlives this process (kill -9), and the machine
/// (power) once sync() has returned. When the disk is full, apply() and sync() say disk_full and
/// leave everything as it was; they work again as soon as there is room.
class RocksKeyValue final : public env::KeyValue {
 public:
  /// Makes the folder, but not its parents. Errors: in_use (another process, or this one),
  /// disk_full, io_failed (unreadable, read-only, damaged, or without something that was
  /// acknowledged).
  static Result<std::unique_ptr<RocksKeyValue>> open(const std::string& folder,
                                                     const RocksOptions& options = {});
  ~RocksKeyValue() override;
  RocksKeyValue(const RocksKeyValue&) = delete;
  RocksKeyValue& operator=(const RocksKeyValue&) = delete;
  RocksKeyValue(RocksKeyValue&&) = delete;
  RocksKeyValue& operator=(RocksKeyValue&&) = delete;

  Result<std::optional<Bytes>> get(const std::string& key) override;
  /// Also: too_large (a value). Reaches the kill points "store.before:P" and "store.after:P" for
  /// each P, the part of a key before its first '/', in the batch.
  Result<void> apply(std::vector<Change> batch) override;
  /// Costs nothing when nothing was applied. Reaches "sync.before" and "sync.after" otherwise.
  Result<void> sync() override;
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override;
  /// Puts what is only in the log into sorted files and drops what was deleted: slow, gives disk
  /// space back. Errors: disk_full, io_failed.
  Result<void> compact();

 private:
  struct Impl;
  explicit RocksKeyValue(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::platform
