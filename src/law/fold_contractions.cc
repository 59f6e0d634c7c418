// The fma chains: contract, convolution and its two gradients. Segments of 512 terms.
#include "base/check.h"
#include "law/fold_internal.h"
#include "law/taps.h"

namespace lockstep::law {
namespace {

/// acc[0] is the sum of closed segments, acc[1] the open chain. A segment closes with its last
/// term: the first is copied, later ones are added; the chain restarts at +0.
class Chain : public Primitive {
 public:
  explicit Chain(const Op& op) : op_(op), type_(op.record->out.type) {}
  [[nodiscard]] int words() const override { return 2; }
  void init(std::span<uint64_t> acc) const override { acc[0] = acc[1] = 0; }
  [[nodiscard]] DType accumulator() const override { return type_; }
  [[nodiscard]] uint64_t finish(int64_t, Reader&, std::span<const uint64_t> acc) const override {
    return canonical(type_, acc[0]);
  }
  void step(int64_t o, int64_t r, Reader& in, std::span<uint64_t> acc) const override {
    const auto [a, b] = operands(o, r, in);
    acc[1] = is_float(type_)
                 ? fused(type_, a, b, acc[1])
                 : binary(MapOp::add, type_, acc[1], binary(MapOp::multiply, type_, a, b));
    const int64_t terms = r + 1;
    if (terms % limits::segment_terms == 0 || terms == range(o)) {
      const bool first = r < limits::segment_terms;
      acc[0] = first ? acc[1] : binary(MapOp::add, type_, acc[0], acc[1]);
      acc[1] = 0;
    }
  }

 protected:
  struct Operands {
    uint64_t a, b;
  };
  /// The two factors of term r of output o.
  [[nodiscard]] virtual Operands operands(int64_t o, int64_t r, Reader& in) const = 0;
  [[nodiscard]] const Dims& in(size_t input) const { return op_.in[input].dims; }
  [[nodiscard]] const Dims& out() const { return op_.record->out.dims; }

 private:
  const Op& op_;
  DType type_;
};

class Contract final : public Chain {
 public:
  explicit Contract(const Op& op)
      : Chain(op),
        attr_(std::get<ContractAttr>(op.record->attributes)),
        m_(out()[1]),
        n_(out()[2]),
        k_(in(0)[attr_.a_transposed ? 1 : 2]) {}
  [[nodiscard]] int64_t range(int64_t) const override { return k_; }

 protected:
  [[nodiscard]] Operands operands(int64_t o, int64_t r, Reader& reader) const override {
    const int64_t column = o % n_;
    const int64_t row = o / n_ % m_;
    const int64_t batch = o / n_ / m_;
    const int64_t a =
        attr_.a_transposed ? (batch * k_ + r) * m_ + row : (batch * m_ + row) * k_ + r;
    const int64_t b =
        attr_.b_transposed ? (batch * n_ + column) * k_ + r : (batch * k_ + r) * n_ + column;
    return {reader.bits(0, a), reader.bits(1, b)};
  }

 private:
  const ContractAttr& attr_;
  int64_t m_, n_, k_;
};

/// Coordinates that the three convolutions share. Dims: x [n,h,w,ci], w [kh,kw,ci/groups,co],
/// y [n,oh,ow,co].
class Convolution : public Chain {
 public:
  Convolution(const Op& op, const Dims& x, const Dims& w, const Dims& y)
      : Chain(op), attr_(std::get<ConvAttr>(op.record->attributes)), x_(x), w_(w), y_(y) {}

 protected:
  [[nodiscard]] int64_t group_outputs() const { return w_[3] / attr_.groups; }
  [[nodiscard]] int64_t row(int64_t oh, int64_t kh) const {
    return oh * attr_.stride_h + kh * attr_.dilation_h - attr_.pad_top;
  }
  [[nodiscard]] int64_t column(int64_t ow, int64_t kw) const {
    return ow * attr_.stride_w + kw * attr_.dilation_w - attr_.pad_left;
  }
  [[nodiscard]] uint64_t x_bits(Reader& reader, int64_t n, int64_t h, int64_t w, int64_t c) const {
    const bool inside = h >= 0 && h < x_[1] && w >= 0 && w < x_[2];
    return inside ? reader.bits(0, ((n * x_[1] + h) * x_[2] + w) * x_[3] + c) : 0;
  }
  [[nodiscard]] int64_t w_at(int64_t kh, int64_t kw, int64_t c, int64_t co) const {
    return ((kh * w_[1] + kw) * w_[2] + c) * w_[3] + co;
  }
  [[nodiscard]] int64_t y_at(int64_t n, int64_t oh, int64_t ow, int64_t co) const {
    return ((n * y_[1] + oh) * y_[2] + ow) * y_[3] + co;
  }

  const ConvAttr& attr_;
  const Dims &x_, &w_, &y_;
};

class Forward final : public Convolution {
 public:
  explicit Forward(const Op& op)
      : Convolution(op, op.in[0].dims, op.in[1].dims, op.record->out.dims) {}
  [[nodiscard]] int64_t range(int64_t) const override { return w_[0] * w_[1] * w_[2]; }

 protected:
  [[nodiscard]] Operands operands(int64_t o, int64_t r, Reader& reader) const override {
    int64_t at[4];
    split(o, y_, at);
    const int64_t c = r % w_[2];
    const int64_t kw = r / w_[2] % w_[1];
    const int64_t kh = r / w_[2] / w_[1];
    const int64_t group = at[3] / group_outputs();
    return {x_bits(reader, at[0], row(at[1], kh), column(at[2], kw), group * w_[2] + c),
            reader.bits(1, w_at(kh, kw, c, at[3]))};
  }
};

class WeightGrad final : public Convolution {
 public:
  explicit WeightGrad(const Op& op)
      : Convolution(op, op.in[0].dims, op.record->out.dims, op.in[1].dims) {}
  [[nodiscard]] int64_t range(int64_t) const override { return y_[0] * y_[1] * y_[2]; }

 protected:
  [[nodiscard]] Operands operands(int64_t o, int64_t r, Reader& reader) const override {
    int64_t at[4];
    split(o, w_, at);
    const int64_t ow = r % y_[2];
    const int64_t oh = r / y_[2] % y_[1];
    const int64_t n = r / y_[2] / y_[1];
    const int64_t group = at[3] / group_outputs();
    return {x_bits(reader, n, row(oh, at[0]), column(ow, at[1]), group * w_[2] + at[2]),
            reader.bits(1, y_at(n, oh, ow, at[3]))};
  }
};

class InputGrad final : public Convolution {
 public:
  explicit InputGrad(const Op& op)
      : Convolution(op, op.record->out.dims, op.in[1].dims, op.in[0].dims),
        down_(attr_.pad_top, attr_.dilation_h, attr_.stride_h, w_[0]),
        across_(attr_.pad_left, attr_.dilation_w, attr_.stride_w, w_[1]) {}
  [[nodiscard]] int64_t range(int64_t o) const override {
    int64_t at[4];
    split(o, x_, at);
    return down_.at(at[1]).count * across_.at(at[2]).count * group_outputs();
  }

 protected:
  [[nodiscard]] Operands operands(int64_t o, int64_t r, Reader& reader) const override {
    int64_t at[4];
    split(o, x_, at);
    const Taps across = across_.at(at[2]);
    const Taps down = down_.at(at[1]);
    const int64_t group = at[3] / w_[2];
    const int64_t co = group * group_outputs() + r % group_outputs();
    const int64_t tap = r / group_outputs();
    const int64_t kh = down.first + tap / across.count * down.every;
    const int64_t kw = across.first + tap % across.count * across.every;
    const int64_t high = at[1] + attr_.pad_top - attr_.dilation_h * kh;
    const int64_t wide = at[2] + attr_.pad_left - attr_.dilation_w * kw;
    const int64_t oh = high / attr_.stride_h;
    const int64_t ow = wide / attr_.stride_w;
    const bool inside = high >= 0 && wide >= 0 && oh < y_[1] && ow < y_[2];
    return {inside ? reader.bits(0, y_at(at[0], oh, ow, co)) : 0,
            reader.bits(1, w_at(kh, kw, at[3] % w_[2], co))};
  }

 private:
  TapRule down_, across_;
};

}  // namespace

std::unique_ptr<Primitive> contraction_primitive(const Op& op) {
  switch (op.record->kind) {
    case Kind::contract:
      return std::make_unique<Contract>(op);
    case Kind::conv:
      return std::make_unique<Forward>(op);
    case Kind::conv_weight_grad:
      return std::make_unique<WeightGrad>(op);
    default:
      CHECK(op.record->kind == Kind::conv_input_grad);
      return std::make_unique<InputGrad>(op);
  }
}

}  // namespace lockstep::law
