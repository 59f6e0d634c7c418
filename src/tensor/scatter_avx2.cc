// f32 scatter_add with AVX2: rows are added eight columns at a time.
#if defined(__x86_64__)

#include "tensor/general_avx2.h"

namespace lockstep::tensor {
namespace {

LOCKSTEP_AVX2 void add_row_avx2(float* out, const float* in, int64_t count) {
  int64_t i = 0;
  for (; i + vector_lanes <= count; i += vector_lanes) {
    const __m256 sum = _mm256_add_ps(_mm256_loadu_ps(out + i), _mm256_loadu_ps(in + i));
    _mm256_storeu_ps(out + i, canonical8(sum));
  }
  if (i < count) {
    const __m256i mask = first_lanes(count - i);
    const __m256 sum =
        _mm256_add_ps(_mm256_maskload_ps(out + i, mask), _mm256_maskload_ps(in + i, mask));
    _mm256_maskstore_ps(out + i, mask, canonical8(sum));
  }
}

}  // namespace

void run_scatter_add_avx2(const Call& call) {
  run_scatter_add_f32(call, add_row_avx2);
}

}  // namespace lockstep::tensor

#endif
