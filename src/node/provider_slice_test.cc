// What an owner lends: tasks that do not fit are declined with the reason, and outside the owner's
// hours there are no quotes and no new work, while what was done is delivered, claimed and
// defended.
#include <gtest/gtest.h>

#include "node/provider_test_world.h"

namespace lockstep::node {
namespace {

using model::TaskId;
using provider_test::World;

constexpr uint64_t mega = 1'000'000;

model::Slice slice_of(uint64_t memory_bytes, uint64_t disk_bytes) {
  model::Slice slice;
  slice.cpus = 1;
  slice.memory_bytes = memory_bytes;
  slice.disk_bytes = disk_bytes;
  return slice;
}

/// A machine that takes so much for each step.
void lend(World& world, const model::Slice& slice, uint64_t bytes_per_step) {
  world.slice = slice;
  world.memory_need = [bytes_per_step](const law::Program& /*program*/,
                                       uint32_t steps) -> Result<uint64_t> {
    return bytes_per_step * steps;
  };
  world.restart();
}

TEST(ProviderSlice, ATaskThatNeedsMoreMemoryIsDeclinedWithTheReason) {
  World world;
  lend(world, slice_of(3 * mega, 100 * mega), mega);
  world.assign({.part = 1, .steps = 4});
  const auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_NE(declined[0].reason.find("needs 4 MB of memory, the slice has 3 MB"), std::string::npos)
      << declined[0].reason;
  EXPECT_TRUE(world.works.empty());
  // It lives, and takes what fits.
  world.assign({.part = 1, .steps = 3});
  EXPECT_TRUE(world.heard<net::Decline>().empty());
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
}

TEST(ProviderSlice, TasksInHandShareTheDiskAndNotTheMemory) {
  World world;
  uint64_t bytes = 0;
  for (const law::Leaf& leaf : world.program().leaves) {
    bytes += 2 * static_cast<uint64_t>(leaf.shape.bytes());
  }
  lend(world, slice_of(mega, 2 * bytes), mega);
  world.assign({.part = 1, .steps = 1});
  world.assign({.part = 2, .steps = 1});
  EXPECT_TRUE(world.heard<net::Decline>().empty());
  world.assign({.part = 3, .steps = 1});
  const auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_NE(declined[0].reason.find("of disk"), std::string::npos) << declined[0].reason;
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 2U);
  world.assign({.part = 3, .steps = 1});
  EXPECT_TRUE(world.heard<net::Decline>().empty()) << "what was delivered takes no room for work";
}

TEST(ProviderSlice, ANeedThatIsNotKnownIsNoFit) {
  World world;
  world.slice = slice_of(mega, mega);
  world.memory_need = [](const law::Program& /*program*/, uint32_t /*steps*/) -> Result<uint64_t> {
    return refuse(Code::overflow, "nobody can tell");
  };
  world.restart();
  world.assign({});
  const auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_NE(declined[0].reason.find("nobody can tell"), std::string::npos);
}

TEST(ProviderHours, OutsideThemThereAreNoQuotesAndNoNewWork) {
  World world;
  EXPECT_TRUE(world.node().is_open());
  world.open(false);
  EXPECT_FALSE(world.node().is_open());
  world.say(net::AskQuote{10, 1});
  EXPECT_TRUE(world.heard<net::GiveQuote>().empty());
  world.assign({});
  const auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_NE(declined[0].reason.find("at other hours"), std::string::npos);
  world.open(true);
  world.say(net::AskQuote{10, 1});
  EXPECT_EQ(world.heard<net::GiveQuote>().size(), 1U);
  world.assign({});
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
}

TEST(ProviderHours, WhatRunsIsFinishedAndWhatWaitsIsGivenBack) {
  World world;
  const TaskId runs = world.assign({.part = 1});
  const TaskId waits = world.assign({.part = 2});
  ASSERT_EQ(world.works.size(), 1U);
  world.open(false);
  const auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_EQ(declined[0].task, waits);
  world.do_works();
  const auto receipts = world.receipts();
  ASSERT_EQ(receipts.size(), 1U);
  EXPECT_EQ(receipts[0].task, runs);
  world.vouch(receipts[0]);
  world.run_ms(3000);
  EXPECT_EQ(world.state().claims.size(), 1U) << "it is claimed whatever the hour";
  EXPECT_EQ(world.works_done, 1U);
}

TEST(ProviderHours, ADisputeIsAnsweredWhateverTheHour) {
  World world;
  world.assign({.part = 0, .steps = 9, .claim_every = 4});
  world.do_works();
  world.vouch(world.receipts().at(0));
  world.run_ms(1300);
  ASSERT_EQ(world.state().claims.size(), 1U);
  world.open(false);
  const model::ClaimId claim = world.claim_id();
  const Hash root = ledger::test::some_hash(60);
  const Hash salt = ledger::test::some_hash(61);
  const PublicKey& challenger = world.auditor.node.public_key();
  world.send(world.auditor.node,
             model::CommitChallenge{model::challenge_commitment(claim, 0, root, challenger, salt)});
  world.send(world.auditor.node, model::Challenge{claim, 0, root, salt});
  const auto answers = [&] { return world.state().disputes.at({claim, 0}).answers; };
  world.send(world.auditor.node, model::AskOpen{claim, 0, {}});
  world.run_ms(300);
  ASSERT_EQ(answers(), 1U);
  world.send(world.auditor.node, model::AskOpen{claim, 0, {.tree = model::Tree::window}});
  ASSERT_EQ(world.works.size(), 1U) << "the machine works for the answer";
  EXPECT_EQ(world.works[0].kind, WorkKind::steps);
  world.do_works();
  world.run_ms(300);
  EXPECT_EQ(answers(), 2U);
}

}  // namespace
}  // namespace lockstep::node
