// The worker's thread lives on where memory runs out: the task fails, and the next one is done.
#include "apps/worker.h"

#include <gtest/gtest.h>

#include <new>

#include "law/roots.h"
#include "ledger/test_world.h"
#include "platform/files.h"

namespace lockstep::apps {
namespace {

/// A store that has no memory for so many reads.
class TightStore final : public env::KeyValue {
 public:
  int failures = 0;
  Result<std::optional<Bytes>> get(const std::string& key) override {
    if (failures > 0) {
      --failures;
      throw std::bad_alloc();
    }
    return values_.get(key);
  }
  Result<void> apply(std::vector<Change> batch) override { return values_.apply(std::move(batch)); }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return values_.keys(prefix, after, count_max);
  }

 private:
  env::MemoryKeyValue values_;
};

class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() : program_(ledger::test::small_program()), blobs_(store_, law::data_mode()) {
    ref_.bytes = law::encode(program_);
    ref_.root = law::program_root(program_);
    work_.task.program = &ref_;
    for (const law::Leaf& leaf : program_.leaves) {
      Bytes zeros(static_cast<size_t>(leaf.shape.bytes()));
      const Hash data = *blobs_.put(std::move(zeros));
      work_.task.leaves.push_back({{law::tensor_root(leaf.shape, data), data}, std::nullopt, 0});
    }
  }
  /// The outcome of the task where so many reads of the store find no memory.
  node::WorkDone run(Worker& worker, int failures) {
    store_.failures = failures;
    ++work_.id;
    worker.start(work_);
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return done_.has_value(); });
    node::WorkDone done = std::move(*done_);
    done_.reset();
    return done;
  }
  void take(node::WorkDone done) {
    const std::lock_guard lock(mutex_);
    done_.emplace(std::move(done));
    came_.notify_one();
  }

  // NOLINTBEGIN(misc-non-private-member-variables-in-classes)
  law::Program program_;
  model::ProgramRef ref_;
  TightStore store_;
  store::Blobs blobs_;
  platform::Clock clock_;
  node::RunTask work_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::optional<node::WorkDone> done_;
  // NOLINTEND(misc-non-private-member-variables-in-classes)
};

TEST_F(WorkerTest, ATaskForWhichThereIsNoMemoryFailsAndTheNextOneIsDone) {
  Worker worker(
      {{1, tensor::Isa::portable, false}, std::nullopt}, blobs_, clock_, [this](auto done) {
        take(std::move(done));
      });
  const auto first = run(worker, 0);
  ASSERT_TRUE(first.result.ok()) << first.result.error().message();
  const auto tight = run(worker, 2);
  EXPECT_EQ(tight.id, 2U);
  ASSERT_FALSE(tight.result.ok());
  EXPECT_EQ(tight.result.error().code, Code::no_offer);
  EXPECT_NE(tight.result.error().message().find("more memory than this machine lends"),
            std::string::npos);
  const auto next = run(worker, 0);
  ASSERT_TRUE(next.result.ok()) << next.result.error().message();
  const auto root = [](const node::WorkDone& done) {
    return std::get<model::Execution>(*done.result).output_root;
  };
  EXPECT_EQ(root(next), root(first));
}

TEST_F(WorkerTest, WhatItKeepsOfOtherTasksGoesFirst) {
  Worker worker(
      {{1, tensor::Isa::portable, false}, std::nullopt}, blobs_, clock_, [this](auto done) {
        take(std::move(done));
      });
  ASSERT_TRUE(run(worker, 0).result.ok());
  const uint64_t spent = worker.meter().compute_ns;
  EXPECT_TRUE(run(worker, 1).result.ok()) << "the second try has more room";
  EXPECT_GE(worker.meter().compute_ns, spent) << "no time is forgotten";
}

}  // namespace
}  // namespace lockstep::apps
