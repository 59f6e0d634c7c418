// Gradients of gathers, scatters, average pools and scans: each is linear in its floats, so its
// gradient is another of them.
#include <algorithm>

#include "graph/impl.h"
#include "law/indexing.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using law::Kind;
using law::MapNode;
using law::MapOp;
using law::ReduceOp;

Value zeros(Builder& builder, Dims dims) {
  return builder.broadcast(builder.scalar_f32(0.0F), std::move(dims));
}

Value gather_gradient(Builder& builder, const Step& step) {
  const Value base = zeros(builder, builder.shape(step.in[0]).dims);
  return builder.scatter_add(base, step.in[1], step.dy);
}

/// The flat element of the data that each element was gathered from; the count of the data where
/// the index is outside, which a scatter ignores.
Value flat_elements(Builder& builder, const Step& step) {
  const auto axis = std::get<law::GatherElementsAttr>(step.record.attributes).axis;
  const law::Shape data = builder.shape(step.in[0]);
  const Dims dims = builder.shape(step.in[1]).dims;
  const law::PerAxis strides = law::strides_of(data.dims);
  const int64_t n = data.dims[axis];
  const Value wrapped = builder.map({{input_node(0),
                                      cast_node(DType::i64),
                                      i64_node(0),
                                      op_node(MapOp::less),
                                      input_node(0),
                                      cast_node(DType::i64),
                                      i64_node(n),
                                      op_node(MapOp::add),
                                      input_node(0),
                                      cast_node(DType::i64),
                                      op_node(MapOp::select)}},
                                    std::span(&step.in[1], 1));
  std::vector<Value> inputs = {wrapped};
  law::MapAttr flat{{input_node(0),
                     i64_node(0),
                     op_node(MapOp::less),
                     input_node(0),
                     i64_node(n),
                     op_node(MapOp::less),
                     op_node(MapOp::logical_not),
                     op_node(MapOp::bit_or),
                     i64_node(data.count()),
                     input_node(0),
                     i64_node(strides[axis]),
                     op_node(MapOp::multiply)}};
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i == axis || dims[i] == 1) {
      continue;
    }
    Dims column(dims.size(), 1);
    column[i] = dims[i];
    inputs.push_back(builder.reshape(iota(builder, dims[i]), std::move(column)));
    for (const MapNode& node : {input_node(static_cast<uint8_t>(inputs.size() - 1)),
                                i64_node(strides[i]),
                                op_node(MapOp::multiply),
                                op_node(MapOp::add)}) {
      flat.nodes.push_back(node);
    }
  }
  flat.nodes.push_back(op_node(MapOp::select));
  return builder.map(std::move(flat), inputs);
}

Value gather_elements_gradient(Builder& builder, const Step& step) {
  const law::Shape data = builder.shape(step.in[0]);
  const int64_t count = step.record.out.count();
  const Value flat = builder.reshape(flat_elements(builder, step), {count});
  const Value sums =
      builder.scatter_add(zeros(builder, {data.count()}), flat, builder.reshape(step.dy, {count}));
  return builder.reshape(sums, data.dims);
}

/// The gradient of the updates: dy at their rows where `counts` (bool, the index's dims), else +0.
Value updates_gradient(Builder& builder, const Step& step, Value counts) {
  Dims column = builder.shape(step.in[1]).dims;
  column.resize(builder.shape(step.in[2]).dims.size(), 1);
  const Value inputs[] = {builder.reshape(counts, std::move(column)),
                          builder.gather(step.dy, step.in[1])};
  return builder.map({{input_node(0), input_node(1), f32_node(0.0F), op_node(MapOp::select)}},
                     inputs);
}

void scatter_add_gradients(Builder& builder, const Step& step, std::vector<Value>& out) {
  out[0] = step.dy;
  if (step.wanted[2]) {
    // A gather of bools is false outside.
    const Value one = builder.constant({{DType::boolean, {}}, Bytes{1}});
    const Value inside =
        builder.gather(builder.broadcast(one, {step.record.out.dims[0]}), step.in[1]);
    out[2] = updates_gradient(builder, step, inside);
  }
}

void scatter_set_gradients(Builder& builder, const Step& step, std::vector<Value>& out) {
  const law::Shape index = builder.shape(step.in[1]);
  if (step.wanted[0]) {
    const Dims dims = builder.shape(step.in[2]).dims;
    out[0] = builder.scatter_set(step.dy, step.in[1], zeros(builder, dims));
  }
  if (step.wanted[2]) {
    // Each row remembers who wrote it last, counted from 1; a gather of integers is 0 outside.
    const int64_t count = index.count();
    const Value number = builder.binary(MapOp::add, iota(builder, count), builder.scalar_i64(1));
    const Value numbers = builder.reshape(number, index.dims);
    const Value none = builder.broadcast(builder.scalar_i64(0), {step.record.out.dims[0]});
    const Value writers = builder.scatter_set(none, step.in[1], numbers);
    const Value wins = builder.binary(MapOp::equal, builder.gather(writers, step.in[1]), numbers);
    out[2] = updates_gradient(builder, step, wins);
  }
}

/// Within each block, the sum of dy from an element to the block's end (after it, if exclusive).
Value block_tails(Builder& builder, Value padded, bool exclusive) {
  const Value reversed = builder.reverse(padded, 1);
  return builder.reverse(builder.scan_blocks(reversed, {ReduceOp::sum, exclusive}), 1);
}

void scan_gradients(Builder& builder, const Step& step, std::vector<Value>& out) {
  const auto attr = std::get<law::ScanAttr>(step.record.attributes);
  const Dims dims = step.record.out.dims;
  const int64_t count = step.record.out.count();
  if (count == 0) {
    out[0] = step.dy;
    if (step.in.size() > 1) {
      out[1] = zeros(builder, builder.shape(step.in[1]).dims);
    }
    return;
  }
  const int64_t n = dims.back();
  const int64_t width = std::min(n, limits::scan_block);
  const int64_t blocks = (n + width - 1) / width;
  const int64_t rows = count / n;
  Value padded = builder.reshape(step.dy, {rows, n});
  if (blocks * width > n) {
    padded = builder.pad(padded, {{0, 0}, {0, blocks * width - n}, 0});
  }
  padded = builder.reshape(padded, {rows * blocks, width});
  if (step.in.size() > 1 && step.wanted[1]) {
    out[1] = builder.reshape(builder.reduce(padded, {ReduceOp::sum, {1}}),
                             builder.shape(step.in[1]).dims);
  }
  if (step.wanted[0]) {
    Value tails = block_tails(builder, padded, attr.exclusive);
    tails = builder.reshape(tails, {rows, blocks * width});
    if (blocks * width > n) {
      tails = builder.slice(tails, {{0, 0}, {1, 1}}, {rows, n});
    }
    out[0] = builder.reshape(tails, dims);
  }
}

}  // namespace

std::vector<Value> index_gradients(Builder& builder, const Step& step) {
  std::vector<Value> out(step.in.size());
  switch (step.record.kind) {
    case Kind::gather:
      out[0] = gather_gradient(builder, step);
      break;
    case Kind::gather_elements:
      out[0] = gather_elements_gradient(builder, step);
      break;
    case Kind::scatter_add:
      scatter_add_gradients(builder, step, out);
      break;
    case Kind::scatter_set:
      scatter_set_gradients(builder, step, out);
      break;
    case Kind::average_pool:
      out[0] = builder.average_pool_grad(step.dy,
                                         std::get<law::AveragePoolAttr>(step.record.attributes),
                                         builder.shape(step.in[0]).dims);
      break;
    case Kind::average_pool_grad:  // the transpose of a transpose
      out[0] =
          builder.average_pool(step.dy, std::get<law::AveragePoolAttr>(step.record.attributes));
      break;
    default:
      scan_gradients(builder, step, out);
      break;
  }
  return out;
}

}  // namespace lockstep::graph
