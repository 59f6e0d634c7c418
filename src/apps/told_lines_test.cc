// Which lines of a requester's second life are left out.
#include "apps/told_lines.h"

#include <gtest/gtest.h>

namespace lockstep::apps {
namespace {

using nlohmann::json;

json round(uint32_t number, bool again, uint64_t time_ms) {
  return {{"event", "round"},
          {"round", number},
          {"loss", 0.5},
          {"again", again},
          {"time_ms", time_ms},
          {"text", "round " + std::to_string(number)}};
}
json placed(const std::string& id, uint64_t time_ms) {
  return {{"event", "task_placed"}, {"id", id}, {"machine", "provider-1"}, {"time_ms", time_ms}};
}
json slashed(uint64_t block, uint64_t time_ms) {
  return {{"event", "slashed"}, {"block", block}, {"owner", "provider-3"}, {"time_ms", time_ms}};
}
json store(uint64_t time_ms) {
  return {{"event", "store"}, {"works", true}, {"time_ms", time_ms}};
}

std::string written(const std::vector<json>& events) {
  std::string lines;
  for (const json& event : events) {
    lines += event.dump() + "\n";
  }
  return lines;
}

TEST(ToldLines, WhatHappensOnceIsToldOnce) {
  const ToldLines told(written(
      {placed("aa", 10), round(1, false, 20), slashed(7, 30), round(1, true, 40), store(50)}));
  EXPECT_FALSE(told.is_cut());
  EXPECT_TRUE(told.is_repeat(placed("aa", 1)));
  EXPECT_TRUE(told.is_repeat(round(1, false, 2)));
  EXPECT_TRUE(told.is_repeat(slashed(7, 3)));
  EXPECT_FALSE(told.is_repeat(placed("bb", 1))) << "placed again is another task";
  EXPECT_FALSE(told.is_repeat(slashed(8, 3)));
  EXPECT_FALSE(told.is_repeat(round(2, false, 2)));
  EXPECT_FALSE(told.is_repeat(round(1, true, 2))) << "it may well be done a third time";
  EXPECT_FALSE(told.is_repeat(store(2))) << "a store may fail and work again any number of times";
}

TEST(ToldLines, AFirstLifeHasToldNothing) {
  EXPECT_FALSE(ToldLines().is_repeat(placed("aa", 1)));
  EXPECT_FALSE(ToldLines("").is_cut());
  EXPECT_FALSE(ToldLines("").is_repeat(round(1, false, 1)));
}

TEST(ToldLines, ALineThatACrashCutIsToldAgain) {
  const std::string whole = written({placed("aa", 10), placed("bb", 20)});
  for (size_t kept = whole.find('\n') + 2; kept + 1 < whole.size(); ++kept) {
    const ToldLines told(whole.substr(0, kept));
    EXPECT_TRUE(told.is_cut());
    EXPECT_TRUE(told.is_repeat(placed("aa", 1)));
    EXPECT_FALSE(told.is_repeat(placed("bb", 1)));
  }
  EXPECT_TRUE(ToldLines("[]\n\n\xff\n" + whole).is_repeat(placed("bb", 1)));
}

}  // namespace
}  // namespace lockstep::apps
