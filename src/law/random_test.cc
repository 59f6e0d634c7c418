// Philox against its published vectors; the shuffle is a bijection.
#include <gtest/gtest.h>

#include <vector>

#include "law/scalar.h"

namespace lockstep::law {
namespace {

struct Vector {
  Philox counter;
  uint64_t key;
  Philox expected;
};

// The known-answer tests of Random123 (Salmon et al., SC'11).
const Vector vectors[] = {
    {{{0, 0, 0, 0}}, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
    {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
     0xffffffff'ffffffff,
     {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
    {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
     0x299f31d0'a4093822,
     {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
};

TEST(Random, PhiloxVectors) {
  for (const Vector& vector : vectors) {
    const Philox result = philox(vector.counter, vector.key);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(result.word[i], vector.expected.word[i]);
    }
  }
}

bool is_bijection(uint64_t seed, uint64_t count) {
  std::vector<bool> seen(count, false);
  for (uint64_t place = 0; place < count; ++place) {
    const uint64_t from = shuffled(seed, count, place);
    if (from >= count || seen[from]) {
      return false;
    }
    seen[from] = true;
  }
  return true;
}

TEST(Random, ShuffledIsABijection) {
  for (uint64_t count = 1; count <= 300; ++count) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      ASSERT_TRUE(is_bijection(seed << 40 | seed, count)) << count;
    }
  }
  for (const uint64_t count : {uint64_t{1023}, uint64_t{1024}, uint64_t{1025}, uint64_t{60'000}}) {
    EXPECT_TRUE(is_bijection(7, count)) << count;
  }
}

TEST(Random, ShuffledDependsOnTheWholeSeed) {
  uint64_t same_low = 0;
  uint64_t same_high = 0;
  for (uint64_t place = 0; place < 1000; ++place) {
    same_low += shuffled(1, 1000, place) == shuffled(2, 1000, place) ? 1U : 0U;
    same_high += shuffled(1, 1000, place) == shuffled(uint64_t{1} << 32 | 1, 1000, place) ? 1U : 0U;
  }
  EXPECT_LT(same_low, 20U);
  EXPECT_LT(same_high, 20U);
}

TEST(Random, ShuffledLargeCounts) {
  for (const uint64_t count : {(uint64_t{1} << 40) - 1, (uint64_t{1} << 62) + 1, ~uint64_t{0}}) {
    for (uint64_t i = 0; i < 50; ++i) {
      EXPECT_LT(shuffled(3, count, count - 1 - i), count);
    }
  }
}

// The law is frozen by these: the four rounds by hand for one place, and a run.
TEST(Random, ShuffledGolden) {
  const uint64_t seed = 0x0123'4567'89ab'cdef;
  uint32_t left = 200 >> 4;
  uint32_t right = 200 & 15;
  for (uint32_t round = 0; round < 4; ++round) {
    const uint32_t word = philox(Philox{{right, round, 0, 0}}, seed).word[0];
    const uint32_t old_right = right;
    right = left ^ (word % 16);
    left = old_right;
  }
  EXPECT_EQ(shuffled(seed, 256, 200), uint64_t{left} * 16 + right);
  const uint64_t expected[10] = {7, 2, 4, 8, 6, 3, 1, 0, 9, 5};
  for (uint64_t place = 0; place < 10; ++place) {
    EXPECT_EQ(shuffled(seed, 10, place), expected[place]) << place;
  }
}

}  // namespace
}  // namespace lockstep::law
