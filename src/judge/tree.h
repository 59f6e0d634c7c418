// The trees of a claimed trace: their shape, their roots and the hashing of their nodes. For
// src/judge/ only.
#pragma once

#include "judge/dispute.h"

namespace lockstep::judge {

inline constexpr uint64_t entries_per_chunk = 32;
inline constexpr uint64_t answered_chunks_max = 8;  // of a list's node that is answered by entries
inline constexpr int answered_levels = 8;           // below any other node

struct TreeShape {
  const crypto::Mode* mode = nullptr;
  bool is_list = true;
  uint64_t entries = 0;  // of a list
  uint64_t chunks = 1;
  [[nodiscard]] bool answered_by_entries(uint64_t first, uint64_t last) const {
    return is_list && last - first <= answered_chunks_max;
  }
  /// The entries in chunks [first, last) of a list.
  [[nodiscard]] uint64_t entries_in(uint64_t first, uint64_t last) const;
};

/// The tree that `place` names, whatever its range; nothing when the trace has none that can be
/// asked for, or when a field that its kind does not use is not 0.
[[nodiscard]] std::optional<TreeShape> tree_of(const Case& dispute, const model::Place& place);

/// The tree that `place` names, without a range.
[[nodiscard]] model::Place top_of(const model::Place& place);

/// Steps [first, last) of window `window`, which must exist.
[[nodiscard]] std::pair<uint32_t, uint32_t> steps_of_window(const Case& dispute, uint32_t window);
/// Whether the task's own list holds the output roots of `step`.
[[nodiscard]] bool in_task_list(const Case& dispute, uint32_t step);

/// The node over chunks [first, last) of a tree, from the chaining values of descendants(first,
/// last, levels), in order (CHECKed).
[[nodiscard]] crypto::Node join_up(const TreeShape& tree,
                                   std::pair<uint64_t, uint64_t> range,
                                   int levels,
                                   std::span<const Hash> cvs);
/// The same from the entries of a list's chunks; at most answered_chunks_max chunks.
[[nodiscard]] crypto::Node join_entries(const TreeShape& tree,
                                        std::pair<uint64_t, uint64_t> range,
                                        std::span<const Hash> entries);

/// The root of a list, where it is claimed or follows from what is kept.
[[nodiscard]] std::optional<Hash> root_of(const Case& dispute,
                                          const model::Kept& kept,
                                          const model::Place& list);

}  // namespace lockstep::judge
