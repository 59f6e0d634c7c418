// f32 max-pool and its gradient with AVX2: a vector is eight channels.
#if defined(__x86_64__)

#include "tensor/general_avx2.h"

namespace lockstep::tensor {
namespace {

using Window = PoolGeometry::Window;

/// One window: eight channels at a time of `image` (its element [0, 0, 0]).
LOCKSTEP_AVX2 void pool_window(const PoolGeometry& g,
                               const Window& window,
                               const float* image,
                               float* out) {
  for (int64_t c = 0; c < g.c; c += vector_lanes) {
    const __m256i mask = first_lanes(g.c - c);
    __m256 best = _mm256_maskload_ps(image + (window.h0 * g.w + window.w0) * g.c + c, mask);
    for (int64_t h = window.h0; h < window.h1; ++h) {
      for (int64_t w = window.w0; w < window.w1; ++w) {
        // The first element once more: maximum(x, x) = x.
        best = maximum8(best, _mm256_maskload_ps(image + (h * g.w + w) * g.c + c, mask));
      }
    }
    _mm256_maskstore_ps(out + c, mask, best);
  }
}

/// Which place of the window, counted row-major, is the first maximum of each channel.
LOCKSTEP_AVX2 inline __m256i first_maximum(const PoolGeometry& g,
                                           const Window& window,
                                           const float* channels,
                                           __m256i mask) {
  __m256i at = _mm256_setzero_si256();
  __m256 best = _mm256_maskload_ps(channels + (window.h0 * g.w + window.w0) * g.c, mask);
  int place = 0;
  for (int64_t h = window.h0; h < window.h1; ++h) {
    for (int64_t w = window.w0; w < window.w1; ++w, ++place) {
      const __m256 x = _mm256_maskload_ps(channels + (h * g.w + w) * g.c, mask);
      // Not (x <= best) is "larger or a NaN"; nothing displaces a NaN.
      const __m256 better =
          _mm256_and_ps(_mm256_cmp_ps(x, best, _CMP_NLE_UQ), _mm256_cmp_ps(best, best, _CMP_ORD_Q));
      best = _mm256_blendv_ps(best, x, better);
      at = _mm256_blendv_epi8(at, _mm256_set1_epi32(place), _mm256_castps_si256(better));
    }
  }
  return at;
}

struct GradWindow {
  const float *x, *dy;  // the image, and the window's row of channels
  float* dx;            // the image
};

LOCKSTEP_AVX2 void grad_window(const PoolGeometry& g,
                               const Window& window,
                               const GradWindow& work) {
  for (int64_t c = 0; c < g.c; c += vector_lanes) {
    const __m256i mask = first_lanes(g.c - c);
    const __m256i at = first_maximum(g, window, work.x + c, mask);
    const __m256 dy = _mm256_maskload_ps(work.dy + c, mask);
    int place = 0;
    for (int64_t h = window.h0; h < window.h1; ++h) {
      for (int64_t w = window.w0; w < window.w1; ++w, ++place) {
        float* const dx = work.dx + (h * g.w + w) * g.c + c;
        const __m256i here =
            _mm256_and_si256(mask, _mm256_cmpeq_epi32(at, _mm256_set1_epi32(place)));
        const __m256 sum = _mm256_add_ps(_mm256_maskload_ps(dx, mask), dy);
        _mm256_maskstore_ps(dx, here, canonical8(sum));
      }
    }
  }
}

}  // namespace

void run_max_pool_avx2(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const PoolGeometry g = pool_geometry(call.op);
  for_parts(call.workers, g.n * g.oh, [&](int64_t row, int) {
    const float* const image = as<float>(call.in[0]) + row / g.oh * g.h * g.w * g.c;
    float* const out = as<float>(call.out) + row * g.ow * g.c;
    for (int64_t x = 0; x < g.ow; ++x) {
      pool_window(g, g.window(row % g.oh, x), image, out + x * g.c);
    }
  });
}

void run_max_pool_grad_avx2(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const PoolGeometry g = pool_geometry(call.op);
  for_parts(call.workers, g.n, [&](int64_t n, int) {
    const int64_t image = g.h * g.w * g.c;
    const float* const x = as<float>(call.in[0]) + n * image;
    const float* dy = as<float>(call.in[1]) + n * g.oh * g.ow * g.c;
    float* const dx = as<float>(call.out) + n * image;
    std::fill(dx, dx + image, 0.0F);
    for (int64_t oh = 0; oh < g.oh; ++oh) {
      for (int64_t ow = 0; ow < g.ow; ++ow, dy += g.c) {
        grad_window(g, g.window(oh, ow), {x, dy, dx});
      }
    }
  });
}

}  // namespace lockstep::tensor

#endif
