// The loop: timers in order, work from other threads, turns and what comes at their end, signals.
#include "platform/loop.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "base/test_random.h"

namespace lockstep::platform {
namespace {

TEST(Loop, RunsTimersInTheOrderInWhichTheyAreDue) {
  Loop loop;
  TestRandom random(1);
  constexpr size_t timers = 200;
  std::vector<uint64_t> ran;  // when each was due
  for (size_t i = 0; i < timers; ++i) {
    const uint64_t delay = random.below(30);
    const uint64_t due = Loop::monotonic_ms() + delay;
    loop.call_after(delay, [&, due] {
      EXPECT_GE(Loop::monotonic_ms(), due);
      ran.push_back(due);
    });
  }
  loop.call_after(40, [&] { loop.stop(); });
  loop.run();
  ASSERT_EQ(ran.size(), timers);
  for (size_t i = 1; i < timers; ++i) {
    // The loop reads the clock after the test does.
    EXPECT_LE(ran[i - 1], ran[i] + 1);
  }
}

TEST(Loop, TimersOfNodeTimeNeverComeEarly) {
  Loop loop;
  const uint64_t at_ms = Loop::now_ms() + 20;
  uint64_t ran_ms = 0;
  bool past_ran = false;
  loop.call_at(at_ms, [&] {
    ran_ms = Loop::now_ms();
    loop.stop();
  });
  loop.call_at(0, [&] { past_ran = true; });
  loop.run();
  EXPECT_GE(ran_ms, at_ms);
  EXPECT_TRUE(past_ran);
}

TEST(Loop, CancelledTimersDoNotRun) {
  Loop loop;
  std::string ran;
  const auto first = loop.call_after(1, [&] { ran += 'a'; });
  Loop::Timer second = 0;
  loop.call_after(2, [&] {
    ran += 'b';
    loop.cancel(second);
  });
  second = loop.call_after(2, [&] { ran += 'c'; });
  loop.call_at(Loop::now_ms() + 10, [&] {
    ran += 'd';
    loop.stop();
  });
  loop.call_after(~uint64_t{0}, [&] { ran += 'e'; });
  loop.call_at(~uint64_t{0}, [&] { ran += 'f'; });
  loop.cancel(first);
  loop.cancel(12'345);
  loop.run();
  EXPECT_EQ(ran, "bd");
}

TEST(Loop, TimersThatSetTimersLetOthersRun) {
  Loop loop;
  int again = 0;
  std::function<void()> repeat = [&] {
    ++again;
    loop.call_after(0, repeat);
  };
  loop.call_after(0, repeat);
  bool posted = false;
  loop.post([&] {
    posted = true;
    loop.call_after(5, [&] { loop.stop(); });
  });
  loop.run();
  EXPECT_TRUE(posted);
  EXPECT_GT(again, 0);
}

TEST(Loop, EachTurnEndsOnceAfterItsHandlers) {
  Loop loop;
  std::string said;
  loop.on_turn([&] { said += '|'; });
  loop.post([&] {
    said += 'a';
    loop.at_turn_end([&] { said += "x"; });
    loop.at_turn_end([&] {
      said += "y";
      loop.defer([&] {
        said += "c";
        loop.at_turn_end([&] { loop.stop(); });
      });
    });
  });
  loop.post([&] { said += 'b'; });
  loop.run();
  EXPECT_EQ(said, "ab|xyc|");
}

TEST(Loop, WhatWasAskedForBeforeItRunsIsNotHeldUp) {
  Loop loop;
  std::string said;
  loop.at_turn_end([&] {
    said += 'a';
    loop.defer([&] {
      said += 'b';
      loop.stop();
    });
  });
  loop.run();  // with nothing else to wake it
  EXPECT_EQ(said, "ab");
}

TEST(Loop, DeferredTasksDoNotKeepOthersOut) {
  Loop loop;
  std::function<void()> repeat = [&] { loop.defer(repeat); };
  loop.defer(repeat);
  bool due = false;
  loop.call_after(1, [&] {
    due = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(due);
}

TEST(Loop, TakesWorkFromOtherThreads) {
  Loop loop;
  constexpr int each = 1000;
  int count = 0;  // touched by the loop's thread alone
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < each; ++k) {
        loop.post([&] {
          ++count;
          if (count == 4 * each) {
            loop.stop();
          }
        });
      }
    });
  }
  loop.run();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(count, 4 * each);
}

TEST(Loop, StopsFromAnotherThreadAndBeforeItRuns) {
  Loop loop;
  loop.stop();
  loop.run();
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
  bool ran = false;
  loop.post([&] {
    ran = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(Loop, HearsSignals) {
  Loop loop;
  std::vector<int> heard;
  loop.on_signal([&](int number) {
    heard.push_back(number);
    if (heard.size() == 2) {
      loop.stop();
    } else {
      EXPECT_EQ(std::raise(SIGINT), 0);
    }
  });
  EXPECT_EQ(std::raise(SIGTERM), 0);
  loop.run();
  EXPECT_EQ(heard, (std::vector<int>{SIGTERM, SIGINT}));
}

}  // namespace
}  // namespace lockstep::platform
