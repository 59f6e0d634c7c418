// BLAKE3 kernels that compress eight chunks, or eight parents, at a time: lane i of each vector is
// chunk i. The functions carry their target, so the file needs no flags of its own.
#include <algorithm>
#include <utility>

#include "crypto/blake3_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LOCKSTEP_AVX2 __attribute__((target("avx2")))
#define LOCKSTEP_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

namespace lockstep::crypto::internal {
namespace {

constexpr size_t lanes = 8;

// Below these counts one lane after another is faster than eight lanes of which most idle.
constexpr size_t chunks_min = 3;
constexpr size_t parents_min = 3;

/// What eight compressions share or take lane by lane.
struct Batch {
  std::array<const uint8_t*, lanes> bytes;
  std::array<uint32_t, lanes> counter_low, counter_high;
};

LOCKSTEP_AVX2_INLINE __m256i splat(uint32_t word) {
  return _mm256_set1_epi32(static_cast<int>(word));
}

LOCKSTEP_AVX2_INLINE __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

LOCKSTEP_AVX2_INLINE void store(void* to, __m256i value) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}

LOCKSTEP_AVX2_INLINE __m256i rotate_16(__m256i x) {
  const __m256i order = _mm256_set_epi8(13,
                                        12,
                                        15,
                                        14,
                                        9,
                                        8,
                                        11,
                                        10,
                                        5,
                                        4,
                                        7,
                                        6,
                                        1,
                                        0,
                                        3,
                                        2,  //
                                        13,
                                        12,
                                        15,
                                        14,
                                        9,
                                        8,
                                        11,
                                        10,
                                        5,
                                        4,
                                        7,
                                        6,
                                        1,
                                        0,
                                        3,
                                        2);
  return _mm256_shuffle_epi8(x, order);
}

LOCKSTEP_AVX2_INLINE __m256i rotate_8(__m256i x) {
  const __m256i order = _mm256_set_epi8(12,
                                        15,
                                        14,
                                        13,
                                        8,
                                        11,
                                        10,
                                        9,
                                        4,
                                        7,
                                        6,
                                        5,
                                        0,
                                        3,
                                        2,
                                        1,  //
                                        12,
                                        15,
                                        14,
                                        13,
                                        8,
                                        11,
                                        10,
                                        9,
                                        4,
                                        7,
                                        6,
                                        5,
                                        0,
                                        3,
                                        2,
                                        1);
  return _mm256_shuffle_epi8(x, order);
}

template <int count>
LOCKSTEP_AVX2_INLINE __m256i rotate(__m256i x) {
  return _mm256_or_si256(_mm256_srli_epi32(x, count), _mm256_slli_epi32(x, 32 - count));
}

/// One half of the mixing function on the four columns or the four diagonals: `shift` is 0 or 1.
/// The four are interleaved, because each alone is one long chain of dependent operations.
template <size_t round, size_t shift, size_t half>
LOCKSTEP_AVX2_INLINE void mix_half(__m256i* v, const __m256i* message) {
  constexpr const auto& order = schedule[round];
  constexpr size_t word = 8 * shift + half;
  constexpr size_t b0 = 4 + shift % 4, b1 = 4 + (1 + shift) % 4, b2 = 4 + (2 + shift) % 4,
                   b3 = 4 + (3 + shift) % 4;
  constexpr size_t c0 = 8 + (2 * shift) % 4, c1 = 8 + (1 + 2 * shift) % 4,
                   c2 = 8 + (2 + 2 * shift) % 4, c3 = 8 + (3 + 2 * shift) % 4;
  constexpr size_t d0 = 12 + (3 * shift) % 4, d1 = 12 + (1 + 3 * shift) % 4,
                   d2 = 12 + (2 + 3 * shift) % 4, d3 = 12 + (3 + 3 * shift) % 4;
  v[0] = _mm256_add_epi32(_mm256_add_epi32(v[0], message[order[word]]), v[b0]);
  v[1] = _mm256_add_epi32(_mm256_add_epi32(v[1], message[order[word + 2]]), v[b1]);
  v[2] = _mm256_add_epi32(_mm256_add_epi32(v[2], message[order[word + 4]]), v[b2]);
  v[3] = _mm256_add_epi32(_mm256_add_epi32(v[3], message[order[word + 6]]), v[b3]);
  v[d0] = _mm256_xor_si256(v[d0], v[0]);
  v[d1] = _mm256_xor_si256(v[d1], v[1]);
  v[d2] = _mm256_xor_si256(v[d2], v[2]);
  v[d3] = _mm256_xor_si256(v[d3], v[3]);
  v[d0] = half == 0 ? rotate_16(v[d0]) : rotate_8(v[d0]);
  v[d1] = half == 0 ? rotate_16(v[d1]) : rotate_8(v[d1]);
  v[d2] = half == 0 ? rotate_16(v[d2]) : rotate_8(v[d2]);
  v[d3] = half == 0 ? rotate_16(v[d3]) : rotate_8(v[d3]);
  v[c0] = _mm256_add_epi32(v[c0], v[d0]);
  v[c1] = _mm256_add_epi32(v[c1], v[d1]);
  v[c2] = _mm256_add_epi32(v[c2], v[d2]);
  v[c3] = _mm256_add_epi32(v[c3], v[d3]);
  v[b0] = rotate < half == 0 ? 12 : 7 > (_mm256_xor_si256(v[b0], v[c0]));
  v[b1] = rotate < half == 0 ? 12 : 7 > (_mm256_xor_si256(v[b1], v[c1]));
  v[b2] = rotate < half == 0 ? 12 : 7 > (_mm256_xor_si256(v[b2], v[c2]));
  v[b3] = rotate < half == 0 ? 12 : 7 > (_mm256_xor_si256(v[b3], v[c3]));
}

template <size_t... steps>
LOCKSTEP_AVX2_INLINE void mix_all(__m256i* v,
                                  const __m256i* message,
                                  std::index_sequence<steps...> /*steps*/) {
  (mix_half<steps / 4, steps / 2 % 2, steps % 2>(v, message), ...);
}

/// Word i of row j becomes word j of row i.
LOCKSTEP_AVX2_INLINE void transpose(__m256i* rows) {
  __m256i pairs[8];
  for (size_t i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  __m256i fours[8];
  for (size_t i = 0; i < 8; i += 4) {
    fours[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
    fours[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
    fours[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    fours[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
  for (size_t i = 0; i < 4; ++i) {
    rows[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
  }
}

/// Replaces the eight chaining values in `chain` (word by word) by those after block `block`.
LOCKSTEP_AVX2 void compress_block(const Batch& batch,
                                  size_t block,
                                  uint32_t flags,
                                  __m256i* chain) {
  __m256i message[16];
  for (size_t i = 0; i < lanes; ++i) {
    message[i] = load(batch.bytes[i] + block * block_bytes);
    message[i + 8] = load(batch.bytes[i] + block * block_bytes + 32);
  }
  transpose(message);
  transpose(message + 8);
  __m256i v[16];
  for (size_t i = 0; i < 8; ++i) {
    v[i] = chain[i];
  }
  for (size_t i = 0; i < 4; ++i) {
    v[8 + i] = splat(initial_words[i]);
  }
  v[12] = load(batch.counter_low.data());
  v[13] = load(batch.counter_high.data());
  v[14] = splat(block_bytes);
  v[15] = splat(flags);
  mix_all(v, message, std::make_index_sequence<4 * rounds>());
  for (size_t i = 0; i < 8; ++i) {
    chain[i] = _mm256_xor_si256(v[i], v[i + 8]);
  }
}

LOCKSTEP_AVX2_INLINE void start(const Mode& mode, __m256i* chain) {
  for (size_t i = 0; i < 8; ++i) {
    chain[i] = splat(mode.key[i]);
  }
}

LOCKSTEP_AVX2_INLINE void finish(__m256i* chain, size_t count, Words* out) {
  transpose(chain);
  for (size_t i = 0; i < count; ++i) {
    store(out[i].data(), chain[i]);
  }
}

// Lanes beyond `count` repeat the last one, so that nothing outside the input is read.
LOCKSTEP_AVX2 void chunk_batch(
    const Mode& mode, const uint8_t* bytes, uint64_t first, size_t count, Words* out) {
  Batch batch;
  for (size_t i = 0; i < lanes; ++i) {
    const size_t at = std::min(i, count - 1);
    batch.bytes[i] = bytes + at * chunk_bytes;
    batch.counter_low[i] = static_cast<uint32_t>(first + at);
    batch.counter_high[i] = static_cast<uint32_t>((first + at) >> 32);
  }
  __m256i chain[8];
  start(mode, chain);
  for (size_t block = 0; block < chunk_blocks; ++block) {
    const uint32_t edge = block == 0 ? +chunk_start : (block + 1 == chunk_blocks ? +chunk_end : 0U);
    compress_block(batch, block, mode.flags | edge, chain);
  }
  finish(chain, count, out);
}

LOCKSTEP_AVX2 void parent_batch(const Mode& mode, const Words* children, size_t count, Words* out) {
  static_assert(sizeof(Words) == 32, "two children in a row are one block");
  Batch batch = {};
  for (size_t i = 0; i < lanes; ++i) {
    batch.bytes[i] = reinterpret_cast<const uint8_t*>(children + 2 * std::min(i, count - 1));
  }
  __m256i chain[8];
  start(mode, chain);
  compress_block(batch, 0, mode.flags | parent, chain);
  finish(chain, count, out);
}

void avx2_chunks(const Mode& mode, const uint8_t* bytes, uint64_t first, size_t count, Words* out) {
  size_t done = 0;
  while (count - done >= chunks_min) {
    const size_t now = std::min(lanes, count - done);
    chunk_batch(mode, bytes + done * chunk_bytes, first + done, now, out + done);
    done += now;
  }
  portable_kernels.chunks(mode, bytes + done * chunk_bytes, first + done, count - done, out + done);
}

void avx2_parents(const Mode& mode, const Words* children, size_t count, Words* out) {
  size_t done = 0;
  while (count - done >= parents_min) {
    const size_t now = std::min(lanes, count - done);
    parent_batch(mode, children + 2 * done, now, out + done);
    done += now;
  }
  portable_kernels.parents(mode, children + 2 * done, count - done, out + done);
}

}  // namespace

const Kernels avx2_kernels = {avx2_chunks, avx2_parents};

}  // namespace lockstep::crypto::internal

#undef LOCKSTEP_AVX2
#undef LOCKSTEP_AVX2_INLINE
#endif
