// Claims: receipts of done work, each with the requester's assignment. What is claimed becomes
// pending, and can be audited and disputed from here on.
#include <algorithm>
#include <deque>
#include <set>

#include "base/limits.h"
#include "base/mutant.h"
#include "crypto/blake3.h"
#include "ledger/lookup.h"
#include "ledger/rules.h"

namespace lockstep::ledger {
namespace {

/// Who claims what for whom.
struct Parties {
  Lease* lease = nullptr;
  Job* job = nullptr;
};

/// The requester may claim for its provider: the receipts and the pay are the provider's anyway,
/// and what others computed from a withheld claim would become void.
Result<void> check_signer(const Signer& signer, const Parties& parties) {
  if (signer.key != parties.lease->node && signer.key != parties.job->terms.requester) {
    return refuse(Code::not_allowed, "only the two nodes of a lease claim for it");
  }
  return {};
}

Result<Parties> check_parties(const Turn& turn,
                              const Signer& signer,
                              const model::PostClaim& body) {
  State& state = turn.state;
  Parties parties;
  parties.lease = TRY(known(state.leases, body.lease, "lease"));
  parties.job = &state.jobs.at(parties.lease->job);
  TRY(check_signer(signer, parties));
  const LeaseStatus status = parties.lease->status;
  if (status == LeaseStatus::settled || status == LeaseStatus::slashed) {
    return refuse(Code::wrong_state, "the lease is settled or slashed");
  }
  const Job& job = *parties.job;
  if (job.status == JobStatus::settled ||
      (job.status == JobStatus::closed && turn.time_ms >= job.closed_ms + state.genesis.epoch_ms)) {
    return refuse(Code::wrong_state, "the time to claim is over: the job is closed");
  }
  if (body.entries.empty() || body.entries.size() > limits::claim_tasks_max) {
    return refuse(Code::out_of_range, "a claim has 1 to 1,024 tasks");
  }
  return parties;
}

Error wrong_claim(std::string what) {
  return refuse(Code::wrong_claim, std::move(what));
}

std::vector<TaskId> reads_of(const model::Assignment& assignment) {
  std::vector<TaskId> reads;
  for (const model::AssignedLeaf& leaf : assignment.leaves) {
    if (leaf.source) {
      reads.push_back(leaf.source->task);
    }
  }
  std::sort(reads.begin(), reads.end());
  reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
  return reads;
}

/// What the assignment fixes of a claimed task.
Result<Task> open_assignment(const State& state,
                             const LeaseId& lease,
                             const Parties& parties,
                             const model::Signed& paper) {
  const auto assignment =
      TRY(model::open<model::Assignment>(paper, state.network, model::SignedKind::assignment));
  const model::OpenJob& terms = parties.job->terms;
  if (paper.signer != terms.requester || assignment.job != parties.lease->job ||
      assignment.lease != lease) {
    return wrong_claim("an assignment is not the requester's for this lease");
  }
  const judge::Registered* program = state.programs.find(assignment.program);
  if (program == nullptr ||
      std::find(terms.programs.begin(), terms.programs.end(), assignment.program) ==
          terms.programs.end()) {
    return wrong_claim("an assignment's program is none of the job's");
  }
  TRY(judge::check_work(*program, assignment));
  Task task;
  task.id = model::task_id(paper);
  task.program = assignment.program;
  task.steps = assignment.steps;
  task.claim_every = assignment.claim_every;
  task.operations = assignment.operations;
  task.input_root = TRY(judge::input_root(*program, assignment.leaves));
  task.reads = reads_of(assignment);
  return task;
}

Result<void> add_receipt(const State& state,
                         const LeaseId& lease,
                         const Parties& parties,
                         const model::ClaimEntry& entry,
                         Task& task) {
  const auto receipt =
      TRY(model::open<model::Receipt>(entry.receipt, state.network, model::SignedKind::receipt));
  const judge::Registered* program = state.programs.find(task.program);
  const bool bound = receipt.lease == lease && receipt.task == task.id &&
                     receipt.program == task.program && receipt.input_root == task.input_root;
  if (entry.receipt.signer != parties.lease->node ||
      receipt.law_version != program->program.version ||
      (!bound && !is_mutated(Mutant::receipt_not_bound))) {
    return wrong_claim("a receipt is not the lease's for its assignment");
  }
  task.receipt = {model::signed_hash(entry.receipt)};
  task.output_root = receipt.output_root;
  task.list = receipt.list;
  if (!entry.voucher) {
    return {};
  }
  const auto voucher =
      TRY(model::open<model::Voucher>(*entry.voucher, state.network, model::SignedKind::voucher));
  if (entry.voucher->signer != parties.job->terms.requester || voucher.task != task.id ||
      voucher.output_root != task.output_root) {
    return wrong_claim("a voucher is not the requester's for its receipt");
  }
  task.available = true;
  task.vouched = true;
  return {};
}

Result<std::vector<Task>> open_entries(const State& state,
                                       const Parties& parties,
                                       const model::PostClaim& body) {
  std::vector<Task> tasks;
  std::set<TaskId> seen;
  for (const model::ClaimEntry& entry : body.entries) {
    Task task = TRY(open_assignment(state, body.lease, parties, entry.assignment));
    if (state.claimed.contains(task.id) || !seen.insert(task.id).second) {
      return refuse(Code::already_there, "a task is claimed already");
    }
    TRY(add_receipt(state, body.lease, parties, entry, task));
    tasks.push_back(std::move(task));
  }
  return tasks;
}

/// Ids of what a task reads are the requester's word: only those of the same job mean anything.
bool is_claimed_in(const State& state, const JobId& job, const TaskId& task) {
  const auto found = state.claimed.find(task);
  return found != state.claimed.end() && state.claims.at(found->second).job == job;
}

/// Which tasks of a claim read from void ones of its job, in the ledger or in the same claim, and
/// since when.
std::map<TaskId, uint64_t> voided_among(const State& state,
                                        const JobId& job,
                                        const std::vector<Task>& tasks) {
  std::map<TaskId, std::vector<size_t>> readers;
  std::map<TaskId, uint64_t> since;
  std::deque<size_t> work;
  const auto reach = [&](size_t place, uint64_t time) {
    const auto [found, fresh] = since.try_emplace(tasks[place].id, time);
    if (fresh || time < found->second) {
      found->second = time;
      work.push_back(place);
    }
  };
  for (size_t i = 0; i < tasks.size(); ++i) {
    for (const TaskId& source : tasks[i].reads) {
      readers[source].push_back(i);
      const auto found = state.voided.find(source);
      if (found != state.voided.end() && is_claimed_in(state, job, source)) {
        reach(i, found->second);
      }
    }
  }
  while (!work.empty()) {
    const TaskId& id = tasks[work.front()].id;
    work.pop_front();
    for (const size_t reader : readers[id]) {
      reach(reader, since.at(id));
    }
  }
  return since;
}

/// A pending task in a claim of the job.
struct Counted {
  Claim* claim = nullptr;
  uint32_t place = 0;
};

/// Work that nobody vouched for gives way to work that the requester signed for: a machine that was
/// given up may have done what another was asked for again. An audit alone does not protect it,
/// else the signed work could never be claimed; its provider stops at a few unsigned tasks. Returns
/// what must go for `wanted` operations to fit: what nobody has read first, then the latest;
/// nothing when not enough of it can.
std::vector<Counted> unread_work(State& state, const JobId& id, uint64_t wanted) {
  const Job& job = state.jobs.at(id);
  uint64_t left = job.terms.operations - job.counted_operations;
  std::vector<Counted> unread;
  if (wanted <= left) {
    return unread;
  }
  for (auto& [claim_id, claim] : state.claims) {
    for (uint32_t place = 0; claim.job == id && place < claim.tasks.size(); ++place) {
      const Task& task = claim.tasks[place];
      if (task.status == TaskStatus::pending && !task.vouched && !claim.final &&
          !state.disputes.contains({claim_id, place})) {
        unread.push_back({&claim, place});
      }
    }
  }
  std::stable_sort(unread.begin(), unread.end(), [](const Counted& a, const Counted& b) {
    return std::pair(a.claim->tasks[a.place].available, b.claim->posted_ms) <
           std::pair(b.claim->tasks[b.place].available, a.claim->posted_ms);
  });
  size_t gone = 0;
  while (gone < unread.size() && left < wanted) {
    left += unread[gone].claim->tasks[unread[gone].place].operations;
    gone += 1;
  }
  unread.resize(left < wanted ? 0 : gone);
  return unread;
}

/// Operations of a claim's tasks that somebody has read and that are not void.
uint64_t read_operations(const std::vector<Task>& tasks, const std::map<TaskId, uint64_t>& voided) {
  uint64_t operations = 0;
  for (const Task& task : tasks) {
    operations += task.available && !voided.contains(task.id) ? task.operations : 0;
  }
  return operations;
}

/// Marks void tasks. Returns the operations of the others. All must fit what the job pays for: void
/// work is paid too, from a slash.
Result<uint64_t> count(const Turn& turn,
                       uint64_t left,
                       const std::map<TaskId, uint64_t>& voided,
                       std::vector<Task>& tasks) {
  uint64_t counted = 0;
  for (Task& task : tasks) {
    if (task.operations > left) {
      return refuse(Code::low_funds, "the claim is for more operations than the job pays");
    }
    left -= task.operations;
    const auto found = voided.find(task.id);
    if (found == voided.end()) {
      counted += task.operations;
    } else if (turn.time_ms > found->second + turn.state.genesis.epoch_ms) {
      return refuse(Code::wrong_state, "a task read from void work; the time to claim it is over");
    } else {
      task.status = TaskStatus::voided;
    }
  }
  return counted;
}

/// Whoever claims a task has read the tasks it names: those of other owners are available.
void note_reads(State& state, const PublicKey& owner, const std::vector<Task>& tasks) {
  std::map<ClaimId, std::set<TaskId>> sources;
  for (const Task& task : tasks) {
    for (const TaskId& source : task.reads) {
      const auto found = state.claimed.find(source);
      if (found != state.claimed.end()) {
        sources[found->second].insert(source);
      }
    }
  }
  for (const auto& [id, read] : sources) {
    Claim& claim = state.claims.at(id);
    if (state.leases.at(claim.lease).owner == owner) {
      continue;
    }
    for (Task& task : claim.tasks) {
      if (task.status == TaskStatus::unavailable) {
        continue;  // it gave way to work that was signed for, and is not paid any more
      }
      task.available = task.available || read.contains(task.id);
      task.vouched = task.vouched || read.contains(task.id);
    }
  }
}

/// A task may be claimed before one that it reads. That one must be claimed in time: what has no
/// known origin cannot be told from what a conviction voids.
void await_reads(Turn& turn, const JobId& job, const std::vector<Task>& tasks) {
  State& state = turn.state;
  for (const Task& task : tasks) {
    state.awaited.erase({job, task.id});
  }
  for (const Task& task : tasks) {
    for (const TaskId& read : task.reads) {
      if (!is_claimed_in(state, job, read)) {
        state.awaited.try_emplace({job, read}, turn.time_ms + state.genesis.answer_ms);
      }
    }
  }
}

Hash list_of(const std::vector<Task>& tasks) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 claim");
  codec::Writer writer;
  for (const Task& task : tasks) {
    writer.hash(task.receipt.hash);
  }
  return crypto::hash(mode, writer.bytes());
}

}  // namespace

Result<void> apply(Turn& turn, const Signer& signer, const model::PostClaim& body) {
  State& state = turn.state;
  const Parties parties = TRY(check_parties(turn, signer, body));
  std::vector<Task> tasks = TRY(open_entries(state, parties, body));
  const auto voided = voided_among(state, parties.lease->job, tasks);
  Lease& lease = *parties.lease;
  Job& job = *parties.job;
  const std::vector<Counted> unread = unread_work(state, lease.job, read_operations(tasks, voided));
  uint64_t left = job.terms.operations - job.counted_operations;
  for (const Counted& one : unread) {
    left += one.claim->tasks[one.place].operations;
  }
  const uint64_t counted = TRY(count(turn, left, voided, tasks));
  // More operations than the job's were refused, so this price is no more than the job's.
  TRY(model::price_of(lease.counted_operations + counted, job.terms.price_per_unit));

  for (const Counted& one : unread) {
    one.claim->tasks[one.place].available = false;
    uncount(turn, *one.claim, one.place, TaskStatus::unavailable);
  }
  const Amount due =
      model::price_of(lease.counted_operations + counted, job.terms.price_per_unit).value();
  const Amount more = minus(minus(due, lease.paid), lease.pending);
  lease.counted_operations += counted;
  job.counted_operations += counted;
  job.escrow = minus(job.escrow, more);
  lease.pending = plus(lease.pending, more);
  note_reads(state, lease.owner, tasks);
  const ClaimId id{signer.id.hash};
  for (const Task& task : tasks) {
    state.claimed[task.id] = id;
  }
  Claim& claim = state.claims[id];
  claim.lease = body.lease;
  claim.job = lease.job;
  claim.list = list_of(tasks);
  claim.block = turn.height;
  claim.posted_ms = turn.time_ms;
  claim.tasks = std::move(tasks);
  touch(state, lease.job);
  claim.audit.phase = job.terms.share_millionths > 0 ? AuditPhase::waiting : AuditPhase::none;
  turn.events.emplace_back(ClaimPosted{id, body.lease, more});
  // Each void task gives those that read from it an epoch of their own; what read from it and was
  // claimed before it is void with it.
  await_reads(turn, lease.job, claim.tasks);
  std::vector<TaskId> void_tasks;
  for (const auto& [task, since] : voided) {
    state.voided.try_emplace(task, turn.time_ms);
    void_tasks.push_back(task);
  }
  spread_void(turn, lease.job, void_tasks);
  return {};
}

namespace {

bool has_slashed_lease(const State& state, const JobId& job) {
  return std::any_of(state.leases.begin(), state.leases.end(), [&](const auto& entry) {
    return entry.second.job == job && entry.second.status == LeaseStatus::slashed;
  });
}

}  // namespace

/// What was read and never claimed may be a convicted provider's: then its readers are void, and
/// paid from the slash. Where nobody was convicted the requester could have claimed it, for it
/// holds the receipt: its readers did what they were asked, and are paid as ever.
void unread_due(Turn& turn) {
  std::map<JobId, std::vector<TaskId>> missing;
  for (const auto& [key, deadline_ms] : turn.state.awaited) {
    if (turn.time_ms >= deadline_ms) {
      missing[key.first].push_back(key.second);
    }
  }
  for (const auto& [job, tasks] : missing) {
    for (const TaskId& task : tasks) {
      turn.state.awaited.erase({job, task});
    }
    if (has_slashed_lease(turn.state, job)) {
      spread_void(turn, job, tasks);
    }
  }
}

std::optional<uint64_t> unread_next_due(const State& state) {
  std::optional<uint64_t> next;
  for (const auto& [key, deadline_ms] : state.awaited) {
    next = std::min(next.value_or(deadline_ms), deadline_ms);
  }
  return next;
}

}  // namespace lockstep::ledger
