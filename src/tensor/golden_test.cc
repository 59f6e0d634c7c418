// Golden vectors: every kernel against the hashes that are committed for the law.
#include <gtest/gtest.h>

#include "law/golden_cases.h"
#include "law/roots.h"
#include "tensor/executor.h"
#include "tensor/test_cases.h"
#include "tensor/workers.h"

namespace lockstep::tensor {
namespace {

void expect_committed_bits(Isa isa, int threads) {
  const auto pool = ThreadPool::create(threads).value();
  const std::vector<law::test::GoldenCase> cases = law::test::golden_cases();
  ASSERT_EQ(cases.size(), std::size(law::test::golden_hashes));
  for (size_t i = 0; i < cases.size(); ++i) {
    const test::Case c{cases[i].record, cases[i].in};
    const Kernel* const kernel = choose_kernel(c.op(), isa);
    ASSERT_NE(kernel, nullptr) << cases[i].name;
    const auto out = test::run_kernel(*kernel, c, *pool);
    ASSERT_TRUE(out.has_value()) << kernel->name << " left its buffers, " << cases[i].name;
    EXPECT_EQ(law::test::golden_entry(cases[i], law::data_hash(*out)),
              law::test::committed_entry(i))
        << kernel->name << ", " << threads << " threads";
  }
}

TEST(Golden, PortableKernelsGiveTheCommittedBits) {
  expect_committed_bits(Isa::portable, 1);
  expect_committed_bits(Isa::portable, 3);
}

/// On a machine without a wider instruction set this is the portable one again.
TEST(Golden, TheBestKernelsGiveTheCommittedBits) {
  expect_committed_bits(best_isa(), 1);
  expect_committed_bits(best_isa(), 3);
}

}  // namespace
}  // namespace lockstep::tensor
