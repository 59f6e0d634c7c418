// Which places may be asked for, and which answers are taken. Proofs are in judge/proof.cc.
#include "judge/dispute.h"

#include <algorithm>

#include "judge/tree.h"
#include "law/roots.h"

namespace lockstep::judge {
namespace {

using model::Answer;
using model::Kept;
using model::KeptEntries;
using model::KeptNode;
using model::Place;
using model::Tree;

Error bad_place(std::string what) {
  return refuse(Code::bad_place, std::move(what));
}

Error bad_answer(std::string what) {
  return refuse(Code::bad_answer, std::move(what));
}

Place list_at(Tree tree, uint32_t step) {
  Place place;
  place.tree = tree;
  place.step = step;
  return place;
}

bool is_top(const Place& place) {
  return place.first == 0 && place.last == 0;
}

std::pair<uint64_t, uint64_t> range_of(const TreeShape& tree, const Place& place) {
  return is_top(place) ? std::pair<uint64_t, uint64_t>(0, tree.chunks)
                       : std::pair(place.first, place.last);
}

Place node_at(const Place& place, std::pair<uint64_t, uint64_t> range) {
  Place node = place;
  node.first = range.first;
  node.last = range.second;
  return node;
}

/// Whether the roots that a tree hangs from are known.
bool is_parent_known(const Case& dispute, const Kept& kept, const Place& place) {
  switch (place.tree) {
    case Tree::task:
      return true;
    case Tree::window: {
      const auto [first, last] = steps_of_window(dispute, place.step);
      return state_before(dispute, kept, first) && state_after(dispute, kept, last - 1);
    }
    case Tree::step:
      return state_before(dispute, kept, place.step) && state_after(dispute, kept, place.step);
    case Tree::state:
      return state_after(dispute, kept, place.step).has_value();
    case Tree::tensor:
      return output_root(dispute, kept, place.step, place.record).has_value();
    case Tree::fold: {
      Place chunk = place;
      chunk.tree = Tree::tensor;
      chunk.chunk = 0;
      return kept.node(node_at(chunk, {place.chunk, place.chunk + 1})).has_value();
    }
  }
  return false;
}

bool is_known(const TreeShape& tree, const Kept& kept, const Place& place) {
  const auto [first, last] = range_of(tree, place);
  if (tree.answered_by_entries(first, last)) {
    return kept.entry(place, first * entries_per_chunk).has_value();
  }
  const auto below = crypto::descendants(first, last, answered_levels);
  return kept.node(node_at(place, below[0])).has_value();
}

template <class Entry>
void insert(std::vector<Entry>& sorted, Entry entry) {
  const auto at =
      std::lower_bound(sorted.begin(), sorted.end(), entry, [](const Entry& a, const Entry& b) {
        return a.place < b.place;
      });
  sorted.insert(at, std::move(entry));
}

/// The end that a list must have: entry `index` is `root`.
struct End {
  uint64_t index = 0;
  Hash root;
};
std::optional<End> end_of(const Case& dispute, const Kept& kept, const Place& place) {
  if (place.tree == Tree::task) {
    const uint32_t roots = model::state_roots_of(dispute.steps, dispute.claim_every);
    return End{roots - 1, dispute.output_root};
  }
  if (place.tree == Tree::window) {
    const auto [first, last] = steps_of_window(dispute, place.step);
    if (const auto root = state_after(dispute, kept, last - 1)) {
      return End{last - first - 1, *root};
    }
  }
  return std::nullopt;
}

/// The value that the node over `range` must have: the kept node's, or the claimed root's.
std::optional<Hash> claimed_value(const Case& dispute, const Kept& kept, const Place& place) {
  if (!is_top(place)) {
    return kept.node(place);
  }
  const bool has_root =
      place.tree == Tree::state || (place.tree == Tree::task && dispute.list_binds);
  return has_root ? root_of(dispute, kept, place) : std::nullopt;
}

Result<void> take_entries(const Case& dispute,
                          Kept& kept,
                          const Answer& answer,
                          const TreeShape& tree) {
  const auto range = range_of(tree, answer.place);
  if (answer.hashes.size() != tree.entries_in(range.first, range.second)) {
    return bad_answer("the answer has a wrong number of entries");
  }
  const uint64_t first_entry = range.first * entries_per_chunk;
  const auto end = end_of(dispute, kept, answer.place);
  if (end && end->index >= first_entry && end->index - first_entry < answer.hashes.size() &&
      answer.hashes[end->index - first_entry] != end->root) {
    return bad_answer("the list does not end in the root that was claimed");
  }
  if (const auto claimed = claimed_value(dispute, kept, answer.place)) {
    std::vector<Hash> entries = answer.hashes;
    for (size_t i = 0; i < entries.size() && answer.place.tree == Tree::task; ++i) {
      const auto index = static_cast<uint32_t>(first_entry + i);
      entries[i] = model::task_entry(answer.salt, index, entries[i]);
    }
    if (join_entries(tree, range, entries).cv != *claimed) {
      return bad_answer("the entries do not hash to what was claimed");
    }
  }
  insert(kept.entries, KeptEntries{node_at(answer.place, range), answer.hashes});
  return {};
}

/// A tensor's top gives its data hash, which the claimed output root binds.
bool is_claimed_output(const Case& dispute,
                       const Kept& kept,
                       const Place& place,
                       const Hash& data) {
  const law::Shape& out = dispute.program->program.records[place.record].out;
  if (out.count() == 0 && data != law::data_hash({})) {
    return false;
  }
  return law::tensor_root(out, data) == output_root(dispute, kept, place.step, place.record);
}

Result<void> take_nodes(const Case& dispute,
                        Kept& kept,
                        const Answer& answer,
                        const TreeShape& tree) {
  const auto range = range_of(tree, answer.place);
  const auto below = crypto::descendants(range.first, range.second, answered_levels);
  if (answer.hashes.size() != below.size()) {
    return bad_answer("the answer has a wrong number of nodes");
  }
  const Hash cv = join_up(tree, range, answered_levels, answer.hashes).cv;
  const auto claimed = claimed_value(dispute, kept, answer.place);
  const bool is_output = answer.place.tree == Tree::tensor && is_top(answer.place);
  if ((claimed && cv != *claimed) ||
      (is_output && !is_claimed_output(dispute, kept, answer.place, cv))) {
    return bad_answer("the nodes do not hash to what was claimed");
  }
  for (size_t i = 0; i < below.size(); ++i) {
    insert(kept.nodes, KeptNode{node_at(answer.place, below[i]), answer.hashes[i]});
  }
  return {};
}

}  // namespace

Result<void> admissible(const Case& dispute, const Kept& kept, const Place& place) {
  const auto tree = tree_of(dispute, place);
  if (!tree) {
    return bad_place("the task has no such list or tree, or it is not asked for");
  }
  if (!is_parent_known(dispute, kept, place)) {
    return bad_place("what the place hangs from is not known yet");
  }
  if (!is_top(place)) {
    // Kept nodes are nodes of the tree, so no range needs to be checked besides.
    if (!kept.node(place)) {
      return bad_place("no answer has this node");
    }
    if (!tree->is_list && place.last - place.first == 1) {
      return bad_place("below one chunk of a tensor there are only its bytes");
    }
  }
  if (is_known(*tree, kept, place)) {
    return bad_place("the place is known already");
  }
  return {};
}

Result<void> take(const Case& dispute, Kept& kept, const Answer& answer) {
  TRY(admissible(dispute, kept, answer.place));
  const TreeShape tree = *tree_of(dispute, answer.place);
  const bool is_task = answer.place.tree == Tree::task;
  if (is_task ? kept.salt && *kept.salt != answer.salt : answer.salt != Hash{}) {
    return bad_answer("the salt is not the one that the task's list was opened with");
  }
  const auto [first, last] = range_of(tree, answer.place);
  TRY(tree.answered_by_entries(first, last) ? take_entries(dispute, kept, answer, tree)
                                            : take_nodes(dispute, kept, answer, tree));
  if (is_task) {
    kept.salt = answer.salt;
  }
  return {};
}

uint64_t operations_of(const Case& dispute, const Place& place) {
  if (!is_top(place) || !tree_of(dispute, place)) {
    return 0;
  }
  const uint64_t operations = dispute.program->operations;
  if (place.tree == Tree::step) {
    return operations;
  }
  if (place.tree != Tree::window) {
    return 0;
  }
  const auto [first, last] = steps_of_window(dispute, place.step);
  const uint64_t steps = last - first;
  return operations > UINT64_MAX / steps ? UINT64_MAX : operations * steps;
}

std::optional<Hash> state_before(const Case& dispute, const Kept& kept, uint32_t step) {
  return step == 0 ? std::optional(dispute.input_root) : state_after(dispute, kept, step - 1);
}

std::optional<Hash> state_after(const Case& dispute, const Kept& kept, uint32_t step) {
  if (step >= dispute.steps) {
    return std::nullopt;
  }
  if (step + 1 == dispute.steps) {
    return dispute.output_root;
  }
  const uint32_t window = step / dispute.claim_every;
  const uint32_t within = step % dispute.claim_every;
  return within + 1 == dispute.claim_every ? kept.entry(list_at(Tree::task, 0), window)
                                           : kept.entry(list_at(Tree::window, window), within);
}

std::optional<Hash> output_root(const Case& dispute,
                                const Kept& kept,
                                uint32_t step,
                                uint32_t record) {
  if (step >= dispute.steps || record >= dispute.program->program.records.size()) {
    return std::nullopt;
  }
  if (!in_task_list(dispute, step)) {
    return kept.entry(list_at(Tree::step, step), record);
  }
  const uint64_t roots = model::state_roots_of(dispute.steps, dispute.claim_every);
  return kept.entry(list_at(Tree::task, 0), roots + record);
}

}  // namespace lockstep::judge
