// What a root says is not there: proofs of absence against states of every size, and forged ones.
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/blake3.h"
#include "ledger/test_world.h"

namespace lockstep::ledger {
namespace {

using test::Random;
using test::some_hash;

/// Some records of several kinds; `size` of them besides the totals.
State random_state(Random& random, uint64_t size) {
  State state;
  state.totals.height = random.next();
  for (uint64_t i = 0; i < size; ++i) {
    const Hash hash = some_hash(random.next());
    const PublicKey key{hash.bytes};
    switch (random.below(6)) {
      case 0:
        state.accounts[key].balance = test::nano(static_cast<int64_t>(random.below(1000)));
        break;
      case 1:
        state.nonces[key] = random.below(9);
        break;
      case 2:
        state.claims[{hash}].tasks.resize(random.below(3));
        break;
      case 3:
        state.claimed[{hash}] = {some_hash(random.next())};
        break;
      case 4:
        state.dismissed[{{hash}, static_cast<uint32_t>(random.below(300))}] = 1;
        break;
      default:
        state.voided[{hash}] = random.next();
    }
  }
  return state;
}

/// Keys around those of the state, and beyond both ends.
std::vector<std::string> some_keys(const State& state, Random& random) {
  std::vector<std::string> keys = {"", "a", "account/", "totals", "totals/0", "zebra", "\xff"};
  for (int i = 0; i < 8; ++i) {
    keys.push_back(claim_key({some_hash(random.next())}));
    const auto entries = state.entries();
    const std::string& near = entries[random.below(entries.size())].first;
    keys.push_back(near + "0");
    keys.push_back(near.substr(0, random.below(near.size() + 1)));
    keys.push_back(near);
  }
  return keys;
}

TEST(Absence, EveryKeyIsEitherThereOrNot) {
  Random random(1);
  for (const uint64_t size : {0U, 1U, 2U, 30U, 31U, 32U, 33U, 63U, 64U, 65U, 130U, 333U}) {
    const State state = random_state(random, size);
    const Hash root = state.root();
    for (const std::string& key : some_keys(state, random)) {
      const bool there = prove_presence(state, key).ok();
      const auto absence = prove_absence(state, key);
      ASSERT_EQ(absence.ok(), !there) << size << " " << key;
      if (there) {
        EXPECT_EQ(absence.error().code, Code::already_there);
        continue;
      }
      EXPECT_TRUE(is_absent(root, key, *absence)) << size << " " << key;
      EXPECT_FALSE(is_absent(some_hash(1), key, *absence));
      const auto back = codec::decode<Absence>(codec::encode(*absence));
      ASSERT_TRUE(back.ok());
      EXPECT_EQ(*back, *absence);
    }
  }
}

TEST(Absence, TheFirstAndTheLastNeedOneNeighbour) {
  Random random(2);
  const State state = random_state(random, 100);
  const auto first = prove_absence(state, "a");
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first->before.has_value());
  EXPECT_EQ(first->after->presence.index, 0U);
  const auto last = prove_absence(state, "zebra");
  ASSERT_TRUE(last.ok());
  EXPECT_FALSE(last->after.has_value());
  EXPECT_EQ(last->before->presence.index, 100U);
  // No other entry stands in for them.
  EXPECT_FALSE(is_absent(state.root(), "zebra", Absence{first->after, std::nullopt}));
  EXPECT_FALSE(is_absent(state.root(), "a", Absence{std::nullopt, last->before}));
  EXPECT_FALSE(is_absent(state.root(), "a", Absence{}));
}

TEST(Absence, OfAnEmptyStateNothingIsThere) {
  const Hash empty = crypto::hash(crypto::Mode::derive("lockstep v1 ledger state"), {});
  EXPECT_TRUE(is_absent(empty, "account/", Absence{}));
  EXPECT_FALSE(is_absent(State().root(), "account/", Absence{}));
}

/// A proof for any key between two entries, side by side or not.
Absence between(const State& state, size_t before, size_t after) {
  const auto entries = state.entries();
  const auto neighbour = [&](size_t at) {
    const auto& [key, bytes] = entries[at];
    return Neighbour{key, bytes, prove_presence(state, key).value()};
  };
  return {neighbour(before), neighbour(after)};
}

TEST(Absence, WhatIsThereIsNeverShownToBeAway) {
  Random random(3);
  for (int round = 0; round < 40; ++round) {
    const State state = random_state(random, 2 + random.below(140));
    const Hash root = state.root();
    const auto entries = state.entries();
    const size_t at = 1 + random.below(entries.size() - 2);
    const std::string& key = entries[at].first;
    // A gap: true neighbours of the key itself.
    const Absence gap = between(state, at - 1, at + 1);
    EXPECT_FALSE(is_absent(root, key, gap));
    const auto forged = [&](const auto& change) {
      Absence absence = gap;
      change(absence);
      return is_absent(root, key, absence);
    };
    EXPECT_FALSE(forged([](Absence& it) { it.after->presence.index -= 1; }));
    EXPECT_FALSE(forged([](Absence& it) { it.before->presence.index += 1; }));
    EXPECT_FALSE(forged([](Absence& it) { it.before.reset(); }));
    EXPECT_FALSE(forged([](Absence& it) { it.after.reset(); }));
    EXPECT_FALSE(forged([](Absence& it) {
      it.after.reset();
      it.before->presence.entries = it.before->presence.index + 1;
    }));
    EXPECT_FALSE(forged([](Absence& it) {
      it.before.reset();
      it.after->presence.index = 0;
    }));
    EXPECT_FALSE(forged([](Absence& it) { std::swap(it.before, it.after); }));
    // The entry itself as its own neighbour.
    EXPECT_FALSE(is_absent(root, key, between(state, at - 1, at)));
    EXPECT_FALSE(is_absent(root, key, between(state, at, at + 1)));
  }
}

TEST(Absence, NothingOfAProofCanBeChanged) {
  Random random(4);
  for (int round = 0; round < 40; ++round) {
    const State state = random_state(random, 3 + random.below(140));
    const Hash root = state.root();
    const auto entries = state.entries();
    const size_t at = random.below(entries.size() - 1);
    const std::string key = entries[at].first + "0";
    const Absence good = prove_absence(state, key).value();
    ASSERT_TRUE(is_absent(root, key, good));
    const auto refused = [&](const auto& change) {
      Absence absence = good;
      change(absence);
      return !is_absent(root, key, absence);
    };
    EXPECT_TRUE(refused([](Absence& it) { it.before->key += "x"; }));
    EXPECT_TRUE(refused([](Absence& it) { it.after->key += "x"; }));
    EXPECT_TRUE(refused([](Absence& it) { it.before->bytes.push_back(0); }));
    EXPECT_TRUE(refused([](Absence& it) { it.after->bytes[0] ^= 1; }));
    EXPECT_TRUE(refused([](Absence& it) { it.before->presence.entries += 1; }));
    EXPECT_TRUE(refused([](Absence& it) { it.after->presence.path.chunk[0] ^= 1; }));
    EXPECT_TRUE(refused([](Absence& it) { it.before->presence.path.siblings.emplace_back(); }));
    EXPECT_TRUE(refused([](Absence& it) { std::swap(it.before, it.after); }));
    EXPECT_TRUE(refused([](Absence& it) { it.before = it.after; }));
    // It says nothing about keys elsewhere.
    EXPECT_FALSE(is_absent(root, entries[at].first, good));
    EXPECT_FALSE(is_absent(root, entries[at + 1].first, good));
    EXPECT_FALSE(is_absent(root, "", good));
    EXPECT_FALSE(is_absent(root, "zebra", good));
  }
}

}  // namespace
}  // namespace lockstep::ledger
