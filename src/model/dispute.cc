// Looking things up among what answers have put on the ledger.
#include "model/dispute.h"

#include <algorithm>

namespace lockstep::model {
namespace {

constexpr uint64_t entries_per_chunk = 32;

bool same_tree(const Place& a, const Place& b) {
  return a.tree == b.tree && a.step == b.step && a.record == b.record && a.chunk == b.chunk;
}

}  // namespace

std::optional<Hash> Kept::entry(const Place& list, uint64_t index) const {
  for (const KeptEntries& kept : entries) {
    const uint64_t first = kept.place.first * entries_per_chunk;
    if (same_tree(kept.place, list) && index >= first && index - first < kept.hashes.size()) {
      return kept.hashes[index - first];
    }
  }
  return std::nullopt;
}

std::optional<Hash> Kept::node(const Place& place) const {
  const auto found = std::find_if(
      nodes.begin(), nodes.end(), [&](const KeptNode& kept) { return kept.place == place; });
  return found == nodes.end() ? std::nullopt : std::optional(found->cv);
}

Hash fold_state_hash(ByteView state) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 fold state");
  return crypto::hash(mode, state);
}

const crypto::Mode& step_list_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 step list");
  return mode;
}

const crypto::Mode& fold_list_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 fold list");
  return mode;
}

}  // namespace lockstep::model
