// Eight f32 at a time with the law's meaning. No min, max or cvtt intrinsic: compilers fold those
// on constants unlike the processor does. Only for *_avx2.cc on x86-64.
#pragma once

#include <immintrin.h>

#include "tensor/general_internal.h"

// On each function and not on the file: an inline function of a shared header must not come out of
// these files with instructions that other processors lack.
#define LOCKSTEP_AVX2 __attribute__((target("avx2,fma")))

namespace lockstep::tensor {

inline constexpr int64_t vector_lanes = 8;

/// The first `count` lanes, clamped to none and all.
LOCKSTEP_AVX2 inline __m256i first_lanes(int64_t count) {
  const auto clamped = static_cast<int>(std::clamp<int64_t>(count, 0, vector_lanes));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(clamped), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

LOCKSTEP_AVX2 inline __m256 canonical_nan8() {
  return _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(canonical_nan_f32)));
}

LOCKSTEP_AVX2 inline __m256 canonical8(__m256 x) {
  return _mm256_blendv_ps(x, canonical_nan8(), _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

LOCKSTEP_AVX2 inline __m256 maximum8(__m256 a, __m256 b) {
  const __m256 larger = _mm256_blendv_ps(b, a, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
  // Equal values differ at most in the sign of zero: "and" keeps −0 only of two.
  const __m256 tied =
      _mm256_blendv_ps(larger, _mm256_and_ps(a, b), _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
  return _mm256_blendv_ps(tied, canonical_nan8(), _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
}

LOCKSTEP_AVX2 inline __m256 minimum8(__m256 a, __m256 b) {
  const __m256 smaller = _mm256_blendv_ps(b, a, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
  const __m256 tied =
      _mm256_blendv_ps(smaller, _mm256_or_ps(a, b), _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
  return _mm256_blendv_ps(tied, canonical_nan8(), _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
}

bool map_step_avx2(const MapStep& step);            // map_avx2.cc
bool reduce_avx2_applies(const law::Op& op);        // reduce_avx2.cc
void run_reduce_avx2(const Call& call);             // reduce_avx2.cc
void run_max_pool_avx2(const Call& call);           // window_avx2.cc
void run_max_pool_grad_avx2(const Call& call);      // window_avx2.cc
void run_average_pool_avx2(const Call& call);       // average_avx2.cc
void run_average_pool_grad_avx2(const Call& call);  // average_avx2.cc
void run_scatter_add_avx2(const Call& call);        // scatter_avx2.cc
void run_random_avx2(const Call& call);             // random_avx2.cc

}  // namespace lockstep::tensor
