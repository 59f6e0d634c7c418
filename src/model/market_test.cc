// Prices and audit budgets against exact integers, draws against their rate, and hashes that bind
// everything they are given.
#include "model/market.h"

#include <gtest/gtest.h>

#include <set>

#include "codec/random_record.h"

namespace lockstep::model {
namespace {

using codec::test::Random;
/// Integers beyond 64 bits; both compilers have them.
__extension__ using Wide = unsigned __int128;

constexpr uint64_t million = 1'000'000;

Hash some_hash(uint64_t number) {
  Hash hash;
  std::memcpy(hash.bytes.data(), &number, sizeof number);
  return hash;
}
Amount nano(int64_t value) {
  return Amount::from_nano(value);
}

TEST(Price, IsTheFloorOfTheExactProduct) {
  EXPECT_EQ(price_of(0, nano(5)).value(), nano(0));
  EXPECT_EQ(price_of(999'999'999, nano(1)).value(), nano(0));
  EXPECT_EQ(price_of(1'000'000'000, nano(1)).value(), nano(1));
  EXPECT_EQ(price_of(1'999'999'999, nano(1)).value(), nano(1));
  EXPECT_EQ(price_of(UINT64_MAX, nano(1)).value(), nano(18'446'744'073));
  EXPECT_EQ(price_of(1'000'000'000, nano(INT64_MAX)).value(), nano(INT64_MAX));
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const uint64_t operations = random.next() >> random.below(64);
    const auto price = static_cast<int64_t>(random.next() >> (1 + random.below(62)));
    const Wide product = Wide{operations} * static_cast<uint64_t>(price);
    const auto result = price_of(operations, nano(price));
    if (!result.ok()) {
      EXPECT_EQ(result.error().code, Code::overflow);
      EXPECT_GE(product, (Wide{INT64_MAX} + 1) * 1'000'000'000);
      continue;
    }
    const Wide floor = Wide{static_cast<uint64_t>(result->nano())} * 1'000'000'000;
    EXPECT_LE(floor, product);
    EXPECT_LT(product - floor, 1'000'000'000U);
  }
}

TEST(Price, RefusesWhatIsBelowZeroOrTooLarge) {
  EXPECT_EQ(price_of(1, nano(-1)).error().code, Code::out_of_range);
  EXPECT_EQ(price_of(UINT64_MAX, nano(INT64_MAX)).error().code, Code::overflow);
  EXPECT_EQ(price_of(1'000'000'001, nano(INT64_MAX)).error().code, Code::overflow);
}

TEST(AuditBudget, HasItsShareInMillionthsRoundedUp) {
  // 5√(0.1/431) = 0.0761608…, so the share is 0.1 + 0.076161.
  EXPECT_EQ(audit_budget(nano(1'000'000'000'000), 100'000, 431).value(), nano(176'161'000'000));
  EXPECT_EQ(audit_budget(nano(1), 100'000, 431).value(), nano(1));
  // 5√(0.05/100) = 0.1118033…
  EXPECT_EQ(audit_budget(nano(1'000'000'000'000), 50'000, 100).value(), nano(161'804'000'000));
  // An exact root: 5√(0.04/100) = 0.1.
  EXPECT_EQ(audit_budget(nano(1'000'000), 40'000, 100).value(), nano(140'000));
  EXPECT_EQ(audit_budget(nano(777), 1'000'000, 3).value(), nano(777));
  EXPECT_EQ(audit_budget(nano(777), 900'000, 1).value(), nano(777));
  EXPECT_EQ(audit_budget(nano(777), 0, 431).value(), nano(0));
  EXPECT_EQ(audit_budget(nano(777), 100'000, 0).value(), nano(0));
  EXPECT_EQ(audit_budget(nano(0), 100'000, 431).value(), nano(0));
}

TEST(AuditBudget, TheRootIsTheLeastThatIsEnough) {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const auto share = static_cast<uint32_t>(1 + random.below(million));
    const uint64_t n = 1 + (random.next() >> random.below(63)) % 1'000'000'000;
    // With a price of one million nano the budget is the share itself.
    const auto total = static_cast<uint64_t>(
        audit_budget(nano(static_cast<int64_t>(million)), share, n).value().nano());
    ASSERT_LE(total, million);
    ASSERT_GT(total, share - (share == million ? 1U : 0U));
    const Wide square = Wide{25} * million * share;  // of the root, times n
    const Wide root = total - share;
    if (total < million) {
      EXPECT_GE(root * root * n, square);
    }
    if (root > 0) {
      EXPECT_LT((root - 1) * (root - 1) * n, square);
    }
  }
}

TEST(AuditBudget, IsRoundedUpAndNeverMoreThanTheWork) {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const auto price = static_cast<int64_t>(random.next() >> (1 + random.below(62)));
    const auto share = static_cast<uint32_t>(1 + random.below(million));
    const uint64_t n = 1 + random.below(100'000);
    const auto millionths = static_cast<uint64_t>(
        audit_budget(nano(static_cast<int64_t>(million)), share, n).value().nano());
    const auto budget = audit_budget(nano(price), share, n).value();
    EXPECT_LE(budget, nano(price));
    const Wide exact = Wide{static_cast<uint64_t>(price)} * millionths;
    const Wide given = Wide{static_cast<uint64_t>(budget.nano())} * million;
    EXPECT_GE(given, exact);
    EXPECT_LT(given - exact, million);
  }
}

TEST(AuditBudget, RefusesWhatMakesNoSense) {
  EXPECT_EQ(audit_budget(nano(-1), 1, 1).error().code, Code::out_of_range);
  EXPECT_EQ(audit_budget(nano(1), 1'000'001, 1).error().code, Code::out_of_range);
  EXPECT_EQ(audit_budget(nano(INT64_MAX), 1'000'000, 1).value(), nano(INT64_MAX));
}

TEST(Drawn, NeverAtZeroAlwaysAtOneAndMoreAtMore) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (uint32_t i = 0; i < 100; ++i) {
      EXPECT_FALSE(drawn(some_hash(seed), i, 0));
      EXPECT_TRUE(drawn(some_hash(seed), i, 1'000'000));
      bool before = false;
      for (const uint32_t share : {1'000U, 100'000U, 500'000U, 999'999U}) {
        const bool now = drawn(some_hash(seed), i, share);
        EXPECT_TRUE(now || !before);
        before = now;
      }
    }
  }
}

TEST(Drawn, ComesAtItsRate) {
  constexpr uint64_t draws = 100'000;
  for (const uint32_t share : {1'000U, 50'000U, 100'000U, 500'000U, 900'000U}) {
    uint64_t count = 0;
    for (uint64_t seed = 0; seed < draws / 1000; ++seed) {
      for (uint32_t i = 0; i < 1000; ++i) {
        count += drawn(some_hash(1000 + seed), i, share) ? 1 : 0;
      }
    }
    // Within five standard deviations: (count − np)² <= 25 np(1−p), in integers.
    const auto off = static_cast<int64_t>(count) - static_cast<int64_t>(draws * share / million);
    const uint64_t variance = draws * share / million * (million - share) / million;
    EXPECT_LE(static_cast<uint64_t>(off * off), 25 * variance) << share << ": " << count;
  }
}

TEST(Drawn, IsTheDocumentedComparison) {
  const crypto::Mode mode = crypto::Mode::derive("lockstep v1 drawn");
  for (uint32_t i = 0; i < 2000; ++i) {
    const Hash seed = some_hash(i % 7);
    codec::Writer writer;
    writer.hash(seed);
    writer.number(i);
    const Hash hash = crypto::hash(mode, writer.bytes());
    Wide number = 0;
    for (size_t byte = 8; byte-- > 0;) {
      number = number << 8 | hash.bytes[byte];
    }
    EXPECT_EQ(drawn(seed, i, 123'456), number < (Wide{123'456} << 64) / million);
  }
}

TEST(TaskList, BindsSaltPlaceAndRoot) {
  const std::vector<Hash> roots = {some_hash(1), some_hash(2), some_hash(3)};
  const std::set<Hash> lists = {task_list(some_hash(9), roots),
                                task_list(some_hash(8), roots),
                                task_list(some_hash(9), std::span(roots).first(2)),
                                task_list(some_hash(9), std::vector{roots[1], roots[0], roots[2]}),
                                task_list(some_hash(9), {})};
  EXPECT_EQ(lists.size(), 5U);
  codec::Writer writer;
  for (uint32_t i = 0; i < roots.size(); ++i) {
    writer.hash(task_entry(some_hash(9), i, roots[i]));
  }
  EXPECT_TRUE(lists.contains(crypto::hash(task_list_mode(), writer.bytes())));
  const std::set<Hash> entries = {task_entry(some_hash(9), 0, roots[0]),
                                  task_entry(some_hash(9), 1, roots[0]),
                                  task_entry(some_hash(9), 0, roots[1]),
                                  task_entry(some_hash(8), 0, roots[0])};
  EXPECT_EQ(entries.size(), 4U);
}

TEST(Commitments, BindAllThatTheyAreGiven) {
  const crypto::PublicKey one;
  crypto::PublicKey other;
  other.bytes[0] = 1;
  const std::vector<Hash> roots = {some_hash(1), some_hash(2)};
  const std::set<Hash> audits = {audit_commitment(roots, one, some_hash(3)),
                                 audit_commitment(roots, other, some_hash(3)),
                                 audit_commitment(roots, one, some_hash(4)),
                                 audit_commitment({}, one, some_hash(3)),
                                 audit_commitment(std::span(roots).first(1), one, some_hash(3))};
  EXPECT_EQ(audits.size(), 5U);
  const ClaimId claim = {some_hash(5)};
  const std::set<Hash> challenges = {
      challenge_commitment(claim, 0, some_hash(6), one, some_hash(7)),
      challenge_commitment({some_hash(6)}, 0, some_hash(6), one, some_hash(7)),
      challenge_commitment(claim, 1, some_hash(6), one, some_hash(7)),
      challenge_commitment(claim, 0, some_hash(5), one, some_hash(7)),
      challenge_commitment(claim, 0, some_hash(6), other, some_hash(7)),
      challenge_commitment(claim, 0, some_hash(6), one, some_hash(8))};
  EXPECT_EQ(challenges.size(), 6U);
  const std::set<Hash> seeds = {draw_seed(some_hash(1), some_hash(2), some_hash(3)),
                                draw_seed(some_hash(2), some_hash(1), some_hash(3)),
                                draw_seed(some_hash(1), some_hash(3), some_hash(2)),
                                draw_seed(some_hash(1), {}, some_hash(3))};
  EXPECT_EQ(seeds.size(), 4U);
}

TEST(TaskShape, CountsStateRoots) {
  EXPECT_EQ(state_roots_of(1, 1), 1U);
  EXPECT_EQ(state_roots_of(10, 3), 4U);
  EXPECT_EQ(state_roots_of(9, 3), 3U);
  EXPECT_EQ(state_roots_of(2, 100), 1U);
}

}  // namespace
}  // namespace lockstep::model
