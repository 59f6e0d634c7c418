// What the portable and the AVX2 average pool share: which windows cover an element, what they
// divide by, and how rows of the output are shared out.
#pragma once

#include "tensor/general_internal.h"

namespace lockstep::tensor {

struct AverageGeometry {
  PoolGeometry pool;
  bool count_padding = false;

  /// Rows of the output, of `width` places each, `height` rows an image.
  struct Rows {
    int64_t images, height, width, channels;
  };
  [[nodiscard]] Rows forward_rows() const { return {pool.n, pool.oh, pool.ow, pool.c}; }
  [[nodiscard]] Rows backward_rows() const { return {pool.n, pool.h, pool.w, pool.c}; }

  [[nodiscard]] int64_t divisor(const PoolGeometry::Window& window) const {
    return count_padding ? pool.attr.window_h * pool.attr.window_w
                         : (window.h1 - window.h0) * (window.w1 - window.w0);
  }

  /// The windows [y0, y1) × [x0, x1) that cover an element of the image; perhaps none.
  struct Cover {
    int64_t y0, y1, x0, x1;
  };
  [[nodiscard]] Cover cover(int64_t h, int64_t w) const {
    const law::PoolAttr& a = pool.attr;
    return {first(h + a.pad_top, a.window_h, a.stride_h),
            std::min(pool.oh, (h + a.pad_top) / a.stride_h + 1),
            first(w + a.pad_left, a.window_w, a.stride_w),
            std::min(pool.ow, (w + a.pad_left) / a.stride_w + 1)};
  }

 private:
  [[nodiscard]] static int64_t first(int64_t padded, int64_t window, int64_t stride) {
    return padded < window ? 0 : (padded - window) / stride + 1;
  }
};
[[nodiscard]] AverageGeometry average_geometry(const law::Op& op);

/// body(image, row, column) once for each place, in parts of whole rows.
template <class Body>
void for_average_places(Workers& workers, const AverageGeometry::Rows& rows, const Body& body) {
  const int64_t count = rows.images * rows.height;
  const int64_t rows_a_part = std::max<int64_t>(1, 4096 / (rows.width * rows.channels));
  for_parts(workers, ceil_div(count, rows_a_part), [&](int64_t part, int) {
    const int64_t end = std::min(count, (part + 1) * rows_a_part);
    for (int64_t row = part * rows_a_part; row < end; ++row) {
      for (int64_t x = 0; x < rows.width; ++x) {
        body(row / rows.height, row % rows.height, x);
      }
    }
  });
}

}  // namespace lockstep::tensor
