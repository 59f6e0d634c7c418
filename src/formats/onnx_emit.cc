// Emits an imported classifier into a program: the forward pass, layer by layer.
#include "base/check.h"
#include "formats/onnx.h"

namespace lockstep::formats {
namespace {

using graph::Builder;
using graph::Value;
using Layer = Model::Layer;

Value emit_layer(Builder& builder, const Layer& layer, Value x, std::span<const Value> params) {
  switch (layer.kind) {
    case Layer::Kind::conv:
      return builder.conv(x, params[layer.parameter], layer.conv);
    case Layer::Kind::dense:
      return builder.matmul(x, params[layer.parameter]);
    case Layer::Kind::bias:
      return builder.add(x, params[layer.parameter]);
    case Layer::Kind::relu:
      return builder.relu(x);
    case Layer::Kind::max_pool:
      return builder.max_pool(x, layer.pool);
    case Layer::Kind::flatten: {
      const law::Dims& dims = builder.shape(x).dims;
      return dims.size() == 4 ? builder.reshape(x, {dims[0], dims[1] * dims[2] * dims[3]}) : x;
    }
    case Layer::Kind::to_chw: {
      const law::Dims flat = builder.shape(x).dims;
      const law::Dims& image = layer.image;
      if (flat.empty()) {
        return x;
      }
      const Value hwc = builder.reshape(x, {flat[0], image[0], image[1], image[2]});
      return builder.reshape(builder.transpose(hwc, {0, 3, 1, 2}), flat);
    }
  }
  CHECK(false);
}

Error wrong_shape(const std::string& where, const law::Shape& got, const law::Shape& want) {
  return refuse(Code::bad_graph,
                std::string("has shape ") + law::name_of(got.type) + law::text_of(got.dims) +
                    ", the model needs " + law::name_of(want.type) + law::text_of(want.dims),
                "Give values of the model's shapes",
                where);
}

}  // namespace

Result<Value> Model::emit(Builder& builder, Value x_nhwc, std::span<const Value> params) const {
  const law::Shape& x = builder.shape(x_nhwc);
  const law::Shape wanted = input_shape(x.dims.empty() ? 1 : x.dims[0]);
  if (x != wanted) {
    return wrong_shape(input_name_, x, wanted);
  }
  if (params.size() != parameters_.size()) {
    return refuse(Code::bad_graph,
                  std::to_string(params.size()) + " parameters, the model has " +
                      std::to_string(parameters_.size()),
                  "Give one value for each of the model's parameters");
  }
  for (size_t i = 0; i < params.size(); ++i) {
    const law::Shape& shape = builder.shape(params[i]);
    if (shape != parameters_[i].tensor.shape) {
      return wrong_shape(parameters_[i].name, shape, parameters_[i].tensor.shape);
    }
  }
  Value value = x_nhwc;
  for (const Layer& layer : layers_) {
    value = emit_layer(builder, layer, value, params);
  }
  return value;
}

}  // namespace lockstep::formats
