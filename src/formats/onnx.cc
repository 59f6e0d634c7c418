// Imports ONNX: every node is checked in file order, then the chain that leads from the image to
// the logits is kept.
#include "formats/onnx.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/check.h"
#include "formats/onnx_importer.h"

namespace lockstep::formats {
namespace onnx_internal {

using ::ONNX_NAMESPACE::TensorProto;
using ::ONNX_NAMESPACE::TypeProto;
using ::ONNX_NAMESPACE::ValueInfoProto;

namespace {

constexpr int64_t opset_min = 9, opset_max = 21;
constexpr size_t listed_operators_max = 256;
constexpr const char* supported_operators =
    "Add, Constant, Conv, Flatten, Gemm, Identity, MatMul, MaxPool, Relu, Reshape";

bool is_main_domain(const std::string& domain) {
  return domain.empty() || domain == "ai.onnx";
}

bool is_good_name(const std::string& name) {
  return !name.empty() && name.size() <= limits::name_bytes_max &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

Result<const TypeProto::Tensor*> tensor_type(const ValueInfoProto& value,
                                             const std::string& where) {
  if (!value.has_type() || value.type().value_case() != TypeProto::kTensorType) {
    return bad("is no tensor", where);
  }
  const TypeProto::Tensor& type = value.type().tensor_type();
  if (type.elem_type() != TensorProto::FLOAT) {
    return unsupported("its element type is not FLOAT", where);
  }
  return &type;
}

}  // namespace

bool fits(int64_t c, int64_t h, int64_t w) {
  return law::valid(law::Shape{DType::f32, {1, h, w, c}}).ok();
}

Result<Model> Importer::run() {
  TRY(check_header());
  TRY(check_operators());
  TRY(read_initializers());
  TRY(read_input());
  for (int i = 0; i < graph_.node_size(); ++i) {
    TRY(read_node(graph_.node(i), where_of(graph_.node(i), i)));
  }
  const Activation output = TRY(read_output());
  TRY(keep_chain(output.step));
  model_.classes_ = output.features();
  return std::move(model_);
}

Result<void> Importer::check_header() {
  if (!proto_.has_graph() || proto_.ir_version() < 3) {
    return bad("no ONNX model: graph or ir_version is missing", {});
  }
  if (proto_.functions_size() > 0 || proto_.training_info_size() > 0 ||
      graph_.sparse_initializer_size() > 0 || graph_.quantization_annotation_size() > 0) {
    return unsupported("functions, training info, sparse or quantised tensors", {});
  }
  int found = 0;
  for (const auto& opset : proto_.opset_import()) {
    if (!is_main_domain(opset.domain())) {
      continue;
    }
    ++found;
    if (opset.version() < opset_min || opset.version() > opset_max) {
      return unsupported("opset " + std::to_string(opset.version()) + " is not in 9 to 21",
                         "opset_import");
    }
  }
  if (found != 1) {
    return bad("the operator set's version must stand exactly once", "opset_import");
  }
  if (static_cast<size_t>(graph_.node_size()) > limits::onnx_nodes_max) {
    return unsupported("more than 65536 nodes", "graph");
  }
  return {};
}

Result<void> Importer::check_operators() {
  std::set<std::string> unknown;
  std::string first;
  for (int i = 0; i < graph_.node_size(); ++i) {
    const NodeProto& node = graph_.node(i);
    const bool main = is_main_domain(node.domain());
    if (main && handlers().contains(node.op_type())) {
      continue;
    }
    if (first.empty()) {
      first = where_of(node, i);
    }
    if (unknown.size() < listed_operators_max) {
      unknown.insert((main ? "" : printable(node.domain()) + ".") + printable(node.op_type()));
    }
  }
  if (unknown.empty()) {
    return {};
  }
  std::string list;
  for (const std::string& name : unknown) {
    list += (list.empty() ? "" : ", ") + name;
  }
  return refuse(Code::unsupported_onnx,
                "operators that are not supported: " + list,
                std::string("Supported are ") + supported_operators,
                first);
}

Result<void> Importer::define(const std::string& name, Named named, const std::string& where) {
  if (!is_good_name(name)) {
    return unsupported("a name is empty, longer than 256 bytes or not printable ASCII", where);
  }
  if (!names_.emplace(name, named).second) {
    return bad("the name " + printable(name) + " is defined twice", where);
  }
  return {};
}

Result<void> Importer::define_constant(const std::string& name,
                                       law::Tensor tensor,
                                       const std::string& where) {
  TRY(define(name, Named{true, constants_.size()}, where));
  constants_.push_back({name, std::move(tensor)});
  return {};
}

Result<void> Importer::define_activation(const Node& node, Activation activation) {
  TRY(define(node.proto.output(0), Named{false, activations_.size()}, node.where));
  activations_.push_back(activation);
  return {};
}

Result<void> Importer::read_initializers() {
  for (const TensorProto& proto : graph_.initializer()) {
    const std::string where = "initialiser '" + printable(proto.name()) + "'";
    law::Tensor tensor = TRY(read_tensor(proto, where));
    TRY(define_constant(proto.name(), std::move(tensor), where));
  }
  return {};
}

Result<void> Importer::read_input() {
  const ValueInfoProto* input = nullptr;
  std::set<std::string> seen;
  for (const ValueInfoProto& value : graph_.input()) {
    if (!seen.insert(value.name()).second) {
      return bad("stands twice", "input '" + printable(value.name()) + "'");
    }
    if (names_.contains(value.name())) {
      continue;  // old files list the initialisers here too
    }
    if (input != nullptr) {
      return unsupported("a second input; a classifier has one image",
                         "input '" + printable(value.name()) + "'");
    }
    input = &value;
  }
  if (input == nullptr) {
    return bad("the graph has no input", "graph");
  }
  const std::string where = "input '" + printable(input->name()) + "'";
  const TypeProto::Tensor& type = *TRY(tensor_type(*input, where));
  if (type.shape().dim_size() != 4) {
    return unsupported("must have the dims [batch, channels, height, width]", where);
  }
  std::array<int64_t, 4> dims{};
  for (int axis = 0; axis < 4; ++axis) {
    const auto& dim = type.shape().dim(axis);
    const bool fixed = dim.has_dim_value();
    if ((fixed && dim.dim_value() < 1) || (!fixed && axis > 0)) {
      return unsupported("dim " + std::to_string(axis) +
                             (fixed ? " is not positive" : " is not fixed; only the batch may be"),
                         where);
    }
    dims[static_cast<size_t>(axis)] = fixed ? dim.dim_value() : 0;
  }
  if (!fits(dims[1], dims[2], dims[3])) {
    return unsupported("its dims are too large", where);
  }
  batch_ = dims[0];
  TRY(define(input->name(), Named{false, 0}, where));
  activations_.push_back({dims[1], dims[2], dims[3], false, -1});
  model_.input_name_ = input->name();
  model_.image_dims_ = {dims[2], dims[3], dims[1]};
  return {};
}

Result<Activation> Importer::read_output() {
  if (graph_.output_size() != 1) {
    return unsupported("a classifier has exactly one output", "graph");
  }
  const ValueInfoProto& output = graph_.output(0);
  const std::string where = "output '" + printable(output.name()) + "'";
  const auto found = names_.find(output.name());
  if (found == names_.end()) {
    return bad("no node makes it", where);
  }
  if (found->second.is_constant) {
    return unsupported("it is a constant", where);
  }
  Activation value = activations_[found->second.index];
  const TypeProto::Tensor& type = *TRY(tensor_type(output, where));
  if (!value.flat) {
    return unsupported("it is an image; a classifier gives [batch, classes]", where);
  }
  if (type.has_shape()) {
    const bool right_rank = type.shape().dim_size() == 2;
    if (!right_rank || (type.shape().dim(1).has_dim_value() &&
                        type.shape().dim(1).dim_value() != value.features())) {
      return bad("its dims are not [batch, " + std::to_string(value.features()) + "]", where);
    }
  }
  if (value.c > 1 && value.h * value.w > 1) {
    Step step;
    step.layer.kind = Layer::Kind::to_chw;
    step.layer.image = {value.h, value.w, value.c};
    push(value, std::move(step));
  }
  return value;
}

Result<void> Importer::keep_chain(int last) {
  std::vector<int> chain;
  for (int step = last; step >= 0; step = steps_[static_cast<size_t>(step)].before) {
    chain.push_back(step);
  }
  std::map<int, size_t> parameters;
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    Step& step = steps_[static_cast<size_t>(*at)];
    if (step.constant >= 0) {
      step.layer.parameter = TRY(parameter_of(step, parameters));
    }
    model_.layers_.push_back(std::move(step.layer));
  }
  return {};
}

Result<size_t> Importer::parameter_of(Step& step, std::map<int, size_t>& parameters) {
  const auto [at, is_new] = parameters.emplace(step.constant, model_.parameters_.size());
  if (!is_new) {
    if (model_.parameters_[at->second].layout != step.layout) {
      return unsupported("shares a tensor with another layer, which reads it in another order",
                         step.where);
    }
    return at->second;
  }
  Constant& constant = constants_[static_cast<size_t>(step.constant)];
  law::Tensor tensor = to_law(step.layout, constant.tensor);
  model_.parameters_.push_back({constant.name,
                                std::move(tensor),
                                std::move(constant.tensor.shape.dims),
                                std::move(step.layout)});
  constant.tensor = {};
  return at->second;
}

}  // namespace onnx_internal

Result<Model> Model::import(ByteView onnx) {
  if (onnx.size() > limits::onnx_bytes_max) {
    return onnx_internal::unsupported(
        "longer than " + std::to_string(limits::onnx_bytes_max) + " bytes", {});
  }
  TRY(onnx_internal::check_structure(onnx));
  ::ONNX_NAMESPACE::ModelProto proto;
  if (!proto.ParseFromArray(onnx.data(), static_cast<int>(onnx.size()))) {
    return onnx_internal::bad("not an ONNX file, or cut off", {});
  }
  return onnx_internal::Importer(proto).run();
}

law::Shape Model::input_shape(int64_t batch) const {
  return {law::DType::f32, {batch, image_dims_[0], image_dims_[1], image_dims_[2]}};
}

law::Tensor Model::to_onnx_layout(size_t parameter, const law::Tensor& tensor) const {
  CHECK(parameter < parameters_.size());
  const Parameter& known = parameters_[parameter];
  return onnx_internal::to_onnx(known.layout, known.onnx_dims, tensor);
}

}  // namespace lockstep::formats
