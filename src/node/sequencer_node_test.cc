// When the ledger's node makes blocks, who gets them, and that nobody makes it send without end.
#include "node/sequencer_node.h"

#include <gtest/gtest.h>

#include "chain/test_network.h"

namespace lockstep::node {
namespace {

using namespace chain::test;  // NOLINT(google-build-using-namespace)

/// What a node did, sorted out.
struct Done {
  std::vector<std::pair<PublicKey, std::vector<model::Block>>> sent;
  std::vector<SetTimer> timers;
  std::vector<LedgerNews> news;
};
Done sorted(Effects effects) {
  Done done;
  for (Effect& effect : effects) {
    if (auto* send = std::get_if<Send>(&effect)) {
      done.sent.emplace_back(send->to, std::get<net::Blocks>(send->message).blocks);
    } else if (auto* timer = std::get_if<SetTimer>(&effect)) {
      done.timers.push_back(*timer);
    } else {
      done.news.push_back(std::get<LedgerNews>(std::get<Tell>(effect).notice));
    }
  }
  return done;
}
uint64_t height_of(const model::Block& block) {
  return block.header.nonce;
}

const PublicKey follower = some_key(50).public_key();

TEST(SequencerNode, MakesABlockForATransactionAndSendsItToFollowers) {
  TestLog log;
  SequencerNode node(open_sequencer(log));
  node.start(0);
  node.on_message(0, follower, net::FollowBlocks{1});
  EXPECT_TRUE(node.take_effects().empty());
  node.on_message(5, some_key(51).public_key(), net::SubmitTransaction{transfer(0, 0)});
  Done done = sorted(node.take_effects());
  ASSERT_EQ(done.sent.size(), 1U);
  EXPECT_EQ(done.sent[0].first, follower);
  ASSERT_EQ(done.sent[0].second.size(), 1U);
  EXPECT_EQ(done.sent[0].second[0].transactions, std::vector{transfer(0, 0)});
  // The next has to wait; one timer is enough for any number of transactions.
  node.on_message(6, follower, net::SubmitTransaction{transfer(0, 1)});
  node.on_message(7, follower, net::SubmitTransaction{transfer(0, 2)});
  done = sorted(node.take_effects());
  EXPECT_TRUE(done.sent.empty());
  ASSERT_EQ(done.timers.size(), 1U);
  EXPECT_EQ(done.timers[0].at_ms, 105U);
  node.on_timer(105, done.timers[0].id + 1);
  EXPECT_TRUE(node.take_effects().empty());
  node.on_timer(105, done.timers[0].id);
  done = sorted(node.take_effects());
  ASSERT_EQ(done.sent.size(), 1U);
  EXPECT_EQ(done.sent[0].second[0].transactions.size(), 2U);
}

TEST(SequencerNode, TellsWhatABlockDid) {
  TestLog log;
  SequencerNode node(open_sequencer(log));
  node.start(0);
  const auto too_much = transaction(
      some_key(0), 0, model::AddStake{Amount::from_nano(2000 * Amount::nano_per_whole)});
  node.on_message(9, follower, net::SubmitTransaction{too_much});
  const Done done = sorted(node.take_effects());
  ASSERT_EQ(done.news.size(), 1U);
  EXPECT_EQ(done.news[0].height, 1U);
  EXPECT_EQ(done.news[0].time_ms, 9U);
  EXPECT_EQ(std::get<ledger::TransactionFailed>(done.news[0].event).id,
            model::transaction_id(too_much));
}

TEST(SequencerNode, SendsOldBlocksInMessagesOfEight) {
  TestLog log;
  chain::Sequencer sequencer = open_sequencer(log);
  for (int i = 0; i < 20; ++i) {
    next_block(sequencer);
  }
  SequencerNode node(std::move(sequencer));
  node.start(10'000);
  node.on_message(10'000, follower, net::FollowBlocks{2});
  const Done done = sorted(node.take_effects());
  ASSERT_EQ(done.sent.size(), 3U);
  uint64_t height = 2;
  for (const auto& [to, blocks] : done.sent) {
    EXPECT_LE(blocks.size(), SequencerNode::message_blocks_max);
    for (const model::Block& block : blocks) {
      EXPECT_EQ(height_of(block), height++);
    }
  }
  EXPECT_EQ(height, 21U);
  EXPECT_TRUE(done.timers.empty());
  // One that is ahead of the log waits for what comes next.
  node.on_message(10'000, follower, net::FollowBlocks{UINT64_MAX});
  node.on_message(10'000, follower, net::SubmitTransaction{transfer(0, 0)});
  const Done later = sorted(node.take_effects());
  ASSERT_EQ(later.sent.size(), 1U);
  EXPECT_EQ(height_of(later.sent[0].second.at(0)), 21U);
}

TEST(SequencerNode, SaysHowHighTheLedgerIsToWhoDoesNotFollow) {
  TestLog log;
  SequencerNode node(open_sequencer(log));
  node.on_message(0, follower, net::FollowBlocks{net::FollowBlocks::how_high});
  const Effects effects = node.take_effects();
  ASSERT_EQ(effects.size(), 1U);
  const auto& sent = std::get<Send>(effects[0]);
  EXPECT_EQ(sent.to, follower);
  EXPECT_TRUE(std::get<net::Blocks>(sent.message).blocks.empty());
  EXPECT_EQ(std::get<net::Blocks>(sent.message).height, 0U);
  node.on_message(10'000, some_key(1).public_key(), net::SubmitTransaction{transfer(0, 0)});
  for (const Effect& effect : node.take_effects()) {
    EXPECT_FALSE(std::holds_alternative<Send>(effect)) << "nobody follows";
  }
}

TEST(SequencerNode, ALongWayIsSentInBursts) {
  TestLog log;
  chain::Sequencer sequencer = open_sequencer(log);
  for (uint64_t i = 0; i < 12; ++i) {
    const model::RegisterProgram long_one{Bytes(size_t{5} << 19), {}};
    ASSERT_TRUE(sequencer.submit(transaction(some_key(0), i, long_one)).ok());
    next_block(sequencer);
  }
  SequencerNode node(std::move(sequencer));
  node.on_message(10'000, follower, net::FollowBlocks{1});
  Done done = sorted(node.take_effects());
  ASSERT_EQ(done.sent.size(), 1U);
  EXPECT_EQ(done.sent[0].second.size(), SequencerNode::message_blocks_max);
  ASSERT_EQ(done.timers.size(), 1U);
  node.on_timer(done.timers[0].at_ms, done.timers[0].id);
  done = sorted(node.take_effects());
  ASSERT_EQ(done.sent.size(), 1U);
  EXPECT_EQ(height_of(done.sent[0].second.back()), 12U);
  EXPECT_TRUE(done.timers.empty());
}

TEST(SequencerNode, TriesAgainWhenTheLogFailed) {
  TestLog log;
  SequencerNode node(open_sequencer(log));
  node.on_message(0, follower, net::FollowBlocks{1});
  log.fails = true;
  node.on_message(0, follower, net::SubmitTransaction{transfer(0, 0)});
  const Done failed = sorted(node.take_effects());
  EXPECT_TRUE(failed.sent.empty());
  ASSERT_EQ(failed.timers.size(), 1U);
  EXPECT_EQ(failed.timers[0].at_ms, SequencerNode::retry_ms);
  log.fails = false;
  node.on_timer(failed.timers[0].at_ms, failed.timers[0].id);
  EXPECT_EQ(sorted(node.take_effects()).sent.size(), 1U);
}

TEST(SequencerNode, WhatIsNoneOfItsBusinessHasNoEffect) {
  TestLog log;
  SequencerNode node(open_sequencer(log));
  model::Signed bad = transfer(0, 0);
  bad.signature.bytes[5] ^= 1;
  node.on_message(0, follower, net::SubmitTransaction{bad});
  node.on_message(0, follower, net::AskQuote{});
  node.on_message(0, follower, net::Blocks{});
  EXPECT_TRUE(node.take_effects().empty());
  EXPECT_EQ(node.sequencer().height(), 0U);
}

TEST(SequencerNode, ServesABoundedNumberOfFollowers) {
  TestLog log;
  SequencerNode node(open_sequencer(log));
  for (uint64_t i = 0; i <= SequencerNode::followers_max; ++i) {
    PublicKey key;
    std::memcpy(key.bytes.data(), &i, sizeof i);
    node.on_message(0, key, net::FollowBlocks{1});
  }
  node.on_message(0, follower, net::SubmitTransaction{transfer(0, 0)});
  EXPECT_EQ(sorted(node.take_effects()).sent.size(), SequencerNode::followers_max);
}

}  // namespace
}  // namespace lockstep::node
