// Reading tensors and attributes of a parsed ONNX file; every size is checked against the file's.
#include "formats/onnx_tensor.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <set>

#include "base/check.h"

namespace lockstep::formats::onnx_internal {

using law::DType;
using ::ONNX_NAMESPACE::AttributeProto;
using ::ONNX_NAMESPACE::NodeProto;
using ::ONNX_NAMESPACE::TensorProto;

namespace {

constexpr size_t shown_bytes_max = 64;
// Far beyond any real stride, pad or kernel; products of two and an image side stay in 64 bits.
constexpr int64_t attribute_max = int64_t{1} << 24;
// All nodes, names and small constants of a file. Real classifiers have some 100 KiB.
constexpr size_t structure_bytes_max = size_t{16} << 20;

// Field numbers of the format's own definition.
constexpr uint32_t model_graph = 7;
constexpr uint32_t graph_initializer = 5;
constexpr uint32_t tensor_float_data = 4;
constexpr uint32_t tensor_raw_data = 9;

struct Field {
  uint32_t number = 0;
  ByteView payload;  // of length-delimited fields
};

std::optional<uint64_t> take_varint(ByteView& left) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !left.empty(); shift += 7) {
    const uint8_t byte = left[0];
    left = left.subspan(1);
    value |= uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0) {
      return value;
    }
  }
  return std::nullopt;
}

std::optional<Field> take_field(ByteView& left) {
  const std::optional<uint64_t> tag = take_varint(left);
  if (!tag || (*tag >> 3) > UINT32_MAX) {
    return std::nullopt;
  }
  Field field{static_cast<uint32_t>(*tag >> 3), {}};
  uint64_t skip = 0;
  switch (*tag & 7) {
    case 0:
      return take_varint(left) ? std::optional(field) : std::nullopt;
    case 1:
      skip = 8;
      break;
    case 2: {
      const std::optional<uint64_t> length = take_varint(left);
      if (!length) {
        return std::nullopt;
      }
      skip = *length;
      break;
    }
    case 5:
      skip = 4;
      break;
    default:
      return std::nullopt;  // groups are not part of the format
  }
  if (skip > left.size()) {
    return std::nullopt;
  }
  field.payload = left.first(static_cast<size_t>(skip));
  left = left.subspan(static_cast<size_t>(skip));
  return field;
}

// Bytes of `message` that are not data of initialisers. Each level knows which field leads down, so
// that it calls itself at most twice.
// NOLINTNEXTLINE(misc-no-recursion)
std::optional<size_t> structure_bytes(ByteView message, int level) {
  size_t sum = 0;
  while (!message.empty()) {
    const size_t before = message.size();
    const std::optional<Field> field = take_field(message);
    if (!field) {
      return std::nullopt;
    }
    const uint32_t number = field->number;
    size_t counted = before - message.size();
    if ((level == 0 && number == model_graph) || (level == 1 && number == graph_initializer)) {
      const std::optional<size_t> inner = structure_bytes(field->payload, level + 1);
      if (!inner) {
        return std::nullopt;
      }
      counted = counted - field->payload.size() + *inner;
    } else if (level == 2 && (number == tensor_float_data || number == tensor_raw_data)) {
      counted -= field->payload.size();
    }
    sum += counted;
  }
  return sum;
}

}  // namespace

Error bad(std::string what, std::string where) {
  return refuse(Code::bad_onnx,
                std::move(what),
                "Export the model again and check it with onnx.checker",
                std::move(where));
}

Error unsupported(std::string what, std::string where) {
  return refuse(Code::unsupported_onnx,
                std::move(what),
                "Change the model or its export so that it does without",
                std::move(where));
}

std::string printable(std::string_view name) {
  std::string text(name.substr(0, shown_bytes_max));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return name.size() > shown_bytes_max ? text + "..." : text;
}

std::string where_of(const NodeProto& node, int number) {
  const std::string name =
      node.name().empty() ? std::to_string(number) : "'" + printable(node.name()) + "'";
  return "node " + name + " (" + printable(node.op_type()) + ")";
}

Result<void> check_structure(ByteView onnx) {
  const std::optional<size_t> bytes = structure_bytes(onnx, 0);
  if (!bytes) {
    return bad("not an ONNX file, or cut off", {});
  }
  if (*bytes > structure_bytes_max) {
    return bad("more than 16 MiB beside the data of its initialisers", {});
  }
  return {};
}

namespace {

template <class T, class List>
Bytes bytes_of(const List& list) {
  Bytes bytes(static_cast<size_t>(list.size()) * sizeof(T));
  if (!bytes.empty()) {
    std::memcpy(bytes.data(), list.data(), bytes.size());
  }
  return bytes;
}

Result<law::Shape> shape_of(const TensorProto& proto, const std::string& where) {
  law::Shape shape;
  if (proto.data_type() == TensorProto::FLOAT) {
    shape.type = DType::f32;
  } else if (proto.data_type() == TensorProto::INT64) {
    shape.type = DType::i64;
  } else if (TensorProto::DataType_IsValid(proto.data_type()) && proto.data_type() != 0) {
    return unsupported("element type " + TensorProto::DataType_Name(proto.data_type()) +
                           "; only FLOAT (and INT64 for shapes) is read",
                       where);
  } else {
    return bad("unknown element type " + std::to_string(proto.data_type()), where);
  }
  shape.dims.assign(proto.dims().begin(), proto.dims().end());
  if (!law::valid(shape).ok()) {
    return bad("dims that are negative, more than 8 or too large", where);
  }
  return shape;
}

}  // namespace

Result<law::Tensor> read_tensor(const TensorProto& proto, const std::string& where) {
  if (proto.data_location() != TensorProto::DEFAULT || proto.external_data_size() > 0) {
    return unsupported("its data is in another file (external data); save the model as one file",
                       where);
  }
  if (proto.has_segment()) {
    return unsupported("its data is in segments", where);
  }
  law::Shape shape = TRY(shape_of(proto, where));
  const bool is_float = shape.type == DType::f32;
  const bool typed = is_float ? proto.float_data_size() > 0 : proto.int64_data_size() > 0;
  const int others = proto.int32_data_size() + proto.string_data_size() + proto.double_data_size() +
                     proto.uint64_data_size() +
                     (is_float ? proto.int64_data_size() : proto.float_data_size());
  if (others > 0 || (typed && proto.has_raw_data() && !proto.raw_data().empty())) {
    return bad("its data stands in more than one field or in one of another type", where);
  }
  Bytes data;
  if (!typed) {
    data.assign(proto.raw_data().begin(), proto.raw_data().end());
  } else {
    data = is_float ? bytes_of<float>(proto.float_data()) : bytes_of<int64_t>(proto.int64_data());
  }
  if (data.size() != static_cast<uint64_t>(shape.bytes())) {
    return bad("dims " + law::text_of(shape.dims) + " need " + std::to_string(shape.bytes()) +
                   " bytes, the file has " + std::to_string(data.size()),
               where);
  }
  law::Tensor tensor{std::move(shape), std::move(data)};
  law::canonicalise(tensor);
  return tensor;
}

namespace {

// Calls visit(at, from) for every element of the transposed tensor: `at` in it, `from` in the view.
template <class Visit>
void transposed(const Layout& layout, Visit visit) {
  const size_t rank = layout.view.size();
  CHECK(layout.order.size() == rank);
  law::Dims view_stride(rank), stride(rank), size(rank), index(rank, 0);
  int64_t next = 1;
  for (size_t axis = rank; axis-- > 0;) {
    view_stride[axis] = next;
    next *= layout.view[axis];
  }
  for (size_t axis = 0; axis < rank; ++axis) {
    stride[axis] = view_stride[layout.order[axis]];
    size[axis] = layout.view[layout.order[axis]];
  }
  const int64_t count = law::count_of(layout.view);
  int64_t from = 0;
  for (int64_t at = 0; at < count; ++at) {
    visit(at, from);
    for (size_t axis = rank; axis-- > 0;) {
      from += stride[axis];
      if (++index[axis] < size[axis]) {
        break;
      }
      from -= stride[axis] * size[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

law::Tensor to_law(const Layout& layout, const law::Tensor& tensor) {
  CHECK(tensor.shape.count() == law::count_of(layout.view));
  law::Tensor result{{tensor.shape.type, layout.dims}, Bytes(tensor.data.size())};
  transposed(layout, [&](int64_t at, int64_t from) {
    law::store_bits(
        tensor.shape.type, result.data, at, law::load_bits(tensor.shape.type, tensor.data, from));
  });
  return result;
}

law::Tensor to_onnx(const Layout& layout, const law::Dims& onnx_dims, const law::Tensor& tensor) {
  CHECK(tensor.shape.dims == layout.dims);
  law::Tensor result{{tensor.shape.type, onnx_dims}, Bytes(tensor.data.size())};
  transposed(layout, [&](int64_t at, int64_t from) {
    law::store_bits(
        tensor.shape.type, result.data, from, law::load_bits(tensor.shape.type, tensor.data, at));
  });
  return result;
}

Attributes::Attributes(const NodeProto& node, std::string where)
    : node_(node), where_(std::move(where)) {}

Result<void> Attributes::check() const {
  std::set<std::string> names;
  for (const AttributeProto& attribute : node_.attribute()) {
    if (!names.insert(attribute.name()).second) {
      return bad("attribute " + printable(attribute.name()) + " stands twice", where_);
    }
    if (!attribute.ref_attr_name().empty()) {
      return unsupported("attribute " + printable(attribute.name()) + " refers to a function's",
                         where_);
    }
  }
  return {};
}

bool Attributes::has(const char* name) const {
  return std::any_of(node_.attribute().begin(),
                     node_.attribute().end(),
                     [name](const AttributeProto& attribute) { return attribute.name() == name; });
}

Result<const AttributeProto*> Attributes::find(const char* name, Type type) {
  known_.emplace_back(name);
  for (const AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() != name) {
      continue;
    }
    if (attribute.type() != type) {
      return bad(std::string("attribute ") + name + " has the wrong type", where_);
    }
    return &attribute;
  }
  return static_cast<const AttributeProto*>(nullptr);
}

Result<int64_t> Attributes::integer(const char* name, int64_t otherwise) {
  const AttributeProto* found = TRY(find(name, AttributeProto::INT));
  return found == nullptr ? otherwise : found->i();
}

Result<law::Dims> Attributes::integers(const char* name, law::Dims otherwise) {
  const AttributeProto* found = TRY(find(name, AttributeProto::INTS));
  if (found == nullptr) {
    return otherwise;
  }
  if (static_cast<size_t>(found->ints_size()) != otherwise.size()) {
    return unsupported(std::string("attribute ") + name + " must have " +
                           std::to_string(otherwise.size()) + " numbers (two-dimensional images)",
                       where_);
  }
  for (const int64_t number : found->ints()) {
    if (number < 0 || number > attribute_max) {
      return unsupported(std::string("attribute ") + name + " is negative or beyond 2^24", where_);
    }
  }
  return law::Dims(found->ints().begin(), found->ints().end());
}

Result<void> Attributes::integer_is(const char* name, int64_t only) {
  const int64_t value = TRY(integer(name, only));
  if (value != only) {
    return unsupported(std::string("attribute ") + name + " = " + std::to_string(value) +
                           "; only " + std::to_string(only) + " is supported",
                       where_);
  }
  return {};
}

Result<void> Attributes::float_is(const char* name, float only) {
  const AttributeProto* found = TRY(find(name, AttributeProto::FLOAT));
  if (found != nullptr && std::bit_cast<uint32_t>(found->f()) != std::bit_cast<uint32_t>(only)) {
    return unsupported(std::string("attribute ") + name + " is not 1", where_);
  }
  return {};
}

Result<std::string> Attributes::text(const char* name) {
  const AttributeProto* found = TRY(find(name, AttributeProto::STRING));
  return found == nullptr ? std::string() : found->s();
}

Result<void> Attributes::finish() const {
  for (const AttributeProto& attribute : node_.attribute()) {
    if (std::find(known_.begin(), known_.end(), attribute.name()) == known_.end()) {
      return unsupported("attribute " + printable(attribute.name()), where_);
    }
  }
  return {};
}

Result<law::Tensor> read_constant(const NodeProto& node, const std::string& where) {
  TRY(Attributes(node, where).check());
  if (node.attribute_size() != 1) {
    return bad("a Constant has exactly one attribute", where);
  }
  const AttributeProto& attribute = node.attribute(0);
  if (attribute.name() == "value" && attribute.type() == AttributeProto::TENSOR) {
    return read_tensor(attribute.t(), where);
  }
  if (attribute.name() == "value_int" && attribute.type() == AttributeProto::INT) {
    law::Tensor tensor{{DType::i64, {}}, Bytes(sizeof(int64_t))};
    law::store_bits(DType::i64, tensor.data, 0, static_cast<uint64_t>(attribute.i()));
    return tensor;
  }
  if (attribute.name() == "value_ints" && attribute.type() == AttributeProto::INTS) {
    return law::Tensor{{DType::i64, {attribute.ints_size()}}, bytes_of<int64_t>(attribute.ints())};
  }
  return unsupported("attribute " + printable(attribute.name()) + " of a Constant", where);
}

}  // namespace lockstep::formats::onnx_internal
