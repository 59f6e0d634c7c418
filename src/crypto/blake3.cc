// BLAKE3 modes, the incremental hasher and the walks through the tree. The compressions are in
// blake3_portable.cc and blake3_avx2.cc.
#include "crypto/blake3.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "crypto/blake3_internal.h"

namespace lockstep::crypto {
namespace {

using internal::chunk_bytes;
using internal::Compression;
using internal::Kernels;
using internal::Words;

// Chunks that are compressed level by level before they go on the stack: enough to fill eight
// lanes for most levels, little enough for the stack of a thread.
constexpr size_t group_chunks = 64;
// A message of 2^64 bytes has 2^54 chunks.
constexpr uint64_t chunks_max = uint64_t{1} << 54;

// Begins on first use, which the language makes safe between threads; after that only set_isa()
// writes, before there are threads.
Isa& chosen_isa() {
  static Isa chosen = best_isa();
  return chosen;
}

const Kernels& kernels() {
#if defined(__x86_64__)
  if (chosen_isa() == Isa::avx2) {
    return internal::avx2_kernels;
  }
#endif
  return internal::portable_kernels;
}

Hash hash_of(const Words& words) {
  Hash hash;
  for (size_t i = 0; i < words.size(); ++i) {
    internal::store_word(words[i], hash.bytes.data() + 4 * i);
  }
  return hash;
}

Words words_of(const uint8_t* bytes) {
  Words words;
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = internal::load_word(bytes + 4 * i);
  }
  return words;
}

/// The value of a node from its last compression.
Hash node_hash(Compression node, bool is_root) {
  if (is_root) {
    node.flags |= internal::root;
    node.counter = 0;
  }
  return hash_of(internal::chain_of(node));
}

/// The last compression of the subtree over at most `group_chunks` chunks.
Compression group_node(const Mode& mode, ByteView bytes, uint64_t first) {
  if (bytes.size() <= chunk_bytes) {
    return internal::chunk_of(mode, bytes, first);
  }
  const Kernels& kernel = kernels();
  std::array<Words, group_chunks> chains;
  const size_t whole = bytes.size() / chunk_bytes;
  size_t count = whole;
  kernel.chunks(mode, bytes.data(), first, whole, chains.data());
  if (bytes.size() % chunk_bytes != 0) {
    chains[count] = internal::chain_of(
        internal::chunk_of(mode, bytes.subspan(whole * chunk_bytes), first + whole));
    ++count;
  }
  // An odd node at the end of a level moves up unchanged: this is the tree of the specification.
  while (count > 2) {
    const size_t pairs = count / 2;
    kernel.parents(mode, chains.data(), pairs, chains.data());
    if (count % 2 != 0) {
      chains[pairs] = chains[count - 1];
    }
    count = pairs + count % 2;
  }
  return internal::parent_of(mode, chains[0], chains[1]);
}

/// The chaining values of complete subtrees to the left, the largest at the bottom.
struct Stack {
  std::span<Words> words;
  size_t& size;

  /// Puts a complete subtree on top and closes the parents that it completes. `end` counts the
  /// subtrees of this size up to and including this one. More input must follow: the root is not
  /// closed here.
  void push(const Mode& mode, Words chain, uint64_t end) {
    for (; end % 2 == 0; end /= 2) {
      CHECK(size > 0);
      --size;
      chain = internal::chain_of(internal::parent_of(mode, words[size], chain));
    }
    CHECK(size < words.size());
    words[size] = chain;
    ++size;
  }

  /// The last compression of the whole, when `node` is what lies right of the stack.
  [[nodiscard]] Compression fold(const Mode& mode, Compression node) const {
    for (size_t i = size; i > 0; --i) {
      node = internal::parent_of(mode, words[i - 1], internal::chain_of(node));
    }
    return node;
  }
};

/// The last compression of the subtree over `bytes`, which begin with chunk `first`.
Compression tree_node(const Mode& mode, ByteView bytes, uint64_t first) {
  constexpr size_t group_bytes = group_chunks * chunk_bytes;
  std::array<Words, 54> words;
  size_t size = 0;
  Stack stack{words, size};
  uint64_t groups = 0;
  while (bytes.size() > group_bytes) {
    const Compression node =
        group_node(mode, bytes.first(group_bytes), first + groups * group_chunks);
    ++groups;
    stack.push(mode, internal::chain_of(node), groups);
    bytes = bytes.subspan(group_bytes);
  }
  return stack.fold(mode, group_node(mode, bytes, first + groups * group_chunks));
}

/// Nodes of the tree are the ranges [i 2^k, (i + 1) 2^k), cut off at the end of the message.
bool is_node(uint64_t first, uint64_t last, uint64_t chunks) {
  if (first >= last || last > chunks || chunks > chunks_max) {
    return false;
  }
  const uint64_t width = std::bit_ceil(last - first);
  return first % width == 0 && (last - first == width || last == chunks);
}

bool is_whole(uint64_t first, uint64_t last, uint64_t chunks) {
  return first == 0 && last == chunks;
}

/// The size of the left child of a node over `count` > 1 chunks.
uint64_t left_size(uint64_t count) {
  return std::bit_floor(count - 1);
}

}  // namespace

Mode Mode::plain() {
  return {internal::initial_words, 0};
}

Mode Mode::keyed(const std::array<uint8_t, 32>& key) {
  return {words_of(key.data()), internal::keyed_hash};
}

Mode Mode::derive(std::string_view context) {
  Hasher hasher({internal::initial_words, internal::derive_key_context});
  hasher.update(ByteView(reinterpret_cast<const uint8_t*>(context.data()), context.size()));
  return {words_of(hasher.finish().bytes.data()), internal::derive_key_material};
}

Hasher::Hasher(const Mode& mode) : mode_(mode) {}

void Hasher::update(ByteView bytes) {
  Stack stack{stack_, stack_size_};
  while (!bytes.empty()) {
    if (chunk_size_ == chunk_bytes) {
      const Compression node = internal::chunk_of(mode_, chunk_, chunks_done_);
      ++chunks_done_;
      stack.push(mode_, internal::chain_of(node), chunks_done_);
      chunk_size_ = 0;
    }
    if (chunk_size_ == 0 && bytes.size() > chunk_bytes) {
      // The largest complete subtree that may begin here and leaves at least a byte to follow.
      const uint64_t fit = std::bit_floor<uint64_t>((bytes.size() - 1) / chunk_bytes);
      const uint64_t aligned = chunks_done_ & (~chunks_done_ + 1);
      uint64_t count = std::min<uint64_t>(fit, group_chunks);
      count = aligned == 0 ? count : std::min(count, aligned);
      const ByteView now = bytes.first(count * chunk_bytes);
      const Compression node = group_node(mode_, now, chunks_done_);
      chunks_done_ += count;
      stack.push(mode_, internal::chain_of(node), chunks_done_ / count);
      bytes = bytes.subspan(now.size());
      continue;
    }
    const size_t take = std::min(chunk_bytes - chunk_size_, bytes.size());
    std::copy_n(bytes.begin(), take, chunk_.begin() + static_cast<ptrdiff_t>(chunk_size_));
    chunk_size_ += take;
    bytes = bytes.subspan(take);
  }
}

Hash Hasher::finish() const {
  Hash hash;
  finish(hash.bytes);
  return hash;
}

void Hasher::finish(std::span<uint8_t> out) const {
  std::array<Words, 54> words = stack_;
  size_t size = stack_size_;
  const Stack stack{words, size};
  const ByteView last = ByteView(chunk_).first(chunk_size_);
  Compression node = stack.fold(mode_, internal::chunk_of(mode_, last, chunks_done_));
  node.flags |= internal::root;
  // The counter of the root counts blocks of output.
  node.counter = 0;
  for (size_t done = 0; done < out.size(); done += internal::block_bytes) {
    const internal::Block block = internal::compress(node);
    std::array<uint8_t, internal::block_bytes> bytes;
    for (size_t i = 0; i < block.size(); ++i) {
      internal::store_word(block[i], bytes.data() + 4 * i);
    }
    const size_t take = std::min(bytes.size(), out.size() - done);
    std::copy_n(bytes.begin(), take, out.begin() + static_cast<ptrdiff_t>(done));
    ++node.counter;
  }
}

Hash hash(const Mode& mode, ByteView bytes) {
  return node_hash(tree_node(mode, bytes, 0), true);
}

Node subtree(const Mode& mode, ByteView message, uint64_t first, uint64_t last) {
  const uint64_t chunks = chunk_count(message.size());
  CHECK(is_node(first, last, chunks));
  const uint64_t begin = first * chunk_bytes;
  const uint64_t end = std::min<uint64_t>(last * chunk_bytes, message.size());
  const Compression node = tree_node(mode, message.subspan(begin, end - begin), first);
  return {first, last, node_hash(node, is_whole(first, last, chunks))};
}

Result<Node> subtree_at(const Mode& mode, ByteView bytes, uint64_t first, uint64_t chunks) {
  const uint64_t last = first + chunk_count(bytes.size());
  // Only the end of the message may be short, and only the whole of it empty.
  const bool is_size_right = last == chunks ? !bytes.empty() || chunks == 1
                                            : !bytes.empty() && bytes.size() % chunk_bytes == 0;
  if (last < first || !is_node(first, last, chunks) || !is_size_right) {
    return refuse(Code::bad_opening, "the bytes have the wrong size for their place");
  }
  return Node{first, last, node_hash(tree_node(mode, bytes, first), is_whole(first, last, chunks))};
}

std::vector<Hash> path_to_root(const Mode& mode, ByteView message, uint64_t index) {
  const uint64_t chunks = chunk_count(message.size());
  CHECK(index < chunks);
  std::vector<Hash> siblings;
  for (uint64_t width = 1; width < chunks; width *= 2) {
    const uint64_t begin = ((index / width) ^ 1) * width;
    // At the right edge a node may have no sibling on a level; it moves up as it is.
    if (begin < chunks) {
      const uint64_t end = std::min(begin + width, chunks);
      siblings.push_back(subtree(mode, message, begin, end).cv);
    }
  }
  return siblings;
}

Result<Node> climb(const Mode& mode,
                   ByteView chunk,
                   uint64_t index,
                   uint64_t chunks,
                   std::span<const Hash> siblings) {
  if (chunks > chunks_max || index >= chunks) {
    return refuse(Code::bad_opening, "the chunk lies outside its message");
  }
  const bool is_last = index + 1 == chunks;
  const bool is_size_right = is_last
                                 ? chunk.size() <= chunk_bytes && (!chunk.empty() || chunks == 1)
                                 : chunk.size() == chunk_bytes;
  if (!is_size_right) {
    return refuse(Code::bad_opening, "the chunk has the wrong size for its place");
  }
  const Hash cv = node_hash(internal::chunk_of(mode, chunk, index), chunks == 1);
  return climb(mode, Node{index, index + 1, cv}, chunks, siblings);
}

Result<Node> climb(const Mode& mode,
                   const Node& from,
                   uint64_t chunks,
                   std::span<const Hash> siblings) {
  if (!is_node(from.first, from.last, chunks)) {
    return refuse(Code::bad_opening, "the tree has no such node");
  }
  Node node = from;
  uint64_t width = std::bit_ceil(from.last - from.first);
  for (const Hash& sibling : siblings) {
    uint64_t begin = chunks;
    for (; width < chunks && begin >= chunks; width *= 2) {
      begin = ((node.first / width) ^ 1) * width;
    }
    if (begin >= chunks) {
      return refuse(Code::bad_opening, "the opening has more siblings than the tree has levels");
    }
    const Node other{begin, std::min(begin + width / 2, chunks), sibling};
    node = begin < node.first ? join(mode, other, node, chunks) : join(mode, node, other, chunks);
  }
  return node;
}

Node join(const Mode& mode, const Node& left, const Node& right, uint64_t chunks) {
  CHECK(left.last == right.first && is_node(left.first, right.last, chunks));
  CHECK(left.first < left.last && right.first < right.last);
  CHECK(left.last - left.first == left_size(right.last - left.first));
  const Compression node =
      internal::parent_of(mode, words_of(left.cv.bytes.data()), words_of(right.cv.bytes.data()));
  const bool is_root = is_whole(left.first, right.last, chunks);
  return {left.first, right.last, node_hash(node, is_root)};
}

std::vector<std::pair<uint64_t, uint64_t>> descendants(uint64_t first, uint64_t last, int levels) {
  CHECK(first < last);
  std::vector<std::pair<uint64_t, uint64_t>> ranges = {{first, last}};
  for (int level = 0; level < levels && ranges.size() < last - first; ++level) {
    std::vector<std::pair<uint64_t, uint64_t>> below;
    for (const auto& [begin, end] : ranges) {
      if (end - begin == 1) {
        below.emplace_back(begin, end);
        continue;
      }
      const uint64_t middle = begin + left_size(end - begin);
      below.emplace_back(begin, middle);
      below.emplace_back(middle, end);
    }
    ranges = std::move(below);
  }
  return ranges;
}

Isa best_isa() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    return Isa::avx2;
  }
#endif
  return Isa::portable;
}

void set_isa(Isa isa) {
  chosen_isa() = std::min(isa, best_isa());
}

Isa isa() {
  return chosen_isa();
}

}  // namespace lockstep::crypto
