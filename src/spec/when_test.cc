// Hours as text: what is read, what is refused, and the way back.
#include "spec/when.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "base/test_soak.h"

namespace lockstep::spec {
namespace {

using model::Hours;

TEST(When, ReadsWhatOwnersWrite) {
  const auto read = [](const char* text) {
    const auto when = parse_when(text, "--when");
    EXPECT_TRUE(when.ok()) << text << ": " << (when.ok() ? "" : when.error().message());
    return when.ok() ? *when : std::vector<Hours>{};
  };
  EXPECT_EQ(read("always"), std::vector<Hours>{Hours{}});
  EXPECT_EQ(read("idle"), (std::vector<Hours>{{0x7f, 0, 1440, 10}}));
  EXPECT_EQ(read("idle:45"), (std::vector<Hours>{{0x7f, 0, 1440, 45}}));
  EXPECT_EQ(read("22:00-07:00,idle"),
            (std::vector<Hours>{{0x7f, 1320, 420, 0}, {0x7f, 0, 1440, 10}}));
  EXPECT_EQ(read("mon-fri 22:00-07:00"), (std::vector<Hours>{{0x1f, 1320, 420, 0}}));
  EXPECT_EQ(read("sat-mon 00:00-24:00"), (std::vector<Hours>{{0x61, 0, 1440, 0}}));
  EXPECT_EQ(read(" mon+wed-thu  20:30-00:00 idle:5 "), (std::vector<Hours>{{0x0d, 1230, 1440, 5}}));
  EXPECT_EQ(read("sun idle"), (std::vector<Hours>{{0x40, 0, 1440, 10}}));
}

TEST(When, RefusesWhatIsUnclear) {
  for (const char* text : {"",
                           ",",
                           "idle,",
                           "mon,wed 22:00-07:00",
                           "mon-fri",
                           "never",
                           "always idle",
                           "mon always",
                           "22:00",
                           "22:00-",
                           "-07:00",
                           "22-07",
                           "7:00-9:00",
                           "07:00-09:60",
                           "07:00-24:01",
                           "24:00-07:00",
                           "07:00-07:00",
                           "00:00-00:00",
                           "07:00-08:00 09:00-10:00",
                           "idle 07:00-08:00",
                           "07:00-08:00 mon",
                           "mon tue 07:00-08:00",
                           "idle idle",
                           "idle:0",
                           "idle:1441",
                           "idle:-5",
                           "idle:x",
                           "idle:",
                           "idler",
                           "Mon 07:00-08:00",
                           "mon- 07:00-08:00",
                           "+mon 07:00-08:00",
                           "-1:00-07:00",
                           "07:00-08:00-09:00"}) {
    const auto when = parse_when(text, "--when");
    ASSERT_FALSE(when.ok()) << text;
    EXPECT_EQ(when.error().where, "--when");
    EXPECT_FALSE(when.error().next.empty()) << text;
  }
  EXPECT_FALSE(parse_when(std::string(5000, ' ') + "idle", "--when").ok());
  std::string many = "idle";
  for (int i = 0; i < 32; ++i) {
    many += ",idle";
  }
  EXPECT_FALSE(parse_when(many, "--when").ok());
}

TEST(When, GoesToTextAndBack) {
  TestRandom random(11);
  for (uint64_t i = 0; i < 2000 * soak_times(); ++i) {
    std::vector<Hours> when;
    for (int64_t items = random.in(1, 4); items > 0; --items) {
      Hours hours;
      hours.days = static_cast<uint8_t>(random.in(1, 0x7f));
      if (random.chance(3)) {
        hours.days = model::every_day;
      }
      if (!random.chance(3)) {
        hours.from_minute = static_cast<uint16_t>(random.in(0, 1439));
        hours.to_minute = static_cast<uint16_t>(random.in(1, 1440));
        if (hours.to_minute == hours.from_minute) {
          hours.to_minute = static_cast<uint16_t>(hours.from_minute + 1);
        }
      }
      hours.idle_minutes = random.of<uint16_t>({0, 10, 1, 77, 1440});
      when.push_back(hours);
    }
    const std::string text = text_of(when);
    const auto again = parse_when(text, "--when");
    ASSERT_TRUE(again.ok()) << text << ": " << again.error().message();
    ASSERT_EQ(*again, when) << text;
    EXPECT_EQ(text_of(*again), text);
  }
}

TEST(When, SurvivesAnyText) {
  TestRandom random(12);
  constexpr std::string_view letters = "0123456789:-+, monidlealwaysfri";
  size_t read = 0;
  for (uint64_t i = 0; i < 20'000 * soak_times(); ++i) {
    std::string text(random.below(14), ' ');
    for (char& c : text) {
      c = random.chance(20) ? static_cast<char>(random.next())
                            : letters[random.below(letters.size())];
    }
    const auto when = parse_when(text, "--when");
    if (when.ok()) {
      read += 1;
      const auto again = parse_when(text_of(*when), "--when");
      ASSERT_TRUE(again.ok()) << text;
      EXPECT_EQ(*again, *when);
    }
  }
  EXPECT_LT(read, 20'000 * soak_times());
}

}  // namespace
}  // namespace lockstep::spec
