// Accounts, nodes, programs, jobs and leases: who may act for whom, and what is put aside before
// any work starts.
#include <algorithm>

#include "base/limits.h"
#include "ledger/lookup.h"
#include "ledger/rules.h"

namespace lockstep::ledger {
namespace {

/// Integers beyond 64 bits; both compilers have them.
__extension__ using Wide = unsigned __int128;

constexpr uint64_t span_max_ms = uint64_t{1} << 40;
constexpr uint32_t million = 1'000'000;
constexpr size_t job_programs_max = 1024;

Result<Account*> account_of(State& state, const PublicKey& owner) {
  const auto found = state.accounts.find(owner);
  if (found == state.accounts.end()) {
    return refuse(Code::not_allowed, "the signer is no owner with an account");
  }
  return &found->second;
}

Result<void> check_amount(Amount amount) {
  if (amount <= Amount()) {
    return refuse(Code::out_of_range, "the amount is not above 0");
  }
  return {};
}

Result<void> check_funds(const Account& account, Amount amount) {
  if (account.balance < amount) {
    return refuse(Code::low_funds,
                  minus(amount, account.balance).print() + " more are needed",
                  "ask for less, or receive more first");
  }
  return {};
}

Result<void> check_unlocked(const Account& account, Amount amount) {
  const Amount unlocked = minus(account.stake, account.locked);
  if (unlocked < amount) {
    return refuse(Code::low_stake,
                  minus(amount, unlocked).print() + " more unlocked stake are needed",
                  "add stake, or wait until leases settle");
  }
  return {};
}

Result<void> check_terms(const State& state, const model::OpenJob& terms) {
  if (terms.name.size() > limits::name_bytes_max) {
    return refuse(Code::out_of_range, "the job's name is too long");
  }
  if (terms.programs.empty() || terms.programs.size() > job_programs_max) {
    return refuse(Code::out_of_range, "the job names no program, or too many");
  }
  for (const Hash& program : terms.programs) {
    if (state.programs.find(program) == nullptr) {
      return refuse(Code::not_registered, "the job names a program that nobody registered");
    }
  }
  if (terms.operations == 0 || terms.tasks == 0 || terms.price_per_unit <= Amount()) {
    return refuse(Code::out_of_range, "operations, tasks and price must be above 0");
  }
  if (terms.share_millionths > million) {
    return refuse(Code::out_of_range, "the audited share is above 1");
  }
  const bool spans = terms.finality == model::FinalityRule::span;
  if (spans != (terms.span_ms > 0) || terms.span_ms > span_max_ms) {
    return refuse(Code::out_of_range, "a span goes with the finality rule `span`, and only there");
  }
  return {};
}

/// Its preimages are shown to all while a job runs, and stay known: those of a later job with the
/// same anchor could be told beforehand. An anchor also tells a requester which job is which.
bool is_anchor_used(const State& state, const model::OpenJob& terms) {
  return std::any_of(state.jobs.begin(), state.jobs.end(), [&](const auto& entry) {
    const model::OpenJob& other = entry.second.terms;
    return other.requester == terms.requester && other.preimages == terms.preimages;
  });
}

/// The registered node behind a quote, which must be good now for this job.
Result<Node> check_quote(const State& state,
                         const Job& job,
                         const model::Signed& quoted,
                         const model::Quote& quote) {
  const auto found = state.nodes.find(quoted.signer);
  if (found == state.nodes.end()) {
    return refuse(Code::not_registered, "the quote is signed by no registered node");
  }
  const Node& node = found->second;
  if (node.role != model::Role::provider || node.owner != quote.owner) {
    return refuse(Code::not_allowed, "the quote's node is no provider of the owner it names");
  }
  if (node.owner == job.owner) {
    return refuse(Code::not_allowed, "nobody leases to its own job");
  }
  if (quote.expires_ms < state.totals.time_ms) {
    return refuse(Code::wrong_state, "the quote has expired", "ask for a new one");
  }
  if (quote.price_per_unit < Amount() || quote.price_per_unit > job.terms.price_per_unit) {
    return refuse(Code::out_of_range, "the quote is above the job's price, or below 0");
  }
  if (quote.operations_per_second == 0) {
    return refuse(Code::out_of_range, "the quote states no speed");
  }
  return node;
}

/// What of a job's work one lease may have unfinal at once.
Result<Amount> unfinal_price(const State& state, const model::OpenJob& terms, uint64_t speed) {
  uint64_t operations = terms.operations;
  if (terms.finality == model::FinalityRule::span) {
    const uint64_t window = terms.span_ms + state.genesis.final_window_ms + state.genesis.answer_ms;
    const Wide done = (Wide{speed} * window + 999) / 1000;
    operations = static_cast<uint64_t>(std::min(done, Wide{operations}));
  }
  return model::price_of(operations, terms.price_per_unit);
}

/// 2 × (what can be unfinal at once + the bond of an average task).
Result<Amount> lock_of(const State& state, const Job& job, uint64_t speed) {
  const model::OpenJob& terms = job.terms;
  const uint64_t per_task = terms.operations / terms.tasks + (terms.operations % terms.tasks != 0);
  const Amount unfinal = TRY(unfinal_price(state, terms, speed));
  return TRY(unfinal.add(bond_of(state, job, per_task))).multiply(2);
}

bool has_open_lease(const State& state, const JobId& job, const PublicKey& node) {
  return std::any_of(state.leases.begin(), state.leases.end(), [&](const auto& entry) {
    const Lease& lease = entry.second;
    return lease.status == LeaseStatus::open && lease.job == job && lease.node == node;
  });
}

void close(Turn& turn, const LeaseId& id, Lease& lease) {
  lease.status = LeaseStatus::closing;
  lease.closed_ms = turn.time_ms;
  turn.events.emplace_back(LeaseClosed{id});
}

}  // namespace

Result<void> apply(Turn& turn, const Signer& signer, const model::Transfer& body) {
  Account& from = *TRY(account_of(turn.state, signer.key));
  TRY(check_amount(body.amount));
  TRY(check_funds(from, body.amount));
  if (turn.state.nodes.contains(body.to)) {
    return refuse(Code::not_allowed, "a node's key holds no money", "pay its owner");
  }
  from.balance = minus(from.balance, body.amount);
  Account& to = turn.state.accounts[body.to];
  to.balance = plus(to.balance, body.amount);
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::RegisterNode& body) {
  (void)TRY(account_of(turn.state, signer.key));
  TRY(model::verify_consent(body, turn.state.network, signer.key));
  if (turn.state.nodes.contains(body.node)) {
    return refuse(Code::already_there, "the node's key is registered");
  }
  if (turn.state.accounts.contains(body.node)) {
    return refuse(
        Code::not_allowed, "an owner's key cannot be a node's", "make a key for the node");
  }
  turn.state.nodes[body.node] = {signer.key, body.role};
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::AddStake& body) {
  Account& account = *TRY(account_of(turn.state, signer.key));
  TRY(check_amount(body.amount));
  TRY(check_funds(account, body.amount));
  account.balance = minus(account.balance, body.amount);
  account.stake = plus(account.stake, body.amount);
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::WithdrawStake& body) {
  Account& account = *TRY(account_of(turn.state, signer.key));
  TRY(check_amount(body.amount));
  TRY(check_unlocked(account, body.amount));
  account.stake = minus(account.stake, body.amount);
  account.balance = plus(account.balance, body.amount);
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::RegisterProgram& body) {
  if (!turn.state.nodes.contains(signer.key)) {
    (void)TRY(account_of(turn.state, signer.key));
  }
  const judge::Registered* program = TRY(turn.state.programs.add(body.program, body.constants));
  turn.state.program_costs[program->root] = program->operations;
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::OpenJob& body) {
  State& state = turn.state;
  Account& account = *TRY(account_of(state, signer.key));
  const Node& node = *TRY(known(state.nodes, body.requester, "node"));
  if (node.owner != signer.key || node.role != model::Role::requester) {
    return refuse(Code::not_allowed, "the job's node is no requester of the signer");
  }
  TRY(check_terms(state, body));
  if (is_anchor_used(state, body)) {
    return refuse(Code::already_there,
                  "the requester has a job with this anchor of preimages",
                  "make a chain of preimages for each job");
  }
  Job job;
  job.work_price = TRY(model::price_of(body.operations, body.price_per_unit));
  job.audit_budget = TRY(model::audit_budget(job.work_price, body.share_millionths, body.tasks));
  const Amount needed = TRY(job.work_price.add(job.audit_budget));
  TRY(check_funds(account, needed));

  account.balance = minus(account.balance, needed);
  job.terms = body;
  job.owner = signer.key;
  job.escrow = job.work_price;
  job.opened_ms = turn.time_ms;
  job.preimage = body.preimages;
  const JobId id{signer.id.hash};
  state.jobs[id] = std::move(job);
  touch(state, id);
  turn.events.emplace_back(JobOpened{id});
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::OpenLease& body) {
  State& state = turn.state;
  const Job& job = *TRY(known(state.jobs, body.job, "job"));
  if (signer.key != job.terms.requester) {
    return refuse(Code::not_allowed, "only the job's node takes quotes for it");
  }
  if (job.status != JobStatus::open) {
    return refuse(Code::wrong_state, "the job is closed");
  }
  const auto quote =
      TRY(model::open<model::Quote>(body.quote, state.network, model::SignedKind::quote));
  const Node node = TRY(check_quote(state, job, body.quote, quote));
  if (has_open_lease(state, body.job, body.quote.signer)) {
    return refuse(Code::already_there, "the node has an open lease of this job");
  }
  Account& account = *TRY(known(state.accounts, node.owner, "account"));
  const Amount lock = TRY(lock_of(state, job, quote.operations_per_second));
  TRY(check_unlocked(account, lock));

  account.locked = plus(account.locked, lock);
  Lease lease;
  lease.job = body.job;
  lease.node = body.quote.signer;
  lease.owner = node.owner;
  lease.operations_per_second = quote.operations_per_second;
  lease.locked = lock;
  lease.opened_ms = turn.time_ms;
  const LeaseId id{signer.id.hash};
  state.leases[id] = lease;
  touch(state, body.job);
  turn.events.emplace_back(LeaseOpened{id, lease.job, lease.node});
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::CloseLease& body) {
  Lease& lease = *TRY(known(turn.state.leases, body.lease, "lease"));
  const Job& job = turn.state.jobs.at(lease.job);
  if (signer.key != lease.node && signer.key != job.terms.requester) {
    return refuse(Code::not_allowed, "only the two nodes of a lease close it");
  }
  if (lease.status != LeaseStatus::open) {
    return refuse(Code::wrong_state, "the lease is not open");
  }
  close(turn, body.lease, lease);
  touch(turn.state, lease.job);
  return {};
}

Result<void> apply(Turn& turn, const Signer& signer, const model::CloseJob& body) {
  const Job& job = *TRY(known(turn.state.jobs, body.job, "job"));
  if (signer.key != job.owner && signer.key != job.terms.requester) {
    return refuse(Code::not_allowed, "only the job's owner or node closes it");
  }
  if (job.status != JobStatus::open) {
    return refuse(Code::wrong_state, "the job is closed");
  }
  close_job(turn, body.job);
  return {};
}

void close_job(Turn& turn, const JobId& id) {
  Job& job = turn.state.jobs.at(id);
  job.status = JobStatus::closed;
  job.closed_ms = turn.time_ms;
  turn.state.active.erase(id);
  for (auto& [lease_id, lease] : turn.state.leases) {
    if (lease.job == id && lease.status == LeaseStatus::open) {
      close(turn, lease_id, lease);
    }
  }
  turn.events.emplace_back(JobClosed{id});
}

}  // namespace lockstep::ledger
