// What Result, TRY, Error and the hexadecimal text promise.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <unordered_set>

#include "base/bytes.h"
#include "base/check.h"
#include "base/result.h"

namespace lockstep {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) {
    return refuse(Code::out_of_range, "odd", "give an even number", "flag --n");
  }
  return value / 2;
}

Result<int> quarter(int value) {
  const int once = TRY(half(value));
  return TRY(half(once));
}

Result<void> even(int value) {
  if (value % 2 != 0) {
    return refuse(Code::out_of_range, "odd");
  }
  return {};
}

Result<void> count_even(int value, int& calls) {
  TRY(even(value));
  ++calls;
  return {};
}

TEST(Result, HoldsAValue) {
  const Result<int> result = half(6);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(static_cast<bool>(result));
  EXPECT_EQ(result.value(), 3);
  EXPECT_EQ(*result, 3);
}

TEST(Result, HoldsAnError) {
  const Result<int> result = half(7);
  ASSERT_FALSE(result.ok());
  EXPECT_FALSE(static_cast<bool>(result));
  EXPECT_EQ(result.error().code, Code::out_of_range);
  EXPECT_EQ(result.error().where, "flag --n");
}

TEST(Result, GivesUpAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  const std::unique_ptr<int> taken = std::move(result).value();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(*taken, 5);
}

TEST(Result, ReachesMembersOfItsValue) {
  Result<std::string> result(std::string("abc"));
  EXPECT_EQ(result->size(), 3U);
  *result += "d";
  EXPECT_EQ(result.value(), "abcd");
}

TEST(ResultDeathTest, ReadingTheOtherSideAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH((void)half(7).value(), "");
  EXPECT_DEATH((void)half(6).error(), "");
  EXPECT_DEATH((void)Result<void>().error(), "");
}

TEST(ResultDeathTest, AFailedCheckSaysWhatAndWhere) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(CHECK(1 + 1 == 3), "base_test.cc:.*check failed: 1 \\+ 1 == 3");
}

TEST(Try, YieldsTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(7).error().what, "odd");
  EXPECT_EQ(quarter(6).error().where, "flag --n") << "the second half fails too";
}

TEST(Try, LeavesTheRestOfTheFunctionUndone) {
  int calls = 0;
  EXPECT_TRUE(count_even(2, calls).ok());
  EXPECT_FALSE(count_even(3, calls).ok());
  EXPECT_EQ(calls, 1);
}

TEST(Error, TellsWhereWhatNextAndCodeInOneLine) {
  EXPECT_EQ(refuse(Code::truncated, "too short", "send it again", "job.yaml:3:7").message(),
            "job.yaml:3:7: too short. send it again [E101]");
  EXPECT_EQ(refuse(Code::overflow, "too much").message(), "too much [E100]");
  EXPECT_EQ(refuse(Code::overflow, "too much", "", "price").message(), "price: too much [E100]");
}

TEST(Error, FaultsAreOursAndRefusalsAreTheirs) {
  EXPECT_FALSE(refuse(Code::file_not_found, "x").is_fault());
  EXPECT_TRUE(refuse(Code::internal, "x").is_fault());
  EXPECT_TRUE(refuse(Code::io_failed, "x").is_fault());
  EXPECT_TRUE(Error{}.is_fault()) << "an error that nobody filled in is ours";
}

TEST(Hex, WritesTwoLowerCaseDigitsAByte) {
  EXPECT_EQ(to_hex({}), "");
  EXPECT_EQ(to_hex(Bytes{0x00, 0x0f, 0xa5, 0xff}), "000fa5ff");
}

TEST(Hex, ReadsBackEveryByte) {
  Bytes all(256);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<uint8_t>(i);
  }
  EXPECT_EQ(from_hex(to_hex(all)).value(), all);
  EXPECT_TRUE(from_hex("").value().empty());
}

TEST(Hex, RefusesOddLengthUpperCaseAndOtherCharacters) {
  for (const char* text : {"0", "abc", "AB", "0x", "g0", " 00", "00 ", "0\xc3"}) {
    const Result<Bytes> result = from_hex(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().code, Code::not_canonical) << text;
  }
  EXPECT_FALSE(from_hex(std::string_view("0\0", 2)).ok());
}

TEST(Hash, IsOrderedBytewiseAndUsableAsAKey) {
  Hash low;
  Hash high;
  low.bytes[31] = 0xff;
  high.bytes[0] = 1;
  EXPECT_LT(low, high);
  EXPECT_NE(low, Hash{});
  EXPECT_EQ(high.view().size(), 32U);
  const std::unordered_set<Hash, HashOfHash> set{low, high, low};
  EXPECT_EQ(set.size(), 2U);
}

}  // namespace
}  // namespace lockstep
