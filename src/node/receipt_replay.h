// A job's blocks once more: draws, audits, disputes and their deadlines, by the ledger's rules. Who
// audits when is taken from the ledger's record, since it depends on the stakes of everybody. Not
// for use outside the files that check receipts.
#pragma once

#include <algorithm>
#include <set>

#include "judge/dispute.h"
#include "node/receipt_evidence.h"

namespace lockstep::node {

/// What a lease and a dispute have come to.
struct LeaseNow {
  ledger::LeaseStatus status = ledger::LeaseStatus::open;
  uint64_t closed_ms = 0;
};
struct DisputeNow {
  PublicKey challenger;
  bool list_binds = true;
  model::Kept kept;
  std::optional<model::Place> asked;
  uint32_t answers = 0;
  uint64_t answer_bytes = 0;
  uint64_t deadline_ms = 0;
};

[[nodiscard]] inline Error no_effect() {
  return bad_receipt("it had no effect, or other than the ledger's record has");
}

/// One pass through all blocks: what falls due, then the transactions, then draws, as the ledger
/// does it.
class Replay {
 public:
  /// Borrows both.
  Replay(const Evidence& evidence, env::Clock* clock)
      : evidence_(evidence), clock_(clock), preimage_(evidence.job.terms.preimages) {}

  Result<std::vector<VerdictFact>> all();

 private:
  using Spoken = Evidence::Spoken;
  // What changes nothing that is replayed: the market's records are checked for themselves.
  static Result<void> apply(const Spoken&, const model::RegisterProgram&) { return {}; }
  Result<void> apply(const Spoken& spoken, const model::OpenJob& /*body*/) const {
    return spoken.id.hash == evidence_.job_id.hash ? Result<void>() : no_effect();
  }
  template <class Other>
  static Result<void> apply(const Spoken&, const Other&) {
    return bad_receipt("it does not concern the job");
  }
  Result<void> apply(const Spoken& spoken, const model::OpenLease& body);
  Result<void> apply(const Spoken& spoken, const model::CloseLease& body);
  Result<void> apply(const Spoken& spoken, const model::CloseJob& body);
  Result<void> apply(const Spoken& spoken, const model::PostClaim& body);
  Result<void> apply(const Spoken& spoken, const model::RevealPreimage& body);
  Result<void> apply(const Spoken& spoken, const model::CommitAudit& body);
  Result<void> apply(const Spoken& spoken, const model::OpenSalts& body);
  Result<void> apply(const Spoken& spoken, const model::RevealAudit& body);
  Result<void> apply(const Spoken& spoken, const model::CommitChallenge& body);
  Result<void> apply(const Spoken& spoken, const model::Challenge& body);
  Result<void> apply(const Spoken& spoken, const model::AskOpen& body);
  Result<void> apply(const Spoken& spoken, const model::PostAnswer& body);
  Result<void> apply(const Spoken& spoken, const model::PostProof& body);

  [[nodiscard]] const ledger::Claim& claim_of(const ClaimId& id) const {
    return evidence_.claims.at(id);
  }
  [[nodiscard]] const ledger::Lease& lease_of(const ClaimId& id) const {
    return evidence_.leases.at(claim_of(id).lease);
  }
  [[nodiscard]] const judge::Registered& program_of(const ledger::Task& task) const {
    return *evidence_.programs.find(task.program);
  }
  /// Null when no audit of the claim is in this phase.
  ledger::Audit* find_audit(const ClaimId& id, ledger::AuditPhase phase) {
    const auto found = audits_.find(id);
    return found != audits_.end() && found->second.phase == phase ? &found->second : nullptr;
  }
  DisputeNow* find_dispute(const ClaimId& id, uint32_t task) {
    const auto found = disputes_.find({id, task});
    return found != disputes_.end() ? &found->second : nullptr;
  }
  [[nodiscard]] uint64_t deadline_for(const ledger::Lease& lease, uint64_t operations) const;
  [[nodiscard]] judge::Case case_of(const ClaimId& id, uint32_t task) const;
  [[nodiscard]] Result<bool> agrees(const ClaimId& id,
                                    const ledger::Audit& audit,
                                    size_t drawn,
                                    const model::RevealedTask& revealed) const;

  void end_audit(const ClaimId& id, ledger::AuditPhase phase);
  void appoint(const ClaimId& id, ledger::Audit& audit);
  void excuse(const ClaimId& id, ledger::Audit& audit);
  void past_deadline(const ClaimId& id, ledger::Audit& audit);
  void draw(const ClaimId& id, const model::Header& header);
  void audits_due();
  void disputes_due();
  void draw_claims(const model::Header& header);
  void convict(const ClaimId& id);
  void dismiss(const ledger::DisputeKey& key);
  [[nodiscard]] Result<void> compare() const;

  const Evidence& evidence_;
  env::Clock* clock_;
  uint64_t height_ = 0, time_ms_ = 0;
  bool revealed_now_ = false;  // the requester's preimage came in this block
  uint32_t revealed_ = 0;
  Hash preimage_;
  bool closed_ = false;
  std::map<LeaseId, LeaseNow> leases_;
  std::map<ClaimId, ledger::Audit> audits_;
  std::set<ClaimId> open_;  // whose audits are not over
  std::map<ledger::DisputeKey, DisputeNow> disputes_;
  std::map<ClaimId, uint64_t> disputed_ms_;  // when the last was dismissed
  std::map<Hash, std::pair<uint64_t, PublicKey>> turns_;
  std::vector<VerdictFact> verdicts_;
};

}  // namespace lockstep::node
