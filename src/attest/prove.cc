// The challenger's side: the way down to the first difference, and the proof at its end.
#include <algorithm>

#include "attest/own_fold.h"
#include "attest/own_tree.h"
#include "attest/witness.h"
#include "base/check.h"
#include "law/referee.h"
#include "law/roots.h"

namespace lockstep::attest {

bool Witness::is_asked(const model::Kept& kept, const model::Place& top) const {
  const std::optional<uint64_t> chunks = chunks_of(top);
  CHECK(chunks.has_value());
  return is_open(kept, top, top.tree != model::Tree::tensor, {0, *chunks}, *chunks);
}

Witness::Move Witness::next(const model::Kept& kept) const {
  const model::Place list;
  if (!kept.salt || !is_asked(kept, list)) {
    return Ask{list};
  }
  OwnTree own = tree_of(list, *kept.salt);
  const Comparison found = compare(own, list, kept, 0);
  if (const auto* ask = std::get_if<model::Place>(&found)) {
    return Ask{*ask};
  }
  if (std::holds_alternative<Same>(found)) {
    // A long list can be true beside a false output root: only its entries show that they do not
    // meet, so the last state root is opened before anything is conceded.
    const auto ask = missing(own, list, kept, state_roots() - 1);
    return ask ? Move(Ask{*ask}) : Move(Concede{});
  }
  // Where the state roots agree it is an output of a short task's last step. The state before that
  // step must be known too: the way leads through the last window all the same.
  const auto window =
      static_cast<uint32_t>(std::min<uint64_t>(std::get<Differs>(found).index, state_roots() - 1));
  if (window > 0) {
    if (const auto ask = missing(own, list, kept, window - 1)) {
      return Ask{*ask};
    }
  }
  return in_window(kept, window);
}

Witness::Move Witness::in_window(const model::Kept& kept, uint32_t window) const {
  const uint32_t first = window * claim_every_;
  if (window_steps(window) == 1) {
    return in_step(kept, first);
  }
  model::Place place;
  place.tree = model::Tree::window;
  place.step = window;
  if (!is_asked(kept, place)) {
    return Ask{place};
  }
  if (steps_known_.size() != steps_) {
    return NeedSteps{};
  }
  OwnTree own = tree_of(place, {});
  const Comparison found = compare(own, place, kept, 0);
  if (const auto* differs = std::get_if<Differs>(&found)) {
    return in_step(kept, first + static_cast<uint32_t>(differs->index));
  }
  return in_step(kept, first + window_steps(window) - 1);
}

Witness::Move Witness::in_step(const model::Kept& kept, uint32_t step) const {
  const Outputs outputs = outputs_of(step);
  if (!is_asked(kept, outputs.list)) {
    return Ask{outputs.list};
  }
  if (!is_traced(step)) {
    return NeedTrace{step};
  }
  OwnTree own = tree_of(outputs.list, *kept.salt);
  const Comparison found = compare(own, outputs.list, kept, outputs.first);
  if (const auto* ask = std::get_if<model::Place>(&found)) {
    return Ask{*ask};
  }
  if (const auto* differs = std::get_if<Differs>(&found)) {
    return in_tensor(kept, step, static_cast<uint32_t>(differs->index - outputs.first));
  }
  return in_state(kept, step);
}

Witness::Move Witness::in_tensor(const model::Kept& kept, uint32_t step, uint32_t record) const {
  model::Place place;
  place.tree = model::Tree::tensor;
  place.step = step;
  place.record = record;
  OwnTree own = tree_of(place, {});
  const Comparison found = compare(own, place, kept, 0);
  if (const auto* ask = std::get_if<model::Place>(&found)) {
    return Ask{*ask};
  }
  if (std::holds_alternative<Same>(found)) {
    return Concede{};
  }
  place.tree = model::Tree::fold;
  place.chunk = std::get<Differs>(found).index;
  return in_fold(kept, place);
}

Witness::Move Witness::in_fold(const model::Kept& kept, const model::Place& place) const {
  const uint64_t steps = fold_steps(place);
  if (steps <= 1) {
    return Prove{step_proof(place, 0, &kept)};
  }
  if (!is_asked(kept, place)) {
    return Ask{place};
  }
  OwnTree own = tree_of(place, {});
  const Comparison found = compare(own, place, kept, 0);
  if (const auto* ask = std::get_if<model::Place>(&found)) {
    return Ask{*ask};
  }
  // Step b leads from s_b to s_(b+1), which is entry b. Where all entries agree it is the last step
  // that leads to another chunk.
  const auto* differs = std::get_if<Differs>(&found);
  const uint64_t step = differs != nullptr ? differs->index : steps - 1;
  model::StepProof proof = step_proof(place, step, &kept);
  if (step > 0 && !kept.entry(place, step - 1)) {
    // The state before lies in a node that nobody opened, since it agrees: a path ends there.
    const uint64_t chunk = (step - 1) / entries_per_chunk;
    const auto number = static_cast<uint32_t>(program_.records[place.record].inputs.size());
    const Range top = kept_over(kept, place, chunk, own.chunks());
    proof.inputs.push_back({number, own.entries()[step - 1], own.path(chunk, top)});
  }
  return Prove{std::move(proof)};
}

Witness::Move Witness::in_state(const model::Kept& kept, uint32_t step) const {
  model::Place place;
  place.tree = model::Tree::state;
  place.step = step;
  OwnTree own = tree_of(place, {});
  const Comparison found = compare(own, place, kept, 0);
  if (const auto* ask = std::get_if<model::Place>(&found)) {
    return Ask{*ask};
  }
  if (std::holds_alternative<Same>(found)) {
    return Concede{};
  }
  const auto leaf = static_cast<uint32_t>(std::get<Differs>(found).index);
  model::LeafProof proof{step, leaf, std::nullopt};
  if (const std::optional<uint32_t> writer = program_.leaves[leaf].writer) {
    const Outputs outputs = outputs_of(step);
    const OwnTree list = tree_of(outputs.list, *kept.salt);
    if (const auto ask = missing(list, outputs.list, kept, outputs.first + *writer)) {
      return Ask{*ask};
    }
  } else {
    OwnTree before = OwnTree::list(law::state_mode(), trace_->leaf_hashes_before);
    proof.before = before.path(leaf / entries_per_chunk, before.whole());
  }
  return Prove{proof};
}

model::StepProof Witness::prove(const model::Place& place, uint64_t fold_step) const {
  return step_proof(place, fold_step, nullptr);
}

model::StepProof Witness::step_proof(const model::Place& place,
                                     uint64_t fold_step,
                                     const model::Kept* kept) const {
  CHECK(is_traced(place.step) && place.record < program_.records.size());
  model::StepProof proof;
  proof.place = place;
  proof.fold_step = fold_step;
  OwnFold fold(program_, trace_->bytes, place.record, place.chunk);
  if (fold.steps() == 0) {
    return proof;  // no outputs: the chunk is empty, whatever was claimed
  }
  CHECK(fold_step < fold.steps());
  law::FoldState state = fold.before(fold_step, nullptr);
  proof.before = state.bytes(fold.fold().accumulator());
  law::RecordingReader reads(fold.op(), fold.reader());
  fold.fold().run(static_cast<int64_t>(fold_step), state, reads);

  std::optional<OwnTree> bytes;
  for (const auto& [input, chunk] : reads.touched()) {
    if (proof.inputs.empty() || proof.inputs.back().input != input) {
      const law::Source& source = program_.records[place.record].inputs[input];
      bytes = OwnTree::tensor(input_bytes(trace_->bytes, source));
      proof.inputs.push_back(
          {input, bytes->cv(bytes->whole()), input_path(source, place.step, kept)});
    }
    const auto at = static_cast<uint64_t>(chunk);
    proof.openings.push_back({input, at, bytes->path(at, bytes->whole())});
  }
  return proof;
}

std::optional<model::Path> Witness::input_path(const law::Source& source,
                                               uint32_t step,
                                               const model::Kept* kept) const {
  if (source.from == law::From::constant) {
    return std::nullopt;
  }
  if (source.from == law::From::state) {
    OwnTree before = OwnTree::list(law::state_mode(), trace_->leaf_hashes_before);
    return before.path(source.index / entries_per_chunk, before.whole());
  }
  if (kept == nullptr) {
    OwnTree list = OwnTree::list(model::step_list_mode(), trace_->output_roots);
    return list.path(source.index / entries_per_chunk, list.whole());
  }
  const Outputs outputs = outputs_of(step);
  const uint64_t entry = outputs.first + source.index;
  if (kept->entry(outputs.list, entry)) {
    return std::nullopt;
  }
  const uint64_t chunk = entry / entries_per_chunk;
  OwnTree list = tree_of(outputs.list, *kept->salt);
  return list.path(chunk, kept_over(*kept, outputs.list, chunk, list.chunks()));
}

}  // namespace lockstep::attest
