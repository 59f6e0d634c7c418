// The BLAKE3 compression function and kernels in plain C++: the reference for all others.
#include <algorithm>
#include <bit>
#include <utility>

#include "crypto/blake3_internal.h"

namespace lockstep::crypto::internal {
namespace {

struct Column {
  size_t a, b, c, d;
};

// The four columns, then the four diagonals, of the 4 x 4 state.
constexpr std::array<Column, 8> columns = {{{0, 4, 8, 12},
                                            {1, 5, 9, 13},
                                            {2, 6, 10, 14},
                                            {3, 7, 11, 15},
                                            {0, 5, 10, 15},
                                            {1, 6, 11, 12},
                                            {2, 7, 8, 13},
                                            {3, 4, 9, 14}}};

template <size_t round, size_t column>
inline void mix(Block& v, const Block& message) {
  constexpr Column at = columns[column];
  v[at.a] += v[at.b] + message[schedule[round][2 * column]];
  v[at.d] = std::rotr(v[at.d] ^ v[at.a], 16);
  v[at.c] += v[at.d];
  v[at.b] = std::rotr(v[at.b] ^ v[at.c], 12);
  v[at.a] += v[at.b] + message[schedule[round][2 * column + 1]];
  v[at.d] = std::rotr(v[at.d] ^ v[at.a], 8);
  v[at.c] += v[at.d];
  v[at.b] = std::rotr(v[at.b] ^ v[at.c], 7);
}

// Indices are template parameters, so that the state stays in registers.
template <size_t... steps>
inline void mix_all(Block& v, const Block& message, std::index_sequence<steps...> /*steps*/) {
  (mix<steps / 8, steps % 8>(v, message), ...);
}

Block mixed_state(const Compression& in) {
  Block v = {in.chain[0],
             in.chain[1],
             in.chain[2],
             in.chain[3],
             in.chain[4],
             in.chain[5],
             in.chain[6],
             in.chain[7],
             initial_words[0],
             initial_words[1],
             initial_words[2],
             initial_words[3],
             static_cast<uint32_t>(in.counter),
             static_cast<uint32_t>(in.counter >> 32),
             in.length,
             in.flags};
  mix_all(v, in.block, std::make_index_sequence<8 * rounds>());
  return v;
}

void portable_chunks(
    const Mode& mode, const uint8_t* bytes, uint64_t first, size_t count, Words* out) {
  for (size_t i = 0; i < count; ++i) {
    const ByteView chunk(bytes + i * chunk_bytes, chunk_bytes);
    out[i] = chain_of(chunk_of(mode, chunk, first + i));
  }
}

void portable_parents(const Mode& mode, const Words* children, size_t count, Words* out) {
  for (size_t i = 0; i < count; ++i) {
    out[i] = chain_of(parent_of(mode, children[2 * i], children[2 * i + 1]));
  }
}

}  // namespace

const Kernels portable_kernels = {portable_chunks, portable_parents};

Block compress(const Compression& input) {
  Block v = mixed_state(input);
  for (size_t i = 0; i < 8; ++i) {
    v[i] ^= v[i + 8];
    v[i + 8] ^= input.chain[i];
  }
  return v;
}

Words chain_of(const Compression& input) {
  const Block v = mixed_state(input);
  Words chain;
  for (size_t i = 0; i < 8; ++i) {
    chain[i] = v[i] ^ v[i + 8];
  }
  return chain;
}

Block load_block(ByteView bytes) {
  std::array<uint8_t, block_bytes> padded{};
  std::copy(bytes.begin(), bytes.end(), padded.begin());
  Block block;
  for (size_t i = 0; i < block.size(); ++i) {
    block[i] = load_word(padded.data() + 4 * i);
  }
  return block;
}

Compression parent_of(const Mode& mode, const Words& left, const Words& right) {
  Compression result;
  result.chain = mode.key;
  std::copy(left.begin(), left.end(), result.block.begin());
  std::copy(right.begin(), right.end(), result.block.begin() + 8);
  result.flags = mode.flags | parent;
  return result;
}

Compression chunk_of(const Mode& mode, ByteView bytes, uint64_t index) {
  Compression state;
  state.chain = mode.key;
  state.counter = index;
  state.flags = mode.flags | chunk_start;
  while (bytes.size() > block_bytes) {
    state.block = load_block(bytes.first(block_bytes));
    state.chain = chain_of(state);
    state.flags = mode.flags;
    bytes = bytes.subspan(block_bytes);
  }
  state.block = load_block(bytes);
  state.length = static_cast<uint32_t>(bytes.size());
  state.flags |= chunk_end;
  return state;
}

}  // namespace lockstep::crypto::internal
