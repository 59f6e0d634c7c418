// Makes small ONNX files for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "formats/onnx_tensor.h"

namespace lockstep::formats::onnx_testing {

using law::Dims;
using law::DType;
using ::ONNX_NAMESPACE::AttributeProto;
using ::ONNX_NAMESPACE::ModelProto;
using ::ONNX_NAMESPACE::NodeProto;
using ::ONNX_NAMESPACE::TensorProto;

inline float small_number(uint64_t seed) {
  uint64_t z = seed * 0x9e3779b97f4a7c15U + 0x1234567;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return static_cast<float>(static_cast<int64_t>(z >> 44)) / 524288.0F - 1.0F;
}

// Makes files node by node.
class File {
 public:
  explicit File(const Dims& chw = {2, 4, 6}) {
    proto.set_ir_version(7);
    proto.add_opset_import()->set_version(13);
    auto* type = value(proto.mutable_graph()->add_input(), "image");
    type->mutable_shape()->add_dim()->set_dim_param("N");
    for (const int64_t dim : chw) {
      type->mutable_shape()->add_dim()->set_dim_value(dim);
    }
  }

  static ::ONNX_NAMESPACE::TypeProto::Tensor* value(::ONNX_NAMESPACE::ValueInfoProto* info,
                                                    const std::string& name) {
    info->set_name(name);
    info->mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::FLOAT);
    return info->mutable_type()->mutable_tensor_type();
  }

  File& weight(const std::string& name, const Dims& dims) {
    TensorProto* tensor = proto.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(TensorProto::FLOAT);
    tensor->mutable_dims()->Add(dims.begin(), dims.end());
    for (int64_t i = 0; i < law::count_of(dims); ++i) {
      tensor->add_float_data(small_number(static_cast<uint64_t>(i) +
                                          1000 * uint64_t{static_cast<uint8_t>(name.back())}));
    }
    return *this;
  }

  File& shape(const std::string& name, const Dims& values) {
    TensorProto* tensor = proto.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(TensorProto::INT64);
    tensor->add_dims(static_cast<int64_t>(values.size()));
    tensor->mutable_int64_data()->Add(values.begin(), values.end());
    return *this;
  }

  File& node(const std::string& kind,
             const std::vector<std::string>& inputs,
             const std::string& output,
             const std::vector<std::pair<std::string, Dims>>& attributes = {}) {
    NodeProto* added = proto.mutable_graph()->add_node();
    added->set_op_type(kind);
    added->set_name("the " + output);
    added->mutable_input()->Add(inputs.begin(), inputs.end());
    added->add_output(output);
    for (const auto& [name, values] : attributes) {
      AttributeProto* attribute = added->add_attribute();
      attribute->set_name(name);
      const bool is_list = values.size() > 1;
      attribute->set_type(is_list ? AttributeProto::INTS : AttributeProto::INT);
      if (is_list) {
        attribute->mutable_ints()->Add(values.begin(), values.end());
      } else {
        attribute->set_i(values.at(0));
      }
    }
    return *this;
  }

  File& output(const std::string& name) {
    value(proto.mutable_graph()->add_output(), name);
    return *this;
  }

  [[nodiscard]] Bytes bytes() const {
    const std::string text = proto.SerializeAsString();
    return {text.begin(), text.end()};
  }

  ModelProto proto;
};

inline File small_classifier() {
  File file;
  file.weight("w1", {3, 2, 3, 3}).weight("b1", {3}).weight("w2", {4, 18}).weight("b2", {4});
  file.node("Conv", {"image", "w1", "b1"}, "conv", {{"pads", {1, 1, 1, 1}}});
  file.node("Relu", {"conv"}, "relu");
  file.node("MaxPool", {"relu"}, "pool", {{"kernel_shape", {2, 2}}, {"strides", {2, 2}}});
  file.node("Flatten", {"pool"}, "flat");
  file.node("Gemm", {"flat", "w2", "b2"}, "logits", {{"transB", {1}}});
  file.output("logits");
  return file;
}

}  // namespace lockstep::formats::onnx_testing
