// Automatic prices: cost, the market's median, and that nobody moves it with little work.
#include "place/price.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/test_random.h"
#include "base/test_soak.h"

namespace lockstep::place {
namespace {

constexpr uint64_t unit = 1'000'000'000;

Amount nano(int64_t value) {
  return Amount::from_nano(value);
}

TEST(Price, CostIsPowerForAUnit) {
  // 100 W for 0.1 s are 10 J; 0.36 LKS for 3.6 MJ make 0.000001 LKS.
  EXPECT_EQ(*cost_per_unit({10 * unit, 100, nano(360'000'000)}), nano(1000));
  EXPECT_EQ(*cost_per_unit({10 * unit, 100, nano(360'000'001)}), nano(1001));  // rounded up
  EXPECT_EQ(*cost_per_unit({10 * unit, 0, nano(360'000'000)}), Amount());
  EXPECT_EQ(*cost_per_unit({10 * unit, 100, Amount()}), Amount());
  EXPECT_EQ(*cost_per_unit({0, 0, Amount()}), Amount());
  EXPECT_EQ(cost_per_unit({0, 100, nano(1)}).error().code, Code::bad_option);
  EXPECT_EQ(cost_per_unit({1, UINT32_MAX, nano(INT64_MAX)}).error().code, Code::overflow);
  EXPECT_TRUE(cost_per_unit({UINT64_MAX, UINT32_MAX, nano(INT64_MAX)}).ok());
}

TEST(Price, WithoutAMarketIsTheStandardOrTheCost) {
  const auto free_power = auto_price({unit, 0, Amount()}, {});
  ASSERT_TRUE(free_power.ok());
  EXPECT_EQ(free_power->price_per_unit, standard_price);
  EXPECT_EQ(free_power->source, PriceSource::standard);
  const auto dear = auto_price({unit, 100'000, nano(2 * Amount::nano_per_whole)}, {});
  ASSERT_TRUE(dear.ok());
  EXPECT_EQ(dear->source, PriceSource::cost);
  EXPECT_EQ(dear->price_per_unit, dear->cost_per_unit);
  EXPECT_GT(dear->price_per_unit, standard_price);
  EXPECT_FALSE(auto_price({0, 5, nano(5)}, {}).ok());
}

TEST(Price, IsTheMedianByOperations) {
  const std::vector<PaidPrice> paid{{nano(100), 10}, {nano(500), 15}, {nano(200), 6}};
  const auto price = auto_price({unit, 0, Amount()}, paid);  // 10 of 31, 16 of 31
  ASSERT_TRUE(price.ok());
  EXPECT_EQ(price->price_per_unit, nano(200));
  EXPECT_EQ(price->source, PriceSource::market);
  const std::vector<PaidPrice> even{{nano(300), 5}, {nano(100), 5}};
  EXPECT_EQ(auto_price({unit, 0, Amount()}, even)->price_per_unit, nano(100));
  const std::vector<PaidPrice> nothing{{nano(0), 5}, {nano(100), 0}, {nano(-5), 9}};
  EXPECT_EQ(auto_price({unit, 0, Amount()}, nothing)->source, PriceSource::standard);
  const std::vector<PaidPrice> huge{{nano(7), UINT64_MAX}, {nano(9), UINT64_MAX}, {nano(8), 1}};
  EXPECT_EQ(auto_price({unit, 0, Amount()}, huge)->price_per_unit, nano(8));
}

TEST(Price, NoMinorityOfTheWorkMovesItOutOfTheOthersPrices) {
  TestRandom random(5);
  for (uint64_t i = 0; i < 2000 * soak_times(); ++i) {
    std::vector<PaidPrice> paid;
    Amount lowest = nano(INT64_MAX);
    Amount highest = nano(0);
    uint64_t honest = 0;
    for (int64_t n = random.in(1, 12); n > 0; --n) {
      paid.push_back({nano(random.in(1, 1000)), static_cast<uint64_t>(random.in(1, 50))});
      honest += paid.back().operations;
      lowest = std::min(lowest, paid.back().price_per_unit);
      highest = std::max(highest, paid.back().price_per_unit);
    }
    if (honest > 1) {
      paid.push_back({nano(random.chance(2) ? 1 : 1'000'000'000), honest - 1});
    }
    const auto price = auto_price({unit, 0, Amount()}, paid);
    ASSERT_TRUE(price.ok());
    EXPECT_GE(price->price_per_unit, lowest);
    EXPECT_LE(price->price_per_unit, highest);
  }
}

TEST(Price, IsNeverBelowCostAndDoesNotDependOnTheOrder) {
  TestRandom random(6);
  for (uint64_t i = 0; i < 2000 * soak_times(); ++i) {
    const OwnCost own{static_cast<uint64_t>(random.in(1, 100)) * unit / 10,
                      static_cast<uint32_t>(random.in(0, 500)),
                      nano(random.in(0, Amount::nano_per_whole))};
    std::vector<PaidPrice> paid;
    for (int64_t n = random.in(0, 8); n > 0; --n) {
      paid.push_back({nano(random.in(0, 100'000)), static_cast<uint64_t>(random.in(0, 9))});
    }
    const auto price = auto_price(own, paid);
    ASSERT_TRUE(price.ok());
    EXPECT_GT(price->price_per_unit, Amount());
    EXPECT_GE(price->price_per_unit, price->cost_per_unit);
    std::reverse(paid.begin(), paid.end());
    const auto again = auto_price(own, paid);
    EXPECT_EQ(again->price_per_unit, price->price_per_unit);
    EXPECT_EQ(again->source, price->source);
    EXPECT_STRNE(name_of(price->source), "unknown");
  }
}

}  // namespace
}  // namespace lockstep::place
