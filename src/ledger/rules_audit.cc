// Draws and audits: preimages, the choice of tasks and auditors, commit, open, reveal, and what
// silence costs. LAW section 6.
#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"
#include "ledger/bonds.h"

namespace lockstep::ledger {
namespace {

/// Integers beyond 64 bits; both compilers have them.
__extension__ using Wide = unsigned __int128;

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

/// Phases in which somebody must move before a deadline.
bool has_deadline(AuditPhase phase) {
  return phase >= AuditPhase::drawn && phase <= AuditPhase::must_challenge;
}

/// Phases whose auditor still has to be paid.
bool is_promised(AuditPhase phase) {
  return phase >= AuditPhase::drawn && phase <= AuditPhase::unopened;
}

uint64_t drawn_operations(const Claim& claim) {
  uint64_t sum = 0;
  for (const uint32_t place : claim.audit.tasks) {
    const uint64_t more = claim.tasks[place].operations;
    sum = more > UINT64_MAX - sum ? UINT64_MAX : sum + more;
  }
  return sum;
}

uint64_t largest_drawn(const Claim& claim) {
  uint64_t most = 0;
  for (const uint32_t place : claim.audit.tasks) {
    most = std::max(most, claim.tasks[place].operations);
  }
  return most;
}

/// What the drawn tasks take from the audit budget: void work is audited from the reserve.
Amount budget_of(const Job& job, const Claim& claim) {
  Amount sum;
  for (const uint32_t place : claim.audit.tasks) {
    const Task& task = claim.tasks[place];
    if (task.status != TaskStatus::voided) {
      sum = plus(sum, price_in(job, task.operations));
    }
  }
  return sum;
}

using Promises = std::map<JobId, Amount>;

/// What every job has promised to audits that are not over yet.
Promises promises_of(const State& state) {
  Promises promises;
  for (const auto& [id, claim] : state.claims) {
    if (is_promised(claim.audit.phase) && is_funded(state, id)) {
      Amount& sum = promises[claim.job];
      sum = plus(sum, budget_of(state.jobs.at(claim.job), claim));
    }
  }
  return promises;
}

struct Candidate {
  PublicKey node;
  Amount stake;  // of its owner
};

/// Every owner counts once, by its first node: registering more nodes gains nothing. An owner of an
/// excused node is not asked again.
std::vector<Candidate> candidates_of(const State& state, const Found& found, Amount bond) {
  std::set<PublicKey> passed = {found.lease->owner, found.job->owner};
  for (const PublicKey& node : found.claim->audit.excused) {
    passed.insert(node == found.job->terms.requester ? found.job->owner : owner_of(state, node));
  }
  std::vector<Candidate> candidates;
  for (const auto& [key, node] : state.nodes) {
    if (node.role != model::Role::auditor || passed.contains(node.owner)) {
      continue;
    }
    passed.insert(node.owner);
    if (unlocked(state, node.owner) >= bond) {
      const auto account = state.accounts.find(node.owner);
      const Amount stake = account == state.accounts.end() ? Amount() : account->second.stake;
      candidates.push_back({key, stake});
    }
  }
  return candidates;
}

/// The draw's number for the given round of choosing.
Wide auditor_number(const Hash& seed, uint32_t round) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 auditor");
  codec::Writer writer;
  writer.hash(seed);
  writer.number(round);
  const Hash hash = crypto::hash(mode, writer.bytes());
  Wide number = 0;
  std::memcpy(&number, hash.bytes.data(), sizeof number);
  return number;
}

/// Weighted by stake; nothing when nobody has any.
std::optional<PublicKey> choose_auditor(const Audit& audit,
                                        const std::vector<Candidate>& candidates) {
  Wide total = 0;
  for (const Candidate& candidate : candidates) {
    total += static_cast<uint64_t>(candidate.stake.nano());
  }
  if (total == 0) {
    return std::nullopt;
  }
  Wide left = auditor_number(audit.seed, static_cast<uint32_t>(audit.excused.size())) % total;
  for (const Candidate& candidate : candidates) {
    const auto stake = static_cast<uint64_t>(candidate.stake.nano());
    if (left < stake) {
      return candidate.node;
    }
    left -= stake;
  }
  CHECK(false);
  return std::nullopt;
}

void lapse(Turn& turn, const ClaimId& id, Claim& claim) {
  end_audit(turn.state, claim, AuditPhase::lapsed);
  turn.events.emplace_back(AuditLapsed{id});
}

/// Chooses who audits next: an auditor, else the requester's node, else nobody.
void appoint(Turn& turn, const ClaimId& id, const Found& found) {
  State& state = turn.state;
  Audit& audit = found.claim->audit;
  audit.commitments.clear();
  audit.salts.clear();
  Amount bond = bond_of(state, *found.job, largest_drawn(*found.claim));
  auto chosen = is_funded(state, id) ? choose_auditor(audit, candidates_of(state, found, bond))
                                     : std::nullopt;
  if (!chosen) {
    if (contains(audit.excused, found.job->terms.requester)) {
      lapse(turn, id, *found.claim);
      return;
    }
    chosen = found.job->terms.requester;
    bond = Amount();
  }
  if (bond > Amount()) {
    lock(state, owner_of(state, *chosen), bond);
  }
  audit.phase = AuditPhase::drawn;
  audit.auditor = *chosen;
  audit.bond = bond;
  audit.deadline_ms = deadline_for(turn, *found.lease, drawn_operations(*found.claim));
  turn.events.emplace_back(AuditorDrawn{id, *chosen});
}

bool is_ready(const Turn& turn, const Claim& claim) {
  if (claim.audit.phase != AuditPhase::waiting || claim.block >= turn.height) {
    return false;
  }
  return turn.revealed.contains(claim.job) ||
         turn.height - claim.block >= turn.state.genesis.preimage_blocks;
}

void draw(Turn& turn, const ClaimId& id, Claim& claim, Promises& promises) {
  const Found found = place_of(turn.state, claim);
  const Job& job = *found.job;
  Audit& audit = claim.audit;
  audit.requester_preimage = turn.revealed.contains(claim.job);
  audit.seed = model::draw_seed(
      turn.preimage,
      audit.requester_preimage && !is_mutated(Mutant::seed_without_requester) ? job.preimage
                                                                              : Hash{},
      claim.list);
  audit.block = turn.height;
  for (uint32_t i = 0; i < claim.tasks.size(); ++i) {
    if (is_open(claim.tasks[i]) && model::drawn(audit.seed,
                                                i + (is_mutated(Mutant::draw_off_by_one) ? 1 : 0),
                                                job.terms.share_millionths)) {
      audit.tasks.push_back(i);
    }
  }
  turn.events.emplace_back(ClaimDrawn{id, audit.seed, audit.block, audit.tasks});
  if (audit.tasks.empty()) {
    audit.phase = AuditPhase::none;
    touch(turn.state, claim.job);
    return;
  }
  Amount& promised = promises[claim.job];
  const Amount with_this = plus(promised, budget_of(job, claim));
  AuditMoney& money = turn.state.audits[id];
  money.funded = with_this <= job.audit_budget;
  // Nobody audits for nothing but the requester, whose model it is.
  promised = money.funded ? with_this : promised;
  appoint(turn, id, found);
}

Error not_now() {
  return refuse(Code::wrong_state, "the audit is not there, or was there already");
}

/// One revealed task against what was committed: its form, not yet its truth.
Result<void> check_reveal(const State& state,
                          const Claim& claim,
                          size_t drawn,
                          const model::RevealedTask& revealed) {
  const Audit& audit = claim.audit;
  const Task& task = claim.tasks[audit.tasks[drawn]];
  const judge::Registered* program = state.programs.find(task.program);
  CHECK(program != nullptr);
  if (revealed.roots.size() != judge::list_entries(*program, task.steps, task.claim_every)) {
    return refuse(Code::wrong_reveal, "a revealed list has not the entries of its task");
  }
  if (model::audit_commitment(revealed.roots, audit.auditor, revealed.salt) !=
      audit.commitments[drawn]) {
    return refuse(Code::wrong_reveal, "a revealed list is not the one committed to");
  }
  return {};
}

/// Where the salts are open the whole list must be the auditor's. The output root, which later
/// tasks read, must be its end in any case: a list may be true beside a false output root.
bool agrees(const Claim& claim, size_t drawn, const std::vector<Hash>& roots) {
  const Audit& audit = claim.audit;
  const Task& task = claim.tasks[audit.tasks[drawn]];
  const uint32_t last = model::state_roots_of(task.steps, task.claim_every) - 1;
  if (roots[last] != task.output_root) {
    return false;
  }
  return audit.phase == AuditPhase::unopened || is_mutated(Mutant::salts_not_compared) ||
         model::task_list(audit.salts[drawn], roots) == task.list;
}

/// What an auditor agreed to stands; it is not paid where the salts stayed closed.
Amount accept(Turn& turn, const ClaimId& id, const std::vector<uint32_t>& agreed) {
  const Amount paid = pay_audit(turn.state, id, agreed);
  Claim& claim = turn.state.claims.at(id);
  for (const uint32_t place : agreed) {
    Task& task = claim.tasks[place];
    if (task.status == TaskStatus::unavailable) {
      continue;  // it gave way to work that was signed for
    }
    task.available = true;
    if (claim.audit.phase != AuditPhase::unopened) {
      continue;
    }
    if (task.status == TaskStatus::pending) {
      uncount(turn, claim, place, TaskStatus::unpaid);
    } else if (task.status == TaskStatus::voided) {
      task.status = TaskStatus::unpaid;
    }
  }
  return paid;
}

/// Whether any dispute about a task of the claim is open.
bool is_disputed(const State& state, const ClaimId& id) {
  const auto first = state.disputes.lower_bound({id, 0});
  return first != state.disputes.end() && first->first.first == id;
}

void excuse(Turn& turn, const ClaimId& id, const Found& found) {
  found.claim->audit.excused.push_back(found.claim->audit.auditor);
  appoint(turn, id, found);
}

void past_deadline(Turn& turn, const ClaimId& id, Claim& claim) {
  const uint64_t next_ms = turn.time_ms + turn.state.genesis.answer_ms;
  Audit& audit = claim.audit;
  switch (audit.phase) {
    case AuditPhase::drawn:
      release_audit_bond(turn.state, claim);
      excuse(turn, id, place_of(turn.state, claim));
      return;
    case AuditPhase::committed:
      audit.phase = AuditPhase::unopened;
      audit.deadline_ms = next_ms;
      turn.events.emplace_back(SaltsUnopened{id});
      return;
    case AuditPhase::opened:
    case AuditPhase::unopened:
      forfeit_audit_bond(turn.state, claim);
      excuse(turn, id, place_of(turn.state, claim));
      return;
    case AuditPhase::must_challenge:
      if (is_disputed(turn.state, id)) {
        // Somebody was faster, perhaps to shield the claimant: the auditor's turn comes after it.
        audit.deadline_ms = next_ms;
        return;
      }
      forfeit_audit_bond(turn.state, claim);
      end_audit(turn.state, claim, AuditPhase::done);
      return;
    case AuditPhase::none:
    case AuditPhase::waiting:
    case AuditPhase::done:
    case AuditPhase::lapsed:
      CHECK(false);
  }
}

}  // namespace

Result<void> apply(Turn& turn, const Signer& signer, const model::RevealPreimage& body) {
  const auto job = turn.state.jobs.find(body.job);
  if (job == turn.state.jobs.end()) {
    return refuse(Code::not_registered, "there is no such job");
  }
  Job& value = job->second;
  if (signer.key != value.terms.requester) {
    return refuse(Code::not_allowed, "only the job's requester reveals its preimages");
  }
  if (value.status == JobStatus::settled || value.revealed >= limits::preimages_max) {
    return refuse(Code::wrong_state, "the job needs no more preimages");
  }
  if (model::chain_link(body.preimage) != value.preimage) {
    return refuse(Code::wrong_preimage, "it is not the next of the job's chain");
  }
  value.preimage = body.preimage;
  ++value.revealed;
  turn.revealed.insert(body.job);
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::CommitAudit& body) {
  const Found found = TRY(find_claim(turn.state, body.claim));
  Audit& audit = found.claim->audit;
  if (audit.phase != AuditPhase::drawn) {
    return not_now();
  }
  if (signer.key != audit.auditor) {
    return refuse(Code::not_allowed, "another auditor is drawn");
  }
  if (body.commitments.size() != audit.tasks.size()) {
    return refuse(Code::wrong_reveal, "it takes one commitment a drawn task");
  }
  audit.commitments = body.commitments;
  audit.phase = AuditPhase::committed;
  audit.deadline_ms = turn.time_ms + turn.state.genesis.answer_ms;
  turn.events.emplace_back(AuditCommitted{body.claim});
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::OpenSalts& body) {
  const Found found = TRY(find_claim(turn.state, body.claim));
  Audit& audit = found.claim->audit;
  if (audit.phase != AuditPhase::committed) {
    return not_now();
  }
  if (signer.key != found.lease->node) {
    return refuse(Code::not_allowed, "only the claimant knows its salts");
  }
  if (body.salts.size() != audit.tasks.size()) {
    return refuse(Code::wrong_reveal, "it takes one salt a drawn task");
  }
  audit.salts = body.salts;
  audit.phase = AuditPhase::opened;
  audit.deadline_ms = turn.time_ms + turn.state.genesis.answer_ms;
  turn.events.emplace_back(SaltsOpened{body.claim});
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::RevealAudit& body) {
  const Found found = TRY(find_claim(turn.state, body.claim));
  Claim& claim = *found.claim;
  Audit& audit = claim.audit;
  if (audit.phase != AuditPhase::opened && audit.phase != AuditPhase::unopened) {
    return not_now();
  }
  if (signer.key != audit.auditor) {
    return refuse(Code::not_allowed, "another auditor is drawn");
  }
  if (body.tasks.size() != audit.tasks.size()) {
    return refuse(Code::wrong_reveal, "it takes one list a drawn task");
  }
  std::vector<uint32_t> agreed;
  std::vector<uint32_t> disagreed;
  for (size_t i = 0; i < body.tasks.size(); ++i) {
    TRY(check_reveal(turn.state, claim, i, body.tasks[i]));
    const bool same = agrees(claim, i, body.tasks[i].roots);
    if (same || is_open(claim.tasks[audit.tasks[i]])) {
      (same ? agreed : disagreed).push_back(audit.tasks[i]);
    }
  }
  const Amount paid = accept(turn, body.claim, agreed);
  if (disagreed.empty()) {
    end_audit(turn.state, claim, AuditPhase::done);
    turn.events.emplace_back(AuditAgreed{body.claim, signer.key, paid});
    return {};
  }
  turn.events.emplace_back(AuditDisagreed{body.claim, disagreed});
  audit.disagreed = std::move(disagreed);
  audit.phase = AuditPhase::must_challenge;
  audit.deadline_ms = turn.time_ms + turn.state.genesis.answer_ms;
  return {};
}

void draw_claims(Turn& turn) {
  std::optional<Promises> promises;
  for (auto& [id, claim] : turn.state.claims) {
    if (!is_ready(turn, claim)) {
      continue;
    }
    if (!promises) {
      promises = promises_of(turn.state);
    }
    draw(turn, id, claim, *promises);
  }
}

void audits_due(Turn& turn) {
  for (auto& [id, claim] : turn.state.claims) {
    const uint64_t late = is_mutated(Mutant::deadline_off_by_one) ? 1 : 0;
    if (has_deadline(claim.audit.phase) && claim.audit.deadline_ms + late <= turn.time_ms) {
      past_deadline(turn, id, claim);
    }
  }
}

std::optional<uint64_t> audits_next_due(const State& state) {
  std::optional<uint64_t> next;
  const auto note = [&](uint64_t time_ms) { next = next ? std::min(*next, time_ms) : time_ms; };
  for (const auto& [id, claim] : state.claims) {
    if (has_deadline(claim.audit.phase)) {
      note(claim.audit.deadline_ms);
    } else if (claim.audit.phase == AuditPhase::waiting) {
      // Blocks must go on, or a missing preimage would be waited for for ever.
      note(state.totals.time_ms + state.genesis.block_ms);
    }
  }
  return next;
}

}  // namespace lockstep::ledger
