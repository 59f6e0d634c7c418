// A conviction: the slash and its order, and everything that a false claim makes void. DESIGN
// "Money: one path", LAW section 7.
#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"
#include "ledger/bonds.h"

namespace lockstep::ledger {
namespace {

struct Slash {
  std::set<LeaseId> leases;
  Amount amount;
  Amount burned;
};

/// Half of each lock is burned, the larger half where it is odd; the rest waits in the job's
/// reserve.
Slash slash_leases(State& state, const PublicKey& owner) {
  Slash slash;
  for (auto& [id, lease] : state.leases) {
    const bool live = lease.status == LeaseStatus::open || lease.status == LeaseStatus::closing;
    if (lease.owner != owner || !live) {
      continue;
    }
    const Amount taken = lease.locked;
    const int64_t more = is_mutated(Mutant::quarter_burned) ? taken.nano() / 4 : 0;
    const Amount reserve = Amount::from_nano(taken.nano() / 2 + more);
    const Amount burned = minus(taken, reserve);
    take_locked(state, owner, taken);
    Job& job = state.jobs.at(lease.job);
    job.reserve = plus(job.reserve, reserve);
    lease.locked = Amount();
    lease.status = LeaseStatus::slashed;
    slash.leases.insert(id);
    slash.amount = plus(slash.amount, taken);
    slash.burned = plus(slash.burned, burned);
  }
  if (!is_mutated(Mutant::burned_half_forgotten)) {
    state.totals.burned = plus(state.totals.burned, slash.burned);
  }
  return slash;
}

/// Gives the challenger its bond back and one more, as far as the reserve goes; ends the dispute.
Amount reward_challenger(State& state, const DisputeKey& key) {
  const auto dispute = state.disputes.find(key);
  CHECK(dispute != state.disputes.end());
  const Found found = place_of(state, state.claims.at(key.first));
  const PublicKey& owner = owner_of(state, dispute->second.challenger);
  if (!is_mutated(Mutant::bond_kept)) {
    unlock(state, owner, dispute->second.bond);
  }
  // One who had to put up no bond, the requester in an auditor's place, is rewarded alike.
  const uint64_t operations = found.claim->tasks[key.second].operations;
  const Amount reward = std::min(bond_of(state, *found.job, operations), found.job->reserve);
  found.job->reserve = minus(found.job->reserve, reward);
  Account& account = state.accounts[owner];
  account.balance = plus(account.balance, reward);
  state.disputes.erase(dispute);
  return reward;
}

void drop_disputes(State& state, const std::set<LeaseId>& leases) {
  for (auto dispute = state.disputes.begin(); dispute != state.disputes.end();) {
    if (!leases.contains(state.claims.at(dispute->first.first).lease)) {
      ++dispute;
      continue;
    }
    const Dispute& value = dispute->second;
    unlock(state, owner_of(state, value.challenger), value.bond);
    dispute = state.disputes.erase(dispute);
  }
}

/// No audit of convicted work is needed any more. Who has committed did the work and is paid.
void close_audits(State& state, const std::set<LeaseId>& leases) {
  for (auto& [id, claim] : state.claims) {
    const AuditPhase phase = claim.audit.phase;
    const bool open = phase >= AuditPhase::waiting && phase <= AuditPhase::must_challenge;
    if (!open || !leases.contains(claim.lease)) {
      continue;
    }
    if (phase >= AuditPhase::committed && phase <= AuditPhase::unopened) {
      (void)pay_audit(state, id, claim.audit.tasks);
    }
    end_audit(state, claim, AuditPhase::done);
  }
}

void condemn_task(Turn& turn, Claim& claim, uint32_t place) {
  Task& task = claim.tasks[place];
  if (task.status == TaskStatus::pending) {
    uncount(turn, claim, place, TaskStatus::convicted);
  } else {
    task.status = TaskStatus::convicted;  // void or unpaid: counted no more
  }
}

/// Condemns all unfinal tasks of the leases. What was final stays; what nobody could read has no
/// reader.
std::map<JobId, std::vector<TaskId>> condemn(Turn& turn, const std::set<LeaseId>& leases) {
  std::map<JobId, std::vector<TaskId>> condemned;
  for (auto& [id, claim] : turn.state.claims) {
    if (!leases.contains(claim.lease)) {
      continue;
    }
    for (uint32_t place = 0; place < claim.tasks.size(); ++place) {
      const Task& task = claim.tasks[place];
      if (is_open(task) || (task.status == TaskStatus::unpaid && !claim.final)) {
        condemn_task(turn, claim, place);
        condemned[claim.job].push_back(task.id);
      }
    }
  }
  return condemned;
}

struct Reader {
  Claim* claim = nullptr;
  uint32_t place = 0;
};

std::multimap<TaskId, Reader> readers_of(State& state, const JobId& job) {
  std::multimap<TaskId, Reader> readers;
  for (auto& [id, claim] : state.claims) {
    for (uint32_t place = 0; claim.job == job && place < claim.tasks.size(); ++place) {
      for (const TaskId& read : claim.tasks[place].reads) {
        readers.emplace(read, Reader{&claim, place});
      }
    }
  }
  return readers;
}

}  // namespace

void spread_void(Turn& turn, const JobId& job, const std::vector<TaskId>& origins) {
  State& state = turn.state;
  if (origins.empty()) {
    return;
  }
  const std::multimap<TaskId, Reader> readers = readers_of(state, job);
  std::set<TaskId> voided;  // those that were not before
  std::set<TaskId> reached;
  std::vector<TaskId> next;
  const auto reach = [&](const TaskId& id) {
    if (!reached.insert(id).second) {
      return;
    }
    next.push_back(id);
    const auto claimed = state.claimed.find(id);
    const bool of_job =
        claimed != state.claimed.end() && state.claims.at(claimed->second).job == job;
    if (of_job && state.voided.emplace(id, turn.time_ms).second) {
      voided.insert(id);
    }
  };
  for (const TaskId& id : origins) {
    reach(id);
  }
  while (!next.empty()) {
    const TaskId id = next.back();
    next.pop_back();
    const auto [first, last] = readers.equal_range(id);
    for (auto reader = first; reader != last; ++reader) {
      Claim& claim = *reader->second.claim;
      const Task& task = claim.tasks[reader->second.place];
      if (task.status == TaskStatus::pending) {
        uncount(turn, claim, reader->second.place, TaskStatus::voided);
      }
      if (!is_mutated(Mutant::void_not_spread)) {
        reach(task.id);
      }
    }
  }
  return_audits(state, job);
  if (!voided.empty()) {
    turn.events.emplace_back(TasksVoided{job, {voided.begin(), voided.end()}});
  }
}

void convict(Turn& turn, const DisputeKey& dispute) {
  State& state = turn.state;
  const PublicKey owner = place_of(state, state.claims.at(dispute.first)).lease->owner;
  touch(state, state.claims.at(dispute.first).job);
  const Slash slash = slash_leases(state, owner);
  const Amount reward = reward_challenger(state, dispute);
  drop_disputes(state, slash.leases);
  const auto condemned = condemn(turn, slash.leases);
  const Amount reserve = minus(minus(slash.amount, slash.burned), reward);
  turn.events.emplace_back(Slashed{owner, slash.amount, slash.burned, reward, reserve});
  for (const auto& [job, tasks] : condemned) {
    touch(state, job);
    spread_void(turn, job, tasks);
  }
  close_audits(state, slash.leases);
  for (const auto& [job, tasks] : condemned) {
    return_audits(state, job);
  }
}

}  // namespace lockstep::ledger
