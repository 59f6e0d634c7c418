// Computes again, from the blocks alone and with code of its own, what the ledger's state must say:
// links, signatures, papers, draws, deadlines, slashes, what is void and what may be final. It
// shares nothing with the ledger's rules, so that a fault in them shows.
#pragma once

#include <functional>
#include <set>

#include "ledger/state.h"
#include "model/block.h"

namespace lockstep::sim {

class Recount {
 public:
  /// Told of everything that must be so.
  using Require = std::function<void(bool good, const std::string& what)>;
  /// Of a node key.
  using IsHonest = std::function<bool(const crypto::PublicKey& key)>;
  Recount(Require require, IsHonest is_honest)
      : require_(std::move(require)), is_honest_(std::move(is_honest)) {}

  /// Every block once, in order.
  void on_block(const model::Block& block, const ledger::State& after);
  /// When a job is settled.
  void at_end(const ledger::State& state) const;

 private:
  /// What of the state before a block is compared with the state after it.
  struct Before {
    std::map<model::ClaimId, ledger::AuditPhase> phases;
    std::map<model::ClaimId, uint64_t> deadlines;
    std::map<model::ClaimId, size_t> excused;
    std::map<model::LeaseId, ledger::Lease> leases;
    std::map<model::JobId, uint32_t> revealed;
    std::set<model::ClaimId> final;
    Amount burned;
  };
  void check_link(const model::Block& block, const ledger::State& after);
  void check_signatures(const model::Block& block, const ledger::State& after);
  void check_papers(const model::Block& block, const ledger::State& after);
  void check_entry(const model::ClaimEntry& entry,
                   const ledger::Task& task,
                   const ledger::Claim& claim,
                   const ledger::State& after);
  void check_draws(const ledger::State& after);
  void check_draw(const ledger::Claim& claim, const ledger::Job& job, bool revealed);
  void check_salts(const ledger::State& after);
  void check_deadlines(const ledger::State& after);
  void check_slashes(const ledger::State& after);
  void check_void(const ledger::State& after);
  void check_final(const ledger::State& after);
  void remember(const ledger::State& after);

  Require require_;
  IsHonest is_honest_;
  uint64_t height_ = 0;
  Hash header_;    // of the last block
  Hash preimage_;  // of the last block
  std::map<crypto::PublicKey, uint64_t> nonces_;
  std::map<Hash, model::TaskId> salts_;  // opened by the honest
  Before before_;
};

}  // namespace lockstep::sim
