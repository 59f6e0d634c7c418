// Folds against results worked out by hand, and fold steps against whole evaluations.
#include "law/fold.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace lockstep::law {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
const float nan_value = std::bit_cast<float>(0x7fc00000U);

Tensor floats(Dims dims, const std::vector<float>& values) {
  Tensor tensor{{DType::f32, std::move(dims)}, Bytes(values.size() * 4)};
  for (size_t i = 0; i < values.size(); ++i) {
    store_bits(
        DType::f32, tensor.data, static_cast<int64_t>(i), std::bit_cast<uint32_t>(values[i]));
  }
  EXPECT_EQ(tensor.shape.bytes(), static_cast<int64_t>(tensor.data.size()));
  return tensor;
}

Tensor integers(DType type, Dims dims, const std::vector<int64_t>& values) {
  Tensor tensor{{type, std::move(dims)}, Bytes(values.size() * static_cast<size_t>(size_of(type)))};
  for (size_t i = 0; i < values.size(); ++i) {
    store_bits(type, tensor.data, static_cast<int64_t>(i), static_cast<uint64_t>(values[i]));
  }
  return tensor;
}

/// A record, its inputs and their views in one place, so that an Op may borrow them.
struct Case {
  Record record;
  std::vector<Tensor> inputs;

  [[nodiscard]] Op op() const {
    Op op{&record, {}};
    for (const Tensor& tensor : inputs) {
      op.in.push_back(tensor.shape);
    }
    return op;
  }
  [[nodiscard]] TensorReader reader() const {
    std::vector<ByteView> views;
    for (const Tensor& tensor : inputs) {
      views.emplace_back(tensor.data);
    }
    return TensorReader(op(), views);
  }
  [[nodiscard]] Tensor evaluate() const {
    const auto checked = check(op());
    EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().message());
    TensorReader in = reader();
    return law::evaluate(op(), in);
  }
};

void expect_floats(const Tensor& tensor, const std::vector<float>& want) {
  ASSERT_EQ(tensor.shape.count(), static_cast<int64_t>(want.size()));
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(load_bits(DType::f32, tensor.data, static_cast<int64_t>(i)),
              std::bit_cast<uint32_t>(want[i]))
        << "element " << i;
  }
}

void expect_integers(const Tensor& tensor, const std::vector<int64_t>& want) {
  ASSERT_EQ(tensor.shape.count(), static_cast<int64_t>(want.size()));
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(
        static_cast<int64_t>(load_bits(tensor.shape.type, tensor.data, static_cast<int64_t>(i))),
        want[i])
        << "element " << i;
  }
}

std::vector<float> noise(size_t count, uint64_t seed) {
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    const auto bits = static_cast<uint32_t>(seed >> 32);
    values.push_back(std::ldexp(static_cast<float>(static_cast<int32_t>(bits)),
                                -31 + static_cast<int>(bits % 9)));
  }
  return values;
}

TEST(Contract, ClosesASegmentEvery512Terms) {
  const auto a = noise(1100, 1);
  const auto b = noise(1100, 2);
  float sum = 0;
  for (size_t first = 0; first < a.size(); first += 512) {
    float chain = 0;
    for (size_t k = first; k < std::min<size_t>(a.size(), first + 512); ++k) {
      chain = std::fma(a[k], b[k], chain);
    }
    sum = first == 0 ? chain : sum + chain;
  }
  const Case c{{Kind::contract, ContractAttr{}, {}, {DType::f32, {1, 1, 1}}},
               {floats({1, 1, 1100}, a), floats({1, 1100, 1}, b)}};
  expect_floats(c.evaluate(), {sum});
}

TEST(Contract, ReadsTransposedInputs) {
  const Tensor a = floats({1, 2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor at = floats({1, 3, 2}, {1, 4, 2, 5, 3, 6});
  const Tensor b = floats({1, 3, 1}, {1, 10, 100});
  const Shape out{DType::f32, {1, 2, 1}};
  expect_floats(Case{{Kind::contract, ContractAttr{}, {}, out}, {a, b}}.evaluate(), {321, 654});
  expect_floats(Case{{Kind::contract, ContractAttr{true, false}, {}, out}, {at, b}}.evaluate(),
                {321, 654});
  const Tensor bt = floats({1, 1, 3}, {1, 10, 100});
  expect_floats(Case{{Kind::contract, ContractAttr{false, true}, {}, out}, {a, bt}}.evaluate(),
                {321, 654});
}

TEST(Contract, AnEmptyRangeIsPlusZero) {
  const Case c{{Kind::contract, ContractAttr{}, {}, {DType::f32, {1, 1, 2}}},
               {floats({1, 1, 0}, {}), floats({1, 0, 2}, {})}};
  expect_floats(c.evaluate(), {0.0F, 0.0F});
}

TEST(Contract, IntegersWrap) {
  const Case c{{Kind::contract, ContractAttr{}, {}, {DType::u8, {1, 1, 1}}},
               {integers(DType::u8, {1, 1, 2}, {200, 3}), integers(DType::u8, {1, 2, 1}, {2, 5})}};
  expect_integers(c.evaluate(), {(200 * 2 + 15) % 256});
}

TEST(Reduce, SumsSixteenLanesAndThenATree) {
  const auto x = noise(5000, 3);
  std::vector<float> want;
  for (size_t first = 0; first < x.size(); first += 4096) {
    float lanes[16] = {};
    for (size_t r = 0; r < std::min<size_t>(4096, x.size() - first); ++r) {
      lanes[r % 16] += x[first + r];
    }
    for (size_t half = 8; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) {
        lanes[i] += lanes[i + half];
      }
    }
    want.push_back(lanes[0]);
  }
  const Case c{{Kind::reduce, ReduceAttr{ReduceOp::sum, {0}}, {}, {DType::f32, {2}}},
               {floats({5000}, x)}};
  expect_floats(c.evaluate(), want);
}

TEST(Reduce, MaximumAndEmptyRanges) {
  const ReduceAttr maximum{ReduceOp::maximum, {1}};
  const Case rows{{Kind::reduce, maximum, {}, {DType::f32, {2, 1}}},
                  {floats({2, 3}, {-0.0F, 0.0F, -1, nan_value, infinity, 2})}};
  expect_floats(rows.evaluate(), {0.0F, nan_value});
  const Case empty{{Kind::reduce, maximum, {}, {DType::f32, {2, 1}}}, {floats({2, 0}, {})}};
  expect_floats(empty.evaluate(), {-infinity, -infinity});
}

TEST(Convolution, ATapOutsideTheImageIsATapWithOperandZero) {
  ConvAttr attr;
  attr.pad_left = attr.pad_right = 1;
  const Case c{{Kind::conv, attr, {}, {DType::f32, {1, 1, 3, 1}}},
               {floats({1, 1, 3, 1}, {1, 2, 3}), floats({1, 3, 1, 1}, {infinity, 10, 100})}};
  expect_floats(c.evaluate(), {nan_value, infinity, infinity});
}

TEST(Convolution, GradientsAreTheAdjointOfTheForward) {
  // Integers make the identity <y(x,w), dy> = <x, dx> = <w, dw> exact.
  ConvAttr attr;
  attr.stride_h = 2, attr.dilation_w = 2, attr.pad_top = 1, attr.pad_right = 2, attr.groups = 2;
  const Shape x{DType::i64, {2, 5, 6, 4}};
  const Shape w{DType::i64, {3, 2, 2, 6}};
  const Shape y{DType::i64, {2, 2, 6, 6}};
  const auto fill = [](const Shape& shape, int64_t step) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < shape.count(); ++i) {
      values.push_back(i * step % 17 - 8);
    }
    return integers(shape.type, shape.dims, values);
  };
  const auto dot = [](const Tensor& a, const Tensor& b) {
    int64_t sum = 0;
    for (int64_t i = 0; i < a.shape.count(); ++i) {
      sum +=
          static_cast<int64_t>(load_bits(DType::i64, a.data, i) * load_bits(DType::i64, b.data, i));
    }
    return sum;
  };
  const Tensor xs = fill(x, 5);
  const Tensor ws = fill(w, 3);
  const Tensor dys = fill(y, 7);
  const Tensor forward = Case{{Kind::conv, attr, {}, y}, {xs, ws}}.evaluate();
  const Tensor dw = Case{{Kind::conv_weight_grad, attr, {}, w}, {xs, dys}}.evaluate();
  const Tensor dx = Case{{Kind::conv_input_grad, attr, {}, x}, {dys, ws}}.evaluate();
  EXPECT_NE(dot(forward, dys), 0);
  EXPECT_EQ(dot(forward, dys), dot(ws, dw));
  EXPECT_EQ(dot(forward, dys), dot(xs, dx));
}

TEST(Pool, TakesTheFirstMaximumAndNaNWins) {
  PoolAttr attr;
  attr.window_w = attr.stride_w = 2;
  const Tensor x = floats({1, 1, 6, 1}, {3, 3, 1, nan_value, -0.0F, 0.0F});
  expect_floats(Case{{Kind::max_pool, attr, {}, {DType::f32, {1, 1, 3, 1}}}, {x}}.evaluate(),
                {3, nan_value, 0.0F});
  const Tensor dy = floats({1, 1, 3, 1}, {5, 6, 7});
  expect_floats(Case{{Kind::max_pool_grad, attr, {}, x.shape}, {x, dy}}.evaluate(),
                {5, 0, 0, 6, 7, 0});
}

TEST(Pool, OverlappingWindowsAddUp) {
  PoolAttr attr;
  attr.window_w = 3, attr.pad_left = 1, attr.pad_right = 1;
  const Tensor x = floats({1, 1, 4, 1}, {1, 9, 2, 3});
  const Tensor dy = floats({1, 1, 4, 1}, {1, 10, 100, 1000});
  expect_floats(Case{{Kind::max_pool_grad, attr, {}, x.shape}, {x, dy}}.evaluate(),
                {0, 111, 0, 1000});
}

TEST(Gather, NegativeIndicesWrapOnceAndOutsideIsNaN) {
  const Case c{{Kind::gather, GatherAttr{}, {}, {DType::f32, {4, 2}}},
               {floats({2, 2}, {1, 2, 3, 4}), integers(DType::i64, {4}, {1, -1, 2, -3})}};
  expect_floats(c.evaluate(), {3, 4, 3, 4, nan_value, nan_value, nan_value, nan_value});
  const Case bytes{{Kind::gather, GatherAttr{}, {}, {DType::u8, {2}}},
                   {integers(DType::u8, {2}, {7, 8}), integers(DType::i32, {2}, {-2, 9})}};
  expect_integers(bytes.evaluate(), {7, 0});
}

TEST(Rank, TiesGoToTheLowestIndexAndNaNComesLast) {
  const Tensor x = floats({6}, {1, nan_value, 0.0F, -0.0F, nan_value, 1});
  const Shape out{DType::i64, {6}};
  expect_integers(Case{{Kind::rank, RankAttr{false}, {}, out}, {x}}.evaluate(), {2, 4, 0, 1, 5, 3});
  expect_integers(Case{{Kind::rank, RankAttr{true}, {}, out}, {x}}.evaluate(), {0, 4, 2, 3, 5, 1});
}

TEST(Views, MoveElementsExactly) {
  const Tensor x = integers(DType::i32, {2, 3}, {1, 2, 3, 4, 5, 6});
  const auto view = [&](Kind kind, Attributes attr, Dims out) {
    return Case{{kind, std::move(attr), {}, {DType::i32, std::move(out)}}, {x}}.evaluate();
  };
  expect_integers(view(Kind::transpose, TransposeAttr{{1, 0}}, {3, 2}), {1, 4, 2, 5, 3, 6});
  expect_integers(view(Kind::slice, SliceAttr{{1, 0}, {1, 2}}, {1, 2}), {4, 6});
  expect_integers(
      view(Kind::slice, SliceAttr{{1, 2}, {limits::elements_max, limits::elements_max}}, {1, 1}),
      {6});
  expect_integers(view(Kind::pad, PadAttr{{0, 1}, {1, 0}, 9}, {3, 4}),
                  {9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9});
  expect_integers(view(Kind::broadcast, BroadcastAttr{}, {2, 2, 3}),
                  {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6});
  const Case joined{{Kind::concatenate, ConcatenateAttr{1}, {}, {DType::i32, {2, 4}}},
                    {x, integers(DType::i32, {2, 1}, {7, 8})}};
  expect_integers(joined.evaluate(), {1, 2, 3, 7, 4, 5, 6, 8});
}

TEST(Map, EvaluatesPostfixWithBroadcasting) {
  const MapAttr attr{{{MapOp::input, 0},
                      {MapOp::input, 1},
                      {MapOp::multiply},
                      {MapOp::constant, 0, DType::f32, 0x3f800000},
                      {MapOp::add}}};
  const Case c{{Kind::map, attr, {}, {DType::f32, {2, 2}}},
               {floats({2, 1}, {2, 3}), floats({2}, {10, 100})}};
  expect_floats(c.evaluate(), {21, 201, 31, 301});
}

/// Every record below goes through its chunks step by step and gives the bytes of the whole.
TEST(Fold, StepsEndInTheChunkOfTheWholeOutput) {
  ConvAttr conv;
  conv.pad_top = conv.pad_left = 1, conv.stride_h = 2;
  PoolAttr pool;
  pool.window_h = pool.window_w = 3;
  const std::vector<Case> cases{
      {{Kind::contract, ContractAttr{}, {}, {DType::f32, {1, 17, 33}}},
       {floats({1, 17, 700}, noise(size_t{17} * 700, 4)),
        floats({1, 700, 33}, noise(size_t{700} * 33, 5))}},
      {{Kind::reduce, ReduceAttr{ReduceOp::sum, {0}}, {}, {DType::f32, {70, 2}}},
       {floats({4200, 70}, noise(size_t{4200} * 70, 6))}},
      {{Kind::conv_input_grad, conv, {}, {DType::f32, {1, 6, 7, 3}}},
       {floats({1, 3, 7, 40}, noise(size_t{3} * 7 * 40, 7)), floats({2, 2, 3, 40}, noise(480, 8))}},
      {{Kind::max_pool_grad, pool, {}, {DType::f32, {1, 9, 9, 5}}},
       {floats({1, 9, 9, 5}, noise(405, 9)), floats({1, 7, 7, 5}, noise(245, 10))}},
      {{Kind::rank, RankAttr{true}, {}, {DType::i64, {3, 130}}},
       {floats({3, 130}, noise(390, 11))}},
      {{Kind::transpose, TransposeAttr{{1, 0}}, {}, {DType::f32, {30, 20}}},
       {floats({20, 30}, noise(600, 12))}},
  };
  for (const Case& c : cases) {
    const Tensor whole = c.evaluate();
    const Op op = c.op();
    Bytes pieces;
    for (int64_t chunk = 0; chunk * limits::chunk_bytes < whole.shape.bytes(); ++chunk) {
      const Fold fold(op, chunk);
      EXPECT_LE(fold.steps(), steps_max(op));
      FoldState state;
      TensorReader in = c.reader();
      for (int64_t step = 0; step < fold.steps(); ++step) {
        fold.run(step, state, in);
        EXPECT_EQ(fold.size_before(step + 1), std::pair(state.done.size(), state.acc.size()));
      }
      EXPECT_EQ(state.bytes(fold.accumulator()), state.done);
      pieces.insert(pieces.end(), state.done.begin(), state.done.end());
    }
    EXPECT_EQ(pieces, whole.data) << static_cast<int>(c.record.kind);
  }
}

}  // namespace
}  // namespace lockstep::law
