// For tests only: records of every kind with large dims and far strides, drawn so that runs of
// outputs and terms wrap around axes in all ways, and data for them without the tensors.
#pragma once

#include <algorithm>

#include "base/test_random.h"
#include "law/fold.h"
#include "law/indexing.h"

namespace lockstep::law::test {

/// A record and the shapes it reads; op() borrows.
struct FarRecord {
  Record record;
  std::vector<Shape> in;
  [[nodiscard]] Op op() const { return {&record, in}; }
};

/// Bits of any element of any tensor. Indices are in range; those of a scatter mostly name `row`,
/// so that its updates are read.
class FarReader final : public Reader {
 public:
  FarReader(const Op& op, uint64_t seed) : op_(op), seed_(seed) {
    const Kind kind = op.record->kind;
    indexed_ = kind == Kind::gather || kind == Kind::gather_elements || kind == Kind::scatter_add ||
               kind == Kind::scatter_set;
    scatters_ = kind == Kind::scatter_add || kind == Kind::scatter_set;
    if (kind == Kind::gather_elements) {
      rows_ = op.in[0].dims[std::get<GatherElementsAttr>(op.record->attributes).axis];
    } else if (indexed_) {
      rows_ = op.in[0].dims[0];
    }
  }
  void aim(int64_t row) { row_ = row; }
  uint64_t bits(uint32_t input, int64_t element) override {
    const uint64_t word = test_mixed(seed_ ^ input ^ static_cast<uint64_t>(element) << 6);
    const DType type = op_.in[input].type;
    const uint64_t all = ~uint64_t{0} >> (64 - size_of(type) * 8);
    if (indexed_ && input == 1) {
      const bool hit = scatters_ && word % 8 != 0;
      const auto any = static_cast<int64_t>(word % static_cast<uint64_t>(rows_ + 1));
      return static_cast<uint64_t>(hit ? row_ : any) & all;
    }
    return type == DType::boolean ? word & 1 : canonical(type, word & all);
  }

 private:
  const Op& op_;
  uint64_t seed_;
  bool indexed_ = false, scatters_ = false;
  int64_t rows_ = 1, row_ = 0;
};

class FarRecords {
 public:
  explicit FarRecords(uint64_t seed) : random_(seed) {}
  TestRandom& random() { return random_; }
  /// Not checked: some break their kind's rule, or are too large.
  FarRecord draw(Kind kind);

 private:
  /// At least 1. Around powers of two as often as anywhere, small ones as often as large.
  int64_t dim(int bits) {
    const int64_t power = int64_t{1} << random_.in(0, bits);
    switch (random_.below(4)) {
      case 0:
        return power;
      case 1:
        return std::max<int64_t>(1, power + random_.in(-2, 2));
      case 2:
        return random_.chance(2) ? 1 : random_.in(1, 9);
      default:
        return random_.in(1, 2 * power);
    }
  }
  /// Of at most 2^bits elements altogether, roughly.
  Dims dims(int64_t rank, int bits) {
    Dims drawn;
    int left = bits;
    for (int64_t i = 0; i < rank; ++i) {
      drawn.push_back(dim(std::max(0, std::min(left, 20))));
      while (left > 0 && int64_t{1} << left > (int64_t{1} << bits) / drawn.back()) {
        --left;
      }
      bits = left;
    }
    for (size_t i = drawn.size(); i > 1; --i) {
      std::swap(drawn[i - 1], drawn[random_.below(i)]);
    }
    return drawn;
  }
  DType numeric() {
    return random_.of({DType::f32, DType::f32, DType::f64, DType::i8, DType::u16, DType::i64});
  }
  DType ordered() {
    const DType type = numeric();
    return type == DType::f64 ? DType::i32 : type;
  }
  DType any_type() { return static_cast<DType>(random_.in(0, dtype_count - 1)); }
  DType index_type() { return random_.chance(2) ? DType::i32 : DType::i64; }

  FarRecord map();
  FarRecord contract();
  FarRecord reduce();
  FarRecord conv(Kind kind);
  FarRecord pool(Kind kind);
  FarRecord gather();
  FarRecord gather_elements();
  FarRecord scatter(Kind kind);
  FarRecord rank();
  FarRecord transpose();
  FarRecord slice();
  FarRecord pad();
  FarRecord concatenate();
  FarRecord broadcast();
  FarRecord random_numbers();
  FarRecord scan();
  TestRandom random_;
};

inline FarRecord FarRecords::map() {
  const DType type = numeric();
  const Dims out = dims(random_.in(0, 6), 36);
  FarRecord made{{Kind::map, MapAttr{}, {}, {type, out}}, {}};
  MapAttr attr;
  const int64_t inputs = random_.chance(4) ? 16 : random_.in(1, 16);
  for (int64_t i = 0; i < inputs; ++i) {
    Dims own = out;
    if (i > 0) {
      own.erase(own.begin(), own.begin() + random_.in(0, static_cast<int64_t>(own.size())));
      for (int64_t& size : own) {
        size = random_.chance(3) ? 1 : size;
      }
    }
    made.in.push_back({type, own});
    attr.nodes.push_back({MapOp::input, static_cast<uint8_t>(i), DType::f32, 0});
    if (i > 0) {
      attr.nodes.push_back({MapOp::add});
    }
  }
  made.record.attributes = attr;
  return made;
}

inline FarRecord FarRecords::contract() {
  const DType type = numeric();
  const ContractAttr attr{random_.chance(2), random_.chance(2)};
  const Dims drawn = dims(4, 38);  // so that no tensor has more elements
  const int64_t b = drawn[0];
  const int64_t m = random_.chance(3) ? random_.in(1, 3) : drawn[1];
  const int64_t n = random_.chance(4) ? random_.in(1, 3) : drawn[2];
  const int64_t k = drawn[3];
  return {{Kind::contract, attr, {}, {type, {b, m, n}}},
          {{type, attr.a_transposed ? Dims{b, k, m} : Dims{b, m, k}},
           {type, attr.b_transposed ? Dims{b, n, k} : Dims{b, k, n}}}};
}

inline FarRecord FarRecords::reduce() {
  const DType type = ordered();
  const Dims own = dims(random_.in(1, 6), 38);
  ReduceAttr attr{static_cast<ReduceOp>(random_.in(0, 3)), {}};
  Dims kept;
  int64_t n = 1;
  const bool leading = random_.chance(2);
  const auto cut = static_cast<size_t>(random_.in(0, static_cast<int64_t>(own.size())));
  for (size_t i = 0; i < own.size(); ++i) {
    if (leading ? i < cut : random_.chance(2)) {
      attr.axes.push_back(static_cast<uint8_t>(i));
      n *= own[i];
    } else {
      kept.push_back(own[i]);
    }
  }
  kept.push_back(std::max<int64_t>(1, (n + limits::reduce_terms - 1) / limits::reduce_terms));
  return {{Kind::reduce, attr, {}, {type, kept}}, {{type, own}}};
}

inline int64_t windows(int64_t padded, int64_t window, int64_t stride) {
  return padded < window ? 0 : (padded - window) / stride + 1;
}

inline FarRecord FarRecords::conv(Kind kind) {
  const DType type = numeric();
  const bool huge = random_.chance(6);
  const int side = static_cast<int>(random_.in(1, huge ? 14 : 8));
  const int kernel = huge ? static_cast<int>(random_.in(1, 14)) : 3;
  ConvAttr attr;
  Dims w{dim(kernel), dim(kernel), 1, 1};
  attr.stride_h = dim(random_.chance(4) ? side : 2),
  attr.stride_w = dim(random_.chance(4) ? 10 : 2);
  attr.dilation_h = dim(random_.chance(4) ? side : 1),
  attr.dilation_w = dim(random_.chance(4) ? 9 : 1);
  attr.pad_top = random_.in(0, 5), attr.pad_left = random_.in(0, 5);
  attr.pad_bottom = random_.chance(4) ? dim(side) : 1, attr.pad_right = random_.in(0, 9);
  attr.groups = random_.chance(3) ? dim(8) : 1;
  const int channels = static_cast<int>(random_.in(0, 11));
  w[2] = random_.chance(4) ? 1 : dim(channels);
  w[3] = attr.groups * (random_.chance(4) ? 1 : dim(static_cast<int>(random_.in(0, 11))));
  const Dims x{dim(random_.chance(3) ? 16 : 2), dim(side), dim(side), w[2] * attr.groups};
  const Dims y{
      x[0],
      windows(
          x[1] + attr.pad_top + attr.pad_bottom, attr.dilation_h * (w[0] - 1) + 1, attr.stride_h),
      windows(
          x[2] + attr.pad_left + attr.pad_right, attr.dilation_w * (w[1] - 1) + 1, attr.stride_w),
      w[3]};
  if (kind == Kind::conv) {
    return {{kind, attr, {}, {type, y}}, {{type, x}, {type, w}}};
  }
  return kind == Kind::conv_weight_grad
             ? FarRecord{{kind, attr, {}, {type, w}}, {{type, x}, {type, y}}}
             : FarRecord{{kind, attr, {}, {type, x}}, {{type, y}, {type, w}}};
}

inline FarRecord FarRecords::pool(Kind kind) {
  const bool average = kind == Kind::average_pool || kind == Kind::average_pool_grad;
  const bool grad = kind == Kind::max_pool_grad || kind == Kind::average_pool_grad;
  const DType type = average ? DType::f32 : ordered();
  PoolAttr attr;
  const int window = static_cast<int>(random_.in(0, kind == Kind::max_pool_grad ? 3 : 6));
  attr.window_h = dim(window), attr.window_w = dim(window);
  attr.stride_h = dim(random_.chance(3) ? 9 : 2), attr.stride_w = dim(random_.chance(3) ? 9 : 2);
  attr.pad_top = random_.in(0, attr.window_h - 1), attr.pad_left = random_.in(0, attr.window_w - 1);
  attr.pad_bottom = random_.in(0, attr.window_h - 1);
  attr.pad_right = random_.in(0, attr.window_w - 1);
  const int side = static_cast<int>(random_.in(0, 12));
  const Dims x{dim(random_.chance(3) ? 14 : 1),
               dim(side),
               dim(side),
               random_.chance(3) ? random_.in(1, 70) : dim(static_cast<int>(random_.in(0, 11)))};
  const Dims y{x[0],
               windows(x[1] + attr.pad_top + attr.pad_bottom, attr.window_h, attr.stride_h),
               windows(x[2] + attr.pad_left + attr.pad_right, attr.window_w, attr.stride_w),
               x[3]};
  const Attributes attributes =
      average ? Attributes(AveragePoolAttr{attr, random_.chance(2)}) : Attributes(attr);
  FarRecord made{{kind, attributes, {}, {type, grad ? x : y}}, {}};
  if (kind != Kind::average_pool_grad) {
    made.in.push_back({type, x});
  }
  if (grad) {
    made.in.push_back({type, y});
  }
  return made;
}

inline FarRecord FarRecords::gather() {
  const Shape data{any_type(), dims(random_.in(1, 3), 34)};
  const Shape index{index_type(), dims(random_.in(0, 2), 16)};
  Dims out = index.dims;
  out.insert(out.end(), data.dims.begin() + 1, data.dims.end());
  return {{Kind::gather, GatherAttr{}, {}, {data.type, out}}, {data, index}};
}

inline FarRecord FarRecords::gather_elements() {
  const Shape data{any_type(), dims(random_.in(1, 5), 34)};
  const auto axis = random_.below(data.dims.size());
  Shape index{index_type(), data.dims};
  for (size_t i = 0; i < data.dims.size(); ++i) {
    index.dims[i] = i == axis ? dim(6) : std::min(index.dims[i], dim(20));
  }
  return {{Kind::gather_elements,
           GatherElementsAttr{static_cast<uint8_t>(axis)},
           {},
           {data.type, index.dims}},
          {data, index}};
}

inline FarRecord FarRecords::scatter(Kind kind) {
  const Shape base{kind == Kind::scatter_add ? numeric() : any_type(), dims(random_.in(1, 4), 30)};
  const Shape index{index_type(), dims(random_.in(0, 2), 16)};
  Shape updates{base.type, index.dims};
  updates.dims.insert(updates.dims.end(), base.dims.begin() + 1, base.dims.end());
  return {{kind, ScatterAttr{}, {}, base}, {base, index, updates}};
}

inline FarRecord FarRecords::rank() {
  const Shape in{ordered(), dims(random_.in(1, 4), 36)};
  return {{Kind::rank, RankAttr{random_.chance(2)}, {}, {DType::i64, in.dims}}, {in}};
}

inline FarRecord FarRecords::transpose() {
  const Shape in{any_type(), dims(random_.in(1, 8), 38)};
  TransposeAttr attr;
  for (size_t i = 0; i < in.dims.size(); ++i) {
    attr.order.insert(attr.order.begin() + random_.in(0, static_cast<int64_t>(i)),
                      static_cast<uint8_t>(i));
  }
  Dims out;
  for (const uint8_t axis : attr.order) {
    out.push_back(in.dims[axis]);
  }
  return {{Kind::transpose, attr, {}, {in.type, out}}, {in}};
}

inline FarRecord FarRecords::slice() {
  const Shape in{any_type(), dims(random_.in(1, 6), 38)};
  SliceAttr attr;
  Dims out;
  for (const int64_t size : in.dims) {
    attr.start.push_back(random_.in(0, std::min<int64_t>(size - 1, 9)));
    attr.step.push_back(dim(static_cast<int>(random_.in(0, 9))));
    out.push_back((size - attr.start.back() + attr.step.back() - 1) / attr.step.back());
  }
  return {{Kind::slice, attr, {}, {in.type, out}}, {in}};
}

inline FarRecord FarRecords::pad() {
  const Shape in{any_type(), dims(random_.in(1, 6), 30)};
  PadAttr attr;
  Dims out;
  for (const int64_t size : in.dims) {
    attr.low.push_back(random_.chance(3) ? dim(5) : random_.in(0, 3));
    attr.high.push_back(random_.in(0, 3));
    out.push_back(attr.low.back() + size + attr.high.back());
  }
  return {{Kind::pad, attr, {}, {in.type, out}}, {in}};
}

inline FarRecord FarRecords::concatenate() {
  const DType type = any_type();
  Dims own = dims(random_.in(1, 4), 30);
  const size_t axis = random_.below(own.size());
  FarRecord made{{Kind::concatenate, ConcatenateAttr{static_cast<uint8_t>(axis)}, {}, {}}, {}};
  int64_t sum = 0;
  const int64_t parts = random_.in(1, 64);
  for (int64_t i = 0; i < parts; ++i) {
    own[axis] = random_.in(0, random_.chance(3) ? 200 : 2);
    sum += own[axis];
    made.in.push_back({type, own});
  }
  own[axis] = sum;
  made.record.out = {type, own};
  return made;
}

inline FarRecord FarRecords::broadcast() {
  const Dims out = dims(random_.in(1, 6), 38);
  Dims own = out;
  for (int64_t& size : own) {
    size = random_.chance(3) ? 1 : size;
  }
  const DType type = any_type();
  return {{Kind::broadcast, BroadcastAttr{}, {}, {type, out}}, {{type, own}}};
}

inline FarRecord FarRecords::random_numbers() {
  const auto mode = static_cast<RandomMode>(random_.below(4));
  const DType type = mode == RandomMode::bits   ? DType::u32
                     : mode == RandomMode::keep ? DType::boolean
                                                : DType::f32;
  const Shape one{DType::u64, {}};
  return {{Kind::random, RandomAttr{mode, 7, 0}, {}, {type, dims(random_.in(0, 4), 36)}},
          {one, one}};
}

inline FarRecord FarRecords::scan() {
  const Shape in{ordered(), dims(random_.in(1, 4), 36)};
  const auto op = static_cast<ReduceOp>(random_.below(4));
  FarRecord made{{Kind::scan, ScanAttr{op, random_.chance(2)}, {}, in}, {in}};
  if (in.dims.back() > limits::scan_block) {
    Dims carry = in.dims;
    carry.back() = (carry.back() + limits::scan_block - 1) / limits::scan_block;
    made.in.push_back({in.type, carry});
  }
  return made;
}

inline FarRecord FarRecords::draw(Kind kind) {
  switch (kind) {
    case Kind::map:
      return map();
    case Kind::contract:
      return contract();
    case Kind::reduce:
      return reduce();
    case Kind::conv:
    case Kind::conv_weight_grad:
    case Kind::conv_input_grad:
      return conv(kind);
    case Kind::max_pool:
    case Kind::max_pool_grad:
    case Kind::average_pool:
    case Kind::average_pool_grad:
      return pool(kind);
    case Kind::gather:
      return gather();
    case Kind::gather_elements:
      return gather_elements();
    case Kind::scatter_add:
    case Kind::scatter_set:
      return scatter(kind);
    case Kind::rank:
      return rank();
    case Kind::transpose:
      return transpose();
    case Kind::slice:
      return slice();
    case Kind::pad:
      return pad();
    case Kind::concatenate:
      return concatenate();
    case Kind::broadcast:
      return broadcast();
    case Kind::random:
      return random_numbers();
    case Kind::scan:
      return scan();
  }
  return {};
}

}  // namespace lockstep::law::test
