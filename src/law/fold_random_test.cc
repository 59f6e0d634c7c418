// Random numbers: words by place, known answers, what each mode makes of a word, and the shape of
// the distributions.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "law/float_environment.h"
#include "law/scalar.h"
#include "law/test_random_ops.h"
#include "law/test_steps.h"

namespace lockstep::law {
namespace {

using test::RandomOp;

Tensor word(uint64_t value) {
  Tensor tensor{{DType::u64, {}}, Bytes(8)};
  store_bits(DType::u64, tensor.data, 0, value);
  return tensor;
}

RandomOp random_of(RandomAttr attr, Dims dims, uint64_t seed, uint64_t step) {
  const DType type = attr.mode == RandomMode::bits   ? DType::u32
                     : attr.mode == RandomMode::keep ? DType::boolean
                                                     : DType::f32;
  return {{Kind::random, attr, {}, {type, std::move(dims)}}, {word(seed), word(step)}};
}

Tensor output_of(const RandomOp& made) {
  const Op op = made.op();
  const auto checked = check(op);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().message());
  TensorReader reader(op, made.views());
  return evaluate(op, reader);
}

uint64_t at(const Tensor& tensor, int64_t i) {
  return load_bits(tensor.shape.type, tensor.data, i);
}

/// The published answer for a counter and a key of zeros.
TEST(Random, BitsAreThePublishedWords) {
  const Tensor out = output_of(random_of({RandomMode::bits, 0, 0}, {4}, 0, 0));
  const uint64_t published[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (int64_t e = 0; e < 4; ++e) {
    EXPECT_EQ(at(out, e), published[e]);
  }
}

TEST(Random, AWordIsItsPlaceInTheStream) {
  const uint64_t seed = 0x0123'4567'89ab'cdef;
  const Tensor out =
      output_of(random_of({RandomMode::bits, 77, 0}, {3, 5, 7}, seed, (uint64_t{9} << 32) + 4));
  for (int64_t e = 0; e < 105; ++e) {
    // Of the step only its low 32 bits count.
    const Philox block = philox({{static_cast<uint32_t>(e / 4), 0, 77, 4}}, seed);
    EXPECT_EQ(at(out, e), block.word[e % 4]) << e;
  }
}

TEST(Random, EveryModeReadsTheSameWords) {
  constexpr int64_t count = 1001;  // the last of a normal pair has no sine
  const uint64_t seed = 5;
  const auto of = [&](RandomMode mode, uint32_t threshold) {
    const RandomOp made = random_of({mode, 3, threshold}, {count}, seed, 11);
    Tensor out = output_of(made);
    int64_t steps = 0;
    EXPECT_EQ(test::stepped(made.op(), made.views(), steps), out.data);
    return out;
  };
  const Tensor bits = of(RandomMode::bits, 0);
  const Tensor uniform = of(RandomMode::uniform, 0);
  const Tensor keep = of(RandomMode::keep, 0x4000'0000);
  const Tensor normal = of(RandomMode::normal, 0);
  const FloatEnvironment environment;
  for (int64_t e = 0; e < count; ++e) {
    const auto mine = static_cast<uint32_t>(at(bits, e));
    EXPECT_EQ(test::f32_of(at(uniform, e)), std::ldexp(static_cast<float>(mine >> 8), -24));
    EXPECT_EQ(at(keep, e), mine < 0x4000'0000U ? 1U : 0U);
    const Philox block = philox({{static_cast<uint32_t>(e / 4), 0, 3, 11}}, seed);
    const uint32_t first = block.word[e % 4 / 2 * 2];
    const uint32_t second = block.word[e % 4 / 2 * 2 + 1];
    const float u1 = std::ldexp(static_cast<float>((first >> 8) + 1), -24);
    const float u2 = std::ldexp(static_cast<float>(second >> 8), -24);
    const float radius = std::sqrt(-2.0F * log_f32(u1));
    const float angle = 6.2831855F * u2;
    const float want = radius * (e % 2 == 0 ? cos_f32(angle) : sin_f32(angle));
    EXPECT_EQ(at(normal, e), test::bits_of(want)) << e;
  }
}

TEST(Random, AThresholdOfZeroKeepsNothing) {
  const Tensor none = output_of(random_of({RandomMode::keep, 1, 0}, {500}, 2, 3));
  EXPECT_EQ(none.data, Bytes(500, 0));
  const Tensor most = output_of(random_of({RandomMode::keep, 1, UINT32_MAX}, {500}, 2, 3));
  EXPECT_EQ(most.data, Bytes(500, 1));
}

/// Of 2^16 places: the moments within five deviations of what they should be, and all finite.
TEST(Random, NormalsHaveTheMomentsOfNormals) {
  constexpr int64_t count = 1 << 16;
  const Tensor out = output_of(random_of({RandomMode::normal, 0, 0}, {count}, 42, 1));
  double sum = 0, square = 0, cube = 0, fourth = 0, neighbours = 0;
  for (int64_t e = 0; e < count; ++e) {
    const double x = test::f32_of(at(out, e));
    ASSERT_LT(std::abs(x), 5.8);  // sqrt(−2 log 2^-24) is 5.77
    sum += x;
    square += x * x;
    cube += x * x * x;
    fourth += x * x * x * x;
    neighbours += e % 2 == 0 ? x * test::f32_of(at(out, e + 1)) : 0;
  }
  const double n = count;
  const double off = 5 / std::sqrt(n);
  EXPECT_NEAR(sum / n, 0, off);
  EXPECT_NEAR(square / n, 1, off * std::sqrt(2.0));
  EXPECT_NEAR(cube / n, 0, off * std::sqrt(15.0));
  EXPECT_NEAR(fourth / n, 3, off * std::sqrt(96.0));
  EXPECT_NEAR(neighbours / n, 0, off);
}

TEST(Random, StreamsStepsAndSeedsDiffer) {
  const auto bytes = [](uint32_t stream, uint64_t seed, uint64_t step) {
    return output_of(random_of({RandomMode::bits, stream, 0}, {8}, seed, step)).data;
  };
  const Bytes one = bytes(1, 2, 3);
  EXPECT_EQ(one, bytes(1, 2, 3));
  EXPECT_NE(one, bytes(2, 2, 3));
  EXPECT_NE(one, bytes(1, 3, 3));
  EXPECT_NE(one, bytes(1, 2 + (uint64_t{1} << 32), 3));
  EXPECT_NE(one, bytes(1, 2, 4));
}

}  // namespace
}  // namespace lockstep::law
