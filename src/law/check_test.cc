// What the type check refuses of each kind that is neither a map nor a contraction, and what the
// cost of the kinds is.
#include <gtest/gtest.h>

#include <functional>

#include "law/program.h"

namespace lockstep::law {
namespace {

/// A record that is right as it stands, to be broken in one place.
struct Sample {
  Record record;
  std::vector<Shape> in;
};

Result<void> checked(const Sample& sample) {
  return check(Op{&sample.record, sample.in});
}
uint64_t cost_of(const Sample& sample) {
  EXPECT_TRUE(checked(sample).ok()) << checked(sample).error().message();
  return cost(Op{&sample.record, sample.in});
}
/// Whether the sample is accepted, and refused once it is broken.
bool refuses(Sample sample, const std::function<void(Sample&)>& break_it) {
  EXPECT_TRUE(checked(sample).ok()) << checked(sample).error().message();
  break_it(sample);
  return !checked(sample).ok();
}
template <class A>
A& attributes(Sample& sample) {
  return std::get<A>(sample.record.attributes);
}

Sample scatter(Kind kind, DType type = DType::f32) {
  return {{kind, ScatterAttr{}, {}, {type, {5, 3}}},
          {{type, {5, 3}}, {DType::i64, {2, 4}}, {type, {2, 4, 3}}}};
}
Sample gather_elements() {
  return {{Kind::gather_elements, GatherElementsAttr{1}, {}, {DType::f32, {2, 9}}},
          {{DType::f32, {4, 5}}, {DType::i32, {2, 9}}}};
}
Sample average(Kind kind = Kind::average_pool) {
  AveragePoolAttr attr;
  attr.pool.window_h = attr.pool.window_w = 3;
  attr.pool.stride_h = 2;
  attr.pool.pad_top = attr.pool.pad_bottom = 1;
  const Shape x{DType::f32, {2, 5, 6, 4}};
  const Shape y{DType::f32, {2, 3, 4, 4}};
  const bool grad = kind == Kind::average_pool_grad;
  return {{kind, attr, {}, grad ? x : y}, {grad ? y : x}};
}
Sample random_numbers(RandomMode mode, DType type) {
  return {{Kind::random, RandomAttr{mode, 1, 0}, {}, {type, {4, 5}}},
          {{DType::u64, {}}, {DType::u64, {1}}}};
}
Sample scan(int64_t n, bool carried) {
  Sample sample{{Kind::scan, ScanAttr{}, {}, {DType::f32, {3, n}}}, {{DType::f32, {3, n}}}};
  if (carried) {
    sample.in.push_back({DType::f32, {3, (n + 63) / 64}});
  }
  return sample;
}

TEST(CheckScatter, RefusesWhatDoesNotFit) {
  for (const Kind kind : {Kind::scatter_add, Kind::scatter_set}) {
    const Sample good = scatter(kind);
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].type = DType::u32; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].type = DType::f32; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[2].type = DType::f64; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[0].type = DType::i32; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[2].dims = {2, 4}; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[2].dims = {8, 3}; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.record.out.dims = {3, 5}; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in.pop_back(); }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in.push_back(s.in[0]); }));
    EXPECT_TRUE(refuses(good, [](Sample& s) {
      s.in[0].dims = s.record.out.dims = {};
      s.in[2].dims = {2, 4};
    })) << "no axis to scatter along";
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.record.attributes = GatherAttr{}; }));
  }
}

TEST(CheckScatter, AddingIsForTypesThatCompute) {
  for (uint8_t i = 0; i < dtype_count; ++i) {
    const auto type = static_cast<DType>(i);
    const bool stored = type == DType::bf16 || type == DType::f16 || type == DType::boolean;
    EXPECT_EQ(checked(scatter(Kind::scatter_add, type)).ok(), !stored) << name_of(type);
    EXPECT_TRUE(checked(scatter(Kind::scatter_set, type)).ok()) << name_of(type);
  }
}

TEST(CheckScatter, RefusesAFoldOfTooManySteps) {
  const auto with = [](int64_t updates) {
    Sample sample = scatter(Kind::scatter_add);
    sample.in[1].dims = {updates};
    sample.in[2].dims = {updates, 3};
    return checked(sample).ok();
  };
  EXPECT_TRUE(with(64));
  EXPECT_FALSE(with(int64_t{1} << 36));
}

TEST(CheckGatherElements, RefusesWhatDoesNotFit) {
  const Sample good = gather_elements();
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].type = DType::i16; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.record.out.type = DType::f64; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.record.out.dims = {9, 2}; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { attributes<GatherElementsAttr>(s).axis = 2; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { attributes<GatherElementsAttr>(s).axis = 0; }))
      << "9 are more than the 5 of the data";
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].dims = s.record.out.dims = {5, 9}; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].dims = s.record.out.dims = {9}; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in.pop_back(); }));
  EXPECT_TRUE(refuses(good, [](Sample& s) {
    s.in[0].dims = s.in[1].dims = s.record.out.dims = {};
  })) << "no axis";
}

TEST(CheckAveragePool, RefusesWhatDoesNotFit) {
  for (const Kind kind : {Kind::average_pool, Kind::average_pool_grad}) {
    const Sample good = average(kind);
    const bool grad = kind == Kind::average_pool_grad;
    const auto y = [grad](Sample& s) -> Dims& { return grad ? s.in[0].dims : s.record.out.dims; };
    const auto pool = [](Sample& s) -> PoolAttr& { return attributes<AveragePoolAttr>(s).pool; };
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[0].type = s.record.out.type = DType::i32; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[0].type = s.record.out.type = DType::bf16; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[0].type = DType::f64; }));
    EXPECT_TRUE(refuses(good, [&](Sample& s) { y(s)[1] = 2; }));
    EXPECT_TRUE(refuses(good, [&](Sample& s) { y(s)[3] = 5; }));
    EXPECT_TRUE(refuses(good, [&](Sample& s) { y(s).pop_back(); }));
    EXPECT_TRUE(refuses(good, [&](Sample& s) { pool(s).stride_w = 0; }));
    EXPECT_TRUE(refuses(good, [&](Sample& s) { pool(s).window_h = 0; }));
    EXPECT_TRUE(refuses(good, [&](Sample& s) { pool(s).pad_left = -1; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in.push_back(s.in[0]); }));
    EXPECT_TRUE(refuses(good, [&](Sample& s) { pool(s).pad_top = 3, y(s)[1] = 4; }))
        << "the first window has nothing to average";
    EXPECT_TRUE(refuses(good, [&](Sample& s) {
      pool(s).pad_right = 5, pool(s).stride_w = 8, y(s)[2] = 2;
    })) << "the last window has nothing to average";
  }
  Sample doubles = average();
  doubles.in[0].type = doubles.record.out.type = DType::f64;
  EXPECT_TRUE(checked(doubles).ok());
}

TEST(CheckRandom, RefusesWhatDoesNotFit) {
  const std::pair<RandomMode, DType> modes[] = {{RandomMode::bits, DType::u32},
                                                {RandomMode::uniform, DType::f32},
                                                {RandomMode::normal, DType::f32},
                                                {RandomMode::keep, DType::boolean}};
  for (const auto& [mode, type] : modes) {
    const Sample good = random_numbers(mode, type);
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.record.out.type = DType::f64; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[0].type = DType::i64; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].type = DType::u32; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[0].dims = {2}; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].dims = {0}; }));
    EXPECT_TRUE(refuses(good, [](Sample& s) { s.in.pop_back(); }));
    Sample threshold = good;
    attributes<RandomAttr>(threshold).threshold = 9;
    EXPECT_EQ(checked(threshold).ok(), mode == RandomMode::keep);
  }
}

TEST(CheckScan, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(checked(scan(64, false)).ok());
  EXPECT_FALSE(checked(scan(65, false)).ok()) << "the second block needs a carry";
  const Sample good = scan(130, true);
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in.pop_back(); }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in.push_back(s.in[1]); }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in.clear(); }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].dims = {3, 2}; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].dims = {3}; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].dims = {9}; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.in[1].type = DType::f64; }));
  EXPECT_TRUE(refuses(good, [](Sample& s) { s.record.out.dims = {3, 129}; }));
  EXPECT_TRUE(refuses(scan(5, false),
                      [](Sample& s) { s.in[0].type = s.record.out.type = DType::boolean; }));
  EXPECT_TRUE(refuses(scan(5, false), [](Sample& s) { s.in[0].dims = s.record.out.dims = {}; }))
      << "no last axis";
  Sample doubles = scan(5, false);
  doubles.in[0].type = doubles.record.out.type = DType::f64;
  EXPECT_TRUE(refuses(doubles, [](Sample& s) { attributes<ScanAttr>(s).op = ReduceOp::maximum; }));
}

TEST(Cost, OfTheKindsByHand) {
  // Each element of the base, each index, each element of the updates.
  EXPECT_EQ(cost_of(scatter(Kind::scatter_add)), 15U + 8 + 24);
  EXPECT_EQ(cost_of(scatter(Kind::scatter_set)), 15U + 8 + 24);
  EXPECT_EQ(cost_of(gather_elements()), 18U);
  // Rows of the windows: 2 + 3 + 2; columns: four times 3; images and channels: 8.
  EXPECT_EQ(cost_of(average(Kind::average_pool)), 7U * 12 * 8);
  EXPECT_EQ(cost_of(average(Kind::average_pool_grad)), 7U * 12 * 8);
  EXPECT_EQ(cost_of(random_numbers(RandomMode::uniform, DType::f32)), 16U * 20);
  EXPECT_EQ(cost_of(scan(130, true)), 390U);
  EXPECT_EQ(cost_of(scan(64, false)), 192U);
}

}  // namespace
}  // namespace lockstep::law
