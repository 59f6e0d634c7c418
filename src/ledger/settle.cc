// Finality and settlement: when claims can no longer be undone, what they pay, and where the rest
// of a job's money goes.
#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/mutant.h"
#include "ledger/bonds.h"

namespace lockstep::ledger {
namespace {

constexpr uint64_t never = UINT64_MAX;

/// What stands between a job and its end.
struct Pulse {
  uint64_t barrier_ms = never;  // when the earliest claim with an open audit or dispute was posted
  uint64_t latest_ms = 0;       // when the latest claim was posted
  uint64_t disputed_ms = 0;     // when the last dispute that did not convict ended
  uint64_t work_ms = 0;         // twice that of all unclaimed work on the slowest open lease
  std::vector<std::pair<uint64_t, ClaimId>> unfinal;  // by the time posted
};

bool is_closed(AuditPhase phase) {
  return phase == AuditPhase::none || phase == AuditPhase::done || phase == AuditPhase::lapsed;
}

/// Of every job that is not settled.
std::map<JobId, Pulse> pulses_of(const State& state) {
  std::map<JobId, Pulse> pulses;
  for (const auto& [id, job] : state.jobs) {
    if (job.status != JobStatus::settled) {
      pulses[id];
    }
  }
  for (const auto& [id, claim] : state.claims) {
    const auto found = pulses.find(claim.job);
    if (found == pulses.end()) {
      continue;
    }
    Pulse& pulse = found->second;
    pulse.latest_ms = std::max(pulse.latest_ms, claim.posted_ms);
    pulse.disputed_ms = std::max(pulse.disputed_ms, claim.disputed_ms);
    if (!is_closed(claim.audit.phase) && !is_mutated(Mutant::final_under_audit)) {
      pulse.barrier_ms = std::min(pulse.barrier_ms, claim.posted_ms);
    }
    if (!claim.final) {
      pulse.unfinal.emplace_back(claim.posted_ms, id);
    }
  }
  for (const auto& [key, dispute] : state.disputes) {
    const Claim& claim = state.claims.at(key.first);
    const auto found = pulses.find(claim.job);
    if (found != pulses.end()) {
      found->second.barrier_ms = std::min(found->second.barrier_ms, claim.posted_ms);
    }
  }
  for (const auto& [key, deadline_ms] : state.awaited) {
    const auto found = pulses.find(key.first);
    if (found != pulses.end()) {
      found->second.barrier_ms = 0;  // at most for an answer's time
    }
  }
  for (const auto& [id, lease] : state.leases) {
    const auto found = pulses.find(lease.job);
    if (found != pulses.end() && lease.status == LeaseStatus::open) {
      const Job& job = state.jobs.at(lease.job);
      const uint64_t left = job.terms.operations - job.counted_operations;
      found->second.work_ms = std::max(found->second.work_ms, redo_ms(lease, left));
    }
  }
  for (auto& [id, pulse] : pulses) {
    std::sort(pulse.unfinal.begin(), pulse.unfinal.end());
  }
  return pulses;
}

/// When a claim posted then is final, if nothing more happens; `never` while something is open.
/// Under a span an audit or a dispute holds up what was claimed no earlier than its claim; under
/// `job` everything. Somebody has a window against the latest claim, too. A dispute keeps others
/// from theirs: after one that did not convict they have an answer's time.
uint64_t final_ms(const State& state, const Job& job, const Pulse& pulse, uint64_t posted_ms) {
  const uint64_t shielded_ms =
      pulse.disputed_ms == 0 ? 0 : pulse.disputed_ms + state.genesis.answer_ms;
  if (job.terms.finality == model::FinalityRule::span) {
    return posted_ms >= pulse.barrier_ms ? never
                                         : std::max(posted_ms + job.terms.span_ms, shielded_ms);
  }
  if (job.status == JobStatus::open || pulse.barrier_ms != never) {
    return never;
  }
  const model::Genesis& rules = state.genesis;
  return std::max({job.closed_ms + std::max(rules.final_window_ms, rules.epoch_ms),
                   pulse.latest_ms + rules.final_window_ms,
                   shielded_ms});
}

/// When a job whose claims are all final is settled.
uint64_t settled_ms(const State& state, const Job& job, const Pulse& pulse) {
  if (job.status == JobStatus::open || pulse.barrier_ms != never) {
    return never;
  }
  return job.closed_ms + state.genesis.epoch_ms;
}

/// When an open job is closed for its owner, unless something happens to it: what lies in escrow,
/// and the stakes that its leases lock, must not wait for somebody who is gone. A machine at work
/// has time to end its task, which may be all that is left of the job.
uint64_t idle_ms(const State& state, const JobId& id, const Pulse& pulse) {
  if (state.jobs.at(id).status != JobStatus::open || pulse.barrier_ms != never) {
    return never;
  }
  return state.active.at(id) + state.genesis.job_idle_ms + pulse.work_ms;
}

Amount price(const Job& job, uint64_t operations) {
  const Result<Amount> price = model::price_of(operations, job.terms.price_per_unit);
  CHECK(price.ok());  // never more than the job's work price
  return *price;
}

void pay(State& state, const PublicKey& owner, Amount amount) {
  Account& account = state.accounts.at(owner);
  account.balance = plus(account.balance, amount);
}

/// Everything that owners other than `owner` have read for claimed tasks of the job.
std::set<TaskId> read_by_others(const State& state, const JobId& job, const PublicKey& owner) {
  std::set<TaskId> read;
  for (const auto& [id, claim] : state.claims) {
    if (claim.job == job && state.leases.at(claim.lease).owner != owner) {
      for (const Task& task : claim.tasks) {
        read.insert(task.reads.begin(), task.reads.end());
      }
    }
  }
  return read;
}

/// Tasks that were claimed after those that read them.
void note_readers(const State& state, Claim& claim) {
  const auto missing = [](const Task& task) {
    return task.status == TaskStatus::pending && !task.available;
  };
  if (std::none_of(claim.tasks.begin(), claim.tasks.end(), missing)) {
    return;
  }
  const auto read = read_by_others(state, claim.job, state.leases.at(claim.lease).owner);
  for (Task& task : claim.tasks) {
    task.available = task.available || read.contains(task.id);
    task.vouched = task.vouched || read.contains(task.id);
  }
}

/// Honest work on false inputs is paid by the liar, as far as the slash goes.
void pay_void(State& state, Job& job, Lease& lease, Task& task) {
  const Amount paid = std::min(job.reserve, price(job, task.operations));
  job.reserve = minus(job.reserve, paid);
  job.paid = plus(job.paid, paid);
  lease.paid_void = plus(lease.paid_void, paid);
  pay(state, lease.owner, paid);
  task.status = TaskStatus::paid_void;
}

void make_final(Turn& turn, const ClaimId& id) {
  State& state = turn.state;
  Claim& claim = state.claims.at(id);
  Job& job = state.jobs.at(claim.job);
  Lease& lease = state.leases.at(claim.lease);
  note_readers(state, claim);
  for (uint32_t i = 0; i < claim.tasks.size(); ++i) {
    Task& task = claim.tasks[i];
    if (task.status == TaskStatus::voided && lease.status != LeaseStatus::slashed) {
      pay_void(state, job, lease, task);
    } else if (task.status == TaskStatus::pending &&
               (task.available || is_mutated(Mutant::unread_paid))) {
      task.status = TaskStatus::final;
      lease.final_operations += task.operations;
    } else if (task.status == TaskStatus::pending) {
      uncount(turn, claim, i, TaskStatus::unavailable);
    }
  }
  const Amount more = minus(price(job, lease.final_operations), lease.paid);
  lease.paid = plus(lease.paid, more);
  lease.pending = minus(lease.pending, more);
  job.paid = plus(job.paid, more);
  pay(state, lease.owner, more);
  claim.final = true;
  state.audits.erase(id);
  state.dismissed.erase(state.dismissed.lower_bound({id, 0}),
                        state.dismissed.upper_bound({id, UINT32_MAX}));
}

/// Closed leases get their stake back; a slashed one has none left.
void unlock_leases(State& state, const JobId& id) {
  for (auto& [lease_id, lease] : state.leases) {
    if (lease.job != id || lease.status != LeaseStatus::closing) {
      continue;
    }
    CHECK(lease.pending == Amount());
    Account& account = state.accounts.at(lease.owner);
    account.locked = minus(account.locked, lease.locked);
    lease.locked = Amount();
    lease.status = LeaseStatus::settled;
  }
}

/// What the requester has paid for tasks that turned out void too late.
Amount paid_in_vain(const State& state, const JobId& id) {
  Amount vain;
  const Job& job = state.jobs.at(id);
  for (const auto& [claim_id, claim] : state.claims) {
    for (const Task& task : claim.tasks) {
      if (claim.job == id && task.status == TaskStatus::final && state.voided.contains(task.id)) {
        vain = plus(vain, price(job, task.operations));
      }
    }
  }
  return vain;
}

void settle(Turn& turn, const JobId& id) {
  State& state = turn.state;
  Job& job = state.jobs.at(id);
  unlock_leases(state, id);
  Amount refund = plus(job.escrow, job.audit_budget);
  const Amount returned = std::min(job.reserve, paid_in_vain(state, id));
  const Amount rest = minus(job.reserve, returned);
  refund = plus(refund, returned);
  job.escrow = job.audit_budget = job.reserve = Amount();
  pay(state, job.owner, refund);
  if (is_mutated(Mutant::refund_twice)) {
    pay(state, job.owner, refund);
  }
  state.totals.treasury = plus(state.totals.treasury, rest);
  job.status = JobStatus::settled;
  turn.events.emplace_back(JobSettled{id, refund, rest});
}

}  // namespace

void settle_due(Turn& turn) {
  State& state = turn.state;
  for (const auto& [id, pulse] : pulses_of(state)) {
    const Job& job = state.jobs.at(id);
    size_t finished = 0;
    for (const auto& [posted_ms, claim] : pulse.unfinal) {
      if (final_ms(state, job, pulse, posted_ms) <= turn.time_ms) {
        make_final(turn, claim);
        ++finished;
      }
    }
    if (idle_ms(state, id, pulse) <= turn.time_ms) {
      close_job(turn, id);
    } else if (finished == pulse.unfinal.size() && settled_ms(state, job, pulse) <= turn.time_ms) {
      settle(turn, id);
    }
  }
}

std::optional<uint64_t> settle_next_due(const State& state) {
  uint64_t next = never;
  for (const auto& [id, pulse] : pulses_of(state)) {
    const Job& job = state.jobs.at(id);
    // Claims are final in the order they were posted.
    next = std::min({next,
                     idle_ms(state, id, pulse),
                     pulse.unfinal.empty()
                         ? settled_ms(state, job, pulse)
                         : final_ms(state, job, pulse, pulse.unfinal.front().first)});
  }
  return next == never ? std::nullopt : std::optional(next);
}

void touch(State& state, const JobId& id) {
  if (state.jobs.at(id).status == JobStatus::open) {
    state.active[id] = state.totals.time_ms;
  }
}

void uncount(Turn& turn, Claim& claim, uint32_t task, TaskStatus status) {
  State& state = turn.state;
  Task& taken = claim.tasks.at(task);
  Job& job = state.jobs.at(claim.job);
  Lease& lease = state.leases.at(claim.lease);
  CHECK(taken.status == TaskStatus::pending);
  CHECK(lease.counted_operations >= taken.operations + lease.final_operations);
  CHECK(job.counted_operations >= taken.operations);
  taken.status = status;
  lease.counted_operations -= taken.operations;
  job.counted_operations -= taken.operations;
  const Amount left = minus(price(job, lease.counted_operations), lease.paid);
  job.escrow = plus(job.escrow, minus(lease.pending, left));
  lease.pending = left;
}

Amount bond_of(const State& state, const Job& job, uint64_t operations) {
  const Result<Amount> price = model::price_of(operations, job.terms.price_per_unit);
  const Result<Amount> twice = price.ok() ? price->multiply(2) : price;
  // More than any account holds is a bond that nobody can lock.
  return std::max(twice.ok() ? *twice : Amount::from_nano(INT64_MAX), state.genesis.bond_min);
}

bool has_open_audit(const State& state, const JobId& job) {
  const auto audited = [&](const auto& entry) {
    return entry.second.job == job && !is_closed(entry.second.audit.phase);
  };
  const auto disputed = [&](const auto& entry) {
    return state.claims.at(entry.first.first).job == job;
  };
  return std::any_of(state.claims.begin(), state.claims.end(), audited) ||
         std::any_of(state.disputes.begin(), state.disputes.end(), disputed);
}

Amount plus(Amount a, Amount b) {
  const Result<Amount> sum = a.add(b);
  CHECK(sum.ok());
  return *sum;
}

Amount minus(Amount a, Amount b) {
  const Result<Amount> difference = a.subtract(b);
  CHECK(difference.ok() && *difference >= Amount());
  return *difference;
}

}  // namespace lockstep::ledger
