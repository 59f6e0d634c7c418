// Running folds. A block depends on nothing but its elements and its carry, so four go side by side
// to hide the latency of the chain that each of them is.
#include "tensor/general_internal.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::MapOp;
using law::ReduceOp;

template <ReduceOp op>
struct F32 {
  using Value = float;
  [[nodiscard]] static Value load(ByteView in, int64_t at) { return as<float>(in)[at]; }
  static void store(std::span<uint8_t> out, int64_t at, Value value) {
    as<float>(out)[at] = canonical_f32(value);
  }
  [[nodiscard]] static Value of_bits(uint64_t bits) {
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits));
  }
  [[nodiscard]] static Value merge(Value a, Value b) {
    switch (op) {
      case ReduceOp::sum:
        return a + b;
      case ReduceOp::product:
        return a * b;
      case ReduceOp::maximum:
        return law::maximum_f32(a, b);
      case ReduceOp::minimum:
        break;
    }
    return law::minimum_f32(a, b);
  }
};

struct Any {
  using Value = uint64_t;
  MapOp op;
  DType type;
  [[nodiscard]] Value load(ByteView in, int64_t at) const {
    return law::canonical(type, law::load_bits(type, in, at));
  }
  void store(std::span<uint8_t> out, int64_t at, Value value) const {
    law::store_bits(type, out, at, value);
  }
  [[nodiscard]] static Value of_bits(uint64_t bits) { return bits; }
  [[nodiscard]] Value merge(Value a, Value b) const { return law::binary(op, type, a, b); }
};

template <class Arithmetic>
struct Scan {
  const Call& call;
  Arithmetic arithmetic;
  typename Arithmetic::Value identity;
  bool exclusive, carried;
  int64_t n, blocks;
  static constexpr int64_t abreast = 4;
  using Value = typename Arithmetic::Value;

  /// What a block begins with: its first element and its length.
  struct Block {
    int64_t first, count;
  };
  [[nodiscard]] Block block(int64_t which) const {
    const int64_t at = which % blocks * limits::scan_block;
    return {which / blocks * n + at, std::min(limits::scan_block, n - at)};
  }

  /// Blocks which … which + width − 1, all of `count` elements, count > 0.
  template <int64_t width>
  void run(int64_t which, int64_t count) const {
    std::array<int64_t, width> first;
    std::array<Value, width> acc;
    for (int64_t b = 0; b < width; ++b) {
      const auto lane = static_cast<size_t>(b);
      first[lane] = block(which + b).first;
      acc[lane] = carried ? arithmetic.load(call.in[1], which + b) : identity;
    }
    // The first thing taken is copied: without a carry that is the first element.
    const auto take = [&](size_t lane, int64_t i) {
      const Value x = arithmetic.load(call.in[0], first[lane] + i);
      acc[lane] = i == 0 && !carried ? x : arithmetic.merge(acc[lane], x);
    };
    for (int64_t i = 0; i < count; ++i) {
      for (size_t lane = 0; lane < width; ++lane) {
        if (exclusive) {
          arithmetic.store(call.out, first[lane] + i, acc[lane]);
          take(lane, i);
        } else {
          take(lane, i);
          arithmetic.store(call.out, first[lane] + i, acc[lane]);
        }
      }
    }
  }

  void run_all() const {
    const int64_t all = call.op.record->out.count() / n * blocks;
    const int64_t blocks_a_part =
        std::max<int64_t>(abreast, part_elements / std::min(n, limits::scan_block));
    for_parts(call.workers, ceil_div(all, blocks_a_part), [&](int64_t part, int) {
      const int64_t end = std::min(all, (part + 1) * blocks_a_part);
      int64_t at = part * blocks_a_part;
      while (at < end) {
        const int64_t count = block(at).count;
        bool alike = at + abreast <= end;
        for (int64_t b = 1; b < abreast && alike; ++b) {
          alike = block(at + b).count == count;
        }
        if (alike) {
          run<abreast>(at, count);
        } else {
          run<1>(at, count);
        }
        at += alike ? abreast : 1;
      }
    });
  }
};

template <class Arithmetic>
void run_as(const Call& call, Arithmetic arithmetic) {
  const auto& attr = std::get<law::ScanAttr>(call.op.record->attributes);
  const law::Shape& out = call.op.record->out;
  Scan<Arithmetic>{.call = call,
                   .arithmetic = arithmetic,
                   .identity = Arithmetic::of_bits(identity_of(attr.op, out.type)),
                   .exclusive = attr.exclusive,
                   .carried = call.in.size() > 1,
                   .n = out.dims.back(),
                   .blocks = ceil_div(out.dims.back(), limits::scan_block)}
      .run_all();
}

}  // namespace

void run_scan(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  const ReduceOp op = std::get<law::ScanAttr>(call.op.record->attributes).op;
  const DType type = call.op.record->out.type;
  if (type != DType::f32) {
    return run_as(call, Any{merge_of(op), type});
  }
  switch (op) {
    case ReduceOp::sum:
      return run_as(call, F32<ReduceOp::sum>{});
    case ReduceOp::product:
      return run_as(call, F32<ReduceOp::product>{});
    case ReduceOp::maximum:
      return run_as(call, F32<ReduceOp::maximum>{});
    case ReduceOp::minimum:
      return run_as(call, F32<ReduceOp::minimum>{});
  }
}

}  // namespace lockstep::tensor
