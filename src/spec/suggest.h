// "Did you mean": the known word nearest to one that a person mistyped.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lockstep::spec {

/// How many single-letter insertions, removals, replacements and swaps of neighbours turn `a` into
/// `b`, when no letter is edited twice. Works on bytes; time and memory grow with the product of
/// the lengths, so callers bound them.
[[nodiscard]] size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word` in ASCII lower case, the first among equals; none when more than
/// a third of the letters (at least one) would have to change or the word is longer than 64 bytes.
[[nodiscard]] std::optional<std::string_view> suggest(std::string_view word,
                                                      std::span<const std::string_view> candidates);

/// What to tell a person: `did you mean "x"?`, or without a near candidate all of them:
/// `write one of: x, y`.
[[nodiscard]] std::string advice(std::string_view word,
                                 std::span<const std::string_view> candidates);

}  // namespace lockstep::spec
