// Map: a postfix expression evaluated a block of elements at a time, one node after the other, so
// that operands stay in the first-level cache and each node is a plain loop. A NaN need not be
// canonical inside the expression (nothing can tell), but what is written is.
#include "base/check.h"
#include "tensor/general_internal.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::MapNode;
using law::MapOp;

constexpr int64_t slot_bytes = map_block * 8;

size_t operands_of(MapOp op) {
  if (op == MapOp::input || op == MapOp::constant) {
    return 0;
  }
  if (op == MapOp::fma || op == MapOp::select) {
    return 3;
  }
  return op == MapOp::cast || op == MapOp::bitcast || op >= MapOp::negate ? 1 : 2;
}

DType result_of(const MapNode& node, DType operand) {
  switch (node.op) {
    case MapOp::constant:
    case MapOp::cast:
    case MapOp::bitcast:
      return node.type;
    case MapOp::less:
    case MapOp::less_equal:
    case MapOp::equal:
    case MapOp::not_equal:
      return DType::boolean;
    default:
      return operand;
  }
}

/// Slots that the expression needs: its deepest stack, and one for a result beside its operands.
size_t slots_of(const law::Op& op) {
  size_t depth = 0;
  size_t deepest = 0;
  for (const MapNode& node : std::get<law::MapAttr>(op.record->attributes).nodes) {
    depth = depth + 1 - operands_of(node.op);
    deepest = std::max(deepest, depth);
  }
  return deepest + 1;
}

struct Input {
  const uint8_t* data;
  Walk walk;
  DType type;
  int64_t size;
  [[nodiscard]] bool packed() const { return walk.rank == 1 && walk.stride[0] == 1; }
};

struct Map {
  const Call& call;
  MapFunction fast;
  const std::vector<MapNode>& nodes;
  size_t slots;
  std::array<Input, limits::map_inputs_max> inputs{};
};

/// One block of one worker.
class Block {
 public:
  Block(const Map& map, int64_t begin, int64_t count, uint8_t* scratch)
      : map_(map), begin_(begin), count_(count), scratch_(scratch) {
    padded_ = ceil_div(count, map_round) * map_round;
    for (size_t i = 0; i < map.slots; ++i) {
      free_[free_count_++] = static_cast<uint8_t>(i);
    }
  }

  void run() {
    for (const MapNode& node : map_.nodes) {
      push(node);
    }
    const Item& last = stack_[0];
    const DType type = map_.call.op.record->out.type;
    const int64_t size = law::size_of(type);
    uint8_t* const out = map_.call.out.data() + begin_ * size;
    if (is_float(type) && count_ == padded_) {
      canonicalise(type, last.data, out);
      return;
    }
    if (is_float(type)) {
      canonicalise(type, last.data, scratch_ + last.slot * slot_bytes);
    }
    std::memcpy(out, last.data, static_cast<size_t>(count_ * size));
  }

 private:
  static constexpr uint8_t no_slot = UINT8_MAX;
  struct Item {
    const uint8_t* data;
    DType type;
    uint8_t slot;
  };

  void push(const MapNode& node) {
    const size_t operands = operands_of(node.op);
    top_ -= operands;
    const Item* const items = &stack_[top_];
    Item result{nullptr, node.type, no_slot};
    if (node.op == MapOp::input) {
      result = load(map_.inputs[node.arg]);
    } else {
      result.slot = free_[--free_count_];
      uint8_t* const out = scratch_ + result.slot * slot_bytes;
      result.data = out;
      if (node.op == MapOp::constant) {
        fill(node, out);
      } else {
        result.type = compute(node, std::span(items, operands), out);
      }
    }
    for (size_t i = 0; i < operands; ++i) {
      if (items[i].slot != no_slot) {
        free_[free_count_++] = items[i].slot;
      }
    }
    stack_[top_++] = result;
  }

  Item load(const Input& input) {
    if (input.packed() && count_ == padded_) {
      return {input.data + begin_ * input.size, input.type, no_slot};
    }
    const uint8_t slot = free_[--free_count_];
    uint8_t* const to = scratch_ + slot * slot_bytes;
    const auto bytes = static_cast<size_t>(count_ * input.size);
    copy_walk(input.walk, input.data, {to, bytes}, begin_, input.size);
    std::memset(to + bytes, 0, static_cast<size_t>(padded_ * input.size) - bytes);
    return {to, input.type, slot};
  }

  void fill(const MapNode& node, uint8_t* out) const {
    const int64_t size = law::size_of(node.type);
    uint64_t bits = node.bits;
    for (int64_t width = size; width < 8; width *= 2) {
      bits |= bits << (width * 8);
    }
    auto* const words = reinterpret_cast<uint64_t*>(out);
    std::fill(words, words + padded_ * size / 8, bits);
  }

  DType compute(const MapNode& node, std::span<const Item> items, uint8_t* out) const {
    MapStep step{.op = node.op, .operand = items.back().type, .out = out, .count = padded_};
    step.result = result_of(node, step.operand);
    for (size_t i = 0; i < items.size(); ++i) {
      step.in[i] = items[i].data;
    }
    dispatch(step);
    return step.result;
  }

  void canonicalise(DType type, const uint8_t* in, uint8_t* out) const {
    dispatch({.op = MapOp::bitcast,
              .operand = type,
              .result = type,
              .in = {in},
              .out = out,
              .count = padded_});
  }

  void dispatch(const MapStep& step) const {
    if (!map_.fast(step)) {
      map_step_scalar(step);
    }
  }

  const Map& map_;
  int64_t begin_, count_, padded_ = 0;
  uint8_t* scratch_;
  size_t top_ = 0, free_count_ = 0;
  std::array<Item, limits::map_nodes_max> stack_;
  std::array<uint8_t, limits::map_nodes_max + 1> free_;
};

}  // namespace

size_t map_scratch(const law::Op& op, int workers) {
  return slots_of(op) * static_cast<size_t>(slot_bytes) * static_cast<size_t>(workers);
}

void run_map(const Call& call, MapFunction fast) {
  const law::Shape& out = call.op.record->out;
  const int64_t count = out.count();
  if (count == 0) {
    return;
  }
  Map map{.call = call,
          .fast = fast,
          .nodes = std::get<law::MapAttr>(call.op.record->attributes).nodes,
          .slots = slots_of(call.op)};
  for (size_t i = 0; i < call.in.size(); ++i) {
    const law::Shape& shape = call.op.in[i];
    map.inputs[i] = {call.in[i].data(),
                     broadcast_walk(shape.dims, out.dims),
                     shape.type,
                     law::size_of(shape.type)};
  }
  static_assert(part_elements % map_block == 0 && map_block % map_round == 0);
  for_ranges(call.workers, count, [&map](int64_t begin, int64_t end, int worker) {
    uint8_t* const scratch =
        map.call.scratch.data() + static_cast<size_t>(worker) * map.slots * slot_bytes;
    for (; begin < end; begin += map_block) {
      Block(map, begin, std::min(map_block, end - begin), scratch).run();
    }
  });
}

}  // namespace lockstep::tensor
