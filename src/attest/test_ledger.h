// A small ledger for tests: keeps answers to places, checks every hash by itself, judges a proof.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "attest/own_tree.h"
#include "attest/test_task.h"
#include "law/referee.h"
#include "law/roots.h"

namespace lockstep::attest {

/// The chaining value of a node from those of nodes at most eight levels below it.
inline Hash joined(const crypto::Mode& mode,
                   Range top,
                   const std::vector<crypto::Node>& parts,
                   uint64_t chunks) {
  std::map<Range, Hash> known;
  for (const crypto::Node& part : parts) {
    known[{part.first, part.last}] = part.cv;
  }
  for (int level = opened_levels; level-- > 0;) {
    for (const auto& [first, last] : crypto::descendants(top.first, top.last, level)) {
      if (!known.contains({first, last})) {
        const auto below = crypto::descendants(first, last, 1);
        const Range left{below[0].first, below[0].second};
        const Range right{below[1].first, below[1].second};
        known[{first, last}] = crypto::join(mode,
                                            {left.first, left.last, known.at(left)},
                                            {right.first, right.last, known.at(right)},
                                            chunks)
                                   .cv;
      }
    }
  }
  return known.at(top);
}

/// Keeps what hashes, as the ledger does.
class Ledger {
 public:
  Ledger(const Setting& setting, const model::Execution& claimed, const Hash& salt)
      : setting_(setting),
        claimed_(claimed),
        list_(model::task_list(salt, list_roots(claimed, setting.steps))) {}

  [[nodiscard]] const model::Kept& kept() const { return kept_; }
  [[nodiscard]] size_t answers() const { return answers_; }
  void take(const model::Answer& answer);
  /// The claimed root of a record's output.
  [[nodiscard]] std::optional<Hash> output_root(uint32_t step, uint32_t record) const;
  [[nodiscard]] uint64_t chunks_of(const Place& place) const;
  /// Whether the proof shows the claim false, with everything it rests on bound.
  [[nodiscard]] bool refutes(const model::StepProof& proof, const Hash& state_before) const;
  [[nodiscard]] bool refutes(const model::LeafProof& proof, const Hash& state_before) const;

 private:
  struct List {
    Place place;
    uint64_t first = 0;
  };
  [[nodiscard]] List outputs_of(uint32_t step) const {
    if (setting_.steps < model::short_task_steps && step + 1 == setting_.steps) {
      return {{}, claimed_.state_roots.size()};
    }
    return {{Tree::step, step}, 0};
  }
  [[nodiscard]] std::optional<Hash> state_after(uint32_t step) const;
  [[nodiscard]] bool is_before(const Hash& state, uint32_t step) const {
    return step == 0 ? state == claimed_.input_root : state_after(step - 1) == state;
  }
  [[nodiscard]] uint64_t entries_of(const Place& place) const;
  [[nodiscard]] std::optional<Hash> expected(const Place& place) const;
  [[nodiscard]] Hash hash_of(const model::Answer& answer, Range node, uint64_t chunks) const;
  [[nodiscard]] bool is_bound(const model::StepProof& proof,
                              const model::InputRoot& input,
                              const Hash& state_before) const;
  [[nodiscard]] bool is_value_bound(const model::StepProof& proof,
                                    const model::InputRoot& input,
                                    const law::Source& source) const;
  [[nodiscard]] bool is_shown(const model::StepProof& proof) const;
  [[nodiscard]] std::optional<Hash> step_result(const model::StepProof& proof) const;

  const Setting& setting_;
  const model::Execution& claimed_;
  Hash list_;
  model::Kept kept_;
  size_t answers_ = 0;
};

inline const crypto::Mode& mode_of(Tree tree) {
  switch (tree) {
    case Tree::task:
      return model::task_list_mode();
    case Tree::state:
      return law::state_mode();
    case Tree::tensor:
      return law::data_mode();
    case Tree::fold:
      return model::fold_list_mode();
    default:
      return model::step_list_mode();
  }
}

inline uint64_t Ledger::entries_of(const Place& place) const {
  switch (place.tree) {
    case Tree::task:
      return list_roots(claimed_, setting_.steps).size();
    case Tree::window:
      return std::min(setting_.claim_every, setting_.steps - place.step * setting_.claim_every);
    case Tree::step:
      return setting_.program.records.size();
    case Tree::state:
      return setting_.program.leaves.size();
    default:
      break;
  }
  const law::Op op = law::op_of(setting_.program, place.record);
  return static_cast<uint64_t>(law::Fold(op, static_cast<int64_t>(place.chunk)).steps() - 1);
}

inline uint64_t Ledger::chunks_of(const Place& place) const {
  return place.tree == Tree::tensor ? crypto::chunk_count(static_cast<uint64_t>(
                                          setting_.program.records[place.record].out.bytes()))
                                    : crypto::chunk_count(32 * entries_of(place));
}

inline std::optional<Hash> Ledger::output_root(uint32_t step, uint32_t record) const {
  const List list = outputs_of(step);
  return kept_.entry(list.place, list.first + record);
}

inline std::optional<Hash> Ledger::state_after(uint32_t step) const {
  if (step + 1 == setting_.steps) {
    return claimed_.output_root;
  }
  const uint32_t window = step / setting_.claim_every;
  const uint32_t within = step % setting_.claim_every;
  return within + 1 == setting_.claim_every ? kept_.entry({}, window)
                                            : kept_.entry({Tree::window, window}, within);
}

/// What the node asked for must hash to, where anything binds it.
inline std::optional<Hash> Ledger::expected(const Place& place) const {
  if (place.last != 0) {
    const auto above = kept_.node(place);
    EXPECT_TRUE(above.has_value()) << "asked below what is not kept";
    return above;
  }
  if (place.tree == Tree::task) {
    return list_;
  }
  if (place.tree == Tree::state) {
    return state_after(place.step);
  }
  return std::nullopt;
}

inline Hash Ledger::hash_of(const model::Answer& answer, Range node, uint64_t chunks) const {
  const crypto::Mode& mode = mode_of(answer.place.tree);
  std::vector<crypto::Node> parts;
  if (is_opened_by_entries(answer.place.tree != Tree::tensor, node)) {
    codec::Writer writer;
    for (size_t i = 0; i < answer.hashes.size(); ++i) {
      const auto index = static_cast<uint32_t>(node.first * entries_per_chunk + i);
      writer.hash(answer.place.tree == Tree::task
                      ? model::task_entry(answer.salt, index, answer.hashes[i])
                      : answer.hashes[i]);
    }
    const ByteView bytes = writer.bytes();
    for (uint64_t c = node.first; c < node.last; ++c) {
      const size_t at = (c - node.first) * 1024;
      const ByteView chunk = bytes.subspan(at, std::min<size_t>(1024, bytes.size() - at));
      const auto climbed = crypto::climb(mode, chunk, c, chunks, {});
      EXPECT_TRUE(climbed.ok());
      parts.push_back(*climbed);
    }
  } else {
    const auto ranges = crypto::descendants(node.first, node.last, opened_levels);
    EXPECT_EQ(ranges.size(), answer.hashes.size());
    for (size_t i = 0; i < ranges.size(); ++i) {
      parts.push_back({ranges[i].first, ranges[i].second, answer.hashes[i]});
    }
  }
  return joined(mode, node, parts, chunks);
}

inline void Ledger::take(const model::Answer& answer) {
  ++answers_;
  const Place& place = answer.place;
  const uint64_t chunks = chunks_of(place);
  const Range node = place.last == 0 ? Range{0, chunks} : Range{place.first, place.last};
  const bool is_list = place.tree != Tree::tensor;
  ASSERT_FALSE(is_open(kept_, place, is_list, node, chunks)) << "asked twice";
  const Hash hash = hash_of(answer, node, chunks);
  if (const auto bound = expected(place)) {
    EXPECT_EQ(hash, *bound) << "tree " << static_cast<int>(place.tree);
  } else if (place.tree == Tree::tensor) {
    const law::Shape& shape = setting_.program.records[place.record].out;
    EXPECT_EQ(law::tensor_root(shape, hash), output_root(place.step, place.record));
  } else if (place.tree == Tree::window) {
    const uint32_t end = std::min(setting_.steps, (place.step + 1) * setting_.claim_every);
    EXPECT_EQ(answer.hashes.back(), state_after(end - 1));
  }
  if (place.tree == Tree::task) {
    kept_.salt = answer.salt;
  }
  if (is_opened_by_entries(is_list, node)) {
    const uint64_t count = std::min(entries_of(place), node.last * entries_per_chunk);
    EXPECT_EQ(answer.hashes.size(), count - node.first * entries_per_chunk);
    kept_.entries.push_back({at_node(place, node), answer.hashes});
    return;
  }
  const auto ranges = crypto::descendants(node.first, node.last, opened_levels);
  for (size_t i = 0; i < ranges.size(); ++i) {
    kept_.nodes.push_back({at_node(place, {ranges[i].first, ranges[i].second}), answer.hashes[i]});
  }
}

/// Whether `path` opens entry `index` of a list as `entry` under `root`.
inline bool opens(const crypto::Mode& mode,
                  const model::Path& path,
                  std::pair<uint64_t, uint64_t> index_of_entries,
                  const Hash& entry,
                  const std::function<std::optional<Hash>(const crypto::Node&)>& hash_at) {
  const auto [index, entries] = index_of_entries;
  const uint64_t chunks = crypto::chunk_count(32 * entries);
  const auto top =
      crypto::climb(mode, path.chunk, index / entries_per_chunk, chunks, path.siblings);
  const size_t at = index % entries_per_chunk * 32;
  return top.ok() && hash_at(*top) == top->cv && path.chunk.size() >= at + 32 &&
         std::equal(entry.bytes.begin(), entry.bytes.end(), &path.chunk[at]);
}

inline bool Ledger::is_value_bound(const model::StepProof& proof,
                                   const model::InputRoot& input,
                                   const law::Source& source) const {
  const Hash root = law::tensor_root(setting_.program.records[source.index].out, input.data);
  const auto kept_root = output_root(proof.place.step, source.index);
  if (kept_root || !input.path) {
    return !input.path && kept_root == root;
  }
  const List list = outputs_of(proof.place.step);
  const uint64_t index = list.first + source.index;
  const bool is_task = list.place.tree == Tree::task;
  const Hash entry =
      is_task ? model::task_entry(*kept_.salt, static_cast<uint32_t>(index), root) : root;
  return opens(mode_of(list.place.tree),
               *input.path,
               {index, entries_of(list.place)},
               entry,
               [&](const crypto::Node& node) {
                 return kept_.node(at_node(list.place, {node.first, node.last}));
               });
}

inline bool Ledger::is_bound(const model::StepProof& proof,
                             const model::InputRoot& input,
                             const Hash& state_before) const {
  const law::Source& source = setting_.program.records[proof.place.record].inputs[input.input];
  if (source.from == law::From::constant) {
    const law::Constant& constant = setting_.program.constants[source.index];
    return !input.path && law::tensor_root(constant.shape, input.data) == constant.root;
  }
  if (source.from == law::From::value) {
    return is_value_bound(proof, input, source);
  }
  const law::Leaf& leaf = setting_.program.leaves[source.index];
  const Hash entry = law::leaf_hash(leaf.name, law::tensor_root(leaf.shape, input.data));
  const uint64_t leaves = setting_.program.leaves.size();
  return input.path && opens(law::state_mode(),
                             *input.path,
                             {source.index, leaves},
                             entry,
                             [&](const crypto::Node& node) {
                               const bool is_top =
                                   node.last - node.first == crypto::chunk_count(32 * leaves);
                               return is_top ? std::optional(state_before) : std::nullopt;
                             });
}

/// Whether the last input is the path of the state before in its fold's list.
inline bool Ledger::is_shown(const model::StepProof& proof) const {
  const model::InputRoot& shown = proof.inputs.back();
  return shown.path && shown.data == model::fold_state_hash(proof.before) &&
         opens(model::fold_list_mode(),
               *shown.path,
               {proof.fold_step - 1, entries_of(proof.place)},
               shown.data,
               [&](const crypto::Node& node) {
                 return kept_.node(at_node(proof.place, {node.first, node.last}));
               });
}

/// What the law makes of the opened bytes: the hash of the next state, or of the last chunk.
inline std::optional<Hash> Ledger::step_result(const model::StepProof& proof) const {
  const law::Op op = law::op_of(setting_.program, proof.place.record);
  const law::Fold fold(op, static_cast<int64_t>(proof.place.chunk));
  std::vector<law::OpenedChunk> opened;
  for (const model::Opening& opening : proof.openings) {
    opened.push_back(
        {opening.input, static_cast<int64_t>(opening.chunk), ByteView(opening.path.chunk)});
  }
  const auto after = law::run_opened(op,
                                     static_cast<int64_t>(proof.place.chunk),
                                     static_cast<int64_t>(proof.fold_step),
                                     proof.before,
                                     opened);
  if (!after) {
    return std::nullopt;
  }
  if (static_cast<int64_t>(proof.fold_step) + 1 < fold.steps()) {
    return model::fold_state_hash(after->bytes(fold.accumulator()));
  }
  const Place tensor{Tree::tensor, proof.place.step, proof.place.record};
  const auto node =
      crypto::climb(law::data_mode(), after->done, proof.place.chunk, chunks_of(tensor), {});
  return node.ok() ? std::optional(node->cv) : std::nullopt;
}

inline bool Ledger::refutes(const model::StepProof& proof, const Hash& state_before) const {
  const Place& place = proof.place;
  EXPECT_TRUE(is_before(state_before, place.step)) << "the state before is not known";
  std::set<uint32_t> opened;
  for (const model::Opening& opening : proof.openings) {
    const law::Op op = law::op_of(setting_.program, place.record);
    const uint64_t chunks =
        crypto::chunk_count(static_cast<uint64_t>(op.in[opening.input].bytes()));
    const auto root = crypto::climb(
        law::data_mode(), opening.path.chunk, opening.chunk, chunks, opening.path.siblings);
    const auto input = std::find_if(proof.inputs.begin(), proof.inputs.end(), [&](const auto& i) {
      return i.input == opening.input;
    });
    if (!root.ok() || input == proof.inputs.end() || root->last != chunks || root->first != 0 ||
        root->cv != input->data) {
      ADD_FAILURE() << "an opening does not lead to its input's data hash";
      return false;
    }
    opened.insert(opening.input);
  }
  const size_t count = setting_.program.records[place.record].inputs.size();
  const bool shows_before = !proof.inputs.empty() && proof.inputs.back().input == count;
  EXPECT_EQ(opened.size() + (shows_before ? 1 : 0), proof.inputs.size());
  for (const model::InputRoot& input : proof.inputs) {
    const bool is_bound_so =
        input.input == count ? is_shown(proof) : is_bound(proof, input, state_before);
    EXPECT_TRUE(is_bound_so) << "input " << input.input;
  }
  if (shows_before) {
    EXPECT_FALSE(kept_.entry(place, proof.fold_step - 1).has_value());
  } else if (proof.fold_step > 0) {
    EXPECT_EQ(kept_.entry(place, proof.fold_step - 1), model::fold_state_hash(proof.before));
  } else {
    EXPECT_TRUE(proof.before.empty());
  }
  const Place chunk{Tree::tensor, place.step, place.record, 0, place.chunk, place.chunk + 1};
  const law::Op op = law::op_of(setting_.program, place.record);
  const law::Fold fold(op, static_cast<int64_t>(place.chunk));
  const bool is_last = static_cast<int64_t>(proof.fold_step) + 1 == fold.steps();
  const std::optional<Hash> claimed =
      is_last ? kept_.node(chunk) : kept_.entry(place, proof.fold_step);
  const std::optional<Hash> right = step_result(proof);
  EXPECT_TRUE(claimed.has_value() && right.has_value()) << "inadmissible";
  return claimed && right && *claimed != *right;
}

inline bool Ledger::refutes(const model::LeafProof& proof, const Hash& state_before) const {
  const law::Leaf& leaf = setting_.program.leaves[proof.leaf];
  EXPECT_TRUE(is_before(state_before, proof.step)) << "the state before is not known";
  const auto claimed = kept_.entry({Tree::state, proof.step}, proof.leaf);
  EXPECT_TRUE(claimed.has_value());
  if (leaf.writer) {
    const auto root = output_root(proof.step, *leaf.writer);
    EXPECT_TRUE(root.has_value() && !proof.before);
    return claimed && root && *claimed != law::leaf_hash(leaf.name, *root);
  }
  EXPECT_TRUE(proof.before.has_value());
  const uint64_t leaves = setting_.program.leaves.size();
  const auto top = crypto::climb(law::state_mode(),
                                 proof.before->chunk,
                                 proof.leaf / entries_per_chunk,
                                 crypto::chunk_count(32 * leaves),
                                 proof.before->siblings);
  EXPECT_TRUE(top.ok() && top->cv == state_before);
  const size_t at = proof.leaf % entries_per_chunk * 32;
  return claimed &&
         !std::equal(claimed->bytes.begin(), claimed->bytes.end(), &proof.before->chunk[at]);
}

}  // namespace lockstep::attest
