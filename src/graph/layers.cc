// Compositions: one map or a few records each. Their order of operations is the law's where LAW
// names it (softmax cross-entropy, SGD with momentum, argmax), and fixed here otherwise.
#include <numbers>

#include "graph/impl.h"

namespace lockstep::graph {
namespace {

using law::DType;
using law::MapOp;
using law::ReduceOp;

Error bad(const char* what) {
  return refuse(Code::bad_graph, what);
}

}  // namespace

Value iota(Builder& builder, int64_t count) {
  law::Tensor tensor{{DType::i64, {count}}, {}};
  tensor.data.resize(static_cast<size_t>(tensor.shape.bytes()));
  for (int64_t i = 0; i < count; ++i) {
    law::store_bits(DType::i64, tensor.data, i, static_cast<uint64_t>(i));
  }
  return builder.constant(std::move(tensor));
}

Value Builder::unary(MapOp op, Value x) {
  return map({{input_node(0), op_node(op)}}, std::span(&x, 1));
}

Value Builder::binary(MapOp op, Value a, Value b) {
  if (a == b) {  // one input, read twice: the record does not name it twice
    return map({{input_node(0), input_node(0), op_node(op)}}, std::span(&a, 1));
  }
  const Value inputs[] = {a, b};
  return map({{input_node(0), input_node(1), op_node(op)}}, inputs);
}

Value Builder::add(Value a, Value b) {
  return binary(MapOp::add, a, b);
}
Value Builder::multiply(Value a, Value b) {
  return binary(MapOp::multiply, a, b);
}

Value Builder::cast(Value x, DType type) {
  return map({{input_node(0), cast_node(type)}}, std::span(&x, 1));
}

Value Builder::relu(Value x) {
  return map({{input_node(0), f32_node(0.0F), op_node(MapOp::maximum)}}, std::span(&x, 1));
}

Value Builder::matmul(Value a, Value b, bool a_transposed, bool b_transposed) {
  const Value inputs[] = {a, b};
  if (!impl_->alive(inputs)) {
    return {};
  }
  law::Dims left = shape(a).dims;
  law::Dims right = shape(b).dims;
  if (left.size() != 2 || right.size() != 2) {
    return fail(refuse(Code::bad_shape, "a matrix product takes two values of rank 2"));
  }
  left.insert(left.begin(), 1);
  right.insert(right.begin(), 1);
  const Value product = contract(reshape(a, left), reshape(b, right), {a_transposed, b_transposed});
  if (!impl_->alive(product)) {
    return {};
  }
  const law::Dims dims = shape(product).dims;
  return reshape(product, {dims[1], dims[2]});
}

Value Builder::argmax(Value x) {
  if (!impl_->alive(x)) {
    return {};
  }
  const law::Dims dims = shape(x).dims;
  if (dims.empty() || dims.back() == 0) {
    return fail(refuse(Code::bad_shape, "argmax takes a last axis that is not empty"));
  }
  const Value inputs[] = {rank(x, true), iota(*this, dims.back())};
  const Value first = map({{input_node(0),
                            i64_node(0),
                            op_node(MapOp::equal),
                            input_node(1),
                            i64_node(0),
                            op_node(MapOp::select)}},
                          inputs);
  return reduce_all(first, {ReduceOp::sum, {static_cast<uint8_t>(dims.size() - 1)}});
}

Value softmax_cross_entropy(Builder& builder, Value logits, Value labels) {
  const law::Shape x = builder.shape(logits);
  const law::Shape label = builder.shape(labels);
  if (x.type != DType::f32 || x.dims.size() != 2 || label.type != DType::i64 ||
      label.dims != law::Dims{x.dims[0]} || x.dims[0] == 0 || x.dims[1] == 0) {
    return builder.fail(bad("softmax cross-entropy takes f32 logits [n,c] and i64 labels [n]"));
  }
  const law::Dims column = {x.dims[0], 1};
  const float n = static_cast<float>(x.dims[0]);
  const Value classes = iota(builder, x.dims[1]);
  const Value wanted = builder.reshape(labels, column);

  const Value m = builder.reshape(builder.reduce_all(logits, {ReduceOp::maximum, {1}}), column);
  const Value z = builder.binary(MapOp::subtract, logits, m);
  const Value e = builder.unary(MapOp::exp, z);
  const Value s = builder.reshape(builder.reduce_all(e, {ReduceOp::sum, {1}}), column);
  const Value pick_inputs[] = {classes, wanted, z};
  const Value pick = builder.map({{input_node(0),
                                   input_node(1),
                                   op_node(MapOp::equal),
                                   input_node(2),
                                   f32_node(0.0F),
                                   op_node(MapOp::select)}},
                                 pick_inputs);
  const Value picked = builder.reshape(builder.reduce_all(pick, {ReduceOp::sum, {1}}), column);
  const Value row_inputs[] = {s, picked};
  const Value rows = builder.map(
      {{input_node(0), op_node(MapOp::log), input_node(1), op_node(MapOp::subtract)}}, row_inputs);
  const Value sum = builder.reduce_all(rows, {ReduceOp::sum, {0, 1}});
  const Value loss =
      builder.map({{input_node(0), f32_node(n), op_node(MapOp::divide)}}, std::span(&sum, 1));

  const Value inputs[] = {e, s, classes, wanted};
  const Value derivative = builder.map({{input_node(0),
                                         input_node(1),
                                         op_node(MapOp::divide),
                                         input_node(2),
                                         input_node(3),
                                         op_node(MapOp::equal),
                                         f32_node(1.0F),
                                         f32_node(0.0F),
                                         op_node(MapOp::select),
                                         op_node(MapOp::subtract),
                                         f32_node(n),
                                         op_node(MapOp::divide)}},
                                       inputs);
  builder.set_derivative(loss, logits, derivative);
  return loss;
}

SgdUpdate sgd_momentum(
    Builder& builder, Value parameter, Value momentum, Value gradient, const Sgd& sgd) {
  if (builder.shape(parameter) != builder.shape(momentum) ||
      builder.shape(parameter) != builder.shape(gradient) || builder.shape(sgd.rate).count() != 1) {
    builder.fail(bad("parameter, momentum and gradient have one shape, the rate is a scalar"));
    return {};
  }
  const Value v_inputs[] = {momentum, gradient};
  const Value v = builder.map(
      {{f32_node(sgd.mu), input_node(0), input_node(1), op_node(MapOp::fma)}}, v_inputs);
  const Value p_inputs[] = {builder.reshape(sgd.rate, {}), v, parameter};
  const Value p = builder.map(
      {{input_node(0), op_node(MapOp::negate), input_node(1), input_node(2), op_node(MapOp::fma)}},
      p_inputs);
  return {p, v};
}

Value warmup_cosine(Builder& builder, Value t, float base, int64_t warmup, int64_t total) {
  if (builder.shape(t) != law::Shape{DType::i64, {}} || warmup < 0 || total < warmup) {
    return builder.fail(bad("a schedule takes an i64 step and 0 <= warmup <= total"));
  }
  const float span = static_cast<float>(total - warmup);
  law::MapAttr expression;
  const auto append = [&](std::initializer_list<law::MapNode> nodes) {
    expression.nodes.insert(expression.nodes.end(), nodes);
  };
  append({input_node(0), i64_node(warmup), op_node(MapOp::less)});
  // (base · f32(t + 1)) / f32(warmup)
  append({f32_node(base), input_node(0), i64_node(1), op_node(MapOp::add), cast_node(DType::f32)});
  append({op_node(MapOp::multiply), f32_node(static_cast<float>(warmup)), op_node(MapOp::divide)});
  // (base / 2) · (1 + cos((π · f32(t − warmup)) / f32(total − warmup)))
  append({f32_node(base / 2), f32_node(1.0F), f32_node(std::numbers::pi_v<float>), input_node(0)});
  append({i64_node(warmup), op_node(MapOp::subtract), cast_node(DType::f32)});
  append({op_node(MapOp::multiply), f32_node(span), op_node(MapOp::divide), op_node(MapOp::cos)});
  append({op_node(MapOp::add), op_node(MapOp::multiply), op_node(MapOp::select)});
  return builder.map(std::move(expression), std::span(&t, 1));
}

}  // namespace lockstep::graph
