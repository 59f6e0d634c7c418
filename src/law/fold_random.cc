// Random numbers: words of Philox by place, and what becomes of them.
#include <bit>

#include "law/fold_internal.h"

namespace lockstep::law {
namespace {

/// The word's 24 high bits as a float: exact.
float high_bits(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word >> 8));
}

class Random final : public OneTerm {
 public:
  explicit Random(const Op& op) : OneTerm(op), attr_(std::get<RandomAttr>(op.record->attributes)) {}
  [[nodiscard]] uint64_t finish(int64_t o, Reader& in, std::span<const uint64_t>) const override {
    const auto place = static_cast<uint64_t>(o);
    const uint64_t block = place / 4;
    const Philox counter{{static_cast<uint32_t>(block),
                          static_cast<uint32_t>(block >> 32),
                          attr_.stream,
                          static_cast<uint32_t>(in.bits(1, 0))}};
    const Philox words = philox(counter, in.bits(0, 0));
    const uint32_t word = words.word[place % 4];
    switch (attr_.mode) {
      case RandomMode::uniform:
        return std::bit_cast<uint32_t>(high_bits(word) * 0x1p-24F);
      case RandomMode::normal:
        return std::bit_cast<uint32_t>(normal(words, place % 4));
      case RandomMode::keep:
        return word < attr_.threshold ? 1 : 0;
      default:
        return word;
    }
  }

 private:
  /// Box and Muller's, of the pair of words that `at` is in. u1 is in (0, 1], so that no logarithm
  /// of 0 is taken; it and u2 are exact.
  [[nodiscard]] static float normal(const Philox& words, size_t at) {
    const size_t pair = at / 2 * 2;
    const float u1 = (high_bits(words.word[pair]) + 1.0F) * 0x1p-24F;
    const float u2 = high_bits(words.word[pair + 1]) * 0x1p-24F;
    const float radius = __builtin_sqrtf(-2.0F * log_f32(u1));
    const float angle = 0x1.921fb6p+2F * u2;  // 2π, rounded to f32
    return radius * (at == pair ? cos_f32(angle) : sin_f32(angle));
  }
  const RandomAttr& attr_;
};

}  // namespace

std::unique_ptr<Primitive> random_primitive(const Op& op) {
  return std::make_unique<Random>(op);
}

}  // namespace lockstep::law
