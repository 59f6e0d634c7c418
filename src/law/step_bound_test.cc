// The bound of a fold step against steps of random large records, and what ordinary and extreme
// records come to.
#include "law/step_bound.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdio>
#include <map>

#include "base/test_soak.h"
#include "law/referee.h"
#include "law/test_far_records.h"

namespace lockstep::law {
namespace {

using test::FarReader;
using test::FarRecord;
using test::FarRecords;

constexpr int kinds = 22;

/// What the openings of a step and its inputs' paths come to, as a proof encodes them. Paths have
/// no more siblings than the tree has levels.
int64_t proof_bytes(const Op& op, const std::set<std::pair<uint32_t, int64_t>>& touched) {
  constexpr int64_t input_path = 4 + 32 + 1 + 4 + 1024 + 4 + 12 * 32;
  int64_t bytes = 0;
  std::set<uint32_t> inputs;
  for (const auto& [input, chunk] : touched) {
    const int64_t left = op.in[input].bytes() - chunk * limits::chunk_bytes;
    const auto last = static_cast<uint64_t>(chunks_of(op.in[input]) - 1);
    const auto levels = static_cast<int64_t>(std::bit_width(last));
    bytes += 4 + 8 + 4 + std::min(left, limits::chunk_bytes) + 4 + 32 * levels;
    inputs.insert(input);
  }
  return bytes + static_cast<int64_t>(inputs.size()) * input_path;
}

std::string text(const FarRecord& made) {
  std::string text = "kind " + std::to_string(static_cast<int>(made.record.kind)) + " " +
                     name_of(made.record.out.type) + " out " + text_of(made.record.out.dims);
  for (const Shape& shape : made.in) {
    text += " in " + text_of(shape.dims);
  }
  if (const auto* conv = std::get_if<ConvAttr>(&made.record.attributes)) {
    text += " strides " + text_of({conv->stride_h, conv->stride_w}) + " dilations " +
            text_of({conv->dilation_h, conv->dilation_w}) + " pads " +
            text_of({conv->pad_top, conv->pad_left}) + " groups " + std::to_string(conv->groups);
  }
  if (const auto* pool = std::get_if<PoolAttr>(&made.record.attributes)) {
    text += " window " + text_of({pool->window_h, pool->window_w}) + " strides " +
            text_of({pool->stride_h, pool->stride_w}) + " pads " +
            text_of({pool->pad_top, pool->pad_left});
  }
  if (const auto* reduce = std::get_if<ReduceAttr>(&made.record.attributes)) {
    text += " axes " + text_of(Dims(reduce->axes.begin(), reduce->axes.end()));
  }
  return text;
}

/// A chunk of the output: the first, the last, any, or one where some axis begins anew.
int64_t any_chunk(TestRandom& random, const Shape& out) {
  const int64_t chunks = chunks_of(out);
  const int64_t per_chunk = limits::chunk_bytes / size_of(out.type);
  switch (random.below(4)) {
    case 0:
      return random.chance(2) ? 0 : chunks - 1;
    case 1:
      return random.in(0, chunks - 1);
    default: {
      int64_t block = 1;
      const auto axes = static_cast<int64_t>(out.dims.size());
      for (int64_t i = random.in(0, axes); i < axes; ++i) {
        block *= out.dims[static_cast<size_t>(i)];
      }
      const int64_t element = random.in(0, out.count() / block) * block - random.in(0, 64);
      return std::clamp<int64_t>(element / per_chunk, 0, chunks - 1);
    }
  }
}

struct Worst {
  int64_t bytes = 0, bound = 0;
  double ratio = 0;
  int64_t steps = 0, fewer = 0;
};

/// Runs one step and compares what it touches with the bound.
void expect_bounded(const FarRecord& made, const Op& op, TestRandom& random, Worst& worst) {
  const int64_t chunk = any_chunk(random, made.record.out);
  const Fold fold(op, chunk);
  if (fold.steps() == 0) {
    return;
  }
  const int64_t step =
      random.chance(3) ? random.of<int64_t>({0, fold.steps() - 1}) : random.in(0, fold.steps() - 1);
  const auto [done, words] = fold.size_before(step);
  FoldState state{Bytes(done), std::vector<uint64_t>(words)};
  const auto state_bytes = static_cast<int64_t>(state.bytes(fold.accumulator()).size());
  FarReader data(op, random.next());
  data.aim(
      chunk * (limits::chunk_bytes / size_of(made.record.out.type)) /
      std::max<int64_t>(
          1,
          made.record.out.count() /
              std::max<int64_t>(1, made.record.out.dims.empty() ? 1 : made.record.out.dims[0])));
  RecordingReader recording(op, data);
  fold.run(step, state, recording);
  const StepBound bound = step_bound(op, step_terms(op));
  const auto openings = static_cast<int64_t>(recording.touched().size());
  const int64_t bytes = proof_bytes(op, recording.touched()) + state_bytes;
  ASSERT_LE(openings, bound.openings)
      << text(made) << " T " << step_terms(op) << " chunk " << chunk << " step " << step;
  ASSERT_LE(bytes, bound.bytes) << text(made);
  ASSERT_LE(bound.bytes, limits::step_proof_bytes_max);
  EXPECT_EQ(fold.size_before(step + 1), std::pair(state.done.size(), state.acc.size()));
  EXPECT_LE(fold.steps(), steps_max(op));
  ++worst.steps;
  worst.fewer += step_terms(op) < limits::step_terms ? 1 : 0;
  worst.bytes = std::max(worst.bytes, bytes);
  worst.bound = std::max(worst.bound, bound.bytes);
  if (bound.openings > 0) {
    worst.ratio =
        std::max(worst.ratio, static_cast<double>(openings) / static_cast<double>(bound.openings));
  }
}

TEST(StepBound, HoldsForRandomLargeRecords) {
  FarRecords records(20'240);
  std::map<int, Worst> worst;
  const int64_t wanted = (sanitized ? 40'000 : 200'000) * static_cast<int64_t>(soak_times());
  int64_t steps = 0;
  for (int64_t i = 0; steps < wanted; ++i) {
    const auto kind = static_cast<Kind>(1 + i % kinds);
    const FarRecord made = records.draw(kind);
    const Op op = made.op();
    if (made.record.out.dims.empty() ? false : made.record.out.count() == 0) {
      continue;
    }
    if (!check(op)) {
      continue;
    }
    for (int64_t repeats = 0; repeats < 6; ++repeats, ++steps) {
      expect_bounded(made, op, records.random(), worst[static_cast<int>(kind)]);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
  for (const auto& [kind, most] : worst) {
    std::printf(
        "kind %2d: %6lld steps, %6lld of fewer than 64 terms, proof %3lld KiB, bound %3lld KiB, "
        "nearest to its bound %.2f\n",
        kind,
        static_cast<long long>(most.steps),
        static_cast<long long>(most.fewer),
        static_cast<long long>(most.bytes >> 10),
        static_cast<long long>(most.bound >> 10),
        most.ratio);
    EXPECT_GE(most.ratio, 0.7) << "kind " << kind << ": no step comes near its bound";
  }
}

/// Shapes of a record and the terms that its steps must take.
struct Named {
  const char* name;
  FarRecord made;
  int64_t terms;
};

Shape f32(Dims dims) {
  return {DType::f32, std::move(dims)};
}

FarRecord product(const ContractAttr& attr, Dims a, Dims b, Dims out) {
  return {{Kind::contract, attr, {}, f32(std::move(out))}, {f32(std::move(a)), f32(std::move(b))}};
}

FarRecord sum_over(std::vector<uint8_t> axes, Dims in, Dims out) {
  const ReduceAttr attr{ReduceOp::sum, std::move(axes)};
  return {{Kind::reduce, attr, {}, f32(std::move(out))}, {f32(std::move(in))}};
}

ConvAttr conv_of(int64_t stride, int64_t pad, int64_t dilation = 1, int64_t groups = 1) {
  return {stride, stride, pad, pad, pad, pad, dilation, dilation, groups};
}

FarRecord convolution(Kind kind, const ConvAttr& attr, Dims x, Dims w) {
  const Dims y{
      x[0],
      test::windows(x[1] + 2 * attr.pad_top, attr.dilation_h * (w[0] - 1) + 1, attr.stride_h),
      test::windows(x[2] + 2 * attr.pad_left, attr.dilation_w * (w[1] - 1) + 1, attr.stride_w),
      w[3]};
  const std::vector<Dims> tensors{x, w, y};
  const auto of = [&](size_t out, size_t a, size_t b) {
    return FarRecord{{kind, attr, {}, f32(tensors[out])}, {f32(tensors[a]), f32(tensors[b])}};
  };
  return kind == Kind::conv               ? of(2, 0, 1)
         : kind == Kind::conv_weight_grad ? of(1, 0, 2)
                                          : of(0, 2, 1);
}

FarRecord pooling(Kind kind, const PoolAttr& attr, Dims x) {
  const Dims y{x[0],
               test::windows(x[1] + attr.pad_top + attr.pad_bottom, attr.window_h, attr.stride_h),
               test::windows(x[2] + attr.pad_left + attr.pad_right, attr.window_w, attr.stride_w),
               x[3]};
  if (kind == Kind::max_pool) {
    return {{kind, attr, {}, f32(y)}, {f32(x)}};
  }
  return {{kind, attr, {}, f32(x)}, {f32(x), f32(y)}};
}

FarRecord map_of(int64_t inputs, const Dims& dims) {
  MapAttr attr;
  FarRecord made{{Kind::map, {}, {}, f32(dims)}, {}};
  for (int64_t i = 0; i < inputs; ++i) {
    made.in.push_back(f32(dims));
    attr.nodes.push_back({MapOp::input, static_cast<uint8_t>(i)});
    if (i > 0) {
      attr.nodes.push_back({MapOp::add});
    }
  }
  made.record.attributes = attr;
  return made;
}

/// Accepted, with these terms; a few of its steps stay within the bound.
void expect_terms(const std::vector<Named>& records) {
  TestRandom random(5);
  std::printf("%-46s %5s %8s %8s %7s\n", "record", "terms", "openings", "bound", "steps");
  for (const auto& [name, made, terms] : records) {
    SCOPED_TRACE(name);
    const Op op = made.op();
    const auto checked = check(op);
    ASSERT_TRUE(checked.ok()) << checked.error().message();
    const StepBound bound = step_bound(op, step_terms(op));
    std::printf("%-46s %5lld %8lld %4lld KiB %7lld\n",
                name,
                static_cast<long long>(step_terms(op)),
                static_cast<long long>(bound.openings),
                static_cast<long long>(bound.bytes >> 10),
                static_cast<long long>(steps_max(op)));
    EXPECT_EQ(step_terms(op), terms);
    EXPECT_TRUE(bound.fits());
    Worst worst;
    for (int i = 0; i < 12; ++i) {
      expect_bounded(made, op, random, worst);
    }
  }
}

TEST(StepBound, OrdinaryRecordsTake64Terms) {
  const PoolAttr pool{2, 2, 2, 2};
  const PoolAttr overlapping{3, 3, 2, 2, 1, 0, 1, 0};
  expect_terms({
      {"example: conv 3x3, 1 to 8, batch 25",
       convolution(Kind::conv, conv_of(1, 1), {25, 28, 28, 1}, {3, 3, 1, 8}),
       64},
      {"example: its weight gradient",
       convolution(Kind::conv_weight_grad, conv_of(1, 1), {25, 28, 28, 1}, {3, 3, 1, 8}),
       64},
      {"example: conv 3x3, 8 to 16",
       convolution(Kind::conv, conv_of(1, 1), {25, 14, 14, 8}, {3, 3, 8, 16}),
       64},
      {"example: its input gradient",
       convolution(Kind::conv_input_grad, conv_of(1, 1), {25, 14, 14, 8}, {3, 3, 8, 16}),
       64},
      {"example: its weight gradient, 16",
       convolution(Kind::conv_weight_grad, conv_of(1, 1), {25, 14, 14, 8}, {3, 3, 8, 16}),
       64},
      {"max pool 2x2", pooling(Kind::max_pool, pool, {25, 28, 28, 8}), 64},
      {"its gradient", pooling(Kind::max_pool_grad, pool, {25, 28, 28, 8}), 64},
      {"max pool 3x3/2, 64 channels, its gradient",
       pooling(Kind::max_pool_grad, overlapping, {256, 112, 112, 64}),
       64},
      {"example: linear 784 to 10", product({}, {1, 25, 784}, {1, 784, 10}, {1, 25, 10}), 64},
      {"linear M = 1, 8192 to 28672",
       product({}, {1, 1, 8192}, {1, 8192, 28'672}, {1, 1, 28'672}),
       64},
      {"vocabulary 128,256, M = 1",
       product({}, {1, 1, 8192}, {1, 8192, 128'256}, {1, 1, 128'256}),
       64},
      {"vocabulary 128,257, M = 4096",
       product({}, {1, 4096, 4096}, {1, 4096, 128'257}, {1, 4096, 128'257}),
       64},
      {"vocabulary, weights transposed",
       product({false, true}, {1, 4096, 4096}, {1, 128'257, 4096}, {1, 4096, 128'257}),
       64},
      {"linear's weight gradient, 10^6 rows",
       product({true, false}, {1, 1'000'000, 4096}, {1, 1'000'000, 1024}, {1, 4096, 1024}),
       64},
      {"attention scores, 96 heads",
       product({false, true}, {96, 2048, 128}, {96, 2048, 128}, {96, 2048, 2048}),
       64},
      {"conv 7x7/2, 3 to 64, batch 256",
       convolution(Kind::conv, conv_of(2, 3), {256, 224, 224, 3}, {7, 7, 3, 64}),
       64},
      {"its weight gradient, batch 64",
       convolution(Kind::conv_weight_grad, conv_of(2, 3), {64, 224, 224, 3}, {7, 7, 3, 64}),
       64},
      {"conv 3x3, 512 to 512, weight gradient",
       convolution(Kind::conv_weight_grad, conv_of(1, 1), {256, 7, 7, 512}, {3, 3, 512, 512}),
       64},
      {"conv 3x3/2, 64 to 128, input gradient",
       convolution(Kind::conv_input_grad, conv_of(2, 1), {256, 56, 56, 64}, {3, 3, 64, 128}),
       64},
      {"conv 3x3, dilated by 2",
       convolution(Kind::conv, conv_of(1, 2, 2), {64, 65, 65, 256}, {3, 3, 256, 256}),
       64},
      {"depthwise 3x3, 512 channels",
       convolution(Kind::conv, conv_of(1, 1, 1, 512), {64, 28, 28, 512}, {3, 3, 1, 512}),
       64},
      {"patch embedding 16x16/16, 768",
       convolution(Kind::conv, conv_of(16, 0), {64, 224, 224, 3}, {16, 16, 3, 768}),
       64},
      {"patch embedding, weight gradient",
       convolution(Kind::conv_weight_grad, conv_of(16, 0), {64, 224, 224, 3}, {16, 16, 3, 768}),
       64},
      {"AdamW, 5 inputs of 10^8", map_of(5, {100'000'000}), 64},
      {"map of 16 inputs of 2^38", map_of(16, {int64_t{1} << 38}), 64},
      {"softmax sum, 10^6 rows of 1000", sum_over({1}, {1'000'000, 1000}, {1'000'000, 1}), 64},
      {"loss of 10^9", sum_over({0}, {1'000'000'000}, {244'141}), 64},
      {"bias gradient, 4096 rows", sum_over({0}, {4096, 1024}, {1024, 1}), 64},
  });
}

TEST(StepBound, RecordsOfFarReadsTakeFewer) {
  const Dims big{4, 4000, 4000, 64};
  expect_terms({
      {"bias gradient, 10^6 rows of 10", sum_over({0}, {1'000'000, 10}, {10, 245}), 64},
      {"bias gradient, 10^6 rows of 512", sum_over({0}, {1'000'000, 512}, {512, 245}), 2},
      {"bias gradient of images", sum_over({0, 1, 2}, {256, 56, 56, 256}, {256, 196}), 2},
      {"reduction of axes 0 and 2", sum_over({0, 2}, {3000, 500, 50}, {500, 37}), 64},
      {"10^6 scalar products of 1000",
       product({}, {1'000'000, 1, 1000}, {1'000'000, 1000, 1}, {1'000'000, 1, 1}),
       8},
      {"conv 2x2/50 of 1 output channel",
       convolution(Kind::conv, conv_of(50, 0), big, {2, 2, 64, 1}),
       64},
      {"conv 8x8/100, dilated by 300",
       convolution(Kind::conv, conv_of(100, 0, 300), {1, 9000, 9000, 1}, {8, 8, 1, 1}),
       16},
      {"its weight gradient, dilated by 300",
       convolution(Kind::conv_weight_grad, conv_of(100, 0, 300), {1, 9000, 9000, 1}, {8, 8, 1, 1}),
       8},
      {"its input gradient, dilated by 300",
       convolution(Kind::conv_input_grad, conv_of(100, 0, 300), {1, 9000, 9000, 1}, {8, 8, 1, 1}),
       64},
      {"max pool 8x8/500 of 1 channel",
       pooling(Kind::max_pool, {8, 8, 500, 500}, {1, 60'000, 60'000, 1}),
       2},
      {"max pool 64x64, 1 channel",
       pooling(Kind::max_pool, {64, 64, 1, 1}, {1, 60'000, 60'000, 1}),
       64},
      {"gradient of max pool 8x8",
       pooling(Kind::max_pool_grad, {8, 8, 1, 1}, {64, 300, 300, 300}),
       1},
      {"gradient of max pool 64x1",
       pooling(Kind::max_pool_grad, {64, 1, 1, 1}, {64, 300, 300, 64}),
       4},
      {"input gradient of 200x200 taps",
       convolution(Kind::conv_input_grad, conv_of(1, 0), {1, 500, 500, 4}, {200, 200, 4, 4}),
       64},
      {"input gradient of 3000x2 taps, stride 7",
       convolution(Kind::conv_input_grad, conv_of(7, 0, 3), {1, 30'000, 40, 16}, {3000, 2, 16, 16}),
       64},
  });
}

TEST(StepBound, RecordsWithoutSmallStepsAreRefused) {
  const auto expect_refused = [](const FarRecord& made, int64_t terms, const std::string& why) {
    EXPECT_EQ(step_terms(made.op()), terms);
    const auto checked = check(made.op());
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code, Code::bad_record);
    EXPECT_NE(checked.error().message().find(why), std::string::npos) << checked.error().message();
  };
  // 128 rows that begin anywhere in a chunk: steps of one term, and too many of them.
  constexpr int64_t k = (1 << 18) + 1;
  expect_refused(product({}, {1000, 1, k}, {1000, k, 1}, {1000, 1, 1}), 1, "65,536 fold steps");
  expect_refused(pooling(Kind::max_pool_grad, {64, 1, 1, 1}, {64, 300, 300, 300}), 0, "400 KiB");
}

TEST(StepBound, LooksUpABoundedNumberOfElements) {
  const PoolAttr attr{8, 8, 1, 1};
  const FarRecord made = pooling(Kind::max_pool_grad, attr, {1, 40, 40, 2});
  EXPECT_GT(step_bound(made.op(), 64).reads, limits::step_reads_max);
  EXPECT_LE(step_bound(made.op(), step_terms(made.op())).reads, limits::step_reads_max);
}

}  // namespace
}  // namespace lockstep::law
