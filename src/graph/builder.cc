// The tables of a graph and the primitives with their out shapes. Whether a record is well-typed is
// the law's question: each is checked by it as soon as it is made.
#include "graph/builder.h"

#include <algorithm>
#include <bit>

#include "graph/impl.h"
#include "law/roots.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using law::From;
using law::Kind;
using law::MapOp;
using law::Shape;

Error bad_graph(std::string what) {
  return refuse(Code::bad_graph, std::move(what));
}
Error bad_shape(std::string what) {
  return refuse(Code::bad_shape, std::move(what));
}

Result<Dims> broadcast_dims(const Dims& a, const Dims& b) {
  Dims out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t left = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t right = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (left != right && left != 1 && right != 1) {
      return bad_shape(law::text_of(a) + " and " + law::text_of(b) + " do not broadcast");
    }
    out[out.size() - 1 - i] = left == 1 ? right : left;
  }
  return out;
}

/// The type that a postfix expression leaves. Only what the out shape needs: the law checks the
/// operands' types.
Result<DType> map_type(const law::MapAttr& expression, const std::vector<Shape>& inputs) {
  std::vector<DType> stack;
  for (const law::MapNode& node : expression.nodes) {
    const std::optional<int> pops = arity(node.op);
    if (!pops || stack.size() < static_cast<size_t>(*pops)) {
      return refuse(Code::bad_record, "a map's expression is not postfix");
    }
    if (node.op == MapOp::input) {
      if (node.arg >= inputs.size()) {
        return refuse(Code::bad_record, "a map's expression reads an input that it has not");
      }
      stack.push_back(inputs[node.arg].type);
      continue;
    }
    DType type = node.type;  // constant, cast, bitcast
    if (*pops > 0 && node.op != MapOp::cast && node.op != MapOp::bitcast) {
      type = is_comparison(node.op) ? DType::boolean : stack.back();
    }
    stack.resize(stack.size() - static_cast<size_t>(*pops));
    stack.push_back(type);
  }
  if (stack.size() != 1) {
    return refuse(Code::bad_record, "a map's expression does not leave one value");
  }
  return stack.back();
}

Result<Dims> reduced_dims(const Dims& dims, const std::vector<uint8_t>& axes) {
  Dims kept;
  int64_t n = 1;
  size_t next = 0;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (next < axes.size() && axes[next] == axis) {
      n *= dims[axis];
      ++next;
    } else {
      kept.push_back(dims[axis]);
    }
  }
  if (next != axes.size()) {
    return bad_shape("reduced axes are ascending, distinct and within " + law::text_of(dims));
  }
  kept.push_back(std::max<int64_t>(1, (n + limits::reduce_terms - 1) / limits::reduce_terms));
  return kept;
}

}  // namespace

/// Sizes far beyond any tensor are refused before anything is added up.
Result<int64_t> window_count(const Window& w) {
  const int64_t large = int64_t{1} << 30;
  for (const int64_t value : {w.size, w.kernel, w.stride, w.dilation, w.low, w.high}) {
    if (value < 0 || value > large) {
      return bad_shape("a window's size, stride, dilation or padding is out of range");
    }
  }
  if (w.kernel < 1 || w.stride < 1 || w.dilation < 1) {
    return bad_shape("a window's size, stride and dilation are at least 1");
  }
  const int64_t room = w.size + w.low + w.high - w.dilation * (w.kernel - 1) - 1;
  if (room < 0) {
    return bad_shape("a window does not fit into the padded image");
  }
  return room / w.stride + 1;
}

std::optional<int> arity(MapOp op) {
  switch (op) {
    case MapOp::input:
    case MapOp::constant:
      return 0;
    case MapOp::cast:
    case MapOp::bitcast:
    case MapOp::negate:
    case MapOp::absolute:
    case MapOp::logical_not:
    case MapOp::square_root:
    case MapOp::exp:
    case MapOp::log:
    case MapOp::cos:
    case MapOp::sin:
    case MapOp::tanh:
    case MapOp::erf:
    case MapOp::sigmoid:
    case MapOp::reciprocal_square_root:
      return 1;
    case MapOp::add:
    case MapOp::subtract:
    case MapOp::multiply:
    case MapOp::divide:
    case MapOp::remainder:
    case MapOp::maximum:
    case MapOp::minimum:
    case MapOp::bit_and:
    case MapOp::bit_or:
    case MapOp::bit_xor:
    case MapOp::shift_left:
    case MapOp::shift_right:
    case MapOp::less:
    case MapOp::less_equal:
    case MapOp::equal:
    case MapOp::not_equal:
      return 2;
    case MapOp::fma:
    case MapOp::select:
      return 3;
  }
  return std::nullopt;
}

bool is_comparison(MapOp op) {
  return op == MapOp::less || op == MapOp::less_equal || op == MapOp::equal ||
         op == MapOp::not_equal;
}

law::MapNode f32_node(float value) {
  const uint64_t bits = law::canonical(DType::f32, std::bit_cast<uint32_t>(value));
  return {.op = MapOp::constant, .arg = 0, .type = DType::f32, .bits = bits};
}
law::MapNode i64_node(int64_t value) {
  return {
      .op = MapOp::constant, .arg = 0, .type = DType::i64, .bits = std::bit_cast<uint64_t>(value)};
}
law::MapNode bool_node(bool value) {
  return {.op = MapOp::constant, .arg = 0, .type = DType::boolean, .bits = value ? 1U : 0U};
}
law::MapNode input_node(uint8_t arg) {
  return {.op = MapOp::input, .arg = arg, .type = DType::f32, .bits = 0};
}
law::MapNode cast_node(DType type) {
  return {.op = MapOp::cast, .arg = 0, .type = type, .bits = 0};
}
law::MapNode op_node(MapOp op) {
  return {.op = op, .arg = 0, .type = DType::f32, .bits = 0};
}

Value Graph::fail(Error why) {
  if (!error) {
    error = std::move(why);
  }
  return {};
}

bool Graph::alive(std::span<const Value> values) {
  for (const Value value : values) {
    if (value.id >= slots.size()) {
      fail(bad_graph("a value that is not of this graph is used"));
    }
  }
  return !error;
}

const Shape& Graph::producer(From from, uint32_t index) const {
  switch (from) {
    case From::state:
      return leaves[index].shape;
    case From::constant:
      return constants[index].shape;
    case From::value:
      break;
  }
  return records[index].out;
}

Value Graph::view(From from, uint32_t index, const Dims& dims) {
  const auto [found, fresh] =
      slot_ids.try_emplace({from, index, dims}, static_cast<uint32_t>(slots.size()));
  if (fresh) {
    slots.push_back({from, index, {producer(from, index).type, dims}});
  }
  return {found->second};
}

Value Graph::record(Kind kind,
                    law::Attributes attributes,
                    std::span<const Value> inputs,
                    Shape out) {
  if (inputs.size() > limits::inputs_max) {
    return fail(refuse(Code::too_large, "a record has too many inputs"));
  }
  law::Record made{kind, std::move(attributes), {}, std::move(out)};
  law::Op op{&made, {}};
  for (const Value input : inputs) {
    const Slot& read = slot(input);
    made.inputs.push_back({read.from, read.index, read.shape.dims});
    op.in.push_back(read.shape);
  }
  if (Result<void> good = law::check(op); !good.ok()) {
    return fail(good.error());
  }
  if (records.size() >= limits::records_max) {
    return fail(refuse(Code::too_large, "the graph has too many records"));
  }
  const auto [found, fresh] =
      record_ids.try_emplace(law::encode(made), static_cast<uint32_t>(records.size()));
  if (fresh) {
    records.push_back(std::move(made));
  }
  return view(From::value, found->second, records[found->second].out.dims);
}

Builder::Builder() : impl_(std::make_unique<Impl>()) {}
Builder::~Builder() = default;

Value Builder::fail(Error why) {
  return impl_->fail(std::move(why));
}

Value Builder::leaf(std::string name, Shape shape) {
  if (Result<void> good = law::valid(shape); !good.ok()) {
    return fail(good.error());
  }
  for (const LeafEntry& other : impl_->leaves) {
    if (other.name == name) {
      return fail(bad_graph("two leaves have the name " + name));
    }
  }
  const auto index = static_cast<uint32_t>(impl_->leaves.size());
  const Dims dims = shape.dims;
  impl_->leaves.push_back({std::move(name), std::move(shape), std::nullopt});
  return impl_->view(From::state, index, dims);
}

void Builder::set_next(Value leaf, Value next) {
  const Value both[] = {leaf, next};
  if (!impl_->alive(both)) {
    return;
  }
  const Slot slot = impl_->slot(leaf);
  if (slot.from != From::state) {
    fail(bad_graph("only a leaf has a value after the step"));
    return;
  }
  LeafEntry& entry = impl_->leaves[slot.index];
  if (entry.next) {
    fail(bad_graph("the leaf " + entry.name + " is written twice"));
  } else if (shape(next).type != entry.shape.type || shape(next).count() != entry.shape.count()) {
    fail(bad_shape("the leaf " + entry.name + " is written with another type or count"));
  } else {
    entry.next = reshape(next, entry.shape.dims);
  }
}

Value Builder::constant(law::Tensor tensor) {
  if (Result<void> good = law::valid(tensor.shape); !good.ok()) {
    return fail(good.error());
  }
  if (tensor.data.size() != static_cast<size_t>(tensor.shape.bytes())) {
    return fail(bad_shape("a constant's bytes do not fill its shape"));
  }
  law::canonicalise(tensor);
  const auto [found, fresh] = impl_->constant_ids.try_emplace(
      law::tensor_root(tensor), static_cast<uint32_t>(impl_->constants.size()));
  const Dims dims = tensor.shape.dims;
  if (fresh) {
    impl_->constants.push_back(std::move(tensor));
  }
  return impl_->view(From::constant, found->second, dims);
}

Value Builder::scalar_f32(float value) {
  law::Tensor tensor{{DType::f32, {}}, Bytes(sizeof value)};
  std::memcpy(tensor.data.data(), &value, sizeof value);
  return constant(std::move(tensor));
}

Value Builder::scalar_i64(int64_t value) {
  law::Tensor tensor{{DType::i64, {}}, Bytes(sizeof value)};
  std::memcpy(tensor.data.data(), &value, sizeof value);
  return constant(std::move(tensor));
}

const Shape& Builder::shape(Value value) const {
  static const Shape dead;
  return value.id < impl_->slots.size() ? impl_->slot(value).shape : dead;
}

Value Builder::reshape(Value value, Dims dims) {
  if (!impl_->alive(value)) {
    return {};
  }
  const Slot slot = impl_->slot(value);
  const Shape wanted{slot.shape.type, std::move(dims)};
  if (Result<void> good = law::valid(wanted); !good.ok()) {
    return fail(good.error());
  }
  if (wanted.count() != slot.shape.count()) {
    return fail(bad_shape(law::text_of(slot.shape.dims) + " cannot be read as " +
                          law::text_of(wanted.dims)));
  }
  return impl_->view(slot.from, slot.index, wanted.dims);
}

Value Builder::map(law::MapAttr expression, std::span<const Value> inputs) {
  if (!impl_->alive(inputs)) {
    return {};
  }
  std::vector<Shape> shapes;
  Dims dims;
  for (const Value input : inputs) {
    shapes.push_back(shape(input));
    Result<Dims> wider = broadcast_dims(dims, shapes.back().dims);
    if (!wider.ok()) {
      return fail(wider.error());
    }
    dims = std::move(*wider);
  }
  const Result<DType> type = map_type(expression, shapes);
  if (!type.ok()) {
    return fail(type.error());
  }
  return impl_->record(Kind::map, std::move(expression), inputs, {*type, std::move(dims)});
}

Value Builder::contract(Value a, Value b, law::ContractAttr attr) {
  const Value inputs[] = {a, b};
  if (!impl_->alive(inputs)) {
    return {};
  }
  const Shape& left = shape(a);
  const Shape& right = shape(b);
  if (left.dims.size() != 3 || right.dims.size() != 3) {
    return fail(bad_shape("a contraction takes two values of rank 3"));
  }
  const Dims out = {
      left.dims[0], left.dims[attr.a_transposed ? 2 : 1], right.dims[attr.b_transposed ? 1 : 2]};
  return impl_->record(Kind::contract, attr, inputs, {left.type, out});
}

Value Builder::reduce(Value x, law::ReduceAttr attr) {
  if (!impl_->alive(x)) {
    return {};
  }
  Result<Dims> out = reduced_dims(shape(x).dims, attr.axes);
  if (!out.ok()) {
    return fail(out.error());
  }
  return impl_->record(
      Kind::reduce, std::move(attr), std::span(&x, 1), {shape(x).type, std::move(*out)});
}

Value Builder::reduce_all(Value x, const law::ReduceAttr& attr) {
  Value partial = reduce(x, attr);
  if (!impl_->alive(partial)) {
    return {};
  }
  while (shape(partial).dims.back() != 1) {
    const auto last = static_cast<uint8_t>(shape(partial).dims.size() - 1);
    partial = reduce(partial, {attr.op, {last}});
    if (!impl_->alive(partial)) {
      return {};
    }
  }
  Dims kept = shape(partial).dims;
  kept.pop_back();
  return reshape(partial, std::move(kept));
}

Value Builder::conv(Value x, Value w, law::ConvAttr attr) {
  const Value inputs[] = {x, w};
  if (!impl_->alive(inputs)) {
    return {};
  }
  const Dims& image = shape(x).dims;
  const Dims& kernel = shape(w).dims;
  if (image.size() != 4 || kernel.size() != 4) {
    return fail(bad_shape("a convolution takes two values of rank 4"));
  }
  const Result<int64_t> height = window_count(
      {image[1], kernel[0], attr.stride_h, attr.dilation_h, attr.pad_top, attr.pad_bottom});
  const Result<int64_t> width = window_count(
      {image[2], kernel[1], attr.stride_w, attr.dilation_w, attr.pad_left, attr.pad_right});
  if (!height.ok() || !width.ok()) {
    return fail(height.ok() ? width.error() : height.error());
  }
  const Dims out = {image[0], *height, *width, kernel[3]};
  return impl_->record(Kind::conv, attr, inputs, {shape(x).type, out});
}

Value Builder::conv_weight_grad(Value x, Value dy, law::ConvAttr attr, Dims w_dims) {
  const Value inputs[] = {x, dy};
  return impl_->alive(inputs)
             ? impl_->record(
                   Kind::conv_weight_grad, attr, inputs, {shape(x).type, std::move(w_dims)})
             : Value{};
}

Value Builder::conv_input_grad(Value dy, Value w, law::ConvAttr attr, Dims x_dims) {
  const Value inputs[] = {dy, w};
  return impl_->alive(inputs)
             ? impl_->record(
                   Kind::conv_input_grad, attr, inputs, {shape(dy).type, std::move(x_dims)})
             : Value{};
}

Value Builder::max_pool(Value x, law::PoolAttr attr) {
  if (!impl_->alive(x)) {
    return {};
  }
  const Dims& image = shape(x).dims;
  if (image.size() != 4) {
    return fail(bad_shape("a pool takes a value of rank 4"));
  }
  const Result<int64_t> height =
      window_count({image[1], attr.window_h, attr.stride_h, 1, attr.pad_top, attr.pad_bottom});
  const Result<int64_t> width =
      window_count({image[2], attr.window_w, attr.stride_w, 1, attr.pad_left, attr.pad_right});
  if (!height.ok() || !width.ok()) {
    return fail(height.ok() ? width.error() : height.error());
  }
  const Dims out = {image[0], *height, *width, image[3]};
  return impl_->record(Kind::max_pool, attr, std::span(&x, 1), {shape(x).type, out});
}

Value Builder::max_pool_grad(Value x, Value dy, law::PoolAttr attr) {
  const Value inputs[] = {x, dy};
  return impl_->alive(inputs) ? impl_->record(Kind::max_pool_grad, attr, inputs, shape(x))
                              : Value{};
}

Value Builder::rank(Value x, bool descending) {
  if (!impl_->alive(x)) {
    return {};
  }
  return impl_->record(
      Kind::rank, law::RankAttr{descending}, std::span(&x, 1), {DType::i64, shape(x).dims});
}

Value Builder::transpose(Value x, std::vector<uint8_t> order) {
  if (!impl_->alive(x)) {
    return {};
  }
  const Dims& dims = shape(x).dims;
  Dims out;
  for (const uint8_t axis : order) {
    if (axis >= dims.size()) {
      return fail(bad_shape("a transpose names an axis that is not there"));
    }
    out.push_back(dims[axis]);
  }
  return impl_->record(Kind::transpose,
                       law::TransposeAttr{std::move(order)},
                       std::span(&x, 1),
                       {shape(x).type, std::move(out)});
}

Value Builder::slice(Value x, law::SliceAttr attr, Dims out) {
  if (!impl_->alive(x)) {
    return {};
  }
  return impl_->record(
      Kind::slice, std::move(attr), std::span(&x, 1), {shape(x).type, std::move(out)});
}

Value Builder::pad(Value x, law::PadAttr attr) {
  if (!impl_->alive(x)) {
    return {};
  }
  Dims out = shape(x).dims;
  if (attr.low.size() != out.size() || attr.high.size() != out.size()) {
    return fail(bad_shape("padding needs a low and a high for each axis"));
  }
  for (size_t axis = 0; axis < out.size(); ++axis) {
    if (std::min(attr.low[axis], attr.high[axis]) < 0 ||
        std::max(attr.low[axis], attr.high[axis]) > limits::elements_max) {
      return fail(bad_shape("a padding is out of range"));
    }
    out[axis] += attr.low[axis] + attr.high[axis];
  }
  return impl_->record(
      Kind::pad, std::move(attr), std::span(&x, 1), {shape(x).type, std::move(out)});
}

Value Builder::concatenate(std::span<const Value> parts, uint8_t axis) {
  if (!impl_->alive(parts)) {
    return {};
  }
  if (parts.empty() || axis >= shape(parts[0]).dims.size()) {
    return fail(bad_shape("a concatenation needs parts that have its axis"));
  }
  Shape out = shape(parts[0]);
  for (const Value part : parts.subspan(1)) {
    const Dims& dims = shape(part).dims;
    if (dims.size() != out.dims.size()) {
      return fail(bad_shape("the parts of a concatenation have one rank"));
    }
    out.dims[axis] += dims[axis];
  }
  return impl_->record(Kind::concatenate, law::ConcatenateAttr{axis}, parts, std::move(out));
}

Value Builder::broadcast(Value x, Dims dims) {
  if (!impl_->alive(x)) {
    return {};
  }
  return impl_->record(
      Kind::broadcast, law::BroadcastAttr{}, std::span(&x, 1), {shape(x).type, std::move(dims)});
}

void Builder::set_derivative(Value result, Value of, Value derivative) {
  const Value all[] = {result, of, derivative};
  if (!impl_->alive(all)) {
    return;
  }
  const Slot& slot = impl_->slot(result);
  if (slot.from != From::value || slot.shape.count() != 1 || shape(of) != shape(derivative)) {
    fail(bad_graph("a derivative is given for one element, with the dims of what it is for"));
    return;
  }
  impl_->derivatives[slot.index] = {of, derivative};
}

}  // namespace lockstep::graph
