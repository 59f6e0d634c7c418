// Keys and entries of the ledger, its root, presence under it, and the sum of all money.
#include "ledger/state.h"

#include <gtest/gtest.h>

#include <set>

#include "ledger/test_world.h"

namespace lockstep::ledger {
namespace {

using test::World;

/// A state of some hundred entries: several chunks of the root's list, the last one short.
World busy_world() {
  World world;
  const JobId job = world.open_job(world.terms());
  for (uint32_t i = 0; i < 2; ++i) {
    const LeaseId lease = world.open_lease(job, world.providers[i]);
    std::vector<test::Work> works;
    for (uint32_t part = 0; part < 40; ++part) {
      works.push_back(world.work(lease, world.providers[i], {.part = 100 * i + part, .reads = {}}));
    }
    world.post_claim(lease, world.providers[i], works);
  }
  return world;
}

TEST(State, EntriesAreSortedAndUnique) {
  const auto entries = busy_world().state().entries();
  ASSERT_GT(entries.size(), 96U);
  for (size_t i = 1; i < entries.size(); ++i) {
    EXPECT_LT(entries[i - 1].first, entries[i].first);
  }
}

TEST(State, DisputesSortByTheNumberOfTheirTask) {
  State state;
  for (const uint32_t task : {0U, 1U, 255U, 256U, 65'536U, UINT32_MAX}) {
    state.disputes[{ClaimId{test::some_hash(1)}, task}].answers = task;
  }
  const auto entries = state.entries();
  ASSERT_EQ(entries.size(), 7U);  // and the totals
  for (size_t i = 1; i < 6; ++i) {
    EXPECT_LT(entries[i - 1].first, entries[i].first);
  }
}

TEST(State, EveryKindOfRecordIsUnderTheRoot) {
  const Hash key = test::some_hash(1);
  const PublicKey owner = test::some_key(1).public_key();
  std::set<Hash> roots;
  const auto add = [&](auto change) {
    State state;
    change(state);
    roots.insert(state.root());
  };
  add([](State&) {});
  add([](State& state) { state.totals.height = 1; });
  add([](State& state) { state.totals.burned = test::nano(1); });
  add([&](State& state) { state.nonces[owner] = 0; });
  add([&](State& state) { state.accounts[owner] = {}; });
  add([&](State& state) { state.nodes[owner] = {}; });
  add([&](State& state) { state.program_costs[key] = 0; });
  add([&](State& state) { state.jobs[{key}] = {}; });
  add([&](State& state) { state.leases[{key}] = {}; });
  add([&](State& state) { state.claims[{key}] = {}; });
  add([&](State& state) { state.claims[{key}].tasks.resize(1); });
  add([&](State& state) { state.claims[{key}].audit.salts.resize(1); });
  add([&](State& state) { state.disputes[{{key}, 0}] = {}; });
  add([&](State& state) { state.active[{key}] = 0; });
  add([&](State& state) { state.dismissed[{{key}, 0}] = 0; });
  add([&](State& state) { state.turns[key] = {}; });
  add([&](State& state) { state.claimed[{key}] = {}; });
  add([&](State& state) { state.voided[{key}] = 0; });
  EXPECT_EQ(roots.size(), 18U);
}

TEST(State, EveryEntryIsShownToBeThere) {
  const World world = busy_world();
  const Hash root = world.state().root();
  for (const auto& [key, bytes] : world.state().entries()) {
    const auto presence = prove_presence(world.state(), key);
    ASSERT_TRUE(presence.ok()) << key;
    EXPECT_TRUE(is_present(root, key, bytes, *presence)) << key;
    const auto back = codec::decode<Presence>(codec::encode(*presence));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, *presence);
  }
  EXPECT_EQ(prove_presence(world.state(), "account/").error().code, Code::not_registered);
  EXPECT_EQ(prove_presence(world.state(), "zebra").error().code, Code::not_registered);
}

TEST(State, TheNamedKeysAreThere) {
  const World world = busy_world();
  const State& state = world.state();
  EXPECT_TRUE(prove_presence(state, totals_key()).ok());
  EXPECT_TRUE(prove_presence(state, account_key(world.auditor.owner.public_key())).ok());
  EXPECT_TRUE(prove_presence(state, job_key(state.jobs.begin()->first)).ok());
  EXPECT_TRUE(prove_presence(state, lease_key(state.leases.begin()->first)).ok());
  EXPECT_TRUE(prove_presence(state, claim_key(state.claims.begin()->first)).ok());
}

TEST(State, NothingElseIsShownToBeThere) {
  const World world = busy_world();
  const State& state = world.state();
  const Hash root = state.root();
  const auto entries = state.entries();
  const std::string& key = entries[40].first;
  const Bytes& bytes = entries[40].second;
  const Presence good = prove_presence(state, key).value();
  ASSERT_TRUE(is_present(root, key, bytes, good));

  Bytes other = bytes;
  other[0] ^= 1;
  EXPECT_FALSE(is_present(root, key, other, good));
  EXPECT_FALSE(is_present(root, key, {}, good));
  EXPECT_FALSE(is_present(root, entries[41].first, bytes, good));
  EXPECT_FALSE(is_present(test::some_hash(1), key, bytes, good));
  const auto refused = [&](auto change) {
    Presence presence = good;
    change(presence);
    return !is_present(root, key, bytes, presence);
  };
  EXPECT_TRUE(refused([](Presence& p) { p.index += 1; }));
  EXPECT_TRUE(refused([](Presence& p) { p.index += 32; }));
  EXPECT_TRUE(refused([](Presence& p) { p.index = p.entries + p.index; }));
  EXPECT_TRUE(refused([](Presence& p) { p.index = UINT64_MAX; }));
  EXPECT_TRUE(refused([](Presence& p) { p.entries = 0; }));
  EXPECT_TRUE(refused([](Presence& p) { p.entries = UINT64_MAX; }));
  EXPECT_TRUE(refused([](Presence& p) { p.entries += 64; }));
  EXPECT_TRUE(refused([](Presence& p) { p.path.siblings.pop_back(); }));
  EXPECT_TRUE(refused([](Presence& p) { p.path.siblings.emplace_back(); }));
  EXPECT_TRUE(refused([](Presence& p) { p.path.siblings[0].bytes[0] ^= 1; }));
  EXPECT_TRUE(refused([](Presence& p) { p.path.chunk.pop_back(); }));
  EXPECT_TRUE(refused([](Presence& p) { p.path.chunk.clear(); }));
  for (size_t i = 0; i < good.path.chunk.size(); i += 7) {
    EXPECT_TRUE(refused([i](Presence& p) { p.path.chunk[i] ^= 1; })) << i;
  }
}

TEST(State, TheSumCountsEveryPlaceOfMoneyOnce) {
  State state;
  const Hash key = test::some_hash(1);
  state.totals.burned = test::nano(1);
  state.totals.treasury = test::nano(10);
  state.accounts[{}] = {test::nano(100), test::nano(1000), test::nano(500)};
  state.jobs[{key}].escrow = test::nano(10'000);
  state.jobs[{key}].audit_budget = test::nano(100'000);
  state.jobs[{key}].reserve = test::nano(1'000'000);
  state.jobs[{key}].work_price = state.jobs[{key}].paid = test::nano(7);
  state.leases[{key}].pending = test::nano(10'000'000);
  state.leases[{key}].locked = state.leases[{key}].paid = test::nano(7);
  EXPECT_EQ(state.sum().value(), test::nano(11'111'111));
  state.accounts[{}].balance = test::nano(INT64_MAX);
  EXPECT_EQ(state.sum().error().code, Code::overflow);
}

}  // namespace
}  // namespace lockstep::ledger
