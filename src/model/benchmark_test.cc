// Device classes, and when a kept benchmark is out of date.
#include "model/benchmark.h"

#include <gtest/gtest.h>

namespace lockstep::model {
namespace {

constexpr uint64_t unit = 1'000'000'000;

TEST(Benchmark, ClassesArePowersOfTwo) {
  EXPECT_EQ(device_class("x86-64-avx2", 0), "x86-64-avx2/0");
  EXPECT_EQ(device_class("x86-64-avx2", unit - 1), "x86-64-avx2/0");
  EXPECT_EQ(device_class("x86-64", unit), "x86-64/1");
  EXPECT_EQ(device_class("x86-64-avx2", 8 * unit - 1), "x86-64-avx2/4");
  EXPECT_EQ(device_class("x86-64-avx2", 8 * unit), "x86-64-avx2/8");
  EXPECT_EQ(device_class("x86-64-avx2", 15 * unit), "x86-64-avx2/8");
  EXPECT_EQ(device_class("f", UINT64_MAX), "f/17179869184");
}

TEST(Benchmark, IsKeptWhileTheMachineIsTheSame) {
  const Benchmark kept{benchmark_version, "x86-64-avx2", "a processor", 4, unit, 1'000'000};
  const uint64_t now = kept.measured_ms + 5;
  EXPECT_TRUE(is_current(kept, kept, now));
  EXPECT_TRUE(is_current(kept, kept, kept.measured_ms + benchmark_age_ms_max));
  EXPECT_FALSE(is_current(kept, kept, kept.measured_ms + benchmark_age_ms_max + 1));
  EXPECT_FALSE(is_current(kept, kept, kept.measured_ms - 1));
  Benchmark other = kept;
  other.version += 1;
  EXPECT_FALSE(is_current(kept, other, now));
  other = kept;
  other.family = "x86-64";
  EXPECT_FALSE(is_current(kept, other, now));
  other = kept;
  other.processor = "another";
  EXPECT_FALSE(is_current(kept, other, now));
  other = kept;
  other.threads = 5;
  EXPECT_FALSE(is_current(kept, other, now));
  other = kept;
  other.operations_per_second = 0;
  EXPECT_FALSE(is_current(other, kept, now));
}

TEST(Benchmark, HasCanonicalBytes) {
  const Benchmark kept{benchmark_version, "x86-64-avx2", "a processor", 4, 77, 1'000'000};
  const Bytes bytes = codec::encode(kept);
  const Result<Benchmark> again = codec::decode<Benchmark>(bytes);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, kept);
  EXPECT_FALSE(codec::decode<Benchmark>(ByteView(bytes).first(bytes.size() - 1)).ok());
}

}  // namespace
}  // namespace lockstep::model
