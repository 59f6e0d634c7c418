// For tests only: random records of every general kind.
#pragma once

#include "tensor/test_cases.h"

namespace lockstep::tensor::test {

inline law::DType random_type(Random& random) {
  return random.chance(2) ? law::DType::f32 : static_cast<law::DType>(random.in(0, 12));
}
inline law::DType random_numeric(Random& random, bool with_f64) {
  using law::DType;
  if (random.chance(2)) {
    return DType::f32;
  }
  const auto type = static_cast<DType>(random.in(3, 11));
  return type != DType::f16 ? type : with_f64 ? DType::f64 : DType::i32;
}

inline law::Dims random_dims(Random& random, int64_t rank, int64_t most) {
  law::Dims dims;
  int64_t count = 1;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t dim = random.chance(4) ? 1 : random.in(random.chance(12) ? 0 : 1, 40);
    dims.push_back(std::min(dim, std::max<int64_t>(1, most / std::max<int64_t>(1, count))));
    count *= dims.back();
  }
  return dims;
}

/// Builds a postfix expression that type-checks, by keeping the stack of types.
class MapWriter {
 public:
  MapWriter(Random& random, std::vector<law::DType> inputs)
      : random_(random), inputs_(std::move(inputs)) {}

  law::MapAttr write(law::DType out) {
    const int64_t operations = random_.in(0, 10);
    for (int64_t i = 0; i < operations; ++i) {
      if (stack_.size() < 2 || random_.chance(4)) {
        push_leaf(random_.in(-1, static_cast<int64_t>(inputs_.size()) - 1));
      }
      operation();
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      push_leaf(static_cast<int64_t>(i));
    }
    while (stack_.size() > 1) {
      cast(stack_[stack_.size() - 2]);
      combine();
    }
    cast(out);
    return {std::move(nodes_)};
  }

 private:
  using DType = law::DType;
  using MapOp = law::MapOp;

  void push_leaf(int64_t input) {
    if (input >= 0) {
      const DType type = inputs_[static_cast<size_t>(input)];
      nodes_.push_back({MapOp::input, static_cast<uint8_t>(input), DType::f32, 0});
      stack_.push_back(type);
      if (type == DType::bf16 || type == DType::f16) {
        cast(DType::f32);
      }
      return;
    }
    const DType type = random_numeric(random_, true);
    nodes_.push_back({MapOp::constant, 0, type, random_bits(random_, type, Values::mixed)});
    stack_.push_back(type);
  }
  void cast(DType type) {
    if (stack_.back() != type) {
      nodes_.push_back({MapOp::cast, 0, type, 0});
      stack_.back() = type;
    }
  }
  void apply(MapOp op, size_t operands, DType result) {
    nodes_.push_back({op, 0, DType::f32, 0});
    stack_.resize(stack_.size() - operands);
    stack_.push_back(result);
  }
  static bool is_integer(DType type) { return type >= DType::i8 && type <= DType::u64; }

  void combine() {
    const DType type = stack_.back();
    if (type == DType::boolean) {
      return apply(random_.of({MapOp::bit_and, MapOp::bit_or, MapOp::bit_xor}), 2, type);
    }
    if (is_integer(type)) {
      return apply(static_cast<MapOp>(random_.in(10, 21)), 2, type);
    }
    apply(static_cast<MapOp>(random_.in(10, 13)), 2, type);
  }
  void operation() {
    const DType type = stack_.back();
    if (stack_.size() >= 2 && random_.chance(2)) {
      cast(stack_[stack_.size() - 2]);
      return two();
    }
    if (type == DType::boolean) {
      return random_.chance(2) ? apply(MapOp::logical_not, 1, type) : choose();
    }
    if (type == DType::f32) {
      return random_.chance(6) ? bitcast(DType::u32) : apply(random_unary(), 1, type);
    }
    if (type == DType::f64) {
      return random_.chance(3) ? bitcast(DType::u64) : apply(MapOp::square_root, 1, type);
    }
    if (type == DType::u32 && random_.chance(3)) {
      return bitcast(DType::f32);
    }
    apply(random_.of({MapOp::negate, MapOp::absolute}), 1, type);
  }
  MapOp random_unary() {
    return random_.of({MapOp::negate,
                       MapOp::absolute,
                       MapOp::square_root,
                       MapOp::exp,
                       MapOp::log,
                       MapOp::cos,
                       MapOp::sin});
  }
  void two() {
    const DType type = stack_.back();
    if (type == DType::f32 && random_.chance(2)) {
      return apply(static_cast<MapOp>(random_.of({15, 16})), 2, type);
    }
    if (type != DType::f64 && random_.chance(3)) {
      const auto least = static_cast<int64_t>(type == DType::boolean ? 32 : 30);
      return apply(static_cast<MapOp>(random_.in(least, 33)), 2, DType::boolean);
    }
    if ((type == DType::f32 || type == DType::f64) && random_.chance(3)) {
      push_leaf(-1);
      cast(type);
      return apply(MapOp::fma, 3, type);
    }
    combine();
  }
  /// On a bool: two values to choose from.
  void choose() {
    push_leaf(random_.in(-1, static_cast<int64_t>(inputs_.size()) - 1));
    const DType type = stack_.back();
    push_leaf(-1);
    cast(type);
    apply(MapOp::select, 3, type);
  }
  void bitcast(DType type) {
    nodes_.push_back({MapOp::bitcast, 0, type, 0});
    stack_.back() = type;
  }

  Random& random_;
  std::vector<DType> inputs_, stack_;
  std::vector<law::MapNode> nodes_;
};

inline Case map_case(Random& random) {
  Case c;
  c.record.kind = law::Kind::map;
  const law::Dims out = random_dims(random, random.in(0, 5), random.chance(10) ? 40000 : 3000);
  const int64_t count = random.in(1, 4);
  std::vector<law::DType> types;
  law::Dims reached;
  for (int64_t i = 0; i < count; ++i) {
    types.push_back(random_type(random));
    law::Dims dims = out;
    if (i > 0) {
      dims.erase(dims.begin(), dims.begin() + random.in(0, static_cast<int64_t>(dims.size())));
      for (int64_t& dim : dims) {
        dim = random.chance(4) ? 1 : dim;
      }
    }
    c.in.push_back(random_tensor(random, {types.back(), dims}));
  }
  c.record.out = {random_type(random), out};
  c.record.attributes = MapWriter(random, types).write(c.record.out.type);
  return c;
}

inline Case reduce_case(Random& random) {
  Case c;
  c.record.kind = law::Kind::reduce;
  const auto op = static_cast<law::ReduceOp>(random.in(0, 3));
  const law::DType type = random_numeric(random, op <= law::ReduceOp::product);
  law::Dims dims = random_dims(random, random.in(0, 4), 5000);
  if (!dims.empty() && random.chance(4)) {
    dims = {random.in(4090, 13000), random.of<int64_t>({1, 3, 8, 11})};
  }
  law::ReduceAttr attr{op, {}};
  law::Dims kept;
  int64_t n = 1;
  const int64_t style = random.in(0, 2);  // leading, trailing, any
  const int64_t cut = random.in(0, static_cast<int64_t>(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool before = static_cast<int64_t>(i) < cut;
    if (style == 0 ? before : style == 1 ? !before : random.chance(2)) {
      attr.axes.push_back(static_cast<uint8_t>(i));
      n *= dims[i];
    } else {
      kept.push_back(dims[i]);
    }
  }
  kept.push_back(std::max<int64_t>(1, (n + limits::reduce_terms - 1) / limits::reduce_terms));
  c.record.attributes = attr;
  c.record.out = {type, kept};
  c.in.push_back(random_tensor(random, {type, dims}));
  return c;
}

inline Case pool_case(Random& random, bool gradient) {
  Case c;
  c.record.kind = gradient ? law::Kind::max_pool_grad : law::Kind::max_pool;
  const law::DType type = random_numeric(random, false);
  law::PoolAttr attr;
  attr.window_h = random.in(1, 3);
  attr.window_w = random.in(1, 3);
  attr.stride_h = random.in(1, 3);
  attr.stride_w = random.in(1, 3);
  attr.pad_top = random.in(0, attr.window_h - 1);
  attr.pad_left = random.in(0, attr.window_w - 1);
  const law::Dims x{random.in(0, 3), random.in(3, 9), random.in(3, 9), random.in(0, 19)};
  const auto size = [](int64_t padded, int64_t window, int64_t stride) {
    return (padded - window) / stride + 1;
  };
  const law::Dims y{x[0],
                    size(x[1] + attr.pad_top, attr.window_h, attr.stride_h),
                    size(x[2] + attr.pad_left, attr.window_w, attr.stride_w),
                    x[3]};
  c.record.attributes = attr;
  c.in.push_back(random_tensor(random, {type, x}));
  if (gradient) {
    c.in.push_back(random_tensor(random, {type, y}));
  }
  c.record.out = {type, gradient ? x : y};
  return c;
}

inline Case gather_case(Random& random) {
  Case c;
  c.record.kind = law::Kind::gather;
  c.record.attributes = law::GatherAttr{};
  const law::DType type = random_type(random);
  law::Dims data = random_dims(random, random.in(1, 3), 2000);
  const law::Dims index = random_dims(random, random.in(0, 2), 50);
  c.in.push_back(random_tensor(random, {type, data}));
  law::Tensor places{{random.of({law::DType::i32, law::DType::i64}), index}, {}};
  places.data.resize(static_cast<size_t>(places.shape.bytes()));
  const uint64_t all = ~uint64_t{0} >> (64 - law::size_of(places.shape.type) * 8);
  for (int64_t i = 0; i < places.shape.count(); ++i) {
    const auto place = static_cast<uint64_t>(random.in(-data[0] - 2, data[0] + 1));
    law::store_bits(places.shape.type, places.data, i, place & all);
  }
  c.in.push_back(std::move(places));
  law::Dims out = index;
  out.insert(out.end(), data.begin() + 1, data.end());
  c.record.out = {type, out};
  return c;
}

inline Case rank_case(Random& random) {
  Case c;
  c.record.kind = law::Kind::rank;
  c.record.attributes = law::RankAttr{random.chance(2)};
  const law::Dims dims = random_dims(random, random.in(1, 3), 1500);
  c.in.push_back(random_tensor(random, {random_numeric(random, false), dims}));
  c.record.out = {law::DType::i64, dims};
  return c;
}

inline Case view_case(Random& random, law::Kind kind) {
  Case c;
  c.record.kind = kind;
  const law::DType type = random_type(random);
  const law::Dims dims =
      random_dims(random, random.in(0, 5), random.chance(8) ? int64_t{1} << 15 : 3000);
  law::Dims out;
  if (kind == law::Kind::transpose) {
    law::TransposeAttr attr;
    for (size_t i = 0; i < dims.size(); ++i) {
      attr.order.insert(attr.order.begin() + random.in(0, static_cast<int64_t>(i)),
                        static_cast<uint8_t>(i));
    }
    for (const uint8_t axis : attr.order) {
      out.push_back(dims[axis]);
    }
    c.record.attributes = attr;
  } else if (kind == law::Kind::slice) {
    law::SliceAttr attr;
    for (const int64_t dim : dims) {
      attr.start.push_back(random.in(0, dim));
      attr.step.push_back(random.chance(2) ? 1 : random.in(1, 4));
      const int64_t left = dim - attr.start.back();
      const int64_t most = (left + attr.step.back() - 1) / attr.step.back();
      out.push_back(random.chance(2) ? most : random.in(0, most));
    }
    c.record.attributes = attr;
  } else {
    law::PadAttr attr;
    for (const int64_t dim : dims) {
      attr.low.push_back(random.chance(2) ? 0 : random.in(0, 3));
      attr.high.push_back(random.chance(2) ? 0 : random.in(0, 3));
      out.push_back(attr.low.back() + dim + attr.high.back());
    }
    attr.bits = random_bits(random, type, Values::special);
    c.record.attributes = attr;
  }
  c.record.out = {type, out};
  c.in.push_back(random_tensor(random, {type, dims}));
  return c;
}

inline Case broadcast_case(Random& random) {
  Case c;
  c.record.kind = law::Kind::broadcast;
  c.record.attributes = law::BroadcastAttr{};
  const law::Dims out = random_dims(random, random.in(0, 5), 4000);
  law::Dims dims = out;
  dims.erase(dims.begin(), dims.begin() + random.in(0, static_cast<int64_t>(dims.size())));
  for (int64_t& dim : dims) {
    dim = random.chance(3) ? 1 : dim;
  }
  c.record.out = {random_type(random), out};
  c.in.push_back(random_tensor(random, {c.record.out.type, dims}));
  return c;
}

inline Case concatenate_case(Random& random) {
  Case c;
  c.record.kind = law::Kind::concatenate;
  const law::DType type = random_type(random);
  law::Dims dims = random_dims(random, random.in(1, 4), 1000);
  const auto axis = static_cast<size_t>(random.in(0, static_cast<int64_t>(dims.size()) - 1));
  c.record.attributes = law::ConcatenateAttr{static_cast<uint8_t>(axis)};
  int64_t sum = 0;
  const int64_t parts = random.in(1, 5);
  for (int64_t i = 0; i < parts; ++i) {
    dims[axis] = random.in(0, 7);
    sum += dims[axis];
    c.in.push_back(random_tensor(random, {type, dims}));
  }
  dims[axis] = sum;
  c.record.out = {type, dims};
  return c;
}

inline Case general_case(Random& random, law::Kind kind) {
  switch (kind) {
    case law::Kind::map:
      return map_case(random);
    case law::Kind::reduce:
      return reduce_case(random);
    case law::Kind::max_pool:
      return pool_case(random, false);
    case law::Kind::max_pool_grad:
      return pool_case(random, true);
    case law::Kind::gather:
      return gather_case(random);
    case law::Kind::rank:
      return rank_case(random);
    case law::Kind::concatenate:
      return concatenate_case(random);
    case law::Kind::broadcast:
      return broadcast_case(random);
    default:
      return view_case(random, kind);
  }
}

inline constexpr std::array general_kinds{law::Kind::map,
                                          law::Kind::reduce,
                                          law::Kind::max_pool,
                                          law::Kind::max_pool_grad,
                                          law::Kind::gather,
                                          law::Kind::rank,
                                          law::Kind::transpose,
                                          law::Kind::slice,
                                          law::Kind::pad,
                                          law::Kind::concatenate,
                                          law::Kind::broadcast};

}  // namespace lockstep::tensor::test
