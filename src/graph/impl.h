// What stands behind Builder: the tables of one graph, and the derivative of a map expression. For
// the files of this module only.
#pragma once

#include <map>
#include <optional>
#include <tuple>

#include "graph/builder.h"

namespace lockstep::graph {

/// One way to read a producer: a leaf, a record's output or a constant, with these dims.
struct Slot {
  law::From from = law::From::state;
  uint32_t index = 0;
  law::Shape shape;
};

struct LeafEntry {
  std::string name;
  law::Shape shape;
  std::optional<Value> next;
};

/// Says that a record's only input worth differentiating is `of`, and what the derivative is.
struct Derivative {
  Value of, derivative;
};

struct Graph {
  std::vector<Slot> slots;  // Value.id counts these
  std::map<std::tuple<law::From, uint32_t, law::Dims>, uint32_t> slot_ids;
  std::vector<LeafEntry> leaves;  // in the order of the calls; finish() sorts
  std::vector<law::Tensor> constants;
  std::map<Hash, uint32_t> constant_ids;
  std::vector<law::Record> records;  // sources count the tables above
  std::map<Bytes, uint32_t> record_ids;
  std::map<uint32_t, Derivative> derivatives;  // by record
  std::optional<Error> error;

  /// Keeps the first error; returns a dead value.
  Value fail(Error why);
  /// False once anything failed; a value that this graph never made is a failure.
  bool alive(std::span<const Value> values);
  bool alive(Value value) { return alive(std::span(&value, 1)); }
  [[nodiscard]] const Slot& slot(Value value) const { return slots[value.id]; }
  [[nodiscard]] const law::Shape& producer(law::From from, uint32_t index) const;
  /// The value that reads a producer with these dims; the caller knows that the count agrees.
  Value view(law::From from, uint32_t index, const law::Dims& dims);
  Value view(const law::Source& source) { return view(source.from, source.index, source.dims); }
  /// Adds a checked record, or finds its equal. Inputs are alive.
  Value record(law::Kind kind,
               law::Attributes attributes,
               std::span<const Value> inputs,
               law::Shape out);
};

struct Builder::Impl : Graph {};

/// How many operands a node pops; nothing for a number that is no MapOp.
[[nodiscard]] std::optional<int> arity(law::MapOp op);
[[nodiscard]] bool is_comparison(law::MapOp op);
/// A node that pushes +0, 1 or any other f32.
[[nodiscard]] law::MapNode f32_node(float value);
[[nodiscard]] law::MapNode i64_node(int64_t value);
[[nodiscard]] law::MapNode input_node(uint8_t arg);
[[nodiscard]] law::MapNode cast_node(law::DType type);
[[nodiscard]] law::MapNode op_node(law::MapOp op);

[[nodiscard]] law::MapNode bool_node(bool value);

/// 0, 1, … count − 1 as i64.
[[nodiscard]] Value iota(Builder& builder, int64_t count);

/// One axis of a window, and how many places it has. Errors: bad_shape.
struct Window {
  int64_t size, kernel, stride, dilation, low, high;
};
[[nodiscard]] Result<int64_t> window_count(const Window& w);

/// One record on its way back: a copy, since the graph grows under our hands.
struct Step {
  law::Record record;
  std::vector<Value> in;
  std::vector<bool> wanted;
  Value y, dy;
};
/// Of a record that moves elements by indices, an average pool or a scan: the gradient of each
/// wanted input, in the dims of the input; dead where not wanted. Errors are the builder's.
[[nodiscard]] std::vector<Value> index_gradients(Builder& builder, const Step& step);

/// One map record to differentiate: its inputs, its output y, and dy, the gradient of y.
struct MapCall {
  law::MapAttr expression;
  std::vector<Value> inputs;
  std::vector<bool> wanted;
  Value y, dy;
};
/// For each wanted input its gradient with the dims of y (not yet summed over broadcast axes); a
/// dead value where nothing flows. Errors are the builder's.
[[nodiscard]] std::vector<Value> map_gradients(Builder& builder, const MapCall& call);

}  // namespace lockstep::graph
