// The compression function and the kernels behind blake3.h. Only src/crypto/ includes this file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "crypto/blake3.h"

namespace lockstep::crypto::internal {

inline constexpr size_t block_bytes = 64;
inline constexpr size_t chunk_bytes = 1024;
inline constexpr size_t chunk_blocks = chunk_bytes / block_bytes;

/// A chaining value.
using Words = std::array<uint32_t, 8>;
using Block = std::array<uint32_t, 16>;

/// Flags of a compression, by the specification's table 3.
enum Flag : uint32_t {
  chunk_start = 1U << 0,
  chunk_end = 1U << 1,
  parent = 1U << 2,
  root = 1U << 3,
  keyed_hash = 1U << 4,
  derive_key_context = 1U << 5,
  derive_key_material = 1U << 6,
};

inline constexpr Words initial_words = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

inline constexpr size_t rounds = 7;

/// Row r holds the order in which round r reads the message words: the specification's permutation
/// applied r times.
constexpr std::array<std::array<size_t, 16>, rounds> make_schedule() {
  constexpr std::array<size_t, 16> permutation = {
      2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
  std::array<std::array<size_t, 16>, rounds> schedule{};
  for (size_t i = 0; i < 16; ++i) {
    schedule[0][i] = i;
  }
  for (size_t r = 1; r < rounds; ++r) {
    for (size_t i = 0; i < 16; ++i) {
      schedule[r][i] = schedule[r - 1][permutation[i]];
    }
  }
  return schedule;
}
inline constexpr auto schedule = make_schedule();

constexpr uint32_t load_word(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8 |
         static_cast<uint32_t>(bytes[2]) << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

constexpr void store_word(uint32_t word, uint8_t* bytes) {
  bytes[0] = static_cast<uint8_t>(word);
  bytes[1] = static_cast<uint8_t>(word >> 8);
  bytes[2] = static_cast<uint8_t>(word >> 16);
  bytes[3] = static_cast<uint8_t>(word >> 24);
}

/// All inputs of one compression.
struct Compression {
  Words chain;
  Block block;
  uint64_t counter = 0;
  uint32_t length = block_bytes;
  uint32_t flags = 0;
};

/// The sixteen output words; the first eight are the chaining value.
[[nodiscard]] Block compress(const Compression& input);
[[nodiscard]] Words chain_of(const Compression& input);

/// Sixteen words of a block that is zero after `bytes` (at most 64).
[[nodiscard]] Block load_block(ByteView bytes);
/// The compression of the parent of two chaining values.
[[nodiscard]] Compression parent_of(const Mode& mode, const Words& left, const Words& right);
/// The last compression of one chunk of at most 1,024 bytes.
[[nodiscard]] Compression chunk_of(const Mode& mode, ByteView bytes, uint64_t index);

/// What differs between instruction sets.
struct Kernels {
  /// The chaining values of `count` whole chunks that lie in a row, the first with index `first`.
  void (*chunks)(const Mode& mode, const uint8_t* bytes, uint64_t first, size_t count, Words* out);
  /// Parent i is over children 2i and 2i + 1. `out` may be `children`.
  void (*parents)(const Mode& mode, const Words* children, size_t count, Words* out);
};

extern const Kernels portable_kernels;
#if defined(__x86_64__)
/// Only for a CPU with AVX2.
extern const Kernels avx2_kernels;
#endif

}  // namespace lockstep::crypto::internal
