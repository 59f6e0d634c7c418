// Conversions between element types: every value is taken apart into integers and rounded once, so
// nothing here depends on the floating-point state or passes through a wider float type.
#include <algorithm>
#include <bit>

#include "base/check.h"
#include "law/indexing.h"
#include "law/scalar.h"

namespace lockstep::law {
namespace {

struct FloatFormat {
  int exponent_bits;
  int fraction_bits;
  [[nodiscard]] int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  [[nodiscard]] uint64_t infinity() const {
    return ((uint64_t{1} << exponent_bits) - 1) << fraction_bits;
  }
  [[nodiscard]] uint64_t sign() const { return uint64_t{1} << (exponent_bits + fraction_bits); }
  /// The exponent of the least subnormal, the unit of every subnormal.
  [[nodiscard]] int least() const { return 1 - bias() - fraction_bits; }
};

FloatFormat format_of(DType type) {
  switch (type) {
    case DType::f32:
      return {8, 23};
    case DType::f64:
      return {11, 52};
    case DType::bf16:
      return {8, 7};
    case DType::f16:
      return {5, 10};
    default:
      CHECK(false);
  }
}

/// A number is ±mantissa·2^exponent; zero keeps its sign.
struct Number {
  enum class Class : uint8_t { finite, infinite, nan };
  Class kind = Class::finite;
  bool negative = false;
  uint64_t mantissa = 0;
  int exponent = 0;
};

Number open_float(DType type, uint64_t bits) {
  const FloatFormat format = format_of(type);
  const uint64_t magnitude = bits & (format.sign() - 1);
  Number number;
  number.negative = (bits & format.sign()) != 0;
  if (magnitude >= format.infinity()) {
    number.kind = magnitude == format.infinity() ? Number::Class::infinite : Number::Class::nan;
    return number;
  }
  const int field = static_cast<int>(magnitude >> format.fraction_bits);
  const uint64_t fraction = magnitude & ((uint64_t{1} << format.fraction_bits) - 1);
  number.mantissa = field == 0 ? fraction : fraction | (uint64_t{1} << format.fraction_bits);
  number.exponent = format.least() + (field == 0 ? 0 : field - 1);
  return number;
}

uint64_t sign_extended(DType type, uint64_t bits) {
  const int unused = 64 - 8 * static_cast<int>(size_of(type));
  return static_cast<uint64_t>(static_cast<int64_t>(bits << unused) >> unused);
}

uint64_t truncated(DType type, uint64_t bits) {
  return bits & (~uint64_t{0} >> (64 - 8 * size_of(type)));
}

Number open_integer(DType type, uint64_t bits) {
  const uint64_t value = is_signed(type) ? sign_extended(type, bits) : bits;
  Number number;
  number.negative = is_signed(type) && (value >> 63) != 0;
  number.mantissa = number.negative ? 0 - value : value;
  return number;
}

/// value / 2^shift, rounded to nearest even; 0 < shift.
uint64_t rounded_right(uint64_t value, int shift) {
  if (shift > 64) {
    return 0;  // less than a half
  }
  const uint64_t half = uint64_t{1} << (shift - 1);
  const uint64_t quotient = shift == 64 ? 0 : value >> shift;
  const uint64_t remainder = shift == 64 ? value : value & ((uint64_t{1} << shift) - 1);
  const bool up = remainder > half || (remainder == half && (quotient & 1) != 0);
  return quotient + (up ? 1 : 0);
}

/// The one rounding, nearest even, of any number to any float type.
uint64_t close_float(DType type, const Number& number) {
  const FloatFormat format = format_of(type);
  if (number.kind == Number::Class::nan) {
    return canonical(type, format.infinity() | 1);
  }
  const uint64_t sign = number.negative ? format.sign() : 0;
  if (number.kind == Number::Class::infinite) {
    return sign | format.infinity();
  }
  if (number.mantissa == 0) {
    return sign;
  }
  const int highest = number.exponent + 63 - std::countl_zero(number.mantissa);
  if (highest > format.bias()) {
    return sign | format.infinity();
  }
  // The weight of the result's last bit.
  const int unit = std::max(highest - format.fraction_bits, format.least());
  const int shift = unit - number.exponent;
  const uint64_t quotient =
      shift <= 0 ? number.mantissa << -shift : rounded_right(number.mantissa, shift);
  // The quotient's hidden bit counts as one in the exponent's field, so does a carry out of the
  // rounding; past the largest number that gives exactly infinity.
  const uint64_t field = static_cast<uint64_t>(unit - format.least());
  return sign | ((field << format.fraction_bits) + quotient);
}

/// Truncates towards zero and saturates; NaN is 0.
uint64_t close_integer(DType type, const Number& number) {
  if (number.kind == Number::Class::nan) {
    return 0;
  }
  const int width = 8 * static_cast<int>(size_of(type));
  const uint64_t all = ~uint64_t{0} >> (64 - width);
  const uint64_t highest = is_signed(type) ? all >> 1 : all;
  const uint64_t lowest_magnitude = is_signed(type) ? highest + 1 : 0;
  const uint64_t bound = number.negative ? lowest_magnitude : highest;
  uint64_t magnitude = 0;
  if (number.kind == Number::Class::infinite) {
    magnitude = bound;
  } else if (number.exponent <= 0) {
    magnitude = number.exponent > -64 ? number.mantissa >> -number.exponent : 0;
  } else if (number.mantissa != 0) {
    const bool fits = std::countl_zero(number.mantissa) >= number.exponent;
    magnitude = fits ? number.mantissa << number.exponent : bound;
  }
  magnitude = std::min(magnitude, bound);
  return (number.negative ? 0 - magnitude : magnitude) & all;
}

bool is_zero(const Number& number) {
  return number.kind == Number::Class::finite && number.mantissa == 0;
}

}  // namespace

uint64_t convert(DType from, DType to, uint64_t bits) {
  if (from == to) {
    return canonical(to, bits);
  }
  if (to != DType::boolean && !is_float(from) && !is_float(to)) {
    return truncated(to, is_signed(from) ? sign_extended(from, bits) : bits);
  }
  const Number number = is_float(from) ? open_float(from, bits) : open_integer(from, bits);
  if (to == DType::boolean) {
    return is_zero(number) ? 0 : 1;
  }
  return is_float(to) ? close_float(to, number) : close_integer(to, number);
}

}  // namespace lockstep::law
