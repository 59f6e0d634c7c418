#include "apps/wallet_history.h"

#include <algorithm>
#include <set>

#include "base/check.h"

namespace lockstep::apps {

using crypto::PublicKey;

namespace {

/// Of amounts that a ledger holds: their sums are bounded by its total.
Amount sum_of(Amount a, Amount b) {
  const auto sum = a.add(b);
  CHECK(sum.ok());
  return *sum;
}

Amount less(Amount a, Amount b) {
  const auto rest = a.subtract(b);
  CHECK(rest.ok());
  return *rest;
}

Amount minus(Amount amount) {
  return less(Amount(), amount);
}

ledger::Account account_of(const ledger::State& state, const PublicKey& owner) {
  const auto found = state.accounts.find(owner);
  return found == state.accounts.end() ? ledger::Account() : found->second;
}

std::optional<PublicKey> owner_of(const ledger::State& state, const PublicKey& node) {
  const auto found = state.nodes.find(node);
  return found == state.nodes.end() ? std::nullopt : std::optional(found->second.owner);
}

std::string job_of_claim(const ledger::State& state, const model::ClaimId& id) {
  const auto claim = state.claims.find(id);
  if (claim == state.claims.end()) {
    return {};
  }
  const auto job = state.jobs.find(claim->second.job);
  return job == state.jobs.end() ? std::string() : job->second.terms.name;
}

}  // namespace

/// A dispute that ended in this block.
struct MoneyHistory::Ending {
  std::optional<PublicKey> challenger, claimant;  // owners
  std::string job;
};

const char* name_of(MoneyKind kind) {
  switch (kind) {
    case MoneyKind::genesis:
      return "genesis";
    case MoneyKind::transfer:
      return "transfer";
    case MoneyKind::stake:
      return "stake";
    case MoneyKind::unstake:
      return "unstake";
    case MoneyKind::escrow:
      return "escrow";
    case MoneyKind::refund:
      return "refund";
    case MoneyKind::work:
      return "work";
    case MoneyKind::audit:
      return "audit";
    case MoneyKind::reward:
      return "reward";
    case MoneyKind::slash:
      return "slash";
    case MoneyKind::bond:
      return "bond";
    case MoneyKind::other:
      return "other";
  }
  return "";
}

MoneyHistory::MoneyHistory(const PublicKey& owner, const ledger::State& state) : owner_(owner) {
  const ledger::Account account = account_of(state, owner);
  add({0, 0, MoneyKind::genesis, account.balance, account.stake, std::nullopt, {}});
}

void MoneyHistory::add(MoneyEntry entry) {
  if (entry.balance == Amount() && entry.stake == Amount()) {
    return;
  }
  balance_ = sum_of(balance_, entry.balance);
  stake_ = sum_of(stake_, entry.stake);
  entry.block = height_;
  entry.time_ms = time_ms_;
  entries_.push_back(std::move(entry));
}

void MoneyHistory::on_block(const model::Block& block,
                            std::span<const ledger::Event> events,
                            const ledger::State& after) {
  height_ = after.totals.height;
  time_ms_ = after.totals.time_ms;
  take_leases(after);
  take_transactions(block, events);
  take_events(events, after);
}

void MoneyHistory::take_transactions(const model::Block& block,
                                     std::span<const ledger::Event> events) {
  std::set<Hash> failed;
  for (const ledger::Event& event : events) {
    if (const auto* const bad = std::get_if<ledger::TransactionFailed>(&event)) {
      failed.insert(bad->id.hash);
    }
  }
  for (const model::Signed& transaction : block.transactions) {
    auto body = codec::decode<model::Transaction>(transaction.body);
    if (body.ok() && !failed.contains(model::transaction_id(transaction).hash)) {
      take_transaction(transaction.signer, *body);
    }
  }
}

void MoneyHistory::take_transaction(const PublicKey& signer, const model::Transaction& body) {
  const auto* const transfer = std::get_if<model::Transfer>(&body);
  if (transfer != nullptr && transfer->to == owner_) {
    add({0, 0, MoneyKind::transfer, transfer->amount, Amount(), signer, {}});
  }
  if (signer != owner_) {
    return;
  }
  if (transfer != nullptr) {
    add({0, 0, MoneyKind::transfer, minus(transfer->amount), Amount(), transfer->to, {}});
  } else if (const auto* const more = std::get_if<model::AddStake>(&body)) {
    add({0, 0, MoneyKind::stake, minus(more->amount), more->amount, std::nullopt, {}});
  } else if (const auto* const back = std::get_if<model::WithdrawStake>(&body)) {
    add({0, 0, MoneyKind::unstake, back->amount, minus(back->amount), std::nullopt, {}});
  } else if (const auto* const open = std::get_if<model::OpenJob>(&body)) {
    take_escrow(*open);
  }
}

/// One that the ledger took: its price can be computed.
void MoneyHistory::take_escrow(const model::OpenJob& open) {
  const auto work = model::price_of(open.operations, open.price_per_unit);
  const auto audits =
      work.ok() ? model::audit_budget(*work, open.share_millionths, open.tasks) : work;
  if (audits.ok()) {
    const Amount all = sum_of(*work, *audits);
    add({0, 0, MoneyKind::escrow, minus(all), Amount(), std::nullopt, open.name});
  }
}

void MoneyHistory::take_leases(const ledger::State& after) {
  for (const auto& [id, lease] : after.leases) {
    if (lease.owner != owner_) {
      continue;
    }
    const Amount paid = sum_of(lease.paid, lease.paid_void);
    Amount& known = paid_[id];
    if (paid != known) {
      const ledger::Job& job = after.jobs.at(lease.job);
      add({0, 0, MoneyKind::work, less(paid, known), Amount(), job.owner, job.terms.name});
      known = paid;
    }
  }
}

void MoneyHistory::take_events(std::span<const ledger::Event> events, const ledger::State& after) {
  Ending last;
  Ending lost;           // the last one that a challenger lost, and that was ours on either side
  bool audited = false;  // paid, perhaps, without an event that says how much
  for (const ledger::Event& event : events) {
    if (const auto* const agreed = std::get_if<ledger::AuditAgreed>(&event)) {
      if (owner_of(after, agreed->auditor) == owner_) {
        const std::string job = job_of_claim(after, agreed->claim);
        add({0, 0, MoneyKind::audit, agreed->paid, Amount(), std::nullopt, job});
      }
    } else if (const auto* const ended = std::get_if<ledger::DisputeEnded>(&event)) {
      const auto claim = after.claims.find(ended->claim);
      last = {owner_of(after, ended->challenger),
              claim == after.claims.end()
                  ? std::nullopt
                  : std::optional(after.leases.at(claim->second.lease).owner),
              job_of_claim(after, ended->claim)};
      const bool held = ended->ending == ledger::Ending::proof_holds ||
                        ended->ending == ledger::Ending::challenger_silent;
      if (held && (last.challenger == owner_ || last.claimant == owner_)) {
        lost = last;
      }
    } else if (const auto* const slashed = std::get_if<ledger::Slashed>(&event)) {
      audited = true;
      take_slash(*slashed, last);
    } else if (const auto* const some = std::get_if<ledger::AuditDisagreed>(&event)) {
      const auto claim = after.claims.find(some->claim);
      audited = audited || (claim != after.claims.end() &&
                            owner_of(after, claim->second.audit.auditor) == owner_);
    } else if (const auto* const settled = std::get_if<ledger::JobSettled>(&event)) {
      const ledger::Job& job = after.jobs.at(settled->job);
      if (job.owner == owner_) {
        add({0, 0, MoneyKind::refund, settled->refund, Amount(), std::nullopt, job.terms.name});
      }
    }
  }
  take_rest(after, lost, audited);
}

void MoneyHistory::take_slash(const ledger::Slashed& slashed, const Ending& last) {
  if (slashed.owner == owner_) {
    add({0, 0, MoneyKind::slash, Amount(), minus(slashed.amount), last.challenger, last.job});
  }
  if (last.challenger == owner_) {
    add({0, 0, MoneyKind::reward, slashed.challenger, Amount(), slashed.owner, last.job});
  }
}

void MoneyHistory::take_rest(const ledger::State& after, const Ending& lost, bool audited) {
  const ledger::Account account = account_of(after, owner_);
  const Amount balance = less(account.balance, balance_);
  const Amount stake = less(account.stake, stake_);
  if (balance > Amount()) {
    // A bond that a challenger lost; or pay for an audit that found some tasks right and others
    // wrong, or that a conviction made needless.
    const bool won = lost.claimant == owner_;
    const MoneyKind kind = won ? MoneyKind::bond : (audited ? MoneyKind::audit : MoneyKind::other);
    const auto from = won ? lost.challenger : std::nullopt;
    add({0, 0, kind, balance, Amount(), from, won ? lost.job : std::string()});
  } else {
    add({0, 0, MoneyKind::other, balance, Amount(), std::nullopt, {}});
  }
  // Stake goes with a challenge that was lost, or to the treasury with an audit that was.
  const bool challenged = lost.challenger == owner_;
  add({0,
       0,
       stake < Amount() ? MoneyKind::bond : MoneyKind::other,
       Amount(),
       stake,
       challenged ? lost.claimant : std::nullopt,
       challenged ? lost.job : std::string()});
}

}  // namespace lockstep::apps
