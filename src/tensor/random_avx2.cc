// Philox with AVX2: eight counters at a time.
#if defined(__x86_64__)

#include "tensor/general_avx2.h"

namespace lockstep::tensor {
namespace {

/// Low and high halves of eight products of 32 bits.
struct Product {
  __m256i low, high;
};
LOCKSTEP_AVX2 inline Product product8(__m256i a, uint32_t factor) {
  const __m256i b = _mm256_set1_epi32(static_cast<int>(factor));
  const __m256i even = _mm256_mul_epu32(a, b);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
  return {_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa),
          _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa)};
}

LOCKSTEP_AVX2 inline __m256i word(uint64_t value) {
  return _mm256_set1_epi32(static_cast<int>(static_cast<uint32_t>(value)));
}

/// Counters first … first + 7, whose low words do not overflow: 32 words in the order of the
/// stream.
LOCKSTEP_AVX2 void eight_counters(const PhiloxStream& stream, uint64_t first, uint32_t* out) {
  __m256i x0 = _mm256_add_epi32(word(first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  __m256i x1 = word(first >> 32);
  __m256i x2 = word(stream.id);
  __m256i x3 = word(stream.step);
  auto key_low = static_cast<uint32_t>(stream.seed);
  auto key_high = static_cast<uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Product a = product8(x0, 0xd2511f53);
    const Product b = product8(x2, 0xcd9e8d57);
    x0 = _mm256_xor_si256(_mm256_xor_si256(b.high, x1), word(key_low));
    x1 = b.low;
    x2 = _mm256_xor_si256(_mm256_xor_si256(a.high, x3), word(key_high));
    x3 = a.low;
    key_low += 0x9e3779b9;
    key_high += 0xbb67ae85;
  }
  // Words of one kind to words of one counter; a half of a vector is counters 0 … 3 or 4 … 7.
  const __m256i low01 = _mm256_unpacklo_epi32(x0, x1);
  const __m256i high01 = _mm256_unpackhi_epi32(x0, x1);
  const __m256i low23 = _mm256_unpacklo_epi32(x2, x3);
  const __m256i high23 = _mm256_unpackhi_epi32(x2, x3);
  const __m256i four[] = {_mm256_unpacklo_epi64(low01, low23),     // counters 0 and 4
                          _mm256_unpackhi_epi64(low01, low23),     // 1 and 5
                          _mm256_unpacklo_epi64(high01, high23),   // 2 and 6
                          _mm256_unpackhi_epi64(high01, high23)};  // 3 and 7
  auto* const to = reinterpret_cast<__m256i*>(out);
  _mm256_storeu_si256(to, _mm256_permute2x128_si256(four[0], four[1], 0x20));
  _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(four[2], four[3], 0x20));
  _mm256_storeu_si256(to + 2, _mm256_permute2x128_si256(four[0], four[1], 0x31));
  _mm256_storeu_si256(to + 3, _mm256_permute2x128_si256(four[2], four[3], 0x31));
}

void philox_avx2(const PhiloxStream& stream, uint64_t first, std::span<uint32_t> words) {
  while (words.size() >= 32 && static_cast<uint32_t>(first) <= UINT32_MAX - 8) {
    eight_counters(stream, first, words.data());
    words = words.subspan(32);
    first += 8;
  }
  philox_portable(stream, first, words);
}

}  // namespace

void run_random_avx2(const Call& call) {
  run_random(call, philox_avx2, map_step_avx2);
}

}  // namespace lockstep::tensor

#endif
