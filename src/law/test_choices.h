// For tests only: where the random choices of a test come from: a seed, or the bytes of a fuzzer.
#pragma once

#include "base/bytes.h"
#include "base/test_random.h"

namespace lockstep::law::test {

class Choices {
 public:
  Choices() = default;
  Choices(const Choices&) = delete;
  Choices& operator=(const Choices&) = delete;
  virtual ~Choices() = default;
  /// In [0, n), n not 0 and at most 2^32.
  virtual uint64_t below(uint64_t n) = 0;

  /// In [low, high].
  int64_t in(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  /// One time in `n`; never once the source has run dry, so that small inputs stay plain.
  bool chance(uint64_t n) { return below(n) == n - 1; }
  template <class T>
  T of(std::initializer_list<T> list) {
    return list.begin()[below(list.size())];
  }
  uint64_t bits() {
    const uint64_t high = below(uint64_t{1} << 32);
    return high << 32 | below(uint64_t{1} << 32);
  }
};

/// The same choices for the same seed.
class SeededChoices final : public Choices {
 public:
  explicit SeededChoices(uint64_t seed) : random_(seed) {}
  uint64_t below(uint64_t n) override { return random_.below(n); }

 private:
  TestRandom random_;
};

/// Choices read from bytes: as many of them as n needs each time, 0 where none is left.
class ByteChoices final : public Choices {
 public:
  explicit ByteChoices(ByteView bytes) : bytes_(bytes) {}
  uint64_t below(uint64_t n) override {
    uint64_t value = 0;
    for (uint64_t rest = n - 1; rest > 0; rest >>= 8) {
      const bool empty = at_ == bytes_.size();
      value = value << 8 | (empty ? uint64_t{0} : uint64_t{bytes_[at_]});
      at_ += empty ? 0 : 1;
    }
    return value % n;
  }
  /// Bytes not taken yet.
  [[nodiscard]] size_t left() const { return bytes_.size() - at_; }

 private:
  ByteView bytes_;
  size_t at_ = 0;
};

}  // namespace lockstep::law::test
