// Average pooling against plain loops over the windows.
#include <gtest/gtest.h>

#include <bit>

#include "law/test_random_ops.h"
#include "law/test_steps.h"

namespace lockstep::law {
namespace {

using test::RandomOp;

const float nan_value = std::bit_cast<float>(0x7fc00000U);

Tensor floats(Dims dims, const std::vector<float>& values) {
  Tensor tensor{{DType::f32, std::move(dims)}, Bytes(values.size() * 4)};
  for (size_t i = 0; i < values.size(); ++i) {
    store_bits(
        DType::f32, tensor.data, static_cast<int64_t>(i), std::bit_cast<uint32_t>(values[i]));
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

RandomOp pool(Kind kind, const AveragePoolAttr& attr, const Tensor& in, Dims out) {
  return {{kind, attr, {}, {DType::f32, std::move(out)}}, {in}};
}

TEST(AveragePool, DividesByWhatIsInsideOrByTheArea) {
  AveragePoolAttr attr;
  attr.pool.window_w = 3, attr.pool.pad_left = 1, attr.pool.pad_right = 1;
  const Tensor x = floats({1, 1, 4, 1}, {1, 2, 6, 10});
  EXPECT_EQ(output_of(pool(Kind::average_pool, attr, x, x.shape.dims)),
            floats({1, 1, 4, 1}, {1.5F, 3, 6, 8}).data);
  attr.count_padding = true;
  EXPECT_EQ(output_of(pool(Kind::average_pool, attr, x, x.shape.dims)),
            floats({1, 1, 4, 1}, {1, 3, 6, 16.0F / 3.0F}).data);
  const Tensor dy = floats({1, 1, 4, 1}, {3, 30, 300, 3000});
  EXPECT_EQ(output_of(pool(Kind::average_pool_grad, attr, dy, x.shape.dims)),
            floats({1, 1, 4, 1}, {11, 111, 1110, 1100}).data);
  attr.count_padding = false;
  EXPECT_EQ(output_of(pool(Kind::average_pool_grad, attr, dy, x.shape.dims)),
            floats({1, 1, 4, 1}, {11.5F, 111.5F, 1610, 1600}).data);
}

TEST(AveragePool, SumsFromPlusZeroAndKeepsNaN) {
  AveragePoolAttr attr;
  attr.pool.window_w = attr.pool.stride_w = 2;
  const Tensor x = floats({1, 1, 4, 1}, {-0.0F, -0.0F, nan_value, 1});
  EXPECT_EQ(output_of(pool(Kind::average_pool, attr, x, {1, 1, 2, 1})),
            floats({1, 1, 2, 1}, {0.0F, nan_value}).data);
  // A column that no window covers has the empty sum.
  const Tensor dy = floats({1, 1, 2, 1}, {-0.0F, 4});
  EXPECT_EQ(output_of(pool(Kind::average_pool_grad, attr, dy, {1, 1, 5, 1})),
            floats({1, 1, 5, 1}, {0, 0, 2, 2, 0}).data);
}

template <class T>
T value_at(const Tensor& tensor, int64_t at) {
  const uint64_t bits = load_bits(tensor.shape.type, tensor.data, at);
  if constexpr (sizeof(T) == 4) {
    return test::f32_of(bits);
  } else {
    return test::f64_of(bits);
  }
}

/// Visits each place of the image under each window, in the law's order: visit(x, y, number).
template <class Visit>
void each_place(const AveragePoolAttr& attr, const Dims& x, const Dims& y, Visit visit) {
  const PoolAttr& p = attr.pool;
  for (int64_t o = 0; o < y[0] * y[1] * y[2] * y[3]; ++o) {
    const int64_t c = o % y[3], ow = o / y[3] % y[2], oh = o / y[3] / y[2] % y[1];
    const int64_t n = o / y[3] / y[2] / y[1];
    std::vector<int64_t> inside;
    for (int64_t i = 0; i < p.window_h * p.window_w; ++i) {
      const int64_t h = oh * p.stride_h - p.pad_top + i / p.window_w;
      const int64_t w = ow * p.stride_w - p.pad_left + i % p.window_w;
      if (h >= 0 && h < x[1] && w >= 0 && w < x[2]) {
        inside.push_back(((n * x[1] + h) * x[2] + w) * x[3] + c);
      }
    }
    const auto number = static_cast<int64_t>(inside.size());
    for (const int64_t place : inside) {
      visit(place, o, attr.count_padding ? p.window_h * p.window_w : number);
    }
  }
}

template <class T>
Bytes pooled(const RandomOp& made) {
  const auto& attr = std::get<AveragePoolAttr>(made.record.attributes);
  const bool grad = made.record.kind == Kind::average_pool_grad;
  const Dims& in = made.in[0].shape.dims;
  const Dims& out = made.record.out.dims;
  std::vector<T> sums(static_cast<size_t>(made.record.out.count()), T{0});
  std::vector<T> numbers(sums.size(), T{1});
  each_place(attr, grad ? out : in, grad ? in : out, [&](int64_t x, int64_t y, int64_t number) {
    const auto divisor = static_cast<T>(number);
    if (grad) {
      sums[static_cast<size_t>(x)] += value_at<T>(made.in[0], y) / divisor;
    } else {
      sums[static_cast<size_t>(y)] += value_at<T>(made.in[0], x);
      numbers[static_cast<size_t>(y)] = divisor;
    }
  });
  Tensor result{made.record.out, Bytes(sums.size() * sizeof(T))};
  for (size_t i = 0; i < sums.size(); ++i) {
    store_bits(result.shape.type,
               result.data,
               static_cast<int64_t>(i),
               test::bits_of(static_cast<T>(sums[i] / numbers[i])));
  }
  canonicalise(result);
  return result.data;
}

TEST(AveragePool, RandomOnesEqualLoopsOverTheWindows) {
  int64_t elements = 0;
  for (uint64_t seed = 0; seed < 600; ++seed) {
    test::SeededChoices choices(seed);
    const Kind kind = seed % 2 == 0 ? Kind::average_pool : Kind::average_pool_grad;
    const RandomOp made = test::random_op(choices, kind, 1000);
    const bool single = made.record.out.type == DType::f32;
    EXPECT_EQ(output_of(made), single ? pooled<float>(made) : pooled<double>(made))
        << "seed " << seed;
    elements += made.record.out.count();
  }
  EXPECT_GT(elements, 5000);
}

}  // namespace
}  // namespace lockstep::law
