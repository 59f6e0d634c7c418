// The thread pool: every part once, never two bodies with one worker number, and the law's
// floating-point state in each.
#include "tensor/workers.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "law/float_environment.h"

namespace lockstep::tensor {
namespace {

TEST(ThreadPool, RunsEachPartOnceWithAWorkerOfItsOwn) {
  for (const int threads : {1, 2, 3, 7}) {
    const auto pool = ThreadPool::create(threads).value();
    ASSERT_EQ(pool->count(), threads);
    for (int64_t round = 0; round < 2000; ++round) {
      const int64_t parts = round % 40;
      std::array<std::atomic<int>, 40> runs{};
      std::array<std::atomic<int>, 7> inside{};
      std::atomic<int> wrong{0};
      pool->run(parts, [&](int64_t part, int worker) {
        const bool known = worker >= 0 && worker < threads;
        const bool alone = known && inside[static_cast<size_t>(worker)].fetch_add(1) == 0;
        const bool state = law::FloatEnvironment::current() == law::FloatEnvironment::expected;
        wrong += alone && state ? 0 : 1;
        runs[static_cast<size_t>(part)] += 1;
        inside[static_cast<size_t>(worker)].fetch_sub(1);
      });
      ASSERT_EQ(wrong.load(), 0);
      for (int64_t part = 0; part < 40; ++part) {
        ASSERT_EQ(runs[static_cast<size_t>(part)].load(), part < parts ? 1 : 0);
      }
    }
  }
}

TEST(ThreadPool, ResultsOfPartsAreVisibleAfterTheRun) {
  const auto pool = ThreadPool::create(7).value();
  std::vector<int64_t> values(1000);
  for (int64_t round = 0; round < 200; ++round) {
    pool->run(1000, [&](int64_t part, int) { values[static_cast<size_t>(part)] += part + round; });
  }
  for (int64_t part = 0; part < 1000; ++part) {
    ASSERT_EQ(values[static_cast<size_t>(part)], part * 200 + 199 * 100);
  }
}

TEST(ThreadPool, WakesThreadsThatHaveGoneToSleep) {
  const auto pool = ThreadPool::create(2).value();
  std::atomic<int> seen{0};
  // The body of worker 0 waits for worker 1: the run ends only if that thread wakes.
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    seen = 0;
    pool->run(2, [&](int64_t, int) {
      seen += 1;
      while (seen.load() < 2) {
        std::this_thread::yield();
      }
    });
    EXPECT_EQ(seen.load(), 2);
  }
}

TEST(ThreadPool, RefusesImpossibleCounts) {
  EXPECT_EQ(ThreadPool::create(0).error().code, Code::out_of_range);
  EXPECT_EQ(ThreadPool::create(threads_max + 1).error().code, Code::out_of_range);
}

}  // namespace
}  // namespace lockstep::tensor
