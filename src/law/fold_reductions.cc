// Folds with accumulators of their own: reduce, max-pool and its gradient, rank. Also what other
// folds share with them.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "law/fold_internal.h"

namespace lockstep::law {
namespace {

class Reduce final : public Primitive {
 public:
  explicit Reduce(const Op& op) : type_(op.record->out.type) {
    const auto& attr = std::get<ReduceAttr>(op.record->attributes);
    const Dims& dims = op.in[0].dims;
    const PerAxis strides = strides_of(dims);
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      const bool reduced = std::find(attr.axes.begin(), attr.axes.end(), axis) != attr.axes.end();
      Dims& part = reduced ? reduced_ : kept_;
      (reduced ? reduced_strides_ : kept_strides_)[part.size()] = strides[axis];
      part.push_back(dims[axis]);
    }
    n_ = count_of(reduced_);
    segments_ = std::max<int64_t>(1, (n_ + limits::reduce_terms - 1) / limits::reduce_terms);
    merge_ = merge_of(attr.op, type_);
  }
  [[nodiscard]] int64_t range(int64_t o) const override {
    return std::min(limits::reduce_terms, n_ - o % segments_ * limits::reduce_terms);
  }
  [[nodiscard]] int words() const override { return limits::reduce_lanes; }
  [[nodiscard]] DType accumulator() const override { return type_; }
  void init(std::span<uint64_t> acc) const override {
    std::fill(acc.begin(), acc.end(), merge_.identity);
  }
  void step(int64_t o, int64_t r, Reader& in, std::span<uint64_t> acc) const override {
    const int64_t base = element_of(o / segments_, kept_, kept_strides_);
    const int64_t term = o % segments_ * limits::reduce_terms + r;
    const int64_t element = base + element_of(term, reduced_, reduced_strides_);
    uint64_t& lane = acc[static_cast<size_t>(r % limits::reduce_lanes)];
    lane = binary(merge_.op, type_, lane, in.bits(0, element));
  }
  [[nodiscard]] uint64_t finish(int64_t, Reader&, std::span<const uint64_t> acc) const override {
    std::array<uint64_t, limits::reduce_lanes> lanes;
    std::copy(acc.begin(), acc.end(), lanes.begin());
    for (size_t half = lanes.size() / 2; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) {
        lanes[i] = binary(merge_.op, type_, lanes[i], lanes[i + half]);
      }
    }
    return canonical(type_, lanes[0]);
  }

 private:
  DType type_;
  Dims kept_, reduced_;
  PerAxis kept_strides_{}, reduced_strides_{};
  int64_t n_ = 0, segments_ = 1;
  Merge merge_;
};

/// What max-pool and its gradient share.
class Pool : public Primitive {
 public:
  Pool(const Op& op, const Dims& y)
      : type_(op.record->out.type), windows_(pool_of(*op.record), op.in[0].dims, y) {}
  [[nodiscard]] int words() const override { return 1; }
  [[nodiscard]] DType accumulator() const override { return type_; }
  void init(std::span<uint64_t> acc) const override { acc[0] = 0; }
  [[nodiscard]] uint64_t finish(int64_t, Reader&, std::span<const uint64_t> acc) const override {
    return canonical(type_, acc[0]);
  }

 protected:
  DType type_;
  Windows windows_;
};

class MaxPool final : public Pool {
 public:
  explicit MaxPool(const Op& op) : Pool(op, op.record->out.dims) {}
  [[nodiscard]] int64_t range(int64_t o) const override {
    int64_t at[4];
    split(o, windows_.y(), at);
    return windows_.rows(at[1]).size() * windows_.columns(at[2]).size();
  }
  void step(int64_t o, int64_t r, Reader& in, std::span<uint64_t> acc) const override {
    int64_t at[4];
    split(o, windows_.y(), at);
    const Span wide = windows_.columns(at[2]);
    const int64_t h = windows_.rows(at[1]).first + r / wide.size();
    const uint64_t value = in.bits(0, windows_.x_at(at[0], h, wide.first + r % wide.size(), at[3]));
    acc[0] = r == 0 ? canonical(type_, value) : binary(MapOp::maximum, type_, acc[0], value);
  }
};

class MaxPoolGrad final : public Pool {
 public:
  explicit MaxPoolGrad(const Op& op) : Pool(op, op.in[1].dims) {}
  [[nodiscard]] int64_t range(int64_t o) const override {
    int64_t at[4];
    split(o, windows_.x(), at);
    return windows_.over_row(at[1]).size() * windows_.over_column(at[2]).size();
  }
  void step(int64_t o, int64_t r, Reader& in, std::span<uint64_t> acc) const override {
    int64_t at[4];
    split(o, windows_.x(), at);
    const Span across = windows_.over_column(at[2]);
    CHECK(across.size() > 0);  // there is a term r, so a window covers the element
    const int64_t oh = windows_.over_row(at[1]).first + r / across.size();
    const int64_t ow = across.first + r % across.size();
    if (first_maximum(at[0], oh, ow, at[3], in) == o) {
      const int64_t y = windows_.y_at(at[0], oh, ow, at[3]);
      acc[0] = binary(MapOp::add, type_, acc[0], in.bits(1, y));
    }
  }

 private:
  /// The element of x that a window's maximum is: its first NaN, else the first equal under ==.
  [[nodiscard]] int64_t first_maximum(
      int64_t n, int64_t oh, int64_t ow, int64_t c, Reader& in) const {
    int64_t best = -1;
    uint64_t best_bits = 0;
    const Span down = windows_.rows(oh);
    const Span across = windows_.columns(ow);
    for (int64_t h = down.first; h < down.last; ++h) {
      for (int64_t w = across.first; w < across.last; ++w) {
        const int64_t element = windows_.x_at(n, h, w, c);
        const uint64_t bits = in.bits(0, element);
        const bool is_nan = binary(MapOp::not_equal, type_, bits, bits) != 0;
        if (is_nan) {
          return element;
        }
        if (best < 0 || binary(MapOp::less, type_, best_bits, bits) != 0) {
          best = element;
          best_bits = bits;
        }
      }
    }
    return best;
  }
};

/// How many j of the last axis come before i.
class Rank final : public Primitive {
 public:
  explicit Rank(const Op& op)
      : type_(op.in[0].type),
        descending_(std::get<RankAttr>(op.record->attributes).descending),
        n_(op.in[0].dims.back()) {}
  [[nodiscard]] int64_t range(int64_t) const override { return n_; }
  [[nodiscard]] int words() const override { return 1; }
  [[nodiscard]] DType accumulator() const override { return DType::i64; }
  void init(std::span<uint64_t> acc) const override { acc[0] = 0; }
  [[nodiscard]] uint64_t finish(int64_t, Reader&, std::span<const uint64_t> acc) const override {
    return acc[0];
  }
  void step(int64_t o, int64_t r, Reader& in, std::span<uint64_t> acc) const override {
    const int64_t i = o % n_;
    const uint64_t mine = in.bits(0, o);
    const uint64_t other = in.bits(0, o - i + r);
    acc[0] += before(other, mine, r < i) ? 1 : 0;
  }

 private:
  /// NaN comes after all in both directions; equals (−0 = +0, NaN with NaN) by index.
  [[nodiscard]] bool before(uint64_t other, uint64_t mine, bool lower) const {
    const bool other_nan = binary(MapOp::not_equal, type_, other, other) != 0;
    const bool my_nan = binary(MapOp::not_equal, type_, mine, mine) != 0;
    if (other_nan || my_nan) {
      return other_nan == my_nan ? lower : my_nan;
    }
    if (binary(MapOp::equal, type_, other, mine) != 0) {
      return lower;
    }
    return (binary(MapOp::less, type_, other, mine) != 0) != descending_;
  }
  DType type_;
  bool descending_;
  int64_t n_;
};

}  // namespace

Merge merge_of(ReduceOp op, DType type) {
  switch (op) {
    case ReduceOp::sum:
      return {MapOp::add, 0};
    case ReduceOp::product:
      return {MapOp::multiply, one_of(type)};
    case ReduceOp::maximum:
      return {MapOp::maximum, lowest_of(type)};
    default:
      CHECK(op == ReduceOp::minimum);
      return {MapOp::minimum, highest_of(type)};
  }
}

const PoolAttr& pool_of(const Record& record) {
  const auto* average = std::get_if<AveragePoolAttr>(&record.attributes);
  return average != nullptr ? average->pool : std::get<PoolAttr>(record.attributes);
}

std::unique_ptr<Primitive> reduction_primitive(const Op& op) {
  switch (op.record->kind) {
    case Kind::reduce:
      return std::make_unique<Reduce>(op);
    case Kind::max_pool:
      return std::make_unique<MaxPool>(op);
    case Kind::max_pool_grad:
      return std::make_unique<MaxPoolGrad>(op);
    default:
      CHECK(op.record->kind == Kind::rank);
      return std::make_unique<Rank>(op);
  }
}

}  // namespace lockstep::law
