// Gathers, scatters, average pools and random numbers: values by the law against plain loops, and
// gradients against finite differences.
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/test_gradients.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using test::at;
using test::evaluate;
using test::expect_numeric;
using test::expect_numeric_of;
using test::f32;
using test::gradients_of;
using test::i64;
using test::random_f32;
using test::Values;
using test::values_of;
using test::weigh;

law::Tensor i32(Dims dims, const std::vector<int32_t>& values) {
  return test::tensor_of(DType::i32, std::move(dims), values);
}

TEST(IndexOps, GatherElementsTakesAlongItsAxis) {
  const law::Tensor data = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  const law::Tensor y = evaluate({data}, [](Builder& b, const Values& in) {
    return b.gather_elements(in[0], b.constant(i32({2, 2}, {2, -3, 0, 1})), 1);
  });
  EXPECT_EQ(y.shape, (law::Shape{DType::f32, {2, 2}}));
  EXPECT_EQ(values_of<float>(y), (std::vector<float>{3, 1, 4, 5}));
  const law::Tensor z = evaluate({data}, [](Builder& b, const Values& in) {
    return b.gather_elements(in[0], b.constant(i64({1, 3}, {1, -2, 7})), 0);
  });
  EXPECT_EQ(at(z, 0), 4.0F);
  EXPECT_EQ(at(z, 1), 2.0F);
  EXPECT_TRUE(std::isnan(at(z, 2)));
}

TEST(IndexOps, ScattersTakeUpdatesInOrder) {
  const law::Tensor base = f32({3, 2}, {10, 20, 30, 40, 50, 60});
  const law::Tensor index = i64({4}, {2, 0, -1, 5});
  const law::Tensor updates = f32({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const law::Tensor sum = evaluate({base, updates}, [&](Builder& b, const Values& in) {
    return b.scatter_add(in[0], b.constant(index), in[1]);
  });
  EXPECT_EQ(values_of<float>(sum), (std::vector<float>{13, 24, 30, 40, 56, 68}));
  const law::Tensor set = evaluate({base, updates}, [&](Builder& b, const Values& in) {
    return b.scatter_set(in[0], b.constant(index), in[1]);
  });
  EXPECT_EQ(values_of<float>(set), (std::vector<float>{3, 4, 30, 40, 5, 6}));
}

TEST(IndexOps, WrongShapesAreErrors) {
  const std::vector<std::function<Value(Builder&, Value)>> wrong = {
      [](Builder& b, Value x) { return b.scatter_add(x, b.scalar_i64(0), x); },
      [](Builder& b, Value x) { return b.scatter_set(x, x, x); },
      [](Builder& b, Value x) { return b.gather_elements(x, b.scalar_i64(0), 0); },
      [](Builder& b, Value x) {
        return b.average_pool(x, {{2, 2, 1, 1, 0, 0, 0, 0}, false});
      },
      [](Builder& b, Value x) {
        return b.random_uniform({x, x, 1}, {3});
      },
      [](Builder& b, Value x) {
        return b.dropout(x, {x, x, 1}, 1.0F);
      },
      [](Builder& b, Value x) {
        return b.dropout(x, {x, x, 1}, -0.5F);
      },
  };
  for (size_t i = 0; i < wrong.size(); ++i) {
    Builder b;
    const Value x = b.leaf("x", {DType::f32, {2, 3}});
    EXPECT_EQ(wrong[i](b, x), Value{}) << i;
    EXPECT_FALSE(b.finish().ok()) << i;
  }
}

TEST(IndexOps, AveragePoolDividesByWhatItCounts) {
  const law::Tensor x = f32({1, 2, 2, 1}, {1, 2, 3, 6});
  for (const bool count_padding : {false, true}) {
    const law::Tensor y = evaluate({x}, [&](Builder& b, const Values& in) {
      return b.average_pool(in[0], {{2, 2, 1, 1, 1, 0, 0, 0}, count_padding});
    });
    const float first = count_padding ? 0.75F : 1.5F;
    EXPECT_EQ(values_of<float>(y), (std::vector<float>{first, 3.0F}));
  }
}

TEST(IndexOps, GradientsOfGathers) {
  expect_numeric_of(
      {{4, 3}},
      [](Builder& b, const Values& in) {
        return b.gather(in[0], b.constant(i64({2, 3}, {3, 0, -1, 1, 3, 3})));
      },
      -1.0F,
      1.0F);
  const law::Tensor index = i32({2, 4, 2}, {2, 0, 1, 1, -1, 0, 0, -3, 1, 2, 2, 2, 0, 0, 1, -2});
  expect_numeric_of(
      {{3, 4, 3}},
      [&](Builder& b, const Values& in) { return b.gather_elements(in[0], b.constant(index), 2); },
      -1.0F,
      1.0F);
  expect_numeric_of(
      {{3, 5, 3}},
      [&](Builder& b, const Values& in) { return b.gather_elements(in[0], b.constant(index), 0); },
      -1.0F,
      1.0F);
}

TEST(IndexOps, GradientsOfGathersIgnoreWhatIsOutside) {
  // The loss is NaN there; the gradient of what was taken is not.
  const law::Tensor x = f32({2, 2}, {1, 2, 3, 4});
  const law::Tensor rows = gradients_of({x}, [](Builder& b, const Values& in) {
    const Value taken = b.gather(in[0], b.constant(i64({3}, {1, 2, -3})));
    return b.reduce_all(taken, {law::ReduceOp::sum, {0, 1}});
  })[0];
  EXPECT_EQ(values_of<float>(rows), (std::vector<float>{0, 0, 1, 1}));
  const law::Tensor elements = gradients_of({x}, [](Builder& b, const Values& in) {
    const Value taken = b.gather_elements(in[0], b.constant(i64({2, 2}, {2, -3, -1, 0})), 1);
    return b.reduce_all(taken, {law::ReduceOp::sum, {0, 1}});
  })[0];
  EXPECT_EQ(values_of<float>(elements), (std::vector<float>{0, 0, 1, 1}));
}

TEST(IndexOps, GradientsOfScatters) {
  const law::Tensor index = i64({2, 3}, {4, 1, 1, -5, 0, -4});  // 4 and −5 are outside of 4 rows
  const law::Tensor one_place = i64({}, {2});
  for (const bool adds : {true, false}) {
    const auto scatter = [&](Builder& b, const Values& in, const law::Tensor& to) {
      return adds ? b.scatter_add(in[0], b.constant(to), in[1])
                  : b.scatter_set(in[0], b.constant(to), in[1]);
    };
    expect_numeric_of(
        {{4, 2}, {2, 3, 2}},
        [&](Builder& b, const Values& in) { return scatter(b, in, index); },
        -1.0F,
        1.0F);
    expect_numeric_of(
        {{4, 2}, {2}},
        [&](Builder& b, const Values& in) { return scatter(b, in, one_place); },
        -1.0F,
        1.0F);
  }
}

TEST(IndexOps, GradientsOfAveragePoolsOnceAndTwice) {
  for (const bool count_padding : {false, true}) {
    const law::AveragePoolAttr attr{{3, 2, 2, 1, 1, 1, 0, 1}, count_padding};
    expect_numeric_of(
        {{2, 5, 4, 2}},
        [&](Builder& b, const Values& in) { return b.average_pool(in[0], attr); },
        -1.0F,
        1.0F);
    expect_numeric_of(
        {{2, 3, 4, 2}},
        [&](Builder& b, const Values& in) {
          return b.average_pool_grad(in[0], attr, {2, 5, 4, 2});
        },
        -1.0F,
        1.0F);
  }
}

Builder::Stream stream_of(Builder& b, uint32_t id) {
  const law::Tensor seed = test::tensor_of<uint64_t>(DType::u64, {}, {0x0123456789abcdef});
  const law::Tensor step = test::tensor_of<uint64_t>(DType::u64, {}, {7});
  return {b.constant(seed), b.constant(step), id};
}

TEST(IndexOps, RandomNumbersLookLikeWhatTheyAre) {
  constexpr int64_t n = 20000;
  const auto uniform = values_of<float>(evaluate(
      {}, [](Builder& b, const Values&) { return b.random_uniform(stream_of(b, 1), {n}); }));
  const auto normal = values_of<float>(evaluate(
      {}, [](Builder& b, const Values&) { return b.random_normal(stream_of(b, 2), {n}); }));
  double sum = 0;
  double square = 0;
  double cube = 0;
  double mean = 0;
  for (size_t i = 0; i < uniform.size(); ++i) {
    ASSERT_TRUE(uniform[i] >= 0.0F && uniform[i] < 1.0F);
    mean += static_cast<double>(uniform[i]);
    const auto x = static_cast<double>(normal[i]);
    sum += x;
    square += x * x;
    cube += x * x * x;
  }
  EXPECT_NEAR(mean / n, 0.5, 0.01);
  EXPECT_NEAR(sum / n, 0.0, 0.03);
  EXPECT_NEAR(square / n, 1.0, 0.05);
  EXPECT_NEAR(cube / n, 0.0, 0.1);
}

TEST(IndexOps, DropoutKeepsTheMeanAndItsGradientHasTheMask) {
  constexpr int64_t n = 10000;
  const law::Tensor ones = f32({n}, std::vector<float>(n, 1.0F));
  for (const float p : {0.25F, 0.5F, 0.9F}) {
    const auto y = values_of<float>(evaluate({ones}, [&](Builder& b, const Values& in) {
      return b.dropout(in[0], stream_of(b, 3), p);
    }));
    const auto g = values_of<float>(gradients_of({ones}, [&](Builder& b, const Values& in) {
      return b.reduce_all(b.dropout(in[0], stream_of(b, 3), p), {law::ReduceOp::sum, {0}});
    })[0]);
    EXPECT_EQ(y, g);
    const auto kept = std::count_if(y.begin(), y.end(), [](float v) { return v != 0.0F; });
    EXPECT_NEAR(static_cast<double>(kept) / n, 1.0 - static_cast<double>(p), 0.02);
    EXPECT_EQ(*std::max_element(y.begin(), y.end()), 1.0F / (1.0F - p));
  }
  Builder b;
  const Value x = b.leaf("x", {DType::f32, {4}});
  EXPECT_EQ(b.dropout(x, stream_of(b, 3), 0.0F), x);
}

TEST(IndexOps, StreamsAreApartAndTheSameStreamIsOneRecord) {
  Builder b;
  const Value first = b.random_uniform(stream_of(b, 1), {100});
  EXPECT_EQ(first, b.random_uniform(stream_of(b, 1), {100}));
  EXPECT_NE(first, b.random_uniform(stream_of(b, 2), {100}));
}

}  // namespace
}  // namespace lockstep::graph
