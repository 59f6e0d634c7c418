// BLAKE3 (specification of 2020-01) in hash, keyed and derive-key mode, with the interior nodes of
// its tree: 1 KiB chunks, the left subtree the largest power of two. Bits do not depend on the ISA.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace lockstep::crypto {

/// The eight key words and the flags that a mode starts every compression with.
struct Mode {
  std::array<uint32_t, 8> key;
  uint32_t flags;
  static Mode plain();
  static Mode keyed(const std::array<uint8_t, 32>& key);
  /// Derive-key mode: `context` is a constant text, unique to one use.
  static Mode derive(std::string_view context);
};

/// Incremental hashing; one object hashes one message.
class Hasher {
 public:
  explicit Hasher(const Mode& mode);
  void update(ByteView bytes);
  [[nodiscard]] Hash finish() const;
  /// Extended output: fills `out` with the first out.size() bytes.
  void finish(std::span<uint8_t> out) const;

 private:
  Mode mode_;
  std::array<uint8_t, 1024> chunk_{};
  size_t chunk_size_ = 0;
  uint64_t chunks_done_ = 0;
  std::array<std::array<uint32_t, 8>, 54> stack_{};
  size_t stack_size_ = 0;
};

/// Hashes all of `bytes` at once, with the widest kernel that this machine has and
/// LOCKSTEP_ISA (set_isa below) allows.
[[nodiscard]] Hash hash(const Mode& mode, ByteView bytes);

/// A subtree over chunks [first, last) of a message of `chunks` chunks, by its chaining value. When
/// it is the whole message, `cv` is the root hash itself.
struct Node {
  uint64_t first = 0, last = 0;
  Hash cv;
  bool operator==(const Node&) const = default;
};

/// The number of 1 KiB chunks of a message: at least one.
[[nodiscard]] constexpr uint64_t chunk_count(uint64_t bytes) {
  return bytes == 0 ? 1 : (bytes + 1023) / 1024;
}

/// The chaining value of the subtree over chunks [first, last) of `message`. The range must be a
/// node of the tree (CHECKed).
[[nodiscard]] Node subtree(const Mode& mode, ByteView message, uint64_t first, uint64_t last);

/// The same for `bytes` that begin with chunk `first` of a message of `chunks` chunks, where the
/// rest of it is not at hand. Errors: bad_opening when they are no node of such a message.
[[nodiscard]] Result<Node> subtree_at(const Mode& mode,
                                      ByteView bytes,
                                      uint64_t first,
                                      uint64_t chunks);

/// The siblings from chunk `index` up to the root, bottom first: what climb() takes.
[[nodiscard]] std::vector<Hash> path_to_root(const Mode& mode, ByteView message, uint64_t index);

/// Climbs from one chunk of a message of `chunks` chunks as far as `siblings` lead, bottom first,
/// and returns the node reached. Errors: bad_opening when the chunk's size is wrong for its place
/// (only the last may be short) or there are more siblings than levels.
[[nodiscard]] Result<Node> climb(const Mode& mode,
                                 ByteView chunk,
                                 uint64_t index,
                                 uint64_t chunks,
                                 std::span<const Hash> siblings);

/// The same from any node of the tree. Errors: bad_opening, also when `from` is no such node.
[[nodiscard]] Result<Node> climb(const Mode& mode,
                                 const Node& from,
                                 uint64_t chunks,
                                 std::span<const Hash> siblings);

/// The node over [first, last) from its two children; the caller gives the ranges by the tree rule.
[[nodiscard]] Node join(const Mode& mode, const Node& left, const Node& right, uint64_t chunks);

/// The ranges of the nodes `levels` below [first, last), in order; leaves nearer are kept.
[[nodiscard]] std::vector<std::pair<uint64_t, uint64_t>> descendants(uint64_t first,
                                                                     uint64_t last,
                                                                     int levels);

/// Which kernels may run: chosen once at start by the program's shell, `portable` or the widest.
enum class Isa : uint8_t { portable, avx2 };
[[nodiscard]] Isa best_isa();
/// Never more than best_isa(). Not for use while other threads hash.
void set_isa(Isa isa);
[[nodiscard]] Isa isa();

}  // namespace lockstep::crypto
