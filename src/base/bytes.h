// Byte strings, 32-byte hashes and their hexadecimal text.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockstep {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

/// A 32-byte digest. All zero is no digest of anything known.
struct Hash {
  std::array<uint8_t, 32> bytes{};
  auto operator<=>(const Hash&) const = default;
  [[nodiscard]] ByteView view() const { return bytes; }
};

struct HashOfHash {
  size_t operator()(const Hash& hash) const {
    size_t word = 0;
    std::memcpy(&word, hash.bytes.data(), sizeof word);
    return word;
  }
};

/// Lower-case hexadecimal, two characters a byte.
[[nodiscard]] std::string to_hex(ByteView bytes);
/// Errors: not_canonical for odd length or a character outside 0-9a-f.
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);

}  // namespace lockstep
