// A follower refuses every block but the next honest one, and inclusion proofs bind their places.
#include "chain/blocks.h"

#include <gtest/gtest.h>

#include "chain/test_network.h"

namespace lockstep::chain {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

Follower new_follower() {
  return std::move(Follower::create(genesis())).value();
}

/// Three blocks with a few transactions each.
std::vector<model::Block> some_blocks() {
  TestLog log;
  Sequencer sequencer = open_sequencer(log);
  std::vector<model::Block> blocks;
  for (uint64_t nonce = 0; nonce < 6; nonce += 2) {
    CHECK(sequencer.submit(transfer(0, nonce)).ok());
    CHECK(sequencer.submit(transfer(0, nonce + 1)).ok());
    CHECK(sequencer.submit(transfer(1, nonce / 2)).ok());
    blocks.push_back(next_block(sequencer));
  }
  return blocks;
}

/// The block with another header, signed by the sequencer all the same.
template <class Change>
model::Block with_header(const model::Block& block, Change change) {
  auto header = codec::decode<model::Header>(block.header.body);
  CHECK(header.ok());
  change(*header);
  return {model::sign(sequencer_key(),
                      {block.header.network, model::SignedKind::header, header->height},
                      codec::encode(*header)),
          block.transactions};
}

TEST(Follower, TakesBlocksInOrder) {
  Follower follower = new_follower();
  uint64_t height = 0;
  for (const model::Block& block : some_blocks()) {
    const auto events = follower.follow(block);
    ASSERT_TRUE(events.ok()) << events.error().message();
    EXPECT_EQ(follower.height(), ++height);
  }
  EXPECT_FALSE(follower.broken());
}

TEST(Follower, RefusesChangedBlocksAndStaysAsItWas) {
  const auto blocks = some_blocks();
  Follower follower = new_follower();
  ASSERT_TRUE(follower.follow(blocks[0]).ok());
  const Hash root = follower.ledger().state_root();
  std::vector<model::Block> bad(5, blocks[1]);
  bad[0].transactions.pop_back();
  std::swap(bad[1].transactions[0], bad[1].transactions[1]);
  bad[2].transactions[0].body.back() ^= 1;
  bad[3].transactions[0].signature.bytes[0] ^= 1;
  bad[4].header.body[40] ^= 1;
  bad.push_back(blocks[0]);
  bad.push_back(blocks[2]);
  bad.push_back(with_header(blocks[1], [](auto& header) { header.height = 3; }));
  bad.push_back(with_header(blocks[1], [](auto& header) { header.previous = some_hash(1); }));
  bad.push_back(with_header(blocks[1], [](auto& header) { header.time_ms -= 1; }));
  bad.push_back(with_header(blocks[1], [](auto& header) { header.preimage = some_hash(1); }));
  bad.push_back(with_header(blocks[1], [](auto& header) { header.transactions = some_hash(1); }));
  for (const model::Block& block : bad) {
    EXPECT_FALSE(follower.follow(block).ok());
    EXPECT_EQ(follower.height(), 1U);
    EXPECT_EQ(follower.ledger().state_root(), root);
    EXPECT_FALSE(follower.broken());
  }
  EXPECT_TRUE(follower.follow(blocks[1]).ok());
}

TEST(Follower, IsBrokenByAStateThatIsNotTheHeaders) {
  const auto blocks = some_blocks();
  Follower follower = new_follower();
  const auto lie = with_header(blocks[0], [](auto& header) { header.state = some_hash(1); });
  EXPECT_EQ(follower.follow(lie).error().code, Code::bad_block);
  EXPECT_TRUE(follower.broken());
  EXPECT_EQ(follower.follow(blocks[0]).error().code, Code::bad_block);
}

TEST(Follower, RefusesMoreTransactionsThanABlockMayHold) {
  model::Block block = some_blocks()[0];
  const model::RegisterProgram long_one{Bytes(size_t{5} << 19), {}};
  block.transactions = {transaction(some_key(0), 0, long_one),
                        transaction(some_key(0), 1, long_one)};
  block = with_header(
      block, [&](auto& header) { header.transactions = transactions_root(block.transactions); });
  const auto refused = new_follower().follow(block);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().what.find("longer"), std::string::npos);
}

TEST(Header, OnlyTheSequencersCounts) {
  const model::Block block = some_blocks()[0];
  const auto network = model::network_id(genesis());
  const auto sequencer = genesis().sequencer;
  EXPECT_EQ(header_of(block.header, network, sequencer)->height, 1U);
  EXPECT_EQ(header_of(block.header, network, some_key(0).public_key()).error().code,
            Code::bad_block);
  EXPECT_EQ(header_of(block.header, {some_hash(1)}, sequencer).error().code, Code::wrong_network);
  const auto wrong_nonce =
      model::sign(sequencer_key(), {network, model::SignedKind::header, 2}, block.header.body);
  EXPECT_EQ(header_of(wrong_nonce, network, sequencer).error().code, Code::bad_block);
  const auto wrong_kind =
      model::sign(sequencer_key(), {network, model::SignedKind::quote, 1}, block.header.body);
  EXPECT_EQ(header_of(wrong_kind, network, sequencer).error().code, Code::wrong_kind);
  model::Signed changed = block.header;
  changed.body[0] ^= 1;
  EXPECT_EQ(header_of(changed, network, sequencer).error().code, Code::bad_signature);
}

/// Transactions that nobody signed: for roots only their ids count.
std::vector<model::Signed> unsigned_ones(size_t count) {
  std::vector<model::Signed> transactions(count);
  for (size_t i = 0; i < count; ++i) {
    transactions[i].nonce = i;
  }
  return transactions;
}

TEST(Inclusion, EveryTransactionOfEveryBlockSizeIsProved) {
  for (size_t count = 1; count <= 100; ++count) {
    const auto transactions = unsigned_ones(count);
    const Hash root = transactions_root(transactions);
    for (size_t i = 0; i < count; ++i) {
      const Inclusion proof = prove_inclusion(transactions, i);
      EXPECT_TRUE(is_included(root, model::transaction_id(transactions[i]), proof));
      EXPECT_EQ(codec::decode<Inclusion>(codec::encode(proof)).value(), proof);
    }
  }
}

TEST(Inclusion, WrongProofsProveNothing) {
  for (const size_t count : {1U, 2U, 31U, 32U, 33U, 64U, 65U, 100U}) {
    const auto transactions = unsigned_ones(count);
    const Hash root = transactions_root(transactions);
    for (size_t i = 0; i < count; ++i) {
      const auto id = model::transaction_id(transactions[i]);
      const Inclusion good = prove_inclusion(transactions, i);
      EXPECT_FALSE(is_included(some_hash(1), id, good));
      EXPECT_FALSE(is_included(root, {some_hash(1)}, good));
      std::vector<Inclusion> bad;
      for (size_t other = 0; other < count + 40; ++other) {
        bad.push_back(good);
        bad.back().index = other == i ? count + 1000 : other;
      }
      for (size_t bit = 0; bit < 8 * good.path.chunk.size(); bit += 61) {
        bad.push_back(good);
        bad.back().path.chunk[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
      }
      for (size_t s = 0; s < good.path.siblings.size(); ++s) {
        bad.push_back(good);
        bad.back().path.siblings[s].bytes[3] ^= 4;
      }
      bad.resize(bad.size() + 5, good);
      (bad.end() - 1)->path.chunk.pop_back();
      (bad.end() - 2)->path.siblings.push_back(some_hash(2));
      (bad.end() - 3)->count = 0;
      (bad.end() - 4)->count = UINT64_MAX;
      (bad.end() - 5)->path.chunk.clear();
      for (const Inclusion& proof : bad) {
        EXPECT_FALSE(is_included(root, id, proof));
      }
      if (!good.path.siblings.empty()) {
        Inclusion shorter = good;
        shorter.path.siblings.pop_back();
        EXPECT_FALSE(is_included(root, id, shorter));
      }
    }
  }
}

TEST(TransactionBytes, IsTheLengthOfTheEncoding) {
  EXPECT_EQ(transaction_bytes(transfer(0, 0)), codec::encode(transfer(0, 0)).size());
}

}  // namespace
}  // namespace lockstep::chain
