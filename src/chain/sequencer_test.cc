// What a sequencer takes, in which order, when, and that its log is all it needs after a crash.
#include "chain/sequencer.h"

#include <gtest/gtest.h>

#include "chain/test_network.h"

namespace lockstep::chain {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

/// The nonces of a block's transactions by one owner, as they stand.
std::vector<uint64_t> nonces_of(const model::Block& block, uint64_t owner) {
  std::vector<uint64_t> nonces;
  for (const model::Signed& signed_one : block.transactions) {
    if (signed_one.signer == some_key(owner).public_key()) {
      nonces.push_back(signed_one.nonce);
    }
  }
  return nonces;
}

int64_t received(const Sequencer& sequencer) {
  const auto& accounts = sequencer.ledger().state().accounts;
  const auto found = accounts.find(some_key(5000).public_key());
  return found == accounts.end() ? 0 : found->second.balance.nano();
}

TEST(Sequencer, TakesSignersInOrderAndNoncesInSequence) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  for (const uint64_t nonce : {2U, 0U, 1U}) {
    for (uint64_t owner = 0; owner < owners; ++owner) {
      ASSERT_TRUE(sequencer.submit(transfer(owner, nonce)).ok());
    }
  }
  const model::Block block = next_block(sequencer);
  ASSERT_EQ(block.transactions.size(), 3 * owners);
  EXPECT_TRUE(std::ranges::is_sorted(
      block.transactions, {}, [](const auto& one) { return std::pair(one.signer, one.nonce); }));
  EXPECT_EQ(received(sequencer), 3 * static_cast<int64_t>(owners));
}

TEST(Sequencer, ANonceAheadWaitsForThoseBefore) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  ASSERT_TRUE(sequencer.submit(transfer(0, 1)).ok());
  EXPECT_FALSE(sequencer.next_block_ms(500).has_value());
  EXPECT_TRUE(next_block(sequencer).transactions.empty());
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  EXPECT_EQ(sequencer.next_block_ms(500), 500U);
  EXPECT_EQ(nonces_of(next_block(sequencer), 0), (std::vector<uint64_t>{0, 1}));
}

TEST(Sequencer, ATransactionSubmittedTwiceIsTakenOnce) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  EXPECT_EQ(next_block(sequencer).transactions.size(), 1U);
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  EXPECT_FALSE(sequencer.next_block_ms(0).has_value());
  EXPECT_TRUE(next_block(sequencer).transactions.empty());
  EXPECT_EQ(received(sequencer), 1);
}

TEST(Sequencer, AnotherTransactionOfAWaitingNonceIsRefused) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  const auto other = transaction(some_key(0), 0, model::AddStake{Amount::from_nano(5)});
  EXPECT_EQ(sequencer.submit(other).error().code, Code::wrong_nonce);
}

TEST(Sequencer, RefusesWhatDoesNotBelongIntoABlock) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  model::Signed changed = transfer(0, 0);
  changed.body.back() ^= 1;
  EXPECT_EQ(sequencer.submit(changed).error().code, Code::bad_signature);
  const auto elsewhere = model::sign(
      some_key(0), {{some_hash(1)}, model::SignedKind::transaction, 0}, transfer(0, 0).body);
  EXPECT_EQ(sequencer.submit(elsewhere).error().code, Code::wrong_network);
  const auto quote = model::sign(
      some_key(0), {transfer(0, 0).network, model::SignedKind::quote, 0}, transfer(0, 0).body);
  EXPECT_EQ(sequencer.submit(quote).error().code, Code::wrong_kind);
  const auto no_body = model::sign(
      some_key(0), {transfer(0, 0).network, model::SignedKind::transaction, 0}, Bytes{255});
  EXPECT_EQ(sequencer.submit(no_body).error().code, Code::not_canonical);
  EXPECT_EQ(sequencer.submit(transfer(0, limits::signer_queue_max)).error().code,
            Code::wrong_nonce);
  EXPECT_TRUE(sequencer.submit(transfer(0, limits::signer_queue_max - 1)).ok());
  EXPECT_FALSE(sequencer.next_block_ms(0).has_value());
}

TEST(Sequencer, BoundsATransactionABlockAndAllThatWaits) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  const auto long_one = [](uint64_t owner, uint64_t nonce, size_t bytes) {
    return transaction(some_key(owner), nonce, model::RegisterProgram{Bytes(bytes), {}});
  };
  EXPECT_EQ(sequencer.submit(long_one(0, 0, limits::transaction_bytes_max)).error().code,
            Code::too_large);
  constexpr size_t bytes = size_t{5} << 19;  // 2.5 MiB: one a block
  uint64_t taken = 0;
  Result<void> result;
  for (; result.ok(); ++taken) {
    result = sequencer.submit(long_one(0, taken, bytes));
  }
  EXPECT_EQ(result.error().code, Code::too_large);
  EXPECT_EQ(taken - 1, Sequencer::queue_bytes_max / (bytes + 512));
  EXPECT_EQ(next_block(sequencer).transactions.size(), 1U);
  EXPECT_TRUE(sequencer.submit(long_one(0, taken - 1, bytes)).ok());
}

TEST(Sequencer, ABlockHasAtMostItsNumberOfTransactions) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  for (uint64_t nonce = 0; nonce < limits::signer_queue_max; ++nonce) {
    for (uint64_t owner = 0; owner < owners; ++owner) {
      ASSERT_TRUE(sequencer.submit(transfer(owner, nonce)).ok());
    }
  }
  const size_t all = owners * limits::signer_queue_max;
  ASSERT_GT(all, limits::block_transactions_max);
  EXPECT_EQ(next_block(sequencer).transactions.size(), limits::block_transactions_max);
  EXPECT_EQ(next_block(sequencer).transactions.size(), all - limits::block_transactions_max);
  EXPECT_EQ(received(sequencer), static_cast<int64_t>(all));
}

TEST(Sequencer, BlocksKeepTheirDistance) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  std::vector<ledger::Event> events;
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  EXPECT_EQ(sequencer.next_block_ms(7), 7U);
  ASSERT_TRUE(sequencer.produce(7, events).ok());
  ASSERT_TRUE(sequencer.submit(transfer(0, 1)).ok());
  EXPECT_EQ(sequencer.next_block_ms(8), 107U);
  EXPECT_EQ(sequencer.produce(106, events).error().code, Code::bad_block);
  EXPECT_EQ(sequencer.height(), 1U);
  ASSERT_TRUE(sequencer.produce(107, events).ok());
}

TEST(Sequencer, ReplaysItsLogAfterARestart) {
  TestLog log;
  Hash root;
  uint64_t time_ms = 0;
  std::vector<model::Block> made;
  {
    Sequencer sequencer = open_sequencer(log);
    Random random(3);
    std::array<uint64_t, owners> nonces{};
    for (int i = 0; i < 20; ++i) {
      for (uint64_t count = random.below(6); count > 0; --count) {
        const uint64_t owner = random.below(owners);
        ASSERT_TRUE(sequencer.submit(transfer(owner, nonces[owner]++)).ok());
      }
      made.push_back(next_block(sequencer));
    }
    root = sequencer.ledger().state_root();
    time_ms = sequencer.ledger().state().totals.time_ms;
  }
  Sequencer again = open_sequencer(log);
  EXPECT_EQ(again.height(), 20U);
  EXPECT_EQ(again.ledger().state_root(), root);
  EXPECT_EQ(again.ledger().state().totals.time_ms, time_ms);
  EXPECT_EQ(*again.blocks(1, 100), made);
  EXPECT_EQ(again.blocks(19, 1)->front(), made[18]);
  EXPECT_TRUE(again.blocks(21, 1)->empty());
  made.push_back(next_block(again));
  Follower follower = std::move(Follower::create(genesis())).value();
  for (const model::Block& block : made) {
    ASSERT_TRUE(follower.follow(block).ok());
  }
}

TEST(Sequencer, ALogThatFailsLeavesEverythingAsItWas) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  next_block(sequencer);
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  const Hash root = sequencer.ledger().state_root();
  std::vector<ledger::Event> events;
  log.fails = true;
  EXPECT_EQ(sequencer.produce(1000, events).error().code, Code::io_failed);
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(sequencer.height(), 1U);
  EXPECT_EQ(sequencer.ledger().state_root(), root);
  EXPECT_EQ(sequencer.blocks(1, 1).error().code, Code::io_failed);
  log.fails = false;
  EXPECT_EQ(sequencer.next_block_ms(1000), 1000U);
  EXPECT_EQ(next_block(sequencer).transactions.size(), 1U);
  EXPECT_EQ(open_sequencer(log).ledger().state_root(), sequencer.ledger().state_root());
}

Result<Sequencer> reopen(env::KeyValue& log) {
  return Sequencer::create(genesis(), sequencer_key(), secret, log);
}

TEST(Sequencer, RefusesALogThatWasTamperedWith) {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  next_block(sequencer);
  next_block(sequencer);
  const std::string key = "block/0000000000000001";
  const Bytes good = **log.get(key);
  Random random(5);
  for (int i = 0; i < 40; ++i) {
    Bytes bad = good;
    bad[random.below(bad.size())] ^= static_cast<uint8_t>(1U << random.below(8));
    ASSERT_TRUE(log.apply({{key, bad}}).ok());
    const auto refused = reopen(log);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::bad_block);
  }
  ASSERT_TRUE(log.apply({{key, {}}}).ok());
  EXPECT_EQ(reopen(log).error().code, Code::bad_block);
  ASSERT_TRUE(log.apply({{key, good}}).ok());
  EXPECT_TRUE(reopen(log).ok());
  ASSERT_TRUE(log.apply({{"height", codec::encode(uint64_t{3})}}).ok());
  EXPECT_EQ(reopen(log).error().code, Code::bad_block);
  ASSERT_TRUE(log.apply({{"height", Bytes{1}}}).ok());
  EXPECT_EQ(reopen(log).error().code, Code::bad_block);
  ASSERT_TRUE(log.apply({{"height", {}}}).ok());
  EXPECT_EQ(reopen(log).error().code, Code::bad_block);
  log.fails = true;
  EXPECT_EQ(reopen(log).error().code, Code::io_failed);
}

TEST(Sequencer, NeedsTheKeyAndTheChainOfItsGenesis) {
  TestLog log;
  EXPECT_EQ(Sequencer::create(genesis(), some_key(0), secret, log).error().code,
            Code::out_of_range);
  EXPECT_EQ(Sequencer::create(genesis(), sequencer_key(), some_hash(1), log).error().code,
            Code::out_of_range);
}

}  // namespace
}  // namespace lockstep::chain
