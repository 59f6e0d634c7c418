// The verification of a dispute's moves: which place may be asked for, whether an answer hashes,
// and what a proof shows. LAW section 7. Holds no state: `Kept` is what answers put on the ledger.
//
// Lists. A list's message is its 32-byte entries, one after the other, 32 to a chunk:
//   task    mode task_list_mode(), entries task_entry(salt, i, root i). Answers and `Kept` have the
//           unsalted roots, and the salt beside them. Its root is Case::list, where that binds.
//   window  its state roots; it has no root of its own. A window of one step is not asked for: the
//           task's list has its root.
//   step    mode step_list_mode(), the operators' output roots. It has no root that was claimed.
//   state   mode state_mode() of the law, leaf hashes. Its root is the claimed state root.
//   fold    mode fold_list_mode(), hashes of the states s_1 … s_(B−1). It has no root that was
//           claimed; with B = 1 it is empty and not asked for.
// A tensor's tree is that of its bytes in the law's data mode; its root is the data hash, which
// law::tensor_root() with the record's shape binds to the claimed output root. The one data hash of
// a tensor without elements is known, and no other is taken.
//
// Nodes. A place with first = last = 0 is the top. The top of a list of at most 256 entries is
// answered by them and kept as KeptEntries over [0, chunks). Every other top is answered by the
// chaining values of descendants(0, chunks, 8), kept as KeptNodes; for a tensor of one chunk that
// is the data hash itself. A deeper ask names exactly a kept node of more than a chunk, or of one
// chunk of a list; a list's node of at most 8 chunks is answered by its entries, others by
// descendants(first, last, 8). What has a root or a kept node above it must hash to that; the top
// of a list without a root is taken as it is, of the right length, and binds from then on.
//
// Ends. The last state root of a task's list is the output root; the last of a window is the root
// that the task's list gives to it. The first answer to a task's list fixes its salt.
#pragma once

#include "judge/programs.h"
#include "model/dispute.h"

namespace lockstep::judge {

/// What a claim fixes about its task. Borrows the program.
struct Case {
  const Registered* program = nullptr;
  uint32_t steps = 1;
  uint32_t claim_every = 1;
  Hash input_root;         // R_0, agreed
  Hash output_root;        // R_n, claimed
  Hash list;               // claimed
  bool list_binds = true;  // false where the salts were never opened: then any list that ends in
                           // output_root may be answered
};

/// Whether the claimant must open `place` now: it exists in the trace, its parent is known (a
/// state, a step or a window by the roots around it; a tensor by its root in the step's list; a
/// fold by its chunk's chaining value; a deeper node by the answer above it), and it is not known
/// yet. A step's list is not asked for where the task's own list holds it. Errors: bad_place.
[[nodiscard]] Result<void> admissible(const Case& dispute,
                                      const model::Kept& kept,
                                      const model::Place& place);

/// Checks an answer to an admissible place and adds it to `kept`, which stays as it was on an
/// error. Errors: bad_answer (it does not hash, or has not the form or the end that it must have):
/// the claimant is convicted.
[[nodiscard]] Result<void> take(const Case& dispute,
                                model::Kept& kept,
                                const model::Answer& answer);

/// The most bytes that a proof may bring: states, chunks, siblings and data hashes.
inline constexpr uint64_t proof_bytes_max = uint64_t{400} << 10;

/// Evaluates one fold step with law/ on the opened bytes. The state before it must be kept by its
/// hash, the state after it too, or the chunk by its chaining value; the openings reach up to the
/// data hashes, and these are bound: a constant's by the program; a state leaf's by the state root
/// before the step; an earlier output's by its claimed root. Where the entry that binds is kept no
/// path is needed; elsewhere it is 1 KiB of the list's message (salted entries in a task's list),
/// up to the list's root or to a kept node.
[[nodiscard]] model::Outcome decide(const Case& dispute,
                                    const model::Kept& kept,
                                    const model::StepProof& proof);
/// Compares a leaf's hash in the kept list of the state after the step with what it must be.
[[nodiscard]] model::Outcome decide(const Case& dispute,
                                    const model::Kept& kept,
                                    const model::LeafProof& proof);

/// Operations that must be done again to open the place: a window's or a step's, else 0.
[[nodiscard]] uint64_t operations_of(const Case& dispute, const model::Place& place);

// The shape of a claimed trace, for those who answer and those who ask.

/// The state root before or after step `step` (from 0), where it is agreed, claimed by the receipt
/// (the last) or kept. Before the first: R_0.
[[nodiscard]] std::optional<Hash> state_before(const Case& dispute,
                                               const model::Kept& kept,
                                               uint32_t step);
[[nodiscard]] std::optional<Hash> state_after(const Case& dispute,
                                              const model::Kept& kept,
                                              uint32_t step);
/// The claimed root of an operator's output, where it is kept.
[[nodiscard]] std::optional<Hash> output_root(const Case& dispute,
                                              const model::Kept& kept,
                                              uint32_t step,
                                              uint32_t record);

}  // namespace lockstep::judge
