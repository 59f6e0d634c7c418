// What the primitives share, and their factories. For src/law/ only.
#pragma once

#include <algorithm>

#include "law/fold.h"
#include "law/indexing.h"
#include "law/scalar.h"

namespace lockstep::law {

/// A primitive that computes its output from one term, in finish().
class OneTerm : public Primitive {
 public:
  explicit OneTerm(const Op& op) : op_(op) {}
  [[nodiscard]] int64_t range(int64_t) const override { return 1; }
  [[nodiscard]] int words() const override { return 0; }
  void init(std::span<uint64_t>) const override {}
  void step(int64_t, int64_t, Reader&, std::span<uint64_t>) const override {}
  [[nodiscard]] DType accumulator() const override { return op_.record->out.type; }

 protected:
  const Op& op_;
};

/// The operation and the identity that a reduction or a scan folds with.
struct Merge {
  MapOp op = MapOp::add;
  uint64_t identity = 0;
};
[[nodiscard]] Merge merge_of(ReduceOp op, DType type);

/// Of a pool of either kind or of its gradient.
[[nodiscard]] const PoolAttr& pool_of(const Record& record);

/// Positions first … last − 1 of one axis.
struct Span {
  int64_t first, last;
  [[nodiscard]] int64_t size() const { return last - first; }
};

/// Coordinates that pools and their gradients share: x [n,h,w,c], y [n,oh,ow,c]. Borrows.
class Windows {
 public:
  Windows(const PoolAttr& attr, const Dims& x, const Dims& y) : attr_(attr), x_(x), y_(y) {}
  /// The part of a window that lies inside the image.
  [[nodiscard]] Span rows(int64_t oh) const {
    const int64_t first = oh * attr_.stride_h - attr_.pad_top;
    return {std::max<int64_t>(0, first), std::min(x_[1], first + attr_.window_h)};
  }
  [[nodiscard]] Span columns(int64_t ow) const {
    const int64_t first = ow * attr_.stride_w - attr_.pad_left;
    return {std::max<int64_t>(0, first), std::min(x_[2], first + attr_.window_w)};
  }
  /// The windows that cover a row or a column of the image.
  [[nodiscard]] Span over_row(int64_t h) const {
    return covering(h + attr_.pad_top, attr_.window_h, attr_.stride_h, y_[1]);
  }
  [[nodiscard]] Span over_column(int64_t w) const {
    return covering(w + attr_.pad_left, attr_.window_w, attr_.stride_w, y_[2]);
  }
  [[nodiscard]] int64_t x_at(int64_t n, int64_t h, int64_t w, int64_t c) const {
    return ((n * x_[1] + h) * x_[2] + w) * x_[3] + c;
  }
  [[nodiscard]] int64_t y_at(int64_t n, int64_t oh, int64_t ow, int64_t c) const {
    return ((n * y_[1] + oh) * y_[2] + ow) * y_[3] + c;
  }
  [[nodiscard]] const Dims& x() const { return x_; }
  [[nodiscard]] const Dims& y() const { return y_; }

 private:
  [[nodiscard]] static Span covering(int64_t i_padded,
                                     int64_t window,
                                     int64_t stride,
                                     int64_t count) {
    const int64_t first = i_padded < window ? 0 : (i_padded - window) / stride + 1;
    const int64_t last = std::min(count, i_padded / stride + 1);
    return {first, std::max(first, last)};
  }
  const PoolAttr& attr_;
  const Dims &x_, &y_;
};

std::unique_ptr<Primitive> contraction_primitive(const Op& op);  // contract, conv and gradients
std::unique_ptr<Primitive> reduction_primitive(const Op& op);    // reduce, max_pool, gradient, rank
std::unique_ptr<Primitive> average_primitive(const Op& op);      // average_pool and its gradient
std::unique_ptr<Primitive> scatter_primitive(const Op& op);      // scatter_add, scatter_set
std::unique_ptr<Primitive> scan_primitive(const Op& op);
std::unique_ptr<Primitive> random_primitive(const Op& op);
std::unique_ptr<Primitive> one_term_primitive(const Op& op);  // map, gathers, views

}  // namespace lockstep::law
