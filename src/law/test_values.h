// For tests only: a generator of integers and the bits of floats, as the law's tests need them.
#pragma once

#include <bit>
#include <cstdint>

namespace lockstep::law::test {

inline uint64_t bits_of(float x) {
  return std::bit_cast<uint32_t>(x);
}
inline uint64_t bits_of(double x) {
  return std::bit_cast<uint64_t>(x);
}
inline float f32_of(uint64_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits));
}
inline double f64_of(uint64_t bits) {
  return std::bit_cast<double>(bits);
}

/// splitmix64.
class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    state_ += 0x9e37'79b9'7f4a'7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
  }
  /// Of any length, so that small and large integers are equally likely.
  uint64_t next_of_any_length() {
    const uint64_t length = next() % 64;
    return next() >> length;
  }
  /// Uniform in [low, high].
  int64_t in(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }

 private:
  uint64_t state_;
};

}  // namespace lockstep::law::test
