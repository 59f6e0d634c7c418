// Map nodes on f32 with AVX2 and FMA. The functions are the steps of those in law/functions.cc, one
// instruction for each rounding.
#if defined(__x86_64__)

#include "law/erf_table.h"
#include "tensor/general_avx2.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::MapOp;

LOCKSTEP_AVX2 inline __m256 set8(float value) {
  return _mm256_set1_ps(value);
}
LOCKSTEP_AVX2 inline __m256i set8(int32_t value) {
  return _mm256_set1_epi32(value);
}
LOCKSTEP_AVX2 inline __m256 load8(const MapStep& step, size_t i, int64_t at) {
  return _mm256_loadu_ps(reinterpret_cast<const float*>(step.in[i]) + at);
}
LOCKSTEP_AVX2 inline void store8(const MapStep& step, int64_t at, __m256 value) {
  _mm256_storeu_ps(reinterpret_cast<float*>(step.out) + at, value);
}

// What one node does to eight elements.
struct Add {
  LOCKSTEP_AVX2 static __m256 of(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
};
struct Subtract {
  LOCKSTEP_AVX2 static __m256 of(__m256 a, __m256 b) { return _mm256_sub_ps(a, b); }
};
struct Multiply {
  LOCKSTEP_AVX2 static __m256 of(__m256 a, __m256 b) { return _mm256_mul_ps(a, b); }
};
struct Divide {
  LOCKSTEP_AVX2 static __m256 of(__m256 a, __m256 b) { return _mm256_div_ps(a, b); }
};
struct Maximum {
  LOCKSTEP_AVX2 static __m256 of(__m256 a, __m256 b) { return maximum8(a, b); }
};
struct Minimum {
  LOCKSTEP_AVX2 static __m256 of(__m256 a, __m256 b) { return minimum8(a, b); }
};
template <int predicate>
struct Compare {
  LOCKSTEP_AVX2 static __m256 of(__m256 a, __m256 b) { return _mm256_cmp_ps(a, b, predicate); }
};
struct Negate {
  LOCKSTEP_AVX2 static __m256 of(__m256 a) { return _mm256_xor_ps(a, set8(-0.0F)); }
};
struct Absolute {
  LOCKSTEP_AVX2 static __m256 of(__m256 a) { return _mm256_andnot_ps(set8(-0.0F), a); }
};
struct SquareRoot {
  LOCKSTEP_AVX2 static __m256 of(__m256 a) { return _mm256_sqrt_ps(a); }
};
struct Canonical {
  LOCKSTEP_AVX2 static __m256 of(__m256 a) { return canonical8(a); }
};
struct FromInt {
  LOCKSTEP_AVX2 static __m256 of(__m256 a) { return _mm256_cvtepi32_ps(_mm256_castps_si256(a)); }
};

/// The coefficients from the highest power down, by Horner in fma.
template <size_t count>
LOCKSTEP_AVX2 inline __m256 polynomial8(const float (&coefficients)[count], __m256 x) {
  __m256 q = set8(coefficients[0]);
  for (size_t i = 1; i < count; ++i) {
    q = _mm256_fmadd_ps(q, x, set8(coefficients[i]));
  }
  return q;
}

/// `a` where the mask's sign bit is set, else `b`.
LOCKSTEP_AVX2 inline __m256 choose8(__m256 mask, __m256 a, __m256 b) {
  return _mm256_blendv_ps(b, a, mask);
}

LOCKSTEP_AVX2 inline __m256 power_of_two8(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, set8(127)), 23));
}

LOCKSTEP_AVX2 inline __m256 scaled8(__m256 p, __m256i n) {
  const __m256i n_half = _mm256_srai_epi32(n, 1);
  const __m256i n_rest = _mm256_sub_epi32(n, n_half);
  return _mm256_mul_ps(_mm256_mul_ps(p, power_of_two8(n_half)), power_of_two8(n_rest));
}

struct Exponential {
  __m256 head, tail;
  __m256i n;
  LOCKSTEP_AVX2 static Exponential of(__m256 x) {
    static constexpr float coefficients[] = {
        0x1.6b766cp-10F, 0x1.12307ep-7F, 0x1.555682p-5F, 0x1.5554a2p-3F, 0.5F};
    const __m256 above = _mm256_cmp_ps(x, set8(89.0F), _CMP_GT_OQ);
    __m256 clamped = choose8(above, set8(89.0F), x);
    clamped = choose8(vanishes(clamped), set8(-104.0F), clamped);
    const __m256 shifted = _mm256_fmadd_ps(clamped, set8(0x1.715476p+0F), set8(0x1.8p+23F));
    const __m256i n = _mm256_sub_epi32(_mm256_castps_si256(shifted), set8(0x4b400000));
    const __m256 n_float = _mm256_sub_ps(shifted, set8(0x1.8p+23F));
    __m256 r = _mm256_fmadd_ps(n_float, set8(-0x1.62e430p-1F), clamped);
    r = _mm256_fmadd_ps(n_float, set8(0x1.05c610p-29F), r);
    const __m256 q = polynomial8(coefficients, r);
    const __m256 head = _mm256_add_ps(set8(1.0F), r);
    const __m256 lost = _mm256_add_ps(_mm256_sub_ps(set8(1.0F), head), r);
    return {head, _mm256_fmadd_ps(_mm256_mul_ps(r, r), q, lost), n};
  }
  LOCKSTEP_AVX2 static __m256 vanishes(__m256 x) {
    return _mm256_cmp_ps(x, set8(-104.0F), _CMP_LT_OQ);
  }
};

/// `result`, NaN where x is.
LOCKSTEP_AVX2 inline __m256 nan_of(__m256 x, __m256 result) {
  return choose8(_mm256_cmp_ps(x, x, _CMP_UNORD_Q), canonical_nan8(), result);
}

struct Exp {
  LOCKSTEP_AVX2 static __m256 of(__m256 x) {
    const __m256 vanishes = Exponential::vanishes(x);
    const Exponential e = Exponential::of(_mm256_andnot_ps(vanishes, x));
    const __m256 value = scaled8(_mm256_add_ps(e.head, e.tail), e.n);
    return nan_of(x, _mm256_andnot_ps(vanishes, value));
  }
};

/// law/functions.cc's logistic: where the mask `upper` is not set the quotient is still to be
/// multiplied by 2^n.
struct Logistic {
  __m256 high, low;
  __m256i n;
  LOCKSTEP_AVX2 static Logistic of(__m256 a, __m256 upper) {
    const __m256 one = set8(1.0F);
    const Exponential e = Exponential::of(Negate::of(a));
    const __m256 p = _mm256_add_ps(e.head, e.tail);
    const __m256 p_lost = _mm256_add_ps(_mm256_sub_ps(e.head, p), e.tail);
    const __m256 power = power_of_two8(_mm256_max_epi32(e.n, set8(-60)));
    const __m256 term = _mm256_mul_ps(p, power);
    const __m256 d = _mm256_add_ps(one, term);
    const __m256 d_lost =
        _mm256_fmadd_ps(p_lost, power, _mm256_add_ps(_mm256_sub_ps(one, d), term));
    const __m256 top = choose8(upper, one, p);
    const __m256 top_lost = _mm256_andnot_ps(upper, p_lost);
    const __m256 inverse = _mm256_div_ps(one, d);
    const __m256 quotient = _mm256_mul_ps(top, inverse);
    const __m256 left = _mm256_add_ps(_mm256_fnmadd_ps(quotient, d, top), top_lost);
    const __m256 rest = _mm256_fnmadd_ps(quotient, d_lost, left);
    return {quotient, _mm256_mul_ps(rest, inverse), e.n};
  }
};

struct Sigmoid {
  LOCKSTEP_AVX2 static __m256 of(__m256 x) {
    const __m256 upper = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GE_OQ);
    const __m256 vanishes = Exponential::vanishes(x);
    const Logistic part = Logistic::of(_mm256_andnot_ps(vanishes, Absolute::of(x)), upper);
    const __m256 y = _mm256_add_ps(part.high, part.low);
    // Times 2^0 where y is the result, so that nothing underflows there.
    const __m256i n = _mm256_andnot_si256(_mm256_castps_si256(upper), part.n);
    return nan_of(x, _mm256_andnot_ps(vanishes, scaled8(y, n)));
  }
};

/// The values for |x| with the signs of x; NaN where x is.
LOCKSTEP_AVX2 inline __m256 odd8(__m256 x, __m256 value) {
  return nan_of(x, _mm256_or_ps(value, _mm256_and_ps(x, set8(-0.0F))));
}

LOCKSTEP_AVX2 inline __m256 square_of8(__m256 a) {
  const __m256 least = set8(0x1p-30F);
  const __m256 b = choose8(_mm256_cmp_ps(a, least, _CMP_LT_OQ), least, a);
  return _mm256_mul_ps(b, b);
}

struct Tanh {
  LOCKSTEP_AVX2 static __m256 of(__m256 x) {
    const __m256 a = Absolute::of(x);
    const __m256 is_near = _mm256_cmp_ps(a, set8(0.5625F), _CMP_LT_OQ);
    return odd8(x, choose8(is_near, near_zero(a), far_from_zero(a, is_near)));
  }
  LOCKSTEP_AVX2 static __m256 near_zero(__m256 a) {
    static constexpr float coefficients[] = {0x1.29a386p-9F,
                                             -0x1.0fdbe0p-7F,
                                             0x1.6434a4p-6F,
                                             -0x1.b9fb18p-5F,
                                             0x1.111096p-3F,
                                             -0x1.555554p-2F};
    const __m256 z = square_of8(a);
    return _mm256_fmadd_ps(a, _mm256_mul_ps(z, polynomial8(coefficients, z)), a);
  }
  LOCKSTEP_AVX2 static __m256 far_from_zero(__m256 a, __m256 is_near) {
    const __m256 most = set8(10.0F);
    __m256 clamped = choose8(_mm256_cmp_ps(a, most, _CMP_GT_OQ), most, a);
    clamped = choose8(is_near, set8(0.5625F), clamped);
    const Logistic part = Logistic::of(_mm256_add_ps(clamped, clamped), _mm256_setzero_ps());
    const __m256 twice = power_of_two8(_mm256_add_epi32(part.n, set8(1)));
    const __m256 u = _mm256_mul_ps(part.high, twice);
    const __m256 head = _mm256_sub_ps(set8(1.0F), u);
    const __m256 lost = _mm256_sub_ps(_mm256_sub_ps(set8(1.0F), head), u);
    return _mm256_add_ps(head, _mm256_sub_ps(lost, _mm256_mul_ps(part.low, twice)));
  }
};

struct Erf {
  LOCKSTEP_AVX2 static __m256 of(__m256 x) {
    const __m256 a = Absolute::of(x);
    const __m256 is_near = _mm256_cmp_ps(a, set8(0.5F), _CMP_LE_OQ);
    return odd8(x, choose8(is_near, near_zero(a), far_from_zero(a)));
  }
  LOCKSTEP_AVX2 static __m256 near_zero(__m256 a) {
    static constexpr float coefficients[] = {
        0x1.3567fcp-8F, -0x1.b66b42p-6F, 0x1.ce2554p-4F, -0x1.812734p-2F, 0x1.06eba8p-3F};
    return _mm256_fmadd_ps(a, polynomial8(coefficients, square_of8(a)), a);
  }
  LOCKSTEP_AVX2 static __m256 far_from_zero(__m256 a) {
    const __m256 most = set8(0x1.fffffep+1F);
    const __m256 clamped = choose8(_mm256_cmp_ps(a, most, _CMP_LT_OQ), a, most);
    const __m256 twice = _mm256_sub_ps(_mm256_add_ps(clamped, clamped), set8(0.5F));
    const __m256 shifted = _mm256_add_ps(twice, set8(0x1.8p+23F));
    // An interval is a lane of a row of the table; only its low three bits are looked at.
    const __m256i interval = _mm256_castps_si256(shifted);
    const __m256 middle =
        _mm256_fmadd_ps(_mm256_sub_ps(shifted, set8(0x1.8p+23F)), set8(0.5F), set8(0.25F));
    const __m256 t = _mm256_sub_ps(clamped, middle);
    constexpr size_t rows = std::size(law::erf_table);
    __m256 q = entry8(0, interval);
    for (size_t i = 1; i + 1 < rows; ++i) {
      q = _mm256_fmadd_ps(q, t, entry8(i, interval));
    }
    return _mm256_add_ps(entry8(rows - 1, interval), q);
  }
  LOCKSTEP_AVX2 static __m256 entry8(size_t row, __m256i interval) {
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(law::erf_table[row]), interval);
  }
};

struct ReciprocalSquareRoot {
  LOCKSTEP_AVX2 static __m256 of(__m256 x) {
    const __m256 zero = _mm256_setzero_ps();
    const __m256 large = _mm256_cmp_ps(x, set8(1.0F), _CMP_GE_OQ);
    const __m256 moved = _mm256_mul_ps(x, choose8(large, set8(0x1p-64F), set8(0x1p+64F)));
    const __m256 root = _mm256_mul_ps(_mm256_sqrt_ps(_mm256_div_ps(set8(1.0F), moved)),
                                      choose8(large, set8(0x1p-32F), set8(0x1p+32F)));
    const __m256 at_zero = _mm256_or_ps(set8(__builtin_inff()), _mm256_and_ps(x, set8(-0.0F)));
    const __m256 value = choose8(_mm256_cmp_ps(x, zero, _CMP_EQ_OQ), at_zero, root);
    return choose8(_mm256_cmp_ps(x, zero, _CMP_GE_OQ), value, canonical_nan8());
  }
};

struct Log {
  LOCKSTEP_AVX2 static __m256 of(__m256 x) {
    static constexpr float coefficients[] = {0x1.f7ba20p-4F,
                                             -0x1.06e51ep-3F,
                                             0x1.b56fc6p-4F,
                                             -0x1.f39f6ap-4F,
                                             0x1.251612p-3F,
                                             -0x1.559832p-3F,
                                             0x1.999670p-3F,
                                             -0x1.ffff14p-3F,
                                             0x1.555558p-2F,
                                             -0.5F};
    const __m256 tiny = _mm256_cmp_ps(x, set8(0x1p-126F), _CMP_LT_OQ);
    const __m256 normal = _mm256_blendv_ps(x, _mm256_mul_ps(x, set8(0x1p+23F)), tiny);
    const __m256i bits = _mm256_castps_si256(normal);
    const __m256i k = _mm256_srai_epi32(_mm256_sub_epi32(bits, set8(0x3f2aaaab)), 23);
    const __m256i scaled = _mm256_sub_epi32(bits, _mm256_slli_epi32(k, 23));
    const __m256 f = _mm256_sub_ps(_mm256_castsi256_ps(scaled), set8(1.0F));
    const __m256i shift = _mm256_and_si256(_mm256_castps_si256(tiny), set8(23));
    const __m256 k_float = _mm256_cvtepi32_ps(_mm256_sub_epi32(k, shift));
    const __m256 q = polynomial8(coefficients, f);
    const __m256 small =
        _mm256_fmadd_ps(_mm256_mul_ps(f, f), q, _mm256_mul_ps(k_float, set8(0x1.7f7d1cp-20F)));
    const __m256 head = _mm256_mul_ps(k_float, set8(0x1.62e4p-1F));
    const __m256 sum = _mm256_add_ps(head, f);
    const __m256 lost = _mm256_add_ps(_mm256_sub_ps(head, sum), f);
    return special(x, _mm256_add_ps(sum, _mm256_add_ps(lost, small)));
  }
  LOCKSTEP_AVX2 static __m256 special(__m256 x, __m256 result) {
    const __m256 infinity = set8(__builtin_inff());
    result = _mm256_blendv_ps(result, x, _mm256_cmp_ps(x, infinity, _CMP_EQ_OQ));
    const __m256 zero = _mm256_setzero_ps();
    result = _mm256_blendv_ps(result, Negate::of(infinity), _mm256_cmp_ps(x, zero, _CMP_EQ_OQ));
    return _mm256_blendv_ps(canonical_nan8(), result, _mm256_cmp_ps(x, zero, _CMP_GE_OQ));
  }
};

template <class F>
LOCKSTEP_AVX2 bool each1(const MapStep& step) {
  for (int64_t i = 0; i < step.count; i += vector_lanes) {
    store8(step, i, F::of(load8(step, 0, i)));
  }
  return true;
}

template <class F>
LOCKSTEP_AVX2 bool each2(const MapStep& step) {
  for (int64_t i = 0; i < step.count; i += vector_lanes) {
    store8(step, i, F::of(load8(step, 0, i), load8(step, 1, i)));
  }
  return true;
}

LOCKSTEP_AVX2 bool fused(const MapStep& step) {
  for (int64_t i = 0; i < step.count; i += vector_lanes) {
    store8(step, i, _mm256_fmadd_ps(load8(step, 0, i), load8(step, 1, i), load8(step, 2, i)));
  }
  return true;
}

template <class F>
LOCKSTEP_AVX2 inline __m256i mask_at(const MapStep& step, int64_t i) {
  return _mm256_castps_si256(F::of(load8(step, 0, i), load8(step, 1, i)));
}

/// Thirty-two comparisons become thirty-two bytes of 0 or 1.
template <class F>
LOCKSTEP_AVX2 bool compare(const MapStep& step) {
  static_assert(map_round == 4 * vector_lanes);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  for (int64_t i = 0; i < step.count; i += map_round) {
    const __m256i low = _mm256_packs_epi32(mask_at<F>(step, i), mask_at<F>(step, i + 8));
    const __m256i high = _mm256_packs_epi32(mask_at<F>(step, i + 16), mask_at<F>(step, i + 24));
    // The packs work within halves; `order` puts the groups of four back in a row.
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(step.out + i),
                        _mm256_and_si256(bytes, _mm256_set1_epi8(1)));
  }
  return true;
}

LOCKSTEP_AVX2 inline __m256i widen8(const uint8_t* bytes) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
}

LOCKSTEP_AVX2 bool select(const MapStep& step) {
  for (int64_t i = 0; i < step.count; i += vector_lanes) {
    const __m256i is_zero = _mm256_cmpeq_epi32(widen8(step.in[0] + i), _mm256_setzero_si256());
    store8(step,
           i,
           _mm256_blendv_ps(load8(step, 1, i), load8(step, 2, i), _mm256_castsi256_ps(is_zero)));
  }
  return true;
}

LOCKSTEP_AVX2 bool from_bytes(const MapStep& step) {
  for (int64_t i = 0; i < step.count; i += vector_lanes) {
    store8(step, i, _mm256_cvtepi32_ps(widen8(step.in[0] + i)));
  }
  return true;
}

bool cast(const MapStep& step) {
  if (step.result != DType::f32) {
    return false;
  }
  if (step.operand == DType::u8 || step.operand == DType::boolean) {
    return from_bytes(step);
  }
  return step.operand == DType::i32 && each1<FromInt>(step);
}

bool step_f32(const MapStep& step) {
  switch (step.op) {
    case MapOp::add:
      return each2<Add>(step);
    case MapOp::subtract:
      return each2<Subtract>(step);
    case MapOp::multiply:
      return each2<Multiply>(step);
    case MapOp::divide:
      return each2<Divide>(step);
    case MapOp::maximum:
      return each2<Maximum>(step);
    case MapOp::minimum:
      return each2<Minimum>(step);
    case MapOp::less:
      return compare<Compare<_CMP_LT_OQ>>(step);
    case MapOp::less_equal:
      return compare<Compare<_CMP_LE_OQ>>(step);
    case MapOp::equal:
      return compare<Compare<_CMP_EQ_OQ>>(step);
    case MapOp::not_equal:
      return compare<Compare<_CMP_NEQ_UQ>>(step);
    case MapOp::negate:
      return each1<Negate>(step);
    case MapOp::absolute:
      return each1<Absolute>(step);
    case MapOp::square_root:
      return each1<SquareRoot>(step);
    case MapOp::exp:
      return each1<Exp>(step);
    case MapOp::log:
      return each1<Log>(step);
    case MapOp::tanh:
      return each1<Tanh>(step);
    case MapOp::erf:
      return each1<Erf>(step);
    case MapOp::sigmoid:
      return each1<Sigmoid>(step);
    case MapOp::reciprocal_square_root:
      return each1<ReciprocalSquareRoot>(step);
    case MapOp::bitcast:
      return each1<Canonical>(step);
    case MapOp::fma:
      return fused(step);
    default:
      return false;
  }
}

}  // namespace

bool map_step_avx2(const MapStep& step) {
  bool done = false;
  if (step.op == MapOp::cast) {
    done = cast(step);
  } else if (step.op == MapOp::select) {
    done = law::size_of(step.operand) == 4 && select(step);
  } else if (step.operand == DType::f32) {
    done = step_f32(step);
  }
  return done || map_step_portable(step);
}

}  // namespace lockstep::tensor

#endif
