// Unfinished blobs: what has come is found again, in whatever moment the machine went down.
#include "store/parts.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "store/test_crashing_values.h"

namespace lockstep::store {
namespace {

using test::CrashingValues;

const crypto::Mode mode = crypto::Mode::derive("test");

struct Blob {
  explicit Blob(uint64_t size, uint64_t seed) : bytes(size), tree(mode, make(bytes, seed)) {}
  Bytes bytes;
  PieceTree tree;
  [[nodiscard]] const Hash& address() const { return tree.root(); }
  [[nodiscard]] uint64_t last() const { return piece_count(bytes.size()) - 1; }
  [[nodiscard]] Piece piece(uint64_t index) const {
    const auto begin = bytes.begin() + static_cast<ptrdiff_t>(index * piece_bytes);
    const auto size = static_cast<ptrdiff_t>(piece_size(bytes.size(), index));
    return {Bytes(begin, begin + size), tree.path(index)};
  }
  static const Bytes& make(Bytes& into, uint64_t seed) {
    TestRandom random(seed);
    for (size_t i = 0; i < into.size(); i += 997) {
      into[i] = static_cast<uint8_t>(random.next());
    }
    return into;
  }
};

/// One life: goes on where the last one stopped, until the store fails or the blob is there.
Result<void> fetch(env::KeyValue& values, const Blob& blob) {
  Blobs blobs(values, mode);
  Parts parts(blobs);
  auto state = TRY(parts.resume(blob.address()));
  if (!state) {
    state = TRY(parts.begin(blob.address(), blob.bytes.size(), blob.piece(blob.last())));
  }
  for (const uint64_t index : state->missing) {
    TRY(parts.add(blob.address(), index, blob.piece(index)));
  }
  if (!TRY(parts.finish(blob.address())).empty()) {
    return refuse(Code::internal, "pieces have changed");
  }
  return {};
}

TEST(Parts, ABlobIsWholeAfterACrashAtAnyWrite) {
  const Blob blob(4 * piece_bytes + 77, 1);
  for (uint64_t lives = 0; lives < 8; ++lives) {
    CrashingValues values;
    values.lives = lives;
    const bool at_once = fetch(values, blob).ok();
    EXPECT_EQ(at_once, lives >= 6) << lives;  // begin, four pieces, finish
    if (at_once) {
      continue;
    }
    const uint64_t before = values.applied;
    values.lives = UINT64_MAX;
    ASSERT_TRUE(fetch(values, blob).ok());
    EXPECT_EQ(values.applied, 6U) << "nothing twice, after " << before;
    Blobs blobs(values, mode);
    EXPECT_EQ(*blobs.get(blob.address()), blob.bytes);
    EXPECT_TRUE(values.all("part/").empty());
    EXPECT_TRUE(values.all("head/").empty());
  }
}

TEST(Parts, ChangedPiecesAreMissingAgain) {
  const Blob blob(3 * piece_bytes, 2);
  for (uint64_t rotten = 0; rotten < 3; ++rotten) {
    CrashingValues values;
    Blobs blobs(values, mode);
    Parts parts(blobs);
    ASSERT_TRUE(parts.begin(blob.address(), blob.bytes.size(), blob.piece(2)).ok());
    ASSERT_TRUE(parts.add(blob.address(), 0, blob.piece(0)).ok());
    ASSERT_TRUE(parts.add(blob.address(), 1, blob.piece(1)).ok());
    const std::string key = values.all("part/").at(rotten);
    Bytes bytes = *values.get(key).value();
    bytes[1000] ^= 4;
    ASSERT_TRUE(values.apply({{key, bytes}}).ok());
    EXPECT_EQ(*parts.finish(blob.address()), std::set<uint64_t>{rotten});
    EXPECT_FALSE(*blobs.has(blob.address()));
    ASSERT_TRUE(parts.add(blob.address(), rotten, blob.piece(rotten)).ok());
    EXPECT_TRUE(parts.finish(blob.address())->empty());
    EXPECT_EQ(*blobs.get(blob.address()), blob.bytes);
  }
}

TEST(Parts, WhatAnEarlierLifeWroteIsProvedAgain) {
  const Blob blob(3 * piece_bytes, 3);
  CrashingValues values;
  Blobs blobs(values, mode);
  ASSERT_TRUE(Parts(blobs).begin(blob.address(), blob.bytes.size(), blob.piece(blob.last())).ok());
  const std::string head = values.all("head/").at(0);
  Bytes size = *values.get(head).value();
  size[1] ^= 1;
  ASSERT_TRUE(values.apply({{head, size}}).ok());
  Parts after(blobs);
  EXPECT_FALSE(after.resume(blob.address())->has_value());
  EXPECT_EQ(*after.bytes_used(), 0U);
  EXPECT_TRUE(values.all("part/").empty());
  // A head that cannot be read, and a piece without one.
  ASSERT_TRUE(values.apply({{head, Bytes{1}}, {"part/" + std::string(41, 'x'), Bytes{1}}}).ok());
  EXPECT_EQ(*Parts(blobs).bytes_used(), 0U);
  EXPECT_TRUE(values.all("part/").empty());
  EXPECT_TRUE(values.all("head/").empty());
}

TEST(Parts, SpaceIsBoundedAndTheOldestGoesFirst) {
  CrashingValues values;
  Blobs blobs(values, mode);
  Parts parts(blobs, 5 * piece_bytes);
  std::vector<Blob> some;
  for (uint64_t i = 0; i < 4; ++i) {
    some.emplace_back(2 * piece_bytes, 10 + i);
  }
  const auto begin = [&](uint64_t i) {
    return parts.begin(some[i].address(), some[i].bytes.size(), some[i].piece(1));
  };
  ASSERT_TRUE(begin(0).ok());
  ASSERT_TRUE(begin(1).ok());
  const auto third = begin(2);
  ASSERT_FALSE(third.ok()) << "both are held";
  EXPECT_EQ(third.error().code, Code::disk_full);
  parts.release(some[1].address());
  ASSERT_TRUE(begin(2).ok());
  parts.release(some[0].address());
  parts.release(some[2].address());
  ASSERT_TRUE(begin(3).ok());
  EXPECT_EQ(*parts.bytes_used(), 4 * piece_bytes);
  EXPECT_FALSE(parts.resume(some[0].address())->has_value());
  EXPECT_FALSE(parts.resume(some[1].address())->has_value());
  EXPECT_EQ((*parts.resume(some[2].address()))->missing, std::set<uint64_t>{0});
  EXPECT_EQ(values.all("part/").size(), 2U);
  const Blob huge(6 * piece_bytes, 20);
  EXPECT_FALSE(parts.begin(huge.address(), huge.bytes.size(), huge.piece(huge.last())).ok());
}

TEST(Parts, NothingIsBegunThatTheStoreHasNoRoomFor) {
  CrashingValues values;
  Blobs blobs(values, mode, 2 * piece_bytes);
  Parts parts(blobs);
  const Blob blob(2 * piece_bytes + 1, 4);
  const auto begun = parts.begin(blob.address(), blob.bytes.size(), blob.piece(blob.last()));
  ASSERT_FALSE(begun.ok());
  EXPECT_EQ(begun.error().code, Code::disk_full);
  EXPECT_EQ(values.applied, 0U);
}

}  // namespace
}  // namespace lockstep::store
