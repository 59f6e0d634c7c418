// Working hours against a table of every minute of the week.
#include "place/working_hours.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "base/test_soak.h"

namespace lockstep::place {
namespace {

using model::Hours;

constexpr uint32_t week = 7 * 1440;

Moment at(uint32_t minute_of_week, uint32_t idle) {
  return {static_cast<uint8_t>(minute_of_week / 1440 % 7),
          static_cast<uint16_t>(minute_of_week % 1440),
          idle};
}

TEST(WorkingHours, NightsGoPastMidnight) {
  const Hours night{0x1f, 22 * 60, 7 * 60, 0};  // Monday to Friday
  const auto now = [&](uint32_t day, uint32_t hour) {
    return may_work(std::span(&night, 1), at(day * 1440 + hour * 60, 0)).now;
  };
  EXPECT_FALSE(now(0, 3));  // Sunday's night is not lent
  EXPECT_FALSE(now(0, 21));
  EXPECT_TRUE(now(0, 22));
  EXPECT_TRUE(now(1, 6));
  EXPECT_FALSE(now(1, 7));
  EXPECT_TRUE(now(5, 6));  // Friday's night ends on Saturday
  EXPECT_FALSE(now(5, 22));
  EXPECT_FALSE(now(6, 23));
}

TEST(WorkingHours, SundayNightEndsOnMonday) {
  const Hours night{0x40, 23 * 60, 60, 0};
  EXPECT_TRUE(may_work(std::span(&night, 1), at(30, 0)).now);
  EXPECT_FALSE(may_work(std::span(&night, 1), at(60, 0)).now);
}

TEST(WorkingHours, NeverAndAlways) {
  const Hours always;
  const MayWork yes = may_work(std::span(&always, 1), at(5000, 0));
  EXPECT_TRUE(yes.now);
  EXPECT_GE(yes.ask_again_minutes, 1U);
  const MayWork no = may_work({}, at(5000, 99));
  EXPECT_FALSE(no.now);
  EXPECT_EQ(no.ask_again_minutes, 60U);
}

TEST(WorkingHours, WaitsForIdleAndAsksOftenThen) {
  const Hours idle{0x7f, 0, 1440, 10};
  const MayWork soon = may_work(std::span(&idle, 1), at(700, 4));
  EXPECT_FALSE(soon.now);
  EXPECT_EQ(soon.ask_again_minutes, 6U);
  const MayWork now = may_work(std::span(&idle, 1), at(700, 10));
  EXPECT_TRUE(now.now);
  EXPECT_EQ(now.ask_again_minutes, 1U);
}

/// The same by marking minutes one after the other.
std::vector<std::vector<bool>> table_of(const std::vector<Hours>& when) {
  std::vector<std::vector<bool>> rules;
  for (const Hours& hours : when) {
    std::vector<bool> marks(week);
    for (uint32_t day = 0; day < 7; ++day) {
      uint32_t minute = day * 1440 + hours.from_minute;
      const uint32_t last = hours.to_minute % 1440;
      bool marking = (hours.days >> day & 1) != 0;
      while (marking) {
        marks[minute % week] = true;
        minute += 1;
        marking = minute % 1440 != last;
      }
    }
    rules.push_back(marks);
  }
  return rules;
}

bool allowed(const std::vector<Hours>& when,
             const std::vector<std::vector<bool>>& table,
             uint32_t minute,
             uint32_t idle) {
  for (size_t i = 0; i < when.size(); ++i) {
    if (table[i][minute % week] && when[i].idle_minutes <= idle) {
      return true;
    }
  }
  return false;
}

TEST(WorkingHours, AgreesWithATableAndKeepsItsWord) {
  TestRandom random(3);
  uint64_t worked = 0;
  for (uint64_t i = 0; i < 100 * soak_times(); ++i) {
    std::vector<Hours> when(random.below(4));
    for (Hours& hours : when) {
      hours.days = static_cast<uint8_t>(random.in(1, 0x7f));
      hours.from_minute = static_cast<uint16_t>(random.in(0, 1439));
      hours.to_minute = static_cast<uint16_t>(random.in(1, 1440));
      hours.idle_minutes = random.of<uint16_t>({0, 0, 10, 33});
    }
    const auto table = table_of(when);
    for (int k = 0; k < 200; ++k) {
      const auto minute = static_cast<uint32_t>(random.below(week));
      const auto idle = static_cast<uint32_t>(random.below(40));
      const MayWork answer = may_work(when, at(minute, idle));
      ASSERT_EQ(answer.now, allowed(when, table, minute, idle)) << i << " " << minute;
      ASSERT_GE(answer.ask_again_minutes, 1U);
      ASSERT_LE(answer.ask_again_minutes, 60U);
      worked += answer.now ? 1 : 0;
      for (uint32_t later = 1; later < answer.ask_again_minutes; ++later) {
        ASSERT_EQ(allowed(when, table, minute + later, idle + later), answer.now)
            << i << " " << minute << " +" << later;
      }
    }
  }
  EXPECT_GT(worked, 4000 * soak_times());
}

TEST(WorkingHours, AnyDecodedHoursAreSafe) {
  TestRandom random(4);
  for (uint64_t i = 0; i < 20'000 * soak_times(); ++i) {
    const Hours hours{static_cast<uint8_t>(random.next()),
                      static_cast<uint16_t>(random.next()),
                      static_cast<uint16_t>(random.next()),
                      static_cast<uint16_t>(random.next())};
    const Moment moment{static_cast<uint8_t>(random.next()),
                        static_cast<uint16_t>(random.next()),
                        static_cast<uint32_t>(random.next())};
    const MayWork answer = may_work(std::span(&hours, 1), moment);
    ASSERT_TRUE(answer.ask_again_minutes >= 1 && answer.ask_again_minutes <= 60);
  }
}

}  // namespace
}  // namespace lockstep::place
