// Replays a job's disputes: every answer is taken and every proof judged again.
#include "node/receipt_replay.h"

namespace lockstep::node {
namespace {

using ledger::Audit;
using ledger::AuditPhase;
using ledger::DisputeKey;
using ledger::LeaseStatus;
using model::Outcome;

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
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

}  // namespace

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
    dismiss({body.claim, body.task});
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
      dismiss(key);
    }
  }
}

/// The challenger was wrong or went away; an auditor that must challenge has its time after it.
void Replay::dismiss(const DisputeKey& key) {
  disputed_ms_[key.first] = time_ms_;
  Audit& audit = audits_.at(key.first);
  if (audit.phase == AuditPhase::must_challenge) {
    audit.deadline_ms = std::max(audit.deadline_ms, time_ms_ + evidence_.genesis.answer_ms);
  }
  disputes_.erase(key);
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

}  // namespace lockstep::node
