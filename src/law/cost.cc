// What a record costs, in operations, and how long its folds are: from shapes alone. LAW section 2.
#include <algorithm>
#include <bit>
#include <functional>

#include "law/fold_internal.h"
#include "law/taps.h"

namespace lockstep::law {
namespace {

constexpr uint64_t scalar_function_cost = 16;
constexpr uint64_t random_cost = 16;  // ten rounds of multiplication, or a function

/// Sum and number of non-zero entries of a per-axis count of terms.
struct AxisTerms {
  uint64_t sum = 0, nonzero = 0, longest = 0;
};

AxisTerms sum_axis(int64_t size, const std::function<int64_t(int64_t)>& terms_at) {
  AxisTerms axis;
  for (int64_t i = 0; i < size; ++i) {
    const auto terms = static_cast<uint64_t>(terms_at(i));
    axis.sum += terms;
    axis.nonzero += terms > 0 ? 1 : 0;
    axis.longest = std::max(axis.longest, terms);
  }
  return axis;
}

uint64_t u(int64_t value) {
  return static_cast<uint64_t>(value);
}

struct AxisPair {
  AxisTerms high, wide;
};

AxisPair input_grad_axes(const Op& op) {
  const auto& attr = std::get<ConvAttr>(op.record->attributes);
  const Dims& x = op.record->out.dims;
  const Dims& w = op.in[1].dims;
  // Taps repeat with the stride: count one period, not a whole image side times the window.
  const auto axis = [](int64_t size, int64_t pad, int64_t dilation, int64_t stride, int64_t taps) {
    std::vector<int64_t> period;
    const TapRule rule(pad, dilation, stride, taps);
    for (int64_t i = 0; i < std::min(size, stride); ++i) {
      period.push_back(rule.at(i).count);
    }
    return sum_axis(size, [&](int64_t i) { return period[static_cast<size_t>(i % stride)]; });
  };
  return {axis(x[1], attr.pad_top, attr.dilation_h, attr.stride_h, w[0]),
          axis(x[2], attr.pad_left, attr.dilation_w, attr.stride_w, w[1])};
}

/// Positions of the image that each window covers: per output row and column.
AxisPair window_axes(const Op& op) {
  const PoolAttr& attr = pool_of(*op.record);
  const Dims& x = op.in[0].dims;
  const Dims& y = op.record->out.dims;
  const auto axis = [](int64_t outputs, int64_t stride, int64_t pad, int64_t window, int64_t size) {
    return sum_axis(outputs, [=](int64_t o) {
      const int64_t first = o * stride - pad;
      return std::min(size, first + window) - std::max<int64_t>(0, first);
    });
  };
  return {axis(y[1], attr.stride_h, attr.pad_top, attr.window_h, x[1]),
          axis(y[2], attr.stride_w, attr.pad_left, attr.window_w, x[2])};
}

/// Windows that cover each position of the image.
AxisPair covering_axes(const Op& op) {
  const PoolAttr& attr = pool_of(*op.record);
  const Dims& x = op.record->out.dims;
  const Dims& y = op.in.back().dims;
  const auto axis = [](int64_t size, int64_t stride, int64_t pad, int64_t window, int64_t outputs) {
    return sum_axis(size, [=](int64_t i) {
      const int64_t at = i + pad;
      const int64_t first = at < window ? 0 : (at - window) / stride + 1;
      return std::max<int64_t>(0, std::min(outputs, at / stride + 1) - first);
    });
  };
  return {axis(x[1], attr.stride_h, attr.pad_top, attr.window_h, y[1]),
          axis(x[2], attr.stride_w, attr.pad_left, attr.window_w, y[2])};
}

/// Terms over an image of h × w places whose ranges are products; an empty range costs 1.
uint64_t image_cost(const AxisPair& axes, uint64_t h, uint64_t w, uint64_t per_term) {
  return axes.high.sum * axes.wide.sum * per_term + (h * w - axes.high.nonzero * axes.wide.nonzero);
}

uint64_t node_cost(MapOp op) {
  switch (op) {
    case MapOp::exp:
    case MapOp::log:
    case MapOp::cos:
    case MapOp::sin:
    case MapOp::tanh:
    case MapOp::erf:
    case MapOp::sigmoid:
      return scalar_function_cost;
    case MapOp::reciprocal_square_root:
      return 2;  // a division and a root
    default:
      return 1;
  }
}

uint64_t map_cost(const Op& op) {
  uint64_t nodes = 0;
  for (const MapNode& node : std::get<MapAttr>(op.record->attributes).nodes) {
    nodes += node_cost(node.op);
  }
  return nodes * u(op.record->out.count());
}

int64_t reduced_count(const Op& op) {
  int64_t n = 1;
  for (const uint8_t axis : std::get<ReduceAttr>(op.record->attributes).axes) {
    n *= op.in[0].dims[axis];
  }
  return n;
}

uint64_t chain_cost(const Op& op, int64_t range) {
  return u(op.record->out.count()) * (range == 0 ? 1 : 2 * u(range));
}

uint64_t rank_cost(const Op& op) {
  const uint64_t n = u(op.in[0].dims.back());
  const auto log2_up = n <= 1 ? 0 : static_cast<uint64_t>(std::bit_width(n - 1));
  const uint64_t count = u(op.record->out.count());
  return log2_up == 0 ? count : count * log2_up;
}

}  // namespace

int64_t range_max(const Op& op) {
  const auto& in = op.in;
  switch (op.record->kind) {
    case Kind::contract:
      return in[0].dims[std::get<ContractAttr>(op.record->attributes).a_transposed ? 1 : 2];
    case Kind::reduce:
      return std::min(limits::reduce_terms, reduced_count(op));
    case Kind::conv:              // taps and channels of the kernel
    case Kind::conv_weight_grad:  // positions of dy
      return in[1].dims[0] * in[1].dims[1] * in[1].dims[2];
    case Kind::conv_input_grad: {
      const int64_t groups = std::get<ConvAttr>(op.record->attributes).groups;
      return in[1].dims[0] * in[1].dims[1] * (in[1].dims[3] / groups);
    }
    case Kind::max_pool:
    case Kind::average_pool: {
      const PoolAttr& attr = pool_of(*op.record);
      return attr.window_h * attr.window_w;
    }
    case Kind::max_pool_grad:
    case Kind::average_pool_grad: {
      const PoolAttr& attr = pool_of(*op.record);
      return ((attr.window_h - 1) / attr.stride_h + 1) * ((attr.window_w - 1) / attr.stride_w + 1);
    }
    case Kind::rank:
      return in[0].dims.back();
    case Kind::scatter_add:
    case Kind::scatter_set:
      return 1 + in[1].count();
    case Kind::scan:
      return std::min(limits::scan_block, in[0].dims.back()) + (in.size() == 2 ? 1 : 0);
    default:
      return 1;
  }
}

uint64_t cost(const Op& op) {
  const Dims& out = op.record->out.dims;
  switch (op.record->kind) {
    case Kind::map:
      return map_cost(op);
    case Kind::contract:
    case Kind::conv:
    case Kind::conv_weight_grad:
      return chain_cost(op, range_max(op));
    case Kind::conv_input_grad: {
      const auto& attr = std::get<ConvAttr>(op.record->attributes);
      const uint64_t terms = 2 * u(op.in[1].dims[3] / attr.groups);
      return u(out[0]) * u(out[3]) * image_cost(input_grad_axes(op), u(out[1]), u(out[2]), terms);
    }
    case Kind::reduce: {
      const int64_t n = reduced_count(op);
      return n == 0 ? u(op.record->out.count()) : u(op.in[0].count());
    }
    case Kind::max_pool:
    case Kind::average_pool:
      return u(out[0]) * u(out[3]) * image_cost(window_axes(op), u(out[1]), u(out[2]), 1);
    case Kind::max_pool_grad:
    case Kind::average_pool_grad:
      return u(out[0]) * u(out[3]) * image_cost(covering_axes(op), u(out[1]), u(out[2]), 1);
    case Kind::rank:
      return rank_cost(op);
    case Kind::scatter_add:
    case Kind::scatter_set:
      // An index sends its update to one place: the work is not the outputs times the updates.
      return u(op.in[0].count()) + u(op.in[1].count()) + u(op.in[2].count());
    case Kind::random:
      return random_cost * u(op.record->out.count());
    default:
      return u(op.record->out.count());
  }
}

uint64_t cost(const Program& program) {
  uint64_t total = 0;
  for (uint32_t i = 0; i < program.records.size(); ++i) {
    const uint64_t more = cost(op_of(program, i));
    total = more > UINT64_MAX - total ? UINT64_MAX : total + more;
  }
  return total;
}

}  // namespace lockstep::law
