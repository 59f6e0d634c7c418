// Imports feed-forward image classifiers from ONNX and emits them into a program.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/builder.h"
#include "law/types.h"

namespace lockstep::formats {

namespace onnx_internal {
class Importer;
}

/// How an ONNX tensor becomes the law's: its elements are read with the dims `view`, the axes are
/// transposed (axis i of the result is axis order[i] of the view), and the result is read with the
/// dims `dims`. Three readings of the same elements, so it goes back exactly.
struct Layout {
  law::Dims view;
  std::vector<uint8_t> order;
  law::Dims dims;
  bool operator==(const Layout&) const = default;
};

/// A trained tensor. Law layouts: convolution weights (kh, kw, ci, co), dense weights [in, out],
/// biases [out].
struct Parameter {
  std::string name;
  law::Tensor tensor;  // f32, law layout, NaN canonical
  law::Dims onnx_dims;
  Layout layout;
};

/// A chain of layers from one image to its logits.
///
/// Read: opsets 9 to 21; one input f32 [batch, channels, height, width], everything but the batch
/// fixed; one output [batch, classes]; Conv (2-D, explicit pads), Relu, MaxPool, Flatten, Reshape
/// to [batch, -1] by a constant, Gemm (alpha = beta = 1), MatMul, Add of a bias after it, Identity,
/// Constant. Images are NHWC here, so the rows of the first dense weight after a flatten are
/// permuted from (c, h, w) to (h, w, c).
class Model {
 public:
  /// Errors: bad_onnx (no ONNX, or one that contradicts itself), unsupported_onnx (ONNX, but
  /// beyond the above; for operators the text names all that the file has). `where` names the node,
  /// tensor or input.
  static Result<Model> import(ByteView onnx);

  /// In the order in which the layers use them; names are unique, printable ASCII. A tensor that
  /// the output does not depend on is none.
  [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }
  /// f32 [batch, height, width, channels].
  [[nodiscard]] law::Shape input_shape(int64_t batch) const;
  [[nodiscard]] const std::string& input_name() const { return input_name_; }
  /// [height, width, channels].
  [[nodiscard]] const law::Dims& image_dims() const { return image_dims_; }
  [[nodiscard]] int64_t classes() const { return classes_; }

  /// The logits, f32 [batch, classes]; `params` are the values of parameters(), in order.
  /// Errors: bad_graph when a shape is another one; the builder's own are sticky as always.
  [[nodiscard]] Result<graph::Value> emit(graph::Builder& builder,
                                          graph::Value x_nhwc,
                                          std::span<const graph::Value> params) const;

  /// Parameter number `parameter` with other values, as the file has it. `tensor` must have the
  /// shape of parameters()[parameter].tensor.
  [[nodiscard]] law::Tensor to_onnx_layout(size_t parameter, const law::Tensor& tensor) const;

  /// One layer of the chain; `parameter` is that of conv, dense and bias. flatten keeps the order
  /// h, w, c; to_chw brings a flattened `image` [h, w, c] into the file's order at the very end.
  struct Layer {
    enum class Kind : uint8_t { conv, dense, bias, relu, max_pool, flatten, to_chw };
    Kind kind = Kind::relu;
    size_t parameter = 0;
    law::ConvAttr conv;
    law::PoolAttr pool;
    law::Dims image;
  };
  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }

 private:
  friend class onnx_internal::Importer;
  Model() = default;

  std::string input_name_;
  law::Dims image_dims_;
  int64_t classes_ = 0;
  std::vector<Parameter> parameters_;
  std::vector<Layer> layers_;
};

}  // namespace lockstep::formats
