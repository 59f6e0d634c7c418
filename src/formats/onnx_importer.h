// Inside the ONNX import: the pass over a parsed file, one method an operator.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "formats/onnx.h"
#include "formats/onnx_tensor.h"

namespace lockstep::formats::onnx_internal {

using law::Dims;
using law::DType;
using ::ONNX_NAMESPACE::GraphProto;
using ::ONNX_NAMESPACE::ModelProto;
using ::ONNX_NAMESPACE::NodeProto;
using Layer = Model::Layer;

// What a layer makes for one sample. A flat value's elements are those of the image, in the order
// h, w, c here and c, h, w in the file.
struct Activation {
  int64_t c = 0, h = 0, w = 0;
  bool flat = false;
  int step = -1;  // what made it; -1 = the input
  [[nodiscard]] int64_t features() const { return c * h * w; }
};

struct Step {
  Layer layer;
  int before = -1;  // the step that made its input
  int constant = -1;
  Layout layout;
  std::string where;
};

struct Constant {
  std::string name;
  law::Tensor tensor;
};

// What a name of the file stands for.
struct Named {
  bool is_constant = false;
  size_t index = 0;
};

/// Borrows the parsed file for its lifetime; run() is called once.
class Importer {
 public:
  explicit Importer(const ModelProto& proto) : proto_(proto), graph_(proto.graph()) {}
  Result<Model> run();

 private:
  struct Node {
    const NodeProto& proto;
    std::string where;
    Attributes attributes;
  };
  Result<void> check_header();
  // All operators that are not supported, in one message: nobody wants to learn them one by one.
  Result<void> check_operators();
  Result<void> define(const std::string& name, Named named, const std::string& where);
  Result<void> define_constant(const std::string& name,
                               law::Tensor tensor,
                               const std::string& where);
  Result<void> define_activation(const Node& node, Activation activation);
  Result<void> read_initializers();
  Result<void> read_input();
  using Handler = Result<void> (Importer::*)(Node&);
  static const std::map<std::string, Handler>& handlers();
  Result<void> read_node(const NodeProto& proto, const std::string& where);
  // Refuses a count of inputs outside min..max.
  static Result<void> count_inputs(const Node& node, int min, int max);
  Result<Named> named(const Node& node, int input);
  Result<Activation> activation(const Node& node, int input);
  Result<int> constant_input(const Node& node, int input, DType type);
  [[nodiscard]] const Dims& dims_of(int constant) const;
  // Adds a step behind `value`, which becomes its result.
  void push(Activation& value, Step step);
  // Adds constant input number `input` as a bias of `size` values.
  Result<void> push_bias(const Node& node, int input, int64_t size, Activation& value);
  // The window's attributes that Conv and MaxPool share.
  struct Window {
    Dims kernel, strides, pads, dilations;
  };
  static Result<Window> window_of(Node& node, Dims kernel);
  // The image's size after the window went over it, with `channels`.
  static Result<Activation> slide(const Node& node,
                                  const Window& window,
                                  Activation value,
                                  int64_t channels);
  Result<void> conv(Node& node);
  Result<void> max_pool(Node& node);
  Result<void> relu(Node& node);
  Result<void> define_flat(const Node& node, Activation value);
  Result<void> flatten(Node& node);
  Result<void> reshape(Node& node);
  // The dense layer behind a flat value; afterwards the value is its `out` features.
  Result<Activation> dense(const Node& node, bool transposed);
  Result<void> gemm(Node& node);
  Result<void> matmul(Node& node);
  Result<void> add(Node& node);
  Result<void> identity(Node& node);
  Result<void> constant(Node& node);
  Result<Activation> read_output();
  // Keeps the steps that lead to `last`, and the constants that they read, in their order.
  Result<void> keep_chain(int last);
  Result<size_t> parameter_of(Step& step, std::map<int, size_t>& parameters);
  const ModelProto& proto_;
  const GraphProto& graph_;
  std::map<std::string, Named> names_;
  std::vector<Constant> constants_;
  std::vector<Activation> activations_;
  std::vector<Step> steps_;
  int64_t batch_ = 0;  // 0 = any
  Model model_;
};

// Whether an activation of these sizes is within the law's bound on elements.
[[nodiscard]] bool fits(int64_t c, int64_t h, int64_t w);

}  // namespace lockstep::formats::onnx_internal
