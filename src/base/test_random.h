// For tests only: the same random numbers everywhere.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace lockstep {

/// splitmix64.
class TestRandom {
 public:
  explicit constexpr TestRandom(uint64_t seed) : state_(seed) {}
  constexpr uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  /// Uniform enough in [0, n), n not 0.
  constexpr uint64_t below(uint64_t n) { return next() % n; }
  /// Uniform enough in [low, high].
  constexpr int64_t in(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low + 1)));
  }
  constexpr bool chance(uint64_t one_in) { return below(one_in) == 0; }
  template <class T>
  constexpr T of(std::initializer_list<T> list) {
    return list.begin()[below(list.size())];
  }
  /// Uniform in [low, high).
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(next() >> 40) * 0x1p-24F;
  }

 private:
  uint64_t state_;
};

/// One number that looks nothing like its neighbours'.
constexpr uint64_t test_mixed(uint64_t number) {
  return TestRandom(number).next();
}

}  // namespace lockstep
