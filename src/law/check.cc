// The type check: shape rules of every primitive, then the wiring of a program.
#include <algorithm>

#include "law/check_internal.h"
#include "law/step_bound.h"

namespace lockstep::law {
namespace {

/// Numpy's rule over all inputs.
Result<Dims> broadcast_dims(const std::vector<Shape>& in) {
  Dims out;
  for (const Shape& shape : in) {
    if (shape.dims.size() > out.size()) {
      out.insert(out.begin(), shape.dims.size() - out.size(), 1);
    }
    const size_t lead = out.size() - shape.dims.size();
    for (size_t i = 0; i < shape.dims.size(); ++i) {
      int64_t& dim = out[lead + i];
      if (dim != shape.dims[i] && dim != 1 && shape.dims[i] != 1) {
        return bad("input dims do not broadcast");
      }
      dim = dim == 1 ? shape.dims[i] : dim;
    }
  }
  return out;
}

bool binary_allowed(MapOp op, DType type) {
  switch (op) {
    case MapOp::add:
    case MapOp::subtract:
    case MapOp::multiply:
    case MapOp::divide:
      return computes(type);
    case MapOp::remainder:
    case MapOp::shift_left:
    case MapOp::shift_right:
      return is_integer(type);
    case MapOp::bit_and:
    case MapOp::bit_or:
    case MapOp::bit_xor:
      return is_integer(type) || type == DType::boolean;
    case MapOp::equal:
    case MapOp::not_equal:
      return is_integer(type) || type == DType::boolean || type == DType::f32;
    default:  // maximum, minimum, less, less_equal; f64 has + − × ÷ √ fma only
      return is_integer(type) || type == DType::f32;
  }
}

bool unary_allowed(MapOp op, DType type) {
  switch (op) {
    case MapOp::logical_not:
      return type == DType::boolean;
    case MapOp::square_root:
      return type == DType::f32 || type == DType::f64;
    case MapOp::negate:
    case MapOp::absolute:
      return is_integer(type) || type == DType::f32;
    default:
      return type == DType::f32;
  }
}

/// The stack of types while a postfix expression is walked.
class MapCheck {
 public:
  explicit MapCheck(const Op& op) : op_(op) {}

  Result<void> node(const MapNode& node) {
    switch (node.op) {
      case MapOp::input:
        TRY(require(node.arg < op_.in.size(), "a map node names an input that is not there"));
        used_ |= uint32_t{1} << node.arg;
        stack_.push_back(op_.in[node.arg].type);
        return {};
      case MapOp::constant:
        TRY(require(canonical(node.type, node.bits) == node.bits,
                    "a constant NaN is not canonical"));
        TRY(require(is_representable(node), "a constant has bits outside its type"));
        stack_.push_back(node.type);
        return {};
      case MapOp::cast:
        TRY(need(1));
        stack_.back() = node.type;
        return {};
      case MapOp::bitcast:
        TRY(need(1));
        TRY(require(size_of(stack_.back()) == size_of(node.type) &&
                        stack_.back() != DType::boolean && node.type != DType::boolean,
                    "a bit-cast between types of different size, or of bool"));
        stack_.back() = node.type;
        return {};
      default:
        return operation(node.op);
    }
  }
  Result<void> finish() const {
    TRY(require(stack_.size() == 1, "a map leaves more or less than one value"));
    TRY(require(stack_.back() == op_.record->out.type, "a map's type is not its output's"));
    return require(used_ == (uint32_t{1} << op_.in.size()) - 1,
                   "a map has an input that it never reads");
  }

 private:
  Result<void> need(size_t operands) const {
    return require(stack_.size() >= operands, "a map node lacks operands");
  }
  Result<void> operation(MapOp op) {
    const bool ternary = op == MapOp::fma || op == MapOp::select;
    const size_t operands = ternary ? 3 : op >= MapOp::negate ? 1 : 2;
    TRY(need(operands));
    const DType type = stack_.back();
    const size_t same = op == MapOp::select ? 2 : operands;
    TRY(require(std::all_of(stack_.end() - static_cast<ptrdiff_t>(same),
                            stack_.end(),
                            [&](DType other) { return other == type; }),
                "operands of a map node differ in type"));
    const bool fits = op == MapOp::select ? stack_[stack_.size() - 3] == DType::boolean
                      : op == MapOp::fma  ? type == DType::f32 || type == DType::f64
                      : operands == 1     ? unary_allowed(op, type)
                                          : binary_allowed(op, type);
    TRY(require(fits, "a map node does not exist for its operands' type"));
    stack_.resize(stack_.size() - operands);
    const bool compares = op >= MapOp::less && op <= MapOp::not_equal;
    stack_.push_back(compares ? DType::boolean : type);
    return {};
  }
  static bool is_representable(const MapNode& node) {
    if (node.type == DType::boolean) {
      return node.bits <= 1;
    }
    const int64_t width = size_of(node.type) * 8;
    return width == 64 || node.bits >> width == 0;
  }
  const Op& op_;
  std::vector<DType> stack_;
  uint32_t used_ = 0;
};

Result<void> check_map(const Op& op) {
  const auto& nodes = std::get<MapAttr>(op.record->attributes).nodes;
  TRY(require(nodes.size() <= limits::map_nodes_max, "a map has more than 64 nodes"));
  TRY(require(!op.in.empty() && op.in.size() <= limits::map_inputs_max,
              "a map has 1 to 16 inputs"));
  MapCheck types(op);
  for (const MapNode& node : nodes) {
    TRY(types.node(node));
  }
  TRY(types.finish());
  return require_out(op, TRY(broadcast_dims(op.in)));
}

Result<void> check_contract(const Op& op) {
  TRY(one_type(op));
  const auto& attr = std::get<ContractAttr>(op.record->attributes);
  const Dims& a = op.in[0].dims;
  const Dims& b = op.in[1].dims;
  TRY(require(a.size() == 3 && b.size() == 3, "a contraction takes inputs of rank 3"));
  const int64_t k = a[attr.a_transposed ? 1 : 2];
  TRY(require(a[0] == b[0] && k == b[attr.b_transposed ? 2 : 1], "batch or inner dims differ"));
  return require_out(op, {a[0], a[attr.a_transposed ? 2 : 1], b[attr.b_transposed ? 1 : 2]});
}

Result<void> check_reduce(const Op& op) {
  TRY(one_type(op));
  const auto& attr = std::get<ReduceAttr>(op.record->attributes);
  const bool arithmetic = attr.op == ReduceOp::sum || attr.op == ReduceOp::product;
  TRY(require(arithmetic || op.record->out.type != DType::f64, "f64 has no maximum or minimum"));
  Dims kept;
  int64_t n = 1;
  size_t next = 0;
  for (size_t axis = 0; axis < op.in[0].dims.size(); ++axis) {
    const int64_t dim = op.in[0].dims[axis];
    if (next < attr.axes.size() && attr.axes[next] == axis) {
      n *= dim;
      ++next;
    } else {
      kept.push_back(dim);
    }
  }
  TRY(require(next == attr.axes.size(), "axes are ascending, distinct and inside the rank"));
  kept.push_back(std::max<int64_t>(1, (n + limits::reduce_terms - 1) / limits::reduce_terms));
  return require_out(op, kept);
}

Result<int64_t> window_count(int64_t padded, int64_t window, int64_t stride) {
  if (padded < window) {
    return bad("the window is larger than the padded image");
  }
  return (padded - window) / stride + 1;
}

/// Sides of images, windows, strides and pads are bounded: no later arithmetic can overflow.
bool image_sides(std::initializer_list<int64_t> values, int64_t low) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) {
    return within(v, low, limits::image_side_max);
  });
}

Result<void> check_conv(const Op& op) {
  TRY(one_type(op));
  const auto& attr = std::get<ConvAttr>(op.record->attributes);
  const Kind kind = op.record->kind;
  const Dims& out = op.record->out.dims;
  const Dims& x = kind == Kind::conv_input_grad ? out : op.in[0].dims;
  const Dims& w = kind == Kind::conv_weight_grad ? out : op.in[1].dims;
  const Dims& y = kind == Kind::conv               ? out
                  : kind == Kind::conv_weight_grad ? op.in[1].dims
                                                   : op.in[0].dims;
  TRY(require(x.size() == 4 && w.size() == 4 && y.size() == 4,
              "a convolution has tensors of rank 4"));
  TRY(require(image_sides({attr.stride_h, attr.stride_w, attr.dilation_h, attr.dilation_w}, 1) &&
                  image_sides({attr.pad_top, attr.pad_bottom, attr.pad_left, attr.pad_right}, 0) &&
                  image_sides({w[0], w[1]}, 1) && image_sides({x[1], x[2]}, 0),
              "a side, stride, dilation or padding is out of range"));
  TRY(require(attr.groups >= 1 && w[2] >= 1 && x[3] / attr.groups == w[2] &&
                  x[3] % attr.groups == 0 && w[3] >= 1 && w[3] % attr.groups == 0,
              "channels do not fit the groups"));
  const int64_t high = TRY(window_count(
      x[1] + attr.pad_top + attr.pad_bottom, attr.dilation_h * (w[0] - 1) + 1, attr.stride_h));
  const int64_t wide = TRY(window_count(
      x[2] + attr.pad_left + attr.pad_right, attr.dilation_w * (w[1] - 1) + 1, attr.stride_w));
  return require(y == Dims{x[0], high, wide, w[3]}, "dims break the convolution's size rule");
}

/// The size rule of windows over an image, each with a position in it. A pool of either kind.
Result<void> check_windows(const PoolAttr& attr, int64_t area_max, const Dims& x, const Dims& y) {
  TRY(require(x.size() == 4 && y.size() == 4, "a pool has tensors of rank 4"));
  TRY(require(image_sides({attr.window_h, attr.window_w, attr.stride_h, attr.stride_w}, 1) &&
                  image_sides({attr.pad_top, attr.pad_bottom, attr.pad_left, attr.pad_right}, 0) &&
                  image_sides({x[1], x[2]}, 1),
              "a side, stride or padding is out of range"));
  TRY(require(attr.window_h * attr.window_w <= area_max, "the window has too many elements"));
  const int64_t high =
      TRY(window_count(x[1] + attr.pad_top + attr.pad_bottom, attr.window_h, attr.stride_h));
  const int64_t wide =
      TRY(window_count(x[2] + attr.pad_left + attr.pad_right, attr.window_w, attr.stride_w));
  TRY(require(y == Dims{x[0], high, wide, x[3]}, "dims break the pool's size rule"));
  const bool first_inside = attr.pad_top < attr.window_h && attr.pad_left < attr.window_w;
  const bool last_inside = (high - 1) * attr.stride_h - attr.pad_top < x[1] &&
                           (wide - 1) * attr.stride_w - attr.pad_left < x[2];
  return require(first_inside && last_inside, "a window lies wholly in the padding");
}

Result<void> check_pool(const Op& op) {
  TRY(one_type(op));
  TRY(require(op.record->out.type != DType::f64, "f64 has no maximum"));
  const auto& attr = std::get<PoolAttr>(op.record->attributes);
  const bool grad = op.record->kind == Kind::max_pool_grad;
  const Dims& x = op.in[0].dims;
  const int64_t area_max = grad ? limits::grad_window_elements_max : limits::window_elements_max;
  TRY(check_windows(attr, area_max, x, grad ? op.in[1].dims : op.record->out.dims));
  return grad ? require_out(op, x) : Result<void>{};
}

Result<void> check_average_pool(const Op& op) {
  TRY(one_type(op));
  TRY(require(is_float(op.record->out.type), "an average is of f32 or f64"));
  const PoolAttr& attr = std::get<AveragePoolAttr>(op.record->attributes).pool;
  const bool grad = op.record->kind == Kind::average_pool_grad;
  const Dims& x = grad ? op.record->out.dims : op.in[0].dims;
  const Dims& y = grad ? op.in[0].dims : op.record->out.dims;
  // The gradient reads one dy a window, never the window: its area needs no bound of its own.
  return check_windows(attr, limits::window_elements_max, x, y);
}

Result<void> check_random(const Op& op) {
  const auto& attr = std::get<RandomAttr>(op.record->attributes);
  for (const Shape& shape : op.in) {
    TRY(require(shape.type == DType::u64 && shape.count() == 1,
                "seed and step are u64 of one element"));
  }
  const DType type = attr.mode == RandomMode::bits   ? DType::u32
                     : attr.mode == RandomMode::keep ? DType::boolean
                                                     : DType::f32;
  TRY(require(op.record->out.type == type, "random numbers of this mode have another type"));
  return require(attr.mode == RandomMode::keep || attr.threshold == 0,
                 "a threshold that nothing is compared with is 0");
}

Result<void> check_scan(const Op& op) {
  TRY(require(op.in.size() == 1 || op.in.size() == 2, "a scan has one or two inputs"));
  TRY(one_type(op));
  const auto& attr = std::get<ScanAttr>(op.record->attributes);
  const bool arithmetic = attr.op == ReduceOp::sum || attr.op == ReduceOp::product;
  TRY(require(arithmetic || op.record->out.type != DType::f64, "f64 has no maximum or minimum"));
  TRY(require(!op.in[0].dims.empty(), "a scan runs along the last axis"));
  const int64_t n = op.in[0].dims.back();
  TRY(require(op.in.size() == 2 || n <= limits::scan_block,
              "a scan of more than one block has a carry"));
  if (op.in.size() == 2) {
    Dims carry = op.in[0].dims;
    carry.back() = (n + limits::scan_block - 1) / limits::scan_block;
    TRY(require(op.in[1].dims == carry, "a carry has one element for each block"));
  }
  return require_out(op, op.in[0].dims);
}

Result<void> check_rank(const Op& op) {
  const DType type = op.in[0].type;
  TRY(require(type == DType::f32 || is_integer(type), "rank takes f32 or integers"));
  TRY(require(!op.in[0].dims.empty() && op.record->out.type == DType::i64,
              "rank gives i64 over the last axis"));
  return require_out(op, op.in[0].dims);
}

Result<void> check_kind(const Op& op) {
  switch (op.record->kind) {
    case Kind::map:
      return check_map(op);
    case Kind::contract:
      return check_contract(op);
    case Kind::reduce:
      return check_reduce(op);
    case Kind::conv:
    case Kind::conv_weight_grad:
    case Kind::conv_input_grad:
      return check_conv(op);
    case Kind::max_pool:
    case Kind::max_pool_grad:
      return check_pool(op);
    case Kind::rank:
      return check_rank(op);
    case Kind::average_pool:
    case Kind::average_pool_grad:
      return check_average_pool(op);
    case Kind::random:
      return check_random(op);
    case Kind::scan:
      return check_scan(op);
    default:
      return check_move(op);
  }
}

/// How many inputs a kind takes; 0 where its own rule counts them.
size_t inputs_of(Kind kind) {
  switch (kind) {
    case Kind::map:
    case Kind::concatenate:
    case Kind::scan:
      return 0;
    case Kind::scatter_add:
    case Kind::scatter_set:
      return 3;
    case Kind::contract:
    case Kind::conv:
    case Kind::conv_weight_grad:
    case Kind::conv_input_grad:
    case Kind::max_pool_grad:
    case Kind::gather:
    case Kind::gather_elements:
    case Kind::random:
      return 2;
    default:
      return 1;
  }
}

Result<const Shape*> producer(const Program& program, size_t record, const Source& source) {
  switch (source.from) {
    case From::state:
      if (source.index < program.leaves.size()) {
        return &program.leaves[source.index].shape;
      }
      break;
    case From::value:
      if (source.index < record) {
        return &program.records[source.index].out;
      }
      break;
    case From::constant:
      if (source.index < program.constants.size()) {
        return &program.constants[source.index].shape;
      }
      break;
  }
  return refuse(Code::bad_program, "an input names nothing that stands before it");
}

Result<void> check_record(const Program& program, uint32_t index) {
  const Record& record = program.records[index];
  TRY(require(record.inputs.size() <= limits::inputs_max, "too many inputs"));
  for (const Source& source : record.inputs) {
    const Shape* from = TRY(producer(program, index, source));
    TRY(valid(Shape{from->type, source.dims}));
    TRY(require(count_of(source.dims) == from->count(),
                "an input is read with dims of another count"));
  }
  return check(op_of(program, index));
}

Error at(Error error, std::string place) {
  error.where = std::move(place);
  return error;
}

Result<void> check_leaves(const Program& program) {
  for (size_t i = 0; i < program.leaves.size(); ++i) {
    const Leaf& leaf = program.leaves[i];
    const std::string place = "leaf " + std::to_string(i);
    const bool printable =
        std::all_of(leaf.name.begin(), leaf.name.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (leaf.name.empty() || leaf.name.size() > limits::name_bytes_max || !printable) {
      return refuse(
          Code::bad_program, "a leaf's name is 1 to 256 printable ASCII characters", {}, place);
    }
    if (i > 0 && !(program.leaves[i - 1].name < leaf.name)) {
      return refuse(Code::bad_program, "leaves are not sorted by unique name", {}, place);
    }
    if (const auto ok = valid(leaf.shape); !ok) {
      return at(ok.error(), place);
    }
    if (leaf.writer && (*leaf.writer >= program.records.size() ||
                        program.records[*leaf.writer].out != leaf.shape)) {
      return refuse(Code::bad_program,
                    "the record that writes it is missing or has another shape",
                    {},
                    place);
    }
  }
  return {};
}

}  // namespace

Result<void> check(const Op& op) {
  const Record& record = *op.record;
  TRY(require(matches(record.kind, record.attributes), "attributes of another kind"));
  TRY(valid(record.out));
  for (const Shape& shape : op.in) {
    TRY(valid(shape));
  }
  const size_t inputs = inputs_of(record.kind);
  TRY(require(inputs == 0 || op.in.size() == inputs, "a wrong number of inputs"));
  TRY(check_kind(op));
  TRY(require(step_terms(op) > 0,
              "one fold step of one term opens more than 400 KiB or looks up too much"));
  return require(steps_max(op) <= limits::fold_steps_max,
                 "a chunk takes more than 65,536 fold steps");
}

Result<void> check(const Program& program) {
  if (program.version != law_version) {
    return refuse(Code::bad_law_version,
                  "law version " + std::to_string(program.version) + " is unknown",
                  "this build knows version " + std::to_string(law_version));
  }
  if (program.records.size() > limits::records_max || program.leaves.size() > limits::leaves_max ||
      program.constants.size() > limits::constants_max) {
    return refuse(Code::bad_program, "more records, leaves or constants than a program may have");
  }
  TRY(check_leaves(program));
  for (const Constant& constant : program.constants) {
    TRY(valid(constant.shape));
  }
  for (uint32_t i = 0; i < program.records.size(); ++i) {
    if (const auto ok = check_record(program, i); !ok) {
      return at(ok.error(), "record " + std::to_string(i));
    }
  }
  if (cost(program) > limits::step_cost_max || encode(program).size() > limits::program_bytes_max) {
    return refuse(Code::bad_program, "the program costs too much or takes more than 1 MiB");
  }
  return {};
}

}  // namespace lockstep::law
