// How long others have left a machine alone, from counters that only grow.
#include "apps/working_time.h"

#include <gtest/gtest.h>

namespace lockstep::apps {
namespace {

constexpr uint64_t minute_ms = 60'000;

/// Two processors, a hundred ticks a second each.
class Load {
 public:
  /// So many minutes in which a share of the machine works for others, and one for this process.
  uint32_t pass(uint32_t minutes, uint64_t others_per_cent, uint64_t own_per_cent) {
    uint32_t idle = 0;
    for (uint32_t i = 0; i < minutes * 3; ++i) {
      sample_.now_ms += minute_ms / 3;
      sample_.busy_ticks += 40 * (others_per_cent + own_per_cent);
      sample_.own_ticks += 40 * own_per_cent;
      idle = meter_.idle_minutes(sample_);
    }
    return idle;
  }
  IdleMeter meter_{2, 100};
  LoadSample sample_{1'000'000, 5'000, 70};
};

TEST(IdleMeter, OwnWorkIsNoUse) {
  Load load;
  EXPECT_EQ(load.meter_.idle_minutes(load.sample_), 0U);
  EXPECT_EQ(load.pass(10, 0, 0), 10U);
  EXPECT_EQ(load.pass(20, 0, 100), 30U);
  EXPECT_EQ(load.pass(5, 9, 91), 35U) << "a little is always going on";
  EXPECT_EQ(load.pass(1, 11, 89), 0U) << "somebody is there";
  EXPECT_EQ(load.pass(7, 1, 50), 7U);
}

TEST(IdleMeter, CountersThatBeginAnewAreNoLoad) {
  Load load;
  EXPECT_EQ(load.pass(4, 0, 0), 3U) << "from the first look on";
  load.sample_.busy_ticks = 0;
  load.sample_.own_ticks = 0;
  EXPECT_EQ(load.pass(2, 0, 0), 5U);
}

TEST(WorkingTime, AlwaysAndNever) {
  WorkingTime always({model::Hours{}});
  EXPECT_TRUE(always.may_work_now());
  WorkingTime never({});
  EXPECT_FALSE(never.may_work_now());
  // Nobody can have been idle for as long as this process does not live.
  model::Hours idle;
  idle.idle_minutes = 30;
  WorkingTime later({idle});
  EXPECT_FALSE(later.may_work_now());
  const auto first = sample_load();
  ASSERT_TRUE(first.has_value());
  EXPECT_GE(first->busy_ticks, first->own_ticks);
  EXPECT_LT(local_moment().week_day, 7);
  EXPECT_LT(local_moment().minute, 1440);
}

}  // namespace
}  // namespace lockstep::apps
