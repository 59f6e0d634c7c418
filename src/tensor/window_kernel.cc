// Portable max-pool and its gradient. The gradient goes over the windows in (oh, ow) order and adds
// each dy to its window's first maximum: every element so receives its terms in the law's order.
#include "tensor/general_internal.h"

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
  [[nodiscard]] static Value add(Value a, Value b) { return a + b; }
  [[nodiscard]] static Value maximum(Value a, Value b) { return law::maximum_f32(a, b); }
  [[nodiscard]] static bool is_nan(Value a) { return a != a; }
  [[nodiscard]] static bool less(Value a, Value b) { return a < b; }
};

struct ArithmeticAny {
  using Value = uint64_t;
  DType type;
  [[nodiscard]] Value load(ByteView in, int64_t at) const { return law::load_bits(type, in, at); }
  void store(std::span<uint8_t> out, int64_t at, Value value) const {
    law::store_bits(type, out, at, law::canonical(type, value));
  }
  [[nodiscard]] Value add(Value a, Value b) const { return law::binary(MapOp::add, type, a, b); }
  [[nodiscard]] Value maximum(Value a, Value b) const {
    return law::binary(MapOp::maximum, type, a, b);
  }
  [[nodiscard]] bool is_nan(Value a) const {
    return law::binary(MapOp::not_equal, type, a, a) != 0;
  }
  [[nodiscard]] bool less(Value a, Value b) const {
    return law::binary(MapOp::less, type, a, b) != 0;
  }
};

template <class Arithmetic>
struct Pool {
  const Call& call;
  Arithmetic arithmetic;
  PoolGeometry g;
  using Window = PoolGeometry::Window;
  using Value = typename Arithmetic::Value;

  [[nodiscard]] Value maximum(const Window& window, int64_t image, int64_t c) const {
    Value best{};
    for (int64_t h = window.h0; h < window.h1; ++h) {
      for (int64_t w = window.w0; w < window.w1; ++w) {
        const Value value = arithmetic.load(call.in[0], image + (h * g.w + w) * g.c + c);
        const bool first = h == window.h0 && w == window.w0;
        best = first ? value : arithmetic.maximum(best, value);
      }
    }
    return best;
  }

  /// The first NaN of the window, else its first element that equals the maximum.
  [[nodiscard]] int64_t first_maximum(const Window& window, int64_t image, int64_t c) const {
    int64_t at = -1;
    Value best{};
    for (int64_t h = window.h0; h < window.h1; ++h) {
      for (int64_t w = window.w0; w < window.w1; ++w) {
        const int64_t element = image + (h * g.w + w) * g.c + c;
        const Value value = arithmetic.load(call.in[0], element);
        if (arithmetic.is_nan(value)) {
          return element;
        }
        if (at < 0 || arithmetic.less(best, value)) {
          at = element;
          best = value;
        }
      }
    }
    return at;
  }

  /// One output row.
  void forward(int64_t row) const {
    const int64_t image = row / g.oh * g.h * g.w * g.c;
    for (int64_t x = 0; x < g.ow; ++x) {
      const Window window = g.window(row % g.oh, x);
      for (int64_t c = 0; c < g.c; ++c) {
        arithmetic.store(call.out, (row * g.ow + x) * g.c + c, maximum(window, image, c));
      }
    }
  }

  /// One image; its part of the output is zero before.
  void backward(int64_t n) const {
    const int64_t image = n * g.h * g.w * g.c;
    for (int64_t y = 0; y < g.oh; ++y) {
      for (int64_t x = 0; x < g.ow; ++x) {
        const Window window = g.window(y, x);
        const int64_t from = ((n * g.oh + y) * g.ow + x) * g.c;
        for (int64_t c = 0; c < g.c; ++c) {
          const int64_t to = first_maximum(window, image, c);
          const Value sum =
              arithmetic.add(arithmetic.load(call.out, to), arithmetic.load(call.in[1], from + c));
          arithmetic.store(call.out, to, sum);
        }
      }
    }
  }

  void run_forward() const {
    const int64_t rows = g.n * g.oh;
    for_parts(call.workers, rows, [&](int64_t row, int) { forward(row); });
  }

  void run_backward() const {
    const auto bytes = static_cast<size_t>(g.h * g.w * g.c * law::size_of(call.op.in[0].type));
    for_parts(call.workers, g.n, [&](int64_t n, int) {
      std::ranges::fill(call.out.subspan(static_cast<size_t>(n) * bytes, bytes), uint8_t{0});
      backward(n);
    });
  }
};

}  // namespace

PoolGeometry pool_geometry(const law::Op& op) {
  const law::Dims& x = op.in[0].dims;
  const law::Dims& y = op.record->kind == law::Kind::max_pool ? op.record->out.dims : op.in[1].dims;
  return {.n = x[0],
          .h = x[1],
          .w = x[2],
          .c = x[3],
          .oh = y[1],
          .ow = y[2],
          .attr = std::get<law::PoolAttr>(op.record->attributes)};
}

void run_max_pool(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const DType type = call.op.record->out.type;
  const PoolGeometry geometry = pool_geometry(call.op);
  if (type == DType::f32) {
    Pool<ArithmeticF32>{call, {}, geometry}.run_forward();
  } else {
    Pool<ArithmeticAny>{call, {type}, geometry}.run_forward();
  }
}

void run_max_pool_grad(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const DType type = call.op.record->out.type;
  const PoolGeometry geometry = pool_geometry(call.op);
  if (type == DType::f32) {
    Pool<ArithmeticF32>{call, {}, geometry}.run_backward();
  } else {
    Pool<ArithmeticAny>{call, {type}, geometry}.run_backward();
  }
}

}  // namespace lockstep::tensor
