// Builds programs: typed values over the law's records, with layers as short compositions.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "law/program.h"

namespace lockstep::graph {

/// A value of one Builder. Cheap to copy; meaningless elsewhere.
struct Value {
  uint32_t id = UINT32_MAX;
  bool operator==(const Value&) const = default;
};

/// A checked program with the tensors of its constants, in the program's order.
struct Built {
  law::Program program;
  std::vector<law::Tensor> constants;
};

/// Errors are sticky: the first bad call is kept, later calls return dead values, finish() reports
/// it. Equal constants and equal records (same kind, attributes, inputs) are shared.
class Builder {
 public:
  Builder();
  ~Builder();
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  Value leaf(std::string name, law::Shape shape);
  /// The leaf's value after the step.
  void set_next(Value leaf, Value next);
  Value constant(law::Tensor tensor);
  Value scalar_f32(float value);
  Value scalar_i64(int64_t value);
  [[nodiscard]] const law::Shape& shape(Value value) const;
  /// Reads the value with other dims of the same count; makes no record.
  Value reshape(Value value, law::Dims dims);

  // The primitives. Shapes follow from the inputs.
  Value map(law::MapAttr expression, std::span<const Value> inputs);  // numpy broadcasting
  Value contract(Value a, Value b, law::ContractAttr attr = {});      // rank 3
  Value reduce(Value x, law::ReduceAttr attr);  // one operator: segments of 4096, see LAW
  Value reduce_all(
      Value x, const law::ReduceAttr& attr);  // as many operators as leave one result; dims = kept
  Value conv(Value x, Value w, law::ConvAttr attr);
  Value conv_weight_grad(Value x, Value dy, law::ConvAttr attr, law::Dims w_dims);
  Value conv_input_grad(Value dy, Value w, law::ConvAttr attr, law::Dims x_dims);
  Value max_pool(Value x, law::PoolAttr attr);
  Value max_pool_grad(Value x, Value dy, law::PoolAttr attr);
  Value gather(Value data, Value index);
  Value rank(Value x, bool descending);
  Value transpose(Value x, std::vector<uint8_t> order);
  Value slice(Value x, law::SliceAttr attr, law::Dims out);
  Value pad(Value x, law::PadAttr attr);
  Value concatenate(std::span<const Value> parts, uint8_t axis);
  Value broadcast(Value x, law::Dims dims);

  // Compositions, each one map or a few records.
  Value unary(law::MapOp op, Value x);
  Value binary(law::MapOp op, Value a, Value b);
  Value add(Value a, Value b);
  Value multiply(Value a, Value b);
  Value cast(Value x, law::DType type);
  Value relu(Value x);  // maximum(x, +0)
  Value matmul(Value a, Value b, bool a_transposed = false, bool b_transposed = false);  // rank 2
  Value argmax(Value x);  // last axis: sum of i where the descending rank is 0; i64

  /// Gradients of the scalar f32 `loss` with respect to `wrt`, as new values of this same graph
  /// (reverse mode, graph to graph). Contributions to one value are added in the order in which its
  /// uses stand in the program, last use first. Errors are sticky (not_differentiable names the
  /// kind).
  std::vector<Value> gradients(Value loss, std::span<const Value> wrt);

  /// Replaces the chain rule for one value: gradients() takes `derivative` (of's dims) times the
  /// gradient of `result` as the gradient of `of`, and does not look at result's own inputs.
  /// `result` is a record's output of one element.
  void set_derivative(Value result, Value of, Value derivative);

  /// For compositions that find their arguments wrong: keeps the first error, returns a dead value.
  Value fail(Error why);

  /// Sorts leaves by name, drops records that no leaf needs, checks the program.
  Result<Built> finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Softmax cross-entropy of logits [n,c] f32 and labels [n] i64: the mean loss, dims [].
/// gradients() yields exactly (e/s − onehot)/f32(n) for the logits (LAW, Compositions).
Value softmax_cross_entropy(Builder& builder, Value logits, Value labels);

/// SGD with momentum: v' = fma(μ, v, g); p' = fma(−lr, v', p). Returns {p', v'}.
struct SgdUpdate {
  Value parameter, momentum;
};
/// The settings of one update.
struct Sgd {
  Value rate;       // f32 []
  float mu = 0.9F;  // momentum
};
SgdUpdate sgd_momentum(
    Builder& builder, Value parameter, Value momentum, Value gradient, const Sgd& sgd);

/// Learning rate at global step t (i64 []): base·(t+1)/warmup for t < warmup, then
/// base/2·(1 + cos(π·(t−warmup)/(total−warmup))). f32 [], by the law's cos.
/// 0 <= warmup <= total; with warmup = total there is only the rise.
Value warmup_cosine(Builder& builder, Value t, float base, int64_t warmup, int64_t total);

}  // namespace lockstep::graph
