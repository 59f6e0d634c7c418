// Fuzzes the check of pieces: of one blob, whatever is altered, only its own pieces pass.
#include <algorithm>

#include "base/check.h"
#include "codec/record.h"
#include "store/pieces.h"

namespace lockstep::store {
namespace {

struct Blob {
  Bytes bytes = Bytes(3 * piece_bytes + 1500, 7);
  crypto::Mode mode = crypto::Mode::derive("fuzz");
  PieceTree tree{mode, bytes};
};

/// What is claimed, and what is altered of the true piece.
struct Claim {
  uint64_t total = 0;
  uint64_t index = 0;
  uint8_t piece = 0;
  uint32_t size = 0;       // the bytes are cut or filled up to it
  Bytes begin;             // in place of the first bytes
  std::vector<Hash> path;  // in place of the last hashes
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.total, self.index, self.piece, self.size, self.begin, self.path);
  }
};

void check(const Claim& claim) {
  static const Blob blob;
  const uint64_t total = claim.total == 0 ? blob.bytes.size() : claim.total;
  const uint64_t place = claim.piece % piece_count(blob.bytes.size());
  const auto first = blob.bytes.begin() + static_cast<ptrdiff_t>(place * piece_bytes);
  Bytes bytes(first, first + static_cast<ptrdiff_t>(piece_size(blob.bytes.size(), place)));
  if (claim.size != 0) {
    bytes.resize(std::min<uint64_t>(claim.size, 2 * piece_bytes));
  }
  std::copy_n(claim.begin.begin(), std::min(claim.begin.size(), bytes.size()), bytes.begin());
  std::vector<Hash> path = blob.tree.path(place);
  for (size_t i = 0; i < claim.path.size(); ++i) {
    if (i < path.size()) {
      path[path.size() - 1 - i] = claim.path[i];
    } else {
      path.push_back(claim.path[i]);
    }
  }
  const auto checked = check_piece(blob.mode, blob.tree.root(), total, claim.index, bytes, path);
  if (!checked.ok()) {
    CHECK(!checked.error().is_fault());
    return;
  }
  CHECK(claim.index < piece_count(blob.bytes.size()));
  const uint64_t begin = claim.index * piece_bytes;
  CHECK(begin + bytes.size() <= blob.bytes.size());
  CHECK(std::equal(bytes.begin(), bytes.end(), blob.bytes.begin() + static_cast<ptrdiff_t>(begin)));
  CHECK(path == blob.tree.path(claim.index));
  CHECK(claim.index + 1 != piece_count(total) || total == blob.bytes.size());
}

}  // namespace
}  // namespace lockstep::store

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto claim = lockstep::codec::decode<lockstep::store::Claim>({data, size});
  if (claim.ok()) {
    lockstep::store::check(*claim);
  }
  return 0;
}
