// Proofs: one fold step evaluated with the law on opened bytes, or two leaves compared.
#include <algorithm>

#include "base/mutant.h"
#include "judge/dispute.h"
#include "judge/tree.h"
#include "law/referee.h"
#include "law/roots.h"

namespace lockstep::judge {
namespace {

using model::InputRoot;
using model::Kept;
using model::Opening;
using model::Outcome;
using model::Path;
using model::Place;
using model::StepProof;
using model::Tree;

static_assert(proof_bytes_max == limits::step_proof_bytes_max,
              "what check() accepts can be proved");

/// A dispute with what is kept in it.
struct Known {
  const Case& dispute;
  const Kept& kept;
  [[nodiscard]] const law::Program& program() const { return dispute.program->program; }
};

uint64_t bytes_of(const Path& path) {
  return path.chunk.size() + path.siblings.size() * sizeof(Hash);
}

uint64_t bytes_of(const StepProof& proof) {
  uint64_t sum = proof.before.size();
  for (const Opening& opening : proof.openings) {
    sum += bytes_of(opening.path);
  }
  for (const InputRoot& input : proof.inputs) {
    sum += sizeof(Hash) + (input.path ? bytes_of(*input.path) : 0);
  }
  return sum;
}

/// A list of the trace, seen from a path. `place` is nothing for the state before the first step,
/// whose list nobody answers.
struct List {
  TreeShape shape;
  std::optional<Place> place;
  std::optional<Hash> root;
};

/// Entry `index` of the list as `path` shows it; nothing when the path does not lead to the list.
std::optional<Hash> shown(const Known& known, const List& list, uint64_t index, const Path& path) {
  if (index >= list.shape.entries) {
    return std::nullopt;
  }
  const uint64_t chunk = index / entries_per_chunk;
  if (path.chunk.size() != list.shape.entries_in(chunk, chunk + 1) * sizeof(Hash)) {
    return std::nullopt;
  }
  const auto node =
      crypto::climb(*list.shape.mode, path.chunk, chunk, list.shape.chunks, path.siblings);
  if (!node) {
    return std::nullopt;
  }
  std::optional<Hash> expected;
  if (node->first == 0 && node->last == list.shape.chunks) {
    expected = list.root;
  } else if (list.place) {
    Place reached = *list.place;
    reached.first = node->first, reached.last = node->last;
    expected = known.kept.node(reached);
  }
  if (expected != node->cv) {
    return std::nullopt;
  }
  Hash entry;
  const size_t at = static_cast<size_t>(index % entries_per_chunk) * sizeof(Hash);
  std::copy_n(path.chunk.begin() + static_cast<ptrdiff_t>(at), sizeof(Hash), entry.bytes.begin());
  return entry;
}

/// The hash of leaf `leaf` before `step`, where it is kept or `path` shows it.
std::optional<Hash> leaf_before(const Known& known,
                                uint32_t step,
                                uint32_t leaf,
                                const std::optional<Path>& path) {
  Place place;
  place.tree = Tree::state;
  place.step = step == 0 ? 0 : step - 1;
  const auto shape = tree_of(known.dispute, place);  // the same for every step
  if (!shape) {
    return std::nullopt;
  }
  List list{*shape, std::nullopt, state_before(known.dispute, known.kept, step)};
  if (step > 0) {
    list.place = place;
    if (const auto kept = known.kept.entry(place, leaf)) {
      return kept;
    }
  }
  if (is_mutated(Mutant::stale_root_accepted) && path && step > 0 &&
      !shown(known, list, leaf, *path)) {
    list.root = state_before(known.dispute, known.kept, step - 1);
  }
  return path ? shown(known, list, leaf, *path) : std::nullopt;
}

/// Whether record `record`'s output at `step` is known, or shown, to have been claimed as `root`.
bool is_output(const Known& known,
               uint32_t step,
               uint32_t record,
               const std::optional<Path>& path,
               const Hash& root) {
  if (const auto kept = output_root(known.dispute, known.kept, step, record)) {
    return *kept == root;
  }
  const bool in_task = in_task_list(known.dispute, step);
  Place place;
  place.tree = in_task ? Tree::task : Tree::step;
  place.step = in_task ? 0 : step;
  const auto shape = tree_of(known.dispute, place);
  if (!shape || !path || (in_task && !known.kept.salt)) {
    return false;
  }
  const List list{*shape, place, root_of(known.dispute, known.kept, place)};
  if (!in_task) {
    return shown(known, list, record, *path) == root;
  }
  const uint32_t index =
      model::state_roots_of(known.dispute.steps, known.dispute.claim_every) + record;
  return shown(known, list, index, *path) == model::task_entry(*known.kept.salt, index, root);
}

/// Whether the data hash of an input is bound to what is agreed or claimed.
bool is_bound(const Known& known, const StepProof& proof, const InputRoot& input) {
  const law::Program& program = known.program();
  const law::Source& source = program.records[proof.place.record].inputs[input.input];
  const uint32_t step = proof.place.step;
  switch (source.from) {
    case law::From::state: {
      const law::Leaf& leaf = program.leaves[source.index];
      const Hash root = law::tensor_root(leaf.shape, input.data);
      return leaf_before(known, step, source.index, input.path) == law::leaf_hash(leaf.name, root);
    }
    case law::From::value: {
      const Hash root = law::tensor_root(program.records[source.index].out, input.data);
      return is_output(known, step, source.index, input.path, root);
    }
    case law::From::constant: {
      const law::Constant& constant = program.constants[source.index];
      return law::tensor_root(constant.shape, input.data) == constant.root;
    }
  }
  return false;
}

/// The path of the state before in its fold's list: given, where no answer has that entry, as one
/// more input after the record's own.
const InputRoot* path_of_before(const Known& known, const StepProof& proof) {
  const size_t count = known.program().records[proof.place.record].inputs.size();
  const bool is_given = !proof.inputs.empty() && proof.inputs.back().input == count;
  return is_given ? &proof.inputs.back() : nullptr;
}

/// Whether `inputs` are exactly those that are opened, ascending, and each is bound; but for
/// path_of_before().
bool are_bound(const Known& known, const StepProof& proof) {
  const size_t count = known.program().records[proof.place.record].inputs.size();
  size_t next = 0;
  std::optional<uint32_t> last;
  for (const Opening& opening : proof.openings) {
    if (last == opening.input) {
      continue;
    }
    last = opening.input;
    const bool fits = opening.input < count && next < proof.inputs.size() &&
                      proof.inputs[next].input == opening.input;
    if (!fits || !is_bound(known, proof, proof.inputs[next])) {
      return false;
    }
    ++next;
  }
  return next + (path_of_before(known, proof) != nullptr ? 1 : 0) == proof.inputs.size();
}

/// The opened chunks, each climbed up to its input's data hash. Nothing when one does not reach it.
std::optional<std::vector<law::OpenedChunk>> opened(const law::Op& op, const StepProof& proof) {
  std::vector<law::OpenedChunk> chunks;
  for (const Opening& opening : proof.openings) {
    const auto input = std::lower_bound(
        proof.inputs.begin(),
        proof.inputs.end(),
        opening.input,
        [](const InputRoot& root, uint32_t number) { return root.input < number; });
    if (input == proof.inputs.end() || input->input != opening.input ||
        opening.input >= op.in.size()) {
      return std::nullopt;
    }
    const auto count = static_cast<uint64_t>(law::chunks_of(op.in[opening.input]));
    const auto node = crypto::climb(
        law::data_mode(), opening.path.chunk, opening.chunk, count, opening.path.siblings);
    const bool reached = node.ok() && node->first == 0 && node->last == count;
    if (!reached || (node->cv != input->data && !is_mutated(Mutant::opening_not_checked))) {
      return std::nullopt;
    }
    chunks.push_back({opening.input, static_cast<int64_t>(opening.chunk), opening.path.chunk});
  }
  return chunks;
}

/// What the claim says of the states around one fold step.
struct FoldClaim {
  std::optional<Hash> before;  // hash of the state before; nothing before the first step
  Hash after;                  // hash of the state after, or the chunk's chaining value
  bool is_last = false;
  uint64_t chunks = 1;  // of the output
};

/// The claimed hash of state `fold_step` (from 1), where it is kept or, only where it is not,
/// shown.
std::optional<Hash> state_before_step(const Known& known, const StepProof& proof) {
  const InputRoot* const given = path_of_before(known, proof);
  const auto kept =
      proof.fold_step == 0 ? std::nullopt : known.kept.entry(proof.place, proof.fold_step - 1);
  if (given == nullptr) {
    return kept;
  }
  const auto shape = tree_of(known.dispute, proof.place);
  if (proof.fold_step == 0 || kept || !shape || !given->path) {
    return std::nullopt;
  }
  const List list{*shape, proof.place, std::nullopt};
  const auto entry = shown(known, list, proof.fold_step - 1, *given->path);
  return entry == given->data ? entry : std::nullopt;
}

std::optional<FoldClaim> fold_claim(const Known& known, const StepProof& proof, uint64_t steps) {
  const Place& fold = proof.place;
  Place tensor = fold;
  tensor.tree = Tree::tensor;
  tensor.chunk = 0;
  const auto tree = tree_of(known.dispute, tensor);
  tensor.first = fold.chunk;
  tensor.last = fold.chunk + 1;
  const auto cv = known.kept.node(tensor);
  if (!tree || !cv || proof.fold_step >= steps) {
    return std::nullopt;
  }
  FoldClaim claim;
  claim.chunks = tree->chunks;
  claim.is_last = proof.fold_step + 1 == steps;
  const auto after = claim.is_last ? cv : known.kept.entry(fold, proof.fold_step);
  claim.before = state_before_step(known, proof);
  const bool is_needed = proof.fold_step > 0 || path_of_before(known, proof) != nullptr;
  if (!after || (is_needed && !claim.before)) {
    return std::nullopt;
  }
  claim.after = *after;
  return claim;
}

bool names_a_chunk(const Known& known, const Place& place) {
  return place.tree == Tree::fold && place.first == 0 && place.last == 0 &&
         place.step < known.dispute.steps && place.record < known.program().records.size() &&
         place.chunk <
             static_cast<uint64_t>(law::chunks_of(known.program().records[place.record].out));
}

}  // namespace

Outcome decide(const Case& dispute, const Kept& kept, const StepProof& proof) {
  const Known known{dispute, kept};
  const Place& place = proof.place;
  if (!names_a_chunk(known, place) || bytes_of(proof) > proof_bytes_max ||
      !state_before(dispute, kept, place.step)) {
    return Outcome::inadmissible;
  }
  const law::Op op = law::op_of(known.program(), place.record);
  const auto chunk = static_cast<int64_t>(place.chunk);
  const law::Fold fold(op, chunk);
  const auto claim = fold_claim(known, proof, static_cast<uint64_t>(fold.steps()));
  if (!claim || (claim->before && model::fold_state_hash(proof.before) != *claim->before) ||
      !are_bound(known, proof)) {
    return Outcome::inadmissible;
  }
  const auto chunks = opened(op, proof);
  if (!chunks) {
    return Outcome::inadmissible;
  }
  const auto after =
      law::run_opened(op, chunk, static_cast<int64_t>(proof.fold_step), proof.before, *chunks);
  if (!after) {
    return Outcome::inadmissible;
  }
  const Hash computed =
      claim->is_last
          ? crypto::climb(law::data_mode(), after->done, place.chunk, claim->chunks, {}).value().cv
          : model::fold_state_hash(after->bytes(fold.accumulator()));
  return computed == claim->after ? Outcome::holds : Outcome::refuted;
}

Outcome decide(const Case& dispute, const Kept& kept, const model::LeafProof& proof) {
  const Known known{dispute, kept};
  Place after;
  after.tree = Tree::state;
  after.step = proof.step;
  if (proof.step >= dispute.steps || proof.leaf >= known.program().leaves.size()) {
    return Outcome::inadmissible;
  }
  const auto claimed = kept.entry(after, proof.leaf);
  if (!claimed) {
    return Outcome::inadmissible;
  }
  const law::Leaf& leaf = known.program().leaves[proof.leaf];
  std::optional<Hash> expected;
  if (!leaf.writer) {
    expected = leaf_before(known, proof.step, proof.leaf, proof.before);
  } else if (const auto root = output_root(dispute, kept, proof.step, *leaf.writer)) {
    expected = law::leaf_hash(leaf.name, *root);
  }
  if (!expected) {
    return Outcome::inadmissible;
  }
  return *expected == *claimed ? Outcome::holds : Outcome::refuted;
}

}  // namespace lockstep::judge
