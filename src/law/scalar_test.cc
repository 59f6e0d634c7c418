// The law's scalar arithmetic: its functions against libm in double, its operations and conversions
// against independent references, and golden hashes that every compiler must give.
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

// ---- functions ----

struct Function {
  const char* name;
  float (*ours)(float);
  double (*reference)(double);
  uint64_t golden;
};
const Function functions[] = {
    {"exp", exp_f32, std::exp, 0x22c1'be90'e50f'34ba},
    {"log", log_f32, std::log, 0x87b5'7641'0687'ca47},
    {"cos", cos_f32, std::cos, 0x75b5'0183'd718'8088},
    {"sin", sin_f32, std::sin, 0xda2a'd6e8'7232'2e0d},
};

/// One input of each 4096, its low twelve bits scattered.
float sample(uint32_t i) {
  Generator scatter(i);
  return f32_of((i << 12) | (scatter.next() & 0xfff));
}

double ulps(float result, double exact) {
  const int exponent = std::max(exact == 0 ? -126 : std::ilogb(exact), -126);
  return std::fabs(static_cast<double>(result) - exact) / std::ldexp(1.0, exponent - 23);
}

bool acceptable(float result, double exact) {
  if (std::isnan(exact)) {
    return bits_of(result) == f32_nan;
  }
  const float rounded = static_cast<float>(exact);
  if (std::isinf(rounded) || std::isinf(result)) {
    return result == rounded;
  }
  return ulps(result, exact) <= 1.0;
}

TEST(Functions, WithinOneUlp) {
  for (const Function& function : functions) {
    for (uint32_t i = 0; i < 1U << 20; ++i) {
      const float x = sample(i);
      const float y = function.ours(x);
      ASSERT_TRUE(acceptable(y, function.reference(static_cast<double>(x))))
          << function.name << " of " << std::hexfloat << x << " gave " << y;
    }
  }
}

/// FNV-1a, 64 bits, over the results' little-endian bytes.
uint64_t hash_of(float (*function)(float)) {
  uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (uint32_t i = 0; i < 1U << 20; ++i) {
    const uint64_t bits = bits_of(function(sample(i)));
    for (int byte = 0; byte < 4; ++byte) {
      hash = (hash ^ ((bits >> (8 * byte)) & 0xff)) * 0x100'0000'01b3;
    }
  }
  return hash;
}

TEST(Functions, GoldenHashes) {
  for (const Function& function : functions) {
    EXPECT_EQ(hash_of(function.ours), function.golden)
        << function.name << std::hex << " gives 0x" << hash_of(function.ours);
  }
}

/// Every float round the ends of the ranges where a function changes what it does.
TEST(Functions, WithinOneUlpNearEdges) {
  const float exp_edges[] = {
      0.0F, 0x1.62e43p-2F, 88.722839F, 89.0F, -87.336544F, -103.97208F, -104.0F};
  const float log_edges[] = {1.0F, 0x1p-126F, 0x1p-149F, 0x1.555556p-1F, 0x1.555556p+0F, FLT_MAX};
  const float circle_edges[] = {0x1.921fb6p-1F,
                                0x1.921fb6p+0F,
                                0x1.921fb6p+1F,
                                0x1p31F,
                                0x1p32F,
                                0x1p64F,
                                FLT_MAX,
                                0x1.f9cbe2p+7F,
                                0x1.6ac5b2p+95F};
  const auto walk = [](const Function& function, float edge) {
    const uint64_t middle = bits_of(edge);
    for (uint64_t bits = middle < 2000 ? 0 : middle - 2000; bits < middle + 2000; ++bits) {
      const float x = f32_of(bits);
      ASSERT_TRUE(acceptable(function.ours(x), function.reference(static_cast<double>(x))))
          << function.name << " of " << std::hexfloat << x;
    }
  };
  for (const float edge : exp_edges) {
    walk(functions[0], edge);
  }
  for (const float edge : log_edges) {
    walk(functions[1], edge);
  }
  for (const float edge : circle_edges) {
    walk(functions[2], edge);
    walk(functions[3], edge);
  }
}

TEST(Functions, SpecialValues) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(bits_of(exp_f32(0.0F)), bits_of(1.0F));
  EXPECT_EQ(bits_of(exp_f32(-0.0F)), bits_of(1.0F));
  EXPECT_EQ(exp_f32(inf), inf);
  EXPECT_EQ(bits_of(exp_f32(-inf)), 0U);
  EXPECT_EQ(exp_f32(FLT_MAX), inf);
  EXPECT_EQ(bits_of(exp_f32(-FLT_MAX)), 0U);
  EXPECT_EQ(bits_of(exp_f32(-103.97207F)), 1U);
  EXPECT_EQ(bits_of(log_f32(1.0F)), 0U);
  EXPECT_EQ(log_f32(0.0F), -inf);
  EXPECT_EQ(log_f32(-0.0F), -inf);
  EXPECT_EQ(log_f32(inf), inf);
  EXPECT_EQ(bits_of(log_f32(-1.0F)), f32_nan);
  EXPECT_EQ(bits_of(log_f32(-0x1p-149F)), f32_nan);
  EXPECT_EQ(bits_of(log_f32(-inf)), f32_nan);
  EXPECT_EQ(bits_of(sin_f32(0.0F)), bits_of(0.0F));
  EXPECT_EQ(bits_of(sin_f32(-0.0F)), bits_of(-0.0F));
  EXPECT_EQ(sin_f32(0x1p-149F), 0x1p-149F);
  EXPECT_EQ(cos_f32(0.0F), 1.0F);
  EXPECT_EQ(cos_f32(-0.0F), 1.0F);
  for (const Function& function : functions) {
    EXPECT_EQ(bits_of(function.ours(f32_of(0xff80'0001))), f32_nan) << function.name;
  }
  for (const float end : {inf, -inf}) {
    EXPECT_EQ(bits_of(cos_f32(end)), f32_nan);
    EXPECT_EQ(bits_of(sin_f32(end)), f32_nan);
  }
}

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
