#include "store/pieces.h"

#include <algorithm>

#include "base/check.h"

namespace lockstep::store {

Result<void> check_piece(const crypto::Mode& mode,
                         const Hash& address,
                         uint64_t total,
                         uint64_t index,
                         ByteView bytes,
                         std::span<const Hash> path) {
  if (total > blob_bytes_max || index >= piece_count(total) ||
      bytes.size() != piece_size(total, index)) {
    return refuse(Code::bad_opening, "no blob of this size has such a piece");
  }
  const uint64_t chunks = crypto::chunk_count(total);
  const crypto::Node piece = TRY(crypto::subtree_at(mode, bytes, index * piece_chunks, chunks));
  const crypto::Node top = TRY(crypto::climb(mode, piece, chunks, path));
  if (top != crypto::Node{0, chunks, address}) {
    return refuse(Code::wrong_hash, "the piece is not of this blob");
  }
  return {};
}

PieceTree::PieceTree(const crypto::Mode& mode, ByteView blob) {
  const uint64_t chunks = crypto::chunk_count(blob.size());
  const uint64_t pieces = piece_count(blob.size());
  std::vector<crypto::Node> nodes;
  nodes.reserve(pieces);
  for (uint64_t i = 0; i < pieces; ++i) {
    const uint64_t first = i * piece_chunks;
    nodes.push_back(crypto::subtree(mode, blob, first, std::min(first + piece_chunks, chunks)));
  }
  while (true) {
    std::vector<Hash>& level = levels_.emplace_back();
    level.reserve(nodes.size());
    for (const crypto::Node& node : nodes) {
      level.push_back(node.cv);
    }
    if (nodes.size() == 1) {
      return;
    }
    // An odd node at the end of a level moves up as it is.
    std::vector<crypto::Node> above;
    above.reserve((nodes.size() + 1) / 2);
    for (size_t i = 0; i + 1 < nodes.size(); i += 2) {
      above.push_back(crypto::join(mode, nodes[i], nodes[i + 1], chunks));
    }
    if (nodes.size() % 2 != 0) {
      above.push_back(nodes.back());
    }
    nodes = std::move(above);
  }
}

std::vector<Hash> PieceTree::path(uint64_t index) const {
  CHECK(index < levels_.front().size());
  std::vector<Hash> siblings;
  siblings.reserve(levels_.size());
  for (const std::vector<Hash>& level : levels_) {
    const uint64_t other = index ^ 1;
    if (other < level.size()) {
      siblings.push_back(level[other]);
    }
    index /= 2;
  }
  return siblings;
}

uint64_t PieceTree::bytes() const {
  uint64_t sum = 0;
  for (const std::vector<Hash>& level : levels_) {
    sum += level.size() * sizeof(Hash);
  }
  return sum;
}

}  // namespace lockstep::store
