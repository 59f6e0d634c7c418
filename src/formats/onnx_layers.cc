// The ONNX operators that are read: what each asks of its inputs and attributes, and its layers.
#include <algorithm>

#include "formats/onnx_importer.h"

namespace lockstep::formats::onnx_internal {

const std::map<std::string, Importer::Handler>& Importer::handlers() {
  static const std::map<std::string, Handler> table = {
      {"Add", &Importer::add},
      {"Constant", &Importer::constant},
      {"Conv", &Importer::conv},
      {"Flatten", &Importer::flatten},
      {"Gemm", &Importer::gemm},
      {"Identity", &Importer::identity},
      {"MatMul", &Importer::matmul},
      {"MaxPool", &Importer::max_pool},
      {"Relu", &Importer::relu},
      {"Reshape", &Importer::reshape},
  };
  return table;
}

Result<void> Importer::read_node(const NodeProto& proto, const std::string& where) {
  Node node{proto, where, Attributes(proto, where)};
  TRY(node.attributes.check());
  for (int i = 1; i < proto.output_size(); ++i) {
    if (!proto.output(i).empty()) {
      return unsupported("a second output", where);
    }
  }
  if (proto.output_size() < 1) {
    return bad("no output", where);
  }
  return (this->*handlers().at(proto.op_type()))(node);
}

Result<void> Importer::count_inputs(const Node& node, int min, int max) {
  if (node.proto.input_size() < min || node.proto.input_size() > max) {
    return bad("has " + std::to_string(node.proto.input_size()) + " inputs", node.where);
  }
  return {};
}

Result<Named> Importer::named(const Node& node, int input) {
  const std::string& name = node.proto.input(input);
  const auto found = names_.find(name);
  if (found != names_.end()) {
    return found->second;
  }
  for (const NodeProto& other : graph_.node()) {
    if (std::find(other.output().begin(), other.output().end(), name) != other.output().end()) {
      return bad("reads " + printable(name) + " before the node that makes it (not sorted)",
                 node.where);
    }
  }
  return bad("reads " + printable(name) + ", which nothing makes", node.where);
}

Result<Activation> Importer::activation(const Node& node, int input) {
  const Named found = TRY(named(node, input));
  if (found.is_constant) {
    return unsupported("computes on a constant, " + printable(node.proto.input(input)), node.where);
  }
  return activations_[found.index];
}

Result<int> Importer::constant_input(const Node& node, int input, DType type) {
  const Named found = TRY(named(node, input));
  if (!found.is_constant) {
    return unsupported(printable(node.proto.input(input)) + " is computed; it must be a constant",
                       node.where);
  }
  if (constants_[found.index].tensor.shape.type != type) {
    return bad(printable(node.proto.input(input)) + " has the wrong element type", node.where);
  }
  return static_cast<int>(found.index);
}

const Dims& Importer::dims_of(int constant) const {
  return constants_[static_cast<size_t>(constant)].tensor.shape.dims;
}

void Importer::push(Activation& value, Step step) {
  step.before = value.step;
  value.step = static_cast<int>(steps_.size());
  steps_.push_back(std::move(step));
}

Result<void> Importer::push_bias(const Node& node, int input, int64_t size, Activation& value) {
  const int bias = TRY(constant_input(node, input, DType::f32));
  const Dims& dims = dims_of(bias);
  const bool is_conv = node.proto.op_type() == "Conv";
  if (dims != Dims{size} && (is_conv || dims != Dims{1, size})) {
    return unsupported("a bias of dims " + law::text_of(dims) + "; only [" + std::to_string(size) +
                           "] is supported",
                       node.where);
  }
  Layer layer;
  layer.kind = Layer::Kind::bias;
  push(value, Step{layer, -1, bias, Layout{{size}, {0}, {size}}, node.where});
  return {};
}

Result<Importer::Window> Importer::window_of(Node& node, Dims kernel) {
  Attributes& attributes = node.attributes;
  Window window;
  window.kernel = TRY(attributes.integers("kernel_shape", std::move(kernel)));
  window.strides = TRY(attributes.integers("strides", {1, 1}));
  window.pads = TRY(attributes.integers("pads", {0, 0, 0, 0}));
  window.dilations = TRY(attributes.integers("dilations", {1, 1}));
  const std::string auto_pad = TRY(attributes.text("auto_pad"));
  const bool padded = window.pads != Dims{0, 0, 0, 0};
  if (!auto_pad.empty() && auto_pad != "NOTSET" && (auto_pad != "VALID" || padded)) {
    return unsupported("auto_pad " + printable(auto_pad) + "; only explicit pads are supported",
                       node.where);
  }
  for (const Dims* dims : {&window.kernel, &window.strides, &window.dilations}) {
    if (std::find(dims->begin(), dims->end(), 0) != dims->end()) {
      return bad("a kernel size, stride or dilation is 0", node.where);
    }
  }
  return window;
}

Result<Activation> Importer::slide(const Node& node,
                                   const Window& window,
                                   Activation value,
                                   int64_t channels) {
  if (value.flat) {
    return bad("reads a flat value; it needs an image", node.where);
  }
  const auto size = [&window](int64_t in, size_t axis) {
    const int64_t room = in + window.pads[axis] + window.pads[axis + 2] -
                         window.dilations[axis] * (window.kernel[axis] - 1) - 1;
    return room < 0 ? 0 : room / window.strides[axis] + 1;
  };
  value.h = size(value.h, 0);
  value.w = size(value.w, 1);
  value.c = channels;
  if (value.h < 1 || value.w < 1) {
    return bad("its window is larger than the padded image", node.where);
  }
  if (!fits(value.c, value.h, value.w)) {
    return unsupported("its output is too large", node.where);
  }
  return value;
}

Result<void> Importer::conv(Node& node) {
  TRY(count_inputs(node, 2, 3));
  const Activation before = TRY(activation(node, 0));
  const int weight = TRY(constant_input(node, 1, DType::f32));
  const Dims& dims = dims_of(weight);
  if (dims.size() != 4 || std::find(dims.begin(), dims.end(), 0) != dims.end()) {
    return unsupported("a weight of dims " + law::text_of(dims) + "; only 2-D convolutions",
                       node.where);
  }
  const Window window = TRY(window_of(node, {dims[2], dims[3]}));
  const int64_t groups = TRY(node.attributes.integer("group", 1));
  TRY(node.attributes.finish());
  const int64_t co = dims[0], ci = dims[1];
  if (window.kernel != Dims{dims[2], dims[3]} || std::max(dims[2], dims[3]) > 1 << 24) {
    return bad("kernel_shape is not that of the weight, or too large", node.where);
  }
  if (groups < 1 || before.c % groups != 0 || co % groups != 0 || before.c / groups != ci) {
    return bad("channels of the image, weight and group do not agree", node.where);
  }
  Activation value = TRY(slide(node, window, before, co));
  Layer layer;
  layer.kind = Layer::Kind::conv;
  layer.conv = {window.strides[0],
                window.strides[1],
                window.pads[0],
                window.pads[2],
                window.pads[1],
                window.pads[3],
                window.dilations[0],
                window.dilations[1],
                groups};
  push(value,
       Step{layer, -1, weight, Layout{dims, {2, 3, 1, 0}, {dims[2], dims[3], ci, co}}, node.where});
  if (node.proto.input_size() == 3 && !node.proto.input(2).empty()) {
    TRY(push_bias(node, 2, co, value));
  }
  return define_activation(node, value);
}

Result<void> Importer::max_pool(Node& node) {
  TRY(count_inputs(node, 1, 1));
  const Activation before = TRY(activation(node, 0));
  if (!node.attributes.has("kernel_shape")) {
    return bad("kernel_shape is missing", node.where);
  }
  const Window window = TRY(window_of(node, {0, 0}));
  TRY(node.attributes.integer_is("ceil_mode", 0));
  TRY(node.attributes.integer_is("storage_order", 0));
  TRY(node.attributes.finish());
  if (window.dilations != Dims{1, 1}) {
    return unsupported("dilations", node.where);
  }
  for (size_t side = 0; side < 4; ++side) {
    if (window.pads[side] >= window.kernel[side % 2]) {
      return unsupported("a pad as large as the window", node.where);
    }
  }
  Activation value = TRY(slide(node, window, before, before.c));
  Layer layer;
  layer.kind = Layer::Kind::max_pool;
  layer.pool = {window.kernel[0],
                window.kernel[1],
                window.strides[0],
                window.strides[1],
                window.pads[0],
                window.pads[2],
                window.pads[1],
                window.pads[3]};
  push(value, Step{layer, -1, -1, {}, node.where});
  return define_activation(node, value);
}

Result<void> Importer::relu(Node& node) {
  TRY(count_inputs(node, 1, 1));
  Activation value = TRY(activation(node, 0));
  TRY(node.attributes.finish());
  push(value, Step{});
  return define_activation(node, value);
}

Result<void> Importer::define_flat(const Node& node, Activation value) {
  if (!value.flat) {
    Step step;
    step.layer.kind = Layer::Kind::flatten;
    push(value, std::move(step));
    value.flat = true;
  }
  return define_activation(node, value);
}

Result<void> Importer::flatten(Node& node) {
  TRY(count_inputs(node, 1, 1));
  const Activation value = TRY(activation(node, 0));
  const int64_t axis = TRY(node.attributes.integer("axis", 1));
  TRY(node.attributes.finish());
  if (axis != 1 && axis != (value.flat ? -1 : -3)) {
    return unsupported("attribute axis = " + std::to_string(axis) + "; only 1 is supported",
                       node.where);
  }
  return define_flat(node, value);
}

Result<void> Importer::reshape(Node& node) {
  TRY(count_inputs(node, 2, 2));
  const Activation value = TRY(activation(node, 0));
  const int index = TRY(constant_input(node, 1, DType::i64));
  TRY(node.attributes.integer_is("allowzero", 0));
  TRY(node.attributes.finish());
  const law::Tensor& tensor = constants_[static_cast<size_t>(index)].tensor;
  if (tensor.shape.dims != Dims{2}) {
    return unsupported("only a reshape to [batch, -1] is supported", node.where);
  }
  const auto rows = static_cast<int64_t>(law::load_bits(DType::i64, tensor.data, 0));
  const auto columns = static_cast<int64_t>(law::load_bits(DType::i64, tensor.data, 1));
  const bool rows_are_batch = rows == 0 || (rows > 0 && rows == batch_);
  const bool all_columns = columns == value.features();
  if (!(rows_are_batch && (columns == -1 || all_columns)) && !(rows == -1 && all_columns)) {
    return unsupported("reshapes to [" + std::to_string(rows) + ", " + std::to_string(columns) +
                           "]; only [batch, -1] is supported (0 in the first place is any batch)",
                       node.where);
  }
  return define_flat(node, value);
}

Result<Activation> Importer::dense(const Node& node, bool transposed) {
  Activation value = TRY(activation(node, 0));
  const int weight = TRY(constant_input(node, 1, DType::f32));
  const Dims& dims = dims_of(weight);
  if (!value.flat) {
    return bad("reads an image; flatten it first", node.where);
  }
  if (dims.size() != 2 || dims[transposed ? 1 : 0] != value.features() ||
      dims[transposed ? 0 : 1] < 1) {
    return bad("a weight of dims " + law::text_of(dims) + " does not fit " +
                   std::to_string(value.features()) + " features",
               node.where);
  }
  const int64_t out = dims[transposed ? 0 : 1];
  Layout layout{{value.c, value.h, value.w, out}, {1, 2, 0, 3}, {value.features(), out}};
  if (transposed) {
    layout.view = {out, value.c, value.h, value.w};
    layout.order = {2, 3, 1, 0};
  }
  Layer layer;
  layer.kind = Layer::Kind::dense;
  push(value, Step{layer, -1, weight, std::move(layout), node.where});
  value.c = out;
  value.h = value.w = 1;
  return value;
}

Result<void> Importer::gemm(Node& node) {
  TRY(count_inputs(node, 2, 3));
  TRY(node.attributes.float_is("alpha", 1));
  TRY(node.attributes.float_is("beta", 1));
  TRY(node.attributes.integer_is("transA", 0));
  const int64_t transposed = TRY(node.attributes.integer("transB", 0));
  TRY(node.attributes.finish());
  if (transposed != 0 && transposed != 1) {
    return bad("attribute transB is neither 0 nor 1", node.where);
  }
  Activation value = TRY(dense(node, transposed == 1));
  if (node.proto.input_size() == 3 && !node.proto.input(2).empty()) {
    TRY(push_bias(node, 2, value.features(), value));
  }
  return define_activation(node, value);
}

Result<void> Importer::matmul(Node& node) {
  TRY(count_inputs(node, 2, 2));
  TRY(node.attributes.finish());
  return define_activation(node, TRY(dense(node, false)));
}

Result<void> Importer::add(Node& node) {
  TRY(count_inputs(node, 2, 2));
  TRY(node.attributes.finish());
  const Named first = TRY(named(node, 0));
  const int constant = first.is_constant ? 0 : 1;
  Activation value = TRY(activation(node, 1 - constant));
  if (value.step < 0 || steps_[static_cast<size_t>(value.step)].layer.kind != Layer::Kind::dense) {
    return unsupported("only a constant bias directly after a MatMul can be added", node.where);
  }
  TRY(push_bias(node, constant, value.features(), value));
  return define_activation(node, value);
}

Result<void> Importer::identity(Node& node) {
  TRY(count_inputs(node, 1, 1));
  TRY(node.attributes.finish());
  const Named same = TRY(named(node, 0));
  return define(node.proto.output(0), same, node.where);
}

Result<void> Importer::constant(Node& node) {
  TRY(count_inputs(node, 0, 0));
  law::Tensor tensor = TRY(read_constant(node.proto, node.where));
  return define_constant(node.proto.output(0), std::move(tensor), node.where);
}

}  // namespace lockstep::formats::onnx_internal
