// Portable average pool and its gradient: each element adds its terms in the law's order and is
// written once.
#include "tensor/average_pool.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::MapOp;

struct ArithmeticF32 {
  using Value = float;
  [[nodiscard]] static Value load(ByteView in, int64_t at) { return as<float>(in)[at]; }
  static void store(std::span<uint8_t> out, int64_t at, Value value) {
    as<float>(out)[at] = canonical_f32(value);
  }
  [[nodiscard]] static Value zero() { return 0.0F; }
  [[nodiscard]] static Value number(int64_t count) { return static_cast<float>(count); }
  [[nodiscard]] static Value add(Value a, Value b) { return a + b; }
  [[nodiscard]] static Value divide(Value a, Value b) { return a / b; }
};

struct ArithmeticAny {
  using Value = uint64_t;
  DType type;
  [[nodiscard]] Value load(ByteView in, int64_t at) const { return law::load_bits(type, in, at); }
  void store(std::span<uint8_t> out, int64_t at, Value value) const {
    law::store_bits(type, out, at, law::canonical(type, value));
  }
  [[nodiscard]] static Value zero() { return 0; }
  [[nodiscard]] Value number(int64_t count) const {
    return law::convert(DType::i64, type, static_cast<uint64_t>(count));
  }
  [[nodiscard]] Value add(Value a, Value b) const { return law::binary(MapOp::add, type, a, b); }
  [[nodiscard]] Value divide(Value a, Value b) const {
    return law::binary(MapOp::divide, type, a, b);
  }
};

template <class Arithmetic>
struct Average {
  const Call& call;
  Arithmetic arithmetic;
  AverageGeometry g;
  using Value = typename Arithmetic::Value;
  using Window = PoolGeometry::Window;

  // Channels c … c + width − 1 of one place, `to` being the first of them in the output.
  template <int64_t width>
  void forward(const Window& window, int64_t image, int64_t to) const {
    std::array<Value, width> sum;
    sum.fill(arithmetic.zero());
    for (int64_t h = window.h0; h < window.h1; ++h) {
      for (int64_t w = window.w0; w < window.w1; ++w) {
        const int64_t from = image + (h * g.pool.w + w) * g.pool.c;
        for (size_t c = 0; c < width; ++c) {
          const Value term = arithmetic.load(call.in[0], from + static_cast<int64_t>(c));
          sum[c] = arithmetic.add(sum[c], term);
        }
      }
    }
    const Value number = arithmetic.number(g.divisor(window));
    for (size_t c = 0; c < width; ++c) {
      const Value mean = arithmetic.divide(sum[c], number);
      arithmetic.store(call.out, to + static_cast<int64_t>(c), mean);
    }
  }

  template <int64_t width>
  void backward(const AverageGeometry::Cover& cover, int64_t image, int64_t to) const {
    std::array<Value, width> sum;
    sum.fill(arithmetic.zero());
    for (int64_t y = cover.y0; y < cover.y1; ++y) {
      for (int64_t x = cover.x0; x < cover.x1; ++x) {
        const Value number = arithmetic.number(g.divisor(g.pool.window(y, x)));
        const int64_t from = image + (y * g.pool.ow + x) * g.pool.c;
        for (size_t c = 0; c < width; ++c) {
          const Value term = arithmetic.load(call.in[0], from + static_cast<int64_t>(c));
          sum[c] = arithmetic.add(sum[c], arithmetic.divide(term, number));
        }
      }
    }
    for (size_t c = 0; c < width; ++c) {
      arithmetic.store(call.out, to + static_cast<int64_t>(c), sum[c]);
    }
  }

  static constexpr int64_t abreast = 16;

  void run_forward() const {
    for_average_places(call.workers, g.forward_rows(), [&](int64_t n, int64_t y, int64_t x) {
      const Window window = g.pool.window(y, x);
      const int64_t image = n * g.pool.h * g.pool.w * g.pool.c;
      const int64_t to = ((n * g.pool.oh + y) * g.pool.ow + x) * g.pool.c;
      int64_t c = 0;
      for (; c + abreast <= g.pool.c; c += abreast) {
        forward<abreast>(window, image + c, to + c);
      }
      for (; c < g.pool.c; ++c) {
        forward<1>(window, image + c, to + c);
      }
    });
  }

  void run_backward() const {
    for_average_places(call.workers, g.backward_rows(), [&](int64_t n, int64_t h, int64_t w) {
      const AverageGeometry::Cover cover = g.cover(h, w);
      const int64_t image = n * g.pool.oh * g.pool.ow * g.pool.c;
      const int64_t to = ((n * g.pool.h + h) * g.pool.w + w) * g.pool.c;
      int64_t c = 0;
      for (; c + abreast <= g.pool.c; c += abreast) {
        backward<abreast>(cover, image + c, to + c);
      }
      for (; c < g.pool.c; ++c) {
        backward<1>(cover, image + c, to + c);
      }
    });
  }
};

}  // namespace

AverageGeometry average_geometry(const law::Op& op) {
  const auto& attr = std::get<law::AveragePoolAttr>(op.record->attributes);
  const bool forward = op.record->kind == law::Kind::average_pool;
  const law::Dims& x = forward ? op.in[0].dims : op.record->out.dims;
  const law::Dims& y = forward ? op.record->out.dims : op.in[0].dims;
  return {
      .pool =
          {.n = x[0], .h = x[1], .w = x[2], .c = x[3], .oh = y[1], .ow = y[2], .attr = attr.pool},
      .count_padding = attr.count_padding};
}

void run_average_pool(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const AverageGeometry g = average_geometry(call.op);
  if (call.op.record->out.type == DType::f32) {
    Average<ArithmeticF32>{call, {}, g}.run_forward();
  } else {
    Average<ArithmeticAny>{call, {call.op.record->out.type}, g}.run_forward();
  }
}

void run_average_pool_grad(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const AverageGeometry g = average_geometry(call.op);
  if (call.op.record->out.type == DType::f32) {
    Average<ArithmeticF32>{call, {}, g}.run_backward();
  } else {
    Average<ArithmeticAny>{call, {call.op.record->out.type}, g}.run_backward();
  }
}

}  // namespace lockstep::tensor
