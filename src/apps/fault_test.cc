// Random faults within the model of docs/fault_model.md: whatever happens, the model is the one of
// the honest run, no money is made or lost, nobody honest is slashed, and when the faults are over
// the job is settled and all accepted work is paid.
#include <gtest/gtest.h>

#include "apps/small_job.h"
#include "base/test_soak.h"
#include "law/roots.h"
#include "prepare/prepare.h"
#include "sim/fault_model.h"
#include "sim/world.h"

namespace lockstep {
namespace {

constexpr uint32_t providers = 3;
constexpr uint32_t auditors = 2;
/// After the last fault, the job is settled within so much virtual time.
constexpr uint64_t settles_ms = 60'000;

/// Two rounds of two lanes of two steps, with everything audited.
model::JobSpec tiny_job() {
  model::JobSpec spec = small_job();
  spec.train.batch = 2;
  spec.train.local_steps = 2;
  spec.train.claim_every = 1;
  spec.verify = {model::VerifyKind::full, 1'000'000, 0};
  spec.resources.memory_bytes = 1'000'000'000;
  return spec;
}

struct Job {
  env::MemoryKeyValue values;
  store::Blobs blobs{values, law::data_mode()};
  Result<prepare::Prepared> prepared = refuse(Code::internal, "not yet");
  Job() {
    MemoryFiles files = small_files();
    prepared = prepare::prepare(tiny_job(), "", files, blobs);
  }
};

class Watch final : public sim::Observer {
 public:
  void on_notice(uint64_t now_ms, const node::Notice& notice) override {
    if (const auto* const done = std::get_if<node::JobFinished>(&notice)) {
      finished = *done;
    } else if (const auto* const news = std::get_if<node::LedgerNews>(&notice)) {
      log += std::to_string(now_ms) + ":" + std::to_string(news->event.index());
      const auto* const failed = std::get_if<ledger::TransactionFailed>(&news->event);
      log += (failed != nullptr ? " " + failed->error.message() : "") + ";";
    }
  }
  void on_machine(uint64_t now_ms, const std::string& name, bool up) override {
    log += std::to_string(now_ms) + (up ? "+" : "-") + name + ";";
  }
  void on_block(uint64_t, const model::Block&, const ledger::State& after) override {
    blocks += 1;
    const auto sum = after.sum();
    money_is_whole = money_is_whole && sum.ok() && *sum == after.total;
    nothing_burned = nothing_burned && after.totals.burned == Amount();
    for (const auto& [id, lease] : after.leases) {
      none_slashed = none_slashed && lease.status != ledger::LeaseStatus::slashed;
    }
  }
  std::optional<node::JobFinished> finished;
  std::string log;
  uint64_t blocks = 0;
  bool money_is_whole = true, nothing_burned = true, none_slashed = true;
};

struct Outcome {
  Result<void> ended = Result<void>();
  Watch watch;
  Hash root;
  ledger::State state;
  std::optional<model::JobId> job;
  sim::FaultCounts counts;
  std::optional<uint64_t> settled_ms;
};

Outcome run(const sim::Options& options) {
  static Job job;
  env::MemoryKeyValue values = job.values;  // what was prepared, and nothing of other runs
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
  outcome.counts = (*world)->fault_counts();
  outcome.settled_ms = (*world)->settled_ms();
  outcome.job = (*world)->requester().job_id();
  if (outcome.watch.finished) {
    std::vector<std::pair<std::string, Hash>> roots;
    for (const auto& [name, leaf] : outcome.watch.finished->parameters) {
      roots.emplace_back(name, leaf.root);
    }
    outcome.root = law::model_root(roots);
  }
  return outcome;
}

const Outcome& honest() {
  static const Outcome outcome = [] {
    sim::Options options;
    options.providers = providers;
    options.auditors = auditors;
    return run(options);
  }();
  return outcome;
}

/// Settled, with every claimed task final and paid and nothing left locked.
void expect_all_paid(const Outcome& outcome) {
  const ledger::Job& job = outcome.state.jobs.at(*outcome.job);
  EXPECT_EQ(job.status, ledger::JobStatus::settled);
  EXPECT_EQ(job.escrow, Amount());
  EXPECT_EQ(job.audit_budget, Amount());
  EXPECT_TRUE(outcome.state.disputes.empty());
  EXPECT_EQ(outcome.state.totals.treasury, Amount()) << "an auditor lost its bond";
  uint64_t operations = 0;
  for (const auto& [id, lease] : outcome.state.leases) {
    EXPECT_EQ(lease.pending, Amount());
    EXPECT_EQ(lease.paid, *model::price_of(lease.final_operations, job.terms.price_per_unit));
    operations += lease.final_operations;
  }
  EXPECT_EQ(operations, job.terms.operations) << "every task of the job is paid once";
  for (const auto& [id, claim] : outcome.state.claims) {
    for (const ledger::Task& task : claim.tasks) {
      EXPECT_EQ(task.status, ledger::TaskStatus::final);
    }
  }
  for (const auto& [owner, account] : outcome.state.accounts) {
    EXPECT_EQ(account.locked, Amount());
  }
}

sim::Options options_of(uint64_t seed, const model::Faults& faults) {
  sim::Options options;
  options.seed = seed;
  options.providers = providers;
  options.auditors = auditors;
  options.network = {10'000, 60'000, 0};
  options.faults = faults;
  options.time_limit_ms = sim::faults_over_ms(faults) + settles_ms;
  return options;
}

/// A crash at one kind of write, at the time when a small job makes it.
model::Faults crash_at(const std::string& who, const std::string& site, model::CrashPoint point) {
  constexpr uint64_t busy_ms = 350;
  model::CrashFault crash;
  crash.who = who;
  crash.at_ms = site == "blob" && who.starts_with("auditor") ? 5 * busy_ms : busy_ms;
  if (site == "job") {
    crash.at_ms = 1;
  }
  crash.point = point;
  crash.site = site;
  crash.wait_ms = site == "forget" ? 60'000 : 1500;
  crash.restart_ms = 400;
  model::Faults faults;
  faults.crashes.push_back(std::move(crash));
  return faults;
}

std::vector<model::Faults> plans_of_crashes() {
  using model::CrashPoint;
  std::vector<model::Faults> plans;
  for (const CrashPoint point :
       {CrashPoint::before_write, CrashPoint::torn_write, CrashPoint::after_write}) {
    for (const char* const site : {"receipt", "voucher", "forget", "blob"}) {
      plans.push_back(crash_at("provider-1", site, point));
      plans.push_back(crash_at("provider-3", site, point));
    }
    plans.push_back(crash_at("auditor-1", "blob", point));
    plans.push_back(crash_at("auditor-2", "blob", point));
    plans.push_back(crash_at("ledger", "block", point));
    for (const char* const site : {"job", "placed", "accepted", "block", "blob"}) {
      plans.push_back(crash_at("requester", site, point));
    }
  }
  for (const char* const who : {"provider-1", "auditor-1", "ledger", "requester"}) {
    plans.push_back(crash_at(who, "", CrashPoint::after_send));
  }
  return plans;
}

void expect_unharmed(const sim::Options& options, sim::FaultCounts& fired) {
  const Outcome outcome = run(options);
  EXPECT_TRUE(outcome.watch.money_is_whole);
  EXPECT_TRUE(outcome.watch.none_slashed);
  EXPECT_TRUE(outcome.watch.nothing_burned);
  fired.add(outcome.counts);
  ASSERT_TRUE(outcome.ended.ok()) << outcome.ended.error().message() << "\n" << outcome.watch.log;
  EXPECT_EQ(outcome.root, honest().root);
  expect_all_paid(outcome);
}

TEST(Faults, PlansWithinTheModelChangeNothingThatMatters) {
  ASSERT_TRUE(honest().ended.ok());
  expect_all_paid(honest());
  sim::FaultCounts fired;
  const std::vector<model::Faults> crashes = plans_of_crashes();
  for (size_t i = 0; i < crashes.size(); ++i) {
    SCOPED_TRACE("crash plan " + std::to_string(i));
    expect_unharmed(options_of(i, crashes[i]), fired);
  }
  const uint64_t plans = 40 * soak_times();
  for (uint64_t seed = 1; seed <= plans; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_unharmed(options_of(seed, sim::random_faults(seed, providers, auditors)), fired);
  }
  EXPECT_EQ(fired.never_fired(), std::vector<std::string>());
}

/// A provider whose blobs rot all the time fetches its inputs again.
TEST(Faults, RottenBlobsAreFetchedAgain) {
  sim::Options options;
  options.providers = providers;
  options.auditors = auditors;
  options.network = {10'000, 60'000, 0};
  constexpr uint64_t busy_ms = 1200;
  for (uint64_t at_ms = 300; at_ms < busy_ms; ++at_ms) {
    for (uint32_t provider = 1; provider <= providers; ++provider) {
      options.faults.rot.push_back({"provider-" + std::to_string(provider), at_ms, true});
    }
  }
  options.time_limit_ms = busy_ms + settles_ms;
  const Outcome outcome = run(options);
  ASSERT_TRUE(outcome.ended.ok()) << outcome.ended.error().message() << outcome.watch.log;
  EXPECT_EQ(outcome.root, honest().root);
  EXPECT_TRUE(outcome.watch.money_is_whole);
  EXPECT_TRUE(outcome.watch.none_slashed);
  EXPECT_GT(outcome.counts.of(sim::FaultPoint::blob_rot_noticed), 0u);
}

}  // namespace
}  // namespace lockstep
