// A command's visit to a network: connects to its ledger under a key of the moment, follows every
// block, and sees transactions through. What it says about the ledger it has checked itself.
#pragma once

#include <functional>

#include "apps/node_file.h"
#include "node/visitor.h"

namespace lockstep::apps {

class Visit {
 public:
  static constexpr uint64_t patience_ms = 10'000;
  /// A ledger that cannot be reached for so long is not waited for any more.
  static constexpr uint64_t unreachable_ms = 2500;
  enum class Blocks : uint8_t { dropped, kept };
  /// Connects, and returns when everything that the ledger has is here. Errors: unreachable,
  /// not_trusted, timed_out; cancelled after a Ctrl-C (apps/interrupt.h).
  static Result<std::unique_ptr<Visit>> begin(const model::Genesis& genesis,
                                              const LedgerPlace& ledger,
                                              uint64_t patience = patience_ms,
                                              Blocks blocks = Blocks::dropped);
  ~Visit();
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  [[nodiscard]] const ledger::State& state() const;
  /// All blocks so far, in order, if they are kept; as the ledger sent them: to be followed again.
  [[nodiscard]] std::vector<model::Block> blocks() const;
  /// The nonce that a signer uses next.
  [[nodiscard]] uint64_t next_nonce(const crypto::PublicKey& signer) const;
  /// Signs with the signer's next nonce, and returns when a block has it. Errors: why the ledger
  /// gave it no effect; timed_out, unreachable, cancelled.
  Result<model::TransactionId> submit(const crypto::SecretKey& signer,
                                      const model::Transaction& transaction);
  /// The same for several that do not wait for each other; signed in order.
  Result<std::vector<model::TransactionId>> submit_all(
      const std::vector<std::pair<crypto::SecretKey, model::Transaction>>& transactions);
  /// Lets time pass until `done` says so, or for so long. Errors: unreachable.
  Result<bool> wait(uint64_t ms_max, const std::function<bool()>& done);

 private:
  struct Impl;
  explicit Visit(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::apps
