// For tests only: gradients against finite differences of the law's own evaluation.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>

#include "base/test_random.h"
#include "graph/builder.h"
#include "law/interpret.h"

namespace lockstep::graph::test {

using law::Dims;
using law::DType;
using law::Kind;
using Values = std::vector<Value>;
using Make = std::function<Value(Builder&, const Values&)>;

template <class T>
law::Tensor tensor_of(DType type, Dims dims, const std::vector<T>& values) {
  law::Tensor made{{type, std::move(dims)}, Bytes(values.size() * sizeof(T))};
  if (!values.empty()) {
    std::memcpy(made.data.data(), values.data(), made.data.size());
  }
  return made;
}
inline law::Tensor f32(Dims dims, const std::vector<float>& values) {
  return tensor_of(DType::f32, std::move(dims), values);
}
inline law::Tensor i64(Dims dims, const std::vector<int64_t>& values) {
  return tensor_of(DType::i64, std::move(dims), values);
}
template <class T>
std::vector<T> values_of(const law::Tensor& from) {
  std::vector<T> values(from.data.size() / sizeof(T));
  if (!values.empty()) {
    std::memcpy(values.data(), from.data.data(), from.data.size());
  }
  return values;
}
inline law::Tensor random_f32(TestRandom& random, const Dims& dims, float low, float high) {
  std::vector<float> values(static_cast<size_t>(law::count_of(dims)));
  for (float& value : values) {
    value = random.uniform(low, high);
  }
  return f32(dims, values);
}
inline float at(const law::Tensor& tensor, int64_t i) {
  return std::bit_cast<float>(static_cast<uint32_t>(law::load_bits(DType::f32, tensor.data, i)));
}
inline void put(law::Tensor& tensor, int64_t i, float value) {
  law::store_bits(DType::f32, tensor.data, i, std::bit_cast<uint32_t>(value));
}

/// A program with leaves x0, x1, …, the loss in leaf "loss", the gradients in g0, g1, ….
struct Trained {
  Built built;
  size_t inputs;
  [[nodiscard]] std::vector<law::Tensor> step(const std::vector<law::Tensor>& x) const {
    std::vector<law::Tensor> state;
    for (size_t i = 0; i < built.program.leaves.size(); ++i) {
      const law::Shape& shape = built.program.leaves[i].shape;
      state.push_back({shape, Bytes(static_cast<size_t>(shape.bytes()))});
    }
    for (size_t i = 0; i < x.size(); ++i) {
      state[inputs + 1 + i] = x[i];  // sorted: g…, loss, x…
    }
    return law::run_step(built.program, state, built.constants, nullptr);
  }
  [[nodiscard]] int64_t count(Kind kind) const {
    int64_t found = 0;
    for (const law::Record& record : built.program.records) {
      found += record.kind == kind ? 1 : 0;
    }
    return found;
  }
};

inline Trained train(const std::vector<law::Tensor>& x, const Make& make) {
  Builder builder;
  Values leaves;
  for (size_t i = 0; i < x.size(); ++i) {
    leaves.push_back(builder.leaf("x" + std::to_string(i), x[i].shape));
  }
  const Value loss = make(builder, leaves);
  const Values gradients = builder.gradients(loss, leaves);
  for (size_t i = 0; i < x.size(); ++i) {
    builder.set_next(builder.leaf("g" + std::to_string(i), x[i].shape), gradients[i]);
  }
  builder.set_next(builder.leaf("loss", {DType::f32, {}}), loss);
  Result<Built> built = builder.finish();
  EXPECT_TRUE(built.ok()) << (built.ok() ? "" : built.error().message());
  return built.ok() ? Trained{std::move(*built), x.size()} : Trained{{}, 0};
}

inline std::vector<law::Tensor> gradients_of(const std::vector<law::Tensor>& x, const Make& make) {
  const Trained trained = train(x, make);
  return trained.inputs == 0 ? std::vector<law::Tensor>(x.size()) : trained.step(x);
}

/// Central differences at up to `probes` elements of each input.
inline void expect_numeric(const std::vector<law::Tensor>& x,
                           const Make& make,
                           float h,
                           int64_t probes) {
  const Trained trained = train(x, make);
  ASSERT_EQ(trained.inputs, x.size());
  const std::vector<law::Tensor> out = trained.step(x);
  for (size_t input = 0; input < x.size(); ++input) {
    const int64_t count = x[input].shape.count();
    const int64_t stride = std::max<int64_t>(1, count / probes);
    for (int64_t i = 0; i < count; i += stride) {
      std::vector<law::Tensor> moved = x;
      const float high = at(x[input], i) + h;
      const float low = at(x[input], i) - h;
      put(moved[input], i, high);
      const double up = at(trained.step(moved)[x.size()], 0);
      put(moved[input], i, low);
      const double down = at(trained.step(moved)[x.size()], 0);
      const double slope = (up - down) / (static_cast<double>(high) - low);
      EXPECT_NEAR(at(out[input], i), slope, 4e-3 + 0.01 * std::abs(slope))
          << "input " << input << " element " << i;
    }
  }
}

/// Any value as a loss: a weighted sum of its elements, so that no two are alike.
inline Value weigh(Builder& builder, Value y) {
  const Dims dims = builder.shape(y).dims;
  TestRandom random(99);
  const Value weighted =
      builder.multiply(y, builder.constant(random_f32(random, dims, -1.0F, 1.0F)));
  law::ReduceAttr all;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    all.axes.push_back(static_cast<uint8_t>(axis));
  }
  return builder.reduce_all(weighted, all);
}

inline void expect_numeric_of(const std::vector<Dims>& dims,
                              const Make& make,
                              float low,
                              float high) {
  TestRandom random(7);
  std::vector<law::Tensor> x;
  x.reserve(dims.size());
  for (const Dims& d : dims) {
    x.push_back(random_f32(random, d, low, high));
  }
  expect_numeric(
      x, [&](Builder& b, const Values& in) { return weigh(b, make(b, in)); }, 0x1p-8F, 12);
}

/// Builds y from inputs that are leaves x0, x1, … and evaluates one step.
inline law::Tensor evaluate(const std::vector<law::Tensor>& inputs, const Make& make) {
  Builder builder;
  Values leaves;
  for (size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(builder.leaf("x" + std::to_string(i), inputs[i].shape));
  }
  const Value y = make(builder, leaves);
  const law::Shape shape = builder.shape(y);
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

}  // namespace lockstep::graph::test
