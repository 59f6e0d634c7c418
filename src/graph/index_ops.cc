// Primitives that move elements by indices, average pools, and random numbers.
#include <algorithm>

#include "graph/impl.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using law::Kind;
using law::MapOp;
using law::RandomMode;

Error bad_shape(std::string what) {
  return refuse(Code::bad_shape, std::move(what));
}

DType type_of(RandomMode mode) {
  switch (mode) {
    case RandomMode::bits:
      return DType::u32;
    case RandomMode::keep:
      return DType::boolean;
    case RandomMode::uniform:
    case RandomMode::normal:
      break;
  }
  return DType::f32;
}

}  // namespace

Value Builder::gather(Value data, Value index) {
  const Value inputs[] = {data, index};
  if (!impl_->alive(inputs)) {
    return {};
  }
  const law::Shape& from = shape(data);
  if (from.dims.empty()) {
    return fail(bad_shape("a gather takes data of rank 1 or more"));
  }
  Dims out = shape(index).dims;
  out.insert(out.end(), from.dims.begin() + 1, from.dims.end());
  return impl_->record(Kind::gather, law::GatherAttr{}, inputs, {from.type, std::move(out)});
}

Value Builder::gather_elements(Value data, Value index, uint8_t axis) {
  const Value inputs[] = {data, index};
  if (!impl_->alive(inputs)) {
    return {};
  }
  return impl_->record(Kind::gather_elements,
                       law::GatherElementsAttr{axis},
                       inputs,
                       {shape(data).type, shape(index).dims});
}

Value Builder::scatter_add(Value base, Value index, Value updates) {
  const Value inputs[] = {base, index, updates};
  return impl_->alive(inputs)
             ? impl_->record(Kind::scatter_add, law::ScatterAttr{}, inputs, shape(base))
             : Value{};
}

Value Builder::scatter_set(Value base, Value index, Value updates) {
  const Value inputs[] = {base, index, updates};
  return impl_->alive(inputs)
             ? impl_->record(Kind::scatter_set, law::ScatterAttr{}, inputs, shape(base))
             : Value{};
}

Value Builder::average_pool(Value x, law::AveragePoolAttr attr) {
  if (!impl_->alive(x)) {
    return {};
  }
  const Dims& image = shape(x).dims;
  if (image.size() != 4) {
    return fail(bad_shape("a pool takes a value of rank 4"));
  }
  const law::PoolAttr& pool = attr.pool;
  const Result<int64_t> height =
      window_count({image[1], pool.window_h, pool.stride_h, 1, pool.pad_top, pool.pad_bottom});
  const Result<int64_t> width =
      window_count({image[2], pool.window_w, pool.stride_w, 1, pool.pad_left, pool.pad_right});
  if (!height.ok() || !width.ok()) {
    return fail(height.ok() ? width.error() : height.error());
  }
  const Dims out = {image[0], *height, *width, image[3]};
  return impl_->record(Kind::average_pool, attr, std::span(&x, 1), {shape(x).type, out});
}

Value Builder::average_pool_grad(Value dy, law::AveragePoolAttr attr, Dims x_dims) {
  return impl_->alive(dy) ? impl_->record(Kind::average_pool_grad,
                                          attr,
                                          std::span(&dy, 1),
                                          {shape(dy).type, std::move(x_dims)})
                          : Value{};
}

Value Builder::random(Value seed, Value step, law::RandomAttr attr, Dims dims) {
  const Value inputs[] = {seed, step};
  return impl_->alive(inputs)
             ? impl_->record(Kind::random, attr, inputs, {type_of(attr.mode), std::move(dims)})
             : Value{};
}

Value Builder::random_uniform(const Stream& stream, Dims dims) {
  return random(stream.seed, stream.step, {RandomMode::uniform, stream.id, 0}, std::move(dims));
}

Value Builder::random_normal(const Stream& stream, Dims dims) {
  return random(stream.seed, stream.step, {RandomMode::normal, stream.id, 0}, std::move(dims));
}

Value Builder::dropout(Value x, const Stream& stream, float p) {
  if (!(p >= 0.0F && p < 1.0F)) {
    return fail(refuse(Code::bad_graph, "a dropout's probability is at least 0 and below 1"));
  }
  if (!impl_->alive(x) || p == 0.0F) {
    return x;
  }
  // The word is below the threshold in (1 − p)·2³² of 2³² cases.
  const double threshold = std::min((1.0 - static_cast<double>(p)) * 0x1p32, 0x1p32 - 1.0);
  const law::RandomAttr attr{RandomMode::keep, stream.id, static_cast<uint32_t>(threshold)};
  const Value inputs[] = {random(stream.seed, stream.step, attr, shape(x).dims), x};
  return map({{input_node(0),
               input_node(1),
               f32_node(1.0F / (1.0F - p)),
               op_node(MapOp::multiply),
               f32_node(0.0F),
               op_node(MapOp::select)}},
             inputs);
}

}  // namespace lockstep::graph
