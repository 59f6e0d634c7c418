// Every general kernel against the law, bit for bit.
#include <gtest/gtest.h>

#include <array>

#include "tensor/executor.h"
#include "tensor/general_cases.h"
#include "tensor/workers.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::Kind;
using law::MapOp;
using test::Case;
using test::Random;

std::vector<Isa> isas() {
  return supported(Isa::avx2) ? std::vector{Isa::portable, Isa::avx2} : std::vector{Isa::portable};
}

/// One pool for each thread count, kept for the whole test.
std::vector<std::unique_ptr<ThreadPool>> pools() {
  std::vector<std::unique_ptr<ThreadPool>> all;
  for (const int threads : {1, 2, 7}) {
    all.push_back(ThreadPool::create(threads).value());
  }
  return all;
}

void expect_law(const Case& c, std::span<const std::unique_ptr<ThreadPool>> workers) {
  const law::Op op = c.op();
  const auto checked = law::check(op);
  ASSERT_TRUE(checked.ok()) << text_of(c) << ": " << checked.error().message();
  const Bytes expected = c.expected();
  for (const Isa isa : isas()) {
    const Kernel* const kernel = choose_kernel(op, isa);
    ASSERT_NE(kernel, nullptr) << text_of(c);
    for (const auto& pool : workers) {
      const auto result = run_kernel(*kernel, c, *pool);
      ASSERT_TRUE(result.has_value()) << kernel->name << " left its buffers, " << text_of(c);
      ASSERT_TRUE(*result == expected)
          << kernel->name << ", " << pool->count() << " threads, " << text_of(c);
    }
  }
}

class GeneralKernel : public testing::TestWithParam<Kind> {};

TEST_P(GeneralKernel, GivesTheBitsOfTheLaw) {
  const auto workers = pools();
  for (uint64_t seed = 0; seed < 150 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed * 1000 + static_cast<uint64_t>(GetParam()));
    expect_law(test::general_case(random, GetParam()), workers);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, GeneralKernel, testing::ValuesIn(test::general_kinds));

Case unary_case(MapOp op, std::span<const uint32_t> bits) {
  Case c;
  const law::Shape shape{DType::f32, {static_cast<int64_t>(bits.size())}};
  c.record.kind = Kind::map;
  c.record.attributes = law::MapAttr{{{MapOp::input, 0, DType::f32, 0}, {op, 0, DType::f32, 0}}};
  c.record.out = shape;
  law::Tensor tensor{shape, Bytes(static_cast<size_t>(shape.bytes()))};
  std::memcpy(tensor.data.data(), bits.data(), tensor.data.size());
  law::canonicalise(tensor);
  c.in.push_back(std::move(tensor));
  return c;
}

TEST(MapKernel, FunctionsOverTheWholeRangeGiveTheBitsOfTheLaw) {
  const auto workers = pools();
  for (const MapOp op : {MapOp::exp, MapOp::log, MapOp::square_root, MapOp::cos, MapOp::sin}) {
    std::vector<uint32_t> bits;
    for (uint64_t at = static_cast<uint64_t>(op); at < uint64_t{1} << 32; at += 16381) {
      bits.push_back(static_cast<uint32_t>(at));
    }
    expect_law(unary_case(op, bits), workers);
  }
}

TEST(ReduceKernel, LongRangesCrossSegmentsAndParts) {
  const auto workers = pools();
  Random random(5);
  for (const law::Dims& dims :
       {law::Dims{3, 4096, 70}, {1, 4097, 8}, {2, 12289, 1}, {5, 17, 129}}) {
    Case c;
    c.record.kind = Kind::reduce;
    c.record.attributes = law::ReduceAttr{law::ReduceOp::sum, {1}};
    c.record.out = {DType::f32, {dims[0], dims[2], (dims[1] + 4095) / 4096}};
    c.in.push_back(test::random_tensor(random, {DType::f32, dims}));
    expect_law(c, workers);
  }
}

TEST(PoolKernel, TiesAndNansGoToTheFirstPlace) {
  const auto workers = pools();
  Random random(9);
  for (int round = 0; round < 40; ++round) {
    Case c;
    c.record.kind = Kind::max_pool_grad;
    c.record.attributes = law::PoolAttr{.window_h = 2, .window_w = 2, .stride_h = 2, .stride_w = 2};
    c.record.out = {DType::f32, {2, 6, 8, 16}};
    c.in.push_back({c.record.out, Bytes(static_cast<size_t>(c.record.out.bytes()))});
    for (int64_t i = 0; i < c.record.out.count(); ++i) {
      const auto values = random.chance(3) ? test::Values::special : test::Values::tied;
      law::store_bits(DType::f32, c.in[0].data, i, test::random_f32(random, values));
    }
    c.in.push_back(test::random_tensor(random, {DType::f32, {2, 3, 4, 16}}));
    expect_law(c, workers);
  }
}

TEST(GeneralKernels, EachIsaChoosesItsOwn) {
  if (!supported(Isa::avx2)) {
    EXPECT_TRUE(best_isa() == Isa::portable);
    return;
  }
  const std::array<std::pair<Kind, const char*>, 4> names{
      {{Kind::map, "map_avx2"},
       {Kind::reduce, "reduce_avx2"},
       {Kind::max_pool, "max_pool_avx2"},
       {Kind::max_pool_grad, "max_pool_grad_avx2"}}};
  for (const auto& [kind, name] : names) {
    bool chosen = false;
    for (uint64_t seed = 0; seed < 50; ++seed) {
      Random random(seed);
      const Case c = test::general_case(random, kind);
      const law::Op op = c.op();
      EXPECT_EQ(std::string(choose_kernel(op, Isa::portable)->name).find("avx2"),
                std::string::npos);
      chosen = chosen || std::string(choose_kernel(op, Isa::avx2)->name) == name;
    }
    EXPECT_TRUE(chosen) << name;
  }
}

/// Sums a row with its first and last terms exchanged: what the comparison must notice.
void sum_with_two_terms_exchanged(const Call& call) {
  const int64_t n = call.op.in[0].dims[0];
  std::vector<float> x(static_cast<size_t>(n));
  std::memcpy(x.data(), call.in[0].data(), call.in[0].size());
  std::swap(x.front(), x.back());
  float lanes[16] = {};
  for (size_t r = 0; r < x.size(); ++r) {
    lanes[r % 16] += x[r];
  }
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) {
      lanes[i] += lanes[i + half];
    }
  }
  std::memcpy(call.out.data(), lanes, sizeof(float));
}

TEST(GeneralKernels, ComparisonNoticesTwoTermsExchanged) {
  const Kernel wrong{"wrong",
                     [](const law::Op&) { return true; },
                     [](const law::Op&, int) { return size_t{0}; },
                     sum_with_two_terms_exchanged};
  const auto pool = ThreadPool::create(1).value();
  int noticed = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    Case c;
    c.record.kind = Kind::reduce;
    c.record.attributes = law::ReduceAttr{law::ReduceOp::sum, {0}};
    c.record.out = {DType::f32, {1}};
    c.in.push_back({{DType::f32, {1000}}, Bytes(4000)});
    for (int64_t i = 0; i < 1000; ++i) {
      law::store_bits(DType::f32, c.in[0].data, i, test::random_f32(random, test::Values::heavy));
    }
    const Kernel* const right = choose_kernel(c.op(), best_isa());
    EXPECT_EQ(run_kernel(*right, c, *pool), c.expected());
    noticed += run_kernel(wrong, c, *pool) == c.expected() ? 0 : 1;
  }
  EXPECT_GE(noticed, 5);
}

}  // namespace
}  // namespace lockstep::tensor
