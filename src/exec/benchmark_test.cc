// The standard benchmark: its result is the committed one on every kernel and thread count, a wrong
// one is refused, and the speed is what the clock says.
#include "exec/benchmark.h"

#include <gtest/gtest.h>

#include "base/test_soak.h"
#include "law/interpret.h"
#include "law/roots.h"

namespace lockstep::exec {
namespace {

/// Goes on by the same time whenever it is read.
class StepClock final : public env::Clock {
 public:
  explicit StepClock(uint64_t step_ns) : step_ns_(step_ns) {}
  uint64_t now_ns() override { return now_ += step_ns_; }

 private:
  uint64_t step_ns_;
  uint64_t now_ = 0;
};

constexpr uint64_t milli_ns = 1'000'000;

TEST(Benchmark, IsTheSameTaskForEver) {
  const auto built = benchmark_program();
  ASSERT_TRUE(built.ok()) << built.error().message();
  // A change of either needs another benchmark_version.
  EXPECT_EQ(law::cost(built->program), 122'853'241U);
  EXPECT_EQ(to_hex(law::program_root(built->program).view()),
            "eb218911a704ec6e68957c3c09eae01d1d624a6ed90d1efff3642fd2e3eed5ba");
  EXPECT_EQ(model::benchmark_version, 1U);
}

TEST(Benchmark, EveryKernelAndThreadCountGivesTheCommittedRoot) {
  // The portable kernels are slow: one thread count is enough for those.
  for (const auto& [isa, threads] : {std::pair(tensor::Isa::portable, 2),
                                     std::pair(tensor::best_isa(), 1),
                                     std::pair(tensor::best_isa(), 2)}) {
    StepClock clock(200 * milli_ns);
    const auto result = run_benchmark({200, threads, isa}, clock);
    ASSERT_TRUE(result.ok()) << result.error().message();
    EXPECT_EQ(result->tasks, 1U);
    EXPECT_EQ(result->family, family_of(isa));
  }
}

TEST(Benchmark, SpeedIsOperationsByTime) {
  const uint64_t operations = law::cost(benchmark_program()->program) * benchmark_steps;
  StepClock clock(50 * milli_ns);
  const auto result = run_benchmark({200, 1, tensor::best_isa()}, clock);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->tasks, 4U);
  EXPECT_EQ(result->operations_per_second, operations * 20);
  EXPECT_EQ(result->device_class, result->family + "/4");  // 4.91 units a second
}

TEST(Benchmark, AMachineThatComputesWrongIsRefused) {
  StepClock clock(milli_ns);
  BenchmarkOptions options{1, 1, tensor::best_isa()};
  options.expected.bytes[31] ^= 1;
  const auto result = run_benchmark(options, clock);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::wrong_hash);
  EXPECT_EQ(result.error().what.find("this machine computes wrong"), 0U);
  EXPECT_NE(result.error().what.find(to_hex(benchmark_root().view())), std::string::npos);
}

TEST(Benchmark, BadOptionsAreErrors) {
  StepClock clock(milli_ns);
  const auto none = run_benchmark({1, 0, tensor::best_isa()}, clock);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, Code::out_of_range);
  StepClock still(0);
  const auto stopped = run_benchmark({0, 1, tensor::best_isa()}, still);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, Code::internal);
}

/// Under LOCKSTEP_SOAK: the law itself, seconds of scalar code.
TEST(Benchmark, TheCommittedRootIsTheLaws) {
  const auto built = benchmark_program();
  ASSERT_TRUE(built.ok());
  std::vector<law::Tensor> leaves;
  leaves.reserve(built->program.leaves.size());
  for (const law::Leaf& leaf : built->program.leaves) {
    leaves.push_back({leaf.shape, Bytes(static_cast<size_t>(leaf.shape.bytes()))});
  }
  const uint32_t steps = soak_times() > 1 ? benchmark_steps : 0;
  for (uint32_t i = 0; i < steps; ++i) {
    leaves = law::run_step(built->program, leaves, built->constants, nullptr);
  }
  std::vector<Hash> roots;
  for (const law::Tensor& leaf : leaves) {
    roots.push_back(law::tensor_root(leaf));
  }
  const Hash root = law::state_root(built->program, roots);
  EXPECT_EQ(root == benchmark_root(), steps > 0);
}

}  // namespace
}  // namespace lockstep::exec
