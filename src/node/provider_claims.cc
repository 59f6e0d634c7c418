// How a provider's deliveries become claims, once an epoch a lease, and what it forgets when a
// lease is over.
#include <algorithm>

#include "node/provider_impl.h"

namespace lockstep::node {
namespace {

/// A claim that no block has brought for so many epochs was lost with its nonce (in a crash).
constexpr uint64_t lost_epochs = 5;
/// What a claim's entries may take of a transaction.
constexpr size_t entries_bytes_max = limits::transaction_bytes_max - (size_t{64} << 10);

bool is_over(const ledger::Lease& lease) {
  return lease.status == ledger::LeaseStatus::settled ||
         lease.status == ledger::LeaseStatus::slashed;
}

}  // namespace

void Provider::Impl::news(uint64_t now, const LedgerNews& news) {
  const ledger::Event& event = news.event;
  if (const auto* opened = std::get_if<ledger::LeaseOpened>(&event)) {
    if (opened->node == ledger->self()) {
      leases[opened->lease].next_claim_ms = now + setup.genesis.epoch_ms;
    }
  } else if (const auto* failed = std::get_if<ledger::TransactionFailed>(&event)) {
    transaction_failed(failed->id);
  } else if (std::holds_alternative<ledger::TasksVoided>(event)) {
    for (auto& [id, lease] : leases) {
      lease.next_claim_ms = 0;  // what read from void work can be claimed for one epoch
    }
  } else if (const auto* posted = std::get_if<ledger::ClaimPosted>(&event)) {
    claim_posted(*posted);
  } else if (const auto* committed = std::get_if<ledger::AuditCommitted>(&event)) {
    if (is_mine(committed->claim)) {
      openings.try_emplace(committed->claim);
    }
  } else if (const auto* asked = std::get_if<ledger::Asked>(&event)) {
    if (is_mine(asked->claim)) {
      defences.try_emplace({asked->claim, asked->task});
    }
  } else if (const auto* ended = std::get_if<ledger::DisputeEnded>(&event)) {
    defences.erase({ended->claim, ended->task});
  } else if (std::holds_alternative<ledger::Slashed>(event) ||
             std::holds_alternative<ledger::LeaseClosed>(event) ||
             std::holds_alternative<ledger::JobClosed>(event) ||
             std::holds_alternative<ledger::JobSettled>(event)) {
    if (std::holds_alternative<ledger::Slashed>(event)) {
      note_slashes();
    }
    prune();
  }
}

void Provider::Impl::claim_due(uint64_t now) {
  if (!ledger->has_heard()) {
    return;  // it may be claimed already
  }
  drop_void();
  for (auto& [id, lease] : leases) {
    if (lease.pending && now - lease.pending->sent_ms >= lost_epochs * setup.genesis.epoch_ms) {
      lease.pending.reset();
    }
    if (!lease.pending && now >= lease.next_claim_ms) {
      claim(now, id, lease);
    }
  }
}

/// Delivered tasks in order, those with vouchers first. A task without one waits for an epoch;
/// where the requester gave up the lease for longer, until it has said whether it wants the task:
/// it may have placed it again, and the job pays for it once.
std::vector<model::TaskId> Provider::Impl::claimable(uint64_t now,
                                                     const model::LeaseId& id,
                                                     size_t entries_max) const {
  const ledger::State& state = ledger->state();
  constexpr uint64_t given_up_epochs = 3;
  const ledger::Lease* const lease = lease_of(id);
  const auto job = lease == nullptr ? state.jobs.end() : state.jobs.find(lease->job);
  const bool closing = job == state.jobs.end() || job->second.status != ledger::JobStatus::open;
  const uint64_t patience_ms = (takes_work(id) ? 1 : given_up_epochs) * setup.genesis.epoch_ms;
  std::vector<model::TaskId> chosen;
  for (const bool with_voucher : {true, false}) {
    for (const auto& [place, task_id] : to_claim) {
      const HeldTask& task = tasks.at(task_id);
      if (task.assignment.lease != id || (task.cancelled && !task.kept.voucher) ||
          state.claimed.contains(task_id) || task.kept.voucher.has_value() != with_voucher ||
          chosen.size() >= entries_max) {
        continue;
      }
      // No claim is taken for long when the job is closed.
      const bool due = with_voucher || closing || now - task.delivered_ms >= patience_ms;
      if (due) {
        chosen.push_back(task_id);
      }
    }
  }
  return chosen;
}

/// One owner's leases are slashed together; those of earlier convictions are known.
void Provider::Impl::note_slashes() {
  const ledger::State& state = ledger->state();
  for (const auto& [id, lease] : state.leases) {
    if (lease.status == ledger::LeaseStatus::slashed &&
        state.jobs.at(lease.job).status != ledger::JobStatus::settled &&
        slashed.insert(id).second) {
      write_off(lease.job);
    }
  }
}

void Provider::Impl::take_up(uint64_t now) {
  const ledger::State& state = ledger->state();
  for (const auto& [id, lease] : state.leases) {
    if (lease.node == ledger->self() && !is_over(lease)) {
      leases[id].next_claim_ms = now + setup.genesis.epoch_ms;
    }
  }
  for (const auto& [id, claim] : state.claims) {
    if (claim.audit.phase == ledger::AuditPhase::committed && is_mine(id)) {
      openings.try_emplace(id);
    }
  }
  for (const auto& [key, dispute] : state.disputes) {
    if (dispute.asked && is_mine(key.first)) {
      defences.try_emplace(key);
    }
  }
  std::erase_if(to_claim, [&](const auto& entry) { return state.claimed.contains(entry.second); });
  note_slashes();
  prune();
}

/// Work that read from void work cannot be claimed for longer than an epoch.
void Provider::Impl::drop_void() {
  const ledger::State& state = ledger->state();
  std::erase_if(to_claim, [&](const auto& entry) {
    const auto& leaves = tasks.at(entry.second).assignment.leaves;
    return std::any_of(leaves.begin(), leaves.end(), [&](const auto& leaf) {
      const auto found = leaf.source ? state.voided.find(leaf.source->task) : state.voided.end();
      return found != state.voided.end() &&
             state.totals.time_ms > found->second + setup.genesis.epoch_ms;
    });
  });
}

/// Nobody can dispute it any more. What the requester has not signed for it may still ask for.
void Provider::Impl::drop_final() {
  const ledger::State& state = ledger->state();
  std::vector<model::TaskId> final_tasks;
  for (const auto& [id, task] : tasks) {
    const auto claim = state.claimed.find(id);
    if (task.stage == HeldTask::Stage::delivered && task.kept.voucher &&
        claim != state.claimed.end() && state.claims.at(claim->second).final) {
      final_tasks.push_back(id);
    }
  }
  drop(final_tasks);
}

void Provider::Impl::claim(uint64_t now, const model::LeaseId& id, HeldLease& lease) {
  model::PostClaim body{id, {}};
  std::vector<model::TaskId> claimed;
  size_t bytes = 0;
  for (const model::TaskId& task_id : claimable(now, id, lease.entries_max)) {
    const KeptTask& kept = tasks.at(task_id).kept;
    model::ClaimEntry entry{kept.assignment, kept.receipt, kept.voucher};
    bytes += codec::encode(entry).size();
    if (bytes > entries_bytes_max && !claimed.empty()) {
      break;
    }
    body.entries.push_back(std::move(entry));
    claimed.push_back(task_id);
  }
  if (claimed.empty()) {
    return;
  }
  const model::TransactionId transaction = ledger->submit(now, std::move(body));
  lease.pending = HeldLease::Pending{transaction, std::move(claimed), now};
  lease.next_claim_ms = now + setup.genesis.epoch_ms;
}

void Provider::Impl::claim_posted(const ledger::ClaimPosted& posted) {
  const auto lease = leases.find(posted.lease);
  const auto claim = ledger->state().claims.find(posted.claim);
  if (lease == leases.end() || claim == ledger->state().claims.end()) {
    return;
  }
  // The requester may have claimed what this node did not.
  std::vector<model::TaskId> ids;
  for (const ledger::Task& task : claim->second.tasks) {
    ids.push_back(task.id);
    const auto held = tasks.find(task.id);
    if (held != tasks.end() && held->second.stage == HeldTask::Stage::delivered) {
      to_claim.erase(held->second.place);
    }
  }
  HeldLease& held_lease = lease->second;
  if (held_lease.pending && held_lease.pending->tasks == ids) {
    held_lease.pending.reset();
    held_lease.entries_max = limits::claim_tasks_max;
  }
}

/// One bad entry fails a whole claim, so the next claim takes half as many, until the bad one
/// stands alone and is given up.
void Provider::Impl::claim_failed(HeldLease& lease) {
  const HeldLease::Pending failed = *std::exchange(lease.pending, std::nullopt);
  lease.entries_max = std::max<size_t>(1, failed.tasks.size() / 2);
  lease.next_claim_ms = 0;
  if (failed.tasks.size() > 1) {
    return;
  }
  const auto held = tasks.find(failed.tasks.front());
  if (held == tasks.end()) {
    return;
  }
  ++held->second.failures;
  if (held->second.failures >= claim_failures_max) {
    to_claim.erase(held->second.place);
    lease.entries_max = limits::claim_tasks_max;
  }
}

void Provider::Impl::prune() {
  std::vector<model::TaskId> lost;
  for (auto& [id, task] : tasks) {
    const ledger::Lease* lease = lease_of(task.assignment.lease);
    if (lease == nullptr) {
      continue;  // from before a restart: its block is still to come
    }
    const bool waits =
        task.stage == HeldTask::Stage::fetching || task.stage == HeldTask::Stage::ready;
    if (is_over(*lease) || (waits && !takes_work(task.assignment.lease))) {
      lost.push_back(id);
    } else if (task.stage == HeldTask::Stage::running && !takes_work(task.assignment.lease)) {
      task.cancelled = true;
    }
  }
  drop(lost);
  for (auto& [id, lease] : leases) {
    // Of a closed job the ledger takes claims for one epoch only.
    lease.next_claim_ms = takes_work(id) ? lease.next_claim_ms : 0;
  }
  std::erase_if(leases, [&](const auto& entry) {
    const ledger::Lease* lease = lease_of(entry.first);
    return lease != nullptr && is_over(*lease);
  });
  std::erase_if(to_write_off, [&](const auto& entry) {
    const auto job = ledger->state().jobs.find(entry.first);
    return job == ledger->state().jobs.end() || job->second.status == ledger::JobStatus::settled;
  });
}

}  // namespace lockstep::node
