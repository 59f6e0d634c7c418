// The law's scalar arithmetic: operations on floats, integers and bools at their edges and against
// independent references.
#include "law/scalar.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <climits>
#include <cmath>
#include <limits>

#include "law/test_values.h"

namespace lockstep::law {
namespace {

using test::bits_of;
using test::f32_of;
using test::Generator;

constexpr uint64_t f32_nan = 0x7fc0'0000;
constexpr uint64_t f64_nan = 0x7ff8'0000'0000'0000;

// ---- operations on floats ----

TEST(Floats, MaximumAndMinimum) {
  const float nan = f32_of(0xffc0'0001);
  EXPECT_EQ(bits_of(maximum_f32(nan, 1.0F)), f32_nan);
  EXPECT_EQ(bits_of(maximum_f32(1.0F, nan)), f32_nan);
  EXPECT_EQ(bits_of(minimum_f32(nan, 1.0F)), f32_nan);
  EXPECT_EQ(bits_of(minimum_f32(1.0F, nan)), f32_nan);
  EXPECT_EQ(bits_of(maximum_f32(-0.0F, 0.0F)), bits_of(0.0F));
  EXPECT_EQ(bits_of(maximum_f32(0.0F, -0.0F)), bits_of(0.0F));
  EXPECT_EQ(bits_of(maximum_f32(-0.0F, -0.0F)), bits_of(-0.0F));
  EXPECT_EQ(bits_of(minimum_f32(-0.0F, 0.0F)), bits_of(-0.0F));
  EXPECT_EQ(bits_of(minimum_f32(0.0F, -0.0F)), bits_of(-0.0F));
  EXPECT_EQ(maximum_f32(-2.0F, 3.0F), 3.0F);
  EXPECT_EQ(minimum_f32(-2.0F, 3.0F), -2.0F);
  EXPECT_EQ(binary(MapOp::maximum, DType::f64, bits_of(-0.0), bits_of(0.0)), bits_of(0.0));
  EXPECT_EQ(binary(MapOp::minimum, DType::f64, f64_nan | 5, bits_of(0.0)), f64_nan);
}

TEST(Floats, NansComeOutCanonical) {
  const uint64_t bad = 0xff80'0001;
  const uint64_t one = bits_of(1.0F);
  for (const MapOp op : {MapOp::add, MapOp::subtract, MapOp::multiply, MapOp::divide}) {
    EXPECT_EQ(binary(op, DType::f32, bad, one), f32_nan);
    EXPECT_EQ(binary(op, DType::f32, one, bad), f32_nan);
    EXPECT_EQ(binary(op, DType::f64, 0xffff'0000'0000'0000, bits_of(1.0)), f64_nan);
  }
  EXPECT_EQ(binary(MapOp::divide, DType::f32, 0, 0), f32_nan);
  for (const MapOp op : {MapOp::negate, MapOp::absolute, MapOp::square_root, MapOp::exp}) {
    EXPECT_EQ(unary(op, DType::f32, bad), f32_nan);
  }
  EXPECT_EQ(unary(MapOp::square_root, DType::f32, bits_of(-1.0F)), f32_nan);
  EXPECT_EQ(unary(MapOp::square_root, DType::f64, bits_of(-1.0)), f64_nan);
  EXPECT_EQ(unary(MapOp::negate, DType::f64, f64_nan), f64_nan);
  EXPECT_EQ(fused(DType::f32, bad, one, one), f32_nan);
  EXPECT_EQ(fused(DType::f64, f64_nan | 1, 0, 0), f64_nan);
  EXPECT_EQ(fused(DType::f32, bits_of(INFINITY), 0, one), f32_nan);
}

TEST(Floats, ComparisonsWithNan) {
  const uint64_t one = bits_of(1.0F);
  for (const auto& [a, b] : {std::pair{f32_nan, one}, {one, f32_nan}, {f32_nan, f32_nan}}) {
    EXPECT_EQ(binary(MapOp::less, DType::f32, a, b), 0U);
    EXPECT_EQ(binary(MapOp::less_equal, DType::f32, a, b), 0U);
    EXPECT_EQ(binary(MapOp::equal, DType::f32, a, b), 0U);
    EXPECT_EQ(binary(MapOp::not_equal, DType::f32, a, b), 1U);
  }
  EXPECT_EQ(binary(MapOp::equal, DType::f32, bits_of(-0.0F), 0), 1U);
  EXPECT_EQ(binary(MapOp::less, DType::f32, bits_of(-0.0F), 0), 0U);
  EXPECT_EQ(binary(MapOp::less_equal, DType::f64, bits_of(-2.0), bits_of(1.0)), 1U);
}

TEST(Floats, SignsFlip) {
  EXPECT_EQ(unary(MapOp::negate, DType::f32, 0), bits_of(-0.0F));
  EXPECT_EQ(unary(MapOp::absolute, DType::f32, bits_of(-0.0F)), 0U);
  EXPECT_EQ(unary(MapOp::negate, DType::f64, bits_of(-2.5)), bits_of(2.5));
  EXPECT_EQ(unary(MapOp::absolute, DType::f64, bits_of(-2.5)), bits_of(2.5));
}

TEST(Floats, FusedRoundsOnceAndKeepsSubnormals) {
  const float a = 1.0F + FLT_EPSILON;
  EXPECT_EQ(fused(DType::f32, bits_of(a), bits_of(a), bits_of(-a * a)),
            bits_of(FLT_EPSILON * FLT_EPSILON));
  const double d = 1.0 + DBL_EPSILON;
  EXPECT_EQ(fused(DType::f64, bits_of(d), bits_of(d), bits_of(-d * d)),
            bits_of(DBL_EPSILON * DBL_EPSILON));
  EXPECT_EQ(binary(MapOp::multiply, DType::f32, bits_of(0x1p-126F), bits_of(0.5F)), 0x40'0000U);
  EXPECT_EQ(unary(MapOp::square_root, DType::f32, bits_of(2.0F)), bits_of(0x1.6a09e6p+0F));
}

// ---- operations on integers ----

TEST(Integers, EdgesOfDivision) {
  EXPECT_EQ(binary(MapOp::divide, DType::i32, 7, 0), 0U);
  EXPECT_EQ(binary(MapOp::remainder, DType::i32, 7, 0), 7U);
  EXPECT_EQ(binary(MapOp::remainder, DType::i8, 0xf9, 0), 0xf9U);
  EXPECT_EQ(binary(MapOp::divide, DType::u64, ~uint64_t{0}, 0), 0U);
  EXPECT_EQ(binary(MapOp::divide, DType::i8, 0x80, 0xff), 0x80U);
  EXPECT_EQ(binary(MapOp::remainder, DType::i8, 0x80, 0xff), 0U);
  EXPECT_EQ(binary(MapOp::divide, DType::i64, uint64_t{1} << 63, ~uint64_t{0}), uint64_t{1} << 63);
  EXPECT_EQ(binary(MapOp::remainder, DType::i64, uint64_t{1} << 63, ~uint64_t{0}), 0U);
  EXPECT_EQ(binary(MapOp::divide, DType::u8, 0x80, 0xff), 0U);
  EXPECT_EQ(binary(MapOp::divide, DType::i32, 0xffff'fff9, 2), 0xffff'fffdU);     // −7/2 = −3
  EXPECT_EQ(binary(MapOp::remainder, DType::i32, 0xffff'fff9, 2), 0xffff'ffffU);  // −7%2 = −1
}

/// What an eight-bit operation is, in plain int.
int expected_i8(MapOp op, int a, int b) {
  switch (op) {
    case MapOp::add:
      return a + b;
    case MapOp::subtract:
      return a - b;
    case MapOp::multiply:
      return a * b;
    case MapOp::divide:
      return b == 0 ? 0 : a / b;
    case MapOp::remainder:
      return b == 0 ? a : a % b;
    case MapOp::maximum:
      return std::max(a, b);
    case MapOp::minimum:
      return std::min(a, b);
    case MapOp::bit_and:
      return a & b;
    case MapOp::bit_or:
      return a | b;
    case MapOp::bit_xor:
      return a ^ b;
    case MapOp::shift_left:
      return a * (1 << (b & 7));
    case MapOp::shift_right:
      return a >> (b & 7);
    case MapOp::less:
      return a < b ? 1 : 0;
    case MapOp::less_equal:
      return a <= b ? 1 : 0;
    case MapOp::equal:
      return a == b ? 1 : 0;
    default:
      return a != b ? 1 : 0;
  }
}

constexpr MapOp integer_ops[] = {MapOp::add,
                                 MapOp::subtract,
                                 MapOp::multiply,
                                 MapOp::divide,
                                 MapOp::remainder,
                                 MapOp::maximum,
                                 MapOp::minimum,
                                 MapOp::bit_and,
                                 MapOp::bit_or,
                                 MapOp::bit_xor,
                                 MapOp::less,
                                 MapOp::less_equal,
                                 MapOp::shift_right,
                                 MapOp::equal,
                                 MapOp::not_equal,
                                 MapOp::shift_left};

TEST(Integers, EveryEightBitPair) {
  for (const MapOp op : integer_ops) {
    for (uint64_t a = 0; a < 256; ++a) {
      for (uint64_t b = 0; b < 256; ++b) {
        const int signed_value = expected_i8(op, static_cast<int8_t>(a), static_cast<int8_t>(b));
        const int unsigned_value = expected_i8(op, static_cast<int>(a), static_cast<int>(b));
        ASSERT_EQ(binary(op, DType::i8, a, b), static_cast<uint8_t>(signed_value))
            << static_cast<int>(op) << " " << a << " " << b;
        ASSERT_EQ(binary(op, DType::u8, a, b), static_cast<uint8_t>(unsigned_value))
            << static_cast<int>(op) << " " << a << " " << b;
      }
    }
  }
}

TEST(Integers, WideTypesWrapAndShift) {
  const uint64_t most = ~uint64_t{0};
  EXPECT_EQ(binary(MapOp::add, DType::i64, most >> 1, 1), uint64_t{1} << 63);
  EXPECT_EQ(binary(MapOp::multiply, DType::u32, 0xffff'ffff, 0xffff'ffff), 1U);
  EXPECT_EQ(binary(MapOp::multiply, DType::i16, 0x7fff, 0x7fff), 1U);
  EXPECT_EQ(binary(MapOp::multiply, DType::u16, 0xffff, 0xffff), 1U);
  EXPECT_EQ(binary(MapOp::multiply, DType::u64, most, most), 1U);
  EXPECT_EQ(binary(MapOp::shift_left, DType::u64, 1, 64 + 3), 8U);
  EXPECT_EQ(binary(MapOp::shift_left, DType::i32, 1, 0xffff'ffff), 0x8000'0000U);
  EXPECT_EQ(binary(MapOp::shift_right, DType::i64, uint64_t{1} << 63, 63), most);
  EXPECT_EQ(binary(MapOp::shift_right, DType::u64, uint64_t{1} << 63, 63), 1U);
  EXPECT_EQ(binary(MapOp::shift_right, DType::i32, 0x8000'0000, 32 + 31), 0xffff'ffffU);
  EXPECT_EQ(binary(MapOp::less, DType::i64, most, 0), 1U);
  EXPECT_EQ(binary(MapOp::less, DType::u64, most, 0), 0U);
  EXPECT_EQ(unary(MapOp::negate, DType::i16, 0x8000), 0x8000U);
  EXPECT_EQ(unary(MapOp::absolute, DType::i64, uint64_t{1} << 63), uint64_t{1} << 63);
  EXPECT_EQ(unary(MapOp::absolute, DType::i32, 0xffff'fffe), 2U);
  EXPECT_EQ(unary(MapOp::absolute, DType::u32, 0xffff'fffe), 0xffff'fffeU);
  EXPECT_EQ(unary(MapOp::negate, DType::u8, 1), 0xffU);
}

TEST(Booleans, Operations) {
  for (uint64_t a = 0; a < 2; ++a) {
    EXPECT_EQ(unary(MapOp::logical_not, DType::boolean, a), 1 - a);
    for (uint64_t b = 0; b < 2; ++b) {
      EXPECT_EQ(binary(MapOp::bit_and, DType::boolean, a, b), a & b);
      EXPECT_EQ(binary(MapOp::bit_or, DType::boolean, a, b), a | b);
      EXPECT_EQ(binary(MapOp::bit_xor, DType::boolean, a, b), a ^ b);
      EXPECT_EQ(binary(MapOp::equal, DType::boolean, a, b), a == b ? 1U : 0U);
      EXPECT_EQ(binary(MapOp::not_equal, DType::boolean, a, b), a ^ b);
    }
  }
}

TEST(ScalarDeathTest, IllTypedOperationsAbort) {
  EXPECT_DEATH((void)binary(MapOp::add, DType::f16, 0, 0), "check failed");
  EXPECT_DEATH((void)binary(MapOp::remainder, DType::f32, 0, 0), "check failed");
  EXPECT_DEATH((void)binary(MapOp::add, DType::boolean, 0, 0), "check failed");
  EXPECT_DEATH((void)unary(MapOp::negate, DType::bf16, 0), "check failed");
  EXPECT_DEATH((void)unary(MapOp::exp, DType::f64, 0), "check failed");
  EXPECT_DEATH((void)unary(MapOp::square_root, DType::i32, 0), "check failed");
  EXPECT_DEATH((void)fused(DType::i32, 0, 0, 0), "check failed");
}
}  // namespace
}  // namespace lockstep::law
