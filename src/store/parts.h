// Blobs of which some pieces are still missing: what has come is kept through a restart, in bounded
// space, until the blob is whole and takes its place in the store.
#pragma once

#include <set>

#include "store/blobs.h"

namespace lockstep::store {

/// A piece as it came: it can be checked again at any time.
struct Piece {
  Bytes bytes;
  std::vector<Hash> path;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.bytes, self.path);
  }
};

/// Keys, in the store of the blobs: "head/<address>" has the blob's size, "part/<address>/<index>"
/// a Piece. All errors: io_failed, disk_full.
class Parts {
 public:
  static constexpr uint64_t bytes_max_default = uint64_t{4} << 30;
  /// Borrows the blobs. `bytes_max` bounds the sizes of all unfinished blobs together.
  explicit Parts(Blobs& blobs, uint64_t bytes_max = bytes_max_default)
      : blobs_(blobs), bytes_max_(bytes_max) {}

  struct State {
    uint64_t total = 0;
    std::set<uint64_t> missing;
  };
  /// What is left to fetch of a blob that was begun in this life or an earlier one; its size is
  /// proved again. Holds the parts until release().
  Result<std::optional<State>> resume(const Hash& address);
  /// Begins with the last piece, which proves `total`; holds the parts until release(). Makes room
  /// by dropping other unfinished blobs that nobody holds, the oldest first; disk_full where that
  /// does not suffice.
  Result<State> begin(const Hash& address, uint64_t total, const Piece& last);
  /// A piece that was checked.
  Result<void> add(const Hash& address, uint64_t index, const Piece& piece);
  /// Once nothing is missing: the blob comes into the store and its parts go, in one batch. Where
  /// the disk has changed pieces they are dropped, and given back as missing again.
  Result<std::set<uint64_t>> finish(const Hash& address);
  /// The parts may be dropped for others.
  void release(const Hash& address) { held_.erase(address); }
  /// The sizes of all unfinished blobs, as if all their pieces were here.
  Result<uint64_t> bytes_used();

 private:
  struct Head {
    uint64_t total = 0;
    uint64_t order = 0;  // of beginning
    template <class Self, class Visit>
    static void each(Self& self, Visit&& visit) {
      visit(self.total, self.order);
    }
  };
  Result<void> load();
  Result<std::optional<Piece>> read(const Hash& address, uint64_t index);
  /// The changes that delete all of one blob's parts.
  Result<std::vector<env::KeyValue::Change>> deletion(const Hash& address);
  Result<void> drop(const Hash& address);
  Result<void> make_room(uint64_t bytes);
  Result<std::set<uint64_t>> drop_changed(const Hash& address, uint64_t total);

  Blobs& blobs_;
  uint64_t bytes_max_;
  bool loaded_ = false;
  uint64_t used_bytes_ = 0;
  uint64_t orders_ = 0;
  std::map<Hash, Head> heads_;
  std::set<Hash> held_;
};

}  // namespace lockstep::store
