// The desk as a node that audits: what it does about honest claims, lies, silence and losses.
#include "node/audit_desk.h"

#include <gtest/gtest.h>

#include "node/audit_test_world.h"

namespace lockstep::node::audit_test {
namespace {

size_t blobs_of_tasks(size_t tasks) {
  return 2 * tasks;
}

TEST(AuditDesk, FetchesRunsCommitsRevealsAndIsPaid) {
  World world;
  world.machine_stops = true;
  world.claim_tasks({std::nullopt, std::nullopt});
  const Amount before = world.balance(world.auditor);
  EXPECT_EQ(world.blobs_asked.size(), blobs_of_tasks(2));
  ASSERT_EQ(world.works.size(), 2U);
  EXPECT_EQ(world.works[0].kind, WorkKind::execute);
  EXPECT_NE(world.works[0].id, world.works[1].id);
  EXPECT_TRUE(world.said.empty()) << "it commits only to what it computed";
  world.machine_stops = false;
  ASSERT_TRUE(world.run_to(AuditPhase::done));
  const auto commits = world.said_of<model::CommitAudit>();
  const auto reveals = world.said_of<model::RevealAudit>();
  ASSERT_EQ(commits.size(), 1U);
  ASSERT_EQ(reveals.size(), 1U);
  ASSERT_EQ(reveals[0].tasks.size(), 2U);
  EXPECT_NE(reveals[0].tasks[0].salt, reveals[0].tasks[1].salt);
  for (size_t i = 0; i < 2; ++i) {
    const auto& [roots, salt] = reveals[0].tasks[i];
    EXPECT_EQ(commits[0].commitments[i], model::audit_commitment(roots, world.self(), salt));
  }
  const auto agreed = ledger::test::find<ledger::AuditAgreed>(world.events);
  ASSERT_TRUE(agreed.has_value());
  EXPECT_EQ(agreed->auditor, world.self());
  EXPECT_GT(world.balance(world.auditor), before);
  world.run_ms(5000);
  EXPECT_EQ(world.said.size(), 2U) << "nothing follows";
  EXPECT_FALSE(world.happened<ledger::TransactionFailed>());
}

TEST(AuditDesk, TakesALieDownToOneFoldStep) {
  for (const uint32_t lie : {0U, 2U, 5U, 8U}) {
    World world;
    world.claim_tasks({lie});
    ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeEnded>(); })) << lie;
    const auto challenges = world.said_of<model::Challenge>();
    ASSERT_EQ(challenges.size(), 1U);
    EXPECT_EQ(challenges[0].task, 0U);
    EXPECT_EQ(challenges[0].salt, Hash());
    const auto asks = world.said_of<model::AskOpen>();
    ASSERT_FALSE(asks.empty());
    EXPECT_EQ(asks.front().place, model::Place{}) << "first the task's list";
    const auto ended = ledger::test::find<ledger::DisputeEnded>(world.events);
    EXPECT_EQ(ended->ending, ledger::Ending::proof_refuted) << lie;
    EXPECT_EQ(ended->challenger, world.self());
    EXPECT_EQ(world.said_of<model::PostProof>().size(), 1U);
    EXPECT_EQ(world.state().claims.at(world.claim()).tasks[0].status,
              ledger::TaskStatus::convicted);
    EXPECT_FALSE(world.happened<ledger::TransactionFailed>());
  }
}

TEST(AuditDesk, ChallengesEveryTaskThatDiffersAndNoOther) {
  World world;
  world.claim_tasks({std::nullopt, 1U, std::nullopt, 7U});
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeEnded>(); }));
  const auto challenges = world.said_of<model::Challenge>();
  ASSERT_EQ(challenges.size(), 2U);
  EXPECT_EQ(challenges[0].task, 1U);
  EXPECT_EQ(challenges[1].task, 3U);
  world.run_ms(1000);
  EXPECT_TRUE(world.state().disputes.empty()) << "a conviction ends all disputes of the lease";
  const size_t said = world.said.size();
  world.run_ms(5000);
  EXPECT_EQ(world.said.size(), said) << "what is over is forgotten";
}

TEST(AuditDesk, RevealsAlsoWhenTheSaltsStayClosed) {
  World world;
  world.claimant_opens_salts = false;
  world.claim_tasks({std::nullopt});
  ASSERT_TRUE(world.run_to(AuditPhase::committed));
  world.run_ms(3000);
  EXPECT_TRUE(world.said_of<model::RevealAudit>().empty()) << "the claimant has its time";
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::SaltsUnopened>(); }));
  ASSERT_TRUE(world.run_to(AuditPhase::done));
  EXPECT_EQ(world.said_of<model::RevealAudit>().size(), 1U);
  EXPECT_TRUE(world.said_of<model::Challenge>().empty()) << "a crash is never a conviction";
}

TEST(AuditDesk, ChallengesALieWhoseSaltsStayClosed) {
  World world;
  world.claimant_opens_salts = false;
  world.claim_tasks({5U});
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeEnded>(); }));
  EXPECT_EQ(ledger::test::find<ledger::DisputeEnded>(world.events)->ending,
            ledger::Ending::proof_refuted);
}

TEST(AuditDesk, SendsAgainWhatGotLostOnItsWay) {
  World world;
  std::map<size_t, int> tries;  // by kind
  world.loses = [&](const model::Transaction& body) { return ++tries[body.index()] == 1; };
  world.claim_tasks({6U});
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeEnded>(); }));
  EXPECT_EQ(ledger::test::find<ledger::DisputeEnded>(world.events)->ending,
            ledger::Ending::proof_refuted);
  EXPECT_GE(tries.size(), 5U) << "commit, reveal, challenge, ask and proof were lost once each";
}

TEST(AuditDesk, SaysAgainWhatHadNoEffect) {
  World world;
  std::set<size_t> lost;  // kinds whose first transaction never enters a block
  world.loses = [&](const model::Transaction& body) { return lost.insert(body.index()).second; };
  size_t used_up = 0;
  world.claim_tasks({3U});
  const auto over = [&] {
    if (lost.size() > used_up) {
      ++used_up;
      world.use_up_nonce();
    }
    return world.happened<ledger::DisputeEnded>();
  };
  ASSERT_TRUE(world.run_until(over));
  EXPECT_EQ(ledger::test::find<ledger::DisputeEnded>(world.events)->ending,
            ledger::Ending::proof_refuted);
  EXPECT_GE(used_up, 5U);
  EXPECT_GE(world.said_of<model::CommitAudit>().size(), 2U);
  EXPECT_GE(world.said_of<model::RevealAudit>().size(), 2U);
  EXPECT_GE(world.said_of<model::Challenge>().size(), 2U);
  EXPECT_GE(world.said_of<model::PostProof>().size(), 2U);
}

TEST(AuditDesk, ForgetsAClaimThatItIsExcusedFromAndIgnoresLateResults) {
  World world;
  world.machine_stops = true;
  world.claim_tasks({std::nullopt});
  ASSERT_EQ(world.works.size(), 1U);
  ASSERT_TRUE(world.run_until([&] { return world.audit().auditor != world.self(); }));
  EXPECT_EQ(world.audit().auditor, world.requester.node.public_key());
  world.do_works();
  world.run_ms(3000);
  EXPECT_TRUE(world.said.empty());
  EXPECT_EQ(world.all_works.size(), 1U);
}

TEST(AuditDesk, IgnoresResultsThatNobodyAskedFor) {
  World world;
  world.node().on_work(world.now, {AuditDesk::id_bit | 77, Output(std::vector<Hash>())});
  world.machine_stops = true;
  world.claimant_opens_salts = false;
  world.claim_tasks({std::nullopt});
  const RunTask once = world.works.at(0);
  world.do_works();
  world.works = {once};
  world.do_works();  // the same result a second time
  world.run_ms(300);
  EXPECT_EQ(world.said.size(), 1U);
}

TEST(AuditDesk, TriesAgainASecondAfterAFailure) {
  World world;
  world.requester_has_blobs = false;
  world.machine_fails = true;
  world.claim_tasks({std::nullopt});
  EXPECT_TRUE(world.works.empty());
  world.run_ms(900);
  EXPECT_EQ(world.blobs_asked.size(), blobs_of_tasks(1));
  world.requester_has_blobs = true;
  world.run_ms(500);
  EXPECT_EQ(world.blobs_asked.size(), blobs_of_tasks(2));
  EXPECT_EQ(world.all_works.size(), 1U) << "this run failed";
  world.machine_fails = false;
  ASSERT_TRUE(world.run_to(AuditPhase::done));
  EXPECT_EQ(world.all_works.size(), 2U);
  EXPECT_TRUE(world.happened<ledger::AuditAgreed>());
}

TEST(AuditDesk, FetchesAgainWhatRottedBeforeADispute) {
  World world;
  world.claim_tasks({4U});
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeOpened>(); }));
  world.rot_blobs();
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeEnded>(); }));
  EXPECT_EQ(ledger::test::find<ledger::DisputeEnded>(world.events)->ending,
            ledger::Ending::proof_refuted);
}

TEST(AuditDesk, TakesUpAnAuditAfterARestart) {
  World world;
  world.claimant_opens_salts = false;
  world.claim_tasks({4U});
  ASSERT_TRUE(world.run_to(AuditPhase::committed));
  world.restart();
  world.claimant_opens_salts = true;
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeOpened>(); }))
      << "the salt is the same as before";
  world.restart();
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeEnded>(); }));
  EXPECT_EQ(ledger::test::find<ledger::DisputeEnded>(world.events)->ending,
            ledger::Ending::proof_refuted);
}

TEST(AuditDesk, TakesUpAnAuditFromItsLog) {
  World world;
  world.keeps_blocks = true;
  world.restart();
  world.claimant_opens_salts = false;
  world.claim_tasks({4U});
  ASSERT_TRUE(world.run_to(AuditPhase::committed));
  const uint64_t height = world.node().ledger().height();
  world.hears_blocks = false;
  world.restart();
  EXPECT_EQ(world.node().ledger().height(), height);
  world.run_ms(1000);
  EXPECT_TRUE(world.works.empty()) << "what the log says may be over: it listens first";
  world.hears_blocks = true;
  world.claimant_opens_salts = true;
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeOpened>(); }));
  world.restart();
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeEnded>(); }));
  EXPECT_EQ(ledger::test::find<ledger::DisputeEnded>(world.events)->ending,
            ledger::Ending::proof_refuted);
  world.run_ms(500);
  EXPECT_TRUE(world.blobs().pins("")->empty());
}

TEST(AuditDesk, KeepsWhatAnAuditReadsUntilItIsOver) {
  World world;
  world.claimant_opens_salts = false;
  world.claim_tasks({std::nullopt});
  ASSERT_TRUE(world.run_to(AuditPhase::committed));
  const std::vector<Hash> inputs = world.blobs_asked;
  ASSERT_EQ(inputs.size(), blobs_of_tasks(1));
  EXPECT_EQ(world.blobs().pins("audit-")->size(), 1U);
  EXPECT_GT(*world.blobs().collect(0), 0U) << "its outputs are of no use to anybody";
  for (const Hash& address : inputs) {
    EXPECT_TRUE(*world.blobs().has(address));
  }
  world.restart();
  EXPECT_EQ(world.blobs().pins("audit-")->size(), 1U) << "it goes on";
  world.claimant_opens_salts = true;
  ASSERT_TRUE(world.run_to(AuditPhase::done));
  world.run_ms(300);
  EXPECT_TRUE(world.blobs().pins("")->empty());
  EXPECT_GT(*world.blobs().collect(0), 0U);
  EXPECT_EQ(*world.blobs().bytes_used(), 0U);
}

TEST(Auditor, TicksInOneRow) {
  World world;
  (void)world.node().take_effects();
  world.node().on_timer(world.now, 1);  // set before a restart
  EXPECT_TRUE(world.node().take_effects().empty());
  world.node().on_timer(world.now + LedgerClient::tick_ms, 1);
  size_t timers = 0;
  for (const Effect& effect : world.node().take_effects()) {
    timers += std::holds_alternative<SetTimer>(effect) ? 1 : 0;
  }
  EXPECT_EQ(timers, 1U);
}

TEST(Auditor, GivesBlobsAndSaysWhichItHasNot) {
  World world;
  world.claim_tasks({std::nullopt});
  const Hash there = world.blobs_asked.at(0);
  const auto ask = [&](const Hash& address) {
    (void)world.node().take_effects();
    world.node().on_message(world.now, world.provider.node.public_key(), net::AskBlob{address});
    for (const Effect& effect : world.node().take_effects()) {
      const auto* send = std::get_if<Send>(&effect);
      const auto* give = send ? std::get_if<net::GiveBlob>(&send->message) : nullptr;
      if (give != nullptr && give->address == address) {
        return std::optional(give->answer == net::BlobAnswer::piece);
      }
    }
    return std::optional<bool>();
  };
  EXPECT_EQ(ask(there), std::optional(true));
  EXPECT_EQ(ask(some_hash(4711)), std::optional(false));
}

TEST(AuditDesk, AuditsItsOwnJobFromItsOwnStore) {
  World world(true);
  world.claim_tasks({2U});
  EXPECT_TRUE(world.blobs_asked.empty());
  ASSERT_TRUE(world.run_until([&] { return world.happened<ledger::DisputeEnded>(); }));
  EXPECT_EQ(ledger::test::find<ledger::DisputeEnded>(world.events)->ending,
            ledger::Ending::proof_refuted);
}

}  // namespace
}  // namespace lockstep::node::audit_test
