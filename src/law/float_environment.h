// The floating-point state that the law computes in: nearest even, subnormals kept, no traps.
#pragma once

#include <cstdint>

namespace lockstep::law {

/// Sets MXCSR to 0x1f80 (FPCR to 0) for its lifetime and restores what was there. Every entry to a
/// kernel thread, to the law and to the judge holds one.
class FloatEnvironment {
 public:
  FloatEnvironment();
  ~FloatEnvironment();
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;
  /// The state now; sticky exception flags left out.
  static uint64_t current();
  static constexpr uint64_t expected =
#if defined(__x86_64__)
      0x1f80;
#else
      0;
#endif

 private:
  uint64_t saved_;
};

}  // namespace lockstep::law
