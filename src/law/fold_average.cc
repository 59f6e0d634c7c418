// Average pooling and its gradient: sums over windows, each divided once by a number of positions.
#include "base/check.h"
#include "law/fold_internal.h"

namespace lockstep::law {
namespace {

/// What both share. The sum starts at +0, so that a window of −0 alone gives +0.
class Average : public Primitive {
 public:
  Average(const Op& op, const Dims& x, const Dims& y)
      : type_(op.record->out.type),
        attr_(std::get<AveragePoolAttr>(op.record->attributes)),
        windows_(attr_.pool, x, y) {}
  [[nodiscard]] int words() const override { return 1; }
  [[nodiscard]] DType accumulator() const override { return type_; }
  void init(std::span<uint64_t> acc) const override { acc[0] = 0; }

 protected:
  /// The number that window (oh, ow) is divided by. It is exact: a window has at most 4,096 places.
  [[nodiscard]] uint64_t divisor(int64_t oh, int64_t ow) const {
    const int64_t inside = windows_.rows(oh).size() * windows_.columns(ow).size();
    const int64_t count = attr_.count_padding ? attr_.pool.window_h * attr_.pool.window_w : inside;
    return convert(DType::i64, type_, static_cast<uint64_t>(count));
  }

  DType type_;
  const AveragePoolAttr& attr_;
  Windows windows_;
};

class AveragePool final : public Average {
 public:
  explicit AveragePool(const Op& op) : Average(op, op.in[0].dims, op.record->out.dims) {}
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
    const int64_t x = windows_.x_at(at[0], h, wide.first + r % wide.size(), at[3]);
    acc[0] = binary(MapOp::add, type_, acc[0], in.bits(0, x));
  }
  [[nodiscard]] uint64_t finish(int64_t o, Reader&, std::span<const uint64_t> acc) const override {
    int64_t at[4];
    split(o, windows_.y(), at);
    return binary(MapOp::divide, type_, acc[0], divisor(at[1], at[2]));
  }
};

class AveragePoolGrad final : public Average {
 public:
  explicit AveragePoolGrad(const Op& op) : Average(op, op.record->out.dims, op.in[0].dims) {}
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
    const uint64_t dy = in.bits(0, windows_.y_at(at[0], oh, ow, at[3]));
    const uint64_t share = binary(MapOp::divide, type_, dy, divisor(oh, ow));
    acc[0] = binary(MapOp::add, type_, acc[0], share);
  }
  [[nodiscard]] uint64_t finish(int64_t, Reader&, std::span<const uint64_t> acc) const override {
    return acc[0];
  }
};

}  // namespace

std::unique_ptr<Primitive> average_primitive(const Op& op) {
  if (op.record->kind == Kind::average_pool) {
    return std::make_unique<AveragePool>(op);
  }
  CHECK(op.record->kind == Kind::average_pool_grad);
  return std::make_unique<AveragePoolGrad>(op);
}

}  // namespace lockstep::law
