// Scatters and the gather of elements against plain loops over the updates.
#include <gtest/gtest.h>

#include <bit>

#include "law/test_random_ops.h"
#include "law/test_steps.h"

namespace lockstep::law {
namespace {

using test::RandomOp;

const float nan_value = std::bit_cast<float>(0x7fc00000U);
constexpr float infinity = std::numeric_limits<float>::infinity();

Tensor floats(Dims dims, const std::vector<float>& values) {
  Tensor tensor{{DType::f32, std::move(dims)}, Bytes(values.size() * 4)};
  for (size_t i = 0; i < values.size(); ++i) {
    store_bits(
        DType::f32, tensor.data, static_cast<int64_t>(i), std::bit_cast<uint32_t>(values[i]));
  }
  return tensor;
}
Tensor integers(DType type, Dims dims, const std::vector<int64_t>& values) {
  Tensor tensor{{type, std::move(dims)}, Bytes(values.size() * static_cast<size_t>(size_of(type)))};
  for (size_t i = 0; i < values.size(); ++i) {
    store_bits(type, tensor.data, static_cast<int64_t>(i), static_cast<uint64_t>(values[i]));
  }
  return tensor;
}

Bytes output_of(const RandomOp& made) {
  const Op op = made.op();
  const auto checked = check(op);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().message());
  TensorReader reader(op, made.views());
  Bytes out = evaluate(op, reader).data;
  int64_t steps = 0;
  EXPECT_EQ(test::stepped(op, made.views(), steps), out);
  return out;
}

RandomOp scatter(Kind kind, const Tensor& base, const Tensor& index, const Tensor& updates) {
  return {{kind, ScatterAttr{}, {}, base.shape}, {base, index, updates}};
}

/// The index as a number, below 0 counted from the end.
int64_t row_at(const Tensor& index, int64_t at, int64_t rows) {
  const uint64_t bits = load_bits(index.shape.type, index.data, at);
  const int64_t row =
      index.shape.type == DType::i32 ? static_cast<int32_t>(bits) : static_cast<int64_t>(bits);
  return row < 0 ? row + rows : row;
}

/// The sum of two elements, by the machine's own arithmetic.
uint64_t sum_of(DType type, uint64_t a, uint64_t b) {
  if (type == DType::f32) {
    const float sum = test::f32_of(a) + test::f32_of(b);
    return sum != sum ? 0x7fc00000 : test::bits_of(sum);
  }
  if (type == DType::f64) {
    const double sum = test::f64_of(a) + test::f64_of(b);
    return sum != sum ? 0x7ff8000000000000 : test::bits_of(sum);
  }
  return (a + b) & (~uint64_t{0} >> (64 - 8 * size_of(type)));
}

Bytes scattered(const RandomOp& made) {
  const Tensor& base = made.in[0];
  const DType type = base.shape.type;
  const int64_t rows = base.shape.dims[0];
  Bytes out = base.data;
  const int64_t indices = made.in[1].shape.count();
  const int64_t row_size = rows == 0 ? 0 : base.shape.count() / rows;
  for (int64_t i = 0; i < indices; ++i) {
    const int64_t row = row_at(made.in[1], i, rows);
    if (row < 0 || row >= rows) {
      continue;
    }
    for (int64_t column = 0; column < row_size; ++column) {
      const int64_t at = row * row_size + column;
      const uint64_t update = load_bits(type, made.in[2].data, i * row_size + column);
      const bool adds = made.record.kind == Kind::scatter_add;
      store_bits(type, out, at, adds ? sum_of(type, load_bits(type, out, at), update) : update);
    }
  }
  return out;
}

TEST(Scatter, DuplicatesMeetInTheOrderOfTheIndex) {
  const Tensor base = floats({3}, {1, -0.0F, 7});
  const Tensor index = integers(DType::i64, {6}, {0, 0, -3, 1, 5, -4});
  const Tensor updates = floats({6}, {0x1p25F, 1, -0x1p25F, -0.0F, 9, 9});
  // ((1 + 2^25) + 1) − 2^25 loses both ones; −0 + −0 stays −0; 5 and −4 are outside.
  EXPECT_EQ(output_of(scatter(Kind::scatter_add, base, index, updates)),
            floats({3}, {0, -0.0F, 7}).data);
  EXPECT_EQ(output_of(scatter(Kind::scatter_set, base, index, updates)),
            floats({3}, {-0x1p25F, -0.0F, 7}).data);
}

TEST(Scatter, TakesWholeRowsAndSpecialValues) {
  const Tensor base = floats({2, 2}, {infinity, 1, 2, nan_value});
  const Tensor index = integers(DType::i32, {2}, {0, -1});
  const Tensor updates = floats({2, 2}, {-infinity, 5, 6, 7});
  EXPECT_EQ(output_of(scatter(Kind::scatter_add, base, index, updates)),
            floats({2, 2}, {nan_value, 6, 8, nan_value}).data);
  EXPECT_EQ(output_of(scatter(Kind::scatter_set, base, index, updates)), updates.data);
}

TEST(Scatter, AnIndexOfRankNoneAndOneOfNothing) {
  const Tensor base = integers(DType::u8, {2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(output_of(scatter(Kind::scatter_add,
                              base,
                              integers(DType::i64, {}, {1}),
                              integers(DType::u8, {2}, {255, 254}))),
            integers(DType::u8, {2, 2}, {1, 2, 2, 2}).data);
  EXPECT_EQ(output_of(scatter(Kind::scatter_set,
                              base,
                              integers(DType::i64, {0, 3}, {}),
                              integers(DType::u8, {0, 3, 2}, {}))),
            base.data);
}

TEST(Scatter, ExtremeIndicesAreOutside) {
  const Tensor base = integers(DType::i16, {3}, {1, 2, 3});
  const Tensor index = integers(DType::i64, {3}, {INT64_MIN, INT64_MAX, int64_t{1} << 32});
  EXPECT_EQ(
      output_of(scatter(Kind::scatter_set, base, index, integers(DType::i16, {3}, {7, 8, 9}))),
      base.data);
}

TEST(Scatter, AMissReadsTheIndexAlone) {
  const RandomOp made = scatter(
      Kind::scatter_add, floats({1}, {1}), integers(DType::i64, {2}, {3, 4}), floats({2}, {5, 6}));
  const Op op = made.op();
  TensorReader tensors(op, made.views());
  RecordingReader recorder(op, tensors);
  (void)evaluate(op, recorder);
  EXPECT_EQ(recorder.touched(), (std::set<std::pair<uint32_t, int64_t>>{{0, 0}, {1, 0}}));
}

TEST(Scatter, RandomOnesEqualALoopOverTheUpdates) {
  int64_t changed = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    test::SeededChoices choices(seed);
    const Kind kind = seed % 2 == 0 ? Kind::scatter_add : Kind::scatter_set;
    const RandomOp made = test::random_op(choices, kind, 300);
    const Bytes out = output_of(made);
    EXPECT_EQ(out, scattered(made)) << "seed " << seed;
    changed += out == made.in[0].data ? 0 : 1;
  }
  EXPECT_GT(changed, 200);
}

TEST(GatherElements, FollowsTheIndexAlongTheAxis) {
  const Tensor data = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto gathered = [&](uint8_t axis, const Tensor& index) {
    return output_of(
        {{Kind::gather_elements, GatherElementsAttr{axis}, {}, {DType::f32, index.shape.dims}},
         {data, index}});
  };
  EXPECT_EQ(gathered(1, integers(DType::i64, {2, 2}, {2, -3, 3, 0})),
            floats({2, 2}, {3, 1, nan_value, 4}).data);
  EXPECT_EQ(gathered(0, integers(DType::i32, {3, 2}, {1, 0, -1, -3, 0, 1})),
            floats({3, 2}, {4, 2, 4, nan_value, 1, 5}).data);
}

TEST(GatherElements, OutsideIsFalseOrZero) {
  const Tensor index = integers(DType::i64, {3}, {0, 2, -3});
  const auto gathered = [&](DType type) {
    return output_of({{Kind::gather_elements, GatherElementsAttr{0}, {}, {type, {3}}},
                      {integers(type, {2}, {1, 1}), index}});
  };
  EXPECT_EQ(gathered(DType::boolean), integers(DType::boolean, {3}, {1, 0, 0}).data);
  EXPECT_EQ(gathered(DType::i64), integers(DType::i64, {3}, {1, 0, 0}).data);
  EXPECT_EQ(gathered(DType::bf16), integers(DType::bf16, {3}, {1, 0x7fc0, 0x7fc0}).data);
}

/// Coordinates are kept as numbers in a mixed base and carried by hand.
TEST(GatherElements, RandomOnesEqualALoopOverCoordinates) {
  int64_t inside = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    test::SeededChoices choices(seed);
    const RandomOp made = test::random_op(choices, Kind::gather_elements, 300);
    const Bytes out = output_of(made);
    const Dims& data = made.in[0].shape.dims;
    const DType type = made.record.out.type;
    const size_t axis = std::get<GatherElementsAttr>(made.record.attributes).axis;
    Dims at(data.size(), 0);
    for (int64_t o = 0; o < made.record.out.count(); ++o) {
      const int64_t row = row_at(made.in[1], o, data[axis]);
      uint64_t want = nan_or_zero(type);
      if (row >= 0 && row < data[axis]) {
        int64_t element = 0;
        for (size_t i = 0; i < data.size(); ++i) {
          element = element * data[i] + (i == axis ? row : at[i]);
        }
        want = load_bits(type, made.in[0].data, element);
        ++inside;
      }
      ASSERT_EQ(load_bits(type, out, o), want) << "seed " << seed << ", output " << o;
      for (size_t i = data.size(); i-- > 0 && ++at[i] == made.record.out.dims[i];) {
        at[i] = 0;
      }
    }
  }
  EXPECT_GT(inside, 1000);
}

}  // namespace
}  // namespace lockstep::law
