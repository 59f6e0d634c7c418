// The derivatives of tanh, erf, sigmoid and the reciprocal square root: against finite differences,
// against their formulas in double, and at the ends of the range.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "graph/test_gradients.h"

namespace lockstep::graph {
namespace {

using law::MapNode;
using law::MapOp;
using test::Values;

constexpr float inf = std::numeric_limits<float>::infinity();

/// The derivative of one node at each x: the gradient of the sum of its values.
std::vector<float> derivative(MapOp op, const std::vector<float>& x) {
  const auto make = [op](Builder& b, const Values& in) {
    law::ReduceAttr all;
    all.axes = {0};
    return b.reduce_all(b.unary(op, in[0]), all);
  };
  const auto out = test::gradients_of({test::f32({static_cast<int64_t>(x.size())}, x)}, make);
  return test::values_of<float>(out[0]);
}

struct Formula {
  MapOp op;
  double (*slope)(double);
  float low, high;
};
const std::array<Formula, 4> formulas{{
    {MapOp::tanh, [](double x) { return std::pow(std::cosh(x), -2); }, -4.0F, 4.0F},
    {MapOp::erf, [](double x) { return 2 / std::sqrt(M_PI) * std::exp(-x * x); }, -4.0F, 4.0F},
    {MapOp::sigmoid,
     [](double x) { return std::exp(-std::abs(x)) / std::pow(1 + std::exp(-std::abs(x)), 2); },
     -80.0F,
     8.0F},
    {MapOp::reciprocal_square_root, [](double x) { return -0.5 * std::pow(x, -1.5); }, 1e-3F, 1e3F},
}};

TEST(MapGradient, FunctionsAgreeWithFiniteDifferences) {
  for (const MapOp op : {MapOp::tanh, MapOp::erf, MapOp::sigmoid, MapOp::reciprocal_square_root}) {
    SCOPED_TRACE(static_cast<int>(op));
    const auto make = [op](Builder& b, const Values& in) { return b.unary(op, in[0]); };
    test::expect_numeric_of({{7}}, make, 0.5F, 2.0F);
    if (op != MapOp::reciprocal_square_root) {
      test::expect_numeric_of({{7}}, make, -2.0F, 0.5F);
    }
  }
}

TEST(MapGradient, FunctionsInsideAnExpressionAgreeWithFiniteDifferences) {
  // Where the node is not the record's result, its value is computed again: w·f(a·b) + f(a).
  for (const MapOp op : {MapOp::tanh, MapOp::erf, MapOp::sigmoid, MapOp::reciprocal_square_root}) {
    SCOPED_TRACE(static_cast<int>(op));
    const auto make = [op](Builder& b, const Values& in) {
      const MapNode first{MapOp::input, 0};
      const MapNode second{MapOp::input, 1};
      return b.map({{first,
                     second,
                     {MapOp::multiply},
                     {op},
                     second,
                     {MapOp::multiply},
                     first,
                     {op},
                     {MapOp::add}}},
                   in);
    };
    test::expect_numeric_of({{3, 4}, {4}}, make, 0.6F, 1.6F);
  }
}

TEST(MapGradient, FunctionsAgreeWithTheirFormulas) {
  for (const Formula& formula : formulas) {
    TestRandom random(static_cast<uint64_t>(formula.op));
    std::vector<float> x(200);
    for (float& value : x) {
      value = random.uniform(formula.low, formula.high);
    }
    const std::vector<float> slopes = derivative(formula.op, x);
    ASSERT_EQ(slopes.size(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = formula.slope(x[i]);
      // 1 − t² and 1 − s lose what the value next to 1 has lost.
      EXPECT_NEAR(slopes[i], exact, 1e-5 * std::abs(exact) + 2e-7)
          << static_cast<int>(formula.op) << " at " << x[i];
    }
  }
}

TEST(MapGradient, FunctionsThatHaveReachedTheirLimitHaveNoSlope) {
  const std::vector<float> far{inf, -inf, 3e38F, -3e38F, 200.0F, -200.0F};
  for (const MapOp op : {MapOp::tanh, MapOp::erf, MapOp::sigmoid}) {
    for (const float slope : derivative(op, far)) {
      EXPECT_EQ(slope, 0.0F) << static_cast<int>(op);
    }
  }
  EXPECT_EQ(derivative(MapOp::tanh, {0.0F, -0.0F, 1e-40F}), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(derivative(MapOp::sigmoid, {0.0F, -0.0F}), (std::vector<float>{0.25F, 0.25F}));
  EXPECT_EQ(derivative(MapOp::erf, {0.0F, 1e-30F}), (std::vector<float>{1.12837917F, 1.12837917F}));
}

TEST(MapGradient, ReciprocalSquareRootAtItsEnds) {
  const std::vector<float> slopes =
      derivative(MapOp::reciprocal_square_root, {0.0F, inf, 3e38F, 1e-25F, 1e-40F, -1.0F});
  ASSERT_EQ(slopes.size(), 6U);
  EXPECT_EQ(slopes[0], -inf);
  EXPECT_EQ(slopes[1], 0.0F);
  EXPECT_EQ(slopes[2], 0.0F);  // 10⁻⁵⁸: under the smallest number
  EXPECT_NEAR(slopes[3] * 1e-37F, -1.5811388F, 1e-5);
  EXPECT_EQ(slopes[4], -inf);  // 5·10⁵⁹: over the greatest
  EXPECT_TRUE(std::isnan(slopes[5]));
}

}  // namespace
}  // namespace lockstep::graph
