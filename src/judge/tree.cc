// Shapes and roots of the trees of a trace, from the program and the claim alone.
#include "judge/tree.h"

#include <algorithm>

#include "base/check.h"
#include "law/referee.h"
#include "law/roots.h"

namespace lockstep::judge {
namespace {

using model::Place;
using model::Tree;

std::optional<TreeShape> list(const crypto::Mode& mode, uint64_t entries) {
  if (entries == 0) {
    return std::nullopt;
  }
  const uint64_t chunks = (entries + entries_per_chunk - 1) / entries_per_chunk;
  return TreeShape{&mode, true, entries, chunks};
}

std::optional<TreeShape> window_of(const Case& dispute, uint32_t window) {
  if (window >= model::state_roots_of(dispute.steps, dispute.claim_every)) {
    return std::nullopt;
  }
  const auto [first, last] = steps_of_window(dispute, window);
  // Its mode is never used: a window has at most 100 entries and no root.
  return last - first == 1 ? std::nullopt : list(model::task_list_mode(), last - first);
}

std::optional<TreeShape> bytes_of(const Case& dispute, const Place& place) {
  if (place.step >= dispute.steps || place.record >= dispute.program->program.records.size()) {
    return std::nullopt;
  }
  const law::Shape& out = dispute.program->program.records[place.record].out;
  return TreeShape{&law::data_mode(), false, 0, static_cast<uint64_t>(law::chunks_of(out))};
}

std::optional<TreeShape> fold_of(const Case& dispute, const Place& place) {
  const auto bytes = bytes_of(dispute, place);
  if (!bytes || place.chunk >= bytes->chunks) {
    return std::nullopt;
  }
  const law::Op op = law::op_of(dispute.program->program, place.record);
  const auto steps =
      static_cast<uint64_t>(law::Fold(op, static_cast<int64_t>(place.chunk)).steps());
  return steps <= 1 ? std::nullopt : list(model::fold_list_mode(), steps - 1);
}

/// Whether the fields that the tree does not use are 0.
bool is_plain(const Place& place) {
  const bool of_record = place.tree == Tree::tensor || place.tree == Tree::fold;
  return (place.tree != Tree::task || place.step == 0) && (of_record || place.record == 0) &&
         (place.tree == Tree::fold || place.chunk == 0);
}

}  // namespace

uint64_t TreeShape::entries_in(uint64_t first, uint64_t last) const {
  return std::min(entries, last * entries_per_chunk) - first * entries_per_chunk;
}

std::optional<TreeShape> tree_of(const Case& dispute, const Place& place) {
  CHECK(dispute.program != nullptr && dispute.steps > 0 && dispute.claim_every > 0);
  if (!is_plain(place)) {
    return std::nullopt;
  }
  const law::Program& program = dispute.program->program;
  const bool has_step = place.step < dispute.steps;
  switch (place.tree) {
    case Tree::task:
      return list(model::task_list_mode(),
                  list_entries(*dispute.program, dispute.steps, dispute.claim_every));
    case Tree::window:
      return window_of(dispute, place.step);
    case Tree::step:
      return has_step && !in_task_list(dispute, place.step)
                 ? list(model::step_list_mode(), program.records.size())
                 : std::nullopt;
    case Tree::state:
      return has_step ? list(law::state_mode(), program.leaves.size()) : std::nullopt;
    case Tree::tensor:
      return bytes_of(dispute, place);
    case Tree::fold:
      return fold_of(dispute, place);
  }
  return std::nullopt;
}

Place top_of(const Place& place) {
  Place top = place;
  top.first = top.last = 0;
  return top;
}

std::pair<uint32_t, uint32_t> steps_of_window(const Case& dispute, uint32_t window) {
  const uint32_t first = window * dispute.claim_every;
  return {first, first + std::min(dispute.claim_every, dispute.steps - first)};
}

bool in_task_list(const Case& dispute, uint32_t step) {
  return dispute.steps < model::short_task_steps && step + 1 == dispute.steps;
}

crypto::Node join_up(const TreeShape& tree,
                     std::pair<uint64_t, uint64_t> range,
                     int levels,
                     std::span<const Hash> cvs) {
  const auto [first, last] = range;
  std::vector<crypto::Node> nodes;
  for (const auto& [begin, end] : crypto::descendants(first, last, levels)) {
    CHECK(nodes.size() < cvs.size());
    nodes.push_back({begin, end, cvs[nodes.size()]});
  }
  CHECK(nodes.size() == cvs.size());
  for (int level = levels; level > 0 && nodes.size() > 1; --level) {
    std::vector<crypto::Node> above;
    size_t at = 0;
    for (const auto& [begin, end] : crypto::descendants(first, last, level - 1)) {
      // A leaf that is nearer than `level` stands on both levels.
      const bool stays = nodes[at].last == end;
      above.push_back(stays ? nodes[at]
                            : crypto::join(*tree.mode, nodes[at], nodes[at + 1], tree.chunks));
      CHECK(above.back().first == begin && above.back().last == end);
      at += stays ? 1 : 2;
    }
    nodes = std::move(above);
  }
  return nodes[0];
}

crypto::Node join_entries(const TreeShape& tree,
                          std::pair<uint64_t, uint64_t> range,
                          std::span<const Hash> entries) {
  const auto [first, last] = range;
  CHECK(entries.size() == tree.entries_in(first, last) && last - first <= answered_chunks_max);
  std::vector<Hash> cvs;
  for (uint64_t chunk = first; chunk < last; ++chunk) {
    Bytes message;
    for (const Hash& entry : entries.first(tree.entries_in(chunk, chunk + 1))) {
      message.insert(message.end(), entry.bytes.begin(), entry.bytes.end());
    }
    entries = entries.subspan(tree.entries_in(chunk, chunk + 1));
    cvs.push_back(crypto::climb(*tree.mode, message, chunk, tree.chunks, {}).value().cv);
  }
  constexpr int levels_to_chunks = 3;
  static_assert(answered_chunks_max == uint64_t{1} << levels_to_chunks);
  return join_up(tree, range, levels_to_chunks, cvs);
}

std::optional<Hash> root_of(const Case& dispute, const model::Kept& kept, const Place& place) {
  if (place.tree == Tree::state) {
    return state_after(dispute, kept, place.step);
  }
  if (place.tree == Tree::task && dispute.list_binds) {
    return dispute.list;
  }
  const auto tree = tree_of(dispute, place);
  if (!tree || tree->answered_by_entries(0, tree->chunks)) {
    return std::nullopt;  // where the entries are kept nobody asks for a root
  }
  std::vector<Hash> cvs;
  Place node = place;
  for (const auto& [first, last] : crypto::descendants(0, tree->chunks, answered_levels)) {
    node.first = first, node.last = last;
    const auto cv = kept.node(node);
    if (!cv) {
      return std::nullopt;
    }
    cvs.push_back(*cv);
  }
  return join_up(*tree, {0, tree->chunks}, answered_levels, cvs).cv;
}

}  // namespace lockstep::judge
