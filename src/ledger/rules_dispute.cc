// Disputes: whose turn it is, what a move costs and how one ends. Whether a move is right is judged
// in judge/. LAW section 7.
#include <algorithm>

#include "base/check.h"
#include "judge/dispute.h"
#include "ledger/bonds.h"

namespace lockstep::ledger {
namespace {

/// LAW section 7 needs nine.
constexpr uint32_t answers_max = 16;
/// Of one node, unused: the oldest gives way.
constexpr size_t turns_max = 64;
/// The dearest bond is 16 times the first: a friend of the claimant, who loses bonds on purpose,
/// must not make it more than an honest challenger has.
constexpr uint32_t doublings_max = 4;

struct Open {
  Found found;
  const Task* task = nullptr;
  Dispute* dispute = nullptr;
  DisputeKey key;
};

Result<Open> find_dispute(State& state, const ClaimId& claim, uint32_t task) {
  const DisputeKey key{claim, task};
  const auto dispute = state.disputes.find(key);
  if (dispute == state.disputes.end()) {
    return refuse(Code::not_registered, "there is no such dispute");
  }
  const Found found = TRY(find_claim(state, claim));
  return Open{found, &found.claim->tasks.at(task), &dispute->second, key};
}

/// The challenger may move only when nothing is asked of the claimant.
Result<Open> find_own_move(State& state,
                           const Signer& signer,
                           const ClaimId& claim,
                           uint32_t task) {
  const Open open = TRY(find_dispute(state, claim, task));
  if (signer.key != open.dispute->challenger) {
    return refuse(Code::not_allowed, "only the challenger moves here");
  }
  if (open.dispute->asked) {
    return refuse(Code::wrong_state, "it is the claimant's move");
  }
  return open;
}

judge::Case case_of(const State& state, const Open& open) {
  const judge::Registered* program = state.programs.find(open.task->program);
  CHECK(program != nullptr);
  return {program,
          open.task->steps,
          open.task->claim_every,
          open.task->input_root,
          open.task->output_root,
          open.task->list,
          open.dispute->list_binds};
}

/// Whether an answer to what is asked is bound by a hash: then it is the same whoever gives it. The
/// others are only bound by their ends, and a false one convicts.
bool is_bound(const Dispute& dispute) {
  const model::Place& place = *dispute.asked;
  const bool is_top = place.first == 0 && place.last == 0;
  const bool has_root = place.tree == model::Tree::state || place.tree == model::Tree::tensor ||
                        (place.tree == model::Tree::task && dispute.list_binds);
  return has_root || !is_top;
}

/// Nobody may put words into the mouth of a claimant that still has time to speak: others answer
/// for a silent one, in the last half of D.
Result<void> check_answerer(const Turn& turn, const Open& open, const Signer& signer) {
  const Dispute& dispute = *open.dispute;
  const uint64_t left_ms = dispute.deadline_ms - turn.time_ms;
  if (signer.key != open.found.lease->node && !is_bound(dispute) &&
      left_ms > turn.state.genesis.answer_ms / 2) {
    return refuse(Code::wrong_state, "the claimant still has time to answer this itself");
  }
  return {};
}

struct End {
  Ending ending = Ending::proof_refuted;
  uint64_t proof_bytes = 0;
};

void tell_end(Turn& turn, const DisputeKey& key, const Dispute& dispute, End end) {
  turn.events.emplace_back(DisputeEnded{
      key.first, key.second, end.ending, dispute.challenger, dispute.answers, end.proof_bytes});
}

/// The claim is false.
void uphold(Turn& turn, const DisputeKey& key, End end) {
  tell_end(turn, key, turn.state.disputes.at(key), end);
  convict(turn, key);
}

/// What a challenge of the task takes: each dispute that ended for the claimant doubles it, so that
/// nobody puts its pay off again and again.
Amount dearer_bond(const State& state, const DisputeKey& key, Amount bond) {
  const auto lost = state.dismissed.find(key);
  const uint32_t doublings =
      lost == state.dismissed.end() ? 0 : std::min(lost->second, doublings_max);
  const auto dearer = bond.multiply(int64_t{1} << doublings);
  return dearer.ok() ? *dearer : Amount::from_nano(INT64_MAX);
}

/// A lost bond goes to the claimant, but no more than a first one: the rest goes to the treasury,
/// so that a friend of the claimant cannot make challenges dear for nothing.
void lose_bond(State& state, const DisputeKey& key, const Dispute& dispute) {
  if (dispute.bond == Amount()) {
    return;
  }
  const Found found = place_of(state, state.claims.at(key.first));
  const uint64_t operations = found.claim->tasks.at(key.second).operations;
  const Amount share = std::min(dispute.bond, bond_of(state, *found.job, operations));
  take_locked(state, owner_of(state, dispute.challenger), dispute.bond);
  Account& claimant = state.accounts[found.lease->owner];
  claimant.balance = plus(claimant.balance, share);
  state.totals.treasury = plus(state.totals.treasury, minus(dispute.bond, share));
}

/// The challenger is wrong, or went away: it loses its bond.
void dismiss(Turn& turn, const DisputeKey& key, End end) {
  State& state = turn.state;
  const auto dispute = state.disputes.find(key);
  CHECK(dispute != state.disputes.end());
  tell_end(turn, key, dispute->second, end);
  lose_bond(state, key, dispute->second);
  ++state.dismissed[key];
  Claim& claim = state.claims.at(key.first);
  claim.disputed_ms = turn.time_ms;
  touch(state, claim.job);
  if (claim.audit.phase == AuditPhase::must_challenge) {
    claim.audit.deadline_ms =
        std::max(claim.audit.deadline_ms, turn.time_ms + state.genesis.answer_ms);
  }
  state.disputes.erase(dispute);
}

bool may_challenge(const State& state, const PublicKey& node) {
  const auto found = state.nodes.find(node);
  return found != state.nodes.end() && (found->second.role == model::Role::auditor ||
                                        found->second.role == model::Role::requester);
}

void drop_oldest_turn(State& state, const PublicKey& node) {
  auto oldest = state.turns.end();
  size_t count = 0;
  for (auto turn = state.turns.begin(); turn != state.turns.end(); ++turn) {
    if (turn->second.node != node) {
      continue;
    }
    ++count;
    if (oldest == state.turns.end() || turn->second.block < oldest->second.block) {
      oldest = turn;
    }
  }
  if (count >= turns_max) {
    state.turns.erase(oldest);
  }
}

/// Whether the drawn auditor must challenge this task: its audit's commitment was its turn.
bool owes_challenge(const Audit& audit, const PublicKey& node, uint32_t task) {
  return audit.phase == AuditPhase::must_challenge && audit.auditor == node &&
         std::find(audit.disagreed.begin(), audit.disagreed.end(), task) != audit.disagreed.end();
}

/// False where the claimant was asked for the task's salt and did not open it.
bool list_binds(const Audit& audit, uint32_t task) {
  const bool asked = audit.phase == AuditPhase::unopened ||
                     audit.phase == AuditPhase::must_challenge || audit.phase == AuditPhase::done;
  const bool drawn = std::find(audit.tasks.begin(), audit.tasks.end(), task) != audit.tasks.end();
  return !(asked && drawn && audit.salts.empty());
}

/// The salt that the claimant opened for a drawn task: it answers under no other.
std::optional<Hash> opened_salt(const Audit& audit, uint32_t task) {
  const auto drawn = std::find(audit.tasks.begin(), audit.tasks.end(), task);
  const auto place = static_cast<size_t>(drawn - audit.tasks.begin());
  return place < audit.salts.size() ? std::optional(audit.salts[place]) : std::nullopt;
}

/// The commitment of an earlier block that gives the signer its turn. Errors: wrong_reveal,
/// wrong_state (of this block).
Result<Hash> find_turn(const Turn& turn, const Signer& signer, const model::Challenge& body) {
  const Hash commitment =
      model::challenge_commitment(body.claim, body.task, body.own_root, signer.key, body.salt);
  const auto reserved = turn.state.turns.find(commitment);
  if (reserved == turn.state.turns.end() || reserved->second.node != signer.key) {
    return refuse(Code::wrong_reveal, "no commitment to this challenge came before it");
  }
  if (reserved->second.block >= turn.height) {
    return refuse(Code::wrong_state, "a commitment is good from the next block on");
  }
  return commitment;
}

/// Errors: why the task cannot be challenged, whoever comes.
Result<Found> find_target(State& state, const model::Challenge& body) {
  const Found found = TRY(find_claim(state, body.claim));
  if (body.task >= found.claim->tasks.size()) {
    return refuse(Code::not_registered, "the claim has no such task");
  }
  if (found.claim->final || !is_open(found.claim->tasks[body.task])) {
    return refuse(Code::wrong_state, "the task is settled");
  }
  if (state.disputes.contains({body.claim, body.task})) {
    return refuse(Code::already_there, "a dispute about the task is open");
  }
  return found;
}

/// The audit's bond turns into the first challenge's; what is left goes back after the last.
void turn_audit_bond(State& state, Claim& claim, uint32_t task, Amount bond) {
  Audit& audit = claim.audit;
  const Amount used = std::min(audit.bond, bond);
  audit.bond = minus(audit.bond, used);
  lock(state, owner_of(state, audit.auditor), minus(bond, used));
  std::erase(audit.disagreed, task);
  if (audit.disagreed.empty()) {
    end_audit(state, claim, AuditPhase::done);
  }
}

/// Who must challenge does so at the price that its audit was taken on for; the requester audits
/// without a bond when nobody else does.
Amount challenge_bond(const State& state,
                      const Found& found,
                      const model::Challenge& body,
                      bool owes,
                      const Signer& signer) {
  if (owes && signer.key == found.job->terms.requester) {
    return Amount();
  }
  const Amount bond = bond_of(state, *found.job, found.claim->tasks.at(body.task).operations);
  return owes ? bond : dearer_bond(state, {body.claim, body.task}, bond);
}

}  // namespace

Result<void> apply(Turn& turn, const Signer& signer, const model::CommitChallenge& body) {
  if (!may_challenge(turn.state, signer.key)) {
    return refuse(Code::not_allowed, "only auditors and requesters challenge");
  }
  if (turn.state.turns.contains(body.commitment)) {
    return refuse(Code::already_there, "this commitment is known");
  }
  drop_oldest_turn(turn.state, signer.key);
  turn.state.turns[body.commitment] = {turn.height, signer.key};
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::Challenge& body) {
  State& state = turn.state;
  if (!may_challenge(state, signer.key)) {
    return refuse(Code::not_allowed, "only auditors and requesters challenge");
  }
  const Found found = TRY(find_target(state, body));
  const PublicKey& owner = owner_of(state, signer.key);
  if (owner == found.lease->owner) {
    return refuse(Code::not_allowed, "nobody challenges its own work");
  }
  Audit& audit = found.claim->audit;
  const bool owes = owes_challenge(audit, signer.key, body.task);
  const bool others_turn =
      audit.phase == AuditPhase::must_challenge &&
      std::find(audit.disagreed.begin(), audit.disagreed.end(), body.task) != audit.disagreed.end();
  if (others_turn && !owes) {
    return refuse(Code::wrong_state,
                  "the auditor of the task must challenge it first",
                  "challenge it later, if the auditor does not");
  }
  const Hash commitment = owes ? Hash{} : TRY(find_turn(turn, signer, body));
  const Amount bond = challenge_bond(state, found, body, owes, signer);
  if (plus(unlocked(state, owner), owes ? audit.bond : Amount()) < bond) {
    return refuse(Code::low_stake, "the owner's unlocked stake is less than the bond");
  }

  Dispute dispute;
  dispute.challenger = signer.key;
  dispute.bond = bond;
  dispute.own_root = body.own_root;
  dispute.list_binds = list_binds(audit, body.task);
  dispute.kept.salt = opened_salt(audit, body.task);
  dispute.opened_ms = turn.time_ms;
  dispute.deadline_ms = turn.time_ms + state.genesis.answer_ms;
  if (owes) {
    turn_audit_bond(state, *found.claim, body.task, bond);
  } else {
    lock(state, owner, bond);
    state.turns.erase(commitment);
  }
  state.disputes.emplace(DisputeKey{body.claim, body.task}, std::move(dispute));
  turn.events.emplace_back(DisputeOpened{body.claim, body.task, signer.key});
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::AskOpen& body) {
  const Open open = TRY(find_own_move(turn.state, signer, body.claim, body.task));
  Dispute& dispute = *open.dispute;
  if (dispute.answers >= answers_max) {
    return refuse(Code::wrong_state, "enough was asked: it is time for a proof");
  }
  const judge::Case about = case_of(turn.state, open);
  TRY(judge::admissible(about, dispute.kept, body.place));
  dispute.asked = body.place;
  dispute.deadline_ms =
      deadline_for(turn, *open.found.lease, judge::operations_of(about, body.place));
  turn.events.emplace_back(Asked{body.claim, body.task, body.place});
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::PostAnswer& body) {
  const Open open = TRY(find_dispute(turn.state, body.claim, body.task));
  Dispute& dispute = *open.dispute;
  if (!dispute.asked) {
    return refuse(Code::wrong_state, "nothing is asked");
  }
  if (body.answer.place != *dispute.asked) {
    return refuse(Code::bad_place, "another place is asked for");
  }
  TRY(check_answerer(turn, open, signer));
  const auto taken = judge::take(case_of(turn.state, open), dispute.kept, body.answer);
  if (!taken.ok()) {
    // Others may answer for the claimant, but only its own answer can convict it.
    if (taken.error().code != Code::bad_answer || signer.key != open.found.lease->node) {
      return taken.error();
    }
    uphold(turn, open.key, {Ending::bad_answer});
    return {};
  }
  dispute.asked.reset();
  ++dispute.answers;
  dispute.deadline_ms = turn.time_ms + turn.state.genesis.answer_ms;
  turn.events.emplace_back(
      Answered{body.claim, body.task, body.answer.place, codec::encode(body.answer).size()});
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::PostProof& body) {
  const Open open = TRY(find_own_move(turn.state, signer, body.claim, body.task));
  const judge::Case about = case_of(turn.state, open);
  const model::Outcome outcome =
      std::visit([&](const auto& proof) { return judge::decide(about, open.dispute->kept, proof); },
                 body.proof);
  const uint64_t bytes = codec::encode(body.proof).size();
  switch (outcome) {
    case model::Outcome::refuted:
      uphold(turn, open.key, {Ending::proof_refuted, bytes});
      return {};
    case model::Outcome::holds:
      dismiss(turn, open.key, {Ending::proof_holds, bytes});
      return {};
    case model::Outcome::inadmissible:
      break;
  }
  return refuse(Code::bad_proof,
                "the proof is no move: it opens too much, too little or elsewhere");
}

void disputes_due(Turn& turn) {
  std::vector<DisputeKey> due;
  for (const auto& [key, dispute] : turn.state.disputes) {
    if (dispute.deadline_ms <= turn.time_ms) {
      due.push_back(key);
    }
  }
  for (const DisputeKey& key : due) {
    const auto dispute = turn.state.disputes.find(key);
    if (dispute == turn.state.disputes.end()) {
      continue;  // a conviction before it in this list ended it
    }
    if (dispute->second.asked) {
      uphold(turn, key, {Ending::claimant_silent});
    } else {
      dismiss(turn, key, {Ending::challenger_silent});
    }
  }
}

std::optional<uint64_t> disputes_next_due(const State& state) {
  std::optional<uint64_t> next;
  for (const auto& [key, dispute] : state.disputes) {
    next = next ? std::min(*next, dispute.deadline_ms) : dispute.deadline_ms;
  }
  return next;
}

}  // namespace lockstep::ledger
