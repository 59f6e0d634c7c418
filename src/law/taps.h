// The taps of a strided axis in a convolution's input gradient, found without trying them all.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>

namespace lockstep::law {

/// Taps k = first, first + every, … of one axis, `count` of them.
struct Taps {
  int64_t first = 0, every = 1, count = 0;
};

/// For position i: the k in [0, size) with (i + pad − dilation·k) mod stride = 0.
class TapRule {
 public:
  TapRule(int64_t pad, int64_t dilation, int64_t stride, int64_t size)
      : pad_(pad),
        size_(size),
        common_(std::gcd(dilation, stride)),
        every_(stride / common_),
        inverse_(inverse(dilation / common_ % every_, every_)) {}
  [[nodiscard]] Taps at(int64_t i) const {
    const int64_t padded = i + pad_;
    if (padded % common_ != 0) {
      return {};
    }
    const int64_t first = padded / common_ % every_ * inverse_ % every_;
    return {first, every_, first < size_ ? (size_ - 1 - first) / every_ + 1 : 0};
  }
  /// Positions that are not a multiple of this, from the padding's edge, have no taps.
  [[nodiscard]] int64_t common() const { return common_; }
  [[nodiscard]] int64_t every() const { return every_; }

 private:
  /// The x with a·x = 1 mod m, for a and m without a common divisor: Euclid's, extended.
  [[nodiscard]] static int64_t inverse(int64_t a, int64_t m) {
    int64_t rest = m;
    int64_t next = a;
    int64_t x = 0;
    int64_t x_next = 1;
    while (next != 0) {
      const int64_t times = rest / next;
      rest -= times * next;
      std::swap(rest, next);
      x -= times * x_next;
      std::swap(x, x_next);
    }
    return (x % m + m) % m;
  }
  int64_t pad_, size_, common_, every_, inverse_;
};

}  // namespace lockstep::law
