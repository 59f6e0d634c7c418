// BLAKE3 against its published vectors, and the walks through its tree against each other.
#include "crypto/blake3.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "crypto/blake3_internal.h"

namespace lockstep::crypto {
namespace {

struct Vector {
  size_t length;
  const char *hash, *keyed, *derived;
};

const Vector vectors[] = {
#include "crypto/blake3_vectors.inc"
};

// The generator splitmix64.
struct Random {
  uint64_t state;
  uint64_t next() {
    state += 0x9e3779b97f4a7c15;
    uint64_t x = state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
  uint64_t below(uint64_t limit) { return next() % limit; }
};

Bytes pattern(size_t length) {
  Bytes bytes(length);
  for (size_t i = 0; i < length; ++i) {
    bytes[i] = static_cast<uint8_t>(i % 251);
  }
  return bytes;
}

// Unlike the pattern, no two chunks are alike.
Bytes noise(size_t length, uint64_t seed = 1) {
  Random random{seed};
  Bytes bytes(length);
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(random.next());
  }
  return bytes;
}

Mode vector_key() {
  const std::string_view text = "whats the Elvish word for friend";
  std::array<uint8_t, 32> key{};
  std::copy(text.begin(), text.end(), key.begin());
  return Mode::keyed(key);
}

Mode vector_context() {
  return Mode::derive("BLAKE3 2019-12-27 16:29:52 test vectors context");
}

ByteView chunk_at(ByteView message, uint64_t index) {
  const size_t begin = index * 1024;
  return message.subspan(begin, std::min<size_t>(1024, message.size() - begin));
}

std::vector<Isa> isas() {
  return best_isa() == Isa::portable ? std::vector{Isa::portable}
                                     : std::vector{Isa::portable, best_isa()};
}

/// Restores the ISA of the process.
class Blake3 : public testing::Test {
 public:
  ~Blake3() override { set_isa(best_isa()); }
};

void expect_vector(const Mode& mode, const Bytes& input, const std::string& expected) {
  EXPECT_EQ(to_hex(hash(mode, input).bytes), expected.substr(0, 64));
  Hasher hasher(mode);
  hasher.update(input);
  EXPECT_EQ(to_hex(hasher.finish().bytes), expected.substr(0, 64));
  Bytes extended(expected.size() / 2);
  hasher.finish(extended);
  EXPECT_EQ(to_hex(extended), expected);
}

TEST_F(Blake3, PublishedVectors) {
  EXPECT_EQ(std::size(vectors), 35U);
  for (const Isa isa : isas()) {
    set_isa(isa);
    for (const Vector& vector : vectors) {
      SCOPED_TRACE(vector.length);
      const Bytes input = pattern(vector.length);
      expect_vector(Mode::plain(), input, vector.hash);
      expect_vector(vector_key(), input, vector.keyed);
      expect_vector(vector_context(), input, vector.derived);
    }
  }
}

TEST_F(Blake3, InstructionSetsAgreeOnEverySize) {
  const Bytes bytes = noise(20'001);
  const Mode mode = Mode::derive("test");
  for (size_t size = 0; size <= 20'000; size += 37) {
    const ByteView message = ByteView(bytes).first(size);
    set_isa(Isa::portable);
    const Hash expected = hash(mode, message);
    set_isa(best_isa());
    ASSERT_EQ(hash(mode, message), expected) << size;
    // An odd address, too.
    const ByteView shifted = ByteView(bytes).subspan(1, size);
    const Hash odd = hash(mode, shifted);
    set_isa(Isa::portable);
    ASSERT_EQ(hash(mode, shifted), odd) << size;
  }
}

TEST_F(Blake3, SizesRoundTheEdgesOfChunksAndGroupsAgree) {
  const Bytes bytes = noise(200 * 1024 + 1);
  std::vector<size_t> counts = {127, 128, 129, 191, 192, 193, 200};
  for (size_t chunks = 1; chunks <= 66; ++chunks) {
    counts.push_back(chunks);
  }
  for (const size_t chunks : counts) {
    for (const size_t size : {chunks * 1024 - 1, chunks * 1024, chunks * 1024 + 1}) {
      const ByteView message = ByteView(bytes).first(size);
      set_isa(Isa::portable);
      Hasher hasher(Mode::plain());
      for (size_t at = 0; at < size; at += 1000) {
        hasher.update(message.subspan(at, std::min<size_t>(1000, size - at)));
      }
      const Hash expected = hasher.finish();
      ASSERT_EQ(hash(Mode::plain(), message), expected) << size;
      set_isa(best_isa());
      ASSERT_EQ(hash(Mode::plain(), message), expected) << size;
    }
  }
}

TEST_F(Blake3, KernelsAgreeOnEveryCountAndLargeChunkIndices) {
#if defined(__x86_64__)
  if (best_isa() == Isa::avx2) {
    const Bytes bytes = noise(20'480);
    const Mode mode = vector_key();
    for (const uint64_t first : {uint64_t{0}, (uint64_t{1} << 32) - 3, (uint64_t{1} << 53) + 5}) {
      for (size_t count = 0; count <= 20; ++count) {
        // One more than is asked for, to see that nothing is written behind the end.
        std::vector<internal::Words> expected(count + 1), found(count + 1);
        internal::portable_kernels.chunks(mode, bytes.data(), first, count, expected.data());
        internal::avx2_kernels.chunks(mode, bytes.data(), first, count, found.data());
        ASSERT_EQ(found, expected) << count;
        std::vector<internal::Words> children(2 * count + 1);
        internal::portable_kernels.chunks(mode, bytes.data(), 7, count, children.data());
        internal::portable_kernels.chunks(
            mode, bytes.data(), 9, count, children.data() + static_cast<ptrdiff_t>(count));
        internal::portable_kernels.parents(mode, children.data(), count, expected.data());
        internal::avx2_kernels.parents(mode, children.data(), count, found.data());
        ASSERT_EQ(found, expected) << count;
        internal::avx2_kernels.parents(mode, children.data(), count, children.data());
        ASSERT_TRUE(std::equal(
            children.begin(), children.begin() + static_cast<ptrdiff_t>(count), expected.begin()));
      }
    }
  }
#endif
  EXPECT_EQ(isa(), best_isa());
}

TEST_F(Blake3, PiecesOfAnySizeGiveTheSameHash) {
  Random random{2};
  const Bytes bytes = noise(400'000);
  for (int round = 0; round < 200; ++round) {
    const size_t size = random.below(round % 2 == 0 ? 5'000 : bytes.size());
    const ByteView message = ByteView(bytes).first(size);
    const uint64_t piece_max = uint64_t{1} << (4 + random.below(15));
    Hasher hasher(Mode::plain());
    for (size_t at = 0; at < size;) {
      const size_t piece = std::min<size_t>(random.below(piece_max), size - at);
      hasher.update(message.subspan(at, piece));
      at += piece;
    }
    ASSERT_EQ(hasher.finish(), hash(Mode::plain(), message)) << size;
  }
}

TEST_F(Blake3, FinishDoesNotEndTheMessage) {
  const Bytes bytes = noise(70'000);
  Hasher hasher(Mode::plain());
  for (size_t at = 0; at < bytes.size(); at += 7'000) {
    EXPECT_EQ(hasher.finish(), hash(Mode::plain(), ByteView(bytes).first(at)));
    hasher.update(ByteView(bytes).subspan(at, 7'000));
  }
  EXPECT_EQ(hasher.finish(), hash(Mode::plain(), bytes));
}

TEST_F(Blake3, ShorterOutputIsAPrefixOfLonger) {
  Hasher hasher(Mode::plain());
  hasher.update(noise(3'000));
  Bytes longest(300);
  hasher.finish(longest);
  for (size_t size = 0; size <= longest.size(); ++size) {
    Bytes output(size);
    hasher.finish(output);
    ASSERT_TRUE(std::equal(output.begin(), output.end(), longest.begin()));
  }
}

TEST_F(Blake3, ModesDiffer) {
  const Bytes bytes = noise(100);
  const Hash plain = hash(Mode::plain(), bytes);
  EXPECT_NE(plain, hash(Mode::derive("a"), bytes));
  EXPECT_NE(hash(Mode::derive("b"), bytes), hash(Mode::derive("a"), bytes));
  EXPECT_NE(plain, hash(vector_key(), bytes));
}

const size_t tree_sizes[] = {0,      1,      1023,   1024,   1025,   2047,   2048,   2049,
                             3073,   4096,   5000,   5120,   5121,   7'168,  8'192,  9000,
                             16'384, 16'385, 17'000, 31'744, 32'769, 66'560, 66'561, 100'000};

TEST_F(Blake3, EveryChunkClimbsToTheRoot) {
  for (const size_t size : tree_sizes) {
    const Bytes message = noise(size, size);
    const Mode mode = Mode::derive("tree");
    const Hash root = hash(mode, message);
    const uint64_t chunks = chunk_count(size);
    for (uint64_t i = 0; i < chunks; ++i) {
      const std::vector<Hash> path = path_to_root(mode, message, i);
      const Result<Node> node = climb(mode, chunk_at(message, i), i, chunks, path);
      ASSERT_TRUE(node.ok());
      ASSERT_EQ(*node, (Node{0, chunks, root})) << size << " " << i;
    }
    EXPECT_EQ(subtree(mode, message, 0, chunks), (Node{0, chunks, root}));
  }
}

TEST_F(Blake3, ShortClimbsEndAtInteriorNodes) {
  for (const size_t size : tree_sizes) {
    const Bytes message = noise(size, size);
    const uint64_t chunks = chunk_count(size);
    for (uint64_t i = 0; i < chunks; ++i) {
      const std::vector<Hash> path = path_to_root(Mode::plain(), message, i);
      for (size_t steps = 0; steps <= path.size(); ++steps) {
        const Result<Node> node =
            climb(Mode::plain(), chunk_at(message, i), i, chunks, std::span(path).first(steps));
        ASSERT_TRUE(node.ok());
        ASSERT_TRUE(node->first <= i && i < node->last);
        ASSERT_EQ(*node, subtree(Mode::plain(), message, node->first, node->last));
        ASSERT_EQ(steps == path.size(), node->first == 0 && node->last == chunks);
      }
    }
  }
}

TEST_F(Blake3, EveryNodeIsFoundFromItsBytesAndClimbsToTheRoot) {
  const Mode mode = Mode::derive("tree");
  for (const size_t size : tree_sizes) {
    const Bytes message = noise(size, size);
    const Hash root = hash(mode, message);
    const uint64_t chunks = chunk_count(size);
    for (uint64_t width = 1; width < 2 * chunks; width *= 2) {
      for (uint64_t first = 0; first < chunks; first += width) {
        const uint64_t last = std::min(first + width, chunks);
        const size_t begin = first * 1024;
        const ByteView bytes =
            ByteView(message).subspan(begin, std::min<size_t>(last * 1024, size) - begin);
        const Result<Node> node = subtree_at(mode, bytes, first, chunks);
        ASSERT_TRUE(node.ok());
        ASSERT_EQ(*node, subtree(mode, message, first, last));
        const std::vector<Hash> whole = path_to_root(mode, message, last - 1);
        // The path of its last chunk ends with the path of the node.
        for (size_t skip = 0; skip <= whole.size(); ++skip) {
          const Result<Node> end = climb(mode, *node, chunks, std::span(whole).subspan(skip));
          if (end.ok() && end->first == 0 && end->last == chunks) {
            ASSERT_EQ(end->cv, root) << size << " " << first << " " << last << " " << skip;
            break;
          }
          ASSERT_LT(skip, whole.size());
        }
      }
    }
  }
}

TEST_F(Blake3, BytesThatAreNoNodeAreRefused) {
  const Mode mode = Mode::plain();
  const Bytes bytes = noise(5000);
  const auto fits = [&](size_t size, uint64_t first, uint64_t chunks) {
    return subtree_at(mode, ByteView(bytes).first(size), first, chunks).ok();
  };
  EXPECT_TRUE(fits(2048, 2, 5));
  EXPECT_TRUE(fits(900, 4, 5));
  EXPECT_TRUE(fits(0, 0, 1));
  EXPECT_FALSE(fits(0, 4, 5)) << "only a whole message is empty";
  EXPECT_FALSE(fits(2047, 2, 5)) << "short inside the message";
  EXPECT_FALSE(fits(2048, 1, 5)) << "not aligned";
  EXPECT_FALSE(fits(3072, 0, 5)) << "three chunks are no node";
  EXPECT_FALSE(fits(2048, 4, 5)) << "beyond the end";
  EXPECT_FALSE(fits(1024, UINT64_MAX, 5));
  EXPECT_FALSE(fits(1024, UINT64_MAX - 1, UINT64_MAX));
  EXPECT_FALSE(climb(mode, Node{1, 3, {}}, 5, {}).ok());
  EXPECT_FALSE(climb(mode, Node{4, 6, {}}, 5, {}).ok());
  EXPECT_FALSE(climb(mode, Node{4, 4, {}}, 5, {}).ok());
  const std::vector<Hash> siblings(3);
  EXPECT_TRUE(climb(mode, Node{4, 5, {}}, 5, std::span(siblings).first(1)).ok());
  EXPECT_FALSE(climb(mode, Node{4, 5, {}}, 5, siblings).ok());
}

TEST_F(Blake3, ForgedOpeningsMissTheRoot) {
  Random random{3};
  for (const size_t size : tree_sizes) {
    const Bytes message = noise(size, size);
    const Mode mode = Mode::plain();
    const uint64_t chunks = chunk_count(size);
    const Node root{0, chunks, hash(mode, message)};
    for (uint64_t i = 0; i < chunks; ++i) {
      const std::vector<Hash> path = path_to_root(mode, message, i);
      const ByteView chunk = chunk_at(message, i);
      for (size_t level = 0; level < path.size(); ++level) {
        std::vector<Hash> forged = path;
        forged[level].bytes[random.below(32)] ^= static_cast<uint8_t>(1U << random.below(8));
        ASSERT_NE(*climb(mode, chunk, i, chunks, forged), root);
      }
      if (!chunk.empty()) {
        Bytes forged(chunk.begin(), chunk.end());
        forged[random.below(forged.size())] ^= static_cast<uint8_t>(1U << random.below(8));
        ASSERT_NE(*climb(mode, forged, i, chunks, path), root);
      }
      // The right chunk and path in another place.
      const uint64_t other = random.below(chunks);
      const Result<Node> moved = climb(mode, chunk, other, chunks, path);
      ASSERT_TRUE(other == i || !moved.ok() || *moved != root);
    }
  }
}

TEST_F(Blake3, OpeningsOfTheWrongFormAreRefused) {
  const Mode mode = Mode::plain();
  const Bytes bytes = noise(2048);
  const ByteView view(bytes);
  const auto code = [&](size_t size, uint64_t index, uint64_t chunks, size_t siblings) {
    const std::vector<Hash> path(siblings);
    const Result<Node> node = climb(mode, view.first(size), index, chunks, path);
    return node.ok() ? Code{0} : node.error().code;
  };
  // Sizes: only the last chunk may be short, only the one of an empty message empty.
  EXPECT_EQ(code(0, 0, 1, 0), Code{0});
  EXPECT_EQ(code(1024, 0, 1, 0), Code{0});
  EXPECT_EQ(code(1025, 0, 1, 0), Code::bad_opening);
  EXPECT_EQ(code(1023, 0, 2, 1), Code::bad_opening);
  EXPECT_EQ(code(1025, 0, 2, 1), Code::bad_opening);
  EXPECT_EQ(code(1, 1, 2, 1), Code{0});
  EXPECT_EQ(code(0, 1, 2, 1), Code::bad_opening);
  EXPECT_EQ(code(1025, 1, 2, 1), Code::bad_opening);
  // Too many siblings: also for the last of five chunks, which has but one.
  EXPECT_EQ(code(1024, 0, 1, 1), Code::bad_opening);
  EXPECT_EQ(code(1024, 0, 5, 3), Code{0});
  EXPECT_EQ(code(1024, 0, 5, 4), Code::bad_opening);
  EXPECT_EQ(code(1024, 4, 5, 1), Code{0});
  EXPECT_EQ(code(1024, 4, 5, 2), Code::bad_opening);
  // Places that no message has.
  EXPECT_EQ(code(1024, 0, 0, 0), Code::bad_opening);
  EXPECT_EQ(code(1024, 2, 2, 1), Code::bad_opening);
  EXPECT_EQ(code(1024, 0, (uint64_t{1} << 54) + 1, 1), Code::bad_opening);
  EXPECT_EQ(code(1024, 0, ~uint64_t{0}, 64), Code::bad_opening);
  // The largest tree there can be.
  EXPECT_EQ(code(1024, (uint64_t{1} << 54) - 1, uint64_t{1} << 54, 54), Code{0});
  EXPECT_EQ(code(1024, (uint64_t{1} << 54) - 1, uint64_t{1} << 54, 55), Code::bad_opening);
}

Node join_all(const Mode& mode, std::vector<Node> nodes, uint64_t chunks) {
  // Neighbours whose parent is closest to the leaves are joined first.
  while (nodes.size() > 1) {
    size_t best = 0;
    for (size_t i = 0; i + 1 < nodes.size(); ++i) {
      const auto width = [&](size_t at) { return nodes[at].first ^ (nodes[at + 1].last - 1); };
      best = width(i) < width(best) ? i : best;
    }
    const auto at = nodes.begin() + static_cast<ptrdiff_t>(best);
    *at = join(mode, *at, *(at + 1), chunks);
    nodes.erase(at + 1);
  }
  return nodes.front();
}

TEST_F(Blake3, DescendantsAreNodesAndJoinToTheirAncestor) {
  for (const size_t size : tree_sizes) {
    const Bytes message = noise(size, size);
    const Mode mode = Mode::plain();
    const uint64_t chunks = chunk_count(size);
    for (int levels = 0; levels <= 8; ++levels) {
      uint64_t next = 0;
      std::vector<Node> nodes;
      for (const auto& [first, last] : descendants(0, chunks, levels)) {
        ASSERT_EQ(first, next);
        next = last;
        nodes.push_back(subtree(mode, message, first, last));
      }
      ASSERT_EQ(next, chunks);
      ASSERT_LE(nodes.size(), size_t{1} << levels);
      ASSERT_EQ(join_all(mode, nodes, chunks), (Node{0, chunks, hash(mode, message)}));
    }
  }
}

TEST_F(Blake3, DescendantsOfSmallTrees) {
  using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;
  EXPECT_EQ(descendants(0, 1, 8), (Ranges{{0, 1}}));
  EXPECT_EQ(descendants(0, 5, 0), (Ranges{{0, 5}}));
  EXPECT_EQ(descendants(0, 5, 1), (Ranges{{0, 4}, {4, 5}}));
  EXPECT_EQ(descendants(0, 5, 2), (Ranges{{0, 2}, {2, 4}, {4, 5}}));
  EXPECT_EQ(descendants(8, 15, 2), (Ranges{{8, 10}, {10, 12}, {12, 14}, {14, 15}}));
  EXPECT_EQ(descendants(0, uint64_t{1} << 54, 8).size(), 256U);
}

using Blake3DeathTest = Blake3;

TEST_F(Blake3DeathTest, RangesThatAreNoNodesAbort) {
  const Bytes message = noise(5'120);
  const Mode mode = Mode::plain();
  EXPECT_DEATH((void)subtree(mode, message, 0, 3), "check failed");
  EXPECT_DEATH((void)subtree(mode, message, 1, 3), "check failed");
  EXPECT_DEATH((void)subtree(mode, message, 4, 6), "check failed");
  EXPECT_DEATH((void)subtree(mode, message, 2, 2), "check failed");
  const Node left = subtree(mode, message, 0, 2);
  EXPECT_DEATH((void)join(mode, left, subtree(mode, message, 4, 5), 5), "check failed");
}

}  // namespace
}  // namespace lockstep::crypto
