// For tests only: small random programs over every kind of operator that the law's check accepts,
// with their data. What a kind needs is found by trying: check() has the last word.
#pragma once

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/test_random.h"
#include "law/program.h"
#include "law/roots.h"
#include "law/test_random_ops.h"

namespace lockstep::judge::test {

/// A program with the tensors that it starts from.
struct RandomProgram {
  law::Program program;
  std::vector<law::Tensor> leaves, constants;
  std::vector<uint32_t> large;  // the wide and the deep record
};

/// A record without sources, the shapes that it reads and, where given, what to read there.
struct RandomOp {
  law::Record record;
  std::vector<law::Shape> in{};
  std::vector<law::Tensor> data{};
};

/// What a program may grow to.
struct RandomSize {
  uint64_t records_min = 3, records_max = 15;
  uint64_t cost_max = 400'000;  // of a step
  bool is_wide = false;         // has a tensor of more than 256 chunks
  bool is_deep = false;         // has a fold list of more than 256 entries
  bool is_long = false;         // has more than 256 records and as many leaves
};

class RandomProgramMaker {
 public:
  RandomProgramMaker(uint64_t seed, const RandomSize& size) : random_(seed), size_(size) {}

  RandomProgram make() {
    if (size_.is_long) {
      add_chain(270);
    }
    if (size_.is_wide) {
      add_large(wide_op());
    }
    if (size_.is_deep) {
      add_large(deep_op());
    }
    const uint64_t wanted = made_.program.records.size() + size_.records_min +
                            random_.below(size_.records_max - size_.records_min + 1);
    for (int tries = 0; tries < 4000 && made_.program.records.size() < wanted; ++tries) {
      (void)add(op_of_kind(any_kind()));
    }
    write_leaves();
    const auto checked = law::check(made_.program);
    CHECK(checked.ok());
    return std::move(made_);
  }

  /// One attempt at an operator of this kind; it may break the kind's rule.
  RandomOp op_of_kind(law::Kind kind);

  /// Any bits of the type: a few in three tensors also zeros, infinities, NaN, subnormals.
  law::Tensor tensor_of(const law::Shape& shape) {
    law::Tensor tensor{shape, Bytes(static_cast<size_t>(shape.bytes()))};
    const bool is_wild = random_.chance(4);
    for (int64_t i = 0; i < shape.count(); ++i) {
      law::store_bits(shape.type, tensor.data, i, bits_of(shape.type, is_wild));
    }
    law::canonicalise(tensor);
    return tensor;
  }

 private:
  using Attributes = law::Attributes;
  using Dims = law::Dims;
  using DType = law::DType;
  using Shape = law::Shape;

  uint64_t bits_of(DType type, bool is_wild) {
    const uint64_t word = random_.next();
    if (is_wild && random_.chance(5)) {
      return type == DType::boolean ? word & 1 : wild_bits(type, word);
    }
    switch (type) {
      case DType::f32:
        return (word & 0x807fffff) | (122 + word % 7) << 23;
      case DType::f64:
        return (word & 0x800fffffffffffff) | (1019 + word % 8) << 52;
      case DType::bf16:
        return (word & 0x807f) | (122 + word % 7) << 7;
      case DType::f16:
        return (word & 0x83ff) | (12 + word % 6) << 10;
      case DType::boolean:
        return word & 1;
      default:
        return small_integer(type, word);
    }
  }
  /// Mostly small, so that it is an index as well.
  static uint64_t small_integer(DType type, uint64_t word) {
    const int64_t value = static_cast<int64_t>(word % 23) - 4;
    return static_cast<uint64_t>(value) & mask_of(type);
  }
  static uint64_t mask_of(DType type) {
    const int64_t width = law::size_of(type) * 8;
    return width == 64 ? UINT64_MAX : (uint64_t{1} << width) - 1;
  }
  uint64_t wild_bits(DType type, uint64_t word) {
    const uint64_t top = uint64_t{1} << (law::size_of(type) * 8 - 1);
    switch (random_.below(5)) {
      case 0:
        return 0;
      case 1:
        return top;  // −0
      case 2:
        return word & 0xff;  // subnormal
      case 3:
        return (word | top >> 1 | top >> 2 | top >> 3) & mask_of(type);
      default:
        return word & mask_of(type);
    }
  }

  law::Kind any_kind() {
    return static_cast<law::Kind>(1 + random_.below(static_cast<uint64_t>(law::test::last_kind)));
  }
  DType any_type() {
    return random_.chance(2) ? DType::f32 : static_cast<DType>(random_.below(law::dtype_count));
  }
  DType computing_type() {
    return random_.chance(2)
               ? DType::f32
               : random_.of({DType::f64, DType::i8, DType::i32, DType::i64, DType::u8, DType::u32});
  }

  /// `count` cut into `rank` factors.
  Dims factored(int64_t count, size_t rank) {
    Dims dims(rank, 1);
    for (int64_t divisor = 2; count > 1 && divisor < 50;) {
      if (count % divisor == 0) {
        dims[random_.below(rank)] *= divisor;
        count /= divisor;
      } else {
        ++divisor;
      }
    }
    dims[random_.below(rank)] *= count;
    return dims;
  }
  Dims small_dims(size_t rank, int64_t side) {
    Dims dims;
    for (size_t i = 0; i < rank; ++i) {
      dims.push_back(random_.chance(40) ? 0 : random_.in(1, side));
    }
    return dims;
  }
  /// Where something of the type is there already, often its elements in other dims.
  Dims dims_of(DType type, size_t rank, int64_t side) {
    std::vector<int64_t> counts;
    for (const law::Leaf& leaf : made_.program.leaves) {
      add_count(counts, leaf.shape, type);
    }
    for (const law::Record& record : made_.program.records) {
      add_count(counts, record.out, type);
      add_count(counts, record.out, type);
    }
    const bool reuses = rank > 0 && !counts.empty() && !random_.chance(3);
    return reuses ? factored(counts[random_.below(counts.size())], rank) : small_dims(rank, side);
  }
  static void add_count(std::vector<int64_t>& counts, const Shape& shape, DType type) {
    if (shape.type == type && shape.count() > 0 && shape.count() <= 6000) {
      counts.push_back(shape.count());
    }
  }

  RandomOp any_op(law::Kind kind);
  RandomOp map_op();
  RandomOp contract_op();
  RandomOp reduce_op();
  RandomOp view_op(law::Kind kind);
  RandomOp concatenate_op();
  RandomOp wide_op();
  RandomOp deep_op();
  law::MapAttr expression(const std::vector<Shape>& in, DType& out);
  void combine(std::vector<law::MapNode>& nodes, std::vector<DType>& stack);

  static law::MapNode node(law::MapOp op) { return {op, 0, DType::f32, 0}; }
  static law::MapNode cast(DType type) { return {law::MapOp::cast, 0, type, 0}; }

  void add_large(RandomOp made) {
    CHECK(add(std::move(made), 3'000'000));
    made_.large.push_back(static_cast<uint32_t>(made_.program.records.size() - 1));
  }
  /// Whether the record was good, and now stands in the program.
  bool add(RandomOp made, uint64_t more = 0) {
    law::Record& record = made.record;
    if (!law::check(law::Op{&record, made.in}).ok()) {
      return false;
    }
    const law::Op op{&record, made.in};
    const uint64_t cost = law::cost(op);
    if (cost_ + cost > size_.cost_max + more) {
      return false;
    }
    for (const Shape& shape : made.in) {
      if (shape.bytes() > 400'000) {
        return false;
      }
    }
    if (record.out.bytes() > 400'000) {
      return false;
    }
    cost_ += more == 0 ? cost : 0;
    for (size_t i = 0; i < made.in.size(); ++i) {
      record.inputs.push_back(
          source_of(made.in[i], i < made.data.size() ? &made.data[i] : nullptr));
    }
    made_.program.records.push_back(std::move(record));
    return true;
  }
  /// `data` null: any.
  law::Source source_of(const Shape& shape, const law::Tensor* data) {
    std::vector<law::Source> found;
    const auto fits = [&](const Shape& other) {
      return other.type == shape.type && other.count() == shape.count();
    };
    for (uint32_t i = 0; i < made_.program.leaves.size(); ++i) {
      if (fits(made_.program.leaves[i].shape)) {
        found.push_back({law::From::state, i, shape.dims});
      }
    }
    for (uint32_t i = 0; i < made_.program.constants.size(); ++i) {
      if (fits(made_.program.constants[i].shape)) {
        found.push_back({law::From::constant, i, shape.dims});
      }
    }
    for (uint32_t i = 0; i < made_.program.records.size(); ++i) {
      if (fits(made_.program.records[i].out)) {
        found.insert(found.end(), 2, {law::From::value, i, shape.dims});
      }
    }
    const bool is_index = shape.type == DType::i32 || shape.type == DType::i64;
    if (!found.empty() && !random_.chance(data == nullptr ? 6 : 3)) {
      return found[random_.below(found.size())];
    }
    if (!made_.program.records.empty() && random_.chance(is_index ? 6 : 3)) {
      if (const auto fitted = fitted_value(shape)) {
        return *fitted;
      }
    }
    return created(data == nullptr ? tensor_of(shape) : *data);
  }
  /// An earlier output, cast and cut or padded to this shape by records of their own.
  std::optional<law::Source> fitted_value(const Shape& shape) {
    const auto& records = made_.program.records;
    auto from = static_cast<uint32_t>(random_.below(records.size()));
    for (int tries = 0; tries < 4 && records[from].out.type != shape.type; ++tries) {
      from = static_cast<uint32_t>(random_.below(records.size()));
    }
    const int64_t count = records[from].out.count();
    const int64_t wanted = shape.count();
    if (count == 0 || count > 6000 || wanted == 0 || wanted > 6000) {
      return std::nullopt;
    }
    if (records[from].out.type != shape.type) {
      from = append({law::Kind::map,
                     law::MapAttr{{{law::MapOp::input, 0, DType::f32, 0}, cast(shape.type)}},
                     {{law::From::value, from, {count}}},
                     {shape.type, {count}}});
    }
    if (count > wanted) {
      const int64_t start = random_.in(0, count - wanted);
      from = append({law::Kind::slice,
                     law::SliceAttr{{start}, {1}},
                     {{law::From::value, from, {count}}},
                     {shape.type, {wanted}}});
    } else if (count < wanted) {
      const int64_t low = random_.in(0, wanted - count);
      from = append({law::Kind::pad,
                     law::PadAttr{{low}, {wanted - count - low}, bits_of(shape.type, false)},
                     {{law::From::value, from, {count}}},
                     {shape.type, {wanted}}});
    }
    return law::Source{law::From::value, from, shape.dims};
  }
  /// Records one after the other over three numbers, each with a leaf.
  void add_chain(uint32_t records) {
    const Shape shape{DType::f32, {3}};
    const law::MapAttr difference{
        {{law::MapOp::input, 0}, {law::MapOp::input, 1}, node(law::MapOp::subtract)}};
    law::Source before = created(tensor_of(shape));
    for (uint32_t i = 0; i < records; ++i) {
      const uint32_t leaf = add_leaf(tensor_of(shape), std::nullopt);
      const uint32_t made =
          append({law::Kind::map, difference, {{law::From::state, leaf, {3}}, before}, shape});
      before = {law::From::value, random_.chance(4) ? made / 2 : made, {3}};
      if (made_.program.records[before.index].out != shape) {
        before.index = made;
      }
    }
  }
  uint32_t append(law::Record record) {
    made_.program.records.push_back(std::move(record));
    return static_cast<uint32_t>(made_.program.records.size() - 1);
  }
  law::Source created(law::Tensor tensor) {
    const Shape shape = tensor.shape;
    if (random_.chance(4)) {
      const auto index = static_cast<uint32_t>(made_.constants.size());
      made_.program.constants.push_back({shape, law::tensor_root(tensor)});
      made_.constants.push_back(std::move(tensor));
      return {law::From::constant, index, shape.dims};
    }
    return {law::From::state, add_leaf(std::move(tensor), std::nullopt), shape.dims};
  }
  uint32_t add_leaf(law::Tensor tensor, std::optional<uint32_t> writer) {
    const auto index = static_cast<uint32_t>(made_.leaves.size());
    made_.program.leaves.push_back({"leaf" + std::to_string(1000 + index), tensor.shape, writer});
    made_.leaves.push_back(std::move(tensor));
    return index;
  }
  /// Leaves become what a record of their shape makes; some records get leaves of their own.
  void write_leaves() {
    const auto& records = made_.program.records;
    for (law::Leaf& leaf : made_.program.leaves) {
      std::vector<uint32_t> writers;
      for (uint32_t i = 0; i < records.size(); ++i) {
        if (records[i].out == leaf.shape) {
          writers.push_back(i);
        }
      }
      if (!writers.empty() && !random_.chance(4)) {
        leaf.writer = writers[random_.below(writers.size())];
      }
    }
    for (uint32_t i = 0; i < records.size(); ++i) {
      if (random_.chance(3) || i + 1 == records.size()) {
        (void)add_leaf(tensor_of(records[i].out), i);
      }
    }
  }

  TestRandom random_;
  RandomSize size_;
  RandomProgram made_;
  uint64_t cost_ = 0;
};

inline RandomOp RandomProgramMaker::op_of_kind(law::Kind kind) {
  const bool reuses = random_.chance(2);
  switch (kind) {
    case law::Kind::map:
      return reuses ? map_op() : any_op(kind);
    case law::Kind::contract:
      return reuses ? contract_op() : any_op(kind);
    case law::Kind::reduce:
      return reuses ? reduce_op() : any_op(kind);
    case law::Kind::concatenate:
      return reuses ? concatenate_op() : any_op(kind);
    case law::Kind::rank:
    case law::Kind::transpose:
    case law::Kind::slice:
    case law::Kind::pad:
    case law::Kind::broadcast:
      return reuses ? view_op(kind) : any_op(kind);
    default:
      return any_op(kind);
  }
}

/// One that the law's own tests draw, with its data.
inline RandomOp RandomProgramMaker::any_op(law::Kind kind) {
  law::test::SeededChoices choices(random_.next());
  law::test::RandomOp drawn =
      law::test::random_op(choices, kind, random_.of<int64_t>({60, 700, 2500}));
  RandomOp made{std::move(drawn.record), {}, std::move(drawn.in)};
  made.record.inputs.clear();
  for (law::Tensor& tensor : made.data) {
    law::canonicalise(tensor);
    made.in.push_back(tensor.shape);
  }
  return made;
}

/// Takes the two values on top together, cast to one type where they differ.
inline void RandomProgramMaker::combine(std::vector<law::MapNode>& nodes,
                                        std::vector<DType>& stack) {
  using law::MapOp;
  const DType top = stack.back();
  stack.pop_back();
  DType& below = stack.back();
  if (top != below) {
    nodes.push_back(cast(below));
  }
  nodes.push_back(node(random_.of({MapOp::add,
                                   MapOp::subtract,
                                   MapOp::multiply,
                                   MapOp::divide,
                                   MapOp::maximum,
                                   MapOp::minimum,
                                   MapOp::remainder,
                                   MapOp::bit_xor,
                                   MapOp::bit_and,
                                   MapOp::shift_left,
                                   MapOp::less,
                                   MapOp::equal})));
  if (nodes.back().op >= MapOp::less) {
    below = DType::boolean;
  }
}

inline law::MapAttr RandomProgramMaker::expression(const std::vector<Shape>& in, DType& out) {
  using law::MapOp;
  std::vector<law::MapNode> nodes;
  std::vector<DType> stack;
  for (size_t i = 0; i < in.size(); ++i) {
    nodes.push_back({MapOp::input, static_cast<uint8_t>(i), DType::f32, 0});
    stack.push_back(in[i].type);
    if (random_.chance(3)) {
      stack.back() = any_type();
      nodes.push_back(cast(stack.back()));
    }
    if (random_.chance(3)) {
      nodes.push_back(node(random_.of({MapOp::negate,
                                       MapOp::absolute,
                                       MapOp::square_root,
                                       MapOp::exp,
                                       MapOp::log,
                                       MapOp::cos,
                                       MapOp::sin,
                                       MapOp::tanh,
                                       MapOp::erf,
                                       MapOp::sigmoid,
                                       MapOp::reciprocal_square_root,
                                       MapOp::logical_not})));
    }
    if (stack.size() == 2 && !(in.size() == 3 && i == 1)) {
      combine(nodes, stack);
    }
  }
  if (stack.size() == 3) {
    nodes.push_back(node(random_.of({MapOp::fma, MapOp::select})));
    stack.resize(1);
    stack[0] = in.back().type;
  } else if (stack.size() == 2) {
    combine(nodes, stack);
  }
  out = stack[0];
  return {nodes};
}

inline RandomOp RandomProgramMaker::map_op() {
  RandomOp made;
  const size_t inputs = 1 + random_.below(3);
  const DType type = any_type();
  const Dims dims = dims_of(type, 1 + random_.below(3), 14);
  for (size_t i = 0; i < inputs; ++i) {
    Dims own = dims;
    if (i > 0 && random_.chance(3)) {
      own[random_.below(own.size())] = 1;
    }
    if (i > 0 && random_.chance(6)) {
      own.erase(own.begin());
    }
    made.in.push_back({random_.chance(4) ? any_type() : type, own});
  }
  made.record.kind = law::Kind::map;
  made.record.attributes = expression(made.in, made.record.out.type);
  made.record.out.dims = dims;
  return made;
}

inline RandomOp RandomProgramMaker::contract_op() {
  const law::ContractAttr attr{random_.chance(2), random_.chance(2)};
  const DType type = computing_type();
  Dims a = dims_of(type, 3, 20);
  if (random_.chance(5)) {
    a = {1, random_.in(1, 3), random_.in(100, 1200)};
  }
  if (attr.a_transposed) {
    std::swap(a[1], a[2]);
  }
  const int64_t m = a[attr.a_transposed ? 2 : 1];
  const int64_t k = a[attr.a_transposed ? 1 : 2];
  const int64_t n = random_.in(1, 20);
  const Dims b = attr.b_transposed ? Dims{a[0], n, k} : Dims{a[0], k, n};
  return {{law::Kind::contract, attr, {}, {type, {a[0], m, n}}}, {{type, a}, {type, b}}, {}};
}

inline RandomOp RandomProgramMaker::reduce_op() {
  law::ReduceAttr attr{static_cast<law::ReduceOp>(random_.below(4)), {}};
  const DType type = computing_type();
  const Dims dims = random_.chance(6) ? Dims{random_.in(1, 3), random_.in(3000, 9000)}
                                      : dims_of(type, 1 + random_.below(3), 24);
  Dims out;
  int64_t terms = 1;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (random_.chance(2)) {
      attr.axes.push_back(static_cast<uint8_t>(axis));
      terms *= dims[axis];
    } else {
      out.push_back(dims[axis]);
    }
  }
  out.push_back(std::max<int64_t>(1, (terms + 4095) / 4096));
  return {{law::Kind::reduce, attr, {}, {type, out}}, {{type, dims}}};
}

inline RandomOp RandomProgramMaker::view_op(law::Kind kind) {
  const DType type = any_type();
  const Dims in = dims_of(type, 1 + random_.below(4), 9);
  RandomOp made{{kind, law::BroadcastAttr{}, {}, {type, in}}, {{type, in}}};
  Dims& out = made.record.out.dims;
  if (kind == law::Kind::rank) {
    made.record.attributes = law::RankAttr{random_.chance(2)};
    made.record.out.type = DType::i64;
  } else if (kind == law::Kind::transpose) {
    law::TransposeAttr attr;
    for (size_t i = 0; i < in.size(); ++i) {
      attr.order.insert(attr.order.begin() + static_cast<ptrdiff_t>(random_.below(i + 1)),
                        static_cast<uint8_t>(i));
    }
    for (size_t i = 0; i < in.size(); ++i) {
      out[i] = in[attr.order[i]];
    }
    made.record.attributes = attr;
  } else if (kind == law::Kind::slice) {
    law::SliceAttr attr;
    for (size_t i = 0; i < in.size(); ++i) {
      attr.start.push_back(random_.in(0, in[i]));
      attr.step.push_back(random_.in(1, 3));
      const int64_t most = (in[i] - attr.start[i] + attr.step[i] - 1) / attr.step[i];
      out[i] = random_.chance(3) ? random_.in(0, most) : most;
    }
    made.record.attributes = attr;
  } else if (kind == law::Kind::pad) {
    law::PadAttr attr{{}, {}, bits_of(type, false)};
    for (size_t i = 0; i < in.size(); ++i) {
      attr.low.push_back(random_.in(0, 2));
      attr.high.push_back(random_.in(0, 2));
      out[i] += attr.low[i] + attr.high[i];
    }
    made.record.attributes = attr;
  } else {
    for (size_t i = 0; i < in.size(); ++i) {
      out[i] = in[i] == 1 ? random_.in(1, 7) : in[i];
    }
    if (random_.chance(2)) {
      out.insert(out.begin(), random_.in(1, 3));
    }
  }
  return made;
}

inline RandomOp RandomProgramMaker::concatenate_op() {
  const DType type = any_type();
  const Dims first = dims_of(type, 1 + random_.below(3), 9);
  const auto axis = static_cast<uint8_t>(random_.below(first.size()));
  RandomOp made{{law::Kind::concatenate, law::ConcatenateAttr{axis}, {}, {type, first}},
                {{type, first}}};
  for (uint64_t more = random_.below(4); more > 0; --more) {
    Dims dims = first;
    dims[axis] = random_.in(0, 6);
    made.record.out.dims[axis] += dims[axis];
    made.in.push_back({type, dims});
  }
  return made;
}

/// Its output has more than 256 chunks.
inline RandomOp RandomProgramMaker::wide_op() {
  const Shape shape{DType::f32, {random_.in(66'000, 80'000)}};
  if (random_.chance(2)) {
    return {{law::Kind::slice, law::SliceAttr{{0}, {1}}, {}, shape}, {shape}};
  }
  RandomOp made{{law::Kind::map, law::MapAttr{}, {}, shape}, {shape, {DType::f32, {1}}}};
  made.record.attributes = law::MapAttr{{{law::MapOp::input, 0, DType::f32, 0},
                                         {law::MapOp::input, 1, DType::f32, 0},
                                         node(law::MapOp::subtract)}};
  return made;
}

/// A chunk of its output takes more than 256 fold steps.
inline RandomOp RandomProgramMaker::deep_op() {
  if (random_.chance(2)) {
    const int64_t k = random_.in(16'500, 22'000);
    return {{law::Kind::contract, law::ContractAttr{}, {}, {DType::f32, {1, 1, 1}}},
            {{DType::f32, {1, 1, k}}, {DType::f32, {1, k, 1}}}};
  }
  const int64_t side = 32;  // 16 groups in a chunk of bytes
  const int64_t k = random_.in(1030, 1200);
  return {{law::Kind::contract, law::ContractAttr{}, {}, {DType::i8, {1, side, side}}},
          {{DType::i8, {1, side, k}}, {DType::i8, {1, k, side}}}};
}

}  // namespace lockstep::judge::test
