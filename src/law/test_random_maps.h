// For tests only: random expressions of a map, which type-check and read each of their inputs.
#pragma once

#include "law/indexing.h"
#include "law/program.h"
#include "law/test_choices.h"

namespace lockstep::law::test {

inline bool is_storage(DType type) {
  return type == DType::bf16 || type == DType::f16;
}
inline bool is_integer(DType type) {
  return !is_float(type) && type != DType::boolean;
}
/// Any bits that the type has, NaN canonical.
inline uint64_t any_bits(Choices& choices, DType type) {
  if (type == DType::boolean) {
    return choices.below(2);
  }
  const uint64_t all = ~uint64_t{0} >> (64 - size_of(type) * 8);
  return canonical(type, choices.bits() >> (is_float(type) ? 0 : choices.below(64)) & all);
}
inline DType any_type(Choices& choices) {
  return choices.chance(2) ? static_cast<DType>(choices.below(dtype_count)) : DType::f32;
}
/// A type to compute with.
inline DType any_computing(Choices& choices, bool with_f64) {
  const DType type = any_type(choices);
  const bool computes = is_integer(type) || type == DType::f32 || (with_f64 && type == DType::f64);
  return computes ? type : DType::f32;
}

/// Writes the expression from its first node on and keeps the stack of types.
class RandomMap {
 public:
  RandomMap(Choices& choices, std::vector<DType> inputs)
      : choices_(choices), inputs_(std::move(inputs)) {}

  /// At most 10 inputs fit, whatever is chosen. The result's type is type().
  MapAttr write() {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      push_input(i);
      for (uint64_t extra = choices_.below(4); extra > 0 && has_room(i); --extra) {
        extend();
      }
    }
    while (stack_.size() > 1) {
      combine();
    }
    if (choices_.chance(3) && nodes_.size() < limits::map_nodes_max) {
      cast(static_cast<DType>(choices_.below(dtype_count)));
    }
    return {std::move(nodes_)};
  }
  [[nodiscard]] DType type() const { return stack_.back(); }

 private:
  void push_input(size_t input) {
    leave_storage();
    nodes_.push_back({MapOp::input, static_cast<uint8_t>(input)});
    stack_.push_back(inputs_[input]);
  }
  void push_constant(DType type) {
    nodes_.push_back({MapOp::constant, 0, type, any_bits(choices_, type)});
    stack_.push_back(type);
  }
  void cast(DType type) {
    nodes_.push_back({MapOp::cast, 0, type});
    stack_.back() = type;
  }
  /// Nothing computes on bf16 and f16, so nothing may be pushed on top of one.
  void leave_storage() {
    if (stack_.empty() || !is_storage(stack_.back())) {
      return;
    }
    if (choices_.chance(4)) {
      nodes_.push_back({MapOp::bitcast, 0, DType::u16});
      stack_.back() = DType::u16;
    } else {
      cast(DType::f32);
    }
  }
  void apply(MapOp op, size_t operands, DType result) {
    nodes_.push_back({op});
    stack_.resize(stack_.size() - operands);
    stack_.push_back(result);
  }
  /// Whether one more extension leaves room for the inputs to come and for all to be combined.
  [[nodiscard]] bool has_room(size_t input) const {
    constexpr size_t extension = 8;
    const size_t to_come = 4 * (inputs_.size() - input) + 3 * stack_.size();
    return nodes_.size() + extension + to_come < limits::map_nodes_max;
  }

  void extend() {
    switch (choices_.below(8)) {
      case 0:
        return cast(static_cast<DType>(choices_.below(dtype_count)));
      case 1:
        return bitcast();
      case 2:
        return select();
      case 3:
        return fuse();
      case 4:
        leave_storage();
        push_constant(type());
        return combine();
      case 5:
        if (stack_.size() > 1) {
          return combine();
        }
        [[fallthrough]];
      default:
        return transform();
    }
  }
  void bitcast() {
    if (type() == DType::boolean) {
      return;
    }
    std::vector<DType> fitting;
    for (uint8_t i = 0; i < dtype_count; ++i) {
      const auto to = static_cast<DType>(i);
      if (size_of(to) == size_of(type()) && to != DType::boolean) {
        fitting.push_back(to);
      }
    }
    const DType to = fitting[choices_.below(fitting.size())];
    nodes_.push_back({MapOp::bitcast, 0, to});
    stack_.back() = to;
  }
  /// Of any type, storage too, by the truth of what stands on top.
  void select() {
    if (type() != DType::boolean) {
      cast(DType::boolean);
    }
    const auto chosen = static_cast<DType>(choices_.below(dtype_count));
    push_constant(chosen);
    push_constant(chosen);
    apply(MapOp::select, 3, chosen);
  }
  void fuse() {
    if (type() != DType::f32 && type() != DType::f64) {
      cast(choices_.of({DType::f32, DType::f64}));
    }
    const DType chosen = type();
    push_constant(chosen);
    push_constant(chosen);
    apply(MapOp::fma, 3, chosen);
  }
  /// An operation on the top alone.
  void transform() {
    leave_storage();
    const DType top = type();
    if (top == DType::boolean) {
      return apply(MapOp::logical_not, 1, top);
    }
    if (top == DType::f64) {
      return apply(MapOp::square_root, 1, top);
    }
    const auto first = static_cast<int64_t>(MapOp::negate);
    const auto last = static_cast<int64_t>(MapOp::reciprocal_square_root);
    auto op = static_cast<MapOp>(choices_.in(first, last));
    const bool for_integers = op == MapOp::negate || op == MapOp::absolute;
    if (op == MapOp::logical_not || (is_integer(top) && !for_integers)) {
      op = MapOp::absolute;
    }
    apply(op, 1, top);
  }
  /// The two topmost become one.
  void combine() {
    const DType below = stack_[stack_.size() - 2];
    if (type() != below) {
      cast(below);
    }
    if (choices_.chance(4) && below != DType::f64) {
      const bool orders = below != DType::boolean && choices_.chance(2);
      const MapOp op = orders ? choices_.of({MapOp::less, MapOp::less_equal})
                              : choices_.of({MapOp::equal, MapOp::not_equal});
      return apply(op, 2, DType::boolean);
    }
    if (below == DType::boolean) {
      return apply(choices_.of({MapOp::bit_and, MapOp::bit_or, MapOp::bit_xor}), 2, below);
    }
    if (is_integer(below)) {
      const auto last = static_cast<int64_t>(MapOp::shift_right);
      return apply(
          static_cast<MapOp>(choices_.in(static_cast<int64_t>(MapOp::add), last)), 2, below);
    }
    const MapOp op = choices_.of({MapOp::add,
                                  MapOp::subtract,
                                  MapOp::multiply,
                                  MapOp::divide,
                                  MapOp::maximum,
                                  MapOp::minimum});
    apply(below == DType::f64 && op >= MapOp::maximum ? MapOp::add : op, 2, below);
  }

  Choices& choices_;
  std::vector<DType> inputs_;
  std::vector<MapNode> nodes_;
  std::vector<DType> stack_;
};

}  // namespace lockstep::law::test
