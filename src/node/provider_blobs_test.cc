// What a provider keeps and lets go of, where it fetches from, and what it does when it is full.
#include <gtest/gtest.h>

#include "node/provider_test_world.h"

namespace lockstep::node {
namespace {

using provider_test::World;

Hash input_of(uint32_t part, uint32_t leaf) {
  return law::data_hash(test_network::leaf_bytes(part, leaf));
}

void settle(World& world) {
  world.send(world.requester.node, model::CloseJob{world.claim().job});
  world.run_ms(60'000);
  ASSERT_TRUE(world.state().jobs.begin()->second.status == ledger::JobStatus::settled);
}

TEST(ProviderBlobs, InputsAndOutputsAreKeptUntilTheJobIsSettled) {
  World world;
  world.assign({});
  EXPECT_EQ(world.blobs().pins("task-")->size(), 1U) << "while it is not done yet";
  world.do_works();
  const auto delivered = world.heard<net::Deliver>();
  ASSERT_EQ(delivered.size(), 1U);
  const auto receipt = model::open<model::Receipt>(
      delivered[0].receipt, world.state().network, model::SignedKind::receipt);
  ASSERT_TRUE(receipt.ok());
  world.vouch(*receipt);
  ASSERT_TRUE(world.blobs().put(Bytes(1000, 3)).ok());
  world.run_ms(1300);
  world.restart();
  EXPECT_EQ(*world.blobs().collect(0), 1000U) << "which no task needs";
  EXPECT_TRUE(*world.blobs().has(input_of(0, 0)));
  EXPECT_TRUE(*world.blobs().has(input_of(0, 1)));
  for (const net::OutputLeaf& leaf : delivered[0].leaves) {
    EXPECT_TRUE(*world.blobs().has(leaf.data));
  }
  settle(world);
  EXPECT_TRUE(world.blobs().pins("")->empty());
  EXPECT_GT(*world.blobs().collect(0), 0U);
  EXPECT_EQ(*world.blobs().bytes_used(), 0U);
}

TEST(ProviderBlobs, WhatWasInHandInAnEarlierLifeIsLetGo) {
  World world;
  world.assign({});
  world.assign({.part = 1});
  ASSERT_EQ(world.blobs().pins("task-")->size(), 2U);
  ASSERT_TRUE(world.blobs().pin("audit-of-somebody", {}).ok());
  world.restart();
  EXPECT_TRUE(world.blobs().pins("task-")->empty());
  EXPECT_EQ(world.blobs().pins("")->size(), 1U) << "others' pins are not its business";
}

TEST(ProviderBlobs, ATaskThatIsGivenBackIsNotKept) {
  World world;
  world.machine_fails = true;
  world.assign({});
  world.do_works();
  EXPECT_EQ(world.heard<net::Decline>().size(), 1U);
  EXPECT_TRUE(world.blobs().pins("")->empty());
}

TEST(ProviderBlobs, AFullStoreDeclinesAndSaysWhy) {
  World world(64);  // two inputs and two outputs of 16 bytes
  world.assign({});
  world.do_works();
  ASSERT_EQ(world.receipts().size(), 1U);
  while (*world.blobs().bytes_used() < 64) {
    ASSERT_TRUE(world.blobs().put(Bytes(1, uint8_t(*world.blobs().bytes_used()))).ok());
  }
  world.assign({.part = 1});
  auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_NE(declined[0].reason.find("no room"), std::string::npos) << declined[0].reason;
  EXPECT_NE(declined[0].reason.find("9002"), std::string::npos) << declined[0].reason;
}

TEST(ProviderBlobs, AnInputThatDoesNotFitDeclinesTheTask) {
  World world(20);  // one input
  world.assign({});
  const auto declined = world.heard<net::Decline>();
  ASSERT_EQ(declined.size(), 1U);
  EXPECT_NE(declined[0].reason.find("9002"), std::string::npos) << declined[0].reason;
  EXPECT_TRUE(world.works.empty());
  EXPECT_TRUE(world.blobs().pins("")->empty());
}

/// The requester does not have them, but has said who does.
TEST(ProviderBlobs, HintsAreFollowedAndChecked) {
  World world;
  world.requester_has_blobs = false;
  const PublicKey liar = ledger::test::some_key(77).public_key();
  const PublicKey honest = ledger::test::some_key(78).public_key();
  const model::Signed paper = world.sign(world.assignment({}));
  net::Assign assign{paper};
  for (uint32_t leaf = 0; leaf < 2; ++leaf) {
    assign.hints.push_back({input_of(0, leaf), {world.provider.node.public_key(), liar, honest}});
  }
  assign.hints.push_back({ledger::test::some_hash(5), {liar}});  // of what nobody wants
  world.say(assign);
  EXPECT_TRUE(world.heard<net::Decline>().empty());
  while (!world.asked_others.empty()) {
    const Send sent = world.asked_others.front();
    world.asked_others.erase(world.asked_others.begin());
    EXPECT_TRUE(sent.to == liar || sent.to == honest);
    const Hash address = std::get<net::AskBlob>(sent.message).address;
    net::GiveBlob give{address, net::BlobAnswer::piece};
    give.bytes = test_network::leaf_bytes(0, address == input_of(0, 0) ? 0 : 1);
    if (sent.to == liar) {
      give.bytes[0] ^= 1;
    }
    give.total = give.bytes.size();
    world.say_as(sent.to, give);
  }
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
}

TEST(ProviderBlobs, FarTooManyHintsDoNoHarm) {
  World world;
  net::Assign assign{world.sign(world.assignment({}))};
  for (uint64_t i = 0; i < 2000; ++i) {
    assign.hints.push_back({input_of(0, 0), std::vector<PublicKey>(50)});
  }
  world.say(assign);
  world.do_works();
  EXPECT_EQ(world.receipts().size(), 1U);
}

}  // namespace
}  // namespace lockstep::node
