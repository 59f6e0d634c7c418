// One operation on one element of one type. Conversions are in convert.cc, the functions in
// functions.cc, random bits in random.cc.
#include "law/scalar.h"

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/check.h"

namespace lockstep::law {
namespace {

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
template <class T>
constexpr DType float_type = sizeof(T) == 4 ? DType::f32 : DType::f64;

template <class T>
T open(uint64_t bits) {
  return std::bit_cast<T>(static_cast<BitsOf<T>>(bits));
}
template <class T>
uint64_t close(T value) {
  return canonical(float_type<T>, std::bit_cast<BitsOf<T>>(value));
}

/// IEEE 754-2019: NaN wins, −0 < +0. Equal operands differ only when they are zeros: the "and" of
/// the bits is then the greater (+0 unless both are −0), the "or" the lesser.
template <class T>
T greater_of(T a, T b) {
  if (a != a || b != b) {
    return std::numeric_limits<T>::quiet_NaN();
  }
  if (a == b) {
    return std::bit_cast<T>(std::bit_cast<BitsOf<T>>(a) & std::bit_cast<BitsOf<T>>(b));
  }
  return a > b ? a : b;
}
template <class T>
T lesser_of(T a, T b) {
  if (a != a || b != b) {
    return std::numeric_limits<T>::quiet_NaN();
  }
  if (a == b) {
    return std::bit_cast<T>(std::bit_cast<BitsOf<T>>(a) | std::bit_cast<BitsOf<T>>(b));
  }
  return a < b ? a : b;
}

/// Comparisons: the same words for every type; with NaN all false but !=.
template <class T>
bool compare(MapOp op, T a, T b) {
  switch (op) {
    case MapOp::less:
      return a < b;
    case MapOp::less_equal:
      return a <= b;
    case MapOp::equal:
      return a == b;
    case MapOp::not_equal:
      return a != b;
    default:
      CHECK(false);
  }
}

template <class T>
uint64_t float_binary(MapOp op, uint64_t a_bits, uint64_t b_bits) {
  const T a = open<T>(a_bits);
  const T b = open<T>(b_bits);
  switch (op) {
    case MapOp::add:
      return close<T>(a + b);
    case MapOp::subtract:
      return close<T>(a - b);
    case MapOp::multiply:
      return close<T>(a * b);
    case MapOp::divide:
      return close<T>(a / b);
    case MapOp::maximum:
      return close<T>(greater_of(a, b));
    case MapOp::minimum:
      return close<T>(lesser_of(a, b));
    default:
      return compare(op, a, b) ? 1 : 0;
  }
}

template <class T>
uint64_t float_unary(MapOp op, uint64_t bits) {
  const uint64_t sign = uint64_t{1} << (8 * sizeof(T) - 1);
  switch (op) {
    case MapOp::negate:
      return canonical(float_type<T>, bits ^ sign);
    case MapOp::absolute:
      return canonical(float_type<T>, bits & ~sign);
    case MapOp::square_root:
      if constexpr (sizeof(T) == 4) {
        return close<T>(__builtin_sqrtf(open<T>(bits)));
      } else {
        return close<T>(__builtin_sqrt(open<T>(bits)));
      }
    default:
      CHECK(false);
  }
}

uint64_t function_f32(MapOp op, uint64_t bits) {
  const float x = open<float>(bits);
  switch (op) {
    case MapOp::exp:
      return close(exp_f32(x));
    case MapOp::log:
      return close(log_f32(x));
    case MapOp::cos:
      return close(cos_f32(x));
    case MapOp::sin:
      return close(sin_f32(x));
    case MapOp::tanh:
      return close(tanh_f32(x));
    case MapOp::erf:
      return close(erf_f32(x));
    case MapOp::sigmoid:
      return close(sigmoid_f32(x));
    case MapOp::reciprocal_square_root:
      return close(reciprocal_square_root_f32(x));
    default:
      return float_unary<float>(op, bits);
  }
}

/// Integers are computed in 64 bits, without overflow, and truncated. T is the element's type.
template <class T>
uint64_t bits_from(uint64_t value) {
  return static_cast<std::make_unsigned_t<T>>(value);
}

template <class T>
uint64_t quotient(T a, T b) {
  if (b == 0) {
    return 0;
  }
  if (std::is_signed_v<T> && b == static_cast<T>(-1)) {
    return bits_from<T>(0 - static_cast<uint64_t>(a));  // MIN/−1 = MIN
  }
  return bits_from<T>(static_cast<uint64_t>(a / b));
}

template <class T>
uint64_t remainder_of(T a, T b) {
  if (b == 0) {
    return bits_from<T>(static_cast<uint64_t>(a));
  }
  if (std::is_signed_v<T> && b == static_cast<T>(-1)) {
    return 0;
  }
  return bits_from<T>(static_cast<uint64_t>(a % b));
}

/// Sign-extended for a signed T.
template <class T>
T integer_from(uint64_t bits) {
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(bits));
}

template <class T>
uint64_t integer_binary(MapOp op, uint64_t a_bits, uint64_t b_bits) {
  const T a = integer_from<T>(a_bits);
  const T b = integer_from<T>(b_bits);
  const uint64_t count = b_bits & (8 * sizeof(T) - 1);
  switch (op) {
    case MapOp::add:
      return bits_from<T>(a_bits + b_bits);
    case MapOp::subtract:
      return bits_from<T>(a_bits - b_bits);
    case MapOp::multiply:
      return bits_from<T>(a_bits * b_bits);
    case MapOp::divide:
      return quotient(a, b);
    case MapOp::remainder:
      return remainder_of(a, b);
    case MapOp::maximum:
      return a > b ? a_bits : b_bits;
    case MapOp::minimum:
      return a < b ? a_bits : b_bits;
    case MapOp::bit_and:
      return a_bits & b_bits;
    case MapOp::bit_or:
      return a_bits | b_bits;
    case MapOp::bit_xor:
      return a_bits ^ b_bits;
    case MapOp::shift_left:
      return bits_from<T>(a_bits << count);
    case MapOp::shift_right:
      return bits_from<T>(static_cast<uint64_t>(a >> count));
    default:
      return compare(op, a, b) ? 1 : 0;
  }
}

template <class T>
uint64_t integer_unary(MapOp op, uint64_t bits) {
  switch (op) {
    case MapOp::negate:
      return bits_from<T>(0 - bits);
    case MapOp::absolute:
      return integer_from<T>(bits) < 0 ? bits_from<T>(0 - bits) : bits;
    default:
      CHECK(false);
  }
}

uint64_t boolean_binary(MapOp op, uint64_t a, uint64_t b) {
  switch (op) {
    case MapOp::bit_and:
      return a & b;
    case MapOp::bit_or:
      return a | b;
    case MapOp::bit_xor:
      return a ^ b;
    default:
      CHECK(op == MapOp::equal || op == MapOp::not_equal);
      return compare(op, a, b) ? 1 : 0;
  }
}

}  // namespace

float maximum_f32(float a, float b) {
  return greater_of(a, b);
}
float minimum_f32(float a, float b) {
  return lesser_of(a, b);
}

uint64_t unary(MapOp op, DType type, uint64_t a) {
  switch (type) {
    case DType::f32:
      return function_f32(op, a);
    case DType::f64:
      return float_unary<double>(op, a);
    case DType::i8:
      return integer_unary<int8_t>(op, a);
    case DType::i16:
      return integer_unary<int16_t>(op, a);
    case DType::i32:
      return integer_unary<int32_t>(op, a);
    case DType::i64:
      return integer_unary<int64_t>(op, a);
    case DType::u8:
      return integer_unary<uint8_t>(op, a);
    case DType::u16:
      return integer_unary<uint16_t>(op, a);
    case DType::u32:
      return integer_unary<uint32_t>(op, a);
    case DType::u64:
      return integer_unary<uint64_t>(op, a);
    case DType::boolean:
      CHECK(op == MapOp::logical_not);
      return a ^ 1;
    default:
      CHECK(false);  // bf16 and f16 are storage
  }
}

uint64_t binary(MapOp op, DType type, uint64_t a, uint64_t b) {
  switch (type) {
    case DType::f32:
      return float_binary<float>(op, a, b);
    case DType::f64:
      return float_binary<double>(op, a, b);
    case DType::i8:
      return integer_binary<int8_t>(op, a, b);
    case DType::i16:
      return integer_binary<int16_t>(op, a, b);
    case DType::i32:
      return integer_binary<int32_t>(op, a, b);
    case DType::i64:
      return integer_binary<int64_t>(op, a, b);
    case DType::u8:
      return integer_binary<uint8_t>(op, a, b);
    case DType::u16:
      return integer_binary<uint16_t>(op, a, b);
    case DType::u32:
      return integer_binary<uint32_t>(op, a, b);
    case DType::u64:
      return integer_binary<uint64_t>(op, a, b);
    case DType::boolean:
      return boolean_binary(op, a, b);
    default:
      CHECK(false);  // bf16 and f16 are storage
  }
}

uint64_t fused(DType type, uint64_t a, uint64_t b, uint64_t c) {
  if (type == DType::f32) {
    return close(std::fma(open<float>(a), open<float>(b), open<float>(c)));
  }
  CHECK(type == DType::f64);
  return close(std::fma(open<double>(a), open<double>(b), open<double>(c)));
}

}  // namespace lockstep::law
