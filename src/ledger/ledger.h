// The ledger as a pure function: a block in, a new state, its root and events out. DESIGN "Money:
// one path" in docs/ledger.md.
#pragma once

#include "ledger/events.h"

namespace lockstep::ledger {

/// What a block brings, before it has a header.
struct BlockInput {
  uint64_t height = 0;
  uint64_t time_ms = 0;
  Hash preimage;  // the sequencer's
  std::vector<model::Signed> transactions;
};

class Ledger {
 public:
  /// Errors: out_of_range, overflow for a genesis that makes no sense.
  static Result<Ledger> create(const model::Genesis& genesis);

  /// First what is due at time_ms (deadlines, draws, final claims, settlements), then the
  /// transactions in order, then draws. A transaction that fails changes nothing but its signer's
  /// nonce and is told as TransactionFailed; one with a wrong network, signature or nonce does not
  /// belong into a block. Errors: bad_block (height, time, preimage, such a transaction, more than
  /// limits::block_transactions_max): nothing changed then.
  Result<std::vector<Event>> apply(const BlockInput& block);

  /// Whether a transaction may enter the next block after `ahead` others of its signer. Errors:
  /// those of model::verify; wrong_nonce; decoding errors.
  [[nodiscard]] Result<void> admit(const model::Signed& transaction, uint64_t ahead) const;

  /// When the next thing is due without any transaction; nothing when the ledger is at rest. Not
  /// before the state's time.
  [[nodiscard]] std::optional<uint64_t> next_due_ms() const;

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] Hash state_root() const { return state_.root(); }

 private:
  explicit Ledger(State state) : state_(std::move(state)) {}
  State state_;
};

/// Whether an audit or a dispute of the job's claims is still open.
[[nodiscard]] bool has_open_audit(const State& state, const JobId& job);

}  // namespace lockstep::ledger
