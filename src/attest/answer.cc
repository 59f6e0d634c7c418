// The claimant's side: which places a task has, and what this party says of them.
#include "attest/own_tree.h"
#include "attest/witness.h"

namespace lockstep::attest {
namespace {

constexpr uint64_t hash_bytes = 32;

uint64_t chunks_of_list(uint64_t entries) {
  return crypto::chunk_count(entries * hash_bytes);
}

/// Fields that the tree does not use are 0.
bool is_plain(const model::Place& place) {
  switch (place.tree) {
    case model::Tree::task:
      return place.step == 0 && place.record == 0 && place.chunk == 0;
    case model::Tree::tensor:
      return place.chunk == 0;
    case model::Tree::fold:
      return true;
    default:
      return place.record == 0 && place.chunk == 0;
  }
}

}  // namespace

bool Witness::has_step_place(const model::Place& place) const {
  if (place.step >= steps_) {
    return false;
  }
  if (place.tree != model::Tree::tensor && place.tree != model::Tree::fold) {
    return true;
  }
  if (place.record >= program_.records.size()) {
    return false;
  }
  const law::Shape& shape = program_.records[place.record].out;
  return place.chunk < crypto::chunk_count(static_cast<uint64_t>(shape.bytes()));
}

std::optional<uint64_t> Witness::chunks_of(const model::Place& place) const {
  if (!is_plain(place)) {
    return std::nullopt;
  }
  if (place.tree == model::Tree::task) {
    return chunks_of_list(roots_.size());
  }
  if (place.tree == model::Tree::window) {
    const bool is_there = place.step < state_roots() && window_steps(place.step) > 1;
    return is_there ? std::optional(chunks_of_list(window_steps(place.step))) : std::nullopt;
  }
  if (!has_step_place(place)) {
    return std::nullopt;
  }
  if (place.tree == model::Tree::step) {
    const bool is_there = outputs_of(place.step).list.tree == model::Tree::step;
    return is_there ? std::optional(chunks_of_list(program_.records.size())) : std::nullopt;
  }
  if (place.tree == model::Tree::state) {
    return chunks_of_list(program_.leaves.size());
  }
  if (place.tree == model::Tree::tensor) {
    const law::Shape& shape = program_.records[place.record].out;
    return crypto::chunk_count(static_cast<uint64_t>(shape.bytes()));
  }
  const uint64_t steps = fold_steps(place);
  return steps > 1 ? std::optional(chunks_of_list(steps - 1)) : std::nullopt;
}

Result<Witness::Reply> Witness::answer(const model::Place& place, const Hash& salt) const {
  const bool is_list = place.tree != model::Tree::tensor;
  const std::optional<uint64_t> chunks = chunks_of(place);
  const std::optional<Range> node =
      chunks ? opened_node(place, is_list, *chunks) : std::optional<Range>();
  if (!node) {
    return refuse(Code::bad_place, "the task has no such place, or nothing below it");
  }
  if (place.tree == model::Tree::window && steps_known_.size() != steps_) {
    return Reply(NeedSteps{});
  }
  const bool reads_trace = place.tree != model::Tree::task && place.tree != model::Tree::window;
  if (reads_trace && !is_traced(place.step)) {
    return Reply(NeedTrace{place.step});
  }
  OwnTree own = tree_of(place, salt);
  const Hash opened_salt = place.tree == model::Tree::task ? salt : Hash{};
  return Reply(model::Answer{place, opened_salt, own.open(*node)});
}

}  // namespace lockstep::attest
