// Inside the ledger: one function a transaction and one for each thing that falls due. Every
// function checks everything before it changes anything. Not for use outside the module.
#pragma once

#include <set>

#include "ledger/ledger.h"

namespace lockstep::ledger {

/// What a rule works on.
struct Turn {
  State& state;
  std::vector<Event>& events;
  uint64_t height;
  uint64_t time_ms;
  Hash preimage;                  // the sequencer's of this block
  std::set<JobId> revealed = {};  // whose requester's preimage came in this block
};

/// Who signed, and the id.
struct Signer {
  PublicKey key;
  model::TransactionId id;
};

// Accounts, programs, jobs, leases, claims: rules_market.cc
Result<void> apply(Turn& turn, const Signer& signer, const model::Transfer& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::RegisterNode& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::AddStake& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::WithdrawStake& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::RegisterProgram& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::OpenJob& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::OpenLease& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::CloseLease& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::CloseJob& body);
// rules_claim.cc
Result<void> apply(Turn& turn, const Signer& signer, const model::PostClaim& body);
/// Voids what read from tasks that nobody claimed in time.
void unread_due(Turn& turn);

// Draws and audits: rules_audit.cc
Result<void> apply(Turn& turn, const Signer& signer, const model::RevealPreimage& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::CommitAudit& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::OpenSalts& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::RevealAudit& body);
/// Draws every claim of an earlier block whose preimages are there (or waited for long enough), and
/// moves audits past their deadlines.
void draw_claims(Turn& turn);
void audits_due(Turn& turn);

// Disputes, convictions: rules_dispute.cc
Result<void> apply(Turn& turn, const Signer& signer, const model::CommitChallenge& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::Challenge& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::AskOpen& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::PostAnswer& body);
Result<void> apply(Turn& turn, const Signer& signer, const model::PostProof& body);
void disputes_due(Turn& turn);
/// Slashes the locks of all leases of the claim's provider and voids its unfinal tasks and all that
/// read from them.
void convict(Turn& turn, const DisputeKey& dispute);
/// Everything of the job that reads, directly or not, from these tasks is void, whoever did it, and
/// they are themselves where the job claimed them. Reads of other jobs' tasks mean nothing. What is
/// final keeps its pay but must be done again too: the owner is refunded when the job is settled.
void spread_void(Turn& turn, const JobId& job, const std::vector<TaskId>& origins);

// Finality and settlement: settle.cc
/// Makes claims final, pays them, closes jobs to which nothing happens any more, settles closed
/// jobs and unlocks the stakes of their leases.
void settle_due(Turn& turn);
/// An open job and its open leases; everything else goes on.
void close_job(Turn& turn, const JobId& id);
/// Something happened to the job: it is not idle, if it is open.
void touch(State& state, const JobId& id);
/// Takes one pending task of a claim out of what is counted and paid: its status becomes `status`,
/// the money goes back to the job's escrow.
void uncount(Turn& turn, Claim& claim, uint32_t task, TaskStatus status);
/// The bond for an audit or a challenge of a task: 2 × its price, at least bond_min.
[[nodiscard]] Amount bond_of(const State& state, const Job& job, uint64_t operations);

// When what is due next falls due; each for its own file's records.
[[nodiscard]] std::optional<uint64_t> unread_next_due(const State& state);
[[nodiscard]] std::optional<uint64_t> audits_next_due(const State& state);
[[nodiscard]] std::optional<uint64_t> disputes_next_due(const State& state);
[[nodiscard]] std::optional<uint64_t> settle_next_due(const State& state);

/// a + b and a − b of amounts that the fixed total bounds; CHECKs.
[[nodiscard]] Amount plus(Amount a, Amount b);
[[nodiscard]] Amount minus(Amount a, Amount b);

}  // namespace lockstep::ledger
