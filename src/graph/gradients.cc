// Reverse mode, graph to graph: from a scalar loss back along the paths that reach what is wanted,
// each record's gradient as new records of the same graph.
#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "graph/impl.h"

namespace lockstep::graph {
namespace {

using law::Dims;
using law::DType;
using law::From;
using law::Kind;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::map:
      return "map";
    case Kind::contract:
      return "contract";
    case Kind::reduce:
      return "reduce";
    case Kind::conv:
      return "conv";
    case Kind::conv_weight_grad:
      return "conv_weight_grad";
    case Kind::conv_input_grad:
      return "conv_input_grad";
    case Kind::max_pool:
      return "max_pool";
    case Kind::max_pool_grad:
      return "max_pool_grad";
    case Kind::gather:
      return "gather";
    case Kind::rank:
      return "rank";
    case Kind::transpose:
      return "transpose";
    case Kind::slice:
      return "slice";
    case Kind::pad:
      return "pad";
    case Kind::concatenate:
      return "concatenate";
    case Kind::broadcast:
      return "broadcast";
    case Kind::scatter_add:
      return "scatter_add";
    case Kind::scatter_set:
      return "scatter_set";
    case Kind::gather_elements:
      return "gather_elements";
    case Kind::average_pool:
      return "average_pool";
    case Kind::average_pool_grad:
      return "average_pool_grad";
    case Kind::random:
      return "random";
    case Kind::scan:
      return "scan";
  }
  return "an unknown kind";
}

/// Integers and bools end a path; other floating types do not, so that they are refused, not lost.
bool is_float(DType type) {
  return type == DType::f32 || type == DType::f64 || type == DType::bf16 || type == DType::f16;
}

class Reverse {
 public:
  Reverse(Builder& builder, Graph& graph) : builder_(builder), graph_(graph) {}
  std::vector<Value> run(Value loss, std::span<const Value> wrt);

 private:
  using Producer = std::pair<From, uint32_t>;
  static Producer of(const law::Source& source) { return {source.from, source.index}; }
  [[nodiscard]] Producer of(Value value) const {
    return {graph_.slot(value).from, graph_.slot(value).index};
  }
  void mark(uint32_t last);
  void give(Value input, Value gradient);
  void visit(uint32_t at, Value dy);
  void back(const Step& step);
  void back_map(const Step& step);
  void back_contract(const Step& step);
  void back_conv(const Step& step);
  void back_reduce(const Step& step);
  void back_transpose(const Step& step);
  void back_slice(const Step& step);
  void back_pad(const Step& step);
  void back_concatenate(const Step& step);
  void back_index(const Step& step);
  void refuse_kind(Kind kind) {
    builder_.fail(refuse(Code::not_differentiable,
                         std::string("a gradient through ") + name_of(kind) + " is not known"));
  }
  Value unbroadcast(Value gradient, const Dims& dims);
  Value spread(Value x, size_t axis, int64_t step);

  Builder& builder_;
  Graph& graph_;
  std::set<Producer> wanted_;  // what is asked for, and all that depends on it
  std::map<Producer, Value> adjoint_;
};

void Reverse::mark(uint32_t last) {
  for (uint32_t at = 0; at <= last; ++at) {
    const auto custom = graph_.derivatives.find(at);
    bool reaches = false;
    if (custom != graph_.derivatives.end()) {
      reaches = wanted_.contains(of(custom->second.of));
    } else {
      reaches = std::ranges::any_of(graph_.records[at].inputs, [&](const law::Source& source) {
        return wanted_.contains(of(source));
      });
    }
    if (reaches && is_float(graph_.records[at].out.type)) {
      wanted_.insert({From::value, at});
    }
  }
}

/// Adds to the gradient of what `input` reads; dead gradients carry nothing.
void Reverse::give(Value input, Value gradient) {
  if (!graph_.alive(gradient) || !wanted_.contains(of(input))) {
    return;
  }
  const Producer producer = of(input);
  const Dims dims = graph_.producer(producer.first, producer.second).dims;
  const Value seen = builder_.reshape(gradient, dims);
  const auto [found, fresh] = adjoint_.try_emplace(producer, seen);
  if (!fresh) {
    found->second = builder_.add(found->second, seen);
  }
}

Value Reverse::unbroadcast(Value gradient, const Dims& dims) {
  const Dims from = builder_.shape(gradient).dims;
  const size_t extra = from.size() - dims.size();
  law::ReduceAttr sum;
  for (size_t axis = 0; axis < from.size(); ++axis) {
    if (from[axis] != 1 && (axis < extra || dims[axis - extra] == 1)) {
      sum.axes.push_back(static_cast<uint8_t>(axis));
    }
  }
  const Value total = sum.axes.empty() ? gradient : builder_.reduce_all(gradient, sum);
  return builder_.reshape(total, dims);
}

void Reverse::back_map(const Step& step) {
  const std::vector<Value> gradients = map_gradients(
      builder_,
      {std::get<law::MapAttr>(step.record.attributes), step.in, step.wanted, step.y, step.dy});
  for (size_t i = step.in.size(); i-- > 0;) {
    if (step.wanted[i] && gradients[i] != Value{} && graph_.alive(gradients[i])) {
      const Dims dims = builder_.shape(step.in[i]).dims;
      give(step.in[i], unbroadcast(gradients[i], dims));
    }
  }
}

void Reverse::back_contract(const Step& step) {
  const auto attr = std::get<law::ContractAttr>(step.record.attributes);
  const Value a = step.in[0];
  const Value b = step.in[1];
  if (step.wanted[1]) {
    give(b,
         attr.b_transposed ? builder_.contract(step.dy, a, {true, attr.a_transposed})
                           : builder_.contract(a, step.dy, {!attr.a_transposed, false}));
  }
  if (step.wanted[0]) {
    give(a,
         attr.a_transposed ? builder_.contract(b, step.dy, {attr.b_transposed, true})
                           : builder_.contract(step.dy, b, {false, !attr.b_transposed}));
  }
}

void Reverse::back_conv(const Step& step) {
  const auto attr = std::get<law::ConvAttr>(step.record.attributes);
  const Value x = step.in[0];
  const Value w = step.in[1];
  if (step.wanted[1]) {
    const Dims dims = builder_.shape(w).dims;
    give(w, builder_.conv_weight_grad(x, step.dy, attr, dims));
  }
  if (step.wanted[0]) {
    const Dims dims = builder_.shape(x).dims;
    give(x, builder_.conv_input_grad(step.dy, w, attr, dims));
  }
}

/// Each element gets the gradient of the segment that it was summed in.
void Reverse::back_reduce(const Step& step) {
  const auto& attr = std::get<law::ReduceAttr>(step.record.attributes);
  if (attr.op != law::ReduceOp::sum) {
    refuse_kind(Kind::reduce);
    return;
  }
  const Dims dims = builder_.shape(step.in[0]).dims;
  const int64_t segments = step.record.out.dims.back();
  if (segments == 1) {
    Dims ones = dims;
    for (const uint8_t axis : attr.axes) {
      ones[axis] = 1;
    }
    give(step.in[0], builder_.broadcast(builder_.reshape(step.dy, ones), dims));
    return;
  }
  // Repeat each segment's gradient 4096 times, cut the tail, and put the axes back in their places.
  Dims kept;
  Dims spread_dims;                 // kept axes, then reduced ones
  std::vector<uint8_t> axis_order;  // spread axis i is input axis axis_order[i]
  int64_t n = 1;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (!std::ranges::count(attr.axes, static_cast<uint8_t>(axis))) {
      kept.push_back(dims[axis]);
      axis_order.push_back(static_cast<uint8_t>(axis));
    }
  }
  for (const uint8_t axis : attr.axes) {
    axis_order.push_back(axis);
    n *= dims[axis];
  }
  for (const uint8_t axis : axis_order) {
    spread_dims.push_back(dims[axis]);
  }
  const int64_t rows = std::accumulate(kept.begin(), kept.end(), int64_t{1}, std::multiplies<>());
  Value wide = builder_.reshape(step.dy, {rows, segments, 1});
  wide = builder_.broadcast(wide, {rows, segments, limits::reduce_terms});
  wide = builder_.reshape(wide, {rows, segments * limits::reduce_terms});
  wide = builder_.slice(wide, {{0, 0}, {1, 1}}, {rows, n});
  wide = builder_.reshape(wide, spread_dims);
  std::vector<uint8_t> back(axis_order.size());
  for (size_t i = 0; i < axis_order.size(); ++i) {
    back[axis_order[i]] = static_cast<uint8_t>(i);
  }
  give(step.in[0], std::ranges::is_sorted(back) ? wide : builder_.transpose(wide, std::move(back)));
}

void Reverse::back_transpose(const Step& step) {
  const auto& order = std::get<law::TransposeAttr>(step.record.attributes).order;
  std::vector<uint8_t> back(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    back[order[i]] = static_cast<uint8_t>(i);
  }
  give(step.in[0], builder_.transpose(step.dy, std::move(back)));
}

/// Puts step − 1 zeros after each element along an axis.
Value Reverse::spread(Value x, size_t axis, int64_t step) {
  Dims dims = builder_.shape(x).dims;
  const auto at = dims.begin() + static_cast<std::ptrdiff_t>(axis);
  const int64_t outer = std::accumulate(dims.begin(), at, int64_t{1}, std::multiplies<>());
  const int64_t inner = std::accumulate(at + 1, dims.end(), int64_t{1}, std::multiplies<>());
  Value wide = builder_.reshape(x, {outer, *at, 1, inner});
  wide = builder_.pad(wide, {{0, 0, 0, 0}, {0, 0, step - 1, 0}, 0});
  *at *= step;
  return builder_.reshape(wide, std::move(dims));
}

void Reverse::back_slice(const Step& step) {
  const auto& attr = std::get<law::SliceAttr>(step.record.attributes);
  const Dims dims = builder_.shape(step.in[0]).dims;
  Value wide = step.dy;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (attr.step[axis] > 1 && graph_.alive(wide)) {
      wide = spread(wide, axis, attr.step[axis]);
    }
  }
  if (!graph_.alive(wide)) {
    return;
  }
  // The zeros after the last element may reach past the end: cut there, pad where short.
  Dims cut = builder_.shape(wide).dims;
  law::PadAttr pad{attr.start, Dims(dims.size()), 0};
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    cut[axis] = std::min(cut[axis], dims[axis] - attr.start[axis]);
    pad.high[axis] = dims[axis] - attr.start[axis] - cut[axis];
  }
  if (cut != builder_.shape(wide).dims) {
    wide = builder_.slice(wide, {Dims(dims.size(), 0), Dims(dims.size(), 1)}, cut);
  }
  give(step.in[0], cut == dims ? wide : builder_.pad(wide, std::move(pad)));
}

void Reverse::back_pad(const Step& step) {
  const auto& attr = std::get<law::PadAttr>(step.record.attributes);
  const Dims dims = builder_.shape(step.in[0]).dims;
  give(step.in[0], builder_.slice(step.dy, {attr.low, Dims(dims.size(), 1)}, dims));
}

void Reverse::back_concatenate(const Step& step) {
  const size_t axis = std::get<law::ConcatenateAttr>(step.record.attributes).axis;
  int64_t end = step.record.out.dims[axis];
  for (size_t i = step.in.size(); i-- > 0;) {
    const Dims dims = builder_.shape(step.in[i]).dims;
    end -= dims[axis];
    if (step.wanted[i]) {
      law::SliceAttr part{Dims(dims.size(), 0), Dims(dims.size(), 1)};
      part.start[axis] = end;
      give(step.in[i], builder_.slice(step.dy, std::move(part), dims));
    }
  }
}

void Reverse::back_index(const Step& step) {
  const std::vector<Value> gradients = index_gradients(builder_, step);
  for (size_t i = step.in.size(); i-- > 0;) {
    if (step.wanted[i]) {
      give(step.in[i], gradients[i]);
    }
  }
}

void Reverse::back(const Step& step) {
  switch (step.record.kind) {
    case Kind::map:
      return back_map(step);
    case Kind::contract:
      return back_contract(step);
    case Kind::conv:
      return back_conv(step);
    case Kind::reduce:
      return back_reduce(step);
    case Kind::max_pool:
      return give(step.in[0],
                  builder_.max_pool_grad(
                      step.in[0], step.dy, std::get<law::PoolAttr>(step.record.attributes)));
    case Kind::transpose:
      return back_transpose(step);
    case Kind::slice:
      return back_slice(step);
    case Kind::pad:
      return back_pad(step);
    case Kind::concatenate:
      return back_concatenate(step);
    case Kind::broadcast:
      return give(step.in[0], unbroadcast(step.dy, builder_.shape(step.in[0]).dims));
    case Kind::gather:
    case Kind::gather_elements:
    case Kind::scatter_add:
    case Kind::scatter_set:
    case Kind::average_pool:
    case Kind::average_pool_grad:
      return back_index(step);
    case Kind::scan:
      if (std::get<law::ScanAttr>(step.record.attributes).op == law::ReduceOp::sum) {
        return back_index(step);
      }
      break;
    case Kind::conv_weight_grad:
    case Kind::conv_input_grad:
    case Kind::max_pool_grad:
    case Kind::rank:
    case Kind::random:
      break;
  }
  refuse_kind(step.record.kind);
}

void Reverse::visit(uint32_t at, Value dy) {
  const auto custom = graph_.derivatives.find(at);
  if (custom != graph_.derivatives.end()) {
    const auto [input, derivative] = custom->second;
    const Value scale = builder_.reshape(dy, {});
    // x·1 is one of the rewrites that keep bits, and the loss's own gradient is this 1.
    give(input,
         scale == builder_.scalar_f32(1.0F) ? derivative : builder_.multiply(scale, derivative));
    return;
  }
  Step step{
      graph_.records[at], {}, {}, graph_.view(From::value, at, graph_.records[at].out.dims), dy};
  bool any = false;
  for (const law::Source& source : step.record.inputs) {
    step.in.push_back(graph_.view(source));
    step.wanted.push_back(wanted_.contains(of(source)));
    any = any || step.wanted.back();
  }
  if (any) {
    back(step);
  }
}

std::vector<Value> Reverse::run(Value loss, std::span<const Value> wrt) {
  std::vector<Value> gradients(wrt.size());
  if (!graph_.alive(wrt) || !graph_.alive(loss)) {
    return gradients;
  }
  for (const Value value : wrt) {
    if (graph_.slot(value).shape.type != DType::f32) {
      builder_.fail(refuse(Code::not_differentiable,
                           std::string("a gradient with respect to ") +
                               law::name_of(graph_.slot(value).shape.type) + " is not known"));
    }
    wanted_.insert(of(value));
  }
  const law::Shape shape = graph_.slot(loss).shape;
  if (shape.type != DType::f32 || shape.count() != 1) {
    builder_.fail(refuse(Code::not_differentiable, "a loss is one f32"));
    return gradients;
  }
  const Producer start = of(loss);
  if (start.first == From::value) {
    mark(start.second);
  }
  give(loss, builder_.reshape(builder_.scalar_f32(1.0F), shape.dims));
  for (uint32_t at = start.first == From::value ? start.second + 1 : 0; at-- > 0;) {
    const auto found = adjoint_.find({From::value, at});
    if (found != adjoint_.end() && !graph_.error) {
      visit(at, found->second);
    }
  }
  for (size_t i = 0; i < wrt.size() && !graph_.error; ++i) {
    const Dims dims = graph_.slot(wrt[i]).shape.dims;
    const auto found = adjoint_.find(of(wrt[i]));
    gradients[i] = found == adjoint_.end() ? builder_.broadcast(builder_.scalar_f32(0.0F), dims)
                                           : builder_.reshape(found->second, dims);
  }
  return gradients;
}

}  // namespace

std::vector<Value> Builder::gradients(Value loss, std::span<const Value> wrt) {
  return Reverse(*this, *impl_).run(loss, wrt);
}

}  // namespace lockstep::graph
