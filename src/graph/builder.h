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
  Value average_pool(Value x, law::AveragePoolAttr attr);
  Value average_pool_grad(Value dy, law::AveragePoolAttr attr, law::Dims x_dims);
  Value gather(Value data, Value index);
  Value gather_elements(Value data, Value index, uint8_t axis);
  Value scatter_add(Value base, Value index, Value updates);
  Value scatter_set(Value base, Value index, Value updates);
  Value random(Value seed, Value step, law::RandomAttr attr, law::Dims dims);
  Value scan_blocks(Value x, law::ScanAttr attr);  // one operator: see ScanAttr
  Value scan_blocks(Value x, Value carry, law::ScanAttr attr);
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

  /// What random numbers are drawn from: one seed and one step for a program, and a stream that no
  /// other use in it has.
  struct Stream {
    Value seed, step;  // u64, one element each
    uint32_t id = 0;
  };
  Value random_uniform(const Stream& stream, law::Dims dims);  // [0, 1)
  Value random_normal(const Stream& stream, law::Dims dims);
  /// Each element of x (f32) is +0 with probability p, 0 <= p < 1, else x·(1/(1 − p)).
  Value dropout(Value x, const Stream& stream, float p);

  /// A running fold along a last axis of any length: the running fold of the block sums is what the
  /// blocks start with.
  Value scan(Value x, law::ScanAttr attr);
  /// Running sums along any axis, from its end where `reverse`.
  struct RunningSum {
    bool exclusive = false, reverse = false;
  };
  Value cumulative_sum(Value x, uint8_t axis, RunningSum how);
  Value reverse(Value x, uint8_t axis);  // last element first

  /// Along the last axis, ties in the order of their places, NaN last in both directions. The
  /// indices are i64.
  struct Sorted;
  Value argsort(Value x, bool descending);
  Sorted sort(Value x, bool descending);
  Sorted top_k(Value x, int64_t k);  // the k greatest, greatest first

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

struct Builder::Sorted {
  Value values, indices;
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
