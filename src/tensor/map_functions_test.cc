// The scalar functions of the map kernels against the law, bit for bit: over the whole range, round
// every place where a function changes what it does, and on values as programs have them.
#include <gtest/gtest.h>

#include <limits>

#include "base/test_random.h"
#include "base/test_soak.h"
#include "law/scalar.h"
#include "tensor/executor.h"
#include "tensor/general_internal.h"
#include "tensor/test_cases.h"
#include "tensor/workers.h"
#if defined(__x86_64__)
#include "tensor/general_avx2.h"
#endif

namespace lockstep::tensor {
namespace {

using law::DType;
using law::MapOp;

constexpr MapOp functions[] = {MapOp::square_root,
                               MapOp::exp,
                               MapOp::log,
                               MapOp::cos,
                               MapOp::sin,
                               MapOp::tanh,
                               MapOp::erf,
                               MapOp::sigmoid,
                               MapOp::reciprocal_square_root};

std::vector<MapFunction> kernels() {
  std::vector<MapFunction> all{map_step_portable};
#if defined(__x86_64__)
  if (supported(Isa::avx2)) {
    all.push_back(map_step_avx2);
  }
#endif
  return all;
}

uint32_t canonical_bits(uint32_t bits) {
  return static_cast<uint32_t>(law::canonical(DType::f32, bits));
}

/// Inputs in blocks as the kernels get them; a NaN that comes out need not be canonical yet.
class Comparison {
 public:
  explicit Comparison(MapOp op) : op_(op) {}
  ~Comparison() { flush(); }
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;

  void add(uint32_t bits) {
    in_[filled_++] = bits;
    if (filled_ == in_.size()) {
      flush();
    }
  }
  void around(float edge, uint32_t reach) {
    const auto middle = std::bit_cast<uint32_t>(edge);
    for (uint32_t bits = middle - reach; bits != middle + reach; ++bits) {
      add(bits);
      add(bits ^ 0x8000'0000U);
    }
  }

 private:
  void flush() {
    // The rest of a block keeps the inputs before it.
    filled_ = 0;
    for (const MapFunction kernel : kernels_) {
      out_.fill(0);
      const MapStep step{.op = op_,
                         .in = {reinterpret_cast<const uint8_t*>(in_.data())},
                         .out = reinterpret_cast<uint8_t*>(out_.data()),
                         .count = static_cast<int64_t>(in_.size())};
      ASSERT_TRUE(kernel(step));
      for (size_t i = 0; i < in_.size(); ++i) {
        ASSERT_EQ(canonical_bits(out_[i]), law::unary(op_, DType::f32, in_[i]))
            << "node " << static_cast<int>(op_) << " of " << std::hexfloat
            << std::bit_cast<float>(in_[i]);
      }
    }
  }

  MapOp op_;
  std::vector<MapFunction> kernels_ = kernels();
  size_t filled_ = 0;
  alignas(64) std::array<uint32_t, map_block> in_{};
  alignas(64) std::array<uint32_t, map_block> out_{};
};

/// LOCKSTEP_SOAK times as many inputs.
uint64_t stride() {
  return 16'381 / std::min<uint64_t>(soak_times(), 16'381);
}

class MapFunctions : public testing::TestWithParam<MapOp> {};

TEST_P(MapFunctions, OverTheWholeRange) {
  Comparison comparison(GetParam());
  const uint64_t step = stride();
  for (uint64_t bits = 7; bits < uint64_t{1} << 32 && !HasFatalFailure(); bits += step) {
    comparison.add(static_cast<uint32_t>(bits));
  }
}

TEST_P(MapFunctions, RoundTheEdges) {
  Comparison comparison(GetParam());
  constexpr float edges[] = {0.0F,           0x1p-126F,
                             0x1p-63F,       0x1p-30F,
                             0x1p-13F,       0.25F,
                             0.5F,           0.5625F,
                             1.0F,           0x1.555556p-1F,
                             0x1.555556p+0F, 1.5F,
                             2.0F,           2.5F,
                             3.0F,           3.5F,
                             3.75F,          3.9F,
                             4.0F,           9.0F,
                             10.0F,          16.6F,
                             17.4F,          41.6F,
                             87.33654F,      88.722839F,
                             89.0F,          103.27893F,
                             103.97208F,     104.0F,
                             0x1p+64F,       0x1.921fb6p-1F,
                             0x1p+126F,      0x1p+31F,
                             0x1p+32F,       0x1.6ac5b2p+95F,
                             0x1p+127F,      0x1.fffffep+127F,
                             0x1.62e43p-2F};
  for (const float edge : edges) {
    comparison.around(edge, 300);
  }
  comparison.around(std::numeric_limits<float>::infinity(), 300);
  comparison.around(std::numeric_limits<float>::quiet_NaN(), 300);
}

/// Many: the last bit of a last coefficient shows in few results.
TEST_P(MapFunctions, OnNumbersOfOrdinarySize) {
  Comparison comparison(GetParam());
  TestRandom random(static_cast<uint64_t>(GetParam()));
  for (int i = 0; i < 500'000; ++i) {
    const float x = random.uniform(-1.0F, 1.0F);
    comparison.add(std::bit_cast<uint32_t>(x));
    comparison.add(std::bit_cast<uint32_t>(x * 8.0F));
  }
}

TEST_P(MapFunctions, OnHeavyTailsAndSubnormals) {
  Comparison comparison(GetParam());
  TestRandom random(static_cast<uint64_t>(GetParam()));
  for (int i = 0; i < 40'000; ++i) {
    const float x = random.uniform(-1.0F, 1.0F);
    comparison.add(std::bit_cast<uint32_t>(x * 8.0F));
    comparison.add(std::bit_cast<uint32_t>(3.0F / x));
    comparison.add(std::bit_cast<uint32_t>(x * x * x / (1.001F - x)));
    comparison.add(static_cast<uint32_t>(random.next()) & 0x80ff'ffffU);
  }
}

/// 777 elements: the last block is no full round.
TEST_P(MapFunctions, InAnExpressionThroughTheExecutorsKernels) {
  test::Random random(3);
  test::Case c;
  const law::Shape shape{DType::f32, {3, 7, 37}};
  c.record.kind = law::Kind::map;
  c.record.attributes = law::MapAttr{
      {{MapOp::input, 0}, {MapOp::input, 1}, {MapOp::multiply}, {GetParam()}, {MapOp::negate}}};
  c.record.out = shape;
  c.in.push_back(test::random_tensor(random, shape));
  c.in.push_back(test::random_tensor(random, {DType::f32, {7, 1}}));
  const law::Op op = c.op();
  ASSERT_TRUE(law::check(op).ok());
  const auto pool = ThreadPool::create(2).value();
  for (const Isa isa : {Isa::portable, best_isa()}) {
    const Kernel* const kernel = choose_kernel(op, isa);
    ASSERT_NE(kernel, nullptr);
    EXPECT_TRUE(test::run_kernel(*kernel, c, *pool) == c.expected()) << kernel->name;
  }
}

INSTANTIATE_TEST_SUITE_P(Functions, MapFunctions, testing::ValuesIn(functions));

}  // namespace
}  // namespace lockstep::tensor
