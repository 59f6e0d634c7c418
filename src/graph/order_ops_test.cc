// Running folds of any length, sorting and the greatest k: values by the law against plain loops,
// and gradients against finite differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "graph/test_gradients.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using law::ReduceOp;
using test::evaluate;
using test::expect_numeric;
using test::expect_numeric_of;
using test::f32;
using test::i64;
using test::Make;
using test::random_f32;
using test::Values;
using test::values_of;
using test::weigh;

int64_t folded(ReduceOp op, int64_t a, int64_t b) {
  switch (op) {
    case ReduceOp::sum:
      return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    case ReduceOp::product:
      return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    case ReduceOp::maximum:
      return std::max(a, b);
    case ReduceOp::minimum:
      break;
  }
  return std::min(a, b);
}

int64_t identity(ReduceOp op) {
  constexpr int64_t of[] = {
      0, 1, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  return of[static_cast<size_t>(op)];
}

/// Integers fold alike in any order: lengths on either side of one, two and three levels of blocks.
TEST(OrderOps, ScansOfAnyLengthAreTheRunningFold) {
  TestRandom random(1);
  for (const auto& [rows, n] : {std::pair<int64_t, int64_t>{2, 0},
                                {0, 70},
                                {3, 1},
                                {2, 63},
                                {3, 64},
                                {3, 65},
                                {2, 200},
                                {1, 4096},
                                {2, 4097},
                                {1, 70000}}) {
    std::vector<int64_t> x(static_cast<size_t>(rows * n));
    for (int64_t& value : x) {
      value = random.in(-9, 9) * 2 + 1;
    }
    for (int how = 0; how < 8; ++how) {
      const law::ScanAttr attr{static_cast<ReduceOp>(how / 2), how % 2 == 1};
      std::vector<int64_t> wanted;
      for (int64_t row = 0; row < rows; ++row) {
        int64_t acc = identity(attr.op);
        for (int64_t i = 0; i < n; ++i) {
          const int64_t next = folded(attr.op, acc, x[static_cast<size_t>(row * n + i)]);
          wanted.push_back(attr.exclusive ? acc : next);
          acc = next;
        }
      }
      const law::Tensor y = evaluate(
          {i64({rows, n}, x)}, [&](Builder& b, const Values& in) { return b.scan(in[0], attr); });
      ASSERT_EQ(y.shape.dims, (Dims{rows, n}));
      ASSERT_EQ(values_of<int64_t>(y), wanted) << "n " << n << ", how " << how;
    }
  }
}

/// To the bit, as the blocks are folded: sums of blocks, running sums of those, then inside.
TEST(OrderOps, ALongSumIsThatOfItsBlocks) {
  TestRandom random(2);
  const law::Tensor x = random_f32(random, {130}, -1.0F, 1.0F);
  const law::Tensor y = evaluate({x}, [](Builder& b, const Values& in) {
    return b.scan(in[0], {ReduceOp::sum, false});
  });
  float carry = 0.0F;
  for (int64_t block = 0; block < 3; ++block) {
    float acc = carry;
    float lanes[16] = {};
    for (int64_t i = block * 64; i < std::min<int64_t>(130, block * 64 + 64); ++i) {
      acc += test::at(x, i);
      lanes[i % 16] += test::at(x, i);
      EXPECT_EQ(test::at(y, i), acc) << i;
    }
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) {
        lanes[i] += lanes[i + half];
      }
    }
    carry += lanes[0];
  }
}

TEST(OrderOps, CumulativeSumsAlongAnyAxisAndFromTheEnd) {
  const Dims dims = {3, 70, 2};
  std::vector<int64_t> x(420);
  std::iota(x.begin(), x.end(), -100);
  const int64_t stride[] = {140, 2, 1};
  for (uint8_t axis = 0; axis < 3; ++axis) {
    for (int how = 0; how < 4; ++how) {
      const Builder::RunningSum sum{how % 2 == 1, how / 2 == 1};
      const law::Tensor y = evaluate({i64(dims, x)}, [&](Builder& b, const Values& in) {
        return b.cumulative_sum(in[0], axis, sum);
      });
      std::vector<int64_t> wanted(x.size(), 0);
      for (int64_t i = 0; i < 420; ++i) {
        const int64_t place = i / stride[axis] % dims[axis];
        for (int64_t j = 0; j < dims[axis]; ++j) {
          const bool before = sum.reverse ? j > place : j < place;
          if (before || (j == place && !sum.exclusive)) {
            wanted[static_cast<size_t>(i)] +=
                x[static_cast<size_t>(i + (j - place) * stride[axis])];
          }
        }
      }
      ASSERT_EQ(values_of<int64_t>(y), wanted) << int{axis} << " " << how;
    }
  }
}

/// Ties, both zeros and NaN, in both directions.
TEST(OrderOps, SortsRowsWithTiesInTheirOrder) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float inf = std::numeric_limits<float>::infinity();
  TestRandom random(3);
  for (const auto& size : {std::pair<int64_t, int64_t>{1, 1}, {4, 7}, {3, 100}}) {
    const int64_t rows = size.first;
    const int64_t n = size.second;
    std::vector<float> x(static_cast<size_t>(rows * n));
    for (float& value : x) {
      value = random.of({nan, inf, -inf, 0.0F, -0.0F, 1.0F, 2.5F, -3.0F});
    }
    for (const bool descending : {false, true}) {
      std::vector<int64_t> places;
      for (int64_t row = 0; row < rows; ++row) {
        std::vector<int64_t> order(static_cast<size_t>(n));
        std::iota(order.begin(), order.end(), 0);
        const auto of = [&](int64_t i) { return x[static_cast<size_t>(row * n + i)]; };
        std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
          if (std::isnan(of(a)) || std::isnan(of(b))) {
            return !std::isnan(of(a)) && std::isnan(of(b));
          }
          return descending ? of(a) > of(b) : of(a) < of(b);
        });
        places.insert(places.end(), order.begin(), order.end());
      }
      const auto sorted = [&](bool values) {
        return evaluate({f32({rows, n}, x)}, [&](Builder& b, const Values& in) {
          const Builder::Sorted made = b.sort(in[0], descending);
          return values ? made.values : made.indices;
        });
      };
      EXPECT_EQ(values_of<int64_t>(sorted(false)), places);
      std::vector<float> wanted(x.size());
      for (size_t i = 0; i < x.size(); ++i) {
        const auto row = static_cast<int64_t>(i) / n;
        wanted[i] = x[static_cast<size_t>(row * n + places[i])];
      }
      EXPECT_EQ(sorted(true).data, f32({rows, n}, wanted).data);
    }
  }
}

TEST(OrderOps, TopKIsTheBeginningOfADescendingSort) {
  TestRandom random(4);
  const law::Tensor x = random_f32(random, {2, 3, 9}, -4.0F, 4.0F);
  for (const int64_t k : {0, 1, 4, 9}) {
    for (const bool values : {false, true}) {
      const law::Tensor top = evaluate({x}, [&](Builder& b, const Values& in) {
        const Builder::Sorted made = b.top_k(in[0], k);
        return values ? made.values : made.indices;
      });
      const law::Tensor cut = evaluate({x}, [&](Builder& b, const Values& in) {
        const Builder::Sorted made = b.sort(in[0], true);
        return b.slice(values ? made.values : made.indices, {{0, 0, 0}, {1, 1, 1}}, {2, 3, k});
      });
      EXPECT_EQ(top.shape, cut.shape);
      EXPECT_EQ(top.data, cut.data);
    }
  }
}

TEST(OrderOps, EmptyAndWrongThingsAreTakenAsTheyAre) {
  const law::Tensor empty = f32({2, 0}, {});
  EXPECT_EQ(
      evaluate({empty}, [](Builder& b, const Values& in) { return b.sort(in[0], true).values; })
          .shape,
      empty.shape);
  const std::vector<std::function<Value(Builder&, Value)>> wrong = {
      [](Builder& b, Value x) { return b.top_k(x, 4).values; },
      [](Builder& b, Value x) { return b.top_k(x, -1).indices; },
      [](Builder& b, Value x) {
        return b.scan(b.reshape(b.slice(x, {{0, 0}, {1, 1}}, {1, 1}), {}), {});
      },
      [](Builder& b, Value x) { return b.cumulative_sum(x, 2, {}); },
      [](Builder& b, Value x) { return b.reverse(x, 2); },
      [](Builder& b, Value x) { return b.argsort(b.cast(x, DType::f64), true); },
  };
  for (size_t i = 0; i < wrong.size(); ++i) {
    Builder b;
    const Value x = b.leaf("x", {DType::f32, {2, 3}});
    EXPECT_EQ(wrong[i](b, x), Value{}) << i;
    EXPECT_FALSE(b.finish().ok()) << i;
  }
}

TEST(OrderOps, GradientsOfRunningSums) {
  for (const int64_t n : {1, 5, 64, 70, 200}) {
    for (int how = 0; how < 4; ++how) {
      SCOPED_TRACE(std::to_string(n) + " " + std::to_string(how));
      expect_numeric_of(
          {{2, n}},
          [&](Builder& b, const Values& in) {
            return b.cumulative_sum(in[0], 1, {how % 2 == 1, how / 2 == 1});
          },
          -0.1F,
          0.1F);
    }
  }
  expect_numeric_of(
      {{3, 4, 2}},
      [](Builder& b, const Values& in) {
        return b.cumulative_sum(in[0], 0, {false, true});
      },
      -1.0F,
      1.0F);
}

TEST(OrderOps, GradientsOfACarry) {
  for (const bool exclusive : {false, true}) {
    expect_numeric_of(
        {{2, 70}, {2, 2}},
        [&](Builder& b, const Values& in) {
          return b.scan_blocks(in[0], in[1], {ReduceOp::sum, exclusive});
        },
        -0.1F,
        0.1F);
  }
}

TEST(OrderOps, GradientsOfSortsGoToWhereTheValuesCameFrom) {
  // Far enough apart that no step of a difference changes the order.
  std::vector<float> x(21);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i * 13 % 21) * 0.25F - 2.0F;
  }
  for (const bool descending : {false, true}) {
    expect_numeric(
        {f32({3, 7}, x)},
        [&](Builder& b, const Values& in) { return weigh(b, b.sort(in[0], descending).values); },
        0x1p-8F,
        21);
  }
  expect_numeric(
      {f32({3, 7}, x)},
      [&](Builder& b, const Values& in) { return weigh(b, b.top_k(in[0], 3).values); },
      0x1p-8F,
      21);
}

}  // namespace
}  // namespace lockstep::graph
