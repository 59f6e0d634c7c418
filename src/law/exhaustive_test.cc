// The bits of every unary f32 function, by BLAKE3 over the results' little-endian bytes in the
// order of the inputs' bit patterns. An optimised build hashes the patterns 37, 101, 165, … (every
// 64th, positive numbers first), a build without optimisation or under sanitizers every 4096th from
// 37 on, and LOCKSTEP_SOAK above 1 all 2^32.
#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "base/test_soak.h"
#include "crypto/blake3.h"
#include "law/scalar.h"

namespace lockstep::law {
namespace {

#ifdef __OPTIMIZE__
constexpr bool fast = !sanitized;
#else
constexpr bool fast = false;
#endif

struct Sample {
  uint64_t first, stride;
};
constexpr Sample thin{37, 4096};
constexpr Sample ordinary{37, 64};
constexpr Sample all{0, 1};

struct Function {
  const char* name;
  MapOp op;
  const char* thin;
  const char* ordinary;
  const char* all;
};
constexpr Function functions[] = {
#include "law/exhaustive_hashes.inc"
};

std::string hash_of(MapOp op, const Sample& sample) {
  constexpr size_t batch = size_t{1} << 16;
  std::vector<uint32_t> results;
  results.reserve(batch);
  crypto::Hasher hasher(crypto::Mode::plain());
  const auto flush = [&] {
    hasher.update({reinterpret_cast<const uint8_t*>(results.data()), results.size() * 4});
    results.clear();
  };
  for (uint64_t bits = sample.first; bits < uint64_t{1} << 32; bits += sample.stride) {
    results.push_back(static_cast<uint32_t>(unary(op, DType::f32, bits)));
    if (results.size() == batch) {
      flush();
    }
  }
  flush();
  return to_hex(hasher.finish().bytes);
}

class Exhaustive : public testing::TestWithParam<Function> {};

TEST_P(Exhaustive, ResultsHaveTheCommittedHash) {
  const Function& function = GetParam();
  const Sample& sample = fast ? ordinary : thin;
  EXPECT_EQ(hash_of(function.op, sample), fast ? function.ordinary : function.thin);
  if (soak_times() > 1) {
    EXPECT_EQ(hash_of(function.op, all), function.all);
  }
}

INSTANTIATE_TEST_SUITE_P(Functions,
                         Exhaustive,
                         testing::ValuesIn(functions),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
}  // namespace lockstep::law
