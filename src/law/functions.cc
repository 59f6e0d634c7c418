// The law's functions on f32. Each is one fixed sequence of f32 additions, multiplications, fused
// multiply-adds, divisions and square roots and of integer operations; no f64, no libm but fma and
// sqrt. A kernel that gives the same bits does the same steps in the same order; `fma` below is one
// rounding, everything else rounds after each operation, and integers wrap. docs/law.md has the
// measured errors.
#include <bit>
#include <cmath>
#include <iterator>

#include "law/erf_table.h"
#include "law/scalar.h"

namespace lockstep::law {
namespace {

constexpr uint32_t sign_bit = 0x8000'0000;
constexpr uint32_t infinity_bits = 0x7f80'0000;
constexpr uint32_t nan_bits = 0x7fc0'0000;

uint32_t bits_of(float x) {
  return std::bit_cast<uint32_t>(x);
}
float float_of(uint32_t bits) {
  return std::bit_cast<float>(bits);
}

/// 2^n for −126 ≤ n ≤ 127.
float power_of_two(int n) {
  return float_of(static_cast<uint32_t>(n + 127) << 23);
}

/// 2/π after 32 zero bits, most significant word first: bit j of the stream (from 0) has weight
/// 2^(31−j) of 2/π.
constexpr uint32_t two_over_pi[8] = {0x0000'0000,
                                     0xa2f9'836e,
                                     0x4e44'1529,
                                     0xfc27'57d1,
                                     0xf534'ddc0,
                                     0xdb62'9599,
                                     0x3c43'9041,
                                     0xfe51'63ab};
/// π/2·2^63, rounded.
constexpr uint64_t half_pi = 0xc90f'daa2'2168'c235;

/// |x| = quadrant·π/2 + high + low, with −π/4 ≤ high + low ≤ π/4, high of 24 bits and |low| less
/// than an ulp of high. The quadrant is modulo 4.
struct Reduced {
  uint32_t quadrant;
  float high;
  float low;
};

/// Bits `first` … `first` + 31 of the stream.
uint32_t stream_word(uint32_t first) {
  const uint32_t word = first / 32;
  const uint64_t pair = (uint64_t{two_over_pi[word]} << 32) | two_over_pi[word + 1];
  return static_cast<uint32_t>(pair >> (32 - first % 32));
}

/// High 64 bits of the product.
uint64_t multiply_high(uint64_t a, uint64_t b) {
  const uint64_t a_low = a & 0xffff'ffff;
  const uint64_t a_high = a >> 32;
  const uint64_t b_low = b & 0xffff'ffff;
  const uint64_t b_high = b >> 32;
  const uint64_t middle = a_high * b_low + ((a_low * b_low) >> 32);
  const uint64_t cross = a_low * b_high + (middle & 0xffff'ffff);
  return a_high * b_high + (middle >> 32) + (cross >> 32);
}

/// Payne and Hanek's reduction in integers. `magnitude` is the bits of a finite |x|.
///
/// With |x| = M·2^e, M of 24 bits, only bits of 2/π whose product with M is below 4 decide the
/// quadrant and the fraction: 96 bits from the one of weight 2^(1−e). M times them, modulo 2^96, is
/// |x|·2/π modulo 4 in units of 2^−94, short by less than 2^24 units. No f32 is nearer than about
/// 2^−30 to a multiple of π/2, so the fraction keeps more than 32 good bits.
Reduced reduce(uint32_t magnitude) {
  if (magnitude <= 0x3f49'0fda) {  // |x| < π/4: nothing to take away
    return {0, float_of(magnitude), 0.0F};
  }
  const uint64_t mantissa = (magnitude & 0x007f'ffff) | 0x0080'0000;
  const uint32_t biased = magnitude >> 23;  // 126 … 254, e = biased − 150
  const uint32_t first = biased - 120;      // of weight 2^(31 − first) = 2^(1 − e)
  const uint64_t low = mantissa * stream_word(first + 64);
  const uint64_t middle = mantissa * stream_word(first + 32) + (low >> 32);
  const uint64_t high = mantissa * stream_word(first) + (middle >> 32);
  // Of the 96 bits the top two are the quadrant, the next 64 the fraction in 2^−64 quadrants.
  const uint32_t top = static_cast<uint32_t>(high);
  const uint64_t rest = ((middle & 0xffff'ffff) << 32) | (low & 0xffff'ffff);
  const uint64_t fraction = (uint64_t{top} << 34) | (rest >> 30);
  // A fraction of a half or more is taken from the next quadrant and negative.
  const uint32_t negative = static_cast<uint32_t>(fraction >> 63);
  const uint64_t distance = negative != 0 ? 0 - fraction : fraction;
  const int zeros = std::countl_zero(distance);
  // The angle is `product`·2^−(63 + zeros), its highest bit is bit 62 or 63: bits 63 … 40 become
  // high, the next 24 become low.
  const uint64_t product = multiply_high(distance << zeros, half_pi);
  const float first_bits = static_cast<float>(static_cast<int32_t>(product >> 40));
  const float next_bits = static_cast<float>(static_cast<int32_t>((product >> 16) & 0x00ff'ffff));
  const uint32_t sign = negative << 31;
  const float angle = first_bits * power_of_two(-23 - zeros);
  const float tail = next_bits * power_of_two(-47 - zeros);
  return {(top >> 30) + negative, float_of(bits_of(angle) ^ sign), float_of(bits_of(tail) ^ sign)};
}

/// sin(high + low) = high + (high³·S(high²) + low·cos(high)).
float sine_near_zero(float high, float low) {
  const float z = high * high;
  float s = 0x1.7cd82cp-19F;
  s = std::fma(s, z, -0x1.a05bbap-13F);
  s = std::fma(s, z, 0x1.111176p-7F);
  s = std::fma(s, z, -0x1.555556p-3F);
  const float cosine = std::fma(z, -0.5F, 1.0F);
  const float rest = std::fma(high * z, s, low * cosine);
  return high + rest;
}

/// cos(high + low) = (1 − z/2) + (what that and z lost + z²·C(z) − high·low), z = high².
float cosine_near_zero(float high, float low) {
  const float z = high * high;
  const float z_lost = std::fma(high, high, -z);
  float c = -0x1.372436p-22F;
  c = std::fma(c, z, 0x1.a075e8p-16F);
  c = std::fma(c, z, -0x1.6c1762p-10F);
  c = std::fma(c, z, 0x1.555556p-5F);
  const float half = z * 0.5F;
  const float head = 1.0F - half;
  const float head_lost = (1.0F - head) - half;
  const float tail = std::fma(high, -low, std::fma(z_lost, -0.5F, head_lost));
  const float rest = std::fma(z * z, c, tail);
  return head + rest;
}

/// sin(r + quadrant·π/2), the sign of the result flipped by `sign`.
float sine_of(const Reduced& r, uint32_t quadrant, uint32_t sign) {
  const float value =
      (quadrant & 1) != 0 ? cosine_near_zero(r.high, r.low) : sine_near_zero(r.high, r.low);
  return float_of(bits_of(value) ^ ((quadrant & 2) << 30) ^ sign);
}

/// Below it exp is +0 to the last bit: taken as a case of its own, for processors are slow where a
/// product underflows, and masks are numbers like −1e9.
constexpr float vanishing = -104.0F;

/// Below it in magnitude x² is less than a rounding of 1 + x or x + x³. No bit depends on it: the
/// cases that name it only keep away from products that underflow, and a kernel may do without.
constexpr float tiny_bound = 0x1p-30F;
bool is_tiny(float x) {
  return float_of(bits_of(x) & ~sign_bit) < tiny_bound;
}

/// exp(x) = 2^n·(head + tail).
struct Exponential {
  float head;
  float tail;
  uint32_t n;
};

/// n = x/ln 2 to nearest even, r = x − n·ln 2, |r| ≤ ln 2 / 2, head + tail = exp(r).
Exponential exponential(float x) {
  // Outside these bounds exp is +inf or +0 anyway, and n stays in −150 … 128. Both selects are
  // "comparison true: bound, else x", so a NaN passes through.
  float clamped = x > 89.0F ? 89.0F : x;
  clamped = clamped < vanishing ? vanishing : clamped;
  // Adding 1.5·2^23 rounds to an integer, which is then in the low bits of the sum.
  const float shifted = std::fma(clamped, 0x1.715476p+0F, 0x1.8p+23F);
  const uint32_t n = bits_of(shifted) - 0x4b40'0000U;
  const float n_float = shifted - 0x1.8p+23F;
  // ln 2 in two parts; the first step is exact.
  float r = std::fma(n_float, -0x1.62e430p-1F, clamped);
  r = std::fma(n_float, 0x1.05c610p-29F, r);
  float q = 0x1.6b766cp-10F;
  q = std::fma(q, r, 0x1.12307ep-7F);
  q = std::fma(q, r, 0x1.555682p-5F);
  q = std::fma(q, r, 0x1.5554a2p-3F);
  q = std::fma(q, r, 0.5F);
  // 1 + r + r²·q; what 1 + r loses is added back, for without it the error passes one ulp.
  const float head = 1.0F + r;
  const float lost = (1.0F - head) + r;
  return {head, std::fma(r * r, q, lost), n};
}

/// p·2^n for −150 ≤ n ≤ 128, rounded once where |p| is in [1/2, 2]: in two halves, so that neither
/// factor leaves the normal range; n_half is n/2 rounded down (an arithmetic shift).
float scaled(float p, uint32_t n) {
  const uint32_t n_half = static_cast<uint32_t>(static_cast<int32_t>(n) >> 1);
  const uint32_t n_rest = n - n_half;
  return (p * float_of((n_half + 127U) << 23)) * float_of((n_rest + 127U) << 23);
}

/// With e = exp(−a) = 2^n·p: 1/(1 + e) is high + low, or, `upper` not set, e/(1 + e) is 2^n times
/// it; |low| is about an ulp of high.
struct Logistic {
  float high;
  float low;
  uint32_t n;
};

/// For a ≥ 0. The quotient is a product with the rounded 1/d, d = 1 + e, whose remainder, with what
/// e and d lost, makes `low`.
Logistic logistic(float a, bool upper) {
  const Exponential e = exponential(-a);
  const float p = e.head + e.tail;
  const float p_lost = (e.head - p) + e.tail;
  // n ≤ 0. Next to 1 any power below 2^−30 is as good as nothing, and this one does not underflow.
  const uint32_t n = static_cast<int32_t>(e.n) < -60 ? 0U - 60U : e.n;
  const float power = float_of((n + 127U) << 23);
  const float term = p * power;
  const float d = 1.0F + term;
  const float d_lost = std::fma(p_lost, power, (1.0F - d) + term);
  const float top = upper ? 1.0F : p;
  const float top_lost = upper ? 0.0F : p_lost;
  const float inverse = 1.0F / d;
  const float quotient = top * inverse;
  const float rest = std::fma(-quotient, d_lost, std::fma(-quotient, d, top) + top_lost);
  return {quotient, rest * inverse, e.n};
}

/// x² for |x| = a, taken of at least `tiny_bound`.
float square_of(float a) {
  const float b = a < tiny_bound ? tiny_bound : a;
  return b * b;
}

/// The value for |x| with the sign of x; NaN where x is.
float odd(uint32_t x_bits, float value) {
  const bool is_nan = (x_bits & ~sign_bit) > infinity_bits;
  return float_of(is_nan ? nan_bits : bits_of(value) | (x_bits & sign_bit));
}

}  // namespace

float exp_f32(float x) {
  const bool vanishes = x < vanishing;
  const Exponential e = exponential(vanishes || is_tiny(x) ? 0.0F : x);
  const float value = scaled(e.head + e.tail, e.n);
  return x != x ? float_of(nan_bits) : vanishes ? 0.0F : value;
}

/// log(x) = k·ln 2 + log(1 + f), x = 2^k·(1 + f), 2/3 ≤ 1 + f < 4/3.
float log_f32(float x) {
  // Subnormals (and zero; negative numbers and NaN do not matter) times 2^23.
  const bool tiny = x < 0x1p-126F;
  const uint32_t bits = bits_of(tiny ? x * 0x1p+23F : x);
  // 3f2aaaab is 2/3: what is above it in the exponent's place is k.
  const uint32_t above = bits - 0x3f2a'aaabU;
  const int32_t k = static_cast<int32_t>(above) >> 23;                       // arithmetic
  const float f = float_of(bits - (static_cast<uint32_t>(k) << 23)) - 1.0F;  // exact
  const float k_float = static_cast<float>(tiny ? k - 23 : k);               // exact
  // log(1 + f) = f + f²·q(f).
  float q = 0x1.f7ba20p-4F;
  q = std::fma(q, f, -0x1.06e51ep-3F);
  q = std::fma(q, f, 0x1.b56fc6p-4F);
  q = std::fma(q, f, -0x1.f39f6ap-4F);
  q = std::fma(q, f, 0x1.251612p-3F);
  q = std::fma(q, f, -0x1.559832p-3F);
  q = std::fma(q, f, 0x1.999670p-3F);
  q = std::fma(q, f, -0x1.ffff14p-3F);
  q = std::fma(q, f, 0x1.555558p-2F);
  q = std::fma(q, f, -0.5F);
  const float small = std::fma(f * f, q, k_float * 0x1.7f7d1cp-20F);
  // The head of ln 2 has 15 bits, so k times it is exact; what head + f loses is added back.
  const float head = k_float * 0x1.62e4p-1F;
  const float sum = head + f;
  const float lost = (head - sum) + f;
  float result = sum + (lost + small);
  result = x == float_of(infinity_bits) ? x : result;
  result = x == 0.0F ? float_of(infinity_bits | sign_bit) : result;
  return x >= 0.0F ? result : float_of(nan_bits);
}

float cos_f32(float x) {
  const uint32_t magnitude = bits_of(x) & ~sign_bit;
  if (magnitude >= infinity_bits) {
    return float_of(nan_bits);
  }
  if (is_tiny(x)) {
    return 1.0F;
  }
  const Reduced r = reduce(magnitude);
  return sine_of(r, r.quadrant + 1, 0);
}

float sin_f32(float x) {
  const uint32_t magnitude = bits_of(x) & ~sign_bit;
  if (magnitude >= infinity_bits) {
    return float_of(nan_bits);
  }
  if (is_tiny(x)) {
    return x;
  }
  const Reduced r = reduce(magnitude);
  return sine_of(r, r.quadrant, bits_of(x) & sign_bit);
}

/// |x| < 9/16: x + x·z·P(z), z = x²; else 1 − 2·e/(1 + e), e = exp(−2|x|), which is 1 from 10 on.
float tanh_f32(float x) {
  const uint32_t x_bits = bits_of(x);
  const float a = float_of(x_bits & ~sign_bit);
  const float z = square_of(a);
  float p = 0x1.29a386p-9F;
  p = std::fma(p, z, -0x1.0fdbe0p-7F);
  p = std::fma(p, z, 0x1.6434a4p-6F);
  p = std::fma(p, z, -0x1.b9fb18p-5F);
  p = std::fma(p, z, 0x1.111096p-3F);
  p = std::fma(p, z, -0x1.555554p-2F);
  const float near = std::fma(a, z * p, a);
  const float below = a > 10.0F ? 10.0F : a;
  const float clamped = below < 0.5625F ? 0.5625F : below;
  const Logistic part = logistic(clamped + clamped, false);
  const float twice = float_of((part.n + 128U) << 23);  // 2^(n + 1)
  const float u = part.high * twice;
  const float head = 1.0F - u;
  const float lost = (1.0F - head) - u;
  const float far = head + (lost - part.low * twice);
  return odd(x_bits, a < 0.5625F ? near : far);
}

/// |x| ≤ 1/2: x + x·P(x²); else, from i/2 to (i + 1)/2 with middle m, c + (c_lost + t·Q(t)),
/// t = |x| − m, where c + c_lost = erf(m); 1 from 4 on.
float erf_f32(float x) {
  const uint32_t x_bits = bits_of(x);
  const float a = float_of(x_bits & ~sign_bit);
  const float z = square_of(a);
  float p = 0x1.3567fcp-8F;
  p = std::fma(p, z, -0x1.b66b42p-6F);
  p = std::fma(p, z, 0x1.ce2554p-4F);
  p = std::fma(p, z, -0x1.812734p-2F);
  p = std::fma(p, z, 0x1.06eba8p-3F);
  const float near = std::fma(a, p, a);
  const float clamped = a < 0x1.fffffep+1F ? a : 0x1.fffffep+1F;  // a NaN too
  // 2|x| − 1/2 to the nearest integer, as in `exponential`.
  const float shifted = (clamped + clamped - 0.5F) + 0x1.8p+23F;
  const uint32_t interval = bits_of(shifted) - 0x4b40'0000U;
  const float t = clamped - std::fma(shifted - 0x1.8p+23F, 0.5F, 0.25F);  // exact
  float q = erf_table[0][interval];
  for (size_t i = 1; i + 1 < std::size(erf_table); ++i) {
    q = std::fma(q, t, erf_table[i][interval]);
  }
  const float far = erf_table[std::size(erf_table) - 1][interval] + q;
  return odd(x_bits, a <= 0.5F ? near : far);
}

/// 1/(1 + exp(−x)) for x ≥ 0, exp(x)/(1 + exp(x)) below.
float sigmoid_f32(float x) {
  const bool upper = x >= 0.0F;
  const bool vanishes = x < vanishing;
  const float a = float_of(bits_of(x) & ~sign_bit);
  const Logistic part = logistic(vanishes || is_tiny(x) ? 0.0F : a, upper);
  const float y = part.high + part.low;
  const float value = upper ? y : vanishes ? 0.0F : scaled(y, part.n);
  return x != x ? float_of(nan_bits) : value;
}

/// √(1/x), two correctly rounded operations: the root halves the error of the quotient, while the
/// quotient would carry the whole error of a root (1.49 ulp). Multiplied by 2^±64 first, so that
/// neither operation meets the ends of the range.
float reciprocal_square_root_f32(float x) {
  const bool large = x >= 1.0F;
  const float moved = x * (large ? 0x1p-64F : 0x1p+64F);
  const float root = std::sqrt(1.0F / moved) * (large ? 0x1p-32F : 0x1p+32F);
  const float zero = float_of(infinity_bits | (bits_of(x) & sign_bit));
  const float value = x == 0.0F ? zero : root;
  return x >= 0.0F ? value : float_of(nan_bits);
}

}  // namespace lockstep::law
