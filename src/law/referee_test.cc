// Fold steps on opened bytes against the folds themselves, over random records of every kind; and
// how much one step reads.
#include "law/referee.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/test_random.h"
#include "law/test_random_ops.h"

namespace lockstep::law {
namespace {

using Random = TestRandom;

/// A record and the shapes it reads; op() borrows.
struct Made {
  Record record;
  std::vector<Shape> in;
  [[nodiscard]] Op op() const { return {&record, in}; }
};

/// Bits of any element of any tensor, without the tensor. Indices mostly hit; floats have NaN,
/// infinities and zeros among ordinary values.
class HashReader final : public Reader {
 public:
  HashReader(const Op& op, uint64_t seed) : op_(op), seed_(seed) {}
  uint64_t bits(uint32_t input, int64_t element) override {
    const uint64_t word =
        test_mixed(seed_ ^ test_mixed(input) ^ test_mixed(static_cast<uint64_t>(element) << 8));
    const DType type = op_.in[input].type;
    const uint64_t all = ~uint64_t{0} >> (64 - size_of(type) * 8);
    if (type == DType::boolean) {
      return word & 1;
    }
    if (is_index(input)) {
      const auto* elements = std::get_if<GatherElementsAttr>(&op_.record->attributes);
      const int64_t rows = op_.in[0].dims[elements == nullptr ? 0 : elements->axis];
      const auto range = static_cast<uint64_t>(2 * rows + 4);
      return static_cast<uint64_t>(static_cast<int64_t>(word % range) - rows - 2) & all;
    }
    if (type == DType::f32) {
      constexpr uint64_t few[] = {0, 0x80000000, 0x3f800000, 0x7fc00000, 0x7f800000, 0xff800000};
      return word % 16 < 6 && word % 7 == 0 ? few[word % 16]
                                            : (word >> 32 & 0x807fffff) | (120 + word % 12) << 23;
    }
    return canonical(type, word & all);
  }

 private:
  [[nodiscard]] bool is_index(uint32_t input) const {
    const Kind kind = op_.record->kind;
    return input == 1 && (kind == Kind::gather || kind == Kind::gather_elements ||
                          kind == Kind::scatter_add || kind == Kind::scatter_set);
  }
  const Op& op_;
  uint64_t seed_;
};

Bytes chunk_of(const Op& op, Reader& reader, uint32_t input, int64_t chunk) {
  const Shape& shape = op.in[input];
  const int64_t per_chunk = limits::chunk_bytes / size_of(shape.type);
  const int64_t first = chunk * per_chunk;
  const int64_t count = std::min(per_chunk, shape.count() - first);
  Bytes bytes(static_cast<size_t>(count * size_of(shape.type)));
  for (int64_t i = 0; i < count; ++i) {
    store_bits(shape.type, bytes, i, reader.bits(input, first + i));
  }
  return bytes;
}

/// How large dims may be. `small` folds are run from end to end.
struct Size {
  int64_t dim = 24;
  int64_t range = 300;  // of contracted and reduced axes
  int64_t image = 9;
  int64_t channels = 20;
};
constexpr Size small_size{};
constexpr Size large_size{5000, 900'000, 300, 4096};

DType numeric(Random& random) {
  return random.chance(2) ? DType::f32
                          : random.of({DType::f64, DType::i8, DType::i32, DType::i64, DType::u16});
}
DType ordered(Random& random) {
  const DType type = numeric(random);
  return type == DType::f64 ? DType::u8 : type;
}
DType any_type(Random& random) {
  return static_cast<DType>(random.in(0, dtype_count - 1));
}

Dims random_dims(Random& random, int64_t rank, int64_t most) {
  Dims dims;
  int64_t left = int64_t{1} << 36;
  for (int64_t i = 0; i < rank; ++i) {
    dims.push_back(random.chance(4) ? 1 : random.in(1, std::min(most, left)));
    left /= dims.back();
  }
  return dims;
}

Made make_map(Random& random, const Size& size) {
  const DType type = numeric(random);
  const Dims out = random_dims(random, random.in(0, 4), size.dim);
  Made made{{Kind::map, MapAttr{}, {}, {type, out}}, {}};
  MapAttr attr;
  const int64_t inputs = random.in(1, 16);
  for (int64_t i = 0; i < inputs; ++i) {
    Dims dims = out;
    if (i > 0) {
      dims.erase(dims.begin(), dims.begin() + random.in(0, static_cast<int64_t>(dims.size())));
      for (int64_t& dim : dims) {
        dim = random.chance(4) ? 1 : dim;
      }
    }
    made.in.push_back({type, dims});
    attr.nodes.push_back({MapOp::input, static_cast<uint8_t>(i), DType::f32, 0});
    if (i > 0) {
      attr.nodes.push_back({random.of({MapOp::add, MapOp::multiply, MapOp::subtract})});
    }
  }
  if (type == DType::f32 && random.chance(2)) {
    attr.nodes.push_back({MapOp::cast, 0, DType::bf16, 0});
    made.record.out.type = DType::bf16;
  } else if (type != DType::f64 && random.chance(3)) {
    attr.nodes.push_back({MapOp::constant, 0, type, 1});
    attr.nodes.push_back({MapOp::less});
    made.record.out.type = DType::boolean;
  }
  made.record.attributes = attr;
  return made;
}

Made make_contract(Random& random, const Size& size) {
  const DType type = numeric(random);
  const ContractAttr attr{random.chance(2), random.chance(2)};
  const int64_t b = random.in(1, 4);
  const int64_t m = random.chance(3) ? 1 : random.in(1, size.dim);
  const int64_t n = random.in(1, size.dim);
  const int64_t k = random.chance(20) ? 0 : random.in(1, size.range);
  return {{Kind::contract, attr, {}, {type, {b, m, n}}},
          {{type, attr.a_transposed ? Dims{b, k, m} : Dims{b, m, k}},
           {type, attr.b_transposed ? Dims{b, n, k} : Dims{b, k, n}}}};
}

Made make_reduce(Random& random, const Size& size) {
  const DType type = ordered(random);
  Dims dims = random_dims(random, random.in(0, 5), size.dim);
  if (!dims.empty() && random.chance(3)) {
    dims[static_cast<size_t>(random.in(0, static_cast<int64_t>(dims.size()) - 1))] =
        random.in(0, size.range * 20);
  }
  ReduceAttr attr{static_cast<ReduceOp>(random.in(0, 3)), {}};
  Dims kept;
  int64_t n = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (random.chance(2)) {
      attr.axes.push_back(static_cast<uint8_t>(i));
      n *= dims[i];
    } else {
      kept.push_back(dims[i]);
    }
  }
  kept.push_back(std::max<int64_t>(1, (n + limits::reduce_terms - 1) / limits::reduce_terms));
  return {{Kind::reduce, attr, {}, {type, kept}}, {{type, dims}}};
}

Made make_conv(Random& random, const Size& size, Kind kind) {
  const DType type = numeric(random);
  ConvAttr attr;
  const int64_t kh = random.in(1, 5);
  const int64_t kw = random.in(1, 5);
  attr.stride_h = random.in(1, 3), attr.stride_w = random.in(1, 3);
  attr.dilation_h = random.in(1, 2), attr.dilation_w = random.in(1, 2);
  attr.pad_top = random.in(0, 2), attr.pad_left = random.in(0, 2), attr.pad_right = 1;
  attr.groups = random.of<int64_t>({1, 1, 2, 3});
  const int64_t ci = random.in(1, size.channels);
  const int64_t co = attr.groups * random.in(1, size.channels);
  const Shape x{
      type,
      {random.in(1, 3), random.in(9, size.image), random.in(9, size.image), ci * attr.groups}};
  const Shape w{type, {kh, kw, ci, co}};
  const auto side = [](int64_t padded, int64_t window, int64_t stride) {
    return (padded - window) / stride + 1;
  };
  const Shape y{type,
                {x.dims[0],
                 side(x.dims[1] + attr.pad_top, attr.dilation_h * (kh - 1) + 1, attr.stride_h),
                 side(x.dims[2] + attr.pad_left + attr.pad_right,
                      attr.dilation_w * (kw - 1) + 1,
                      attr.stride_w),
                 co}};
  if (kind == Kind::conv) {
    return {{kind, attr, {}, y}, {x, w}};
  }
  return kind == Kind::conv_weight_grad ? Made{{kind, attr, {}, w}, {x, y}}
                                        : Made{{kind, attr, {}, x}, {y, w}};
}

Made make_pool(Random& random, const Size& size, Kind kind) {
  const DType type = ordered(random);
  PoolAttr attr;
  attr.window_h = random.in(1, 3), attr.window_w = random.in(1, 3);
  attr.stride_h = random.in(1, attr.window_h), attr.stride_w = random.in(1, attr.window_w);
  attr.pad_left = random.in(0, attr.window_w - 1);
  const Shape x{type,
                {random.in(1, 3),
                 random.in(5, size.image),
                 random.in(5, size.image),
                 random.in(1, size.channels)}};
  const Shape y{type,
                {x.dims[0],
                 (x.dims[1] - attr.window_h) / attr.stride_h + 1,
                 (x.dims[2] + attr.pad_left - attr.window_w) / attr.stride_w + 1,
                 x.dims[3]}};
  return kind == Kind::max_pool ? Made{{kind, attr, {}, y}, {x}}
                                : Made{{kind, attr, {}, x}, {x, y}};
}

Made make_gather(Random& random, const Size& size) {
  const Shape data{any_type(random), random_dims(random, random.in(1, 3), size.dim)};
  const Shape index{random.of({DType::i32, DType::i64}), random_dims(random, random.in(0, 2), 90)};
  Dims out = index.dims;
  out.insert(out.end(), data.dims.begin() + 1, data.dims.end());
  return {{Kind::gather, GatherAttr{}, {}, {data.type, out}}, {data, index}};
}

Made make_rank(Random& random, const Size& size) {
  const Shape in{ordered(random), {random.in(1, 9), random.in(1, size.dim)}};
  return {{Kind::rank, RankAttr{random.chance(2)}, {}, {DType::i64, in.dims}}, {in}};
}

Made make_transpose(Random& random, const Size& size) {
  const Shape in{any_type(random), random_dims(random, random.in(1, 4), size.dim)};
  TransposeAttr attr;
  Dims out;
  for (size_t i = 0; i < in.dims.size(); ++i) {
    attr.order.insert(attr.order.begin() + random.in(0, static_cast<int64_t>(i)),
                      static_cast<uint8_t>(i));
  }
  for (const uint8_t axis : attr.order) {
    out.push_back(in.dims[axis]);
  }
  return {{Kind::transpose, attr, {}, {in.type, out}}, {in}};
}

Made make_slice(Random& random, const Size& size) {
  const Shape in{any_type(random), random_dims(random, random.in(1, 4), size.dim)};
  SliceAttr attr;
  Dims out;
  for (const int64_t dim : in.dims) {
    attr.start.push_back(random.in(0, dim - 1));
    attr.step.push_back(random.in(1, 4));
    out.push_back((dim - attr.start.back() + attr.step.back() - 1) / attr.step.back());
  }
  return {{Kind::slice, attr, {}, {in.type, out}}, {in}};
}

Made make_pad(Random& random, const Size& size) {
  const Shape in{any_type(random), random_dims(random, random.in(1, 4), size.dim)};
  PadAttr attr;
  Dims out;
  for (const int64_t dim : in.dims) {
    attr.low.push_back(random.in(0, 3));
    attr.high.push_back(random.in(0, 3));
    out.push_back(attr.low.back() + dim + attr.high.back());
  }
  attr.bits = 1;
  return {{Kind::pad, attr, {}, {in.type, out}}, {in}};
}

Made make_concatenate(Random& random, const Size& size) {
  const DType type = any_type(random);
  Dims dims = random_dims(random, random.in(1, 3), size.dim);
  const auto axis = static_cast<size_t>(random.in(0, static_cast<int64_t>(dims.size()) - 1));
  Made made{{Kind::concatenate, ConcatenateAttr{static_cast<uint8_t>(axis)}, {}, {}}, {}};
  int64_t sum = 0;
  const int64_t parts = random.in(1, 64);
  for (int64_t i = 0; i < parts; ++i) {
    dims[axis] = random.in(0, 7);
    sum += dims[axis];
    made.in.push_back({type, dims});
  }
  dims[axis] = sum;
  made.record.out = {type, dims};
  return made;
}

Made make_broadcast(Random& random, const Size& size) {
  const Dims out = random_dims(random, random.in(1, 4), size.dim);
  Dims dims = out;
  for (int64_t& dim : dims) {
    dim = random.chance(3) ? 1 : dim;
  }
  const DType type = any_type(random);
  return {{Kind::broadcast, BroadcastAttr{}, {}, {type, out}}, {{type, dims}}};
}

Made make(Random& random, Kind kind, const Size& size) {
  switch (kind) {
    case Kind::map:
      return make_map(random, size);
    case Kind::contract:
      return make_contract(random, size);
    case Kind::reduce:
      return make_reduce(random, size);
    case Kind::conv:
    case Kind::conv_weight_grad:
    case Kind::conv_input_grad:
      return make_conv(random, size, kind);
    case Kind::max_pool:
    case Kind::max_pool_grad:
      return make_pool(random, size, kind);
    case Kind::gather:
      return make_gather(random, size);
    case Kind::rank:
      return make_rank(random, size);
    case Kind::transpose:
      return make_transpose(random, size);
    case Kind::slice:
      return make_slice(random, size);
    case Kind::pad:
      return make_pad(random, size);
    case Kind::concatenate:
      return make_concatenate(random, size);
    case Kind::broadcast:
      return make_broadcast(random, size);
    default: {
      test::SeededChoices choices(random.next());
      const test::RandomOp drawn = test::random_op(choices, kind, 50 * size.dim);
      return {drawn.record, drawn.op().in};
    }
  }
}

/// A well-typed record of `kind`; those with too many fold steps or elements are drawn again.
Made make_valid(Random& random, Kind kind, const Size& size) {
  for (int i = 0; i < 1000; ++i) {
    Made made = make(random, kind, size);
    if (check(made.op()).ok()) {
      return made;
    }
  }
  ADD_FAILURE() << "no well-typed record of kind " << static_cast<int>(kind);
  return {};
}

constexpr int kinds = static_cast<int>(test::last_kind);
Kind kind_of(int number) {
  return static_cast<Kind>(number + 1);
}

/// The openings of what a step touched; the bytes live in `chunks`.
struct Openings {
  std::vector<Bytes> chunks;
  std::vector<OpenedChunk> list;
};
Openings open_all(const Op& op,
                  Reader& reader,
                  const std::set<std::pair<uint32_t, int64_t>>& touched) {
  Openings made;
  for (const auto& [input, chunk] : touched) {
    made.chunks.push_back(chunk_of(op, reader, input, chunk));
  }
  size_t at = 0;
  for (const auto& [input, chunk] : touched) {
    made.list.push_back({input, chunk, made.chunks[at++]});
  }
  return made;
}

/// One step of a fold with everything that a referee gets for it.
struct Step {
  const Op& op;
  int64_t chunk, step;
  Bytes before;
  Openings openings;
  [[nodiscard]] std::optional<FoldState> run(const std::vector<OpenedChunk>& list) const {
    return run_opened(op, chunk, step, before, list);
  }
};

void expect_strict_openings(const Step& step, Random& random) {
  const std::vector<OpenedChunk>& good = step.openings.list;
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<OpenedChunk> list = good;
    list.erase(list.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_FALSE(step.run(list)) << "an opening is missing";
    list = good;
    list.insert(list.begin() + static_cast<ptrdiff_t>(i), good[i]);
    EXPECT_FALSE(step.run(list)) << "an opening comes twice";
    list = good;
    list[i].data = list[i].data.first(list[i].data.size() - 1);
    EXPECT_FALSE(step.run(list)) << "an opening is short";
    if (i > 0) {
      list = good;
      std::swap(list[i - 1], list[i]);
      EXPECT_FALSE(step.run(list)) << "openings are out of order";
    }
  }
  std::vector<OpenedChunk> list = good;
  list.push_back({static_cast<uint32_t>(step.op.in.size()), 0, {}});
  EXPECT_FALSE(step.run(list)) << "an input that is not there";
  list = good;
  list.push_back({static_cast<uint32_t>(step.op.in.size() - 1), INT64_MAX, {}});
  EXPECT_FALSE(step.run(list)) << "a chunk that is not there";
  if (!good.empty()) {
    // A flipped bit may change the result, or what is read; it never stops the referee.
    const auto at = static_cast<size_t>(random.in(0, static_cast<int64_t>(good.size()) - 1));
    Bytes flipped(good[at].data.begin(), good[at].data.end());
    const auto bit =
        static_cast<uint64_t>(random.in(0, static_cast<int64_t>(flipped.size()) * 8 - 1));
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1U << bit % 8));
    list = good;
    list[at].data = flipped;
    const auto after = step.run(list);
    EXPECT_TRUE(!after || !after->bytes(step.op.record->out.type).empty());
  }
}

/// An unread chunk of any input makes a step inadmissible.
void expect_no_extra(const Step& step) {
  for (uint32_t input = 0; input < step.op.in.size(); ++input) {
    const int64_t chunks = chunks_of(step.op.in[input]);
    for (int64_t chunk = 0; chunk < std::min<int64_t>(chunks, 3); ++chunk) {
      std::vector<OpenedChunk> list = step.openings.list;
      const auto at = std::lower_bound(list.begin(),
                                       list.end(),
                                       std::pair(input, chunk),
                                       [](const OpenedChunk& a, const auto& place) {
                                         return std::pair(a.input, a.chunk) < place;
                                       });
      if (at != list.end() && at->input == input && at->chunk == chunk) {
        continue;
      }
      const int64_t left = step.op.in[input].bytes() - chunk * limits::chunk_bytes;
      const Bytes extra(static_cast<size_t>(std::min(limits::chunk_bytes, left)));
      list.insert(at, OpenedChunk{input, chunk, extra});
      EXPECT_FALSE(step.run(list)) << "an opening is never read";
    }
  }
}

void expect_strict_state(const Step& step) {
  Step other = step;
  other.before.push_back(0);
  EXPECT_FALSE(other.run(step.openings.list));
  if (!step.before.empty()) {
    other.before = step.before;
    other.before.pop_back();
    EXPECT_FALSE(other.run(step.openings.list));
  }
}

TEST(Referee, OpenedStepsGiveTheFoldsOwnStates) {
  Random random(1);
  for (int i = 0; i < kinds * 20; ++i) {
    const Made made = make_valid(random, kind_of(i % kinds), small_size);
    const Op op = made.op();
    SCOPED_TRACE("case " + std::to_string(i) + ", kind " + std::to_string(i % kinds + 1));
    HashReader data(op, random.next());
    const int64_t chunk = random.in(0, chunks_of(made.record.out) - 1);
    const Fold fold(op, chunk);
    const int64_t probed = random.in(0, std::max<int64_t>(0, fold.steps() - 1));
    FoldState state;
    for (int64_t step = 0; step < fold.steps(); ++step) {
      const Bytes before = state.bytes(fold.accumulator());
      const auto parsed = state_of(fold, step, before);
      ASSERT_TRUE(parsed);
      EXPECT_EQ(*parsed, state);
      RecordingReader recording(op, data);
      fold.run(step, state, recording);
      const Step opened{op, chunk, step, before, open_all(op, data, recording.touched())};
      const auto after = opened.run(opened.openings.list);
      ASSERT_TRUE(after) << "step " << step;
      EXPECT_EQ(*after, state) << "step " << step;
      if (step == probed) {
        expect_strict_openings(opened, random);
        expect_no_extra(opened);
        expect_strict_state(opened);
      }
    }
  }
}

TEST(Referee, RefusesAStateThatNoFoldWrites) {
  const Shape in{DType::f32, {1, 1, 200}};
  const Made made{{Kind::contract, ContractAttr{}, {}, {DType::f32, {1, 1, 1}}},
                  {in, {DType::f32, {1, 200, 1}}}};
  const Op op = made.op();
  const Fold fold(op, 0);
  HashReader data(op, 3);
  RecordingReader recording(op, data);
  FoldState state{{}, {0x7fc00000, 0}};
  FoldState after = state;
  fold.run(1, after, recording);
  const Openings openings = open_all(op, data, recording.touched());
  EXPECT_EQ(run_opened(op, 0, 1, state.bytes(DType::f32), openings.list), after);
  state.acc[0] = 0x7fc00001;
  EXPECT_FALSE(run_opened(op, 0, 1, state.bytes(DType::f32), openings.list));
  EXPECT_FALSE(state_of(fold, 1, state.bytes(DType::f32)));

  // Finished outputs of an earlier group.
  const Made many{{Kind::transpose, TransposeAttr{{0}}, {}, {DType::f32, {100}}},
                  {{DType::f32, {100}}}};
  const Op copy = many.op();
  const Bytes chunk(400);
  const std::vector<OpenedChunk> opened{{0, 0, chunk}};
  Bytes done(256);
  EXPECT_TRUE(run_opened(copy, 0, 1, done, opened));
  store_bits(DType::f32, done, 5, 0xffc00000);
  EXPECT_FALSE(run_opened(copy, 0, 1, done, opened));
}

TEST(Referee, PassesABoolOnThatIsNeither0Nor1) {
  // Data from outside may hold one, and a view copies it: an honest state has it too.
  const Made made{{Kind::transpose, TransposeAttr{{0}}, {}, {DType::boolean, {100}}},
                  {{DType::boolean, {100}}}};
  const Op op = made.op();
  const Bytes chunk(100, 2);
  const std::vector<OpenedChunk> opened{{0, 0, chunk}};
  const auto after = run_opened(op, 0, 1, Bytes(64, 2), opened);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->done, chunk);
}

TEST(Referee, RefusesTooManyOpenings) {
  const Made made{{Kind::transpose, TransposeAttr{{0}}, {}, {DType::f32, {5'000'000}}},
                  {{DType::f32, {5'000'000}}}};
  const Op op = made.op();
  const Bytes chunk(1024);
  std::vector<OpenedChunk> opened;
  for (int64_t i = 0; i <= static_cast<int64_t>(openings_max); ++i) {
    opened.push_back({0, i, chunk});
  }
  EXPECT_FALSE(run_opened(op, 0, 0, {}, opened));
  EXPECT_TRUE(run_opened(op, 0, 0, {}, std::span(opened).first(1)));
}

/// A reduction of several segments over axes that are not the last ones: its outputs lie segment by
/// segment, so that one group may read 64 rows, far apart, of each of 64 segments. The bound does
/// not hold for those (nor for windows with strides of many times their size, which are not drawn
/// here).
bool is_strided_reduction(const Made& made) {
  const auto* attr = std::get_if<ReduceAttr>(&made.record.attributes);
  return attr != nullptr && made.record.out.dims.back() > 1 &&
         attr->axes.front() + attr->axes.size() != made.in[0].dims.size();
}

TEST(Referee, OneStepReadsAtMost260KiBWhateverTheDims) {
  Random random(2);
  constexpr size_t bound = size_t{260} << 10;
  size_t worst = 0;
  for (int i = 0; i < kinds * 60; ++i) {
    const Made made = make_valid(random, kind_of(i % kinds), large_size);
    if (is_strided_reduction(made)) {
      continue;
    }
    const Op op = made.op();
    const bool wide = std::any_of(
        op.in.begin(), op.in.end(), [](const Shape& shape) { return size_of(shape.type) > 4; });
    HashReader data(op, random.next());
    const Fold fold(op, random.in(0, chunks_of(made.record.out) - 1));
    for (const int64_t step : {int64_t{0}, fold.steps() / 3, fold.steps() - 1}) {
      if (fold.steps() == 0) {
        continue;
      }
      const auto [done, words] = fold.size_before(step);
      FoldState state{Bytes(done), std::vector<uint64_t>(words)};
      size_t bytes = state.bytes(fold.accumulator()).size();
      RecordingReader recording(op, data);
      fold.run(step, state, recording);
      for (const auto& [input, chunk] : recording.touched()) {
        const int64_t left = op.in[input].bytes() - chunk * limits::chunk_bytes;
        bytes += static_cast<size_t>(std::min(left, limits::chunk_bytes));
      }
      EXPECT_LE(bytes, wide ? (size_t{387} << 10) : bound)
          << "kind " << i % kinds + 1 << ", out " << text_of(made.record.out.dims);
      worst = std::max(worst, bytes);
    }
  }
  // The bound is near: records that come close to it were among those drawn.
  EXPECT_GE(worst, bound / 2);
}

}  // namespace
}  // namespace lockstep::law
