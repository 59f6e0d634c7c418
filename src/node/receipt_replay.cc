// Replays a job's blocks: leases, draws and audits, and the comparison with the ledger's records.
// Disputes are in receipt_disputes.cc.
#include "node/receipt_replay.h"

#include "base/limits.h"

namespace lockstep::node {
namespace {

using ledger::Audit;
using ledger::AuditPhase;
using ledger::LeaseStatus;

/// Integers beyond 64 bits; both compilers have them.
__extension__ using Wide = unsigned __int128;

}  // namespace

Result<std::vector<VerdictFact>> Replay::all() {
  size_t next = 0;
  for (const model::Header& header : evidence_.headers) {
    height_ = header.height;
    time_ms_ = header.time_ms;
    revealed_now_ = false;
    audits_due();
    disputes_due();
    for (; next < evidence_.spoken.size() && evidence_.spoken[next].height == height_; ++next) {
      const Evidence::Spoken& spoken = evidence_.spoken[next];
      const auto applied =
          std::visit([&](const auto& body) { return apply(spoken, body); }, spoken.body);
      if (!applied.ok()) {
        return bad_receipt(applied.error().what, "transaction " + std::to_string(next));
      }
    }
    draw_claims(header);
  }
  TRY(compare());
  return std::move(verdicts_);
}

uint64_t Replay::deadline_for(const ledger::Lease& lease, uint64_t operations) const {
  const Wide rate = std::max<uint64_t>(lease.operations_per_second, 1);
  const Wide redo = (Wide{operations} * 2 * 1000 + rate - 1) / rate;
  return time_ms_ + evidence_.genesis.answer_ms +
         static_cast<uint64_t>(std::min<Wide>(redo, limits::redo_ms_max));
}

// ---- leases and claims

Result<void> Replay::apply(const Spoken& spoken, const model::OpenLease& /*body*/) {
  const bool fresh = !closed_ && leases_.emplace(LeaseId{spoken.id.hash}, LeaseNow()).second;
  return fresh ? Result<void>() : no_effect();
}

Result<void> Replay::apply(const Spoken& spoken, const model::CloseLease& body) {
  const auto found = leases_.find(body.lease);
  if (found == leases_.end() || found->second.status != LeaseStatus::open ||
      (spoken.signer != evidence_.leases.at(body.lease).node &&
       spoken.signer != evidence_.job.terms.requester)) {
    return no_effect();
  }
  found->second = {LeaseStatus::closing, time_ms_};
  return {};
}

Result<void> Replay::apply(const Spoken& spoken, const model::CloseJob& body) {
  const ledger::Job& job = evidence_.job;
  if (closed_ || body.job != evidence_.job_id ||
      (spoken.signer != job.owner && spoken.signer != job.terms.requester)) {
    return no_effect();
  }
  closed_ = true;
  for (auto& [id, lease] : leases_) {
    if (lease.status == LeaseStatus::open) {
      lease = {LeaseStatus::closing, time_ms_};
    }
  }
  return {};
}

Result<void> Replay::apply(const Spoken& spoken, const model::PostClaim& body) {
  const auto lease = leases_.find(body.lease);
  if (lease == leases_.end() || lease->second.status == LeaseStatus::slashed) {
    return no_effect();
  }
  const ClaimId id{spoken.id.hash};
  Audit& audit = audits_[id];
  if (evidence_.job.terms.share_millionths == 0) {
    audit.phase = AuditPhase::none;
  } else {
    open_.insert(id);
  }
  return {};
}

// ---- draws and audits

Result<void> Replay::apply(const Spoken& spoken, const model::RevealPreimage& body) {
  if (spoken.signer != evidence_.job.terms.requester || body.job != evidence_.job_id ||
      model::chain_link(body.preimage) != preimage_) {
    return no_effect();
  }
  preimage_ = body.preimage;
  ++revealed_;
  revealed_now_ = true;
  return {};
}

Result<void> Replay::apply(const Spoken& spoken, const model::CommitAudit& body) {
  Audit* audit = find_audit(body.claim, AuditPhase::drawn);
  if (audit == nullptr || spoken.signer != audit->auditor ||
      body.commitments.size() != audit->tasks.size()) {
    return no_effect();
  }
  audit->commitments = body.commitments;
  audit->phase = AuditPhase::committed;
  audit->deadline_ms = time_ms_ + evidence_.genesis.answer_ms;
  return {};
}

Result<void> Replay::apply(const Spoken& spoken, const model::OpenSalts& body) {
  Audit* audit = find_audit(body.claim, AuditPhase::committed);
  if (audit == nullptr || spoken.signer != lease_of(body.claim).node ||
      body.salts.size() != audit->tasks.size()) {
    return no_effect();
  }
  audit->salts = body.salts;
  audit->phase = AuditPhase::opened;
  audit->deadline_ms = time_ms_ + evidence_.genesis.answer_ms;
  return {};
}

/// Whether a revealed list is the claimed one. Errors: it is not what was committed to.
Result<bool> Replay::agrees(const ClaimId& id,
                            const Audit& audit,
                            size_t drawn,
                            const model::RevealedTask& revealed) const {
  const ledger::Task& task = claim_of(id).tasks[audit.tasks[drawn]];
  const std::vector<Hash>& roots = revealed.roots;
  if (roots.size() != judge::list_entries(program_of(task), task.steps, task.claim_every) ||
      model::audit_commitment(roots, audit.auditor, revealed.salt) != audit.commitments[drawn]) {
    return no_effect();
  }
  const uint32_t last = model::state_roots_of(task.steps, task.claim_every) - 1;
  return roots[last] == task.output_root &&
         (audit.phase == AuditPhase::unopened ||
          model::task_list(audit.salts[drawn], roots) == task.list);
}

Result<void> Replay::apply(const Spoken& spoken, const model::RevealAudit& body) {
  Audit* audit = find_audit(body.claim, AuditPhase::opened);
  audit = audit != nullptr ? audit : find_audit(body.claim, AuditPhase::unopened);
  if (audit == nullptr || spoken.signer != audit->auditor ||
      body.tasks.size() != audit->tasks.size()) {
    return no_effect();
  }
  std::vector<uint32_t> disagreed;
  for (size_t i = 0; i < body.tasks.size(); ++i) {
    if (!TRY(agrees(body.claim, *audit, i, body.tasks[i]))) {
      disagreed.push_back(audit->tasks[i]);
    }
  }
  if (disagreed.empty()) {
    end_audit(body.claim, AuditPhase::done);
    return {};
  }
  audit->disagreed = std::move(disagreed);
  audit->phase = AuditPhase::must_challenge;
  audit->deadline_ms = time_ms_ + evidence_.genesis.answer_ms;
  return {};
}

void Replay::end_audit(const ClaimId& id, AuditPhase phase) {
  Audit& audit = audits_.at(id);
  audit.phase = phase;
  audit.disagreed.clear();
  audit.deadline_ms = 0;
  open_.erase(id);
}

/// Who comes next stands in the ledger's record: those that were excused, in order, then the one
/// that audited in the end.
void Replay::appoint(const ClaimId& id, Audit& audit) {
  audit.commitments.clear();
  audit.salts.clear();
  const Audit& record = claim_of(id).audit;
  const size_t turn = audit.excused.size();
  if (turn < record.excused.size()) {
    audit.auditor = record.excused[turn];
  } else if (turn == record.excused.size() && record.phase != AuditPhase::lapsed) {
    audit.auditor = record.auditor;
  } else {
    end_audit(id, AuditPhase::lapsed);
    return;
  }
  uint64_t operations = 0;
  for (const uint32_t place : audit.tasks) {
    const uint64_t more = claim_of(id).tasks[place].operations;
    operations = more > UINT64_MAX - operations ? UINT64_MAX : operations + more;
  }
  audit.phase = AuditPhase::drawn;
  audit.deadline_ms = deadline_for(lease_of(id), operations);
}

void Replay::excuse(const ClaimId& id, Audit& audit) {
  audit.excused.push_back(audit.auditor);
  appoint(id, audit);
}

void Replay::past_deadline(const ClaimId& id, Audit& audit) {
  const auto dispute = disputes_.lower_bound({id, 0});
  const bool is_disputed = dispute != disputes_.end() && dispute->first.first == id;
  switch (audit.phase) {
    case AuditPhase::drawn:
    case AuditPhase::opened:
    case AuditPhase::unopened:
      excuse(id, audit);
      return;
    case AuditPhase::committed:
      audit.phase = AuditPhase::unopened;
      audit.deadline_ms = time_ms_ + evidence_.genesis.answer_ms;
      return;
    case AuditPhase::must_challenge:
      if (is_disputed) {
        audit.deadline_ms = time_ms_ + evidence_.genesis.answer_ms;
      } else {
        end_audit(id, AuditPhase::done);
      }
      return;
    case AuditPhase::none:
    case AuditPhase::waiting:
    case AuditPhase::done:
    case AuditPhase::lapsed:
      return;
  }
}

void Replay::audits_due() {
  for (auto next = open_.begin(); next != open_.end();) {
    const ClaimId id = *next++;  // it may leave the set
    Audit& audit = audits_.at(id);
    if (audit.phase != AuditPhase::waiting && audit.deadline_ms <= time_ms_) {
      past_deadline(id, audit);
    }
  }
}

void Replay::draw(const ClaimId& id, const model::Header& header) {
  const ledger::Claim& claim = claim_of(id);
  Audit& audit = audits_.at(id);
  audit.requester_preimage = revealed_now_;
  audit.seed = model::draw_seed(header.preimage, revealed_now_ ? preimage_ : Hash{}, claim.list);
  audit.block = height_;
  for (uint32_t i = 0; i < claim.tasks.size(); ++i) {
    if (model::drawn(audit.seed, i, evidence_.job.terms.share_millionths)) {
      audit.tasks.push_back(i);
    }
  }
  if (audit.tasks.empty()) {
    end_audit(id, AuditPhase::none);
  } else {
    appoint(id, audit);
  }
}

void Replay::draw_claims(const model::Header& header) {
  for (auto next = open_.begin(); next != open_.end();) {
    const ClaimId id = *next++;
    const uint64_t posted = claim_of(id).block;
    const bool waits = audits_.at(id).phase == AuditPhase::waiting && posted < height_;
    if (waits && (revealed_now_ || height_ - posted >= evidence_.genesis.preimage_blocks)) {
      draw(id, header);
    }
  }
}

// ---- the end

Result<void> Replay::compare() const {
  const ledger::Job& job = evidence_.job;
  if (!disputes_.empty() || !open_.empty()) {
    return bad_receipt("an audit or a dispute is open though the job is settled");
  }
  if (job.revealed != revealed_ || job.preimage != preimage_) {
    return bad_receipt("a preimage of the requester is missing");
  }
  for (const auto& [id, lease] : evidence_.leases) {
    LeaseNow now = leases_.at(id);
    now.status = now.status == LeaseStatus::closing ? LeaseStatus::settled : now.status;
    if (now.status != lease.status || now.closed_ms != lease.closed_ms) {
      return bad_receipt("what is known of it does not lead to its end", place_name("lease", id));
    }
  }
  for (const auto& [id, claim] : evidence_.claims) {
    const auto disputed = disputed_ms_.find(id);
    if (audits_.at(id) != claim.audit ||
        claim.disputed_ms != (disputed == disputed_ms_.end() ? 0 : disputed->second)) {
      return bad_receipt("its draw or its audit does not follow from the blocks",
                         place_name("claim", id));
    }
  }
  return {};
}

Result<std::vector<VerdictFact>> replay(const Evidence& evidence, env::Clock* clock) {
  return Replay(evidence, clock).all();
}

}  // namespace lockstep::node
