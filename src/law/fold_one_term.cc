// Primitives of one term: map, the gathers and the views.
#include "base/check.h"
#include "law/fold_internal.h"

namespace lockstep::law {
namespace {

class Map final : public OneTerm {
 public:
  explicit Map(const Op& op) : OneTerm(op), attr_(std::get<MapAttr>(op.record->attributes)) {
    for (const Shape& shape : op.in) {
      strides_.push_back(broadcast_strides(shape.dims, op.record->out.dims));
    }
  }
  [[nodiscard]] uint64_t finish(int64_t o, Reader& in, std::span<const uint64_t>) const override {
    struct Item {
      uint64_t bits;
      DType type;
    } stack[limits::map_nodes_max];
    size_t top = 0;
    for (const MapNode& node : attr_.nodes) {
      Item result{node.bits, node.type};
      Item* const last = stack + top;
      switch (node.op) {
        case MapOp::input:
          result = {in.bits(node.arg, element_of(o, op_.record->out.dims, strides_[node.arg])),
                    op_.in[node.arg].type};
          break;
        case MapOp::constant:
          break;
        case MapOp::cast:
          result.bits = convert(last[-1].type, node.type, last[-1].bits);
          top -= 1;
          break;
        case MapOp::bitcast:
          result.bits = canonical(last[-1].type, last[-1].bits);
          top -= 1;
          break;
        case MapOp::fma:
          result = {fused(last[-1].type, last[-3].bits, last[-2].bits, last[-1].bits),
                    last[-1].type};
          top -= 3;
          break;
        case MapOp::select:
          result = last[-3].bits != 0 ? last[-2] : last[-1];
          top -= 3;
          break;
        default:
          if (node.op >= MapOp::negate) {
            result = {unary(node.op, last[-1].type, last[-1].bits), last[-1].type};
            top -= 1;
          } else {
            const DType type = node.op >= MapOp::less ? DType::boolean : last[-1].type;
            result = {binary(node.op, last[-1].type, last[-2].bits, last[-1].bits), type};
            top -= 2;
          }
      }
      stack[top++] = result;
    }
    return canonical(op_.record->out.type, stack[0].bits);
  }

 private:
  const MapAttr& attr_;
  std::vector<PerAxis> strides_;
};

/// Index < 0 adds n once; still outside gives NaN, or 0 for other types.
class Gather final : public OneTerm {
 public:
  explicit Gather(const Op& op) : OneTerm(op), rows_(op.in[0].dims[0]) {
    row_ = 1;
    for (size_t i = 1; i < op.in[0].dims.size(); ++i) {
      row_ *= op.in[0].dims[i];
    }
  }
  [[nodiscard]] uint64_t finish(int64_t o, Reader& in, std::span<const uint64_t>) const override {
    auto index = static_cast<int64_t>(convert(op_.in[1].type, DType::i64, in.bits(1, o / row_)));
    index += index < 0 ? rows_ : 0;
    const DType type = op_.record->out.type;
    const bool inside = index >= 0 && index < rows_;
    return inside ? canonical(type, in.bits(0, index * row_ + o % row_)) : nan_or_zero(type);
  }

 private:
  int64_t rows_, row_ = 1;
};

/// The output's own place in data, but for one axis, where the index says.
class GatherElements final : public OneTerm {
 public:
  explicit GatherElements(const Op& op)
      : OneTerm(op),
        axis_(std::get<GatherElementsAttr>(op.record->attributes).axis),
        strides_(strides_of(op.in[0].dims)) {}
  [[nodiscard]] uint64_t finish(int64_t o, Reader& in, std::span<const uint64_t>) const override {
    const Dims& dims = op_.in[0].dims;
    int64_t at[limits::rank_max];
    split(o, op_.record->out.dims, at);
    auto index = static_cast<int64_t>(convert(op_.in[1].type, DType::i64, in.bits(1, o)));
    index += index < 0 ? dims[axis_] : 0;
    const DType type = op_.record->out.type;
    if (index < 0 || index >= dims[axis_]) {
      return nan_or_zero(type);
    }
    at[axis_] = index;
    int64_t element = 0;
    for (size_t i = 0; i < dims.size(); ++i) {
      element += at[i] * strides_[i];
    }
    return canonical(type, in.bits(0, element));
  }

 private:
  size_t axis_;
  PerAxis strides_;
};

/// The output element is input element base + Σ at[i]·stride[i]: transpose, slice, broadcast.
class Strided final : public OneTerm {
 public:
  explicit Strided(const Op& op) : OneTerm(op) {
    const PerAxis strides = strides_of(op.in[0].dims);
    const size_t rank = op.in[0].dims.size();
    if (const auto* order = std::get_if<TransposeAttr>(&op.record->attributes)) {
      for (size_t i = 0; i < rank; ++i) {
        strides_[i] = strides[order->order[i]];
      }
    } else if (const auto* slice = std::get_if<SliceAttr>(&op.record->attributes)) {
      for (size_t i = 0; i < rank; ++i) {
        base_ += slice->start[i] * strides[i];
        // A single element never steps, and a huge step must not overflow.
        const bool steps = op.record->out.dims[i] > 1;
        strides_[i] = steps ? strides[i] * slice->step[i] : 0;
      }
    } else {
      strides_ = broadcast_strides(op.in[0].dims, op.record->out.dims);
    }
  }
  [[nodiscard]] uint64_t finish(int64_t o, Reader& in, std::span<const uint64_t>) const override {
    const int64_t element = base_ + element_of(o, op_.record->out.dims, strides_);
    return canonical(op_.record->out.type, in.bits(0, element));
  }

 private:
  int64_t base_ = 0;
  PerAxis strides_{};
};

class Pad final : public OneTerm {
 public:
  explicit Pad(const Op& op)
      : OneTerm(op),
        attr_(std::get<PadAttr>(op.record->attributes)),
        strides_(strides_of(op.in[0].dims)) {}
  [[nodiscard]] uint64_t finish(int64_t o, Reader& in, std::span<const uint64_t>) const override {
    int64_t at[limits::rank_max];
    split(o, op_.record->out.dims, at);
    int64_t element = 0;
    for (size_t i = 0; i < op_.in[0].dims.size(); ++i) {
      const int64_t place = at[i] - attr_.low[i];
      if (place < 0 || place >= op_.in[0].dims[i]) {
        return attr_.bits;
      }
      element += place * strides_[i];
    }
    return canonical(op_.record->out.type, in.bits(0, element));
  }

 private:
  const PadAttr& attr_;
  PerAxis strides_;
};

class Concatenate final : public OneTerm {
 public:
  explicit Concatenate(const Op& op)
      : OneTerm(op), axis_(std::get<ConcatenateAttr>(op.record->attributes).axis) {}
  [[nodiscard]] uint64_t finish(int64_t o, Reader& in, std::span<const uint64_t>) const override {
    int64_t at[limits::rank_max];
    split(o, op_.record->out.dims, at);
    uint32_t input = 0;
    while (at[axis_] >= op_.in[input].dims[axis_]) {
      at[axis_] -= op_.in[input++].dims[axis_];
    }
    const Dims& dims = op_.in[input].dims;
    int64_t element = 0;
    for (size_t i = 0; i < dims.size(); ++i) {
      element = element * dims[i] + at[i];
    }
    return canonical(op_.record->out.type, in.bits(input, element));
  }

 private:
  size_t axis_;
};

}  // namespace

std::unique_ptr<Primitive> one_term_primitive(const Op& op) {
  switch (op.record->kind) {
    case Kind::map:
      return std::make_unique<Map>(op);
    case Kind::gather:
      return std::make_unique<Gather>(op);
    case Kind::gather_elements:
      return std::make_unique<GatherElements>(op);
    case Kind::pad:
      return std::make_unique<Pad>(op);
    case Kind::concatenate:
      return std::make_unique<Concatenate>(op);
    default:
      return std::make_unique<Strided>(op);
  }
}

}  // namespace lockstep::law
