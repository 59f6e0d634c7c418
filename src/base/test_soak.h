// For tests only: how long and with which seed they run, from the environment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOCKSTEP_SANITIZED
#endif
#endif

namespace lockstep {

/// A build under sanitizers is several times slower, and looks for other faults than wrong results.
#ifdef LOCKSTEP_SANITIZED
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

/// The number in an environment variable; nothing when there is none. Tests read it before they
/// start a thread.
inline std::optional<uint64_t> test_number(const char* name) {
  const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return text == nullptr ? std::nullopt : std::optional(std::strtoull(text, nullptr, 10));
}

/// LOCKSTEP_SOAK multiplies the cases of property tests; 1 when it is not set.
inline uint64_t soak_times() {
  return std::max<uint64_t>(1, test_number("LOCKSTEP_SOAK").value_or(1));
}

}  // namespace lockstep
