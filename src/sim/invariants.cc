#include "sim/invariants.h"

#include "attest/witness.h"
#include "node/provider.h"
#include "node/tasks.h"
#include "sim/random.h"

namespace lockstep::sim {
namespace {

using ledger::TaskStatus;

Amount sum_of(Amount a, Amount b) {
  return Amount::from_nano(a.nano() + b.nano());  // amounts of one genesis: they fit
}

Amount price_in(const ledger::Job& job, uint64_t operations) {
  const auto price = model::price_of(operations, job.terms.price_per_unit);
  return price.ok() ? *price : Amount::from_nano(-1);
}

}  // namespace

Hash salt_of(const std::string& provider, const model::TaskId& task) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 salt");
  codec::Writer writer;
  writer.hash(secret_of(0, provider + "/salt"));
  writer.hash(task.hash);
  return crypto::hash(mode, writer.bytes());
}

Invariants::Invariants(Truth truth)
    : truth_(std::move(truth)),
      recount_([this](bool good, const std::string& what) { require(good, what); },
               [this](const crypto::PublicKey& node) { return is_honest(node); }) {}

void Invariants::require(bool good, const std::string& what) {
  if (!good && seen_.insert(what).second) {
    broken_.push_back(what);
  }
}

bool Invariants::is_honest(const crypto::PublicKey& key) const {
  return !truth_.attackers.contains(truth_.name_of(key));
}

void Invariants::on_block(const model::Block& block, const ledger::State& after) {
  for (const model::Signed& transaction : block.transactions) {
    const model::ClaimId id{model::signed_hash(transaction)};
    auto body = after.claims.contains(id) ? codec::decode<model::Transaction>(transaction.body)
                                          : Result<model::Transaction>(Error());
    if (body.ok() && std::holds_alternative<model::PostClaim>(*body)) {
      claims_.emplace(id, std::get<model::PostClaim>(std::move(*body)));
    }
  }
  const auto sum = after.sum();
  require(sum.ok() && *sum == after.total, "the total changed");
  require(after.totals.burned >= totals_.burned && after.totals.treasury >= totals_.treasury,
          "a pool shrank");
  require(after.totals.time_ms >= totals_.time_ms, "the network's time went back");
  totals_ = after.totals;
  check_accounts(after);
  check_locks(after);
  check_jobs(after);
  check_leases(after);
  check_final(after);
  recount_.on_block(block, after);
}

/// Nobody takes stake from the honest: they never withdraw any here.
void Invariants::check_accounts(const ledger::State& state) {
  for (const auto& [owner, account] : state.accounts) {
    require(account.balance >= Amount() && account.locked >= Amount() &&
                account.locked <= account.stake,
            "an account is negative, or locks more than its stake");
    if (is_honest(owner)) {
      Amount& before = stakes_[owner];
      require(account.stake >= before, "honest " + truth_.name_of(owner) + " lost stake");
      before = account.stake;
    }
  }
}

/// What is locked is locked for something.
void Invariants::check_locks(const ledger::State& state) {
  std::map<crypto::PublicKey, Amount> locked;
  for (const auto& [id, lease] : state.leases) {
    locked[lease.owner] = sum_of(locked[lease.owner], lease.locked);
  }
  const auto add = [&](const crypto::PublicKey& node, Amount bond) {
    if (bond > Amount()) {
      Amount& its = locked[state.nodes.at(node).owner];
      its = sum_of(its, bond);
    }
  };
  for (const auto& [id, claim] : state.claims) {
    add(claim.audit.auditor, claim.audit.bond);
  }
  for (const auto& [key, dispute] : state.disputes) {
    add(dispute.challenger, dispute.bond);
  }
  for (const auto& [owner, account] : state.accounts) {
    require(account.locked == locked[owner], "a lock is nobody's");
  }
}

void Invariants::check_jobs(const ledger::State& state) {
  for (const auto& [id, job] : state.jobs) {
    if (job.status == ledger::JobStatus::settled) {
      continue;
    }
    Amount work = job.escrow;
    uint64_t counted = 0;
    for (const auto& [lease_id, lease] : state.leases) {
      if (lease.job == id) {
        work = sum_of(work, sum_of(lease.pending, lease.paid));
        counted += lease.counted_operations;
      }
    }
    require(work == job.work_price, "escrow, pending and pay are not the work price");
    require(counted == job.counted_operations && counted <= job.terms.operations,
            "a job counts other operations than its leases, or more than it has");
  }
}

void Invariants::check_leases(const ledger::State& state) {
  for (const auto& [id, lease] : state.leases) {
    const ledger::Job& job = state.jobs.at(lease.job);
    require(sum_of(lease.pending, lease.paid) == price_in(job, lease.counted_operations),
            "pending and paid are not the price of what is counted");
    require(lease.paid == price_in(job, lease.final_operations),
            "paid is not the price of what is final");
    require(lease.status != ledger::LeaseStatus::slashed || !is_honest(lease.owner),
            "honest " + truth_.name_of(lease.owner) + " was slashed");
  }
}

/// Final is final, and nobody is paid for a task twice.
void Invariants::check_final(const ledger::State& state) {
  std::set<model::TaskId> final;
  std::set<model::TaskId> claimed;
  for (const auto& [id, claim] : state.claims) {
    for (const ledger::Task& task : claim.tasks) {
      require(claimed.insert(task.id).second, "a task stands in two claims");
      if (task.status == TaskStatus::final) {
        final.insert(task.id);
      }
    }
  }
  for (const model::TaskId& task : final_) {
    require(final.contains(task), "a final task is not final any more");
  }
  final_ = std::move(final);
}

void Invariants::on_event(const ledger::Event& event, const ledger::State& state) {
  if (const auto* const ended = std::get_if<ledger::DisputeEnded>(&event)) {
    check_ending(*ended, state);
  }
}

std::optional<bool> Invariants::is_true(const ledger::State& state,
                                        const ledger::DisputeKey& key) const {
  const auto posted = claims_.find(key.first);
  if (posted == claims_.end() || truth_.runner == nullptr) {
    return std::nullopt;
  }
  const ledger::Claim& claim = state.claims.at(key.first);
  const ledger::Task& task = claim.tasks.at(key.second);
  const auto assignment =
      codec::decode<model::Assignment>(posted->second.entries.at(key.second).assignment.body);
  const judge::Registered* const program = state.programs.find(task.program);
  if (!assignment.ok() || program == nullptr) {
    return std::nullopt;
  }
  const model::ProgramRef ref = node::program_ref(*program);
  const auto work = node::task_of(*assignment, *program, ref);
  const auto execution = work.ok() ? truth_.runner->run(*work) : work.error();
  if (!execution.ok()) {
    return std::nullopt;
  }
  const std::string provider = truth_.name_of(state.leases.at(claim.lease).owner);
  const Hash list = model::task_list(salt_of(provider, task.id),
                                     attest::list_roots(*execution, assignment->steps));
  return execution->output_root == task.output_root && list == task.list;
}

void Invariants::check_ending(const ledger::DisputeEnded& ended, const ledger::State& state) {
  const auto claim = state.claims.find(ended.claim);
  if (claim == state.claims.end()) {
    return;
  }
  const crypto::PublicKey& owner = state.leases.at(claim->second.lease).owner;
  const bool convicts = ended.ending == ledger::Ending::proof_refuted ||
                        ended.ending == ledger::Ending::bad_answer ||
                        ended.ending == ledger::Ending::claimant_silent;
  if (!convicts) {
    require(!is_honest(ended.challenger),
            "honest " + truth_.name_of(ended.challenger) + " lost a dispute");
    return;
  }
  require(!is_honest(owner), "honest " + truth_.name_of(owner) + " was convicted");
  if (ended.ending == ledger::Ending::proof_refuted) {
    require(is_true(state, {ended.claim, ended.task}) != true, "a true claim was refuted");
  }
}

void Invariants::at_end(const ledger::State& state) {
  for (const auto& [id, job] : state.jobs) {
    if (job.status == ledger::JobStatus::settled) {
      check_settled(state);
      recount_.at_end(state);
    }
  }
}

void Invariants::check_settled(const ledger::State& state) {
  require(state.disputes.empty(), "a dispute outlived its job");
  for (const auto& [id, job] : state.jobs) {
    require(job.escrow == Amount() && job.audit_budget == Amount() && job.reserve == Amount(),
            "a settled job holds money");
  }
  for (const auto& [owner, account] : state.accounts) {
    require(account.locked == Amount(),
            "stake of " + truth_.name_of(owner) + " is locked for ever");
  }
  for (const auto& [id, lease] : state.leases) {
    require(lease.pending == Amount() && lease.locked == Amount(), "a settled lease holds money");
    if (is_honest(lease.owner)) {
      check_pay(state, id);
    }
  }
}

/// An honest provider is paid for what it claimed; what nobody signed for may be lost, and no more
/// of that than it works on credit.
void Invariants::check_pay(const ledger::State& state, const model::LeaseId& id) {
  const ledger::Lease& lease = state.leases.at(id);
  const std::string name = truth_.name_of(lease.owner);
  size_t lost = 0;
  uint64_t voided = 0;
  Amount due;
  for (const auto& [claim_id, claim] : state.claims) {
    if (claim.lease != id) {
      continue;
    }
    for (const ledger::Task& task : claim.tasks) {
      if (task.status == TaskStatus::paid_void) {
        voided += 1;
        due = sum_of(due, price_in(state.jobs.at(lease.job), task.operations));
      }
      require(task.status != TaskStatus::convicted && task.status != TaskStatus::unpaid,
              "a task of honest " + name + " was condemned");
      require(task.status != TaskStatus::unavailable || !task.available,
              "read work of honest " + name + " was not paid");
      lost += task.status == TaskStatus::unavailable ? 1 : 0;
    }
  }
  require(lost <= node::unsigned_tasks_max, "honest " + name + " lost more than four tasks");
  require(voided == 0 || lease.paid_void == due,
          "void work of honest " + name + " was not paid in full");
}

}  // namespace lockstep::sim
