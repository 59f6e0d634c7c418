// Inside the ONNX import: reading tensors and attributes of a parsed file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx.h"

// The generated classes live in the namespace that this macro names.
#ifndef ONNX_NAMESPACE
#define ONNX_NAMESPACE onnx
#endif
#ifndef ONNX_ML
#define ONNX_ML 1
#endif
#include <onnx/onnx_pb.h>

namespace lockstep::formats::onnx_internal {

[[nodiscard]] Error bad(std::string what, std::string where);
[[nodiscard]] Error unsupported(std::string what, std::string where);

/// A name from the file as it may stand in a message: printable and short.
[[nodiscard]] std::string printable(std::string_view name);
/// "node 'conv1' (Conv)", or by number when it has no name.
[[nodiscard]] std::string where_of(const ::ONNX_NAMESPACE::NodeProto& node, int number);

/// Bounds what protobuf may make of the file: bytes that are not tensor data, since those grow many
/// times over when parsed. Errors: bad_onnx.
[[nodiscard]] Result<void> check_structure(ByteView onnx);

/// The elements of an f32 or i64 tensor with the file's own dims. Errors: bad_onnx,
/// unsupported_onnx; `where` is the tensor's name or the place given.
[[nodiscard]] Result<law::Tensor> read_tensor(const ::ONNX_NAMESPACE::TensorProto& proto,
                                              const std::string& where);

/// `tensor`, which has layout.view's count of elements, in the law's layout; and back.
[[nodiscard]] law::Tensor to_law(const Layout& layout, const law::Tensor& tensor);
[[nodiscard]] law::Tensor to_onnx(const Layout& layout,
                                  const law::Dims& onnx_dims,
                                  const law::Tensor& tensor);

/// The attributes of one node, read by name. Each is an integer, or integers within [0, 2^24];
/// finish() refuses those that nobody asked for.
class Attributes {
 public:
  Attributes(const ::ONNX_NAMESPACE::NodeProto& node, std::string where);

  /// Each attribute's name stands once, none refers to a function's argument.
  [[nodiscard]] Result<void> check() const;
  [[nodiscard]] Result<int64_t> integer(const char* name, int64_t otherwise);
  /// `otherwise` is also what fixes the count.
  [[nodiscard]] Result<law::Dims> integers(const char* name, law::Dims otherwise);
  /// Refuses a value other than `only`, which is also the default.
  [[nodiscard]] Result<void> integer_is(const char* name, int64_t only);
  [[nodiscard]] Result<void> float_is(const char* name, float only);
  [[nodiscard]] bool has(const char* name) const;
  /// The text of a string attribute, empty when it is not there.
  [[nodiscard]] Result<std::string> text(const char* name);
  [[nodiscard]] Result<void> finish() const;

 private:
  using Type = ::ONNX_NAMESPACE::AttributeProto::AttributeType;
  Result<const ::ONNX_NAMESPACE::AttributeProto*> find(const char* name, Type type);

  const ::ONNX_NAMESPACE::NodeProto& node_;
  std::string where_;
  std::vector<std::string> known_;
};

/// A Constant node's tensor, from `value`, `value_int` or `value_ints`.
[[nodiscard]] Result<law::Tensor> read_constant(const ::ONNX_NAMESPACE::NodeProto& node,
                                                const std::string& where);

}  // namespace lockstep::formats::onnx_internal
