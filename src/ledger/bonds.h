// What audits, disputes and convictions share: looking claims up, bonds, what an audit is paid, and
// how long work takes again. Not for use outside the module.
#pragma once

#include "ledger/rules.h"

namespace lockstep::ledger {

/// A claim with what it belongs to. Never null; borrows the state.
struct Found {
  Claim* claim = nullptr;
  Lease* lease = nullptr;
  Job* job = nullptr;
};
/// Errors: not_registered.
[[nodiscard]] Result<Found> find_claim(State& state, const ClaimId& id);
/// Of a claim that the state holds.
[[nodiscard]] Found place_of(State& state, Claim& claim);
/// Of a registered node (CHECKed).
[[nodiscard]] const PublicKey& owner_of(const State& state, const PublicKey& node);

/// Whether a task can still be audited and challenged.
[[nodiscard]] bool is_open(const Task& task);
/// Of a claimed task's operations, at the job's price.
[[nodiscard]] Amount price_in(const Job& job, uint64_t operations);
/// Twice the lease's stated time for `operations`, bounded.
[[nodiscard]] uint64_t redo_ms(const Lease& lease, uint64_t operations);
/// The deadline of somebody who has D, and twice the lease's stated time for `operations`.
[[nodiscard]] uint64_t deadline_for(const Turn& turn, const Lease& lease, uint64_t operations);

[[nodiscard]] Amount unlocked(const State& state, const PublicKey& owner);
void lock(State& state, const PublicKey& owner, Amount amount);
void unlock(State& state, const PublicKey& owner, Amount amount);
/// Takes locked stake away; the caller puts it elsewhere.
void take_locked(State& state, const PublicKey& owner, Amount amount);

/// Gives an auditor its bond back; or gives the bond to the treasury.
void release_audit_bond(State& state, Claim& claim);
void forfeit_audit_bond(State& state, Claim& claim);
/// Ends an audit: no more moves, no bond.
void end_audit(State& state, Claim& claim, AuditPhase phase);
/// Pays the auditor's owner the price of these tasks: from the reserve (as far as it goes) for void
/// work and for convicted work, else from the audit budget. Returns what was paid.
Amount pay_audit(State& state, const ClaimId& id, const std::vector<uint32_t>& tasks);
/// Whether the budget had enough left for the claim's audit when it was drawn.
[[nodiscard]] bool is_funded(const State& state, const ClaimId& id);
/// What void work that waits for its end will take from the reserve. It comes before audits.
[[nodiscard]] Amount kept_for_void(const State& state, const JobId& id);
/// Audits of work that has become void are paid from the slash: what they took from the audit
/// budget goes back there, as far as the reserve does not have to pay the void work itself. Where
/// void work was claimed since, some of it is taken back.
void return_audits(State& state, const JobId& id);

}  // namespace lockstep::ledger
