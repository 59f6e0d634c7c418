// Blocks under their headers: making, checking, and proofs that a transaction stands in one.
#pragma once

#include <span>

#include "ledger/ledger.h"
#include "model/block.h"

namespace lockstep::chain {

[[nodiscard]] const crypto::Mode& transactions_mode();  // "lockstep v1 transactions"
/// List root over the transactions' ids.
[[nodiscard]] Hash transactions_root(std::span<const model::Signed> transactions);

/// The header's body, its signature checked. Errors: bad_block, those of model::open.
[[nodiscard]] Result<model::Header> header_of(const model::Signed& header,
                                              const model::NetworkId& network,
                                              const crypto::PublicKey& sequencer);

/// Of the canonical encoding: what the limits of transactions and blocks count.
[[nodiscard]] size_t transaction_bytes(const model::Signed& transaction);

/// A transaction's place under a header. What binds it is the index; `count` only gives the tree
/// its shape.
struct Inclusion {
  uint64_t index = 0;
  uint64_t count = 0;
  model::Path path;
  bool operator==(const Inclusion&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.index, self.count, self.path);
  }
};
[[nodiscard]] Inclusion prove_inclusion(std::span<const model::Signed> transactions, size_t index);
[[nodiscard]] bool is_included(const Hash& root,
                               const model::TransactionId& id,
                               const Inclusion& inclusion);

/// Follows blocks with a ledger of its own: a whole check of everything that a sequencer says.
class Follower {
 public:
  static Result<Follower> create(const model::Genesis& genesis);
  /// Checks the header (signature, height, link, time, preimage) and the size, applies, and
  /// compares the state root. Errors: bad_block, those of the ledger; the follower stays as it was
  /// for an error found before applying, and is `broken` for one found after.
  Result<std::vector<ledger::Event>> follow(const model::Block& block);
  [[nodiscard]] uint64_t height() const { return ledger_.state().totals.height; }
  [[nodiscard]] const ledger::Ledger& ledger() const { return ledger_; }
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  explicit Follower(ledger::Ledger ledger) : ledger_(std::move(ledger)) {}
  ledger::Ledger ledger_;
  Hash previous_;
  bool broken_ = false;
};

}  // namespace lockstep::chain
