// Shape rules of the kinds that move elements as they are, and of scatter-add, which does so too.
#include "law/check_internal.h"

namespace lockstep::law {
namespace {

Result<void> require_index(const Shape& index) {
  return require(index.type == DType::i32 || index.type == DType::i64, "an index is i32 or i64");
}

Result<void> check_gather(const Op& op) {
  const Shape& data = op.in[0];
  const Shape& index = op.in[1];
  TRY(require_index(index));
  TRY(require(!data.dims.empty() && data.type == op.record->out.type,
              "data and output do not fit"));
  Dims dims = index.dims;
  dims.insert(dims.end(), data.dims.begin() + 1, data.dims.end());
  return require_out(op, dims);
}

Result<void> check_scatter(const Op& op) {
  const Shape& base = op.in[0];
  const Shape& updates = op.in[2];
  const DType type = op.record->out.type;
  TRY(require_index(op.in[1]));
  TRY(require(base.type == type && updates.type == type, "base, updates and output types differ"));
  TRY(require(op.record->kind == Kind::scatter_set || computes(type),
              "this type is for storage, not for arithmetic"));
  TRY(require(!base.dims.empty(), "the base of a scatter has an axis"));
  Dims dims = op.in[1].dims;
  dims.insert(dims.end(), base.dims.begin() + 1, base.dims.end());
  TRY(require(updates.dims == dims, "updates are the index dims, then the base's without axis 0"));
  return require_out(op, base.dims);
}

Result<void> check_gather_elements(const Op& op) {
  const size_t axis = std::get<GatherElementsAttr>(op.record->attributes).axis;
  const Shape& data = op.in[0];
  const Shape& index = op.in[1];
  TRY(require_index(index));
  TRY(require(data.type == op.record->out.type && data.dims.size() == index.dims.size(),
              "data, index and output do not fit"));
  TRY(require(axis < data.dims.size(), "the axis is outside the rank"));
  for (size_t i = 0; i < data.dims.size(); ++i) {
    TRY(require(i == axis || index.dims[i] <= data.dims[i],
                "off the axis an index dim is larger than the data's"));
  }
  return require_out(op, index.dims);
}

Result<void> check_concatenate(const Op& op) {
  const size_t axis = std::get<ConcatenateAttr>(op.record->attributes).axis;
  TRY(require(!op.in.empty() && axis < op.in[0].dims.size(), "the axis is outside the rank"));
  Dims dims = op.in[0].dims;
  dims[axis] = 0;
  for (const Shape& shape : op.in) {
    TRY(require(shape.type == op.record->out.type && shape.dims.size() == dims.size(),
                "parts do not fit"));
    for (size_t i = 0; i < dims.size(); ++i) {
      TRY(require(i == axis || shape.dims[i] == dims[i], "parts differ off the axis"));
    }
    dims[axis] += shape.dims[axis];
  }
  return require_out(op, dims);
}

Result<void> check_transpose(const Op& op, const TransposeAttr& attr) {
  const Dims& in = op.in[0].dims;
  TRY(require(attr.order.size() == in.size(), "the order names each axis once"));
  uint32_t seen = 0;
  Dims dims;
  for (const uint8_t axis : attr.order) {
    TRY(require(axis < in.size() && (seen >> axis & 1) == 0, "the order names each axis once"));
    seen |= uint32_t{1} << axis;
    dims.push_back(in[axis]);
  }
  return require_out(op, dims);
}

Result<void> check_slice(const Op& op, const SliceAttr& attr) {
  const Dims& in = op.in[0].dims;
  const Dims& out = op.record->out.dims;
  TRY(require(
      attr.start.size() == in.size() && attr.step.size() == in.size() && out.size() == in.size(),
      "a slice has start, step and size per axis"));
  for (size_t i = 0; i < in.size(); ++i) {
    TRY(require(within(attr.start[i], 0, in[i]) && within(attr.step[i], 1, limits::elements_max),
                "a slice starts in the axis and steps at least 1"));
    const int64_t left = in[i] - attr.start[i];
    TRY(require(out[i] <= (left + attr.step[i] - 1) / attr.step[i], "a slice leaves its axis"));
  }
  return {};
}

Result<void> check_pad(const Op& op, const PadAttr& attr) {
  const Dims& in = op.in[0].dims;
  TRY(require(attr.low.size() == in.size() && attr.high.size() == in.size(),
              "a pad has two sizes per axis"));
  const DType type = op.record->out.type;
  const int64_t width = size_of(type) * 8;
  const bool fits =
      type == DType::boolean ? attr.bits <= 1 : width == 64 || attr.bits >> width == 0;
  TRY(require(fits && canonical(type, attr.bits) == attr.bits,
              "the padding value is not canonical"));
  Dims dims;
  for (size_t i = 0; i < in.size(); ++i) {
    TRY(require(within(attr.low[i], 0, limits::elements_max) &&
                    within(attr.high[i], 0, limits::elements_max),
                "a padding is out of range"));
    dims.push_back(attr.low[i] + in[i] + attr.high[i]);
  }
  return require_out(op, dims);
}

Result<void> check_view(const Op& op) {
  TRY(require(op.in[0].type == op.record->out.type, "a view keeps its type"));
  if (const auto* transpose = std::get_if<TransposeAttr>(&op.record->attributes)) {
    return check_transpose(op, *transpose);
  }
  if (const auto* slice = std::get_if<SliceAttr>(&op.record->attributes)) {
    return check_slice(op, *slice);
  }
  if (const auto* pad = std::get_if<PadAttr>(&op.record->attributes)) {
    return check_pad(op, *pad);
  }
  const Dims& in = op.in[0].dims;
  const Dims& out = op.record->out.dims;
  TRY(require(in.size() <= out.size(), "a broadcast cannot drop axes"));
  for (size_t i = 0; i < in.size(); ++i) {
    const int64_t dim = out[out.size() - in.size() + i];
    TRY(require(in[i] == dim || in[i] == 1, "dims do not broadcast to the output's"));
  }
  return {};
}

}  // namespace

Result<void> check_move(const Op& op) {
  switch (op.record->kind) {
    case Kind::gather:
      return check_gather(op);
    case Kind::scatter_add:
    case Kind::scatter_set:
      return check_scatter(op);
    case Kind::gather_elements:
      return check_gather_elements(op);
    case Kind::concatenate:
      return check_concatenate(op);
    default:
      return check_view(op);
  }
}

}  // namespace lockstep::law
