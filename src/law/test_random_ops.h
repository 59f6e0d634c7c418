// For tests only: random valid records of every kind, with inputs, from any source of choices. The
// inputs hold what tells wrong from right: forty binades, subnormals, both zeros, infinities, NaN,
// ties, and indices that are at times outside.
#pragma once

#include <algorithm>

#include "law/golden_inputs.h"
#include "law/test_random_maps.h"

namespace lockstep::law::test {

inline constexpr Kind last_kind = Kind::scan;
/// Any of all the kinds.
inline Kind any_kind(Choices& choices) {
  return static_cast<Kind>(1 + choices.below(static_cast<uint64_t>(last_kind)));
}

/// A record and its inputs. Source i of the record is state leaf i.
struct RandomOp {
  Record record;
  std::vector<Tensor> in;
  /// Borrows.
  [[nodiscard]] Op op() const {
    Op op{&record, {}};
    for (const Tensor& tensor : in) {
      op.in.push_back(tensor.shape);
    }
    return op;
  }
  /// Borrows.
  [[nodiscard]] std::vector<ByteView> views() const {
    std::vector<ByteView> views;
    for (const Tensor& tensor : in) {
      views.emplace_back(tensor.data);
    }
    return views;
  }
};

/// Elements of a random tensor. Small ones are open to a fuzzer element by element.
inline Tensor random_tensor(Choices& choices, const Shape& shape, Fill fill, int64_t rows = 0) {
  Tensor tensor{shape, Bytes(static_cast<size_t>(shape.bytes()))};
  Generator generator(choices.below(uint64_t{1} << 16));
  const Input input{shape, fill, rows};
  for (int64_t i = 0; i < shape.count(); ++i) {
    store_bits(shape.type, tensor.data, i, golden_bits(generator, input));
  }
  const uint64_t own = shape.count() == 0 ? 0 : choices.below(4);
  for (uint64_t i = 0; i < own; ++i) {
    const auto at = static_cast<int64_t>(choices.below(static_cast<uint64_t>(shape.count())));
    store_bits(shape.type, tensor.data, at, any_bits(choices, shape.type));
  }
  return tensor;
}
inline Tensor random_tensor(Choices& choices, const Shape& shape) {
  const Fill fill = choices.of({Fill::heavy, Fill::poisoned, Fill::heavy, Fill::edges, Fill::tied});
  return random_tensor(choices, shape, fill);
}

/// Makes one record. `budget` is about how many elements a tensor, and how many terms all folds
/// together, may have.
class RandomOps {
 public:
  RandomOps(Choices& choices, int64_t budget) : choices_(choices), budget_(budget) {}

  RandomOp make(Kind kind) {
    made_.record.kind = kind;
    attributes(kind);
    for (uint32_t i = 0; i < made_.in.size(); ++i) {
      made_.record.inputs.push_back({From::state, i, made_.in[i].shape.dims});
    }
    return std::move(made_);
  }

 private:
  void attributes(Kind kind) {
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
      case Kind::scatter_add:
      case Kind::scatter_set:
        return by_rows(kind);
      case Kind::gather_elements:
        return gather_elements();
      case Kind::rank:
        return rank();
      case Kind::random:
        return random();
      case Kind::scan:
        return scan();
      case Kind::concatenate:
        return concatenate();
      default:
        return view(kind);
    }
  }

  // --- sizes ---------------------------------------------------------------------------------
  /// A size of an axis in [0, most]: small, one beside a power of two, or any.
  int64_t size(int64_t most) {
    if (most <= 0 || choices_.chance(24)) {
      return 0;
    }
    switch (choices_.below(8)) {
      case 0:
        return 1;
      case 1:
      case 2:
        return choices_.in(1, most);
      case 3: {
        const int64_t edge = choices_.of<int64_t>({16, 64, 128, 256, 512, 1024, 4096});
        return std::min(most, edge + choices_.in(-1, 1));
      }
      default:
        return choices_.in(1, std::min<int64_t>(most, 9));
    }
  }
  int64_t least_one(int64_t most) { return std::max<int64_t>(1, size(most)); }
  Dims dims(size_t rank, int64_t most) {
    Dims dims;
    for (size_t i = 0; i < rank; ++i) {
      dims.push_back(size(most));
      most /= std::max<int64_t>(1, dims.back());
    }
    return dims;
  }
  Dims dims(int64_t rank_low, int64_t rank_high, int64_t most) {
    return dims(static_cast<size_t>(choices_.in(rank_low, rank_high)), most);
  }
  void input(DType type, Dims dims) {
    made_.in.push_back(random_tensor(choices_, {type, std::move(dims)}));
  }
  void index(Dims dims, int64_t rows) {
    const DType type = choices_.of({DType::i64, DType::i32});
    made_.in.push_back(random_tensor(choices_, {type, std::move(dims)}, Fill::index, rows));
  }
  void out(Attributes attributes, DType type, Dims dims) {
    made_.record.attributes = std::move(attributes);
    made_.record.out = {type, std::move(dims)};
  }

  // --- kinds ---------------------------------------------------------------------------------
  void map() {
    const Dims whole = dims(0, 4, budget_);
    const uint64_t most = choices_.chance(8) ? 10 : 3;
    const uint64_t count = 1 + choices_.below(most);
    const uint64_t full = choices_.below(count);  // this one has the output's dims
    std::vector<DType> types;
    for (uint64_t i = 0; i < count; ++i) {
      types.push_back(any_type(choices_));
      input(types.back(), i == full ? whole : narrowed(whole));
    }
    RandomMap expression(choices_, std::move(types));
    MapAttr attr = expression.write();
    out(std::move(attr), expression.type(), whole);
  }
  /// Dims that broadcast to `whole`.
  Dims narrowed(Dims whole) {
    const uint64_t how = choices_.below(4);
    if (how > 1 && !whole.empty()) {
      whole.erase(whole.begin(),
                  whole.begin() + static_cast<ptrdiff_t>(choices_.below(whole.size() + 1)));
    }
    for (int64_t& dim : whole) {
      dim = how % 2 == 1 && choices_.chance(2) ? 1 : dim;
    }
    return whole;
  }

  void contract() {
    const DType type = any_computing(choices_, true);
    const int64_t k = size(std::min<int64_t>(budget_, 1100));
    const int64_t outputs = budget_ / std::max<int64_t>(1, k);
    const Dims sides = dims(3, std::max<int64_t>(1, outputs));
    const ContractAttr attr{choices_.chance(3), choices_.chance(3)};
    const int64_t b = sides[0], m = sides[1], n = sides[2];
    input(type, attr.a_transposed ? Dims{b, k, m} : Dims{b, m, k});
    input(type, attr.b_transposed ? Dims{b, n, k} : Dims{b, k, n});
    out(attr, type, {b, m, n});
  }

  void reduce() {
    ReduceAttr attr{static_cast<ReduceOp>(choices_.below(4)), {}};
    const DType type = any_computing(choices_, attr.op <= ReduceOp::product);
    const Dims in = dims(0, 4, budget_);
    Dims kept;
    int64_t n = 1;
    for (size_t axis = 0; axis < in.size(); ++axis) {
      if (choices_.chance(2)) {
        attr.axes.push_back(static_cast<uint8_t>(axis));
        n *= in[axis];
      } else {
        kept.push_back(in[axis]);
      }
    }
    kept.push_back(std::max<int64_t>(1, (n + limits::reduce_terms - 1) / limits::reduce_terms));
    input(type, in);
    out(std::move(attr), type, std::move(kept));
  }

  /// One axis of an image under a window: `places` windows fit.
  struct Axis {
    int64_t window = 1, stride = 1, low = 0, high = 0, dilation = 1, image = 1, places = 1;
  };
  Axis axis(int64_t side, bool is_conv) {
    Axis axis;
    axis.window = choices_.in(1, choices_.chance(4) ? 6 : 3);
    axis.stride = choices_.in(1, choices_.chance(4) ? 7 : 3);
    axis.dilation = is_conv ? choices_.in(1, 3) : 1;
    // A pool's window never lies wholly in the padding.
    const int64_t pad = is_conv ? 4 : axis.window - 1;
    axis.low = choices_.in(0, pad);
    axis.high = choices_.in(0, pad);
    const int64_t reach = axis.dilation * (axis.window - 1) + 1;
    const int64_t least = std::max<int64_t>(is_conv ? 0 : 1, reach - axis.low - axis.high);
    axis.image = least + choices_.in(0, side);
    axis.places = (axis.low + axis.image + axis.high - reach) / axis.stride + 1;
    return axis;
  }

  void conv(Kind kind) {
    const DType type = any_computing(choices_, true);
    const int64_t side = budget_ < 2000 ? 3 : 7;
    const Axis h = axis(side, true);
    const Axis w = axis(side, true);
    const int64_t groups = choices_.in(1, choices_.chance(2) ? 3 : 1);
    const int64_t images = choices_.chance(12) ? 0 : choices_.in(1, 2);
    const int64_t most = std::clamp<int64_t>(
        budget_ / (1 + images * h.places * w.places * h.window * w.window * groups), 1, 64);
    const int64_t from = least_one(most);
    const int64_t to = least_one(most / from);
    const ConvAttr attr{
        h.stride, w.stride, h.low, h.high, w.low, w.high, h.dilation, w.dilation, groups};
    const Dims x{images, h.image, w.image, from * groups};
    const Dims weights{h.window, w.window, from, to * groups};
    const Dims y{images, h.places, w.places, to * groups};
    input(type, kind == Kind::conv_input_grad ? y : x);
    input(type, kind == Kind::conv_weight_grad ? y : weights);
    out(attr, type, kind == Kind::conv ? y : kind == Kind::conv_weight_grad ? weights : x);
  }

  void pool(Kind kind) {
    const bool average = kind == Kind::average_pool || kind == Kind::average_pool_grad;
    const DType type = average ? choices_.of({DType::f32, DType::f32, DType::f64})
                               : any_computing(choices_, false);
    const int64_t side = budget_ < 2000 ? 4 : 9;
    const Axis h = axis(side, false);
    const Axis w = axis(side, false);
    const int64_t images = choices_.chance(12) ? 0 : choices_.in(1, 2);
    const int64_t channels = size(std::clamp<int64_t>(
        budget_ / (1 + images * h.image * w.image + h.places * w.places), 1, 70));
    const PoolAttr attr{h.window, w.window, h.stride, w.stride, h.low, h.high, w.low, w.high};
    const Dims x{images, h.image, w.image, channels};
    const Dims y{images, h.places, w.places, channels};
    const bool forward = kind == Kind::max_pool || kind == Kind::average_pool;
    if (kind != Kind::average_pool_grad) {
      input(type, x);
    }
    if (!forward) {
      input(type, y);
    }
    const Dims& result = forward ? y : x;
    if (average) {
      out(AveragePoolAttr{attr, choices_.chance(2)}, type, result);
    } else {
      out(attr, type, result);
    }
  }

  /// gather and the scatters: an index into the rows of the first input.
  void by_rows(Kind kind) {
    const DType type =
        kind == Kind::scatter_add ? any_computing(choices_, true) : any_type(choices_);
    const Dims places = dims(0, 2, std::min<int64_t>(budget_, 200));
    const int64_t most = std::max<int64_t>(1, budget_ / std::max<int64_t>(1, count_of(places)));
    const Dims data = dims(1, 3, most);
    Dims moved = places;
    moved.insert(moved.end(), data.begin() + 1, data.end());
    input(type, data);
    index(places, data[0]);
    if (kind == Kind::gather) {
      return out(GatherAttr{}, type, std::move(moved));
    }
    input(type, std::move(moved));
    out(ScatterAttr{}, type, data);
  }

  void gather_elements() {
    const DType type = any_type(choices_);
    const Dims data = dims(1, 4, budget_);
    const auto along = static_cast<uint8_t>(choices_.below(data.size()));
    Dims places = data;
    int64_t most = budget_;
    for (size_t i = 0; i < places.size(); ++i) {
      places[i] = i == along ? size(std::min<int64_t>(most, 40)) : choices_.in(0, data[i]);
      most /= std::max<int64_t>(1, places[i]);
    }
    input(type, data);
    index(places, data[along]);
    out(GatherElementsAttr{along}, type, std::move(places));
  }

  void rank() {
    const DType type = any_computing(choices_, false);
    const int64_t n = size(std::min<int64_t>(budget_, 200));
    Dims in = dims(0, 2, std::max<int64_t>(1, budget_ / (1 + n * n)));
    in.push_back(n);
    input(type, in);
    out(RankAttr{choices_.chance(2)}, DType::i64, std::move(in));
  }

  void random() {
    RandomAttr attr{
        static_cast<RandomMode>(choices_.below(4)), static_cast<uint32_t>(choices_.bits()), 0};
    DType type = DType::f32;
    if (attr.mode == RandomMode::bits) {
      type = DType::u32;
    } else if (attr.mode == RandomMode::keep) {
      type = DType::boolean;
      attr.threshold = static_cast<uint32_t>(choices_.bits());
    }
    const Dims ones(choices_.below(3), 1);
    made_.in.push_back(random_tensor(choices_, {DType::u64, ones}, Fill::heavy));
    made_.in.push_back(random_tensor(choices_, {DType::u64, {}}, Fill::edges));
    out(attr, type, dims(0, 3, budget_));
  }

  void scan() {
    const ScanAttr attr{static_cast<ReduceOp>(choices_.below(4)), choices_.chance(2)};
    const DType type = any_computing(choices_, attr.op <= ReduceOp::product);
    Dims in = dims(0, 2, std::max<int64_t>(1, budget_ / 64));
    const int64_t rows = std::max<int64_t>(1, count_of(in));
    in.push_back(size(std::min<int64_t>(std::max<int64_t>(1, budget_ / rows), 300)));
    const int64_t blocks = (in.back() + limits::scan_block - 1) / limits::scan_block;
    input(type, in);
    if (blocks > 1 || choices_.chance(3)) {
      Dims carry = in;
      carry.back() = blocks;
      input(type, std::move(carry));
    }
    out(attr, type, std::move(in));
  }

  void concatenate() {
    const DType type = any_type(choices_);
    const Dims first = dims(1, 4, std::max<int64_t>(1, budget_ / 4));
    const auto along = static_cast<uint8_t>(choices_.below(first.size()));
    Dims whole = first;
    whole[along] = 0;
    const uint64_t parts = 1 + choices_.below(choices_.chance(8) ? 12 : 3);
    for (uint64_t i = 0; i < parts; ++i) {
      Dims part = first;
      part[along] = i == 0 ? first[along] : size(std::max<int64_t>(1, first[along]));
      whole[along] += part[along];
      input(type, std::move(part));
    }
    out(ConcatenateAttr{along}, type, std::move(whole));
  }

  void view(Kind kind) {
    const DType type = any_type(choices_);
    const Dims in = dims(0, kind == Kind::transpose ? 6 : 4, budget_);
    input(type, in);
    if (kind == Kind::transpose) {
      return transpose(type, in);
    }
    if (kind == Kind::slice) {
      return slice(type, in);
    }
    return kind == Kind::pad ? pad(type, in) : broadcast(type, in);
  }
  void transpose(DType type, const Dims& in) {
    TransposeAttr attr;
    Dims moved;
    for (size_t i = 0; i < in.size(); ++i) {
      const auto at = static_cast<ptrdiff_t>(choices_.below(i + 1));
      attr.order.insert(attr.order.begin() + at, static_cast<uint8_t>(i));
    }
    for (const uint8_t axis : attr.order) {
      moved.push_back(in[axis]);
    }
    out(std::move(attr), type, std::move(moved));
  }
  void slice(DType type, const Dims& in) {
    SliceAttr attr;
    Dims taken;
    for (const int64_t dim : in) {
      attr.start.push_back(choices_.in(0, choices_.chance(2) ? dim : dim / 2));
      attr.step.push_back(choices_.chance(16) ? limits::elements_max : choices_.in(1, 3));
      const int64_t left = dim - attr.start.back();
      const int64_t most = (left + attr.step.back() - 1) / attr.step.back();
      taken.push_back(choices_.chance(3) ? choices_.in(0, most) : most);
    }
    out(std::move(attr), type, std::move(taken));
  }
  void pad(DType type, const Dims& in) {
    PadAttr attr;
    attr.bits = any_bits(choices_, type);
    Dims padded;
    int64_t most = budget_ * 2;
    for (const int64_t dim : in) {
      const int64_t room = std::clamp<int64_t>((most - dim) / 2, 0, 3);
      attr.low.push_back(choices_.in(0, room));
      attr.high.push_back(choices_.in(0, room));
      padded.push_back(attr.low.back() + dim + attr.high.back());
      most /= std::max<int64_t>(1, padded.back());
    }
    out(std::move(attr), type, std::move(padded));
  }
  /// Wider than its input, which is already made: the input's axes of 1 grow, others come before.
  void broadcast(DType type, const Dims& in) {
    int64_t most = budget_ / std::max<int64_t>(1, count_of(in));
    Dims whole = dims(0, 2, most);
    most /= std::max<int64_t>(1, count_of(whole));
    for (const int64_t dim : in) {
      whole.push_back(dim == 1 ? size(std::max<int64_t>(1, most)) : dim);
      most /= dim == 1 ? std::max<int64_t>(1, whole.back()) : 1;
    }
    out(BroadcastAttr{}, type, std::move(whole));
  }

  Choices& choices_;
  int64_t budget_;
  RandomOp made_;
};

inline RandomOp random_op(Choices& choices, Kind kind, int64_t budget = 2000) {
  return RandomOps(choices, budget).make(kind);
}
inline RandomOp random_op(Choices& choices, int64_t budget = 2000) {
  return random_op(choices, any_kind(choices), budget);
}

/// A program of this one record: its inputs are the leaves x00, x01, …, and it writes the leaf y.
inline Program program_of(const RandomOp& random) {
  Program program;
  for (size_t i = 0; i < random.in.size(); ++i) {
    const std::string number = std::to_string(i);
    program.leaves.push_back({(i < 10 ? "x0" : "x") + number, random.in[i].shape, std::nullopt});
  }
  program.leaves.push_back({"y", random.record.out, 0});
  program.records.push_back(random.record);
  return program;
}

}  // namespace lockstep::law::test
