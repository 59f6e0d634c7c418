// The embedded sequencer: orders transactions into blocks on demand and keeps them in a log. A
// network that uses it trusts its operator for order and liveness, not for anything else.
#pragma once

#include <map>

#include "chain/blocks.h"
#include "env/key_value.h"

namespace lockstep::chain {

class Sequencer {
 public:
  /// Replays the blocks in `log` (borrowed). `secret` is the end of the preimage chain that the
  /// genesis anchors, of `limits::preimages_max` links. Errors: bad_block when the log does not
  /// fit the genesis; out_of_range when the key or the chain is not the genesis's; io_failed.
  static Result<Sequencer> create(const model::Genesis& genesis,
                                  const crypto::SecretKey& key,
                                  const Hash& secret,
                                  env::KeyValue& log);

  /// Takes a transaction into the queue of its signer. One that is known, or whose nonce is used,
  /// is taken without effect. Errors: those of Ledger::admit but for a nonce ahead of its turn,
  /// which waits (it may be limits::signer_queue_max ahead, less one); wrong_nonce for another
  /// transaction of the same nonce; too_large for a long one, or when too much is waiting.
  Result<void> submit(const model::Signed& transaction);
  static constexpr size_t queue_bytes_max = size_t{64} << 20;  // of all signers

  /// When the next block is to be made: now, later, or never without a new transaction.
  [[nodiscard]] std::optional<uint64_t> next_block_ms(uint64_t now_ms) const;
  /// Makes a block at `now_ms` (not before next_block_ms) from what is queued, durable before it is
  /// returned. Errors: io_failed: nothing is changed then; bad_block when the chain of preimages is
  /// used up, or block_ms have not passed since the last block.
  Result<model::Block> produce(uint64_t now_ms, std::vector<ledger::Event>& events);

  [[nodiscard]] const ledger::Ledger& ledger() const { return ledger_; }
  [[nodiscard]] uint64_t height() const { return ledger_.state().totals.height; }
  /// Blocks from `first` on, at most `count_max`. Errors: io_failed, bad_block.
  Result<std::vector<model::Block>> blocks(uint64_t first, size_t count_max);

 private:
  Sequencer(ledger::Ledger ledger, const crypto::SecretKey& key, env::KeyValue& log)
      : ledger_(std::move(ledger)), key_(key), log_(&log) {}
  [[nodiscard]] uint64_t next_nonce(const crypto::PublicKey& signer) const;
  [[nodiscard]] uint64_t earliest_ms() const;
  [[nodiscard]] bool has_admissible() const;
  std::vector<model::Signed> take_queued();
  void drop_used();
  [[nodiscard]] model::Block seal(uint64_t now_ms,
                                  std::vector<model::Signed> transactions,
                                  const ledger::Ledger& after) const;

  ledger::Ledger ledger_;
  crypto::SecretKey key_;
  env::KeyValue* log_;
  std::vector<Hash> preimages_;
  Hash previous_;
  std::map<crypto::PublicKey, std::map<uint64_t, model::Signed>> queues_;  // by signer and nonce
  size_t queue_bytes_ = 0;
  std::vector<env::KeyValue::Change> unwritten_;  // of a mutant that acknowledges too early
};

}  // namespace lockstep::chain
