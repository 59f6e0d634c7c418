// Element types, shapes and element access.
#include "law/types.h"

#include <gtest/gtest.h>

namespace lockstep::law {
namespace {

constexpr int64_t huge = int64_t{1} << 40;

bool accepts(Dims dims) {
  return valid(Shape{DType::f32, std::move(dims)}).ok();
}

TEST(Types, SizesAndNames) {
  const int64_t sizes[dtype_count] = {4, 8, 2, 2, 1, 2, 4, 8, 1, 2, 4, 8, 1};
  for (uint8_t i = 0; i < dtype_count; ++i) {
    EXPECT_EQ(size_of(static_cast<DType>(i)), sizes[i]);
    for (uint8_t j = 0; j < i; ++j) {
      EXPECT_STRNE(name_of(static_cast<DType>(i)), name_of(static_cast<DType>(j)));
    }
  }
  EXPECT_STREQ(name_of(DType::f32), "f32");
  EXPECT_STREQ(name_of(DType::boolean), "bool");
}

TEST(Types, CountAndText) {
  EXPECT_EQ(count_of({}), 1);
  EXPECT_EQ(count_of({2, 3, 4}), 24);
  EXPECT_EQ(count_of({2, 0, 4}), 0);
  EXPECT_EQ((Shape{DType::f16, {2, 3}}).bytes(), 12);
  EXPECT_EQ(text_of({}), "[]");
  EXPECT_EQ(text_of({2, 0, 7}), "[2, 0, 7]");
}

TEST(Types, ValidBounds) {
  EXPECT_TRUE(accepts({}));
  EXPECT_TRUE(accepts({0}));
  EXPECT_TRUE(accepts({1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_FALSE(accepts({1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_FALSE(accepts({-1}));
  EXPECT_FALSE(accepts({0, INT64_MIN}));
  EXPECT_TRUE(accepts({huge - 1}));
  EXPECT_FALSE(accepts({huge}));
  EXPECT_FALSE(accepts({huge / 2, 2}));
  EXPECT_TRUE(accepts({(huge / 2) - 1, 2}));
  EXPECT_FALSE(accepts({INT64_MAX, INT64_MAX, 4}));
  EXPECT_FALSE(accepts({1 << 20, 0, 1 << 20}));  // also without the zero
  EXPECT_FALSE(accepts({0, INT64_MAX, 2}));
  EXPECT_TRUE(accepts({0, huge - 1}));
  EXPECT_FALSE(valid(Shape{static_cast<DType>(dtype_count), {1}}).ok());
  EXPECT_EQ(valid(Shape{DType::f32, {-1}}).error().code, Code::bad_shape);
}

TEST(Types, LoadAndStoreAreLittleEndian) {
  for (uint8_t i = 0; i < dtype_count; ++i) {
    const DType type = static_cast<DType>(i);
    const size_t size = static_cast<size_t>(size_of(type));
    Bytes bytes(size * 3, 0xee);
    const uint64_t bits = 0x8877'6655'4433'2211U & (~uint64_t{0} >> (64 - 8 * size));
    store_bits(type, bytes, 1, bits);
    EXPECT_EQ(load_bits(type, bytes, 1), bits);
    for (size_t j = 0; j < size; ++j) {
      EXPECT_EQ(bytes[j], 0xee);
      EXPECT_EQ(bytes[size + j], 0x11 * (j + 1));
      EXPECT_EQ(bytes[2 * size + j], 0xee);
    }
  }
}

TEST(Types, CanonicalTouchesNansOnly) {
  EXPECT_EQ(canonical(DType::f32, 0xff80'0001), 0x7fc0'0000U);
  EXPECT_EQ(canonical(DType::f32, 0xff80'0000), 0xff80'0000U);
  EXPECT_EQ(canonical(DType::f32, 0x7f80'0000), 0x7f80'0000U);
  EXPECT_EQ(canonical(DType::f64, 0xffff'ffff'ffff'ffff), 0x7ff8'0000'0000'0000U);
  EXPECT_EQ(canonical(DType::f64, 0xfff0'0000'0000'0000), 0xfff0'0000'0000'0000U);
  EXPECT_EQ(canonical(DType::u64, 0xffff'ffff'ffff'ffff), 0xffff'ffff'ffff'ffffU);
  for (uint64_t bits = 0; bits < 0x1'0000; ++bits) {
    const bool f16_nan = (bits & 0x7fff) > 0x7c00;
    const bool bf16_nan = (bits & 0x7fff) > 0x7f80;
    ASSERT_EQ(canonical(DType::f16, bits), f16_nan ? 0x7e00 : bits);
    ASSERT_EQ(canonical(DType::bf16, bits), bf16_nan ? 0x7fc0 : bits);
    ASSERT_EQ(canonical(DType::i16, bits), bits);
  }
}

TEST(Types, CanonicaliseATensor) {
  Tensor tensor{Shape{DType::bf16, {2}}, {0xff, 0xff, 0x01, 0x80}};
  canonicalise(tensor);
  EXPECT_EQ(tensor.data, (Bytes{0xc0, 0x7f, 0x01, 0x80}));
  Tensor integers{Shape{DType::u16, {2}}, {0xff, 0xff, 0x01, 0x80}};
  canonicalise(integers);
  EXPECT_EQ(integers.data, (Bytes{0xff, 0xff, 0x01, 0x80}));
}

}  // namespace
}  // namespace lockstep::law
