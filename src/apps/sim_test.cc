// Whole jobs on simulated networks: honest, with liars, crashes and loss. Whatever happens, the
// model is the same and the money adds up.
#include <gtest/gtest.h>

#include "apps/small_job.h"
#include "law/roots.h"
#include "prepare/prepare.h"
#include "sim/world.h"

namespace lockstep {
namespace {

/// Everything that was told, for looking at afterwards.
class Record final : public sim::Observer {
 public:
  void on_notice(uint64_t now_ms, const node::Notice& notice) override {
    if (const auto* const news = std::get_if<node::LedgerNews>(&notice)) {
      events.push_back(news->event);
      text += std::to_string(now_ms) + ":" + std::to_string(news->event.index()) + ";";
    } else if (const auto* const done = std::get_if<node::JobFinished>(&notice)) {
      finished = *done;
    } else if (const auto* const undone = std::get_if<node::WorkVoided>(&notice)) {
      voided += undone->tasks;
    } else if (std::holds_alternative<node::LeaseLost>(notice)) {
      leases_lost += 1;
    }
  }
  void on_machine(uint64_t, const std::string&, bool up) override { (up ? ups : downs) += 1; }
  template <class Event>
  [[nodiscard]] std::vector<Event> all() const {
    std::vector<Event> found;
    for (const ledger::Event& event : events) {
      if (const auto* const one = std::get_if<Event>(&event)) {
        found.push_back(*one);
      }
    }
    return found;
  }
  std::vector<ledger::Event> events;
  std::string text;
  std::optional<node::JobFinished> finished;
  uint64_t voided = 0;
  int leases_lost = 0, ups = 0, downs = 0;
};

struct Outcome {
  Result<void> ended = Result<void>();
  Record record;
  Hash root;
  ledger::State state;
  model::JobId job;
};

/// Three rounds of two lanes of ten steps: long enough for windows.
model::JobSpec market_job() {
  model::JobSpec spec = small_job();
  spec.train.rounds = 3;
  spec.train.batch = 2;
  spec.train.local_steps = 10;
  spec.train.claim_every = 4;
  spec.verify = {model::VerifyKind::full, 1'000'000, 0};
  spec.resources.memory_bytes = 1'000'000'000;
  return spec;
}

Outcome run(const sim::Options& options, const model::JobSpec& spec = market_job()) {
  Outcome outcome;
  MemoryFiles files = small_files();
  env::MemoryKeyValue values;
  store::Blobs blobs(values, law::data_mode());
  const auto prepared = prepare::prepare(spec, "", files, blobs);
  EXPECT_TRUE(prepared.ok());
  platform::Clock clock;
  auto world =
      sim::World::create(options, prepared->job, blobs, clock, {1, tensor::best_isa(), false});
  if (!world.ok()) {
    outcome.ended = world.error();
    return outcome;
  }
  outcome.ended = (*world)->run(outcome.record);
  outcome.state = (*world)->sequencer().ledger().state();
  EXPECT_EQ(*outcome.state.sum(), outcome.state.total);
  if (outcome.record.finished) {
    std::vector<std::pair<std::string, Hash>> roots;
    for (const auto& [name, leaf] : outcome.record.finished->parameters) {
      roots.emplace_back(name, leaf.root);
    }
    outcome.root = law::model_root(roots);
    outcome.job = *(*world)->requester().job_id();
  }
  return outcome;
}

/// What everybody must see of a job that ended well.
void expect_settled(const Outcome& outcome) {
  ASSERT_TRUE(outcome.ended.ok()) << outcome.ended.error().message();
  const ledger::Job& job = outcome.state.jobs.at(outcome.job);
  EXPECT_EQ(job.status, ledger::JobStatus::settled);
  EXPECT_EQ(job.escrow, Amount());
  EXPECT_EQ(job.audit_budget, Amount());
  EXPECT_EQ(job.reserve, Amount());
  EXPECT_TRUE(outcome.state.disputes.empty());
  for (const auto& [id, lease] : outcome.state.leases) {
    EXPECT_EQ(lease.pending, Amount());
    EXPECT_EQ(lease.locked, Amount());
    EXPECT_EQ(lease.paid, *model::price_of(lease.final_operations, job.terms.price_per_unit));
  }
  for (const auto& [owner, account] : outcome.state.accounts) {
    EXPECT_EQ(account.locked, Amount());
  }
}

uint64_t final_operations(const Outcome& outcome) {
  uint64_t sum = 0;
  for (const auto& [id, lease] : outcome.state.leases) {
    sum += lease.final_operations;
  }
  return sum;
}

/// The honest run on one provider, which every other run must end like.
const Outcome& honest() {
  static const Outcome outcome = [] {
    sim::Options options;
    options.providers = 1;
    options.auditors = 0;
    return run(options);
  }();
  return outcome;
}

TEST(Sim, AnHonestRunPaysForEveryTask) {
  expect_settled(honest());
  EXPECT_EQ(final_operations(honest()), honest().state.jobs.begin()->second.terms.operations);
  EXPECT_TRUE(honest().record.all<ledger::TransactionFailed>().empty());
  EXPECT_FALSE(honest().record.all<ledger::AuditAgreed>().empty());
}

TEST(Sim, MoreMachinesAndOtherSeedsGiveTheSameModel) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    sim::Options options;
    options.seed = seed;
    const Outcome outcome = run(options);
    expect_settled(outcome);
    EXPECT_EQ(outcome.root, honest().root) << seed;
    EXPECT_EQ(final_operations(outcome), final_operations(honest()));
    EXPECT_TRUE(outcome.record.all<ledger::TransactionFailed>().empty());
    EXPECT_TRUE(outcome.record.all<ledger::DisputeOpened>().empty());
  }
}

TEST(Sim, ASeedReplaysARunExactly) {
  sim::Options options;
  options.seed = 7;
  options.network.loss_millionths = 50'000;
  const Outcome first = run(options);
  const Outcome second = run(options);
  EXPECT_EQ(first.record.text, second.record.text);
  EXPECT_EQ(first.state.root(), second.state.root());
  options.seed = 8;
  EXPECT_NE(run(options).record.text, first.record.text);
}

TEST(Sim, ASkipperIsConvictedByAProof) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    sim::Options options;
    options.seed = seed;
    options.cheats = {{2, sim::CheatKind::skip}};
    const Outcome outcome = run(options);
    expect_settled(outcome);
    EXPECT_EQ(outcome.root, honest().root) << seed;
    const auto ended = outcome.record.all<ledger::DisputeEnded>();
    ASSERT_FALSE(ended.empty());
    for (const ledger::DisputeEnded& one : ended) {
      EXPECT_EQ(one.ending, ledger::Ending::proof_refuted);
      EXPECT_LE(one.answers, 9u);
      EXPECT_LE(one.proof_bytes, 400u << 10);
    }
    const auto slashed = outcome.record.all<ledger::Slashed>();
    ASSERT_EQ(slashed.size(), 1u);
    EXPECT_GT(slashed[0].burned, Amount());
    EXPECT_GT(outcome.record.voided, 0u);
    EXPECT_EQ(final_operations(outcome), final_operations(honest()));
    EXPECT_EQ(outcome.state.totals.burned, slashed[0].burned);
  }
}

TEST(Sim, OneFlippedBitIsCaughtWhenEverythingIsAudited) {
  sim::Options options;
  options.cheats = {{3, sim::CheatKind::bitflip}};
  const Outcome outcome = run(options);
  expect_settled(outcome);
  EXPECT_EQ(outcome.root, honest().root);
  EXPECT_EQ(outcome.record.all<ledger::Slashed>().size(), 1u);
}

TEST(Sim, ShortTasksAreRefereedToo) {
  model::JobSpec spec = market_job();
  spec.train.local_steps = 2;
  spec.train.claim_every = 1;
  sim::Options options;
  options.cheats = {{2, sim::CheatKind::skip}};
  const Outcome outcome = run(options, spec);
  expect_settled(outcome);
  ASSERT_EQ(outcome.record.all<ledger::Slashed>().size(), 1u);
  EXPECT_EQ(outcome.record.all<ledger::DisputeEnded>().front().ending,
            ledger::Ending::proof_refuted);
}

TEST(Sim, WithoutAuditorsTheRequesterAudits) {
  sim::Options options;
  options.auditors = 0;
  options.cheats = {{2, sim::CheatKind::skip}};
  const Outcome outcome = run(options);
  expect_settled(outcome);
  EXPECT_EQ(outcome.root, honest().root);
  EXPECT_EQ(outcome.record.all<ledger::Slashed>().size(), 1u);
}

TEST(Sim, ACrashedMachinesWorkIsPlacedAgain) {
  for (const bool back : {false, true}) {
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      sim::Options options;
      options.seed = seed;
      options.crashes = {{1, 2, back ? std::optional<uint64_t>(700) : std::nullopt}};
      const Outcome outcome = run(options);
      expect_settled(outcome);
      EXPECT_EQ(outcome.root, honest().root);
      EXPECT_EQ(outcome.record.downs, 1);
      EXPECT_EQ(outcome.record.ups, back ? 1 : 0);
      EXPECT_TRUE(outcome.record.all<ledger::Slashed>().empty()) << "a crash is no lie";
    }
  }
}

TEST(Sim, LossDelayALiarAndACrashAtOnce) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    sim::Options options;
    options.seed = seed;
    options.network.loss_millionths = 30'000;
    options.network.delay_us_max = 120'000;
    options.cheats = {{3, sim::CheatKind::skip}};
    options.crashes = {{2, 3, std::nullopt}};
    const Outcome outcome = run(options);
    expect_settled(outcome);
    EXPECT_EQ(outcome.root, honest().root);
    EXPECT_LE(outcome.record.all<ledger::Slashed>().size(), 1u);
  }
}

TEST(Sim, SaysWhyNothingMatches) {
  model::JobSpec spec = market_job();
  spec.resources.memory_bytes = uint64_t{1} << 40;
  const Outcome large = run({}, spec);
  ASSERT_FALSE(large.ended.ok());
  EXPECT_EQ(large.ended.error().code, Code::no_offer);
  EXPECT_NE(large.ended.error().what.find("memory removed 4"), std::string::npos)
      << large.ended.error().message();
  spec = market_job();
  spec.budget = Amount::from_nano(1000);
  const Outcome poor = run({}, spec);
  ASSERT_FALSE(poor.ended.ok());
  EXPECT_EQ(poor.ended.error().code, Code::over_budget);
  EXPECT_TRUE(poor.state.jobs.empty()) << "nothing was put into escrow";
}

TEST(Sim, RefusesWhatItDoesNotOffer) {
  model::JobSpec spec = market_job();
  spec.verify = {model::VerifyKind::replicate, 0, 2};
  EXPECT_EQ(run({}, spec).ended.error().code, Code::bad_option);
  sim::Options options;
  options.providers = 0;
  EXPECT_EQ(run(options).ended.error().code, Code::bad_option);
  options.providers = 2;
  options.cheats = {{3, sim::CheatKind::skip}};
  EXPECT_EQ(run(options).ended.error().where, "--cheat");
}

}  // namespace
}  // namespace lockstep
