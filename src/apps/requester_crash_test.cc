// The requester is killed at every write to its disk and after every call in which it sends: the
// model, the money and the work are those of the run in which nobody died.
#include <gtest/gtest.h>

#include "apps/small_job.h"
#include "base/test_soak.h"
#include "law/roots.h"
#include "prepare/prepare.h"
#include "sim/fault_model.h"
#include "sim/world.h"

namespace lockstep {
namespace {

/// Three rounds of two lanes, every second task audited.
model::JobSpec crash_job() {
  model::JobSpec spec = small_job();
  spec.train.rounds = 3;
  spec.train.batch = 2;
  spec.train.local_steps = 2;
  spec.train.claim_every = 1;
  spec.verify = {model::VerifyKind::spot, 500'000, 0};
  spec.resources.memory_bytes = 1'000'000'000;
  return spec;
}

struct Job {
  env::MemoryKeyValue values;
  store::Blobs blobs{values, law::data_mode()};
  Result<prepare::Prepared> prepared = refuse(Code::internal, "not yet");
  Job() {
    MemoryFiles files = small_files();
    prepared = prepare::prepare(crash_job(), "", files, blobs);
  }
};

class Watch final : public sim::Observer {
 public:
  void on_notice(uint64_t, const node::Notice& notice) override {
    if (const auto* const done = std::get_if<node::JobFinished>(&notice)) {
      finished = *done;
    } else if (const auto* const accepted = std::get_if<node::TaskAccepted>(&notice)) {
      accepted_tasks.insert(accepted->id);
    }
  }
  void on_run(const std::string& machine, const node::RunTask& work) override {
    if (machine.starts_with("provider") && work.kind == node::WorkKind::execute) {
      ++runs[work.task.tag];
    }
  }
  void on_machine(uint64_t, const std::string& name, bool up) override {
    deaths += name == "requester" && !up ? 1 : 0;
  }
  void on_block(uint64_t, const model::Block&, const ledger::State& after) override {
    const auto sum = after.sum();
    money_is_whole = money_is_whole && sum.ok() && *sum == after.total;
  }
  std::optional<node::JobFinished> finished;
  std::set<model::TaskId> accepted_tasks;
  std::map<model::TaskTag, int> runs;
  int deaths = 0;
  bool money_is_whole = true;
};

struct Outcome {
  Result<void> ended = Result<void>();
  Watch watch;
  Hash root;
  ledger::State state;
};

Outcome run(const sim::Options& options) {
  static Job job;
  env::MemoryKeyValue values = job.values;
  store::Blobs blobs(values, law::data_mode());
  Outcome outcome;
  platform::Clock clock;
  auto world =
      sim::World::create(options, job.prepared->job, blobs, clock, {1, tensor::best_isa(), false});
  if (!world.ok()) {
    outcome.ended = world.error();
    return outcome;
  }
  outcome.ended = (*world)->run(outcome.watch);
  outcome.state = (*world)->sequencer().ledger().state();
  if (outcome.watch.finished) {
    std::vector<std::pair<std::string, Hash>> roots;
    for (const auto& [name, leaf] : outcome.watch.finished->parameters) {
      roots.emplace_back(name, leaf.root);
    }
    outcome.root = law::model_root(roots);
  }
  return outcome;
}

sim::Options options_of(uint64_t seed) {
  constexpr uint64_t limit_ms = 120'000;
  sim::Options options;
  options.seed = seed;
  options.providers = 3;
  options.time_limit_ms = limit_ms;
  return options;
}

const Outcome& unbroken() {
  static const Outcome outcome = run(options_of(1));
  return outcome;
}

/// One job, settled; every task claimed, final and paid once, and every accepted one is among them.
void expect_paid_exactly(const Outcome& outcome) {
  const ledger::State& state = outcome.state;
  ASSERT_EQ(state.jobs.size(), 1U);
  const ledger::Job& job = state.jobs.begin()->second;
  EXPECT_EQ(job.status, ledger::JobStatus::settled);
  EXPECT_EQ(job.escrow, Amount());
  EXPECT_EQ(job.audit_budget, Amount());
  std::map<model::LeaseId, uint64_t> operations;
  std::set<model::TaskId> paid;
  for (const auto& [id, claim] : state.claims) {
    for (const ledger::Task& task : claim.tasks) {
      EXPECT_EQ(task.status, ledger::TaskStatus::final);
      EXPECT_TRUE(paid.insert(task.id).second);
      operations[claim.lease] += task.operations;
    }
  }
  EXPECT_EQ(paid, outcome.watch.accepted_tasks);
  uint64_t all = 0;
  for (const auto& [id, lease] : state.leases) {
    EXPECT_EQ(lease.final_operations, operations[id]);
    EXPECT_EQ(lease.paid, *model::price_of(operations[id], job.terms.price_per_unit));
    EXPECT_NE(lease.status, ledger::LeaseStatus::slashed);
    EXPECT_EQ(lease.locked, Amount());
    all += operations[id];
  }
  EXPECT_EQ(all, job.terms.operations);
  EXPECT_EQ(state.totals.burned, Amount());
  EXPECT_EQ(state.totals.treasury, Amount());
}

/// Whether the requester died.
bool expect_unharmed(const sim::Options& options) {
  const Outcome outcome = run(options);
  EXPECT_TRUE(outcome.watch.money_is_whole);
  EXPECT_TRUE(outcome.ended.ok()) << outcome.ended.error().message();
  if (!outcome.ended.ok()) {
    return false;
  }
  EXPECT_EQ(outcome.root, unbroken().root);
  EXPECT_EQ(outcome.watch.runs, unbroken().watch.runs) << "no task ran twice";
  expect_paid_exactly(outcome);
  return outcome.watch.deaths > 0;
}

model::CrashFault kill(model::CrashPoint point, uint64_t skip) {
  model::CrashFault fault;
  fault.who = "requester";
  fault.point = point;
  fault.wait_ms = uint64_t{1} << 30;
  fault.restart_ms = 300;
  fault.skip = skip;
  return fault;
}

/// Kills at every `stride`th place of one kind, a run each, until the job is over before the place
/// comes. How many there were.
uint64_t kill_at_each(model::CrashPoint point, uint64_t first, uint64_t stride) {
  uint64_t skip = first;
  while (true) {
    SCOPED_TRACE("skip " + std::to_string(skip));
    sim::Options options = options_of(1);
    options.kills = {kill(point, skip)};
    if (!expect_unharmed(options) || testing::Test::HasFailure()) {
      return skip;
    }
    skip += stride;
  }
}

uint64_t stride() {
  constexpr uint64_t usual = 24;
  return std::max<uint64_t>(1, usual / soak_times());
}

TEST(RequesterCrash, TheUnbrokenRunRunsEveryTaskOnce) {
  ASSERT_TRUE(unbroken().ended.ok()) << unbroken().ended.error().message();
  expect_paid_exactly(unbroken());
  for (const auto& [tag, runs] : unbroken().watch.runs) {
    EXPECT_EQ(runs, 1);
  }
  EXPECT_EQ(unbroken().watch.accepted_tasks.size(), unbroken().watch.runs.size());
}

TEST(RequesterCrash, BeforeEveryWrite) {
  EXPECT_GT(kill_at_each(model::CrashPoint::before_write, 0, stride()), 50U);
}

TEST(RequesterCrash, InsideEveryWrite) {
  EXPECT_GT(kill_at_each(model::CrashPoint::torn_write, 3, stride()), 50U);
}

TEST(RequesterCrash, AfterEveryWrite) {
  EXPECT_GT(kill_at_each(model::CrashPoint::after_write, 6, stride()), 50U);
}

TEST(RequesterCrash, AfterEverySend) {
  EXPECT_GT(kill_at_each(model::CrashPoint::after_send, 9, stride()), 50U);
}

/// It dies again and again, each time before it has come far.
TEST(RequesterCrash, ManyDeathsInOneJob) {
  const uint64_t seeds = 6 * soak_times();
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    sim::Options options = options_of(1);
    for (uint64_t death = 0; death < 8; ++death) {
      const auto point = static_cast<model::CrashPoint>((seed + death) % 5);
      model::CrashFault fault = kill(point, (seed * 7 + death * 3) % 11);
      fault.at_ms = death * 450 + seed * 13;
      fault.wait_ms = 400;
      fault.restart_ms = 20;
      options.kills.push_back(fault);
    }
    EXPECT_TRUE(expect_unharmed(options));
  }
}

}  // namespace
}  // namespace lockstep
