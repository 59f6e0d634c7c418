// A provider goes on working whatever others do: convictions, requesters that do not sign, and its
// own restarts, of which it knows what its log of blocks says.
#include <gtest/gtest.h>

#include "node/provider_test_world.h"

namespace lockstep::node {
namespace {

using ledger::test::some_hash;
using model::TaskId;
using provider_test::World;

/// A task that reads the output of `source`.
TaskId assign_reader(World& world, const TaskId& source, uint32_t part) {
  model::Assignment assignment = world.assignment({.part = part});
  assignment.leaves[0].source = model::TaskLeaf{source, 0};
  const model::Signed paper = world.sign(assignment);
  world.say(net::Assign{paper});
  return model::task_id(paper);
}

TEST(Provider, TakesWorkAgainWhenAConvictionLeavesItsSourcesUnclaimed) {
  World world;
  const model::LeaseId rivals = world.open_rival_lease();
  const model::ClaimId false_claim = world.claim_as_rival(rivals);
  // The rival's other output is read, and never claimed.
  const TaskId reader = assign_reader(world, {some_hash(70)}, 1);
  world.do_works();
  ASSERT_EQ(world.receipts().size(), 1U);
  world.say(net::CancelTask{reader});
  world.run_ms(4500);
  world.assign({.part = 2});
  EXPECT_EQ(world.heard<net::Decline>().size(), 1U) << "nobody claims what it read";

  world.convict_rival(false_claim);
  ASSERT_EQ(world.state().leases.at(rivals).status, ledger::LeaseStatus::slashed);
  world.assign({.part = 2});
  EXPECT_TRUE(world.heard<net::Decline>().empty()) << "its loss is known: it does not stop for it";
  EXPECT_EQ(world.works.size(), 1U);
  // Nor does what it reads from then on go unwatched.
  world.do_works();
  world.vouch(world.receipts().at(0));
  assign_reader(world, {some_hash(71)}, 3);
  world.do_works();
  ASSERT_EQ(world.receipts().size(), 1U);
  world.run_ms(4500);
  world.assign({.part = 4});
  EXPECT_EQ(world.heard<net::Decline>().size(), 1U);
}

TEST(Provider, TakesWorkAgainWhenConvictionsCostItUnsignedTasks) {
  World world;
  const model::LeaseId rivals = world.open_rival_lease();
  const model::ClaimId false_claim = world.claim_as_rival(rivals);
  for (uint32_t part = 1; part <= unsigned_tasks_max; ++part) {
    const TaskId reader = assign_reader(world, {some_hash(70)}, part);
    world.do_works();
    world.say(net::CancelTask{reader});
  }
  world.assign({.part = 9});
  ASSERT_EQ(world.heard<net::Decline>().size(), 1U);
  world.convict_rival(false_claim);
  ASSERT_EQ(world.state().leases.at(rivals).status, ledger::LeaseStatus::slashed);
  world.assign({.part = 9});
  EXPECT_TRUE(world.heard<net::Decline>().empty());
  EXPECT_EQ(world.works.size(), 1U);
}

TEST(Provider, ATaskThatEndsLongAfterAConvictionDoesNotStopIt) {
  World world;
  const model::LeaseId rivals = world.open_rival_lease();
  const model::ClaimId false_claim = world.claim_as_rival(rivals);
  const TaskId reader = assign_reader(world, {some_hash(70)}, 1);
  ASSERT_EQ(world.works.size(), 1U);
  world.convict_rival(false_claim);
  ASSERT_EQ(world.state().leases.at(rivals).status, ledger::LeaseStatus::slashed);
  // The word that it is not wanted was lost; it comes again when the task is delivered.
  world.run_ms(3000);
  world.do_works();
  ASSERT_EQ(world.receipts().size(), 1U);
  world.say(net::CancelTask{reader});
  world.run_ms(6000);
  world.assign({.part = 2});
  EXPECT_TRUE(world.heard<net::Decline>().empty());
  EXPECT_EQ(world.works.size(), 1U);
}

TEST(Provider, AConvictionGivesAwayFourTasksMoreAndNoFifth) {
  World world;
  const model::LeaseId rivals = world.open_rival_lease();
  world.convict_rival(world.claim_as_rival(rivals));
  ASSERT_EQ(world.state().leases.at(rivals).status, ledger::LeaseStatus::slashed);
  size_t unpaid = 0;
  for (uint32_t part = 1; part <= 4 * unsigned_tasks_max; ++part) {
    const TaskId reader = assign_reader(world, {some_hash(70)}, part);
    unpaid += world.works.size();
    world.do_works();
    world.say(net::CancelTask{reader});
    world.say(net::CancelTask{reader});
  }
  EXPECT_EQ(unpaid, 2 * unsigned_tasks_max) << "four that any requester may leave unsigned";
  EXPECT_FALSE(world.heard<net::Decline>().empty());
  world.restart();
  world.assign({.part = 99});
  EXPECT_TRUE(world.heard<net::Decline>().empty()) << "the next life writes off what it finds";
}

TEST(Provider, ARequesterThatDoesNotSignKeepsNobodyElseAway) {
  World world;
  for (uint32_t part = 1; part <= 3 * unsigned_tasks_max; ++part) {
    world.assign({.part = part});
    world.do_works();
  }
  EXPECT_EQ(world.receipts().size(), unsigned_tasks_max);
  world.assign({.part = 50});
  EXPECT_FALSE(world.heard<net::Decline>().empty());
  // The same inputs, so that all blobs are here.
  const model::Signed paper = world.assignment_of_rival({.part = 1});
  world.say_as(paper.signer, net::Assign{paper});
  EXPECT_TRUE(world.heard<net::Decline>().empty());
  EXPECT_EQ(world.works.size(), 1U);
}

TEST(Provider, TheNextLifeBeginsWhereTheLogEnds) {
  World world;
  world.assign({});
  world.do_works();
  world.run_ms(2000);
  ASSERT_EQ(world.state().claims.size(), 1U);
  const uint64_t height = world.node().ledger().height();
  ASSERT_EQ(height, world.state().totals.height);
  world.hears_blocks = false;
  world.restart();
  EXPECT_EQ(world.node().ledger().height(), height);
  EXPECT_EQ(world.node().ledger().state().root(), world.state().root());
  EXPECT_FALSE(world.node().ledger().has_heard());
  world.hears_blocks = true;
  world.run_ms(3000);
  EXPECT_TRUE(world.node().ledger().has_heard());
  world.assign({.part = 2});
  world.do_works();
  world.run_ms(2000);
  EXPECT_EQ(world.state().claims.size(), 2U) << "its lease is known from the log";
}

TEST(Provider, WhatTheLogSaysOfAuditsAndDisputesIsAnswered) {
  World world;
  world.assign({});
  world.do_works();
  world.vouch(world.receipts().at(0));
  world.run_ms(2000);
  ASSERT_EQ(world.state().claims.size(), 1U);
  const Hash root = some_hash(60);
  const Hash salt = some_hash(61);
  const PublicKey& challenger = world.auditor.node.public_key();
  const model::ClaimId claim = world.claim_id();
  world.send(world.auditor.node,
             model::CommitChallenge{model::challenge_commitment(claim, 0, root, challenger, salt)});
  world.send(world.auditor.node, model::Challenge{claim, 0, root, salt});
  world.loses_answers = true;  // in this life
  world.send(world.auditor.node, model::AskOpen{claim, 0, {}});
  ASSERT_EQ(world.node().ledger().height(), world.state().totals.height) << "it is in the log";
  world.loses_answers = false;
  world.restart();
  world.run_ms(1000);
  ASSERT_EQ(world.state().disputes.size(), 1U);
  EXPECT_EQ(world.state().disputes.begin()->second.answers, 1U);
}

TEST(Provider, WhatIsFinalMakesRoom) {
  constexpr uint64_t room = 1000;  // bytes
  constexpr uint32_t tasks = 40;
  World world(room, 1000);
  uint64_t written = 0;
  for (uint32_t part = 1; part <= tasks; ++part) {
    world.assign({.part = part});
    ASSERT_TRUE(world.heard<net::Decline>().empty()) << part;
    world.do_works();
    const auto receipts = world.receipts();
    ASSERT_EQ(receipts.size(), 1U) << part;
    world.vouch(receipts[0]);
    for (const law::Leaf& leaf : world.program().leaves) {
      written += static_cast<uint64_t>(leaf.shape.bytes());
    }
    world.run_ms(2000);
    ASSERT_LE(world.blobs().bytes_used().value(), room);
  }
  EXPECT_GT(written, room) << "more than fits at once";
  EXPECT_EQ(world.state().claimed.size(), tasks);
}

}  // namespace
}  // namespace lockstep::node
