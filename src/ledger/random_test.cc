#include "base/test_soak.h"
// Random histories: money is neither made nor lost, a failure changes nothing, what does not belong
// into a block changes nothing, and when everybody stops, all money comes to rest.
#include <gtest/gtest.h>

#include "ledger/test_crowd.h"
#include "ledger/test_invariants.h"

namespace lockstep::ledger {
namespace {

using model::SignedKind;
using test::check_state;
using test::Crowd;
using test::lks;

/// Everything under the root but the nonces.
std::vector<std::pair<std::string, Bytes>> lasting(const State& state) {
  auto entries = state.entries();
  std::erase_if(entries, [](const auto& entry) { return entry.first.starts_with("nonce/"); });
  return entries;
}

uint64_t some_advance(test::Random& random) {
  return 100 + random.below(random.chance(16) ? 6000 : 200);
}

/// A network whose jobs are idle after a short or a long time.
model::Genesis some_rules(test::Random& random) {
  model::Genesis rules;
  rules.job_idle_ms = random.of({1000U, 5000U, 30'000U, 600'000U});
  return rules;
}

/// One block of one transaction, beside the same block without it. Returns whether it succeeded.
bool one_block(Crowd& crowd, test::Random& random) {
  test::World& world = crowd.world;
  const auto [key, body] = crowd.next();
  const model::Signed transaction = world.transaction(key, body);
  const uint64_t advance = some_advance(random);
  EXPECT_TRUE(world.ledger().admit(transaction, 0).ok());
  Ledger empty = world.ledger();
  const BlockInput with = world.input({transaction}, advance);
  EXPECT_TRUE(empty.apply(world.input({}, advance)).ok());
  const test::Events events = world.block(with.transactions, advance);
  if (test::find<TransactionFailed>(events)) {
    EXPECT_TRUE(lasting(world.state()) == lasting(empty.state())) << "kind " << body.index();
    return false;
  }
  return true;
}

/// Up to ten transactions for one block, all made from the state before it.
std::vector<model::Signed> some_transactions(Crowd& crowd, test::Random& random) {
  std::vector<model::Signed> transactions;
  std::map<PublicKey, uint64_t> ahead;
  const uint64_t count = 1 + random.below(10);
  transactions.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto [key, body] = crowd.next();
    transactions.push_back(crowd.world.transaction(key, body, ahead[key.public_key()]++));
  }
  return transactions;
}

/// The block with one of its transactions twice, or one that does not belong into it: an old one,
/// or one of another nonce, network, kind, signer or body. No ledger may take it.
void refuse_forged(Crowd& crowd,
                   test::Random& random,
                   std::vector<model::Signed> transactions,
                   const std::optional<model::Signed>& old) {
  test::World& world = crowd.world;
  model::Signed& victim = transactions[random.below(transactions.size())];
  switch (random.below(8)) {
    case 0:
      transactions.emplace_back(victim);
      break;
    case 1:
      if (old) {
        transactions.insert(transactions.begin(), *old);
        break;
      }
      [[fallthrough]];
    case 2:
      victim.nonce += 1;
      break;
    case 3:
      victim.network = {test::some_hash(random.next())};
      break;
    case 4:
      victim.kind = SignedKind::header;
      break;
    case 5:
      victim.signer = world.stranger.public_key() == victim.signer ? world.sequencer.public_key()
                                                                   : world.stranger.public_key();
      break;
    case 6:
      victim.body.push_back(0);
      break;
    default:
      victim.signature.bytes[random.below(64)] ^= 1;
  }
  const Hash before = world.state().root();
  const auto refused = world.ledger().apply(world.input(transactions));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::bad_block);
  EXPECT_EQ(world.state().root(), before);
}

/// Empty blocks until nothing is due. Each must bring the ledger further.
void come_to_rest(test::World& world) {
  uint64_t stuck = 0;
  while (const auto due = world.ledger().next_due_ms()) {
    ASSERT_GE(*due, world.now());
    auto before = world.state();
    world.block({}, std::max(*due, world.now() + 100) - world.now());
    before.totals = world.state().totals;
    // A preimage is waited for by blocks; nothing else may be due in vain.
    stuck = before.root() == world.state().root() ? stuck + 1 : 0;
    ASSERT_LE(stuck, 12U);
  }
}

/// No money waits for anybody: all of it is somebody's, burned, or the treasury's.
void check_rest(const State& state) {
  for (const auto& [id, job] : state.jobs) {
    EXPECT_EQ(job.status, JobStatus::settled);
  }
  for (const auto& [id, claim] : state.claims) {
    EXPECT_TRUE(claim.final);
    EXPECT_EQ(claim.audit.bond, Amount());
  }
  Amount owned = state.totals.burned.add(state.totals.treasury).value();
  for (const auto& [owner, account] : state.accounts) {
    EXPECT_EQ(account.locked, Amount()) << "every lock has an end";
    owned = owned.add(account.balance).value().add(account.stake).value();
  }
  EXPECT_EQ(owned, lks(5000));
  EXPECT_TRUE(state.disputes.empty());
  EXPECT_TRUE(state.active.empty());
  EXPECT_TRUE(state.dismissed.empty());
  EXPECT_TRUE(state.awaited.empty());
}

/// What a run reached, so that it can be seen that it was about something.
struct Reached {
  size_t settled = 0, final_claims = 0, slashed = 0;
  void note(const State& state) {
    for (const auto& [id, job] : state.jobs) {
      settled += job.status == JobStatus::settled ? 1 : 0;
    }
    for (const auto& [id, claim] : state.claims) {
      final_claims += claim.final ? 1 : 0;
    }
    for (const auto& [id, lease] : state.leases) {
      slashed += lease.status == LeaseStatus::slashed ? 1 : 0;
    }
  }
};

TEST(Random, AFailureChangesNothingAndJobsEnd) {
  size_t succeeded = 0;
  Reached reached;
  for (uint64_t seed = 0; seed < 12 * soak_times(); ++seed) {
    SCOPED_TRACE(seed);
    Crowd crowd(seed);
    test::Random random(seed + 1000);
    for (int i = 0; i < 300; ++i) {
      succeeded += one_block(crowd, random) ? 1 : 0;
      check_state(crowd.world.state());
      ASSERT_FALSE(testing::Test::HasFailure()) << "after " << i;
    }
    crowd.close_all();
    come_to_rest(crowd.world);
    check_state(crowd.world.state());
    check_rest(crowd.world.state());
    reached.note(crowd.world.state());
  }
  EXPECT_GT(succeeded, 500U);
  EXPECT_GT(reached.settled, 30U);
  EXPECT_GT(reached.final_claims, 50U);
  EXPECT_GT(reached.slashed, 3U);
}

TEST(Random, WhenEverybodyStopsAllMoneyComesToRest) {
  // The longest chain of deadlines: tasks and audits of the slowest machine, an hour each.
  constexpr uint64_t bound_ms = uint64_t{12} * 3'600'000;
  Reached reached;
  for (uint64_t seed = 0; seed < 60 * soak_times(); ++seed) {
    SCOPED_TRACE(seed);
    test::Random random(seed + 5000);
    Crowd crowd(seed + 100, some_rules(random));
    for (uint64_t left = random.below(60); left > 0; --left) {
      crowd.world.block(some_transactions(crowd, random), some_advance(random));
    }
    const uint64_t stopped_ms = crowd.world.now();
    ASSERT_NO_FATAL_FAILURE(come_to_rest(crowd.world));
    EXPECT_LT(crowd.world.now() - stopped_ms, bound_ms);
    check_state(crowd.world.state());
    check_rest(crowd.world.state());
    reached.note(crowd.world.state());
  }
  EXPECT_GT(reached.settled, 60U);
  EXPECT_GT(reached.final_claims, 60U);
  EXPECT_GT(reached.slashed, 5U);
}

TEST(Random, LongHistoriesKeepEveryInvariant) {
  size_t sent = 0;
  size_t succeeded = 0;
  std::map<Ending, size_t> endings;
  for (uint64_t seed = 0; seed < 6 * soak_times(); ++seed) {
    SCOPED_TRACE(seed);
    test::Random random(seed + 9000);
    Crowd crowd(seed + 9000, some_rules(random));
    std::optional<model::Signed> old;
    auto nonces = crowd.world.state().nonces;
    for (int i = 0; i < 360; ++i) {
      const auto transactions = some_transactions(crowd, random);
      if (random.chance(30)) {
        refuse_forged(crowd, random, transactions, old);
      }
      const auto events = crowd.world.block(transactions, some_advance(random));
      sent += transactions.size();
      succeeded += transactions.size() - test::count<TransactionFailed>(events);
      for (const Event& event : events) {
        if (const auto* ended = std::get_if<DisputeEnded>(&event)) {
          ++endings[ended->ending];
        }
      }
      old = transactions[random.below(transactions.size())];
      test::check_nonces(nonces, crowd.world.state().nonces);
      nonces = crowd.world.state().nonces;
      check_state(crowd.world.state());
      if (random.chance(20)) {
        test::check_proofs(crowd.world.state(), random);
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "after " << i;
    }
  }
  EXPECT_GT(sent, 10'000U);
  EXPECT_GT(succeeded, 2000U);
  for (const Ending ending : {Ending::proof_refuted,
                              Ending::bad_answer,
                              Ending::claimant_silent,
                              Ending::proof_holds,
                              Ending::challenger_silent}) {
    EXPECT_GT(endings[ending], 0U) << static_cast<int>(ending);
  }
  (void)std::printf("%zu transactions, %zu with an effect\n", sent, succeeded);
}

TEST(Random, AReplayOfTheSameBlocksGivesTheSameRoots) {
  for (uint64_t seed = 0; seed < 6 * soak_times(); ++seed) {
    SCOPED_TRACE(seed);
    test::Random random(seed + 7000);
    Crowd crowd(seed + 7000, some_rules(random));
    Ledger begun = crowd.world.ledger();  // everybody registered
    std::optional<Ledger> middle;
    std::vector<BlockInput> blocks;
    std::vector<Hash> roots;
    const uint64_t length = 20 + random.below(80);
    const uint64_t half = random.below(length);
    for (uint64_t i = 0; i < length; ++i) {
      if (i == half) {
        middle = crowd.world.ledger();
      }
      blocks.push_back(crowd.world.input(some_transactions(crowd, random), some_advance(random)));
      ASSERT_TRUE(crowd.world.ledger().apply(blocks.back()).ok());
      roots.push_back(crowd.world.state().root());
    }
    for (uint64_t i = 0; i < length; ++i) {
      ASSERT_TRUE(begun.apply(blocks[i]).ok());
      ASSERT_EQ(begun.state_root(), roots[i]) << i;
      if (i >= half) {
        ASSERT_TRUE(middle->apply(blocks[i]).ok());
        ASSERT_EQ(middle->state_root(), roots[i]) << i;
      }
    }
    EXPECT_EQ(begun.next_due_ms(), crowd.world.ledger().next_due_ms());
    EXPECT_EQ(begun.state().awaited, middle->state().awaited);
  }
}

}  // namespace
}  // namespace lockstep::ledger
