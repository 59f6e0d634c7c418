// One party's values of a list or tensor of a dispute: opening its nodes, comparing them with what
// is kept, and paths in it. For src/attest only.
#pragma once

#include <map>
#include <span>
#include <utility>

#include "model/dispute.h"

namespace lockstep::attest {

inline constexpr uint64_t entries_per_chunk = 32;
/// A list's node of at most so many chunks is opened by its entries.
inline constexpr uint64_t entry_chunks_max = 8;
inline constexpr int opened_levels = 8;

/// Chunks [first, last) of a message.
struct Range {
  uint64_t first = 0, last = 0;
  auto operator<=>(const Range&) const = default;
};

class OwnTree {
 public:
  [[nodiscard]] static OwnTree list(const crypto::Mode& mode, std::span<const Hash> entries);
  /// The salted list of a task; its entries are given, and opened, unsalted.
  [[nodiscard]] static OwnTree task(const Hash& salt, std::span<const Hash> roots);
  /// Borrows the bytes.
  [[nodiscard]] static OwnTree tensor(ByteView bytes);

  [[nodiscard]] bool is_list() const { return is_list_; }
  [[nodiscard]] uint64_t chunks() const { return crypto::chunk_count(message().size()); }
  [[nodiscard]] const std::vector<Hash>& entries() const { return entries_; }
  /// The chaining value of a node. Each is hashed once.
  [[nodiscard]] Hash cv(Range node);
  /// What an answer says of a node.
  [[nodiscard]] std::vector<Hash> open(Range node);
  /// The path of a chunk up to the node `top`, which holds it.
  [[nodiscard]] model::Path path(uint64_t chunk, Range top);
  [[nodiscard]] Range whole() const { return {0, chunks()}; }

 private:
  OwnTree(const crypto::Mode& mode, bool is_list) : mode_(mode), is_list_(is_list) {}
  [[nodiscard]] ByteView message() const { return is_list_ ? ByteView(hashed_) : tensor_; }
  crypto::Mode mode_;
  bool is_list_;
  std::vector<Hash> entries_;
  Bytes hashed_;
  ByteView tensor_;
  std::map<Range, Hash> cvs_;
};

/// Whether an answer opens the node by its entries.
[[nodiscard]] bool is_opened_by_entries(bool is_list, Range node);
/// The node that `place` names in a message of `chunks` chunks; nothing when no answer from the top
/// down leads to it, or when it cannot be opened further.
[[nodiscard]] std::optional<Range> opened_node(const model::Place& place,
                                               bool is_list,
                                               uint64_t chunks);
/// The same place with another node.
[[nodiscard]] model::Place at_node(model::Place place, Range node);

/// Whether the answer to this node of the tree that `place` names is kept.
[[nodiscard]] bool is_open(
    const model::Kept& kept, const model::Place& place, bool is_list, Range node, uint64_t chunks);

/// What a comparison with the kept answers comes to: a difference, the place to ask for next, or no
/// difference. `index` is an entry of a list or a chunk of a tensor.
struct Differs {
  uint64_t index = 0;
};
struct Same {};
using Comparison = std::variant<Differs, model::Place, Same>;
/// The first difference at `from` or later.
[[nodiscard]] Comparison compare(OwnTree& own,
                                 const model::Place& place,
                                 const model::Kept& kept,
                                 uint64_t from);
/// The place to ask for on the way to entry `index` of a list; nothing when the entry is kept.
[[nodiscard]] std::optional<model::Place> missing(const OwnTree& own,
                                                  const model::Place& place,
                                                  const model::Kept& kept,
                                                  uint64_t index);
/// The smallest kept node over a chunk; the whole message where there is none.
[[nodiscard]] Range kept_over(const model::Kept& kept,
                              const model::Place& place,
                              uint64_t chunk,
                              uint64_t chunks);

}  // namespace lockstep::attest
