// The guard sets the law's floating-point state and restores what was there.
#include "law/float_environment.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <cstdint>

namespace lockstep::law {
namespace {

#if defined(__x86_64__)
void set_state(uint64_t state) {
  __builtin_ia32_ldmxcsr(static_cast<uint32_t>(state));
}
uint64_t get_state() {
  return __builtin_ia32_stmxcsr();
}
constexpr uint64_t flush = 0x8040;  // flush to zero, and denormals are zero
constexpr uint64_t upward = 0x4000;
#else
void set_state(uint64_t state) {
  asm volatile("msr fpcr, %0" : : "r"(state));
}
uint64_t get_state() {
  uint64_t state = 0;
  asm volatile("mrs %0, fpcr" : "=r"(state));
  return state;
}
constexpr uint64_t flush = uint64_t{1} << 24;
constexpr uint64_t upward = uint64_t{1} << 22;
#endif

// Not inlined: the multiplication stays where it is written.
[[gnu::noinline]] float halved(float x) {
  volatile float half = 0.5F;
  return x * half;
}
[[gnu::noinline]] float third() {
  volatile float one = 1.0F;
  volatile float three = 3.0F;
  return one / three;
}

class FloatEnvironmentTest : public testing::Test {
 protected:
  void SetUp() override { before_ = get_state(); }
  void TearDown() override { set_state(before_); }

 private:
  uint64_t before_ = 0;
};

TEST_F(FloatEnvironmentTest, SubnormalsComeBackAndGoAgain) {
  set_state(FloatEnvironment::expected | flush);
  const float flushed = halved(0x1p-126F);
  float kept = 0;
  {
    const FloatEnvironment guard;
    EXPECT_EQ(FloatEnvironment::current(), FloatEnvironment::expected);
    kept = halved(0x1p-126F);
  }
  EXPECT_EQ(FloatEnvironment::current(), FloatEnvironment::expected | flush);
  set_state(FloatEnvironment::expected);
  EXPECT_EQ(flushed, 0.0F);
  EXPECT_EQ(kept, 0x1p-127F);
}

TEST_F(FloatEnvironmentTest, RoundingModeIsNearestInside) {
  set_state(FloatEnvironment::expected | upward);
  float inside = 0;
  {
    const FloatEnvironment guard;
    inside = third();
  }
  EXPECT_EQ(FloatEnvironment::current(), FloatEnvironment::expected | upward);
  set_state(FloatEnvironment::expected);
  EXPECT_EQ(inside, third());
}

TEST_F(FloatEnvironmentTest, GuardsNest) {
  set_state(FloatEnvironment::expected | flush);
  {
    const FloatEnvironment outer;
    {
      const FloatEnvironment inner;
      EXPECT_EQ(FloatEnvironment::current(), FloatEnvironment::expected);
    }
    EXPECT_EQ(FloatEnvironment::current(), FloatEnvironment::expected);
  }
  EXPECT_EQ(FloatEnvironment::current(), FloatEnvironment::expected | flush);
}

TEST_F(FloatEnvironmentTest, StickyFlagsAreNotState) {
  set_state(FloatEnvironment::expected);
  EXPECT_GT(third(), 0.0F);  // inexact
  EXPECT_NE(std::fetestexcept(FE_INEXACT), 0);
  EXPECT_EQ(FloatEnvironment::current(), FloatEnvironment::expected);
}

}  // namespace
}  // namespace lockstep::law
