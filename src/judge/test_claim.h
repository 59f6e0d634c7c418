// For tests only: a claimed task with all its data, honest or not, that answers every place and
// proves every fold step; and a challenger that follows the first difference down.
#pragma once

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/test_random.h"
#include "judge/dispute.h"
#include "judge/tree.h"
#include "law/interpret.h"
#include "law/referee.h"
#include "law/roots.h"

namespace lockstep::judge::test {

using model::Answer;
using model::Kept;
using model::Outcome;
using model::Place;
using model::Tree;

using Random = TestRandom;

inline Hash hash_of(uint64_t number) {
  Hash hash;
  for (size_t i = 0; i < hash.bytes.size(); ++i) {
    hash.bytes[i] = static_cast<uint8_t>(test_mixed(number + i));
  }
  return hash;
}

inline law::Tensor random_tensor(const law::Shape& shape, uint64_t seed) {
  law::Tensor tensor{shape, Bytes(static_cast<size_t>(shape.bytes()))};
  Random random(seed);
  for (int64_t i = 0; i < shape.count(); ++i) {
    const uint64_t word = random.next();
    const bool is_float = shape.type == law::DType::f32;
    law::store_bits(
        shape.type, tensor.data, i, is_float ? (word & 0x807fffff) | (120 + word % 8) << 23 : word);
  }
  return tensor;
}

/// Every source, a contraction of three steps a group, one-term records, a reduction, a scalar and
/// a tensor without elements.
inline law::Program small_program() {
  using law::DType;
  using law::From;
  using law::Kind;
  using law::MapOp;
  law::Program p;
  p.leaves = {{"count", {DType::i64, {}}, 4},
              {"loss", {DType::f32, {1}}, 5},
              {"rate", {DType::f32, {}}, std::nullopt},
              {"w", {DType::f32, {150, 30}}, 3},
              {"x", {DType::f32, {20, 150}}, std::nullopt}};
  const law::Shape bias{DType::f32, {30}};
  p.constants = {{bias, law::tensor_root(random_tensor(bias, 7))}};
  p.records = {
      {Kind::contract,
       law::ContractAttr{},
       {{From::state, 4, {1, 20, 150}}, {From::state, 3, {1, 150, 30}}},
       {DType::f32, {1, 20, 30}}},
      {Kind::map,
       law::MapAttr{{{MapOp::input, 0}, {MapOp::input, 1}, {MapOp::add}}},
       {{From::value, 0, {20, 30}}, {From::constant, 0, {30}}},
       {DType::f32, {20, 30}}},
      {Kind::contract,
       law::ContractAttr{true, false},
       {{From::state, 4, {1, 20, 150}}, {From::value, 1, {1, 20, 30}}},
       {DType::f32, {1, 150, 30}}},
      {Kind::map,
       law::MapAttr{{{MapOp::input, 0}, {MapOp::input, 1}, {MapOp::input, 2}, {MapOp::fma}}},
       {{From::state, 2, {}}, {From::value, 2, {150, 30}}, {From::state, 3, {150, 30}}},
       {DType::f32, {150, 30}}},
      {Kind::map,
       law::MapAttr{{{MapOp::input, 0}, {MapOp::constant, 0, DType::i64, 1}, {MapOp::add}}},
       {{From::state, 0, {}}},
       {DType::i64, {}}},
      {Kind::reduce,
       law::ReduceAttr{law::ReduceOp::sum, {0, 1}},
       {{From::value, 1, {20, 30}}},
       {DType::f32, {1}}},
      {Kind::slice, law::SliceAttr{{0}, {1}}, {{From::constant, 0, {30}}}, {DType::f32, {0}}}};
  return p;
}

/// 300 leaves and 300 records: lists that do not fit one answer.
inline law::Program wide_program() {
  using law::From;
  using law::MapOp;
  law::Program p;
  const law::Shape shape{law::DType::f32, {3}};
  for (uint32_t i = 0; i < 300; ++i) {
    const bool written = i % 10 != 0;
    p.leaves.push_back(
        {"leaf" + std::to_string(1000 + i), shape, written ? std::optional(i) : std::nullopt});
    const law::Source other =
        i == 0 ? law::Source{From::state, 299, {3}}
               : law::Source{From::value, static_cast<uint32_t>(test_mixed(i) % i), {3}};
    p.records.push_back(
        {law::Kind::map,
         law::MapAttr{{{MapOp::input, 0}, {MapOp::input, 1}, {MapOp::subtract}}},
         {{From::state, i, {3}}, i % 3 == 0 ? law::Source{From::state, 299 - i, {3}} : other},
         shape});
  }
  return p;
}

struct Shape {
  uint32_t steps = 1;
  uint32_t claim_every = 1;
};

/// All data of a task as one party has it or claims it.
class Party {
 public:
  Party(const Registered& program, Shape shape) : program_(&program), shape_(shape) {
    for (size_t i = 0; i < program.program.constants.size(); ++i) {
      constants.push_back(random_tensor(program.program.constants[i].shape, 7 + i));
    }
    states.emplace_back();
    for (size_t i = 0; i < program.program.leaves.size(); ++i) {
      states[0].push_back(random_tensor(program.program.leaves[i].shape, 100 + i));
    }
    for (uint32_t step = 0; step < shape.steps; ++step) {
      run(step);
    }
    claim();
  }

  std::vector<law::Tensor> constants;
  std::vector<std::vector<law::Tensor>> states;   // states[s]: before step s
  std::vector<std::vector<law::Tensor>> outputs;  // [step][record]
  std::vector<Hash> state_roots;                  // after each step, as claimed
  std::map<Place, std::vector<Hash>> lies;        // whole lists, by top
  Hash salt = hash_of(1);

  [[nodiscard]] const law::Program& program() const { return program_->program; }

  /// Computes a step from the state before it.
  void run(uint32_t step) {
    states.resize(std::max<size_t>(states.size(), step + 2));
    outputs.resize(std::max<size_t>(outputs.size(), step + 1));
    states[step + 1] = law::run_step(program(), states[step], constants, &outputs[step]);
  }
  /// One bit of an output is false; what comes after it in the step and later follows from it.
  void lie_in_output(uint32_t step, uint32_t record, uint64_t bit) {
    Bytes& bytes = outputs[step][record].data;
    bytes[bit / 8 % bytes.size()] ^= static_cast<uint8_t>(1U << bit % 8);
    for (uint32_t r = record + 1; r < program().records.size(); ++r) {
      const law::Op op = law::op_of(program(), r);
      law::TensorReader reader(op, inputs(step, r));
      outputs[step][r] = law::evaluate(op, reader);
    }
    for (size_t i = 0; i < program().leaves.size(); ++i) {
      if (const auto writer = program().leaves[i].writer) {
        states[step + 1][i].data = outputs[step][*writer].data;
      }
    }
    run_from(step + 1);
  }
  void run_from(uint32_t step) {
    for (; step < shape_.steps; ++step) {
      run(step);
    }
    claim();
  }
  void claim() {
    state_roots.clear();
    for (uint32_t step = 0; step < shape_.steps; ++step) {
      state_roots.push_back(law::list_root(law::state_mode(), leaf_hashes(step + 1)));
    }
  }

  [[nodiscard]] std::vector<Hash> leaf_hashes(uint32_t state) const {
    std::vector<Hash> hashes;
    for (size_t i = 0; i < program().leaves.size(); ++i) {
      hashes.push_back(
          law::leaf_hash(program().leaves[i].name, law::tensor_root(states[state][i])));
    }
    return hashes;
  }
  [[nodiscard]] Case dispute() const {
    Case made;
    made.program = program_;
    made.steps = shape_.steps;
    made.claim_every = shape_.claim_every;
    made.input_root = law::list_root(law::state_mode(), leaf_hashes(0));
    made.output_root = state_roots.back();
    made.list = model::task_list(salt, entries({}));
    return made;
  }

  [[nodiscard]] std::vector<ByteView> inputs(uint32_t step, uint32_t record) const {
    std::vector<ByteView> views;
    for (const law::Source& source : program().records[record].inputs) {
      views.emplace_back(tensor_of(step, source).data);
    }
    return views;
  }
  [[nodiscard]] const law::Tensor& tensor_of(uint32_t step, const law::Source& source) const {
    switch (source.from) {
      case law::From::state:
        return states[step][source.index];
      case law::From::value:
        return outputs[step][source.index];
      default:
        return constants[source.index];
    }
  }

  /// The unsalted entries of a whole list.
  [[nodiscard]] std::vector<Hash> entries(const Place& place) const {
    if (const auto lie = lies.find(top_of(place)); lie != lies.end()) {
      return lie->second;
    }
    std::vector<Hash> hashes;
    if (place.tree == Tree::state) {
      return leaf_hashes(place.step + 1);
    }
    if (place.tree == Tree::window) {
      const uint32_t first = place.step * shape_.claim_every;
      for (uint32_t s = first; s < std::min(shape_.steps, first + shape_.claim_every); ++s) {
        hashes.push_back(state_roots[s]);
      }
    } else if (place.tree == Tree::fold) {
      return fold_hashes(place);
    } else if (place.tree == Tree::task) {
      for (uint32_t s = shape_.claim_every; s < shape_.steps; s += shape_.claim_every) {
        hashes.push_back(state_roots[s - 1]);
      }
      hashes.push_back(state_roots.back());
    }
    const bool has_outputs = place.tree == Tree::step || shape_.steps < model::short_task_steps;
    if (has_outputs && (place.tree == Tree::step || place.tree == Tree::task)) {
      const uint32_t step = place.tree == Tree::step ? place.step : shape_.steps - 1;
      for (const law::Tensor& output : outputs[step]) {
        hashes.push_back(law::tensor_root(output));
      }
    }
    return hashes;
  }
  /// The states of a fold, from this party's own inputs.
  [[nodiscard]] std::vector<law::FoldState> fold_states(const Place& place) const {
    const law::Op op = law::op_of(program(), place.record);
    const law::Fold fold(op, static_cast<int64_t>(place.chunk));
    law::TensorReader reader(op, inputs(place.step, place.record));
    std::vector<law::FoldState> made(1);
    for (int64_t b = 0; b < fold.steps(); ++b) {
      made.push_back(made.back());
      fold.run(b, made.back(), reader);
    }
    return made;
  }
  [[nodiscard]] std::vector<Hash> fold_hashes(const Place& place) const {
    const law::Op op = law::op_of(program(), place.record);
    const law::DType type = law::Fold(op, 0).accumulator();
    std::vector<Hash> hashes;
    for (const law::FoldState& state : fold_states(place)) {
      hashes.push_back(model::fold_state_hash(state.bytes(type)));
    }
    return {hashes.begin() + 1, hashes.end() - 1};
  }

  /// What the tree's hash is over.
  [[nodiscard]] Bytes message(const Place& place) const {
    if (place.tree == Tree::tensor) {
      return outputs[place.step][place.record].data;
    }
    Bytes bytes;
    uint32_t index = 0;
    for (Hash entry : entries(place)) {
      entry = place.tree == Tree::task ? model::task_entry(salt, index++, entry) : entry;
      bytes.insert(bytes.end(), entry.bytes.begin(), entry.bytes.end());
    }
    return bytes;
  }
  [[nodiscard]] Answer answer(const Place& place) const {
    const TreeShape tree = *tree_of(dispute(), place);
    Answer made{place, place.tree == Tree::task ? salt : Hash{}, {}};
    const uint64_t first = place.first;
    const uint64_t last = place.last == 0 ? tree.chunks : place.last;
    if (tree.answered_by_entries(first, last)) {
      const auto all = entries(place);
      const auto begin = all.begin() + static_cast<ptrdiff_t>(first * entries_per_chunk);
      made.hashes = {begin, begin + static_cast<ptrdiff_t>(tree.entries_in(first, last))};
      return made;
    }
    const Bytes bytes = message(place);
    for (const auto& [begin, end] : crypto::descendants(first, last, answered_levels)) {
      made.hashes.push_back(crypto::subtree(*tree.mode, bytes, begin, end).cv);
    }
    return made;
  }

  [[nodiscard]] static model::Path path(const crypto::Mode& mode,
                                        const Bytes& message,
                                        uint64_t chunk) {
    const auto at = static_cast<ptrdiff_t>(chunk * 1024);
    const auto end = std::min<ptrdiff_t>(at + 1024, static_cast<ptrdiff_t>(message.size()));
    return {Bytes(message.begin() + at, message.begin() + end),
            crypto::path_to_root(mode, message, chunk)};
  }
  /// The path of leaf `leaf` in the state before `step`.
  [[nodiscard]] model::Path leaf_path(uint32_t step, uint32_t leaf) const {
    Bytes bytes;
    for (const Hash& entry : leaf_hashes(step)) {
      bytes.insert(bytes.end(), entry.bytes.begin(), entry.bytes.end());
    }
    return path(law::state_mode(), bytes, leaf / entries_per_chunk);
  }
  /// A proof of fold step `b` from this party's own data, with paths up to the roots.
  [[nodiscard]] model::StepProof prove(const Place& place, uint64_t b) const {
    const law::Op op = law::op_of(program(), place.record);
    const law::Fold fold(op, static_cast<int64_t>(place.chunk));
    const auto views = inputs(place.step, place.record);
    law::TensorReader reader(op, views);
    law::RecordingReader recording(op, reader);
    law::FoldState state = fold_states(place)[b];
    model::StepProof proof{place, b, state.bytes(fold.accumulator()), {}, {}};
    fold.run(static_cast<int64_t>(b), state, recording);
    for (const auto& [input, chunk] : recording.touched()) {
      const Bytes data(views[input].begin(), views[input].end());
      const auto at = static_cast<uint64_t>(chunk);
      proof.openings.push_back({input, at, path(law::data_mode(), data, at)});
      if (proof.inputs.empty() || proof.inputs.back().input != input) {
        const law::Source& source = op.record->inputs[input];
        proof.inputs.push_back({input, law::data_hash(data), binding(place.step, source)});
      }
    }
    return proof;
  }
  [[nodiscard]] std::optional<model::Path> binding(uint32_t step, const law::Source& source) const {
    if (source.from == law::From::constant) {
      return std::nullopt;
    }
    if (source.from == law::From::state) {
      return leaf_path(step, source.index);
    }
    Place list;
    list.tree = Tree::step;
    list.step = step;
    uint64_t index = source.index;
    if (in_task_list(dispute(), step)) {
      list = Place{};
      index += model::state_roots_of(shape_.steps, shape_.claim_every);
    }
    return path(*tree_of(dispute(), list)->mode, message(list), index / entries_per_chunk);
  }

 private:
  const Registered* program_;
  Shape shape_;
};

/// How a dispute ended.
enum class End { convicted, upheld, nothing_differs, stuck };

/// Follows the first difference between `mine` and what `theirs` answers. The dispute's rules are
/// used as the ledger uses them.
class Challenger {
 public:
  Challenger(const Party& mine, const Party& theirs, const Case& dispute)
      : mine_(mine), theirs_(theirs), dispute_(dispute) {}

  End fight() {
    Place list;
    const auto at = difference(list);
    if (end_) {
      return *end_;
    }
    const uint32_t roots = model::state_roots_of(dispute_.steps, dispute_.claim_every);
    if (!at) {
      return End::nothing_differs;
    }
    return *at < roots ? window(static_cast<uint32_t>(*at))
                       : record(dispute_.steps - 1, static_cast<uint32_t>(*at - roots));
  }
  Kept kept;
  uint32_t answers = 0;

 private:
  bool ask(const Place& place) {
    if (!admissible(dispute_, kept, place).ok()) {
      end_ = End::stuck;
    } else if (const auto taken = take(dispute_, kept, theirs_.answer(place)); !taken.ok()) {
      end_ = taken.error().code == Code::bad_answer ? End::convicted : End::stuck;
    }
    ++answers;
    return !end_;
  }
  /// The first place where the tree differs from mine: an entry of a list, a chunk of a tensor.
  std::optional<uint64_t> difference(Place place) {
    const TreeShape tree = *tree_of(dispute_, place);
    const auto own = tree.is_list ? mine_.entries(place) : std::vector<Hash>{};
    const Bytes message = mine_.message(place);
    for (uint64_t first = 0, last = tree.chunks;;) {
      const bool known = tree.is_list && kept.entry(place, first * entries_per_chunk);
      if (!known && !ask(place)) {
        return std::nullopt;
      }
      if (tree.answered_by_entries(first, last)) {
        for (uint64_t i = first * entries_per_chunk; i < own.size(); ++i) {
          const auto entry = kept.entry(place, i);
          if (entry && *entry != own[i]) {
            return i;
          }
        }
        return std::nullopt;
      }
      bool found = false;
      for (const auto& [begin, end] : crypto::descendants(first, last, answered_levels)) {
        place.first = begin, place.last = end;
        if (kept.node(place) != crypto::subtree(*tree.mode, message, begin, end).cv) {
          found = true;
          break;
        }
      }
      if (!found) {
        return std::nullopt;
      }
      first = place.first, last = place.last;
      if (!tree.is_list && last - first == 1) {
        return first;
      }
    }
  }
  End window(uint32_t number) {
    const auto [first, last] = steps_of_window(dispute_, number);
    uint32_t at = first;
    if (last - first > 1) {
      Place list;
      list.tree = Tree::window;
      list.step = number;
      const auto found = difference(list);
      if (!found) {
        return end_.value_or(End::stuck);
      }
      at += static_cast<uint32_t>(*found);
    }
    return step(at);
  }
  End step(uint32_t number) {
    Place list;
    list.tree = Tree::step;
    list.step = number;
    if (!in_task_list(dispute_, number)) {
      const auto found = difference(list);
      if (found || end_) {
        return end_ ? *end_ : record(number, static_cast<uint32_t>(*found));
      }
    } else {
      for (uint32_t r = 0; r < mine_.program().records.size(); ++r) {
        const auto claimed = claimed_output(number, r);
        if (!claimed || *claimed != law::tensor_root(mine_.outputs[number][r])) {
          return claimed ? record(number, r) : end_.value_or(End::stuck);
        }
      }
    }
    list.tree = Tree::state;
    const auto leaf = difference(list);
    if (!leaf) {
      return end_.value_or(End::stuck);
    }
    return prove_leaf(number, static_cast<uint32_t>(*leaf));
  }
  /// Opens the task's list where the root is not known yet.
  std::optional<Hash> claimed_output(uint32_t step, uint32_t record) {
    const uint64_t index = model::state_roots_of(dispute_.steps, dispute_.claim_every) + record;
    for (const model::KeptNode& node : std::vector(kept.nodes)) {
      const bool holds = node.place.tree == Tree::task &&
                         node.place.first <= index / entries_per_chunk &&
                         index / entries_per_chunk < node.place.last;
      if (holds && !output_root(dispute_, kept, step, record) && !ask(node.place)) {
        return std::nullopt;
      }
    }
    return output_root(dispute_, kept, step, record);
  }
  End prove_leaf(uint32_t step, uint32_t leaf) {
    model::LeafProof proof{step, leaf, std::nullopt};
    const auto writer = mine_.program().leaves[leaf].writer;
    if (!writer) {
      proof.before = mine_.leaf_path(step, leaf);
    } else if (!output_root(dispute_, kept, step, *writer)) {
      // A wide list: its node that has the writer's root is still to be opened.
      for (const model::KeptNode& node : std::vector(kept.nodes)) {
        const bool holds = node.place.tree == Tree::step && node.place.step == step &&
                           node.place.first <= *writer / entries_per_chunk &&
                           *writer / entries_per_chunk < node.place.last;
        if (holds && !ask(node.place)) {
          return *end_;
        }
      }
    }
    return ended(decide(dispute_, kept, proof));
  }
  End record(uint32_t step, uint32_t record) {
    Place place;
    place.tree = Tree::tensor;
    place.step = step;
    place.record = record;
    const auto chunk = difference(place);
    if (!chunk) {
      return end_.value_or(End::stuck);
    }
    place.tree = Tree::fold;
    place.chunk = *chunk;
    std::optional<uint64_t> entry;
    if (tree_of(dispute_, place)) {
      entry = difference(place);
      if (end_) {
        return *end_;
      }
    }
    const uint64_t last = mine_.fold_states(place).size() - 2;
    model::StepProof proof = mine_.prove(place, entry.value_or(last));
    cut(proof);
    return ended(decide(dispute_, kept, proof));
  }
  /// My lists' roots are not theirs: paths to outputs end at the nodes that are kept, and those of
  /// whole lists are not needed.
  void cut(model::StepProof& proof) {
    const auto& sources = mine_.program().records[proof.place.record].inputs;
    for (model::InputRoot& input : proof.inputs) {
      const law::Source& source = sources[input.input];
      if (source.from != law::From::value) {
        continue;
      }
      if (output_root(dispute_, kept, proof.place.step, source.index)) {
        input.path.reset();
      } else {
        input.path->siblings.clear();  // fewer than 256 chunks: each is a kept node
      }
    }
  }
  static End ended(Outcome outcome) {
    return outcome == Outcome::refuted ? End::convicted
           : outcome == Outcome::holds ? End::upheld
                                       : End::stuck;
  }
  const Party& mine_;
  const Party& theirs_;
  Case dispute_;
  std::optional<End> end_;
};

/// Registers programs with constants from test data.
class Registry {
 protected:
  const Registered& add(const law::Program& program) {
    std::vector<Hash> constants;
    for (size_t i = 0; i < program.constants.size(); ++i) {
      constants.push_back(law::data_hash(random_tensor(program.constants[i].shape, 7 + i).data));
    }
    return *programs_.add(law::encode(program), constants).value();
  }
  const Registered& small() { return add(small_program()); }
  const Registered& wide() { return add(wide_program()); }

 private:
  Programs programs_;
};

inline Place at(Tree tree, uint32_t step = 0, uint32_t record = 0, uint64_t chunk = 0) {
  return {tree, step, record, chunk, 0, 0};
}

}  // namespace lockstep::judge::test
