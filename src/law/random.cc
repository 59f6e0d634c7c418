// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC'11) and the shuffle that the law builds on it.
#include "base/check.h"
#include "law/scalar.h"

namespace lockstep::law {

Philox philox(const Philox& counter, uint64_t key) {
  constexpr int rounds = 10;
  Philox x = counter;
  uint32_t key_low = static_cast<uint32_t>(key);
  uint32_t key_high = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < rounds; ++round) {
    const uint64_t first = uint64_t{0xd251'1f53} * x.word[0];
    const uint64_t second = uint64_t{0xcd9e'8d57} * x.word[2];
    x = Philox{{static_cast<uint32_t>(second >> 32) ^ x.word[1] ^ key_low,
                static_cast<uint32_t>(second),
                static_cast<uint32_t>(first >> 32) ^ x.word[3] ^ key_high,
                static_cast<uint32_t>(first)}};
    key_low += 0x9e37'79b9;
    key_high += 0xbb67'ae85;
  }
  return x;
}

uint64_t shuffled(uint64_t seed, uint64_t count, uint64_t place) {
  CHECK(place < count);
  constexpr uint32_t rounds = 4;
  // Halves of h bits: 2^(2h) ≥ count, and h ≥ 1.
  uint32_t half_bits = 1;
  while (half_bits < 32 && (uint64_t{1} << (2 * half_bits)) < count) {
    ++half_bits;
  }
  const uint32_t mask = static_cast<uint32_t>((uint64_t{1} << half_bits) - 1);
  uint64_t at = place;
  // A permutation of 2^(2h) places walked until it comes back below count is one of count places.
  do {
    uint32_t left = static_cast<uint32_t>(at >> half_bits);
    uint32_t right = static_cast<uint32_t>(at) & mask;
    for (uint32_t round = 0; round < rounds; ++round) {
      const uint32_t mixed = left ^ (philox(Philox{{right, round, 0, 0}}, seed).word[0] & mask);
      left = right;
      right = mixed;
    }
    at = (uint64_t{left} << half_bits) | right;
  } while (at >= count);
  return at;
}

}  // namespace lockstep::law
