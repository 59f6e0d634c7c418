#include "node/visitor.h"

#include <gtest/gtest.h>

#include "chain/test_network.h"
#include "node/sequencer_node.h"

namespace lockstep::node {
namespace {

using chain::test::genesis;
using chain::test::open_sequencer;
using chain::test::some_key;
using chain::test::TestLog;
using chain::test::transfer;

/// A visitor and a sequencer that hear everything of each other at once.
struct Pair {
  TestLog log;
  SequencerNode sequencer{open_sequencer(log)};
  std::unique_ptr<Visitor> visitor = Visitor::create(genesis(), some_key(900)).value();
  uint64_t now = 1000;
  size_t failed = 0;

  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (Effect& effect : visitor->take_effects()) {
        if (const auto* const sent = std::get_if<Send>(&effect)) {
          sequencer.on_message(now, some_key(900).public_key(), sent->message);
          moved = true;
        } else if (const auto* const tell = std::get_if<Tell>(&effect)) {
          const auto& news = std::get<LedgerNews>(tell->notice);
          failed += std::holds_alternative<ledger::TransactionFailed>(news.event) ? 1 : 0;
        }
      }
      for (Effect& effect : sequencer.take_effects()) {
        if (const auto* const sent = std::get_if<Send>(&effect)) {
          visitor->on_message(
              now, sequencer.sequencer().ledger().state().genesis.sequencer, sent->message);
          moved = true;
        }
      }
    }
  }
  void later(uint64_t ms) {
    now += ms;
    sequencer.on_timer(now, now);
    visitor->on_timer(now, 1);
    settle();
  }
};

TEST(Visitor, KnowsWhenItHasSeenEverything) {
  Pair pair;
  EXPECT_FALSE(pair.visitor->is_up_to_date());
  pair.visitor->start(pair.now);
  pair.settle();
  EXPECT_TRUE(pair.visitor->is_up_to_date()) << "an empty ledger is seen at once";
}

TEST(Visitor, SeesATransactionThrough) {
  Pair pair;
  pair.visitor->start(pair.now);
  pair.settle();
  const model::Signed paid = transfer(0, 0);
  EXPECT_FALSE(pair.visitor->is_used(paid.signer, 0));
  pair.visitor->on_signed(pair.now, paid);
  for (int i = 0; i < 20; ++i) {
    pair.later(100);
  }
  EXPECT_TRUE(pair.visitor->is_used(paid.signer, 0));
  EXPECT_FALSE(pair.visitor->is_used(paid.signer, 1));
  EXPECT_EQ(pair.visitor->ledger().height(), pair.sequencer.sequencer().height());
}

TEST(Visitor, BelievesOnlyTheSequencer) {
  Pair pair;
  pair.visitor->start(pair.now);
  (void)pair.visitor->take_effects();
  pair.visitor->on_message(pair.now, some_key(5).public_key(), net::Blocks{});
  EXPECT_FALSE(pair.visitor->is_up_to_date());
}

}  // namespace
}  // namespace lockstep::node
