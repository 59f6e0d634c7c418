// What must be true of every simulated network, whoever attacks it: after every block and at the
// end. It knows who is honest, and computes again what a dispute was about.
#pragma once

#include <functional>
#include <set>

#include "exec/tensor_runner.h"
#include "ledger/events.h"
#include "model/block.h"
#include "sim/recount.h"
#include "store/blobs.h"

namespace lockstep::sim {

class Invariants {
 public:
  /// What the checker knows that no party does. Borrows all.
  struct Truth {
    std::function<std::string(const crypto::PublicKey&)> name_of;  // of an owner or node key
    std::set<std::string> attackers;       // machines; all others are honest
    exec::TensorRunner* runner = nullptr;  // over a store that has the inputs of claimed tasks
  };
  explicit Invariants(Truth truth);
  Invariants(const Invariants&) = delete;
  Invariants& operator=(const Invariants&) = delete;

  void on_block(const model::Block& block, const ledger::State& after);
  void on_event(const ledger::Event& event, const ledger::State& state);
  /// With the state that the network ended in.
  void at_end(const ledger::State& state);
  /// In words, in the order found; each kind of breach once.
  [[nodiscard]] const std::vector<std::string>& broken() const { return broken_; }

 private:
  void require(bool good, const std::string& what);
  [[nodiscard]] bool is_honest(const crypto::PublicKey& key) const;
  void check_accounts(const ledger::State& state);
  void check_locks(const ledger::State& state);
  void check_jobs(const ledger::State& state);
  void check_leases(const ledger::State& state);
  void check_final(const ledger::State& state);
  void check_settled(const ledger::State& state);
  void check_pay(const ledger::State& state, const model::LeaseId& id);
  void check_ending(const ledger::DisputeEnded& ended, const ledger::State& state);
  /// Whether the claimed task is what the law says; nothing when it cannot be computed here.
  [[nodiscard]] std::optional<bool> is_true(const ledger::State& state,
                                            const ledger::DisputeKey& key) const;

  Truth truth_;
  std::map<crypto::PublicKey, Amount> stakes_;  // of honest owners, when last seen
  std::map<model::ClaimId, model::PostClaim> claims_;
  std::set<model::TaskId> final_;
  ledger::Totals totals_;
  std::set<std::string> seen_;
  std::vector<std::string> broken_;
  Recount recount_;
};

/// A provider's salt for a task in a simulated network: the checker knows all secrets.
[[nodiscard]] Hash salt_of(const std::string& provider, const model::TaskId& task);

}  // namespace lockstep::sim
