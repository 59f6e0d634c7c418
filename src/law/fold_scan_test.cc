// Scans against running folds in plain loops, and three operators that scan a long axis.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "law/scalar.h"
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

Tensor output_of(const RandomOp& made) {
  const Op op = made.op();
  const auto checked = check(op);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().message());
  TensorReader reader(op, made.views());
  Tensor out = evaluate(op, reader);
  int64_t steps = 0;
  EXPECT_EQ(test::stepped(op, made.views(), steps), out.data);
  return out;
}

RandomOp scan(ScanAttr attr, const Tensor& x) {
  return {{Kind::scan, attr, {}, x.shape}, {x}};
}
RandomOp scan(ScanAttr attr, const Tensor& x, const Tensor& carry) {
  return {{Kind::scan, attr, {}, x.shape}, {x, carry}};
}

TEST(Scan, RunsAlongTheLastAxis) {
  const Tensor x = floats({2, 3}, {1, 2, 4, 8, 16, 32});
  EXPECT_EQ(output_of(scan({}, x)).data, floats({2, 3}, {1, 3, 7, 8, 24, 56}).data);
  EXPECT_EQ(output_of(scan({ReduceOp::product, false}, x)).data,
            floats({2, 3}, {1, 2, 8, 8, 128, 4096}).data);
  EXPECT_EQ(output_of(scan({ReduceOp::sum, true}, x)).data,
            floats({2, 3}, {0, 1, 3, 0, 8, 24}).data);
}

TEST(Scan, TheFirstThingTakenIsCopied) {
  const Tensor zeros = floats({3}, {-0.0F, -0.0F, 0.0F});
  EXPECT_EQ(output_of(scan({}, zeros)).data, zeros.data);
  const Tensor carry = floats({1}, {-0.0F});
  EXPECT_EQ(output_of(scan({ReduceOp::sum, true}, zeros, carry)).data,
            floats({3}, {-0.0F, -0.0F, -0.0F}).data);
  EXPECT_EQ(output_of(scan({ReduceOp::sum, false}, zeros, floats({1}, {0.0F}))).data,
            floats({3}, {0, 0, 0}).data);
}

TEST(Scan, NothingTakenIsTheIdentity) {
  const Tensor x = floats({2}, {5, 6});
  const auto first = [&](ReduceOp op) {
    return test::f32_of(load_bits(DType::f32, output_of(scan({op, true}, x)).data, 0));
  };
  EXPECT_EQ(test::bits_of(first(ReduceOp::sum)), test::bits_of(0.0F));
  EXPECT_EQ(first(ReduceOp::product), 1);
  EXPECT_EQ(first(ReduceOp::maximum), -infinity);
  EXPECT_EQ(first(ReduceOp::minimum), infinity);
  const Tensor bytes{{DType::i8, {1}}, {7}};
  EXPECT_EQ(output_of(scan({ReduceOp::maximum, true}, bytes)).data, Bytes{0x80});
  EXPECT_EQ(output_of(scan({ReduceOp::minimum, true}, bytes)).data, Bytes{0x7f});
}

TEST(Scan, MaximumKeepsNaNAndOrdersZeros) {
  const Tensor x = floats({5}, {-1, -0.0F, 0.0F, nan_value, 3});
  EXPECT_EQ(output_of(scan({ReduceOp::maximum, false}, x)).data,
            floats({5}, {-1, -0.0F, 0.0F, nan_value, nan_value}).data);
  EXPECT_EQ(output_of(scan({ReduceOp::minimum, true}, x)).data,
            floats({5}, {infinity, -1, -1, -1, nan_value}).data);
}

/// The operation on two elements, by the machine's own arithmetic.
uint64_t merged(ReduceOp op, DType type, uint64_t a, uint64_t b) {
  switch (op) {
    case ReduceOp::sum:
      return binary(MapOp::add, type, a, b);
    case ReduceOp::product:
      return binary(MapOp::multiply, type, a, b);
    case ReduceOp::maximum:
      return binary(MapOp::maximum, type, a, b);
    default:
      return binary(MapOp::minimum, type, a, b);
  }
}
uint64_t identity_of(ReduceOp op, DType type) {
  switch (op) {
    case ReduceOp::sum:
      return 0;
    case ReduceOp::product:
      return one_of(type);
    case ReduceOp::maximum:
      return lowest_of(type);
    default:
      return highest_of(type);
  }
}

/// One pass over all elements that starts anew with each block.
Bytes scanned(const RandomOp& made) {
  const auto& attr = std::get<ScanAttr>(made.record.attributes);
  const DType type = made.record.out.type;
  const int64_t n = made.record.out.dims.back();
  Bytes out(made.in[0].data.size());
  std::optional<uint64_t> running;
  int64_t block = -1;
  for (int64_t o = 0; o < made.record.out.count(); ++o) {
    if (o % n % 64 == 0) {
      block += 1;
      running.reset();
      if (made.in.size() == 2) {
        running = load_bits(type, made.in[1].data, block);
      }
    }
    const uint64_t mine = load_bits(type, made.in[0].data, o);
    const uint64_t next = running ? merged(attr.op, type, *running, mine) : mine;
    store_bits(type,
               out,
               o,
               !attr.exclusive ? next
               : running       ? *running
                               : identity_of(attr.op, type));
    running = next;
  }
  return out;
}

TEST(Scan, RandomOnesEqualOnePass) {
  int64_t carried = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    test::SeededChoices choices(seed);
    const RandomOp made = test::random_op(choices, Kind::scan, 500);
    EXPECT_EQ(output_of(made).data, scanned(made)) << "seed " << seed;
    carried += made.in.size() == 2 ? 1 : 0;
  }
  EXPECT_GT(carried, 100);
}

/// Scans inside blocks, the last of each block scanned, and scans again with what came before.
TEST(Scan, ThreeOperatorsScanALongAxis) {
  constexpr int64_t n = 1000, blocks = 16;
  Tensor x{{DType::i64, {n}}, Bytes(n * 8)};
  Tensor padded{{DType::i64, {blocks, 64}}, Bytes(blocks * 64 * 8)};
  Bytes want(n * 8);
  uint64_t sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto value = static_cast<uint64_t>(i * i % 37 - 11);
    store_bits(DType::i64, x.data, i, value);
    store_bits(DType::i64, padded.data, i, value);
    sum += value;
    store_bits(DType::i64, want, i, sum);
  }
  const Tensor inside = output_of(scan({}, padded));
  Tensor sums{{DType::i64, {blocks}}, Bytes(blocks * 8)};
  for (int64_t block = 0; block < blocks; ++block) {
    const uint64_t last = load_bits(DType::i64, inside.data, block * 64 + 63);
    store_bits(DType::i64, sums.data, block, last);
  }
  const Tensor before = output_of(scan({ReduceOp::sum, true}, sums));
  EXPECT_EQ(output_of(scan({}, x, before)).data, want);
}

}  // namespace
}  // namespace lockstep::law
