// Pieces prove their place and their blob's size, and nothing else passes.
#include "store/pieces.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "base/test_soak.h"

namespace lockstep::store {
namespace {

Bytes noise(uint64_t size, uint64_t seed) {
  TestRandom random(seed);
  Bytes bytes(size);
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(random.next());
  }
  return bytes;
}

ByteView piece_of(const Bytes& blob, uint64_t index) {
  return ByteView(blob).subspan(index * piece_bytes, piece_size(blob.size(), index));
}

const uint64_t sizes[] = {0,
                          1,
                          1024,
                          piece_bytes - 1,
                          piece_bytes,
                          piece_bytes + 1,
                          2 * piece_bytes,
                          3 * piece_bytes - 1000,
                          5 * piece_bytes + 1024,
                          7 * piece_bytes};

TEST(Pieces, EveryPieceOfEveryBlobPasses) {
  const crypto::Mode mode = crypto::Mode::derive("test");
  for (const uint64_t size : sizes) {
    const Bytes blob = noise(size, size);
    const Hash address = crypto::hash(mode, blob);
    const PieceTree tree(mode, blob);
    EXPECT_EQ(tree.root(), address);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < piece_count(size); ++i) {
      EXPECT_TRUE(check_piece(mode, address, size, i, piece_of(blob, i), tree.path(i)).ok());
      EXPECT_LE(tree.path(i).size(), 13U);
      sum += piece_size(size, i);
    }
    EXPECT_EQ(sum, size);
  }
}

TEST(Pieces, WrongOnesAreRefused) {
  const crypto::Mode mode = crypto::Mode::derive("test");
  TestRandom random(1);
  for (const uint64_t size : sizes) {
    const Bytes blob = noise(size, size);
    const Hash address = crypto::hash(mode, blob);
    const PieceTree tree(mode, blob);
    const uint64_t pieces = piece_count(size);
    for (uint64_t i = 0; i < pieces; ++i) {
      const std::vector<Hash> path = tree.path(i);
      Bytes bytes(piece_of(blob, i).begin(), piece_of(blob, i).end());
      const auto passes = [&](uint64_t total, uint64_t index, const std::vector<Hash>& by) {
        return check_piece(mode, address, total, index, bytes, by).ok();
      };
      EXPECT_FALSE(check_piece(crypto::Mode::plain(), address, size, i, bytes, path).ok());
      std::vector<Hash> other = path;
      other.emplace_back();
      EXPECT_FALSE(passes(size, i, other));
      for (Hash& hash : other) {
        hash.bytes[random.below(32)] ^= 1;
      }
      other.pop_back();
      EXPECT_TRUE(other.empty() || !passes(size, i, other));
      EXPECT_TRUE(path.empty() || !passes(size, i, {path.begin(), path.end() - 1}));
      for (uint64_t index = 0; index < pieces + 2; ++index) {
        EXPECT_TRUE(index == i || !passes(size, index, path));
      }
      EXPECT_FALSE(passes(size, UINT64_MAX, path));
      bytes.push_back(0);
      EXPECT_FALSE(passes(size, i, path));
      EXPECT_FALSE(passes(size + 1, i, path)) << "zeros after the end are other bytes";
      bytes.pop_back();
      if (!bytes.empty()) {
        bytes[random.below(bytes.size())] ^= 0x10;
        EXPECT_FALSE(passes(size, i, path));
        bytes.pop_back();
        EXPECT_FALSE(passes(size, i, path));
        EXPECT_FALSE(passes(size - 1, i, path));
      }
    }
  }
}

/// Only the true size passes with the last piece as the last one.
TEST(Pieces, TheLastPieceProvesTheSize) {
  const crypto::Mode mode = crypto::Mode::derive("test");
  TestRandom random(2);
  for (const uint64_t size : sizes) {
    const Bytes blob = noise(size, size);
    const Hash address = crypto::hash(mode, blob);
    const PieceTree tree(mode, blob);
    const uint64_t cases = 300 * soak_times();
    for (uint64_t i = 0; i < cases; ++i) {
      // Any piece of the blob is claimed to be the last one of a blob of another size.
      const uint64_t index = random.below(piece_count(size));
      const uint64_t total = random.chance(2) ? random.below(9 * piece_bytes)
                                              : size - size % piece_bytes + random.below(3000);
      const uint64_t claimed = piece_count(total) - 1;
      const auto whole = piece_of(blob, index);
      const ByteView bytes = whole.first(std::min(whole.size(), piece_size(total, claimed)));
      if (total != size) {
        EXPECT_FALSE(check_piece(mode, address, total, claimed, bytes, tree.path(index)).ok());
      }
    }
  }
}

TEST(Pieces, HugeSizesAreRefusedBeforeAnythingIsDone) {
  const Hash address;
  const Bytes bytes(piece_bytes);
  for (const uint64_t total : {blob_bytes_max + 1, uint64_t{1} << 60, UINT64_MAX}) {
    const std::vector<Hash> path(60);
    for (const uint64_t index : {uint64_t{0}, uint64_t{1} << 40, UINT64_MAX}) {
      const auto checked = check_piece(crypto::Mode::plain(), address, total, index, bytes, path);
      ASSERT_FALSE(checked.ok());
      EXPECT_EQ(checked.error().code, Code::bad_opening);
    }
  }
}

}  // namespace
}  // namespace lockstep::store
