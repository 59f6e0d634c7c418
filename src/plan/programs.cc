#include "plan/programs.h"

#include <array>
#include <bit>

namespace lockstep::plan {
namespace {

using graph::Builder;
using graph::Value;
using law::DType;
using law::MapNode;
using law::MapOp;

law::Shape images_shape(const ProgramSpec& spec) {
  law::Dims dims = spec.network.image_dims;
  dims.insert(dims.begin(), spec.blob_images);
  return {DType::u8, dims};
}

law::Shape labels_shape(const ProgramSpec& spec) {
  return {DType::u8, {spec.blob_images}};
}

Value iota(Builder& builder, int64_t count) {
  law::Tensor tensor{{DType::i64, {count}}, Bytes(static_cast<size_t>(count) * 8)};
  for (int64_t i = 0; i < count; ++i) {
    law::store_bits(DType::i64, tensor.data, i, static_cast<uint64_t>(i));
  }
  return builder.constant(std::move(tensor));
}

/// u8 0…255 → f32 0…1.
Value to_unit(Builder& builder, Value images) {
  const MapNode scale{MapOp::constant, 0, DType::f32, std::bit_cast<uint32_t>(255.0F)};
  return builder.map({{{MapOp::input}, {MapOp::cast, 0, DType::f32}, scale, {MapOp::divide}}},
                     std::array{images});
}

/// The rows of the blob that this step takes: (step mod local_steps)·batch + 0 … batch − 1.
Value batch_rows(Builder& builder, const ProgramSpec& spec, Value step) {
  const auto& train = spec.train;
  const auto number = [](uint32_t value) { return MapNode{MapOp::constant, 0, DType::i64, value}; };
  return builder.map({{{MapOp::input, 0},
                       number(train.local_steps),
                       {MapOp::remainder},
                       number(train.batch),
                       {MapOp::multiply},
                       {MapOp::input, 1},
                       {MapOp::add}}},
                     std::array{step, iota(builder, train.batch)});
}

/// loss leaf: starts again at the first step of a task.
Value add_loss(Builder& builder,
               const ProgramSpec& spec,
               Value step,
               std::pair<Value, Value> losses) {
  const auto number = [](uint32_t value) { return MapNode{MapOp::constant, 0, DType::i64, value}; };
  return builder.map({{{MapOp::input, 0},
                       number(spec.train.local_steps),
                       {MapOp::remainder},
                       number(0),
                       {MapOp::equal},
                       {MapOp::constant, 0, DType::f32, 0},
                       {MapOp::input, 1},
                       {MapOp::select},
                       {MapOp::input, 2},
                       {MapOp::add}}},
                     std::array{step, losses.first, losses.second});
}

}  // namespace

Result<graph::Built> step_program(const ProgramSpec& spec,
                                  const std::function<Value(Builder&, Value)>& rate_at) {
  Builder builder;
  std::vector<Value> weights;
  std::vector<Value> momentum;
  for (const auto& parameter : spec.network.parameters) {
    weights.push_back(builder.leaf(parameter.name, parameter.tensor.shape));
    momentum.push_back(builder.leaf("momentum/" + parameter.name, parameter.tensor.shape));
  }
  const Value images = builder.leaf("images", images_shape(spec));
  const Value labels = builder.leaf("labels", labels_shape(spec));
  const Value step = builder.leaf("step", {DType::i64, {}});
  const Value loss_sum = builder.leaf("loss", {DType::f32, {}});

  const Value rows = batch_rows(builder, spec, step);
  const Value x = to_unit(builder, builder.gather(images, rows));
  const Value label = builder.cast(builder.gather(labels, rows), DType::i64);
  const Value logits = TRY(spec.network.logits(builder, x, weights));
  const Value loss = graph::softmax_cross_entropy(builder, logits, label);
  const std::vector<Value> gradients = builder.gradients(loss, weights);
  const Value rate = rate_at(builder, step);
  for (size_t i = 0; i < weights.size() && i < gradients.size(); ++i) {
    const auto update = graph::sgd_momentum(
        builder, weights[i], momentum[i], gradients[i], {rate, spec.train.optimizer.momentum});
    builder.set_next(weights[i], update.parameter);
    builder.set_next(momentum[i], update.momentum);
  }
  builder.set_next(loss_sum, add_loss(builder, spec, step, {loss_sum, loss}));
  builder.set_next(step, builder.add(step, builder.scalar_i64(1)));
  return builder.finish();
}

Result<graph::Built> evaluate_program(const ProgramSpec& spec) {
  Builder builder;
  std::vector<Value> weights;
  for (const auto& parameter : spec.network.parameters) {
    weights.push_back(builder.leaf(parameter.name, parameter.tensor.shape));
  }
  const Value images = builder.leaf("images", images_shape(spec));
  const Value labels = builder.leaf("labels", labels_shape(spec));
  const Value correct = builder.leaf("correct", {DType::i64, {}});
  const Value logits = TRY(spec.network.logits(builder, to_unit(builder, images), weights));
  const Value hit =
      builder.binary(MapOp::equal, builder.argmax(logits), builder.cast(labels, DType::i64));
  const Value hits = builder.reduce_all(builder.cast(hit, DType::i64), {law::ReduceOp::sum, {0}});
  builder.set_next(correct, builder.add(correct, hits));
  return builder.finish();
}

Result<graph::Built> sum_program(const ProgramSpec& spec) {
  Builder builder;
  std::vector<Value> parts{builder.leaf("correct", {DType::i64, {}})};
  for (uint32_t part = 1; part < spec.test_blobs; ++part) {
    parts.push_back(builder.leaf("part" + std::to_string(part), {DType::i64, {}}));
  }
  builder.set_next(parts.front(), sum_in_order(builder, parts));
  return builder.finish();
}

/// Any number of values of one shape, sixteen inputs a map.
Value sum_in_order(Builder& builder, std::span<const Value> values) {
  Value total = values.front();
  for (size_t at = 1; at < values.size();) {
    std::vector<Value> inputs{total};
    law::MapAttr sum{{{MapOp::input, 0}}};
    while (at < values.size() && inputs.size() < limits::map_inputs_max) {
      sum.nodes.push_back({MapOp::input, static_cast<uint8_t>(inputs.size())});
      sum.nodes.push_back({MapOp::add});
      inputs.push_back(values[at++]);
    }
    total = builder.map(sum, inputs);
  }
  return total;
}

std::vector<NamedTensor> first_values(const Network& network) {
  std::vector<NamedTensor> all;
  all.reserve(2 * network.parameters.size() + 3);
  for (const auto& [name, tensor] : network.parameters) {
    all.push_back({name, tensor});
    all.push_back({"momentum/" + name, zeros(tensor.shape)});
  }
  all.push_back({"step", zeros({DType::i64, {}})});
  all.push_back({"loss", zeros({DType::f32, {}})});
  all.push_back({"correct", zeros({DType::i64, {}})});
  return all;
}

law::Tensor zeros(const law::Shape& shape) {
  return {shape, Bytes(static_cast<size_t>(shape.bytes()))};
}

}  // namespace lockstep::plan
