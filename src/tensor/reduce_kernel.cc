// Portable reduce: sixteen lanes for each output, exactly as the law folds them.
#include "tensor/general_internal.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::MapOp;
using law::ReduceOp;

constexpr auto lane_count = static_cast<size_t>(limits::reduce_lanes);

/// How two accumulators of one type merge. `Value` is what a lane holds.
struct MergeF32 {
  using Value = float;
  ReduceOp op;
  [[nodiscard]] static Value load(ByteView in, int64_t at) { return as<float>(in)[at]; }
  static void store(std::span<uint8_t> out, int64_t at, Value value) {
    as<float>(out)[at] = canonical_f32(value);
  }
  [[nodiscard]] static Value of_bits(uint64_t bits) {
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits));
  }
  [[nodiscard]] Value operator()(Value a, Value b) const {
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

struct MergeAny {
  using Value = uint64_t;
  MapOp op;
  DType type;
  [[nodiscard]] Value load(ByteView in, int64_t at) const { return law::load_bits(type, in, at); }
  void store(std::span<uint8_t> out, int64_t at, Value value) const {
    law::store_bits(type, out, at, law::canonical(type, value));
  }
  [[nodiscard]] static Value of_bits(uint64_t bits) { return bits; }
  [[nodiscard]] Value operator()(Value a, Value b) const { return law::binary(op, type, a, b); }
};

/// Kept and reduced axes of the input, each a walk in row-major order of its own.
struct Axes {
  Walk kept, reduced;
  int64_t outputs = 1, n = 1, segments = 1;
};

Axes axes_of(const law::Op& op) {
  const auto& attr = std::get<law::ReduceAttr>(op.record->attributes);
  const law::Dims& dims = op.in[0].dims;
  const law::PerAxis own = law::strides_of(dims);
  law::PerAxis kept{}, kept_strides{}, reduced{}, reduced_strides{};
  size_t kept_rank = 0, reduced_rank = 0;
  Axes axes;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (std::find(attr.axes.begin(), attr.axes.end(), i) != attr.axes.end()) {
      reduced[reduced_rank] = dims[i];
      reduced_strides[reduced_rank++] = own[i];
      axes.n *= dims[i];
    } else {
      kept[kept_rank] = dims[i];
      kept_strides[kept_rank++] = own[i];
      axes.outputs *= dims[i];
    }
  }
  axes.kept = walk_of(std::span(kept).first(kept_rank), std::span(kept_strides).first(kept_rank));
  axes.reduced = walk_of(std::span(reduced).first(reduced_rank),
                         std::span(reduced_strides).first(reduced_rank));
  axes.segments = std::max<int64_t>(1, ceil_div(axes.n, limits::reduce_terms));
  return axes;
}

template <class Merge>
struct Reduction {
  const Call& call;
  Merge merge;
  Axes axes;
  typename Merge::Value identity;

  /// One output element: a segment of one kept place.
  void fold(int64_t output) const {
    std::array<typename Merge::Value, lane_count> lanes;
    lanes.fill(identity);
    const int64_t first = output % axes.segments * limits::reduce_terms;
    const int64_t terms = std::min(limits::reduce_terms, axes.n - first);
    if (terms > 0) {
      const int64_t base = cursor_at(axes.kept, output / axes.segments).element;
      Cursor cursor = cursor_at(axes.reduced, first);
      for (int64_t r = 0; r < terms; ++r) {
        auto& lane = lanes[static_cast<size_t>(r) % lane_count];
        lane = merge(lane, merge.load(call.in[0], base + cursor.element));
        advance(axes.reduced, cursor, 1);
      }
    }
    for (size_t half = lane_count / 2; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) {
        lanes[i] = merge(lanes[i], lanes[i + half]);
      }
    }
    merge.store(call.out, output, lanes[0]);
  }

  void run() const {
    const int64_t outputs = axes.outputs * axes.segments;
    const int64_t terms = std::clamp<int64_t>(axes.n, 1, limits::reduce_terms);
    const int64_t outputs_a_part = std::max<int64_t>(1, part_elements / terms);
    for_parts(call.workers, ceil_div(outputs, outputs_a_part), [&](int64_t part, int) {
      const int64_t end = std::min(outputs, (part + 1) * outputs_a_part);
      for (int64_t output = part * outputs_a_part; output < end; ++output) {
        fold(output);
      }
    });
  }
};

}  // namespace

uint64_t identity_of(ReduceOp op, DType type) {
  switch (op) {
    case ReduceOp::sum:
      return 0;
    case ReduceOp::product:
      return law::one_of(type);
    case ReduceOp::maximum:
      return law::lowest_of(type);
    case ReduceOp::minimum:
      break;
  }
  return law::highest_of(type);
}

MapOp merge_of(ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      return MapOp::add;
    case ReduceOp::product:
      return MapOp::multiply;
    case ReduceOp::maximum:
      return MapOp::maximum;
    case ReduceOp::minimum:
      break;
  }
  return MapOp::minimum;
}

bool reduce_view(const law::Op& op, ReduceView& view) {
  const auto& attr = std::get<law::ReduceAttr>(op.record->attributes);
  const law::Dims& dims = op.in[0].dims;
  view = {};
  int stage = 0;  // 0: outer, 1: reduced, 2: inner
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool reduced = std::find(attr.axes.begin(), attr.axes.end(), i) != attr.axes.end();
    if (dims[i] == 1) {
      continue;
    }
    if (reduced && stage == 2) {
      return false;
    }
    stage = reduced ? 1 : (stage == 0 ? 0 : 2);
    (stage == 0 ? view.outer : stage == 1 ? view.n : view.inner) *= dims[i];
  }
  return true;
}

void run_reduce(const Call& call) {
  const ReduceOp op = std::get<law::ReduceAttr>(call.op.record->attributes).op;
  const DType type = call.op.record->out.type;
  const uint64_t identity = identity_of(op, type);
  if (type == DType::f32) {
    Reduction<MergeF32>{call, {op}, axes_of(call.op), MergeF32::of_bits(identity)}.run();
  } else {
    Reduction<MergeAny>{call, {merge_of(op), type}, axes_of(call.op), identity}.run();
  }
}

}  // namespace lockstep::tensor
