// Money: whole nano-LKS in 64 bits with checked arithmetic, never a float. As text it always names
// its currency: "12.5 LKS".
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lockstep {

class Amount {
 public:
  static constexpr int decimals = 9;
  static constexpr int64_t nano_per_whole = 1'000'000'000;
  static constexpr std::string_view currency = "LKS";

  constexpr Amount() = default;
  [[nodiscard]] static constexpr Amount from_nano(int64_t nano) { return Amount(nano); }
  /// Reads "12.5 LKS": an optional minus, digits without leading zeros, at most nine decimals, one
  /// space, the currency. Errors: not_canonical for any other text, overflow for a value outside
  /// 64 bits of nano-LKS.
  [[nodiscard]] static Result<Amount> parse(std::string_view text);

  [[nodiscard]] constexpr int64_t nano() const { return nano_; }
  /// The shortest text that parses back to this amount: no trailing zeros after the point.
  [[nodiscard]] std::string print() const;

  /// Errors of all three: overflow. Nothing wraps and nothing is rounded.
  [[nodiscard]] Result<Amount> add(Amount other) const;
  [[nodiscard]] Result<Amount> subtract(Amount other) const;
  [[nodiscard]] Result<Amount> multiply(int64_t factor) const;

  constexpr auto operator<=>(const Amount&) const = default;

 private:
  explicit constexpr Amount(int64_t nano) : nano_(nano) {}

  int64_t nano_ = 0;
};

}  // namespace lockstep
