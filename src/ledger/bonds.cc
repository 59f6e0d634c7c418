// Bonds and pay of auditors and challengers, and the deadlines of their work.
#include "ledger/bonds.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace lockstep::ledger {
namespace {

/// Integers beyond 64 bits; both compilers have them.
__extension__ using Wide = unsigned __int128;

template <class Map, class Key>
auto& held(Map& map, const Key& key) {
  const auto found = map.find(key);
  CHECK(found != map.end());
  return found->second;
}

bool is_paid_from_reserve(const Task& task) {
  return task.status == TaskStatus::voided || task.status == TaskStatus::convicted;
}

}  // namespace

Found place_of(State& state, Claim& claim) {
  return {&claim, &held(state.leases, claim.lease), &held(state.jobs, claim.job)};
}

Result<Found> find_claim(State& state, const ClaimId& id) {
  const auto found = state.claims.find(id);
  if (found == state.claims.end()) {
    return refuse(Code::not_registered, "there is no such claim");
  }
  return place_of(state, found->second);
}

const PublicKey& owner_of(const State& state, const PublicKey& node) {
  return held(state.nodes, node).owner;
}

bool is_open(const Task& task) {
  return task.status == TaskStatus::pending || task.status == TaskStatus::voided;
}

Amount price_in(const Job& job, uint64_t operations) {
  // The job's own price was computed when it was opened, and no task is larger than its job.
  return model::price_of(operations, job.terms.price_per_unit).value();
}

uint64_t redo_ms(const Lease& lease, uint64_t operations) {
  const Wide rate = std::max<uint64_t>(lease.operations_per_second, 1);
  const Wide redo = (Wide{operations} * 2 * 1000 + rate - 1) / rate;
  return static_cast<uint64_t>(std::min<Wide>(redo, limits::redo_ms_max));
}

uint64_t deadline_for(const Turn& turn, const Lease& lease, uint64_t operations) {
  return turn.time_ms + turn.state.genesis.answer_ms + redo_ms(lease, operations);
}

Amount unlocked(const State& state, const PublicKey& owner) {
  const auto found = state.accounts.find(owner);
  return found == state.accounts.end() ? Amount()
                                       : minus(found->second.stake, found->second.locked);
}

void lock(State& state, const PublicKey& owner, Amount amount) {
  CHECK(amount <= unlocked(state, owner));
  if (amount > Amount()) {
    Account& account = held(state.accounts, owner);
    account.locked = plus(account.locked, amount);
  }
}

void unlock(State& state, const PublicKey& owner, Amount amount) {
  if (amount > Amount()) {
    Account& account = held(state.accounts, owner);
    CHECK(amount <= account.locked);
    account.locked = minus(account.locked, amount);
  }
}

void take_locked(State& state, const PublicKey& owner, Amount amount) {
  unlock(state, owner, amount);
  if (amount > Amount()) {
    Account& account = held(state.accounts, owner);
    account.stake = minus(account.stake, amount);
  }
}

void release_audit_bond(State& state, Claim& claim) {
  if (claim.audit.bond > Amount()) {
    unlock(state, owner_of(state, claim.audit.auditor), claim.audit.bond);
    claim.audit.bond = Amount();
  }
}

void forfeit_audit_bond(State& state, Claim& claim) {
  if (claim.audit.bond > Amount()) {
    take_locked(state, owner_of(state, claim.audit.auditor), claim.audit.bond);
    state.totals.treasury = plus(state.totals.treasury, claim.audit.bond);
    claim.audit.bond = Amount();
  }
}

void end_audit(State& state, Claim& claim, AuditPhase phase) {
  release_audit_bond(state, claim);
  claim.audit.phase = phase;
  claim.audit.disagreed.clear();
  claim.audit.deadline_ms = 0;
  touch(state, claim.job);
}

Amount kept_for_void(const State& state, const JobId& id) {
  Amount kept;
  for (const auto& [claim_id, claim] : state.claims) {
    for (const Task& task : claim.tasks) {
      const bool waits = claim.job == id && task.status == TaskStatus::voided;
      kept = waits ? plus(kept, price_in(state.jobs.at(id), task.operations)) : kept;
    }
  }
  return kept;
}

Amount pay_audit(State& state, const ClaimId& id, const std::vector<uint32_t>& tasks) {
  Claim& claim = state.claims.at(id);
  Job& job = *place_of(state, claim).job;
  const Amount kept = kept_for_void(state, claim.job);
  Amount all;
  for (const uint32_t place : tasks) {
    const Task& task = claim.tasks[place];
    const Amount due = price_in(job, task.operations);
    Amount slashed;  // what the slash pays of it, when void work has its part
    if (is_paid_from_reserve(task) && job.reserve > kept) {
      slashed = std::min(due, minus(job.reserve, kept));
      job.reserve = minus(job.reserve, slashed);
    }
    const Amount paid =
        is_funded(state, id) ? std::min(minus(due, slashed), job.audit_budget) : Amount();
    job.audit_budget = minus(job.audit_budget, paid);
    job.paid = plus(job.paid, paid);
    Amount& known = state.audits[id].paid;
    known = plus(known, paid);
    all = plus(all, plus(slashed, paid));
  }
  if (all > Amount()) {
    const bool requester = claim.audit.auditor == job.terms.requester;
    const PublicKey& owner = requester ? job.owner : owner_of(state, claim.audit.auditor);
    Account& account = state.accounts[owner];
    account.balance = plus(account.balance, all);
  }
  return all;
}

bool is_funded(const State& state, const ClaimId& id) {
  const auto money = state.audits.find(id);
  return money == state.audits.end() || money->second.funded;
}

namespace {

/// Void work was claimed after audits had been given back: it comes before them.
void take_back_audits(State& state, const JobId& id, Amount kept) {
  Job& job = state.jobs.at(id);
  for (auto& [claim_id, money] : state.audits) {
    if (state.claims.at(claim_id).job != id || job.reserve >= kept) {
      continue;
    }
    const Amount more = std::min({money.returned, minus(kept, job.reserve), job.audit_budget});
    job.reserve = plus(job.reserve, more);
    job.audit_budget = minus(job.audit_budget, more);
    job.paid = plus(job.paid, more);
    money.returned = minus(money.returned, more);
  }
}

}  // namespace

void return_audits(State& state, const JobId& id) {
  Job& job = state.jobs.at(id);
  const Amount kept = kept_for_void(state, id);
  if (job.reserve < kept) {
    take_back_audits(state, id, kept);
    return;
  }
  for (auto& [claim_id, money] : state.audits) {
    const Claim& claim = state.claims.at(claim_id);
    if (claim.job != id || job.reserve <= kept) {
      continue;
    }
    Amount gone;
    for (const uint32_t place : claim.audit.tasks) {
      const Task& task = claim.tasks[place];
      gone = is_paid_from_reserve(task) ? plus(gone, price_in(job, task.operations)) : gone;
    }
    const Amount due = std::min(gone, money.paid);
    const Amount more =
        std::min(minus(std::max(due, money.returned), money.returned), minus(job.reserve, kept));
    job.reserve = minus(job.reserve, more);
    job.audit_budget = plus(job.audit_budget, more);
    job.paid = minus(job.paid, more);  // the slash pays it, not the job
    money.returned = plus(money.returned, more);
  }
}

}  // namespace lockstep::ledger
