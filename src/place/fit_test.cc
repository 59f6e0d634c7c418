// What fits into a slice, and how a refusal reads.
#include "place/fit.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "base/test_soak.h"

namespace lockstep::place {
namespace {

constexpr uint64_t giga = 1'000'000'000;

model::Slice slice_of(uint32_t cpus, uint64_t memory, uint64_t disk) {
  model::Slice slice;
  slice.cpus = cpus;
  slice.memory_bytes = memory;
  slice.disk_bytes = disk;
  return slice;
}

TEST(Fit, SaysWhatIsMissing) {
  const model::Slice slice = slice_of(2, 4 * giga, 10 * giga);
  EXPECT_TRUE(fits(slice, {}, {4 * giga, 10 * giga, 2}).ok());
  const auto memory = fits(slice, {}, {6'100'000'000, 0, 1});
  ASSERT_FALSE(memory.ok());
  EXPECT_EQ(memory.error().code, Code::no_offer);
  EXPECT_EQ(memory.error().what, "the task needs 6.1 GB of memory, the slice has 4 GB");
  const auto byte = fits(slice, {}, {4 * giga + 1, 0, 1});
  ASSERT_FALSE(byte.ok());
  EXPECT_EQ(byte.error().what,
            "the task needs 4000000001 bytes of memory, the slice has 4000000000 bytes");
  const auto disk = fits(slice, {}, {1, 11 * giga, 1});
  ASSERT_FALSE(disk.ok());
  EXPECT_EQ(disk.error().what, "the task needs 11 GB of disk, the slice has 10 GB");
  const auto threads = fits(slice, {}, {1, 1, 3});
  ASSERT_FALSE(threads.ok());
  EXPECT_EQ(threads.error().what, "the task needs 3 processors, the slice has 2");
}

TEST(Fit, WhatOthersHoldMakesATaskWait) {
  const model::Slice slice = slice_of(2, 4 * giga, 10 * giga);
  const auto later = fits(slice, {3 * giga, 0, 1}, {2 * giga, 0, 1});
  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().code, Code::wrong_state);
  EXPECT_EQ(later.error().what, "the task needs 2 GB of memory, the slice has 1 GB left");
  EXPECT_FALSE(fits(slice, {9 * giga, 0, 0}, {1, 0, 1}).ok());  // a slice made smaller since
  EXPECT_FALSE(fits(slice, {0, 0, 2}, {1, 1, 1}).ok());
}

TEST(Fit, TasksTakenOneByOneStayWithinTheSlice) {
  TestRandom random(8);
  uint64_t taken = 0;
  for (uint64_t i = 0; i < 500 * soak_times(); ++i) {
    const model::Slice slice = slice_of(static_cast<uint32_t>(random.in(1, 8)),
                                        random.chance(10) ? UINT64_MAX : random.below(1000),
                                        random.below(1000));
    InUse used;
    for (int k = 0; k < 20; ++k) {
      const TaskNeed need{random.chance(9) ? UINT64_MAX : random.below(300),
                          random.below(300),
                          static_cast<uint32_t>(random.in(1, 4))};
      if (!fits(slice, used, need).ok()) {
        continue;
      }
      used.memory_bytes += need.memory_bytes;
      used.disk_bytes += need.disk_bytes;
      used.threads += need.threads;
      ASSERT_GE(used.memory_bytes, need.memory_bytes);  // no wrap
      ASSERT_LE(used.memory_bytes, slice.memory_bytes);
      ASSERT_LE(used.disk_bytes, slice.disk_bytes);
      ASSERT_LE(used.threads, slice.cpus);
      taken += 1;
    }
  }
  EXPECT_GT(taken, 500U);
}

}  // namespace
}  // namespace lockstep::place
