// f32 average pool and its gradient with AVX2: a vector is eight channels.
#if defined(__x86_64__)

#include "tensor/average_pool.h"
#include "tensor/general_avx2.h"

namespace lockstep::tensor {
namespace {

LOCKSTEP_AVX2 void average_window(const AverageGeometry& g,
                                  const PoolGeometry::Window& window,
                                  const float* image,
                                  float* out) {
  const __m256 number = _mm256_set1_ps(static_cast<float>(g.divisor(window)));
  for (int64_t c = 0; c < g.pool.c; c += vector_lanes) {
    const __m256i mask = first_lanes(g.pool.c - c);
    __m256 sum = _mm256_setzero_ps();
    for (int64_t h = window.h0; h < window.h1; ++h) {
      const float* from = image + (h * g.pool.w + window.w0) * g.pool.c + c;
      for (int64_t w = window.w0; w < window.w1; ++w, from += g.pool.c) {
        sum = _mm256_add_ps(sum, _mm256_maskload_ps(from, mask));
      }
    }
    _mm256_maskstore_ps(out + c, mask, canonical8(_mm256_div_ps(sum, number)));
  }
}

/// Some of one element's channels: whole vectors, or one of `count` lanes. `dy` and `out` stand on
/// the first.
struct Channels {
  const float* dy;
  float* out;
  int64_t count;
};
template <size_t vectors>
LOCKSTEP_AVX2 void average_element(const AverageGeometry& g,
                                   const AverageGeometry::Cover& cover,
                                   const Channels& channels) {
  const __m256i mask = first_lanes(channels.count);
  __m256 sum[vectors];
  for (__m256& each : sum) {
    each = _mm256_setzero_ps();
  }
  for (int64_t y = cover.y0; y < cover.y1; ++y) {
    for (int64_t x = cover.x0; x < cover.x1; ++x) {
      const auto number = static_cast<float>(g.divisor(g.pool.window(y, x)));
      const float* from = channels.dy + (y * g.pool.ow + x) * g.pool.c;
      for (__m256& each : sum) {
        const __m256 term = _mm256_maskload_ps(from, mask);
        each = _mm256_add_ps(each, _mm256_div_ps(term, _mm256_set1_ps(number)));
        from += vector_lanes;
      }
    }
  }
  float* to = channels.out;
  for (const __m256& each : sum) {
    _mm256_maskstore_ps(to, mask, canonical8(each));
    to += vector_lanes;
  }
}

}  // namespace

void run_average_pool_avx2(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const AverageGeometry g = average_geometry(call.op);
  const PoolGeometry& p = g.pool;
  for_average_places(call.workers, g.forward_rows(), [&](int64_t n, int64_t y, int64_t x) {
    average_window(g,
                   p.window(y, x),
                   as<float>(call.in[0]) + n * p.h * p.w * p.c,
                   as<float>(call.out) + ((n * p.oh + y) * p.ow + x) * p.c);
  });
}

void run_average_pool_grad_avx2(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const AverageGeometry g = average_geometry(call.op);
  const PoolGeometry& p = g.pool;
  for_average_places(call.workers, g.backward_rows(), [&](int64_t n, int64_t h, int64_t w) {
    const AverageGeometry::Cover cover = g.cover(h, w);
    const float* const dy = as<float>(call.in[0]) + n * p.oh * p.ow * p.c;
    float* const out = as<float>(call.out) + ((n * p.h + h) * p.w + w) * p.c;
    constexpr int64_t abreast = 4;
    int64_t c = 0;
    for (; c + abreast * vector_lanes <= p.c; c += abreast * vector_lanes) {
      average_element<abreast>(g, cover, {dy + c, out + c, vector_lanes});
    }
    for (; c < p.c; c += vector_lanes) {
      average_element<1>(g, cover, {dy + c, out + c, p.c - c});
    }
  });
}

}  // namespace lockstep::tensor

#endif
