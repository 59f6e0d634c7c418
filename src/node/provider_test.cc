// A provider against a real ledger: what it takes, what it says, and what survives a crash.
#include "node/provider.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "node/provider_book.h"
#include "node/provider_test_world.h"

namespace lockstep::node {
namespace {

using ledger::test::lks;
using ledger::test::some_hash;
using model::TaskId;
using provider_test::requester_chain;
using provider_test::step_roots;
using provider_test::trace_of;
using provider_test::World;

// ---- quotes and assignments

TEST(Provider, QuotesWhatItsMachineOffers) {
  World world;
  world.say_as(world.auditor.node.public_key(), net::AskQuote{10, 1});
  ASSERT_FALSE(world.said.empty());
  EXPECT_EQ(world.said.back().to, world.auditor.node.public_key());
  const auto given = world.heard<net::GiveQuote>();
  ASSERT_EQ(given.size(), 1U);
  const auto quote =
      model::open<model::Quote>(given[0].quote, world.state().network, model::SignedKind::quote);
  ASSERT_TRUE(quote.ok());
  EXPECT_EQ(given[0].quote.signer, world.provider.node.public_key());
  EXPECT_EQ(quote->owner, world.provider.owner.public_key());
  EXPECT_EQ(quote->name, "provider-1");
  EXPECT_EQ(quote->price_per_unit, lks(1'000'000));
  EXPECT_EQ(quote->expires_ms, world.now + 60'000);
  world.say(net::AskQuote{10, 1});
  EXPECT_NE(world.heard<net::GiveQuote>().at(0).quote.nonce, given[0].quote.nonce);
}

TEST(Provider, RunsAndDeliversUntilTheVoucherComes) {
  World world;
  const TaskId id = world.assign({});
  ASSERT_EQ(world.works.size(), 1U);
  EXPECT_EQ(world.works[0].kind, WorkKind::execute);
  EXPECT_TRUE(world.receipts().empty());
  world.do_works();
  const auto delivered = world.heard<net::Deliver>();
  ASSERT_EQ(delivered.size(), 1U);
  const auto receipt = model::open<model::Receipt>(
      delivered[0].receipt, world.state().network, model::SignedKind::receipt);
  ASSERT_TRUE(receipt.ok());
  const model::Execution expected = world.expected({});
  EXPECT_EQ(receipt->task, id);
  EXPECT_EQ(receipt->input_root, expected.input_root);
  EXPECT_EQ(receipt->output_root, expected.output_root);
  ASSERT_EQ(delivered[0].leaves.size(), 2U);
  EXPECT_EQ(delivered[0].leaves[0].root, expected.leaves[0].root);
  EXPECT_EQ(delivered[0].leaves[1].data, expected.leaves[1].data);

  world.run_ms(2500);
  EXPECT_EQ(world.receipts().size(), 2U) << "once a second";
  world.vouch(*receipt);
  world.run_ms(3000);
  EXPECT_TRUE(world.receipts().empty());
  // Asked for the same again, it delivers again and does not run.
  EXPECT_EQ(world.assign({}), id);
  EXPECT_TRUE(world.works.empty());
  EXPECT_EQ(world.receipts().size(), 1U);
}

TEST(Provider, NothingLeavesBeforeItIsWrittenDown) {
  World world;
  const TaskId id = world.assign({});
  world.secrets.fails = true;
  world.do_works();
  EXPECT_TRUE(world.receipts().empty());
  const auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_EQ(declined[0].task, id);
  EXPECT_NE(declined[0].reason.find("the disk is full"), std::string::npos);
  world.run_ms(3000);
  EXPECT_TRUE(world.receipts().empty());
  EXPECT_TRUE(world.state().claims.empty());
  // It lives: the same task is taken again.
  world.secrets.fails = false;
  world.assign({});
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
}

TEST(Provider, AFailedExecutionIsDeclined) {
  World world;
  world.machine_fails = true;
  world.assign({});
  world.do_works();
  const auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_NE(declined[0].reason.find("the machine is broken"), std::string::npos);
  world.machine_fails = false;
  world.assign({.part = 1});
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
}

TEST(Provider, AnInputThatNobodyHasIsDeclined) {
  World world;
  world.requester_has_blobs = false;
  world.assign({});
  EXPECT_EQ(world.heard<net::Decline>().size(), 1U);
  EXPECT_TRUE(world.works.empty());
}

TEST(Provider, RefusesWhatIsNotItsWork) {
  World world;
  const model::Assignment good = world.assignment({});
  std::vector<model::Signed> papers(8, world.sign(good));
  papers[0].signature.bytes[3] ^= 1;
  papers[1] = model::sign(world.auditor.node,
                          {world.state().network, model::SignedKind::assignment, 0},
                          codec::encode(good));
  papers[2] = model::sign(world.requester.node,
                          {world.state().network, model::SignedKind::voucher, 0},
                          codec::encode(good));
  papers[3].body.push_back(0);
  model::Assignment bad = good;
  bad.operations += 1;
  papers[4] = world.sign(bad);
  bad = good;
  bad.program = some_hash(3);
  papers[5] = world.sign(bad);
  bad = good;
  bad.job = model::JobId{some_hash(4)};
  papers[6] = world.sign(bad);
  bad = good;
  bad.leaves[0].tensor.root = some_hash(5);
  papers[7] = world.sign(bad);
  for (const model::Signed& paper : papers) {
    world.say(net::Assign{paper});
    const auto declined = world.heard<net::Decline>();
    ASSERT_EQ(declined.size(), 1U);
    EXPECT_EQ(declined[0].task, model::task_id(paper));
    EXPECT_FALSE(declined[0].reason.empty());
  }
  // Signed by the auditor and brought by it: still not the requester's.
  world.say_as(world.auditor.node.public_key(), net::Assign{papers[1]});
  EXPECT_EQ(world.heard<net::Decline>().size(), 1U);
  EXPECT_TRUE(world.works.empty());
}

TEST(Provider, TakesNoWorkOfAClosedLease) {
  World world;
  world.send(world.requester.node, model::CloseLease{world.lease()});
  world.assign({});
  EXPECT_EQ(world.heard<net::Decline>().size(), 1U);
  EXPECT_TRUE(world.works.empty());
}

TEST(Provider, KeepsAnAssignmentThatComesBeforeItsBlock) {
  World world;
  world.hears_blocks = false;
  world.forget_blocks();
  world.restart();
  world.assign({});
  EXPECT_TRUE(world.works.empty());
  EXPECT_TRUE(world.heard<net::Decline>().empty());
  world.hears_blocks = true;
  world.run_ms(3000);
  EXPECT_EQ(world.works.size(), 1U);
}

TEST(Provider, StopsAtFourUnsignedTasks) {
  World world;
  for (uint32_t part = 0; part < 6; ++part) {
    world.assign({.part = part});
  }
  world.do_works();
  const auto receipts = world.receipts();
  EXPECT_EQ(receipts.size(), unsigned_tasks_max) << "the rest waits";
  world.assign({.part = 6});
  EXPECT_EQ(world.heard<net::Decline>().size(), 1U);
  world.vouch(receipts[0]);
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
  for (size_t i = 1; i < receipts.size(); ++i) {
    world.vouch(receipts[i]);
    world.do_works();
  }
  EXPECT_EQ(world.receipts().size(), 1U);
  world.assign({.part = 6});
  EXPECT_TRUE(world.heard<net::Decline>().empty());
}

TEST(Provider, HoldsAtMostEightTasks) {
  World world;
  for (uint32_t part = 0; part < 9; ++part) {
    world.assign({.part = part});
  }
  EXPECT_EQ(world.heard<net::Decline>().size(), 1U);
}

TEST(Provider, RefusesAVoucherThatDoesNotFit) {
  World world;
  world.assign({});
  world.do_works();
  auto receipts = world.receipts();
  ASSERT_EQ(receipts.size(), 1U);
  const model::Voucher right{receipts[0].task, receipts[0].output_root};
  const auto give = [&](const crypto::SecretKey& key, const model::Voucher& voucher) {
    world.say(net::GiveVoucher{model::sign(
        key, {world.state().network, model::SignedKind::voucher, 0}, codec::encode(voucher))});
  };
  give(world.auditor.node, right);
  give(world.requester.node, {right.task, some_hash(1)});
  give(world.requester.node, {TaskId{some_hash(2)}, right.output_root});
  world.run_ms(1500);
  EXPECT_EQ(world.receipts().size(), 1U) << "it still asks for a voucher";
}

TEST(Provider, ACancelledTaskDoesNotRun) {
  World world;
  const TaskId first = world.assign({.part = 0});
  const TaskId second = world.assign({.part = 1});
  world.say(net::CancelTask{second});
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
  // While it runs: the result is thrown away.
  const TaskId third = world.assign({.part = 2});
  world.say(net::CancelTask{third});
  world.do_works();
  EXPECT_TRUE(world.receipts().empty());
  // What was delivered and never signed for is not claimed: somebody else did it.
  world.say(net::CancelTask{first});
  world.run_ms(3000);
  EXPECT_TRUE(world.receipts().empty());
  EXPECT_TRUE(world.state().claims.empty());
}

TEST(Provider, SaysThatItIsThere) {
  World world;
  world.said.clear();
  world.run_ms(2000);
  const auto alive = world.heard<net::Alive>();
  EXPECT_GE(alive.size(), 3U);
  EXPECT_LE(alive.size(), 5U);
  EXPECT_EQ(alive.at(0).lease, world.lease());
}

// ---- claims, audits, disputes

TEST(Provider, ClaimsWithinAnEpoch) {
  World world;
  world.assign({.part = 0});
  world.assign({.part = 1});
  world.do_works();
  for (const model::Receipt& receipt : world.receipts()) {
    world.vouch(receipt);
  }
  world.run_ms(1300);
  ASSERT_EQ(world.state().claims.size(), 1U);
  EXPECT_EQ(world.claim().tasks.size(), 2U);
  EXPECT_TRUE(world.claim().tasks[0].available);
  world.run_ms(3000);
  EXPECT_EQ(world.state().claims.size(), 1U) << "nothing is claimed twice";
  EXPECT_FALSE(ledger::test::failure(world.events).has_value());
}

TEST(Provider, HoldsUnsignedTasksBackForAnEpoch) {
  World world;
  world.run_ms(2000);  // a claim would be due
  world.assign({.part = 0});
  world.assign({.part = 1});
  world.do_works();
  world.vouch(world.receipts().at(1));
  world.run_ms(600);
  ASSERT_EQ(world.state().claims.size(), 1U);
  EXPECT_EQ(world.claim().tasks.size(), 1U);
  world.run_ms(2000);
  EXPECT_EQ(world.state().claims.size(), 2U);
  EXPECT_EQ(world.state().claimed.size(), 2U);
}

TEST(Provider, LeavesOutWhatTheRequesterClaimed) {
  World world;
  world.loses_claims = true;
  const model::Signed paper = world.sign(world.assignment({}));
  world.say(net::Assign{paper});
  world.assign({.part = 1});
  world.do_works();
  const auto delivered = world.heard<net::Deliver>();
  ASSERT_EQ(delivered.size(), 2U);
  world.run_ms(2000);
  ASSERT_TRUE(world.state().claims.empty());
  world.send(world.requester.node,
             model::PostClaim{world.lease(), {{paper, delivered[0].receipt, std::nullopt}}});
  ASSERT_EQ(world.state().claimed.size(), 1U);
  world.loses_claims = false;
  world.run_ms(8000);
  // The claim of both failed, and the other one was claimed alone.
  EXPECT_TRUE(ledger::test::failure(world.events).has_value());
  EXPECT_EQ(world.state().claimed.size(), 2U);
}

/// Delivered, claimed, drawn, and the auditor committed.
void audit(World& world) {
  world.do_works();
  for (const model::Receipt& receipt : world.receipts()) {
    world.vouch(receipt);
  }
  world.run_ms(1300);
  ASSERT_EQ(world.state().claims.size(), 1U);
  const model::JobId job = world.claim().job;
  world.send(world.requester.node, model::RevealPreimage{job, requester_chain()[1]});
  ASSERT_EQ(world.claim().audit.phase, ledger::AuditPhase::drawn);
  model::CommitAudit commit{world.claim_id(), {}};
  for (size_t i = 0; i < world.claim().audit.tasks.size(); ++i) {
    commit.commitments.push_back(some_hash(900 + i));
  }
  world.send(world.auditor.node, commit);
}

TEST(Provider, OpensSaltsAfterTheCommit) {
  World world;
  world.assign({.part = 0});
  world.assign({.part = 1});
  audit(world);
  ASSERT_EQ(world.claim().audit.phase, ledger::AuditPhase::committed);
  world.run_ms(300);
  const ledger::Claim& claim = world.claim();
  ASSERT_EQ(claim.audit.phase, ledger::AuditPhase::opened);
  ASSERT_EQ(claim.audit.salts.size(), 2U);
  EXPECT_NE(claim.audit.salts[0], claim.audit.salts[1]);
  for (uint32_t i = 0; i < 2; ++i) {
    const auto roots = attest::list_roots(world.expected({.part = i}), 1);
    EXPECT_EQ(model::task_list(claim.audit.salts[i], roots), claim.tasks[i].list);
  }
}

TEST(Provider, OpensSaltsAlsoAfterACrash) {
  World world;
  world.assign({});
  audit(world);
  world.restart();
  world.run_ms(300);
  EXPECT_EQ(world.claim().audit.phase, ledger::AuditPhase::opened);
}

const ledger::Dispute& dispute_of(const World& world) {
  return world.state().disputes.at({world.claim_id(), 0});
}

void ask(World& world, const model::Place& place) {
  world.send(world.auditor.node, model::AskOpen{world.claim_id(), 0, place});
  EXPECT_TRUE(dispute_of(world).asked.has_value());
}

/// A task of nine steps is claimed, and the auditor challenges it.
void challenge(World& world) {
  world.assign({.part = 0, .steps = 9, .claim_every = 4});
  world.do_works();
  world.vouch(world.receipts().at(0));
  world.run_ms(1300);
  ASSERT_EQ(world.state().claims.size(), 1U);
  const PublicKey& challenger = world.auditor.node.public_key();
  const Hash root = some_hash(60);
  const Hash salt = some_hash(61);
  world.send(world.auditor.node,
             model::CommitChallenge{
                 model::challenge_commitment(world.claim_id(), 0, root, challenger, salt)});
  world.send(world.auditor.node, model::Challenge{world.claim_id(), 0, root, salt});
  ASSERT_EQ(world.state().disputes.size(), 1U);
}

TEST(Provider, AnswersForItsListWithoutItsMachine) {
  World world;
  challenge(world);
  ask(world, {});
  world.run_ms(300);
  EXPECT_TRUE(world.works.empty());
  const ledger::Dispute& dispute = dispute_of(world);
  EXPECT_EQ(dispute.answers, 1U);
  EXPECT_FALSE(dispute.asked.has_value());
  ASSERT_TRUE(dispute.kept.salt.has_value());
  EXPECT_EQ(dispute.kept.entry({}, 0), world.expected({0, 9, 4}).state_roots[0]);
}

TEST(Provider, ComputesAgainWhatAnAnswerNeeds) {
  World world;
  challenge(world);
  ask(world, {});
  world.run_ms(300);
  const model::Place window{.tree = model::Tree::window};
  ask(world, window);
  ASSERT_EQ(world.works.size(), 1U);
  EXPECT_EQ(world.works[0].kind, WorkKind::steps);
  world.do_works();
  world.run_ms(300);
  ASSERT_EQ(dispute_of(world).answers, 2U);
  const auto traces = trace_of(world.program(), world.inputs(0), 9);
  EXPECT_EQ(dispute_of(world).kept.entry(window, 1), step_roots(world.program(), traces)[1]);

  const model::Place step{.tree = model::Tree::step, .step = 1};
  ask(world, step);
  ASSERT_EQ(world.works.size(), 1U);
  EXPECT_EQ(world.works[0].kind, WorkKind::trace);
  EXPECT_EQ(world.works[0].step, 1U);
  world.do_works();
  world.run_ms(300);
  ASSERT_EQ(dispute_of(world).answers, 3U);
  EXPECT_EQ(dispute_of(world).kept.entry(step, 0),
            law::tensor_root({world.program().records[0].out, traces[1].outputs[0]}));
}

TEST(Provider, AnswersAlsoAfterACrashInADispute) {
  World world;
  challenge(world);
  world.hears_blocks = false;
  ask(world, {});
  world.hears_blocks = true;
  world.restart();
  world.run_ms(600);
  EXPECT_EQ(dispute_of(world).answers, 1U);
}

TEST(Provider, ABrokenMachineInADisputeIsAskedAFewTimesOnly) {
  World world;
  challenge(world);
  ask(world, {});
  world.run_ms(300);
  world.machine_fails = true;
  ask(world, {.tree = model::Tree::window});
  const size_t before = world.works_done;
  for (int turn = 0; turn < 20; ++turn) {
    world.do_works();
    world.run_ms(50);
  }
  EXPECT_EQ(world.works_done - before, 3U);
  // And it still takes other work.
  world.machine_fails = false;
  world.assign({.part = 5});
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
}

// ---- crashes

TEST(Provider, DeliversAndClaimsAgainAfterACrash) {
  World world;
  const TaskId first = world.assign({.part = 0});
  const TaskId second = world.assign({.part = 1});
  world.do_works();
  const auto before = world.receipts();
  ASSERT_EQ(before.size(), 2U);
  world.vouch(before[1]);
  world.restart();
  world.run_ms(300);
  auto after = world.receipts();
  std::sort(
      after.begin(), after.end(), [](const auto& a, const auto& b) { return a.task < b.task; });
  ASSERT_EQ(after.size(), 2U);
  for (const model::Receipt& receipt : before) {
    EXPECT_NE(std::find(after.begin(), after.end(), receipt), after.end())
        << "the same receipt, with the same salt";
  }
  world.run_ms(3000);
  EXPECT_TRUE(world.state().claimed.contains(first));
  EXPECT_TRUE(world.state().claimed.contains(second));
  EXPECT_FALSE(ledger::test::failure(world.events).has_value());
  // What is claimed is not claimed again by the next start.
  world.restart();
  const size_t claims = world.state().claims.size();
  world.run_ms(4000);
  EXPECT_EQ(world.state().claims.size(), claims);
}

TEST(Provider, ForgetsASettledJob) {
  World world;
  world.assign({});
  world.do_works();
  world.vouch(world.receipts().at(0));
  world.run_ms(1300);
  const model::JobId job = world.claim().job;
  const auto kept_key = "task/" + to_hex(world.claim().tasks[0].id.hash.view());
  ASSERT_TRUE(world.secrets.get(kept_key)->has_value());
  world.send(world.requester.node, model::CloseJob{job});
  world.run_ms(60'000);
  ASSERT_EQ(world.state().jobs.at(job).status, ledger::JobStatus::settled);
  EXPECT_FALSE(world.secrets.get(kept_key)->has_value());
  world.said.clear();
  world.restart();
  world.run_ms(2000);
  EXPECT_TRUE(world.said.empty());
}

TEST(Provider, ForgetsWhatASlashedLeaseHad) {
  World world;
  challenge(world);
  const auto kept_key = "task/" + to_hex(world.claim().tasks[0].id.hash.view());
  world.hears_blocks = false;
  ask(world, {});
  world.run_ms(20'000);  // silence convicts
  ASSERT_EQ(world.state().leases.at(world.lease()).status, ledger::LeaseStatus::slashed);
  EXPECT_TRUE(world.secrets.get(kept_key)->has_value());
  world.hears_blocks = true;
  world.restart();
  world.run_ms(1000);
  EXPECT_FALSE(world.secrets.get(kept_key)->has_value());
  world.said.clear();
  world.run_ms(2000);
  EXPECT_TRUE(world.said.empty());
}

TEST(Provider, GivesUpAClaimThatFailsAlone) {
  World world;
  std::vector<TaskId> ids;
  for (uint32_t part = 0; part < 4; ++part) {
    ids.push_back(world.assign({.part = part}));
  }
  world.do_works();
  // One receipt is spoilt in the store.
  const std::string key = "task/" + to_hex(ids[2].hash.view());
  auto kept = codec::decode<KeptTask>(*world.secrets.get(key).value());
  ASSERT_TRUE(kept.ok());
  kept->receipt.signature.bytes[5] ^= 1;
  ASSERT_TRUE(world.secrets.apply({{key, codec::encode(*kept)}}).ok());
  world.restart();
  world.run_ms(10'000);
  EXPECT_EQ(world.state().claimed.size(), 3U);
  EXPECT_FALSE(world.state().claimed.contains(ids[2]));
  const size_t failures = ledger::test::count<ledger::TransactionFailed>(world.events);
  EXPECT_EQ(failures, 5U) << "of four, of two, and three times of one";
  world.run_ms(5000);
  EXPECT_EQ(ledger::test::count<ledger::TransactionFailed>(world.events), failures);
}

TEST(Provider, ADamagedStoreIsAnError) {
  World world;
  world.assign({});
  world.do_works();
  ASSERT_TRUE(world.secrets.apply({{"order/0", Bytes{1, 2, 3}}}).ok());
  env::MemoryKeyValue values;
  store::Blobs blobs(values, law::data_mode());
  const auto made = Provider::create({world.state().genesis,
                                      {world.provider.node, world.provider.owner.public_key()},
                                      {},
                                      some_hash(55)},
                                     blobs,
                                     world.secrets);
  EXPECT_FALSE(made.ok());
}

}  // namespace
}  // namespace lockstep::node
