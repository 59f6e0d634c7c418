// A blob in pieces, each of which proves by itself that it belongs under the blob's address: 128
// chunks of the BLAKE3 tree and the siblings from there up to the root.
#pragma once

#include "crypto/blake3.h"

namespace lockstep::store {

inline constexpr uint64_t piece_chunks = 128;
inline constexpr uint64_t piece_bytes = piece_chunks * 1024;
/// What one address may stand for: 1 GiB.
inline constexpr uint64_t blob_bytes_max = uint64_t{1} << 30;

/// An empty blob is one piece.
[[nodiscard]] constexpr uint64_t piece_count(uint64_t total) {
  return total == 0 ? 1 : (total + piece_bytes - 1) / piece_bytes;
}
/// Of a piece that there is.
[[nodiscard]] constexpr uint64_t piece_size(uint64_t total, uint64_t index) {
  return index + 1 < piece_count(total) ? piece_bytes : total - index * piece_bytes;
}

/// Whether `bytes` are piece `index` of the blob of `total` bytes under `address`. Only the last
/// piece proves `total`: its place and its size are in the hashes, and nothing is right of it.
/// Errors: bad_opening for what no such blob can have, wrong_hash.
[[nodiscard]] Result<void> check_piece(const crypto::Mode& mode,
                                       const Hash& address,
                                       uint64_t total,
                                       uint64_t index,
                                       ByteView bytes,
                                       std::span<const Hash> path);

/// The tree of a blob from its pieces up, so that no path has to be hashed anew.
class PieceTree {
 public:
  /// Hashes all of `blob`.
  PieceTree(const crypto::Mode& mode, ByteView blob);
  [[nodiscard]] const Hash& root() const { return levels_.back().front(); }
  /// From piece `index`, which there must be, bottom first.
  [[nodiscard]] std::vector<Hash> path(uint64_t index) const;
  /// What it takes in memory.
  [[nodiscard]] uint64_t bytes() const;

 private:
  std::vector<std::vector<Hash>> levels_;  // the pieces first
};

}  // namespace lockstep::store
