// Row-major index arithmetic and the bits that an element type fixes: one place for the folds and
// for the kernels that must agree with them. Nothing here allocates or reads data.
#pragma once

#include <array>
#include <span>

#include "law/types.h"

namespace lockstep::law {

/// One number for each axis; 0 past the rank.
using PerAxis = std::array<int64_t, limits::rank_max>;

/// Row-major strides in elements.
[[nodiscard]] inline PerAxis strides_of(std::span<const int64_t> dims) {
  PerAxis strides{};
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= dims[i];
  }
  return strides;
}

/// Strides of `dims` read as `out` by numpy broadcasting: 0 where repeated.
[[nodiscard]] inline PerAxis broadcast_strides(std::span<const int64_t> dims,
                                               std::span<const int64_t> out) {
  PerAxis strides{};
  const PerAxis own = strides_of(dims);
  const size_t lead = out.size() - dims.size();
  for (size_t i = 0; i < dims.size(); ++i) {
    strides[lead + i] = dims[i] == 1 ? 0 : own[i];
  }
  return strides;
}

/// Row-major index `o` of `dims`, none of them 0, split into coordinates. `at` has dims.size()
/// places.
inline void split(int64_t o, std::span<const int64_t> dims, std::span<int64_t> at) {
  for (size_t i = dims.size(); i-- > 0;) {
    at[i] = o % dims[i];
    o /= dims[i];
  }
}

/// The element that row-major index `o` of `dims`, none of them 0, is with other strides.
[[nodiscard]] inline int64_t element_of(int64_t o,
                                        std::span<const int64_t> dims,
                                        const PerAxis& strides) {
  int64_t element = 0;
  for (size_t i = dims.size(); i-- > 0;) {
    element += o % dims[i] * strides[i];
    o /= dims[i];
  }
  return element;
}

[[nodiscard]] constexpr bool is_float(DType type) {
  return type == DType::f32 || type == DType::f64 || type == DType::bf16 || type == DType::f16;
}

[[nodiscard]] constexpr bool is_signed(DType type) {
  return type == DType::i8 || type == DType::i16 || type == DType::i32 || type == DType::i64;
}

/// Canonical quiet NaN of a floating type, 0 of any other.
[[nodiscard]] constexpr uint64_t nan_or_zero(DType type) {
  switch (type) {
    case DType::f32:
      return 0x7fc00000;
    case DType::f64:
      return 0x7ff8000000000000;
    case DType::bf16:
      return 0x7fc0;
    case DType::f16:
      return 0x7e00;
    default:
      return 0;
  }
}

/// The number one; f32, f64 and integers.
[[nodiscard]] constexpr uint64_t one_of(DType type) {
  if (type == DType::f32) {
    return 0x3f800000;
  }
  return type == DType::f64 ? 0x3ff0000000000000 : 1;
}

/// −infinity, or an integer type's least value; f32, f64 and integers.
[[nodiscard]] inline uint64_t lowest_of(DType type) {
  if (type == DType::f32) {
    return 0xff800000;
  }
  if (type == DType::f64) {
    return 0xfff0000000000000;
  }
  return is_signed(type) ? uint64_t{1} << (size_of(type) * 8 - 1) : 0;
}

/// +infinity, or an integer type's greatest value; f32, f64 and integers.
[[nodiscard]] inline uint64_t highest_of(DType type) {
  if (type == DType::f32) {
    return 0x7f800000;
  }
  if (type == DType::f64) {
    return 0x7ff0000000000000;
  }
  const uint64_t all = ~uint64_t{0} >> (64 - size_of(type) * 8);
  return is_signed(type) ? all >> 1 : all;
}

}  // namespace lockstep::law
