// f32 contractions with AVX2 and FMA: lanes are columns of outputs, never terms of a range.
#include "tensor/contraction_engine.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <iterator>

#define LOCKSTEP_AVX2 __attribute__((target("avx2,fma")))
// Accumulators must be registers, so every loop over them is unrolled, also at -O2.
#if defined(__clang__)
#define LOCKSTEP_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LOCKSTEP_UNROLL _Pragma("GCC unroll 16")
#endif

namespace lockstep::tensor {
namespace {

constexpr int lanes = 8;

/// The first `count` lanes, clamped to none and all.
LOCKSTEP_AVX2 inline __m256i mask_of(int count) {
  const __m256i order = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), order);
}

/// Closes the segment for eight outputs.
LOCKSTEP_AVX2 inline void close(const Tile<float>& tile, float* out, __m256 chain, __m256i mask) {
  __m256 sum = tile.first ? chain : _mm256_add_ps(_mm256_maskload_ps(out, mask), chain);
  if (tile.last) {
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
    sum = _mm256_blendv_ps(sum, nan, _mm256_cmp_ps(sum, sum, _CMP_UNORD_Q));
  }
  _mm256_maskstore_ps(out, mask, sum);
}

template <int rows, int vectors>
LOCKSTEP_AVX2 void run_tile(const Tile<float>& tile) {
  __m256 acc[rows][vectors];
  const float* a[rows];
  LOCKSTEP_UNROLL
  for (int i = 0; i < rows; ++i) {
    a[i] = tile.a[i];
    LOCKSTEP_UNROLL
    for (int v = 0; v < vectors; ++v) {
      acc[i][v] = _mm256_setzero_ps();
    }
  }
  const float* b = tile.b;
  const int64_t b_step = tile.b_step;
  const int64_t* const end = tile.offsets + tile.terms;
  for (const int64_t* offset = tile.offsets; offset != end; ++offset, b += b_step) {
    __m256 right[vectors];
    LOCKSTEP_UNROLL
    for (int v = 0; v < vectors; ++v) {
      right[v] = _mm256_loadu_ps(b + ptrdiff_t{v} * lanes);
    }
    LOCKSTEP_UNROLL
    for (int i = 0; i < rows; ++i) {
      const __m256 left = _mm256_broadcast_ss(a[i] + *offset);
      LOCKSTEP_UNROLL
      for (int v = 0; v < vectors; ++v) {
        acc[i][v] = _mm256_fmadd_ps(left, right[v], acc[i][v]);
      }
    }
  }
  LOCKSTEP_UNROLL
  for (int v = 0; v < vectors; ++v) {
    const __m256i mask = mask_of(tile.columns - v * lanes);
    LOCKSTEP_UNROLL
    for (int i = 0; i < rows; ++i) {
      close(tile, tile.out[i] + ptrdiff_t{v} * lanes, acc[i][v], mask);
    }
  }
}

using TileFunction = void (*)(const Tile<float>&);

/// 6 × 16 and 9 × 8 outputs fill the sixteen registers; entry i has i + 1 rows.
constexpr TileFunction wide[] = {
    run_tile<1, 2>, run_tile<2, 2>, run_tile<3, 2>, run_tile<4, 2>, run_tile<5, 2>, run_tile<6, 2>};
constexpr TileFunction narrow[] = {run_tile<1, 1>,
                                   run_tile<2, 1>,
                                   run_tile<3, 1>,
                                   run_tile<4, 1>,
                                   run_tile<5, 1>,
                                   run_tile<6, 1>,
                                   run_tile<7, 1>,
                                   run_tile<8, 1>,
                                   run_tile<9, 1>};
static_assert(std::size(narrow) == tile_rows_max && std::size(wide) <= tile_rows_max);
static_assert(panel_narrow == lanes && panel_wide == 2 * lanes);

struct Avx2Micro {
  static int rows(int width) {
    return static_cast<int>(width == panel_wide ? std::size(wide) : std::size(narrow));
  }
  static void run(const Tile<float>& tile) {
    (tile.width == panel_wide ? wide : narrow)[tile.rows - 1](tile);
  }
};

bool applies(const law::Op& op) {
  return is_contraction(op.record->kind) && op.record->out.type == law::DType::f32 &&
         plan_contraction(op).fits;
}

void run(const Call& call) {
  Contraction<float, Avx2Micro>(call).run();
}

constexpr Kernel kernels[] = {{"contraction avx2", applies, contraction_scratch<float>, run}};

}  // namespace

std::span<const Kernel> contraction_kernels_avx2() {
  const bool supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return supported ? std::span<const Kernel>(kernels) : std::span<const Kernel>();
}

}  // namespace lockstep::tensor

#else

namespace lockstep::tensor {

std::span<const Kernel> contraction_kernels_avx2() {
  return {};
}

}  // namespace lockstep::tensor

#endif
