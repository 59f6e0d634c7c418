// The nodes of a map on one block: typed loops for what programs use most, the law's scalars for
// everything else.
#include <cmath>

#include "base/check.h"
#include "tensor/general_internal.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::MapOp;

template <class T>
const T* operand(const MapStep& step, size_t i) {
  return reinterpret_cast<const T*>(step.in[i]);
}

template <class T, class R = T, class F>
bool each1(const MapStep& step, F f) {
  const T* const a = operand<T>(step, 0);
  R* const out = reinterpret_cast<R*>(step.out);
  for (int64_t i = 0; i < step.count; ++i) {
    out[i] = f(a[i]);
  }
  return true;
}

template <class T, class R = T, class F>
bool each2(const MapStep& step, F f) {
  const T* const a = operand<T>(step, 0);
  const T* const b = operand<T>(step, 1);
  R* const out = reinterpret_cast<R*>(step.out);
  for (int64_t i = 0; i < step.count; ++i) {
    out[i] = f(a[i], b[i]);
  }
  return true;
}

template <class T>
bool compare(const MapStep& step) {
  switch (step.op) {
    case MapOp::less:
      return each2<T, uint8_t>(step, [](T a, T b) -> uint8_t { return a < b; });
    case MapOp::less_equal:
      return each2<T, uint8_t>(step, [](T a, T b) -> uint8_t { return a <= b; });
    case MapOp::equal:
      return each2<T, uint8_t>(step, [](T a, T b) -> uint8_t { return a == b; });
    case MapOp::not_equal:
      return each2<T, uint8_t>(step, [](T a, T b) -> uint8_t { return a != b; });
    default:
      return false;
  }
}

bool step_f32(const MapStep& step) {
  switch (step.op) {
    case MapOp::add:
      return each2<float>(step, [](float a, float b) { return a + b; });
    case MapOp::subtract:
      return each2<float>(step, [](float a, float b) { return a - b; });
    case MapOp::multiply:
      return each2<float>(step, [](float a, float b) { return a * b; });
    case MapOp::divide:
      return each2<float>(step, [](float a, float b) { return a / b; });
    case MapOp::maximum:
      return each2<float>(step, [](float a, float b) { return law::maximum_f32(a, b); });
    case MapOp::minimum:
      return each2<float>(step, [](float a, float b) { return law::minimum_f32(a, b); });
    case MapOp::negate:
      return each1<uint32_t>(step, [](uint32_t a) { return a ^ 0x80000000U; });
    case MapOp::absolute:
      return each1<uint32_t>(step, [](uint32_t a) { return a & 0x7fffffffU; });
    case MapOp::square_root:
      return each1<float>(step, [](float a) { return std::sqrt(a); });
    case MapOp::exp:
      return each1<float>(step, law::exp_f32);
    case MapOp::log:
      return each1<float>(step, law::log_f32);
    case MapOp::cos:
      return each1<float>(step, law::cos_f32);
    case MapOp::sin:
      return each1<float>(step, law::sin_f32);
    case MapOp::tanh:
      return each1<float>(step, law::tanh_f32);
    case MapOp::erf:
      return each1<float>(step, law::erf_f32);
    case MapOp::sigmoid:
      return each1<float>(step, law::sigmoid_f32);
    case MapOp::reciprocal_square_root:
      return each1<float>(step, law::reciprocal_square_root_f32);
    default:
      return compare<float>(step);
  }
}

/// Integers whose arithmetic wraps as `Unsigned`.
template <class T, class Unsigned>
bool step_integer(const MapStep& step) {
  switch (step.op) {
    case MapOp::add:
      return each2<Unsigned>(step, [](Unsigned a, Unsigned b) { return a + b; });
    case MapOp::subtract:
      return each2<Unsigned>(step, [](Unsigned a, Unsigned b) { return a - b; });
    case MapOp::multiply:
      return each2<Unsigned>(step, [](Unsigned a, Unsigned b) { return a * b; });
    default:
      return compare<T>(step);
  }
}

template <class T>
bool select(const MapStep& step) {
  const uint8_t* const choice = step.in[0];
  const T* const a = operand<T>(step, 1);
  const T* const b = operand<T>(step, 2);
  T* const out = reinterpret_cast<T*>(step.out);
  for (int64_t i = 0; i < step.count; ++i) {
    out[i] = choice[i] != 0 ? a[i] : b[i];
  }
  return true;
}

bool select_any(const MapStep& step) {
  switch (law::size_of(step.operand)) {
    case 1:
      return select<uint8_t>(step);
    case 2:
      return select<uint16_t>(step);
    case 4:
      return select<uint32_t>(step);
    default:
      return select<uint64_t>(step);
  }
}

bool fused_f32(const MapStep& step) {
  const float* const a = operand<float>(step, 0);
  const float* const b = operand<float>(step, 1);
  const float* const c = operand<float>(step, 2);
  auto* const out = reinterpret_cast<float*>(step.out);
  for (int64_t i = 0; i < step.count; ++i) {
    out[i] = std::fma(a[i], b[i], c[i]);
  }
  return true;
}

/// Integer to f32 is one rounding, which the processor's conversions do.
bool cast_to_f32(const MapStep& step) {
  switch (step.operand) {
    case DType::u8:
    case DType::boolean:
      return each1<uint8_t, float>(step, [](uint8_t a) { return static_cast<float>(a); });
    case DType::i32:
      return each1<int32_t, float>(step, [](int32_t a) { return static_cast<float>(a); });
    case DType::i64:
      return each1<int64_t, float>(step, [](int64_t a) { return static_cast<float>(a); });
    default:
      return false;
  }
}

bool canonical_step(const MapStep& step) {
  if (step.operand != DType::f32) {
    return false;
  }
  return each1<uint32_t>(step, [](uint32_t bits) {
    return (bits & 0x7fffffffU) > 0x7f800000U ? canonical_nan_f32 : bits;
  });
}

}  // namespace

bool map_step_portable(const MapStep& step) {
  switch (step.op) {
    case MapOp::select:
      return select_any(step);
    case MapOp::cast:
      return step.result == DType::f32 && cast_to_f32(step);
    case MapOp::bitcast:
      return canonical_step(step);
    case MapOp::fma:
      return step.operand == DType::f32 && fused_f32(step);
    default:
      break;
  }
  switch (step.operand) {
    case DType::f32:
      return step_f32(step);
    case DType::i32:
      return step_integer<int32_t, uint32_t>(step);
    case DType::i64:
      return step_integer<int64_t, uint64_t>(step);
    default:
      return false;
  }
}

void map_step_scalar(const MapStep& step) {
  const auto load = [&step](size_t i, int64_t at) {
    const auto size = static_cast<size_t>(law::size_of(step.operand));
    return law::load_bits(step.operand, {step.in[i], static_cast<size_t>(step.count) * size}, at);
  };
  const auto element = [&](int64_t at) -> uint64_t {
    switch (step.op) {
      case MapOp::cast:
        return law::convert(step.operand, step.result, load(0, at));
      case MapOp::bitcast:
        return law::canonical(step.operand, load(0, at));
      case MapOp::fma:
        return law::fused(step.operand, load(0, at), load(1, at), load(2, at));
      default:
        return step.op >= MapOp::negate
                   ? law::unary(step.op, step.operand, load(0, at))
                   : law::binary(step.op, step.operand, load(0, at), load(1, at));
    }
  };
  CHECK(step.op != MapOp::select);
  const auto size = static_cast<size_t>(law::size_of(step.result));
  for (int64_t i = 0; i < step.count; ++i) {
    law::store_bits(step.result, {step.out, static_cast<size_t>(step.count) * size}, i, element(i));
  }
}

}  // namespace lockstep::tensor
