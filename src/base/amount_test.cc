// Amounts: exact bounds of the arithmetic, every refused spelling, print and parse as inverses.
#include "base/amount.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

namespace lockstep {
namespace {

constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
constexpr int64_t highest = std::numeric_limits<int64_t>::max();

void expect_refused(std::string_view text, Code code) {
  const Result<Amount> result = Amount::parse(text);
  ASSERT_FALSE(result.ok()) << text;
  EXPECT_EQ(result.error().code, code) << text;
}

TEST(Amount, Prints) {
  EXPECT_EQ(Amount().print(), "0 LKS");
  EXPECT_EQ(Amount::from_nano(12'500'000'000).print(), "12.5 LKS");
  EXPECT_EQ(Amount::from_nano(1).print(), "0.000000001 LKS");
  EXPECT_EQ(Amount::from_nano(-1'010'000'000).print(), "-1.01 LKS");
  EXPECT_EQ(Amount::from_nano(highest).print(), "9223372036.854775807 LKS");
  EXPECT_EQ(Amount::from_nano(lowest).print(), "-9223372036.854775808 LKS");
}

TEST(Amount, Parses) {
  EXPECT_EQ(Amount::parse("10 LKS").value().nano(), 10'000'000'000);
  EXPECT_EQ(Amount::parse("12.50 LKS").value().nano(), 12'500'000'000);
  EXPECT_EQ(Amount::parse("0.000000001 LKS").value().nano(), 1);
  EXPECT_EQ(Amount::parse("-0.5 LKS").value().nano(), -500'000'000);
  EXPECT_EQ(Amount::parse("9223372036.854775807 LKS").value().nano(), highest);
  EXPECT_EQ(Amount::parse("-9223372036.854775808 LKS").value().nano(), lowest);
}

TEST(Amount, RefusesOtherSpellings) {
  for (const std::string_view text : {"",
                                      "LKS",
                                      " LKS",
                                      "10",
                                      "10LKS",
                                      "10  LKS",
                                      "10 lks",
                                      "10 EUR",
                                      "10 LKS ",
                                      " 10 LKS",
                                      "010 LKS",
                                      "+1 LKS",
                                      "1. LKS",
                                      ".5 LKS",
                                      "1e3 LKS",
                                      "1,5 LKS",
                                      "1.0000000001 LKS",
                                      "- 1 LKS",
                                      "--1 LKS",
                                      "1.5.5 LKS",
                                      "1 LKSx"}) {
    expect_refused(text, Code::not_canonical);
  }
}

TEST(Amount, RefusesWhatDoesNotFit) {
  expect_refused("9223372036.854775808 LKS", Code::overflow);
  expect_refused("-9223372036.854775809 LKS", Code::overflow);
  expect_refused("99999999999999999999999999 LKS", Code::overflow);
}

TEST(Amount, ArithmeticStopsAtTheBounds) {
  const Amount top = Amount::from_nano(highest);
  const Amount bottom = Amount::from_nano(lowest);
  const Amount one = Amount::from_nano(1);
  EXPECT_EQ(top.add(one).error().code, Code::overflow);
  EXPECT_EQ(bottom.subtract(one).error().code, Code::overflow);
  EXPECT_EQ(bottom.multiply(-1).error().code, Code::overflow);
  EXPECT_EQ(top.multiply(2).error().code, Code::overflow);
  EXPECT_EQ(top.subtract(one).value().add(one).value(), top);
  EXPECT_EQ(Amount::from_nano(-7).multiply(6).value().nano(), -42);
  EXPECT_LT(bottom, top);
}

TEST(Amount, PrintAndParseAreInverses) {
  EXPECT_TRUE(rc::check([](int64_t nano) {
    const Amount amount = Amount::from_nano(nano);
    RC_ASSERT(Amount::parse(amount.print()).value() == amount);
  }));
  EXPECT_TRUE(rc::check([] {
    const Amount amount = Amount::from_nano(*rc::gen::inRange(lowest, highest));
    RC_ASSERT(Amount::parse(amount.print()).value() == amount);
  }));
}

TEST(Amount, ArithmeticAgreesWithWiderIntegers) {
  EXPECT_TRUE(rc::check([] {
    const int64_t a = *rc::gen::inRange(lowest, highest);
    const int64_t b = *rc::gen::inRange(lowest, highest);
    __extension__ using Wide = __int128;
    const auto agrees = [](const Result<Amount>& result, Wide exact) {
      return result.ok() ? Wide{result.value().nano()} == exact
                         : exact < Wide{lowest} || exact > Wide{highest};
    };
    RC_ASSERT(agrees(Amount::from_nano(a).add(Amount::from_nano(b)), Wide{a} + b));
    RC_ASSERT(agrees(Amount::from_nano(a).subtract(Amount::from_nano(b)), Wide{a} - b));
    RC_ASSERT(agrees(Amount::from_nano(a).multiply(b), Wide{a} * b));
    RC_ASSERT(agrees(Amount::from_nano(a >> 32).multiply(b >> 33), Wide{a >> 32} * (b >> 33)));
  }));
}

}  // namespace
}  // namespace lockstep
