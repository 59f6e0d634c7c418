// Gradients against finite differences of the law's own evaluation, and to the bit where the bits
// are promised: the loss's derivative, ties, and the order in which contributions are added.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "graph/test_gradients.h"
#include "law/scalar.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using law::Kind;
using law::MapNode;
using law::MapOp;
using law::ReduceOp;
using test::at;
using test::expect_numeric;
using test::expect_numeric_of;
using test::f32;
using test::gradients_of;
using test::Make;
using test::put;
using test::random_f32;
using test::train;
using test::Trained;
using test::Values;
using test::weigh;

MapNode input(uint8_t arg) {
  return {MapOp::input, arg, DType::f32, 0};
}
MapNode op(MapOp which) {
  return {which, 0, DType::f32, 0};
}
MapNode number(float value) {
  return {MapOp::constant, 0, DType::f32, std::bit_cast<uint32_t>(value)};
}

TEST(Gradients, UnaryMaps) {
  for (const MapOp which : {MapOp::negate,
                            MapOp::absolute,
                            MapOp::exp,
                            MapOp::log,
                            MapOp::sin,
                            MapOp::cos,
                            MapOp::square_root}) {
    SCOPED_TRACE(static_cast<int>(which));
    expect_numeric_of(
        {{5}}, [&](Builder& b, const Values& in) { return b.unary(which, in[0]); }, 0.5F, 2.0F);
  }
  for (const MapOp which : {MapOp::absolute, MapOp::sin, MapOp::cos}) {
    SCOPED_TRACE(static_cast<int>(which));
    expect_numeric_of(
        {{5}}, [&](Builder& b, const Values& in) { return b.unary(which, in[0]); }, -2.0F, -0.5F);
  }
}

TEST(Gradients, BinaryMapsSumOverBroadcastAxes) {
  const std::vector<std::pair<Dims, Dims>> shapes = {
      {{4}, {4}}, {{2, 3, 4}, {3, 1}}, {{}, {3, 2}}, {{1, 4}, {3, 1}}, {{3, 1, 2}, {1}}};
  TestRandom random(5);
  for (const MapOp which : {MapOp::add,
                            MapOp::subtract,
                            MapOp::multiply,
                            MapOp::divide,
                            MapOp::maximum,
                            MapOp::minimum}) {
    for (const auto& [left, right] : shapes) {
      SCOPED_TRACE(std::to_string(static_cast<int>(which)) + law::text_of(left));
      // Sixteenths, the second input between them: no pair is near a tie, where a maximum bends.
      std::vector<law::Tensor> x = {random_f32(random, left, 8.0F, 32.0F),
                                    random_f32(random, right, 8.0F, 32.0F)};
      for (size_t i = 0; i < 2; ++i) {
        for (int64_t e = 0; e < x[i].shape.count(); ++e) {
          put(x[i], e, (std::floor(at(x[i], e)) + 0.5F * static_cast<float>(i)) / 16.0F);
        }
      }
      const Make make = [&](Builder& b, const Values& in) {
        return weigh(b, b.binary(which, in[0], in[1]));
      };
      expect_numeric(x, make, 0x1p-8F, 12);
    }
  }
}

TEST(Gradients, TernaryMapsCastsAndOneValueReadTwice) {
  expect_numeric_of(
      {{4}, {3, 1}, {3, 4}},
      [](Builder& b, const Values& in) {
        return b.map({{input(0), input(1), input(2), op(MapOp::fma)}}, in);
      },
      -2.0F,
      2.0F);
  expect_numeric_of(
      {{3, 4}, {4}, {3, 1}},
      [](Builder& b, const Values& in) {
        return b.map(
            {{input(0), number(0.3F), op(MapOp::less), input(1), input(2), op(MapOp::select)}}, in);
      },
      -2.0F,
      2.0F);
  expect_numeric_of(
      {{4}}, [](Builder& b, const Values& in) { return b.cast(in[0], DType::f32); }, -2.0F, 2.0F);
  expect_numeric_of(
      {{4}},
      [](Builder& b, const Values& in) { return b.binary(MapOp::multiply, in[0], in[0]); },
      -2.0F,
      2.0F);
  expect_numeric_of(
      {{4}},
      [](Builder& b, const Values& in) {
        return b.add(b.unary(MapOp::exp, in[0]), b.multiply(in[0], b.relu(in[0])));
      },
      -2.0F,
      2.0F);
}

TEST(Gradients, LongMapsAreCutIntoSeveralRecords) {
  // 31 nodes of x ← sin(x)·1.1 + y, whose derivative is far over 64 nodes without sharing.
  law::MapAttr chain{{input(0)}};
  for (int i = 0; i < 10; ++i) {
    for (const MapNode& node : {op(MapOp::sin), number(1.1F), input(1), op(MapOp::fma)}) {
      chain.nodes.push_back(node);
    }
  }
  const Make make = [&](Builder& b, const Values& in) { return b.map(chain, in); };
  expect_numeric_of({{3, 2}, {2}}, make, 0.1F, 0.9F);
  // 16 inputs: with dy and y there would be 18.
  law::MapAttr product{{input(0)}};
  for (uint8_t i = 1; i < 16; ++i) {
    product.nodes.push_back(input(i));
    product.nodes.push_back(op(i % 3 == 0 ? MapOp::divide : MapOp::multiply));
  }
  expect_numeric_of(
      std::vector<Dims>(16, Dims{2}),
      [&](Builder& b, const Values& in) { return b.map(product, in); },
      0.9F,
      1.1F);
}

TEST(Gradients, Contractions) {
  for (int layout = 0; layout < 4; ++layout) {
    const bool left = (layout & 1) != 0;
    const bool right = (layout & 2) != 0;
    SCOPED_TRACE(layout);
    expect_numeric_of(
        {left ? Dims{2, 4, 3} : Dims{2, 3, 4}, right ? Dims{2, 5, 4} : Dims{2, 4, 5}},
        [&](Builder& b, const Values& in) {
          return b.contract(in[0], in[1], {left, right});
        },
        -1.0F,
        1.0F);
  }
}

TEST(Gradients, Convolutions) {
  law::ConvAttr plain;
  law::ConvAttr odd{2, 3, 1, 2, 0, 1, 2, 1, 2};
  const Make conv_plain = [&](Builder& b, const Values& in) { return b.conv(in[0], in[1], plain); };
  const Make conv_odd = [&](Builder& b, const Values& in) { return b.conv(in[0], in[1], odd); };
  expect_numeric_of({{2, 5, 4, 3}, {3, 2, 3, 2}}, conv_plain, -1.0F, 1.0F);
  expect_numeric_of({{2, 6, 7, 4}, {2, 3, 2, 6}}, conv_odd, -1.0F, 1.0F);
}

TEST(Gradients, MaxPool) {
  const law::PoolAttr attr{3, 2, 2, 2, 1, 1, 0, 1};
  expect_numeric_of(
      {{2, 5, 5, 2}},
      [&](Builder& b, const Values& in) { return b.max_pool(in[0], attr); },
      -4.0F,
      4.0F);
}

TEST(Gradients, Sums) {
  for (const std::vector<uint8_t>& axes :
       std::vector<std::vector<uint8_t>>{{}, {0}, {1}, {0, 2}, {0, 1, 2}}) {
    expect_numeric_of(
        {{2, 3, 4}},
        [&](Builder& b, const Values& in) {
          return b.reduce(in[0], {ReduceOp::sum, axes});
        },
        -1.0F,
        1.0F);
  }
}

TEST(Gradients, LongSumsGiveEachSegmentItsOwn) {
  TestRandom random(3);
  const law::Tensor x = random_f32(random, {50, 2, 100}, -1.0F, 1.0F);
  law::Tensor weights = f32({2, 2}, {1, 2, 3, 4});
  const law::Tensor g = gradients_of({x}, [&](Builder& b, const Values& in) {
    const Value parts = b.reduce(in[0], {ReduceOp::sum, {0, 2}});
    return b.reduce_all(b.multiply(parts, b.constant(weights)), {ReduceOp::sum, {0, 1}});
  })[0];
  for (int64_t i = 0; i < 50; ++i) {
    for (int64_t c = 0; c < 2; ++c) {
      for (int64_t j = 0; j < 100; ++j) {
        const int64_t segment = (i * 100 + j) / 4096;
        ASSERT_EQ(at(g, (i * 2 + c) * 100 + j), static_cast<float>(1 + 2 * c + segment));
      }
    }
  }
}

TEST(Gradients, Views) {
  const std::vector<Make> views = {
      [](Builder& b, const Values& in) {
        return b.transpose(in[0], {2, 0, 1});
      },
      [](Builder& b, const Values& in) {
        return b.reshape(in[0], {6, 7});
      },
      [](Builder& b, const Values& in) {
        return b.broadcast(in[0], {2, 2, 3, 7});
      },
      [](Builder& b, const Values& in) {
        return b.slice(in[0], {{0, 1, 2}, {1, 1, 1}}, {2, 1, 4});
      },
      [](Builder& b, const Values& in) {
        return b.slice(in[0], {{0, 0, 0}, {1, 2, 3}}, {1, 2, 3});
      },
      [](Builder& b, const Values& in) {
        return b.slice(in[0], {{1, 2, 1}, {1, 1, 3}}, {1, 1, 2});
      },
      [](Builder& b, const Values& in) {
        return b.slice(in[0], {{0, 0, 0}, {5, 9, 2}}, {1, 1, 2});
      },
      [](Builder& b, const Values& in) {
        return b.pad(in[0], {{1, 0, 2}, {0, 3, 1}, 0x3f800000});
      },
      [](Builder& b, const Values& in) {
        const Value parts[] = {in[0], b.unary(MapOp::exp, in[0]), in[0]};
        return b.concatenate(parts, 1);
      },
  };
  for (size_t i = 0; i < views.size(); ++i) {
    SCOPED_TRACE(i);
    expect_numeric_of({{2, 3, 7}}, views[i], -1.0F, 1.0F);
  }
}

TEST(Gradients, ReluAtZeroAndNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const law::Tensor x = f32({5}, {0.0F, -0.0F, nan, 1e-45F, -1.0F});
  const law::Tensor g = gradients_of({x}, [](Builder& b, const Values& in) {
    return b.reduce_all(b.relu(in[0]), {ReduceOp::sum, {0}});
  })[0];
  EXPECT_EQ(g.data, f32({5}, {0, 0, 0, 1, 0}).data);
}

TEST(Gradients, TiesGoToTheSecondOperand) {
  const law::Tensor x = f32({1}, {2.0F});
  for (const MapOp which : {MapOp::maximum, MapOp::minimum}) {
    const auto g = gradients_of({x, x}, [&](Builder& b, const Values& in) {
      return b.reshape(b.binary(which, in[0], in[1]), {});
    });
    EXPECT_EQ(at(g[0], 0), 0.0F);
    EXPECT_EQ(at(g[1], 0), 1.0F);
  }
}

TEST(Gradients, ContributionsAddLastUseFirst) {
  // d/dx = ((1 + 2^24) − 2^24) depends on the order: last use first gives 0, first use first 1.
  const law::Tensor x = f32({1}, {1.0F});
  const law::Tensor g = gradients_of({x}, [](Builder& b, const Values& in) {
    const Value first = b.multiply(in[0], b.scalar_f32(-0x1p24F));
    const Value second = b.multiply(in[0], b.scalar_f32(0x1p24F));
    const Value third = b.multiply(in[0], b.scalar_f32(1.0F));
    return b.reshape(b.add(b.add(third, second), first), {});
  })[0];
  EXPECT_EQ(at(g, 0), 0.0F);
}

TEST(Gradients, IntegersAndComparisonsStopAndUnreachedIsZero) {
  const law::Tensor x = f32({2}, {1.5F, -2.5F});
  const auto g = gradients_of({x, x}, [](Builder& b, const Values& in) {
    const Value rounded = b.cast(b.cast(in[0], DType::i32), DType::f32);
    const Value ranked = b.cast(b.rank(in[0], true), DType::f32);
    return b.reduce_all(b.multiply(b.add(rounded, ranked), b.scalar_f32(3)), {ReduceOp::sum, {0}});
  });
  EXPECT_EQ(g[0].data, f32({2}, {0, 0}).data);
  EXPECT_EQ(g[1].data, f32({2}, {0, 0}).data);
}

TEST(Gradients, WithRespectToIntermediateAndReshapedValues) {
  Builder b;
  const Value x = b.leaf("x", {DType::f32, {2, 2}});
  const Value y = b.unary(MapOp::exp, x);
  const Value loss = b.reduce_all(b.multiply(y, y), {ReduceOp::sum, {0, 1}});
  const Value wrt[] = {b.reshape(y, {4}), b.reshape(x, {4, 1}), loss};
  const Values g = b.gradients(loss, wrt);
  EXPECT_EQ(b.shape(g[0]).dims, Dims{4});
  EXPECT_EQ(b.shape(g[1]).dims, (Dims{4, 1}));
  EXPECT_EQ(g[2], b.scalar_f32(1.0F));
  EXPECT_NE(g[0], Value{});
}

TEST(Gradients, WhatIsNotDifferentiableSaysSo) {
  using Bad = std::pair<const char*, Make>;
  const std::vector<Bad> bad = {
      {"reduce",
       [](Builder& b, const Values& in) {
         return b.reduce_all(in[0], {ReduceOp::maximum, {0, 1, 2, 3}});
       }},
      {"scan",
       [](Builder& b, const Values& in) {
         const Value running = b.scan(in[0], {ReduceOp::maximum, false});
         return b.reduce_all(running, {ReduceOp::sum, {0, 1, 2, 3}});
       }},
      {"max_pool_grad",
       [](Builder& b, const Values& in) {
         return b.reduce_all(b.max_pool_grad(in[0], in[0], {}), {ReduceOp::sum, {0, 1, 2, 3}});
       }},
      {"conv_weight_grad",
       [](Builder& b, const Values& in) {
         const Value dw = b.conv_weight_grad(in[0], in[0], {}, {1, 1, 2, 2});
         return b.reduce_all(dw, {ReduceOp::sum, {0, 1, 2, 3}});
       }},
      {"map",
       [](Builder& b, const Values& in) {
         const Value wide = b.cast(b.cast(in[0], DType::f64), DType::f32);
         return b.reduce_all(wide, {ReduceOp::sum, {0, 1, 2, 3}});
       }},
  };
  for (const auto& [name, make] : bad) {
    Builder builder;
    const Value x = builder.leaf("x", {DType::f32, {1, 2, 2, 2}});
    const Values g = builder.gradients(make(builder, {x}), std::span(&x, 1));
    EXPECT_EQ(g[0], Value{}) << name;
    const Result<Built> built = builder.finish();
    ASSERT_FALSE(built.ok()) << name;
    EXPECT_EQ(built.error().code, Code::not_differentiable) << built.error().message();
    EXPECT_NE(built.error().what.find(name), std::string::npos) << built.error().what;
  }
}

TEST(Gradients, CrossEntropyIsExact) {
  TestRandom random(11);
  const int64_t n = 3;
  const int64_t c = 5;
  const law::Tensor x = random_f32(random, {n, c}, -4.0F, 4.0F);
  const std::vector<int64_t> labels = {4, 0, 2};
  law::Tensor label{{DType::i64, {n}}, Bytes(24)};
  std::memcpy(label.data.data(), labels.data(), 24);
  const Make make = [&](Builder& b, const Values& in) {
    return softmax_cross_entropy(b, in[0], b.constant(label));
  };
  const law::Tensor g = gradients_of({x}, make)[0];
  for (int64_t row = 0; row < n; ++row) {
    float m = at(x, row * c);
    for (int64_t i = 1; i < c; ++i) {
      m = law::maximum_f32(m, at(x, row * c + i));
    }
    // 16 lanes of at most one term each, the rest +0, combined 8, 4, 2, 1 apart.
    float lane[16] = {};
    for (int64_t i = 0; i < c; ++i) {
      lane[i] = 0.0F + law::exp_f32(at(x, row * c + i) - m);
    }
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) {
        lane[i] += lane[i + half];
      }
    }
    for (int64_t i = 0; i < c; ++i) {
      const float e = law::exp_f32(at(x, row * c + i) - m);
      const float one = labels[static_cast<size_t>(row)] == i ? 1.0F : 0.0F;
      EXPECT_EQ(at(g, row * c + i), (e / lane[0] - one) / 3.0F);
    }
  }
  expect_numeric({x}, make, 0x1p-8F, 15);
  // Scaled, the derivative is scaled; with the loss itself there is no multiplication.
  expect_numeric(
      {x},
      [&](Builder& b, const Values& in) { return b.multiply(make(b, in), b.scalar_f32(3.0F)); },
      0x1p-8F,
      15);
}

Value small_cnn(Builder& b, const Values& in, const law::Tensor& image, const law::Tensor& label) {
  const law::ConvAttr same{1, 1, 1, 1, 1, 1, 1, 1, 1};
  const law::PoolAttr halve{2, 2, 2, 2, 0, 0, 0, 0};
  Value y = b.relu(b.add(b.conv(b.constant(image), in[0], same), in[1]));
  y = b.max_pool(y, halve);
  y = b.max_pool(b.relu(b.add(b.conv(y, in[2], same), in[3])), halve);
  y = b.reshape(y, {3, 16});
  y = b.relu(b.add(b.matmul(y, in[4]), in[5]));
  y = b.add(b.matmul(y, in[6]), in[7]);
  return softmax_cross_entropy(b, y, b.constant(label));
}

TEST(Gradients, SmallConvolutionalNetwork) {
  TestRandom random(21);
  const law::Tensor image = random_f32(random, {3, 8, 8, 1}, 0.0F, 1.0F);
  const std::vector<int64_t> labels = {1, 3, 0};
  law::Tensor label{{DType::i64, {3}}, Bytes(24)};
  std::memcpy(label.data.data(), labels.data(), 24);
  std::vector<law::Tensor> x;
  for (const Dims& dims :
       std::vector<Dims>{{3, 3, 1, 3}, {3}, {3, 3, 3, 4}, {4}, {16, 6}, {6}, {6, 5}, {5}}) {
    x.push_back(random_f32(random, dims, -0.7F, 0.7F));
  }
  const Make make = [&](Builder& b, const Values& in) { return small_cnn(b, in, image, label); };
  expect_numeric(x, make, 0x1p-10F, 10);
  const Trained trained = train(x, make);
  EXPECT_EQ(trained.count(Kind::conv), 2);
  EXPECT_EQ(trained.count(Kind::conv_weight_grad), 2);
  EXPECT_EQ(trained.count(Kind::conv_input_grad), 1);  // not for the image
  EXPECT_EQ(law::encode(trained.built.program), law::encode(train(x, make).built.program));
}

}  // namespace
}  // namespace lockstep::graph
