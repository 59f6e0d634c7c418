// For tests only: a genesis with its keys, transfers to fill blocks with, and a log that can fail.
#pragma once

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "chain/sequencer.h"
#include "codec/random_record.h"

namespace lockstep::chain::test {

using codec::test::Random;

/// A hash that nothing else in a test has.
inline Hash some_hash(uint64_t number) {
  Hash hash;
  std::memcpy(hash.bytes.data(), &number, sizeof number);
  hash.bytes[31] = 0xc4;
  return hash;
}
inline crypto::SecretKey some_key(uint64_t number) {
  return crypto::SecretKey::from_seed(some_hash(number));
}
inline const Hash secret = some_hash(999);
inline crypto::SecretKey sequencer_key() {
  return some_key(1000);
}
inline constexpr uint64_t owners = 5;

/// Owners some_key(0 … 4) with 1,000 LKS each.
inline const model::Genesis& genesis() {
  static const model::Genesis made = [] {
    model::Genesis genesis;
    genesis.name = "test";
    genesis.sequencer = sequencer_key().public_key();
    genesis.preimages = model::preimage_chain(secret, limits::preimages_max).front();
    for (uint64_t i = 0; i < owners; ++i) {
      genesis.balances.push_back(
          {some_key(i).public_key(), Amount::from_nano(1000 * Amount::nano_per_whole)});
    }
    std::ranges::sort(genesis.balances, {}, &model::Allocation::owner);
    return genesis;
  }();
  return made;
}

inline model::Signed transaction(const crypto::SecretKey& key,
                                 uint64_t nonce,
                                 const model::Transaction& body) {
  static const model::NetworkId network = model::network_id(genesis());
  return model::sign(key, {network, model::SignedKind::transaction, nonce}, codec::encode(body));
}
/// One nano-LKS from owner `from` to a new account.
inline model::Signed transfer(uint64_t from, uint64_t nonce) {
  return transaction(
      some_key(from), nonce, model::Transfer{some_key(5000).public_key(), Amount::from_nano(1)});
}

/// In memory; fails on demand.
class TestLog final : public env::KeyValue {
 public:
  bool fails = false;
  env::MemoryKeyValue values;
  Result<std::optional<Bytes>> get(const std::string& key) override {
    if (fails) {
      return refuse(Code::io_failed, "no disk");
    }
    return values.get(key);
  }
  Result<void> apply(std::vector<Change> batch) override {
    if (fails) {
      return refuse(Code::io_failed, "no disk");
    }
    return values.apply(std::move(batch));
  }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return values.keys(prefix, after, count_max);
  }
};

inline Sequencer open_sequencer(env::KeyValue& log) {
  auto sequencer = Sequencer::create(genesis(), sequencer_key(), secret, log);
  CHECK(sequencer.ok());
  return std::move(sequencer).value();
}
/// The next block, 100 ms after the one before.
inline model::Block next_block(Sequencer& sequencer) {
  std::vector<ledger::Event> events;
  auto block = sequencer.produce(sequencer.ledger().state().totals.time_ms + 100, events);
  CHECK(block.ok());
  return std::move(block).value();
}

}  // namespace lockstep::chain::test
