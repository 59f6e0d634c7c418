// Builder: shapes, sharing, sticky errors, canonical programs, and the layers' values by the law.
#include "graph/builder.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include "law/interpret.h"
#include "law/roots.h"
#include "law/scalar.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using law::Kind;
using law::MapOp;
using law::ReduceOp;
using law::Shape;

template <class T>
law::Tensor tensor(DType type, Dims dims, const std::vector<T>& values) {
  law::Tensor made{{type, std::move(dims)}, Bytes(values.size() * sizeof(T))};
  if (!values.empty()) {
    std::memcpy(made.data.data(), values.data(), made.data.size());
  }
  return made;
}
law::Tensor f32(Dims dims, const std::vector<float>& values) {
  return tensor(DType::f32, std::move(dims), values);
}
law::Tensor i64(Dims dims, const std::vector<int64_t>& values) {
  return tensor(DType::i64, std::move(dims), values);
}
template <class T>
std::vector<T> values_of(const law::Tensor& from) {
  std::vector<T> values(from.data.size() / sizeof(T));
  std::memcpy(values.data(), from.data.data(), from.data.size());
  return values;
}

/// Builds y from inputs that are leaves x0, x1, … and evaluates one step.
template <class Make>
law::Tensor evaluate(const std::vector<law::Tensor>& inputs, Make make) {
  Builder builder;
  std::vector<Value> leaves;
  for (size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(builder.leaf("x" + std::to_string(i), inputs[i].shape));
  }
  const Value y = make(builder, leaves);
  const Shape shape = builder.shape(y);
  builder.set_next(builder.leaf("a_result", shape), y);
  const Result<Built> built = builder.finish();
  EXPECT_TRUE(built.ok()) << (built.ok() ? "" : built.error().message());
  if (!built.ok()) {
    return {};
  }
  std::vector<law::Tensor> state = {{shape, Bytes(static_cast<size_t>(shape.bytes()))}};
  state.insert(state.end(), inputs.begin(), inputs.end());
  return law::run_step(built->program, state, built->constants, nullptr)[0];
}

law::Program small_program(bool with_noise) {
  Builder builder;
  const Value w = builder.leaf("w", {DType::f32, {2, 3}});
  const Value b = builder.leaf("b", {DType::f32, {3}});
  if (with_noise) {
    builder.unary(MapOp::exp, builder.constant(f32({3}, {1, 2, 3})));
  }
  const Value sum = builder.add(w, b);
  builder.set_next(w, builder.relu(sum));
  return builder.finish()->program;
}

TEST(Builder, ProgramIsCanonicalAndCarriesNothingUnused) {
  const law::Program program = small_program(false);
  ASSERT_EQ(program.leaves.size(), 2U);
  EXPECT_EQ(program.leaves[0].name, "b");
  EXPECT_FALSE(program.leaves[0].writer.has_value());
  EXPECT_EQ(program.leaves[1].writer, 1U);
  ASSERT_EQ(program.records.size(), 2U);
  const law::Source w{law::From::state, 1, {2, 3}};
  const law::Source b{law::From::state, 0, {3}};
  EXPECT_EQ(program.records[0].inputs, (std::vector<law::Source>{w, b}));
  EXPECT_TRUE(law::check(program).ok());
  EXPECT_EQ(law::encode(program), law::encode(small_program(false)));
  EXPECT_EQ(law::encode(program), law::encode(small_program(true)));
  EXPECT_EQ(*law::decode(law::encode(program)), program);
}

TEST(Builder, FinishTwiceGivesTheSameBytes) {
  Builder builder;
  const Value x = builder.leaf("x", {DType::f32, {4}});
  const Value y = builder.leaf("y", {DType::f32, {2, 2}});
  builder.set_next(x, y);  // only read: needs a copying record
  builder.set_next(y, y);
  const Result<Built> first = builder.finish();
  const Result<Built> second = builder.finish();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(law::encode(first->program), law::encode(second->program));
  ASSERT_EQ(first->program.records.size(), 1U);
  EXPECT_EQ(first->program.records[0].kind, Kind::broadcast);
  EXPECT_FALSE(first->program.leaves[1].writer.has_value());
}

TEST(Builder, LeafIsWrittenWithOtherDimsThroughACopy) {
  const law::Tensor y = f32({2, 2}, {1, 2, 3, 4});
  Builder builder;
  const Value x = builder.leaf("x", {DType::f32, {4}});
  const Value from = builder.leaf("y", y.shape);
  builder.set_next(x, builder.unary(MapOp::negate, from));
  const Result<Built> built = builder.finish();
  ASSERT_TRUE(built.ok()) << built.error().message();
  const std::vector<law::Tensor> state = {f32({4}, {0, 0, 0, 0}), y};
  std::vector<law::Tensor> values;
  const auto next = law::run_step(built->program, state, built->constants, &values);
  EXPECT_EQ(values_of<float>(next[0]), (std::vector<float>{-1, -2, -3, -4}));
  EXPECT_EQ(next[0].shape, (Shape{DType::f32, {4}}));
  EXPECT_EQ(next[1].data, y.data);
  EXPECT_EQ(values.size(), built->program.records.size());
}

TEST(Builder, EqualConstantsAndRecordsAreShared) {
  Builder builder;
  const Value x = builder.leaf("x", {DType::f32, {3}});
  EXPECT_EQ(builder.scalar_f32(2.0F), builder.scalar_f32(2.0F));
  EXPECT_NE(builder.scalar_f32(0.0F), builder.scalar_f32(-0.0F));
  const float other_nan = std::bit_cast<float>(0xffc12345U);
  EXPECT_EQ(builder.scalar_f32(other_nan),
            builder.scalar_f32(std::numeric_limits<float>::quiet_NaN()));
  EXPECT_EQ(builder.relu(x), builder.relu(x));
  EXPECT_NE(builder.relu(x), builder.unary(MapOp::exp, x));
  EXPECT_EQ(builder.reshape(x, {3}), x);
  EXPECT_EQ(builder.reshape(builder.reshape(x, {3, 1}), {3}), x);
  EXPECT_NE(builder.relu(builder.reshape(x, {3, 1})), builder.relu(x));
}

TEST(Builder, ErrorsAreSticky) {
  Builder builder;
  const Value x = builder.leaf("x", {DType::f32, {3}});
  const Value bad = builder.matmul(x, x);
  EXPECT_EQ(bad, Value{});
  EXPECT_EQ(builder.relu(x), Value{});
  builder.reshape(x, {7});
  const Result<Built> built = builder.finish();
  ASSERT_FALSE(built.ok());
  EXPECT_EQ(built.error().code, Code::bad_shape);
  EXPECT_EQ(built.error().what, "a matrix product takes two values of rank 2");
}

using Call = std::function<void(Builder&, Value)>;

/// Each call alone, with x an f32 [2,3], makes the graph fail.
void expect_refused(const std::vector<Call>& calls) {
  for (size_t i = 0; i < calls.size(); ++i) {
    Builder builder;
    const Value x = builder.leaf("x", {DType::f32, {2, 3}});
    calls[i](builder, x);
    EXPECT_FALSE(builder.finish().ok()) << "call " << i;
    EXPECT_EQ(builder.relu(x), Value{}) << "call " << i;
  }
}

TEST(Builder, BadValuesLeavesAndMapsAreErrors) {
  expect_refused({
      [](Builder& b, Value) { b.relu({}); },
      [](Builder& b, Value) {
        b.leaf("x", {DType::f32, {1}});
      },
      [](Builder& b, Value) {
        b.leaf("y", {DType::f32, {-1}});
      },
      [](Builder& b, Value) {
        b.constant({{DType::f32, {2}}, Bytes(7)});
      },
      [](Builder& b, Value x) { b.set_next(b.relu(x), x); },
      [](Builder& b, Value x) { b.set_next(x, b.scalar_f32(1)); },
      [](Builder& b, Value x) { b.set_next(x, b.cast(x, DType::i32)); },
      [](Builder& b, Value x) { b.set_next(x, x), b.set_next(x, x); },
      [](Builder& b, Value x) { b.reshape(x, {4}); },
      [](Builder& b, Value x) {
        b.reshape(x, {-2, -3});
      },
      [](Builder& b, Value x) {
        b.add(x, b.leaf("y", {DType::f32, {2}}));
      },
      [](Builder& b, Value x) { b.map({{}}, std::span(&x, 1)); },
      [](Builder& b, Value x) {
        b.map({{law::MapNode{MapOp::add, 0, {}, 0}}}, std::span(&x, 1));
      },
      [](Builder& b, Value x) {
        b.map({{law::MapNode{MapOp::input, 1, {}, 0}}}, std::span(&x, 1));
      },
      [](Builder& b, Value x) {
        b.map({{law::MapNode{static_cast<MapOp>(9), 0, {}, 0}}}, std::span(&x, 1));
      },
  });
}

TEST(Builder, BadShapesAreErrors) {
  expect_refused({
      [](Builder& b, Value x) { b.contract(x, x); },
      [](Builder& b, Value x) { b.matmul(x, x); },
      [](Builder& b, Value x) {
        b.reduce(x, {ReduceOp::sum, {2}});
      },
      [](Builder& b, Value x) {
        b.reduce_all(x, {ReduceOp::sum, {1, 0}});
      },
      [](Builder& b, Value x) { b.conv(x, x, {}); },
      [](Builder& b, Value) {
        const Value image = b.leaf("i", {DType::f32, {1, 4, 4, 1}});
        b.conv(image, b.leaf("k", {DType::f32, {5, 5, 1, 1}}), {});
      },
      [](Builder& b, Value) {
        law::ConvAttr attr;
        attr.stride_h = 0;
        const Value image = b.leaf("i", {DType::f32, {1, 4, 4, 1}});
        b.conv(image, image, attr);
      },
      [](Builder& b, Value x) {
        b.conv_weight_grad(x, x, {}, {1, 1, 1, 1});
      },
      [](Builder& b, Value x) {
        b.conv_input_grad(x, x, {}, {1, 1, 1, 1});
      },
      [](Builder& b, Value x) { b.max_pool(x, {}); },
      [](Builder& b, Value x) { b.max_pool_grad(x, x, {}); },
      [](Builder& b, Value x) { b.gather(x, x); },
      [](Builder& b, Value) { b.gather(b.scalar_f32(1), b.scalar_i64(0)); },
      [](Builder& b, Value) { b.rank(b.scalar_f32(1), true); },
      [](Builder& b, Value x) {
        b.transpose(x, {0, 2});
      },
      [](Builder& b, Value x) { b.transpose(x, {0}); },
      [](Builder& b, Value x) {
        b.slice(x, {{0, 0}, {1, 1}}, {2, 4});
      },
      [](Builder& b, Value x) {
        b.pad(x, {{0}, {0}, 0});
      },
      [](Builder& b, Value x) {
        b.pad(x, {{0, -1}, {0, 0}, 0});
      },
      [](Builder& b, Value) { b.concatenate({}, 0); },
      [](Builder& b, Value x) { b.concatenate(std::vector<Value>(300, x), 0); },
      [](Builder& b, Value x) {
        b.broadcast(x, {3, 3});
      },
      [](Builder& b, Value) { b.argmax(b.scalar_f32(1)); },
      [](Builder& b, Value x) { b.set_derivative(x, x, x); },
      [](Builder& b, Value x) { softmax_cross_entropy(b, x, x); },
      [](Builder& b, Value x) {
        sgd_momentum(b, x, x, b.scalar_f32(1), {x, 0.9F});
      },
      [](Builder& b, Value x) { warmup_cosine(b, x, 1.0F, 1, 2); },
      [](Builder& b, Value) { warmup_cosine(b, b.scalar_i64(0), 1.0F, 3, 2); },
  });
}

TEST(Builder, ReduceKeepsSegmentsAndReduceAllLeavesOne) {
  const int64_t n = 4096 * 2 + 1;
  std::vector<int64_t> numbers(static_cast<size_t>(2 * n));
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<int64_t>(i);
  }
  const law::Tensor x = i64({2, n}, numbers);
  const law::Tensor parts = evaluate({x}, [](Builder& b, const std::vector<Value>& in) {
    return b.reduce(in[0], {ReduceOp::sum, {1}});
  });
  EXPECT_EQ(parts.shape.dims, (Dims{2, 3}));
  const law::Tensor all = evaluate({x}, [](Builder& b, const std::vector<Value>& in) {
    return b.reduce_all(in[0], {ReduceOp::sum, {1}});
  });
  EXPECT_EQ(all.shape.dims, Dims{2});
  EXPECT_EQ(values_of<int64_t>(all)[0], n * (n - 1) / 2);
  EXPECT_EQ(values_of<int64_t>(all)[1], n * (n - 1) / 2 + n * n);
  const law::Tensor empty = evaluate({f32({0}, {})}, [](Builder& b, const std::vector<Value>& in) {
    return b.reduce_all(in[0], {ReduceOp::sum, {0}});
  });
  EXPECT_EQ(values_of<float>(empty), std::vector<float>{0.0F});
}

TEST(Builder, MatmulReadsFourLayouts) {
  const law::Tensor a = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  const law::Tensor at = f32({3, 2}, {1, 4, 2, 5, 3, 6});
  const law::Tensor b = f32({3, 2}, {7, 8, 9, 10, 11, 12});
  const law::Tensor bt = f32({2, 3}, {7, 9, 11, 8, 10, 12});
  for (int layout = 0; layout < 4; ++layout) {
    const bool left = (layout & 1) != 0;
    const bool right = (layout & 2) != 0;
    const law::Tensor product =
        evaluate({left ? at : a, right ? bt : b}, [&](Builder& g, const std::vector<Value>& in) {
          return g.matmul(in[0], in[1], left, right);
        });
    EXPECT_EQ(product.shape.dims, (Dims{2, 2}));
    EXPECT_EQ(values_of<float>(product), (std::vector<float>{58, 64, 139, 154}));
  }
}

TEST(Layers, ArgmaxTakesTheFirstOfTies) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const law::Tensor x = f32({4, 3}, {1, 3, 3, -0.0F, 0, -1, nan, 2, 1, -5, -7, -4});
  const law::Tensor y =
      evaluate({x}, [](Builder& b, const std::vector<Value>& in) { return b.argmax(in[0]); });
  EXPECT_EQ(y.shape, (Shape{DType::i64, {4}}));
  EXPECT_EQ(values_of<int64_t>(y), (std::vector<int64_t>{1, 0, 1, 2}));
}

TEST(Layers, WarmupCosineFollowsItsFormula) {
  const float base = 0.05F;
  const auto rate = [&](int64_t t) {
    const law::Tensor y = evaluate({i64({}, {t})}, [&](Builder& b, const std::vector<Value>& in) {
      return warmup_cosine(b, in[0], base, 60, 2400);
    });
    EXPECT_EQ(y.shape, (Shape{DType::f32, {}}));
    return values_of<float>(y)[0];
  };
  for (const int64_t t : {0, 1, 30, 59}) {
    EXPECT_EQ(rate(t), base * static_cast<float>(t + 1) / 60.0F) << t;
  }
  EXPECT_EQ(rate(60), base);
  for (const int64_t t : {61, 1230, 2399}) {
    const float part = std::numbers::pi_v<float> * static_cast<float>(t - 60) / 2340.0F;
    EXPECT_EQ(rate(t), base / 2 * (1.0F + law::cos_f32(part))) << t;
    const double exact =
        0.025 * (1 + std::cos(std::numbers::pi * static_cast<double>(t - 60) / 2340.0));
    EXPECT_NEAR(rate(t), exact, 1e-8) << t;
  }
}

TEST(Layers, MomentumStepIsTwoFusedMultiplyAdds) {
  const std::vector<float> p = {1.0F, -2.5F, 0.1F};
  const std::vector<float> v = {0.3F, 1e-3F, -7.0F};
  const std::vector<float> g = {0.7F, -0.9F, 1e-6F};
  const float mu = 0.9F;
  const float rate = 0.037F;
  for (const bool parameter : {true, false}) {
    const law::Tensor next =
        evaluate({f32({3}, p), f32({3}, v), f32({3}, g), f32({}, {rate})},
                 [&](Builder& b, const std::vector<Value>& in) {
                   const SgdUpdate update = sgd_momentum(b, in[0], in[1], in[2], {in[3], mu});
                   return parameter ? update.parameter : update.momentum;
                 });
    for (size_t i = 0; i < p.size(); ++i) {
      const float momentum = std::fma(mu, v[i], g[i]);
      EXPECT_EQ(values_of<float>(next)[i], parameter ? std::fma(-rate, momentum, p[i]) : momentum);
    }
  }
}

TEST(Layers, CrossEntropyIsTheLawsComposition) {
  const std::vector<float> x = {0.5F, -1.0F, 2.0F, 3.0F, 3.0F, -8.0F};
  const std::vector<int64_t> labels = {2, 0};
  const law::Tensor loss =
      evaluate({f32({2, 3}, x), i64({2}, labels)}, [](Builder& b, const std::vector<Value>& in) {
        return softmax_cross_entropy(b, in[0], in[1]);
      });
  EXPECT_EQ(loss.shape, (Shape{DType::f32, {}}));
  double exact = 0;
  for (size_t row = 0; row < 2; ++row) {
    double sum = 0;
    for (size_t c = 0; c < 3; ++c) {
      sum += std::exp(static_cast<double>(x[row * 3 + c]));
    }
    exact += std::log(sum) - x[row * 3 + static_cast<size_t>(labels[row])];
  }
  EXPECT_NEAR(values_of<float>(loss)[0], exact / 2, 1e-6);
}

}  // namespace
}  // namespace lockstep::graph
