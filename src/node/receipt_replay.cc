// Goes through a job's blocks again: draws, audits, disputes and their deadlines, by the ledger's
// rules, and compares how each ended with what the ledger holds. Who audits when is taken from the
// ledger's record, since it depends on the stakes of everybody.
#include <algorithm>
#include <set>

#include "judge/dispute.h"
#include "node/receipt_evidence.h"

namespace lockstep::node {
namespace {

using ledger::Audit;
using ledger::AuditPhase;
using ledger::DisputeKey;
using ledger::LeaseStatus;
using model::Outcome;

/// Integers beyond 64 bits; both compilers have them.
__extension__ using Wide = unsigned __int128;

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

struct LeaseNow {
  LeaseStatus status = LeaseStatus::open;
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

Error no_effect() {
  return bad_receipt("it had no effect, or other than the ledger's record has");
}

class Replay {
 public:
  Replay(const Evidence& evidence, env::Clock* clock)
      : evidence_(evidence), clock_(clock), preimage_(evidence.job.terms.preimages) {}

  Result<std::vector<VerdictFact>> all() {
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
  Audit* find_audit(const ClaimId& id, AuditPhase phase) {
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
                                    const Audit& audit,
                                    size_t drawn,
                                    const model::RevealedTask& revealed) const;

  void end_audit(const ClaimId& id, AuditPhase phase);
  void appoint(const ClaimId& id, Audit& audit);
  void excuse(const ClaimId& id, Audit& audit);
  void past_deadline(const ClaimId& id, Audit& audit);
  void draw(const ClaimId& id, const model::Header& header);
  void audits_due();
  void disputes_due();
  void draw_claims(const model::Header& header);
  void convict(const ClaimId& id);
  [[nodiscard]] Result<void> compare() const;

  const Evidence& evidence_;
  env::Clock* clock_;
  uint64_t height_ = 0, time_ms_ = 0;
  bool revealed_now_ = false;  // the requester's preimage came in this block
  uint32_t revealed_ = 0;
  Hash preimage_;
  bool closed_ = false;
  std::map<LeaseId, LeaseNow> leases_;
  std::map<ClaimId, Audit> audits_;
  std::set<ClaimId> open_;  // whose audits are not over
  std::map<DisputeKey, DisputeNow> disputes_;
  std::map<Hash, std::pair<uint64_t, PublicKey>> turns_;
  std::vector<VerdictFact> verdicts_;
};

uint64_t Replay::deadline_for(const ledger::Lease& lease, uint64_t operations) const {
  constexpr uint64_t redo_ms_max = uint64_t{1} << 50;  // as the ledger bounds it
  const Wide rate = std::max<uint64_t>(lease.operations_per_second, 1);
  const Wide redo = (Wide{operations} * 2 * 1000 + rate - 1) / rate;
  return time_ms_ + evidence_.genesis.answer_ms +
         static_cast<uint64_t>(std::min<Wide>(redo, redo_ms_max));
}

judge::Case Replay::case_of(const ClaimId& id, uint32_t task) const {
  const ledger::Task& claimed = claim_of(id).tasks[task];
  return {&program_of(claimed),
          claimed.steps,
          claimed.claim_every,
          claimed.input_root,
          claimed.output_root,
          claimed.list,
          disputes_.at({id, task}).list_binds};
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

// ---- disputes

Result<void> Replay::apply(const Spoken& spoken, const model::CommitChallenge& body) {
  turns_[body.commitment] = {height_, spoken.signer};
  return {};
}

Result<void> Replay::apply(const Spoken& spoken, const model::Challenge& body) {
  const auto found = audits_.find(body.claim);
  if (found == audits_.end() || body.task >= claim_of(body.claim).tasks.size() ||
      disputes_.contains({body.claim, body.task})) {
    return no_effect();
  }
  Audit& audit = found->second;
  DisputeNow dispute;
  dispute.challenger = spoken.signer;
  dispute.deadline_ms = time_ms_ + evidence_.genesis.answer_ms;
  // The list does not bind where the claimant was asked for the salt and did not open it.
  const bool was_asked = audit.phase == AuditPhase::unopened ||
                         audit.phase == AuditPhase::must_challenge ||
                         audit.phase == AuditPhase::done;
  dispute.list_binds = !(was_asked && contains(audit.tasks, body.task) && audit.salts.empty());
  const bool owes = audit.phase == AuditPhase::must_challenge && audit.auditor == spoken.signer &&
                    contains(audit.disagreed, body.task);
  if (owes) {
    std::erase(audit.disagreed, body.task);
    if (audit.disagreed.empty()) {
      end_audit(body.claim, AuditPhase::done);
    }
  } else {
    const auto turn = turns_.find(model::challenge_commitment(
        body.claim, body.task, body.own_root, spoken.signer, body.salt));
    if (turn == turns_.end() || turn->second.second != spoken.signer ||
        turn->second.first >= height_) {
      return no_effect();
    }
    turns_.erase(turn);
  }
  disputes_.emplace(DisputeKey{body.claim, body.task}, std::move(dispute));
  return {};
}

Result<void> Replay::apply(const Spoken& spoken, const model::AskOpen& body) {
  DisputeNow* dispute = find_dispute(body.claim, body.task);
  if (dispute == nullptr || dispute->challenger != spoken.signer || dispute->asked) {
    return no_effect();
  }
  const judge::Case about = case_of(body.claim, body.task);
  TRY(judge::admissible(about, dispute->kept, body.place));
  dispute->asked = body.place;
  dispute->deadline_ms =
      deadline_for(lease_of(body.claim), judge::operations_of(about, body.place));
  return {};
}

Result<void> Replay::apply(const Spoken& spoken, const model::PostAnswer& body) {
  DisputeNow* dispute = find_dispute(body.claim, body.task);
  if (dispute == nullptr || !dispute->asked || body.answer.place != *dispute->asked) {
    return no_effect();
  }
  if (!judge::take(case_of(body.claim, body.task), dispute->kept, body.answer).ok()) {
    if (spoken.signer != lease_of(body.claim).node) {
      return no_effect();
    }
    convict(body.claim);
    return {};
  }
  dispute->asked.reset();
  ++dispute->answers;
  dispute->answer_bytes += codec::encode(body.answer).size();
  dispute->deadline_ms = time_ms_ + evidence_.genesis.answer_ms;
  return {};
}

void place_of(const model::StepProof& proof, VerdictFact& fact) {
  fact.place = proof.place;
  fact.fold_step = proof.fold_step;
}
void place_of(const model::LeafProof& proof, VerdictFact& fact) {
  fact.place.tree = model::Tree::state;
  fact.place.step = proof.step;
  fact.place.record = proof.leaf;
}

Result<void> Replay::apply(const Spoken& spoken, const model::PostProof& body) {
  const DisputeNow* dispute = find_dispute(body.claim, body.task);
  if (dispute == nullptr || dispute->challenger != spoken.signer || dispute->asked) {
    return no_effect();
  }
  const judge::Case about = case_of(body.claim, body.task);
  VerdictFact fact;
  fact.claim = body.claim;
  fact.task = body.task;
  fact.tag = model::tag_of(evidence_.tasks.at(claim_of(body.claim).tasks[body.task].id).assignment);
  std::visit([&](const auto& proof) { place_of(proof, fact); }, body.proof);
  fact.answers = dispute->answers;
  fact.answer_bytes = dispute->answer_bytes;
  fact.proof_bytes = codec::encode(body.proof).size();
  const uint64_t from = clock_ != nullptr ? clock_->now_ns() : 0;
  fact.outcome = std::visit(
      [&](const auto& proof) { return judge::decide(about, dispute->kept, proof); }, body.proof);
  fact.judged_ns = clock_ != nullptr ? clock_->now_ns() - from : 0;
  if (fact.outcome == Outcome::inadmissible) {
    return no_effect();
  }
  if (fact.outcome == Outcome::refuted) {
    convict(body.claim);
  } else {
    disputes_.erase({body.claim, body.task});
  }
  verdicts_.push_back(fact);
  return {};
}

void Replay::disputes_due() {
  std::vector<DisputeKey> due;
  for (const auto& [key, dispute] : disputes_) {
    if (dispute.deadline_ms <= time_ms_) {
      due.push_back(key);
    }
  }
  for (const DisputeKey& key : due) {
    const auto dispute = disputes_.find(key);
    if (dispute == disputes_.end()) {
      continue;  // a conviction before it in this list ended it
    }
    if (dispute->second.asked) {
      convict(key.first);
    } else {
      disputes_.erase(dispute);
    }
  }
}

/// Slashes all leases of the claimant's owner: their disputes and audits are over.
void Replay::convict(const ClaimId& id) {
  const PublicKey owner = lease_of(id).owner;
  std::set<LeaseId> slashed;
  for (auto& [lease_id, lease] : leases_) {
    const bool live = lease.status == LeaseStatus::open || lease.status == LeaseStatus::closing;
    if (live && evidence_.leases.at(lease_id).owner == owner) {
      lease.status = LeaseStatus::slashed;
      slashed.insert(lease_id);
    }
  }
  std::erase_if(disputes_, [&](const auto& entry) {
    return slashed.contains(claim_of(entry.first.first).lease);
  });
  for (auto next = open_.begin(); next != open_.end();) {
    const ClaimId open = *next++;
    if (slashed.contains(claim_of(open).lease)) {
      end_audit(open, AuditPhase::done);
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
    if (audits_.at(id) != claim.audit) {
      return bad_receipt("its draw or its audit does not follow from the blocks",
                         place_name("claim", id));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<VerdictFact>> replay(const Evidence& evidence, env::Clock* clock) {
  return Replay(evidence, clock).all();
}

}  // namespace lockstep::node
