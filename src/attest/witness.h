// What one party knows of a task that it computed, and how it speaks of it: receipts, answers to
// openings, the challenger's way down, and the proof at its end.
#pragma once

#include "law/program.h"
#include "model/dispute.h"
#include "model/market.h"

namespace lockstep::attest {

class OwnTree;

/// The unsalted roots of a task's list: state roots, then a short task's last output roots.
[[nodiscard]] std::vector<Hash> list_roots(const model::Execution& execution, uint32_t steps);
/// The receipt of an execution under `salt`.
[[nodiscard]] model::Receipt make_receipt(const model::Assignment& assignment,
                                          const model::TaskId& task,
                                          const model::Execution& execution,
                                          const Hash& salt);

/// What has to be computed again before a move can be made.
struct NeedSteps {};  // the state roots after every step
struct NeedTrace {
  uint32_t step = 0;
};

/// Grows as traces come in. Borrows nothing.
class Witness {
 public:
  /// `roots` as list_roots() gives them.
  Witness(law::Program program, uint32_t steps, uint32_t claim_every, std::vector<Hash> roots);
  void set_steps(std::vector<Hash> state_roots) { steps_known_ = std::move(state_roots); }
  /// Hashes what it holds; keeps the last one only.
  void set_trace(model::StepTrace trace);

  /// The claimant's side: opens `place` with this party's values; `salt` is the task's. Errors:
  /// bad_place for one that the task has not.
  using Reply = std::variant<model::Answer, NeedSteps, NeedTrace>;
  [[nodiscard]] Result<Reply> answer(const model::Place& place, const Hash& salt) const;

  /// The challenger's side: from what the ledger keeps, the next place to ask for, or the proof.
  /// Follows the first entry that differs from its own. Concede: nothing differs.
  struct Ask {
    model::Place place;
  };
  struct Prove {
    std::variant<model::StepProof, model::LeafProof> proof;
  };
  struct Concede {};
  using Move = std::variant<Ask, Prove, NeedSteps, NeedTrace, Concede>;
  [[nodiscard]] Move next(const model::Kept& kept) const;

  /// A proof of one fold step of this party's own trace, whatever is kept: for tests of referees.
  /// `place` is a fold's; paths end at roots.
  [[nodiscard]] model::StepProof prove(const model::Place& place, uint64_t fold_step) const;

 private:
  struct Tracked {
    model::StepTrace bytes;
    std::vector<Hash> output_roots;
    std::vector<Hash> leaf_hashes_before, leaf_hashes_after;
  };
  /// Where a step's output roots are: their list, and the entry of the first.
  struct Outputs {
    model::Place list;
    uint64_t first = 0;
  };
  [[nodiscard]] bool is_short() const { return steps_ < model::short_task_steps; }
  [[nodiscard]] uint32_t state_roots() const { return model::state_roots_of(steps_, claim_every_); }
  [[nodiscard]] bool is_traced(uint32_t step) const { return trace_ && trace_->bytes.step == step; }
  [[nodiscard]] Outputs outputs_of(uint32_t step) const;
  [[nodiscard]] uint32_t window_steps(uint32_t window) const;
  [[nodiscard]] std::vector<Hash> window_roots(uint32_t window) const;
  [[nodiscard]] bool has_step_place(const model::Place& place) const;
  [[nodiscard]] std::optional<uint64_t> chunks_of(const model::Place& place) const;
  [[nodiscard]] OwnTree tree_of(const model::Place& place, const Hash& salt) const;
  [[nodiscard]] uint64_t fold_steps(const model::Place& place) const;
  [[nodiscard]] bool is_asked(const model::Kept& kept, const model::Place& top) const;
  [[nodiscard]] Move in_window(const model::Kept& kept, uint32_t window) const;
  [[nodiscard]] Move in_step(const model::Kept& kept, uint32_t step) const;
  [[nodiscard]] Move in_tensor(const model::Kept& kept, uint32_t step, uint32_t record) const;
  [[nodiscard]] Move in_fold(const model::Kept& kept, const model::Place& place) const;
  [[nodiscard]] Move in_state(const model::Kept& kept, uint32_t step) const;
  /// `kept` null: paths end at roots.
  [[nodiscard]] model::StepProof step_proof(const model::Place& place,
                                            uint64_t fold_step,
                                            const model::Kept* kept) const;
  [[nodiscard]] std::optional<model::Path> input_path(const law::Source& source,
                                                      uint32_t step,
                                                      const model::Kept* kept) const;
  law::Program program_;
  uint32_t steps_;
  uint32_t claim_every_;
  std::vector<Hash> roots_;
  std::vector<Hash> steps_known_;
  std::optional<Tracked> trace_;
};

}  // namespace lockstep::attest
