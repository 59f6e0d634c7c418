// Content-addressed blobs: what is read is what was asked for, or an error. What is pinned stays;
// the rest may be collected, what was used longest ago first.
#pragma once

#include <map>

#include "env/key_value.h"
#include "store/pieces.h"

namespace lockstep::store {

/// Borrows the key-value store. Blobs are addressed by their hash in `mode`. Keys: "blob/<address>"
/// has the bytes, "size/<address>" how many they are (always in one batch with them), "pin/<name>"
/// a list of addresses. Several objects may stand over one store, each on a thread of its own; only
/// one of them should pin and collect, and learns by pin() or learn() what others have put.
class Blobs {
 public:
  static constexpr uint64_t unlimited = UINT64_MAX;
  /// Refuses to hold more than `bytes_max`.
  Blobs(env::KeyValue& values, const crypto::Mode& mode, uint64_t bytes_max = unlimited)
      : values_(values), mode_(mode), bytes_max_(bytes_max) {}
  /// Durable when it returns. Errors: disk_full (the store's bytes_max, or the disk), io_failed.
  Result<Hash> put(Bytes bytes);
  /// All or none, in one batch. Errors: as put().
  Result<std::vector<Hash>> put_all(std::vector<Bytes> blobs);
  /// put() of what must be this blob, with other changes to the same key-value store in the same
  /// batch. Errors: wrong_hash, as put().
  Result<void> put_as(const Hash& address,
                      Bytes bytes,
                      std::vector<env::KeyValue::Change> changes = {});
  /// Errors: blob_missing, wrong_hash (the store gave other bytes, which are deleted), io_failed.
  Result<Bytes> get(const Hash& address);
  /// get() with the tree that it takes to give the blob away in pieces; hashes only once.
  struct Opened {
    Bytes bytes;
    PieceTree tree;
  };
  Result<Opened> open(const Hash& address);
  /// Whether there are bytes under this address; they are not hashed. Errors: io_failed.
  Result<bool> has(const Hash& address);

  /// Keeps these blobs, here now or to come, until unpin(name); in place of what the name kept
  /// before. Durable. Errors: io_failed, disk_full.
  Result<void> pin(const std::string& name, std::vector<Hash> addresses);
  /// Counts blobs that another object over the same store has put. Errors: io_failed.
  Result<void> learn(const std::vector<Hash>& addresses);
  /// Nothing for a name that pins nothing. Errors: io_failed.
  Result<void> unpin(const std::string& name);
  /// Names that begin with `prefix`, in order. Errors: io_failed.
  Result<std::vector<std::string>> pins(const std::string& prefix);
  /// Deletes what no pin names, what was used longest ago first, until at most `bytes_target` are
  /// left or all is pinned; how many bytes it freed. Errors: io_failed.
  Result<uint64_t> collect(uint64_t bytes_target);
  /// Collects down to three quarters of bytes_max when less than an eighth is free. For moments
  /// when nothing is on its way to a pin.
  Result<uint64_t> tidy();
  /// Of all blobs. Errors: io_failed.
  Result<uint64_t> bytes_used();
  /// Errors: disk_full where `bytes` more do not fit, io_failed.
  Result<void> check_room(uint64_t bytes);

  [[nodiscard]] env::KeyValue& values() const { return values_; }
  [[nodiscard]] const crypto::Mode& mode() const { return mode_; }

 private:
  struct Entry {
    uint64_t bytes = 0;
    uint64_t used = 0;  // in the order of use; kept as it was at the last put
    template <class Self, class Visit>
    static void each(Self& self, Visit&& visit) {
      visit(self.bytes, self.used);
    }
  };
  Result<void> load();
  Result<void> load_sizes();
  Result<void> load_pins();
  Result<std::optional<Entry>> read_entry(const Hash& address);
  Result<Bytes> read(const Hash& address);
  Error rotten(const Hash& address);
  /// `blobs` have these addresses.
  Result<void> write(const std::vector<Hash>& addresses,
                     std::vector<Bytes> blobs,
                     std::vector<env::KeyValue::Change> more);
  void count_pins(const std::vector<Hash>& addresses, bool add);
  void enter(const Hash& address, const Entry& entry);
  void leave(const Hash& address);
  void touch(const Hash& address);

  env::KeyValue& values_;
  crypto::Mode mode_;
  uint64_t bytes_max_;
  // What load() found, kept up to date.
  bool loaded_ = false;
  uint64_t uses_ = 0;
  uint64_t used_bytes_ = 0;
  std::map<Hash, Entry> entries_;
  std::map<uint64_t, Hash> by_use_;
  std::map<std::string, std::vector<Hash>> pins_;
  std::map<Hash, uint32_t> pinned_;  // by how many names
};

}  // namespace lockstep::store
