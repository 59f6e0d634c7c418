// Scalar arithmetic of the law: what one operation on one element means, to the bit. LAW section 1.
#pragma once

#include "law/program.h"

namespace lockstep::law {

/// The law's own functions on f32: fixed sequences of add, multiply, fma, divide, square root and
/// integer operations.
[[nodiscard]] float exp_f32(float x);
[[nodiscard]] float log_f32(float x);
[[nodiscard]] float cos_f32(float x);
[[nodiscard]] float sin_f32(float x);
[[nodiscard]] float tanh_f32(float x);
[[nodiscard]] float erf_f32(float x);
[[nodiscard]] float sigmoid_f32(float x);
[[nodiscard]] float reciprocal_square_root_f32(float x);
[[nodiscard]] float maximum_f32(float a, float b);
[[nodiscard]] float minimum_f32(float a, float b);

/// Raw bits in and out, zero-extended; results NaN-canonical.
[[nodiscard]] uint64_t unary(MapOp op, DType type, uint64_t a);
[[nodiscard]] uint64_t binary(MapOp op, DType type, uint64_t a, uint64_t b);
[[nodiscard]] uint64_t fused(DType type, uint64_t a, uint64_t b, uint64_t c);
[[nodiscard]] uint64_t convert(DType from, DType to, uint64_t bits);

/// The bijection of `count` places that a shuffle is (LAW section 2, `random`): place i takes old
/// element shuffled(seed, count, i).
[[nodiscard]] uint64_t shuffled(uint64_t seed, uint64_t count, uint64_t place);
/// Philox4x32-10.
struct Philox {
  uint32_t word[4];
};
[[nodiscard]] Philox philox(const Philox& counter, uint64_t key);

}  // namespace lockstep::law
