// That the ledger's records of a job, its leases and its claims follow from the transactions that a
// receipt shows. Each record is made again and compared whole; what audits, disputes and the
// settlement change later is taken over from the ledger and checked for itself.
#include <algorithm>
#include <set>

#include "base/limits.h"
#include "node/receipt_evidence.h"

namespace lockstep::node {
namespace {

using ledger::LeaseStatus;
using ledger::TaskStatus;
using Spoken = Evidence::Spoken;

/// The first of a kind; null when there is none.
template <class Body>
const Spoken* find_spoken(const Evidence& evidence) {
  for (const Spoken& spoken : evidence.spoken) {
    if (std::holds_alternative<Body>(spoken.body)) {
      return &spoken;
    }
  }
  return nullptr;
}

/// Of the ids' transactions, those of one kind: exactly the keys of `records`.
template <class Body, class Map>
Result<void> check_all_there(const Evidence& evidence, const Map& records, const char* kind) {
  std::set<typename Map::key_type> ids;
  for (const Spoken& spoken : evidence.spoken) {
    if (std::holds_alternative<Body>(spoken.body)) {
      ids.insert({spoken.id.hash});
    }
  }
  for (const auto& [id, record] : records) {
    if (!ids.contains(id)) {
      return bad_receipt("the transaction that made it is missing", place_name(kind, id));
    }
    ids.erase(id);
  }
  if (!ids.empty()) {
    return bad_receipt("its entry is missing", place_name(kind, *ids.begin()));
  }
  return {};
}

Result<Amount> price(const Evidence& evidence, uint64_t operations) {
  return held(model::price_of(operations, evidence.job.terms.price_per_unit), "a price");
}

/// a + b of counts that a hostile state may make as large as it likes.
Result<uint64_t> sum_of(uint64_t a, uint64_t b) {
  if (b > UINT64_MAX - a) {
    return bad_receipt("the operations do not fit 64 bits");
  }
  return a + b;
}

Result<void> check_programs(Evidence& evidence) {
  const std::vector<Hash>& named = evidence.job.terms.programs;
  for (const Spoken& spoken : evidence.spoken) {
    const auto* body = std::get_if<model::RegisterProgram>(&spoken.body);
    if (body == nullptr) {
      continue;
    }
    const judge::Registered* program =
        TRY(held(evidence.programs.add(body->program, body->constants), "a program"));
    if (std::find(named.begin(), named.end(), program->root) == named.end()) {
      return bad_receipt("a program is registered that is none of the job's");
    }
  }
  for (const Hash& root : named) {
    if (evidence.programs.find(root) == nullptr) {
      return bad_receipt("a program of the job is missing");
    }
  }
  return {};
}

Result<void> check_job(const Evidence& evidence) {
  const std::string where = place_name("job", evidence.job_id);
  const Spoken* opened = find_spoken<model::OpenJob>(evidence);
  const Spoken* closed = find_spoken<model::CloseJob>(evidence);
  if (opened == nullptr || opened->id.hash != evidence.job_id.hash || closed == nullptr) {
    return bad_receipt("the transaction that opened or closed it is missing", where);
  }
  const ledger::Job& job = evidence.job;
  ledger::Job made;
  made.terms = std::get<model::OpenJob>(opened->body);
  made.owner = opened->signer;
  made.work_price = TRY(
      held(model::price_of(made.terms.operations, made.terms.price_per_unit), "its price", where));
  made.opened_ms = evidence.time_of(opened->height);
  made.closed_ms = evidence.time_of(closed->height);
  made.status = ledger::JobStatus::settled;
  // The replay checks preimages; the leases check what was counted; check_paid() what was paid.
  made.revealed = job.revealed;
  made.preimage = job.preimage;
  made.counted_operations = job.counted_operations;
  made.paid = job.paid;
  if (job.status != ledger::JobStatus::settled) {
    return bad_receipt("it is not settled", where);
  }
  if (made != job) {
    return bad_receipt("the ledger's record does not follow from its transaction", where);
  }
  return {};
}

Result<void> check_lease(Evidence& evidence, const Spoken& spoken, const model::OpenLease& body) {
  const LeaseId id{spoken.id.hash};
  const std::string where = place_name("lease", id);
  const ledger::Lease& lease = evidence.leases.at(id);
  const auto quote =
      TRY(held(model::open<model::Quote>(body.quote, evidence.network, model::SignedKind::quote),
               "its quote",
               where));
  if (spoken.signer != evidence.job.terms.requester || body.job != evidence.job_id ||
      quote.price_per_unit > evidence.job.terms.price_per_unit) {
    return bad_receipt("it is not the requester's, or of a quote above the job's price", where);
  }
  ledger::Lease made = lease;
  made.job = body.job;
  made.node = body.quote.signer;
  made.owner = quote.owner;
  made.operations_per_second = quote.operations_per_second;
  made.opened_ms = evidence.time_of(spoken.height);
  made.locked = Amount();
  made.pending = Amount();
  made.paid = TRY(price(evidence, lease.final_operations));
  // Nothing is counted that is not final any more.
  made.counted_operations = lease.final_operations;
  if (made != lease) {
    return bad_receipt("the ledger's record does not follow from its quote and its work", where);
  }
  evidence.names[id] = quote.name;
  return {};
}

std::vector<TaskId> reads_of(const model::Assignment& assignment) {
  std::set<TaskId> reads;
  for (const model::AssignedLeaf& leaf : assignment.leaves) {
    if (leaf.source) {
      reads.insert(leaf.source->task);
    }
  }
  return {reads.begin(), reads.end()};
}

/// What the signed papers of one entry make of a task. Errors: those of opening and judging.
struct Papers {
  ledger::Task task;
  model::Assignment assignment;
};
Result<Papers> read_papers(const Evidence& evidence,
                           const LeaseId& lease_id,
                           const model::ClaimEntry& entry) {
  const ledger::Lease& lease = evidence.leases.at(lease_id);
  const model::OpenJob& terms = evidence.job.terms;
  Papers papers;
  papers.assignment = TRY(model::open<model::Assignment>(
      entry.assignment, evidence.network, model::SignedKind::assignment));
  const model::Assignment& assignment = papers.assignment;
  const judge::Registered* program = evidence.programs.find(assignment.program);
  if (entry.assignment.signer != terms.requester || assignment.job != evidence.job_id ||
      assignment.lease != lease_id || program == nullptr) {
    return bad_receipt("the assignment is not the requester's for this lease");
  }
  TRY(judge::check_work(*program, assignment));
  const auto receipt =
      TRY(model::open<model::Receipt>(entry.receipt, evidence.network, model::SignedKind::receipt));
  ledger::Task& task = papers.task;
  task.id = model::task_id(entry.assignment);
  task.receipt = {model::signed_hash(entry.receipt)};
  task.program = assignment.program;
  task.steps = assignment.steps;
  task.claim_every = assignment.claim_every;
  task.operations = assignment.operations;
  task.input_root = TRY(judge::input_root(*program, assignment.leaves));
  task.output_root = receipt.output_root;
  task.list = receipt.list;
  task.reads = reads_of(assignment);
  const model::Receipt expected{lease_id,
                                task.id,
                                program->program.version,
                                task.program,
                                task.input_root,
                                task.output_root,
                                task.list};
  if (entry.receipt.signer != lease.node || receipt != expected) {
    return bad_receipt("the receipt is not the provider's for its assignment");
  }
  if (entry.voucher) {
    const auto voucher = TRY(
        model::open<model::Voucher>(*entry.voucher, evidence.network, model::SignedKind::voucher));
    if (entry.voucher->signer != terms.requester ||
        voucher != model::Voucher{task.id, task.output_root}) {
      return bad_receipt("the voucher is not the requester's for its receipt");
    }
    task.available = true;
    task.vouched = true;
  }
  return papers;
}

Hash list_of(const std::vector<ledger::Task>& tasks) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 claim");
  codec::Writer writer;
  for (const ledger::Task& task : tasks) {
    writer.hash(task.receipt.hash);
  }
  return crypto::hash(mode, writer.bytes());
}

Result<void> check_claim(Evidence& evidence, const Spoken& spoken, const model::PostClaim& body) {
  const ClaimId id{spoken.id.hash};
  const std::string where = place_name("claim", id);
  const ledger::Claim& claim = evidence.claims.at(id);
  const auto lease = evidence.leases.find(body.lease);
  if (lease == evidence.leases.end() || body.entries.size() != claim.tasks.size() ||
      (spoken.signer != lease->second.node && spoken.signer != evidence.job.terms.requester)) {
    return bad_receipt("it is not of one of the job's leases, or of other tasks", where);
  }
  ledger::Claim made;
  for (uint32_t i = 0; i < body.entries.size(); ++i) {
    Papers papers = TRY(held(
        read_papers(evidence, body.lease, body.entries[i]), "task " + std::to_string(i), where));
    const ledger::Task& known = claim.tasks[i];
    papers.task.available = papers.task.available || known.available;
    papers.task.vouched = papers.task.vouched || known.vouched;
    papers.task.status = known.status;
    const Evidence::Claimed claimed{id, i, &known, std::move(papers.assignment)};
    if (!evidence.tasks.emplace(papers.task.id, claimed).second) {
      return bad_receipt("a task is claimed twice", where);
    }
    made.tasks.push_back(std::move(papers.task));
  }
  made.lease = body.lease;
  made.job = evidence.job_id;
  made.list = list_of(made.tasks);
  made.block = spoken.height;
  made.posted_ms = evidence.time_of(spoken.height);
  made.audit = claim.audit;  // the replay checks this and the next
  made.disputed_ms = claim.disputed_ms;
  made.final = true;
  if (made != claim) {
    return bad_receipt("the ledger's record does not follow from its transaction", where);
  }
  return {};
}

/// Whether a settled task's status may stand in such a lease and audit.
bool is_settled_right(const Evidence& evidence, const ledger::Claim& claim, uint32_t place) {
  const ledger::Task& task = claim.tasks[place];
  const bool slashed = evidence.leases.at(claim.lease).status == LeaseStatus::slashed;
  const bool spans = evidence.job.terms.finality == model::FinalityRule::span;
  if (task.status == TaskStatus::convicted) {
    return slashed;
  }
  if (slashed && !spans) {
    return false;  // nothing was final before the end of the job, so all of it was condemned
  }
  const std::vector<uint32_t>& drawn = claim.audit.tasks;
  switch (task.status) {
    case TaskStatus::final:
      return task.available;
    case TaskStatus::unpaid:
      return claim.audit.salts.empty() &&
             std::find(drawn.begin(), drawn.end(), place) != drawn.end();
    case TaskStatus::unavailable:
      return !task.available;
    case TaskStatus::paid_void:
      return true;
    case TaskStatus::pending:
    case TaskStatus::voided:
    case TaskStatus::convicted:
      return false;
  }
  return false;
}

/// Nothing final may rest on what was false; under a span it may have been final before.
bool rests_on_false(const Evidence& evidence, const ledger::Task& task) {
  return std::any_of(task.reads.begin(), task.reads.end(), [&](const TaskId& read) {
    const auto found = evidence.tasks.find(read);
    return found != evidence.tasks.end() && (found->second.task->status == TaskStatus::convicted ||
                                             found->second.task->status == TaskStatus::paid_void);
  });
}

/// What the tasks of a lease amount to.
struct Work {
  uint64_t final_operations = 0;
  uint64_t void_operations = 0;
};
Result<std::map<LeaseId, Work>> check_tasks(const Evidence& evidence) {
  std::map<LeaseId, Work> works;
  const bool spans = evidence.job.terms.finality == model::FinalityRule::span;
  for (const auto& [id, claim] : evidence.claims) {
    Work& work = works[claim.lease];
    for (uint32_t i = 0; i < claim.tasks.size(); ++i) {
      const ledger::Task& task = claim.tasks[i];
      const std::string where = place_name("claim", id) + ", task " + std::to_string(i);
      if (!is_settled_right(evidence, claim, i)) {
        return bad_receipt("its end does not fit its lease and its audit", where);
      }
      if (task.status == TaskStatus::final) {
        work.final_operations = TRY(sum_of(work.final_operations, task.operations));
        if (!spans && rests_on_false(evidence, task)) {
          return bad_receipt("it is paid as final and rests on false work", where);
        }
      } else if (task.status == TaskStatus::paid_void) {
        work.void_operations = TRY(sum_of(work.void_operations, task.operations));
      }
    }
  }
  return works;
}

/// What the leases were paid, and that the job paid it.
Result<void> check_paid(const Evidence& evidence) {
  auto works = TRY(check_tasks(evidence));
  const ledger::Job& job = evidence.job;
  Amount paid;
  uint64_t counted = 0;
  for (const auto& [id, lease] : evidence.leases) {
    const Work& work = works[id];
    const std::string where = place_name("lease", id);
    if (lease.final_operations != work.final_operations) {
      return bad_receipt("it was not paid for its final tasks; a claim may be missing", where);
    }
    if (lease.paid_void < Amount() ||
        lease.paid_void > TRY(price(evidence, work.void_operations))) {
      return bad_receipt("it was paid more for void work than it did", where);
    }
    counted = TRY(sum_of(counted, lease.counted_operations));
    paid = TRY(held(paid.add(lease.paid), "the pay"));
    paid = TRY(held(paid.add(lease.paid_void), "the pay"));
    if (!evidence.accounts.contains(lease.owner)) {
      return bad_receipt("its owner's account is missing", where);
    }
  }
  // What is left of what was paid went to auditors, within their budget.
  const auto audits = TRY(held(
      model::audit_budget(job.work_price, job.terms.share_millionths, job.terms.tasks), "job"));
  const Amount most = TRY(held(paid.add(audits), "the pay"));
  if (counted != job.counted_operations || job.paid < paid || job.paid > most ||
      !evidence.accounts.contains(job.owner)) {
    return bad_receipt("what it paid does not follow from its leases; one may be missing",
                       place_name("job", evidence.job_id));
  }
  return {};
}

}  // namespace

Result<void> check_market(Evidence& evidence) {
  TRY(check_job(evidence));
  TRY(check_programs(evidence));
  TRY(check_all_there<model::OpenLease>(evidence, evidence.leases, "lease"));
  TRY(check_all_there<model::PostClaim>(evidence, evidence.claims, "claim"));
  for (const Spoken& spoken : evidence.spoken) {
    if (const auto* lease = std::get_if<model::OpenLease>(&spoken.body)) {
      TRY(check_lease(evidence, spoken, *lease));
    } else if (const auto* claim = std::get_if<model::PostClaim>(&spoken.body)) {
      TRY(check_claim(evidence, spoken, *claim));
    }
  }
  return check_paid(evidence);
}

}  // namespace lockstep::node
