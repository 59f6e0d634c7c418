// The law's functions on f32 against libm in double: at most one ulp on a sample and round every
// edge, exact where they must be, and what they cost. Their bits are pinned in exhaustive_test.cc.
#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <span>

#include "law/scalar.h"
#include "law/test_values.h"

namespace lockstep::law {
namespace {

using test::bits_of;
using test::f32_of;
using test::Generator;

constexpr uint64_t f32_nan = 0x7fc0'0000;

double sigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
double reciprocal_square_root(double x) {
  return 1 / std::sqrt(x);
}

struct Function {
  const char* name;
  float (*ours)(float);
  double (*reference)(double);
};
const Function functions[] = {
    {"exp", exp_f32, std::exp},
    {"log", log_f32, std::log},
    {"cos", cos_f32, std::cos},
    {"sin", sin_f32, std::sin},
    {"tanh", tanh_f32, std::tanh},
    {"erf", erf_f32, std::erf},
    {"sigmoid", sigmoid_f32, sigmoid},
    {"reciprocal_square_root", reciprocal_square_root_f32, reciprocal_square_root}};

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
  const float tanh_edges[] = {0.0F, 0x1p-126F, 0x1p-30F, 0.5625F, 1.0F, 9.011F, 10.0F, FLT_MAX};
  const float erf_edges[] = {
      0.0F, 0x1p-126F, 0x1p-30F, 0.5F, 1.0F, 1.5F, 2.0F, 2.5F, 3.0F, 3.5F, 3.8325F, 4.0F, FLT_MAX};
  const float sigmoid_edges[] = {0.0F, 0x1.62e43p-2F, 17.3F, 41.6F, 87.33654F, 103.97208F, 104.0F};
  const float root_edges[] = {0.0F, 0x1p-126F, 1.0F, 2.0F, 4.0F, 0x1p+126F, FLT_MAX};
  const auto walk = [](const Function& function, std::span<const float> edges) {
    for (const float edge : edges) {
      const uint64_t middle = bits_of(edge) & 0x7fff'ffff;
      for (uint64_t bits = middle < 2000 ? 0 : middle - 2000; bits < middle + 2000; ++bits) {
        for (const float x : {f32_of(bits), -f32_of(bits)}) {
          ASSERT_TRUE(acceptable(function.ours(x), function.reference(static_cast<double>(x))))
              << function.name << " of " << std::hexfloat << x;
        }
      }
    }
  };
  walk(functions[0], exp_edges);
  walk(functions[1], log_edges);
  walk(functions[2], circle_edges);
  walk(functions[3], circle_edges);
  walk(functions[4], tanh_edges);
  walk(functions[5], erf_edges);
  walk(functions[6], sigmoid_edges);
  walk(functions[7], root_edges);
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

TEST(Functions, SpecialValuesOfOddFunctions) {
  const float inf = std::numeric_limits<float>::infinity();
  for (float (*const ours)(float) : {tanh_f32, erf_f32}) {
    EXPECT_EQ(bits_of(ours(0.0F)), bits_of(0.0F));
    EXPECT_EQ(bits_of(ours(-0.0F)), bits_of(-0.0F));
    EXPECT_EQ(ours(inf), 1.0F);
    EXPECT_EQ(ours(-inf), -1.0F);
    EXPECT_EQ(ours(FLT_MAX), 1.0F);
    for (uint32_t i = 0; i < 1U << 19; ++i) {
      const float x = sample(i);
      const uint64_t bits = bits_of(ours(x));
      ASSERT_EQ(bits_of(ours(-x)), x != x ? f32_nan : bits ^ 0x8000'0000) << std::hexfloat << x;
      ASSERT_FALSE(std::fabs(ours(x)) > 1.0F) << std::hexfloat << x;
    }
  }
  EXPECT_EQ(tanh_f32(0x1p-149F), 0x1p-149F);
  EXPECT_EQ(erf_f32(0x1p-149F), 0x1p-149F);  // 1.13 of the smallest number
}

TEST(Functions, SpecialValuesOfSigmoidAndReciprocalSquareRoot) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(sigmoid_f32(0.0F), 0.5F);
  EXPECT_EQ(sigmoid_f32(-0.0F), 0.5F);
  EXPECT_EQ(sigmoid_f32(inf), 1.0F);
  EXPECT_EQ(sigmoid_f32(FLT_MAX), 1.0F);
  EXPECT_EQ(bits_of(sigmoid_f32(-inf)), 0U);
  EXPECT_EQ(bits_of(sigmoid_f32(-FLT_MAX)), 0U);
  EXPECT_EQ(bits_of(sigmoid_f32(-103.97207F)), 1U);  // the smallest number is kept
  EXPECT_EQ(bits_of(sigmoid_f32(-100.0F)), bits_of(exp_f32(-100.0F)));
  EXPECT_EQ(reciprocal_square_root_f32(0.0F), inf);
  EXPECT_EQ(reciprocal_square_root_f32(-0.0F), -inf);
  EXPECT_EQ(bits_of(reciprocal_square_root_f32(inf)), 0U);
  EXPECT_EQ(reciprocal_square_root_f32(4.0F), 0.5F);
  EXPECT_EQ(reciprocal_square_root_f32(0x1p-148F), 0x1p+74F);
  EXPECT_EQ(reciprocal_square_root_f32(0x1p+126F), 0x1p-63F);
  for (const float x : {-1.0F, -inf, -0x1p-149F, -FLT_MAX}) {
    EXPECT_EQ(bits_of(reciprocal_square_root_f32(x)), f32_nan);
  }
}

TEST(Functions, ReachTheLawThroughTheirNodes) {
  for (const float x : {0.3F, -0.3F, 2.5F}) {
    EXPECT_EQ(unary(MapOp::tanh, DType::f32, bits_of(x)), bits_of(tanh_f32(x)));
    EXPECT_EQ(unary(MapOp::erf, DType::f32, bits_of(x)), bits_of(erf_f32(x)));
    EXPECT_EQ(unary(MapOp::sigmoid, DType::f32, bits_of(x)), bits_of(sigmoid_f32(x)));
    EXPECT_EQ(unary(MapOp::reciprocal_square_root, DType::f32, bits_of(x)),
              bits_of(reciprocal_square_root_f32(x)));
  }
}

/// A map of the one node over four elements of `type`.
Record map_of(MapOp op, DType type) {
  return {Kind::map, MapAttr{{{MapOp::input}, {op}}}, {{From::state, 0, {4}}}, {type, {4}}};
}

TEST(Functions, AreForF32AndCostWhatTheLawSays) {
  const std::pair<MapOp, uint64_t> costs[] = {{MapOp::negate, 1},
                                              {MapOp::square_root, 1},
                                              {MapOp::reciprocal_square_root, 2},
                                              {MapOp::exp, 16},
                                              {MapOp::log, 16},
                                              {MapOp::cos, 16},
                                              {MapOp::sin, 16},
                                              {MapOp::tanh, 16},
                                              {MapOp::erf, 16},
                                              {MapOp::sigmoid, 16}};
  for (const auto& [node, operations] : costs) {
    const Record record = map_of(node, DType::f32);
    const Op op{&record, {{DType::f32, {4}}}};
    EXPECT_TRUE(check(op).ok()) << static_cast<int>(node);
    EXPECT_EQ(cost(op), 4 * (1 + operations)) << static_cast<int>(node);
  }
  for (const MapOp node :
       {MapOp::tanh, MapOp::erf, MapOp::sigmoid, MapOp::reciprocal_square_root}) {
    for (const DType type : {DType::f64, DType::i32, DType::u8, DType::boolean, DType::bf16}) {
      const Record record = map_of(node, type);
      EXPECT_FALSE(check(Op{&record, {{type, {4}}}}).ok()) << static_cast<int>(node);
    }
  }
}

}  // namespace
}  // namespace lockstep::law
