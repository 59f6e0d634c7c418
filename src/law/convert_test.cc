// Conversions against the compiler's own where it has them, and against a search for the nearest
// value where it has none.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "law/scalar.h"
#include "law/test_values.h"

namespace lockstep::law {
namespace {

using test::bits_of;
using test::f32_of;
using test::f64_of;
using test::Generator;

constexpr uint64_t most = ~uint64_t{0};

/// The value of a small float's bits, by its definition.
double small_value(uint64_t bits, int fraction_bits, int bias) {
  const int field = static_cast<int>((bits & 0x7fff) >> fraction_bits);
  const double fraction = static_cast<double>(bits & ((uint64_t{1} << fraction_bits) - 1));
  const double unit = std::ldexp(1.0, (field == 0 ? 1 : field) - bias - fraction_bits);
  const double hidden = field == 0 ? 0.0 : std::ldexp(1.0, fraction_bits);
  return ((bits & 0x8000) != 0 ? -1.0 : 1.0) * (hidden + fraction) * unit;
}

struct Small {
  DType type;
  int fraction_bits;
  int bias;
  uint64_t infinity;
};
constexpr Small smalls[] = {{DType::f16, 10, 15, 0x7c00}, {DType::bf16, 7, 127, 0x7f80}};

/// The nearest small float to a finite x ≥ 0, by bisection; ties to the even one. Where x is within
/// the range all differences are exact.
uint64_t nearest(const Small& small, double x) {
  uint64_t low = 0;
  uint64_t high = small.infinity;
  while (high - low > 1) {
    const uint64_t middle = (low + high) / 2;
    (small_value(middle, small.fraction_bits, small.bias) <= x ? low : high) = middle;
  }
  // The bits of infinity read as a number are the next power of two, as IEEE 754 rounds.
  const double below = small_value(low, small.fraction_bits, small.bias);
  const double above = small_value(high, small.fraction_bits, small.bias);
  const double middle = below + (above - below) / 2;
  if (x == middle) {
    return (low & 1) == 0 ? low : high;
  }
  return x < middle ? low : high;
}

TEST(Convert, WideningIsExactAndComesBack) {
  for (const Small& small : smalls) {
    for (uint64_t bits = 0; bits < 0x1'0000; ++bits) {
      const uint64_t as_f32 = convert(small.type, DType::f32, bits);
      const uint64_t as_f64 = convert(small.type, DType::f64, bits);
      const uint64_t magnitude = bits & 0x7fff;
      if (magnitude > small.infinity) {
        ASSERT_EQ(as_f32, 0x7fc0'0000U);
        ASSERT_EQ(as_f64, 0x7ff8'0000'0000'0000U);
      } else if (magnitude == small.infinity) {
        ASSERT_EQ(f64_of(as_f64), (bits & 0x8000) != 0 ? -INFINITY : INFINITY);
        ASSERT_EQ(f32_of(as_f32), (bits & 0x8000) != 0 ? -INFINITY : INFINITY);
      } else {
        const double value = small_value(bits, small.fraction_bits, small.bias);
        ASSERT_EQ(as_f64, bits_of(value));
        ASSERT_EQ(as_f32, bits_of(static_cast<float>(value)));
      }
      ASSERT_EQ(convert(DType::f32, small.type, as_f32), canonical(small.type, bits));
      ASSERT_EQ(convert(DType::f64, small.type, as_f64), canonical(small.type, bits));
    }
  }
}

void expect_nearest(const Small& small, double x) {
  const uint64_t sign = std::signbit(x) ? 0x8000 : 0;
  const uint64_t expected = nearest(small, std::fabs(x)) | sign;
  ASSERT_EQ(convert(DType::f64, small.type, bits_of(x)), expected) << std::hexfloat << x;
  const float single = static_cast<float>(x);
  if (static_cast<double>(single) == x) {
    ASSERT_EQ(convert(DType::f32, small.type, bits_of(single)), expected) << std::hexfloat << x;
  }
}

/// Every midpoint of neighbours, and one f32 and one f64 ulp to each side of it.
TEST(Convert, NarrowingAtEveryMidpoint) {
  for (const Small& small : smalls) {
    for (uint64_t bits = 0; bits < small.infinity; ++bits) {
      const double a = small_value(bits, small.fraction_bits, small.bias);
      const double b = small_value(bits + 1, small.fraction_bits, small.bias);
      const double middle = a + (b - a) / 2;
      const float single = static_cast<float>(middle);
      for (const double x : {middle,
                             -middle,
                             std::nextafter(middle, 0.0),
                             std::nextafter(middle, INFINITY),
                             static_cast<double>(std::nextafterf(single, 0.0F)),
                             static_cast<double>(std::nextafterf(single, INFINITY))}) {
        if (std::isfinite(x)) {
          expect_nearest(small, x);
        }
      }
    }
  }
}

TEST(Convert, NarrowingOfRandomBits) {
  Generator generator(1);
  for (int i = 0; i < 200'000; ++i) {
    const double x = f64_of(generator.next());
    const float single = f32_of(generator.next() & 0xffff'ffff);
    ASSERT_EQ(convert(DType::f64, DType::f32, bits_of(x)),
              canonical(DType::f32, bits_of(static_cast<float>(x))));
    ASSERT_EQ(convert(DType::f32, DType::f64, bits_of(single)),
              canonical(DType::f64, bits_of(static_cast<double>(single))));
    // With an exponent near the f32 range's low end, where results are subnormal.
    const double low = std::ldexp(f64_of((bits_of(x) >> 12) | 0x3ff0'0000'0000'0000),
                                  -125 - static_cast<int>(generator.next() % 27));
    ASSERT_EQ(convert(DType::f64, DType::f32, bits_of(low)), bits_of(static_cast<float>(low)));
    for (const Small& small : smalls) {
      if (std::isfinite(single)) {
        expect_nearest(small, static_cast<double>(single));
      }
    }
  }
}

TEST(Convert, DirectNarrowingDiffersFromThroughF32) {
  // Just above a bf16 midpoint: f32 would round to the midpoint, then to even.
  const double x = 1.0 + 0x1p-8 + 0x1p-40;
  EXPECT_EQ(convert(DType::f64, DType::bf16, bits_of(x)), 0x3f81U);
  EXPECT_EQ(convert(DType::f32, DType::bf16, bits_of(static_cast<float>(x))), 0x3f80U);
  const double y = 1.0 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ(convert(DType::f64, DType::f16, bits_of(y)), 0x3c01U);
}

TEST(Convert, IntegerToFloatRoundsOnce) {
  Generator generator(2);
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t bits = generator.next_of_any_length();
    const int64_t value = static_cast<int64_t>(i % 2 == 0 ? bits : 0 - bits);
    const uint64_t raw = static_cast<uint64_t>(value);
    ASSERT_EQ(convert(DType::i64, DType::f32, raw), bits_of(static_cast<float>(value)));
    ASSERT_EQ(convert(DType::i64, DType::f64, raw), bits_of(static_cast<double>(value)));
    ASSERT_EQ(convert(DType::u64, DType::f32, raw), bits_of(static_cast<float>(raw)));
    ASSERT_EQ(convert(DType::u64, DType::f64, raw), bits_of(static_cast<double>(raw)));
    const int32_t word = static_cast<int32_t>(value);
    ASSERT_EQ(convert(DType::i32, DType::f32, static_cast<uint32_t>(word)),
              bits_of(static_cast<float>(word)));
    ASSERT_EQ(convert(DType::u32, DType::f32, static_cast<uint32_t>(word)),
              bits_of(static_cast<float>(static_cast<uint32_t>(word))));
    // Exact in f64, so the nearest small float is found from there.
    for (const Small& small : smalls) {
      const uint64_t sign = word < 0 ? 0x8000 : 0;
      ASSERT_EQ(convert(DType::i32, small.type, static_cast<uint32_t>(word)),
                nearest(small, std::fabs(static_cast<double>(word))) | sign);
    }
  }
  // Through f64 this would be a tie and go down.
  const uint64_t awkward = (uint64_t{1} << 60) + (uint64_t{1} << 36) + 1;
  EXPECT_EQ(convert(DType::i64, DType::f32, awkward), bits_of(0x1.000002p+60F));
  // To bf16 through f32 likewise.
  EXPECT_EQ(convert(DType::i64, DType::bf16, (uint64_t{1} << 60) + (uint64_t{1} << 52) + 1),
            0x5d81U);
  EXPECT_EQ(convert(DType::u64, DType::bf16, most), 0x5f80U);
  EXPECT_EQ(convert(DType::u16, DType::f16, 65519), 0x7bffU);
  EXPECT_EQ(convert(DType::u16, DType::f16, 65520), 0x7c00U);
  EXPECT_EQ(convert(DType::i8, DType::f16, 0x80), 0xd800U);
  EXPECT_EQ(convert(DType::i32, DType::f32, 0), 0U);
}

struct IntegerCase {
  double x;
  uint64_t i8, u8, i32, u32, i64, u64;
};

TEST(Convert, FloatToIntegerTruncatesAndSaturates) {
  const uint64_t top = uint64_t{1} << 63;
  const IntegerCase cases[] = {
      {0.0, 0, 0, 0, 0, 0, 0},
      {-0.0, 0, 0, 0, 0, 0, 0},
      {0.99, 0, 0, 0, 0, 0, 0},
      {-0.99, 0, 0, 0, 0, 0, 0},
      {1.99, 1, 1, 1, 1, 1, 1},
      {-1.99, 0xff, 0, 0xffff'ffff, 0, most, 0},
      {127.9, 127, 127, 127, 127, 127, 127},
      {128.0, 127, 128, 128, 128, 128, 128},
      {-128.9, 0x80, 0, 0xffff'ff80, 0, most - 127, 0},
      {-129.0, 0x80, 0, 0xffff'ff7f, 0, most - 128, 0},
      {255.9, 127, 255, 255, 255, 255, 255},
      {256.0, 127, 255, 256, 256, 256, 256},
      {0x1p31, 127, 255, 0x7fff'ffff, 0x8000'0000, 0x8000'0000, 0x8000'0000},
      {-0x1p31, 0x80, 0, 0x8000'0000, 0, 0xffff'ffff'8000'0000, 0},
      {0x1p32, 127, 255, 0x7fff'ffff, 0xffff'ffff, uint64_t{1} << 32, uint64_t{1} << 32},
      {0x1p63, 127, 255, 0x7fff'ffff, 0xffff'ffff, top - 1, top},
      {-0x1p63, 0x80, 0, 0x8000'0000, 0, top, 0},
      {0x1p64, 127, 255, 0x7fff'ffff, 0xffff'ffff, top - 1, most},
      {-0x1p64, 0x80, 0, 0x8000'0000, 0, top, 0},
      {static_cast<double>(INFINITY), 127, 255, 0x7fff'ffff, 0xffff'ffff, top - 1, most},
      {-static_cast<double>(INFINITY), 0x80, 0, 0x8000'0000, 0, top, 0},
      {std::numeric_limits<double>::max(), 127, 255, 0x7fff'ffff, 0xffff'ffff, top - 1, most},
      {std::numeric_limits<double>::denorm_min(), 0, 0, 0, 0, 0, 0},
      {static_cast<double>(NAN), 0, 0, 0, 0, 0, 0},
  };
  for (const IntegerCase& c : cases) {
    const uint64_t bits = bits_of(c.x);
    EXPECT_EQ(convert(DType::f64, DType::i8, bits), c.i8) << c.x;
    EXPECT_EQ(convert(DType::f64, DType::u8, bits), c.u8) << c.x;
    EXPECT_EQ(convert(DType::f64, DType::i32, bits), c.i32) << c.x;
    EXPECT_EQ(convert(DType::f64, DType::u32, bits), c.u32) << c.x;
    EXPECT_EQ(convert(DType::f64, DType::i64, bits), c.i64) << c.x;
    EXPECT_EQ(convert(DType::f64, DType::u64, bits), c.u64) << c.x;
  }
  EXPECT_EQ(convert(DType::f32, DType::i16, bits_of(-40'000.0F)), 0x8000U);
  EXPECT_EQ(convert(DType::f32, DType::u16, bits_of(70'000.0F)), 0xffffU);
  EXPECT_EQ(convert(DType::f16, DType::i32, 0xc500), 0xffff'fffbU);  // −5
}

TEST(Convert, FloatToIntegerInRange) {
  Generator generator(3);
  for (int i = 0; i < 200'000; ++i) {
    const int64_t value = static_cast<int64_t>(generator.next_of_any_length() >> 1);
    const double x = std::ldexp(static_cast<double>(value), i % 8 - 8) * (i % 2 == 0 ? 1.0 : -1.0);
    ASSERT_EQ(convert(DType::f64, DType::i64, bits_of(x)),
              static_cast<uint64_t>(static_cast<int64_t>(x)));
    const float single = static_cast<float>(x / 4);
    ASSERT_EQ(convert(DType::f32, DType::i64, bits_of(single)),
              static_cast<uint64_t>(static_cast<int64_t>(single)));
  }
}

TEST(Convert, IntegersWrapAndExtendBySourceSign) {
  EXPECT_EQ(convert(DType::i8, DType::u64, 0xff), most);
  EXPECT_EQ(convert(DType::i8, DType::i32, 0x80), 0xffff'ff80U);
  EXPECT_EQ(convert(DType::u8, DType::i32, 0x80), 0x80U);
  EXPECT_EQ(convert(DType::i64, DType::i8, 0x1234), 0x34U);
  EXPECT_EQ(convert(DType::u32, DType::i64, 0xffff'ffff), 0xffff'ffffU);
  EXPECT_EQ(convert(DType::i32, DType::i64, 0xffff'ffff), most);
  EXPECT_EQ(convert(DType::i16, DType::u16, 0x8000), 0x8000U);
}

TEST(Convert, Booleans) {
  for (uint8_t i = 0; i < dtype_count; ++i) {
    const DType type = static_cast<DType>(i);
    EXPECT_EQ(convert(type, DType::boolean, 0), 0U);
    EXPECT_EQ(convert(type, DType::boolean, 1), 1U);  // an integer, or the least subnormal
    EXPECT_EQ(convert(DType::boolean, type, 0), 0U);
    EXPECT_EQ(convert(type, DType::boolean, convert(DType::boolean, type, 1)), 1U);
    const uint64_t one = convert(DType::boolean, type, 1);
    EXPECT_EQ(convert(type, DType::i32, one), 1U);
  }
  EXPECT_EQ(convert(DType::f32, DType::boolean, bits_of(-0.0F)), 0U);
  EXPECT_EQ(convert(DType::f32, DType::boolean, 0x7fc0'0000), 1U);
  EXPECT_EQ(convert(DType::f64, DType::boolean, bits_of(-INFINITY)), 1U);
  EXPECT_EQ(convert(DType::u64, DType::boolean, uint64_t{1} << 63), 1U);
  EXPECT_EQ(convert(DType::boolean, DType::f32, 1), bits_of(1.0F));
}

TEST(Convert, NansAndSameTypeAreCanonical) {
  const std::vector<std::pair<DType, uint64_t>> nans = {{DType::f32, 0x7fc0'0000},
                                                        {DType::f64, 0x7ff8'0000'0000'0000},
                                                        {DType::bf16, 0x7fc0},
                                                        {DType::f16, 0x7e00}};
  const std::vector<std::pair<DType, uint64_t>> bad = {{DType::f32, 0xff80'0001},
                                                       {DType::f64, 0xfff0'0000'0000'0001},
                                                       {DType::bf16, 0xff81},
                                                       {DType::f16, 0xfc01}};
  for (const auto& [from, bits] : bad) {
    for (const auto& [to, expected] : nans) {
      EXPECT_EQ(convert(from, to, bits), expected);
    }
    EXPECT_EQ(convert(from, DType::u64, bits), 0U);
  }
  EXPECT_EQ(convert(DType::f32, DType::f32, bits_of(-0.0F)), bits_of(-0.0F));
  EXPECT_EQ(convert(DType::f32, DType::f16, bits_of(-0.0F)), 0x8000U);
}

}  // namespace
}  // namespace lockstep::law
