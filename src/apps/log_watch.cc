#include "apps/log_watch.h"

#include "apps/kind_names.h"
#include "crypto/key_text.h"

namespace lockstep::apps {
namespace {

using Json = NodeLog::Fields;

std::string hex_of(const Hash& hash) {
  return to_hex(hash.bytes);
}

const char* name_of_task(model::TaskKind kind) {
  switch (kind) {
    case model::TaskKind::lane:
      return "lane";
    case model::TaskKind::merge:
      return "merge";
    case model::TaskKind::evaluate:
      return "evaluate";
    case model::TaskKind::sum:
      return "sum";
  }
  return "unknown";
}

void add_tag(Json& fields, const model::TaskTag& tag) {
  fields["kind"] = name_of_task(tag.kind);
  fields["round"] = tag.round;
  fields["part"] = tag.part;
}

bool is_warning(const ledger::Event& event) {
  return std::holds_alternative<ledger::TransactionFailed>(event) ||
         std::holds_alternative<ledger::SaltsUnopened>(event) ||
         std::holds_alternative<ledger::AuditDisagreed>(event) ||
         std::holds_alternative<ledger::AuditLapsed>(event) ||
         std::holds_alternative<ledger::DisputeOpened>(event) ||
         std::holds_alternative<ledger::DisputeEnded>(event) ||
         std::holds_alternative<ledger::Slashed>(event) ||
         std::holds_alternative<ledger::TasksVoided>(event);
}

}  // namespace

// ---- ids

void LogWatch::add_lease(Fields& fields, const model::LeaseId& id) const {
  const auto& leases = state_().leases;
  const auto lease = leases.find(id);
  if (lease != leases.end()) {
    fields["job"] = hex_of(lease->second.job.hash);
  }
  fields["lease"] = hex_of(id.hash);
}

void LogWatch::add_claim(Fields& fields, const model::ClaimId& id) const {
  const auto& claims = state_().claims;
  const auto claim = claims.find(id);
  if (claim != claims.end()) {
    fields["job"] = hex_of(claim->second.job.hash);
    fields["lease"] = hex_of(claim->second.lease.hash);
  }
  fields["claim"] = hex_of(id.hash);
}

NodeLog::Fields LogWatch::of_task(const model::TaskId& id) const {
  Fields fields = Fields::object();
  if (const Where* const where = tasks_.find(id)) {
    fields["job"] = hex_of(where->job.hash);
    fields["lease"] = hex_of(where->lease.hash);
  }
  fields["task"] = hex_of(id.hash);
  return fields;
}

template <class T>
void LogWatch::add_ids(Fields& fields, const T& from) const {
  if constexpr (requires { from.job; }) {
    fields["job"] = hex_of(from.job.hash);
  }
  if constexpr (requires { from.lease; }) {
    add_lease(fields, from.lease);
  }
  if constexpr (requires { from.claim; }) {
    add_claim(fields, from.claim);
    if constexpr (requires { from.task; }) {
      fields["place"] = from.task;  // in the claim
      const auto claim = state_().claims.find(from.claim);
      if (claim != state_().claims.end() && from.task < claim->second.tasks.size()) {
        fields["task"] = hex_of(claim->second.tasks[from.task].id.hash);
      }
    }
  }
  if constexpr (requires { from.auditor.bytes; }) {
    fields["peer"] = crypto::key_text(from.auditor);
  }
  if constexpr (requires { from.challenger.bytes; }) {
    fields["peer"] = crypto::key_text(from.challenger);
  }
  if constexpr (requires { from.node.bytes; }) {
    fields["peer"] = crypto::key_text(from.node);
  }
  if constexpr (requires { from.owner.bytes; }) {
    fields["owner"] = crypto::key_text(from.owner);
  }
  if constexpr (requires { from.signer.bytes; }) {
    fields["peer"] = crypto::key_text(from.signer);
  }
  if constexpr (requires { from.amount.print(); }) {
    fields["amount"] = from.amount.print();
  }
  if constexpr (requires { from.error.message(); }) {
    fields["transaction"] = hex_of(from.id.hash);
    fields["reason"] = from.error.message();
  }
}

// ---- what comes

void LogWatch::on_message(uint64_t now_ms,
                          const crypto::PublicKey& from,
                          const net::Message& message) {
  if (log_.wants(LogLevel::debug)) {
    log_.write(LogLevel::debug,
               now_ms,
               "message_in",
               {{"kind", message_names[message.index()]}, {"peer", crypto::key_text(from)}});
  }
  if (const auto* const assign = std::get_if<net::Assign>(&message)) {
    on_assign(now_ms, from, assign->assignment);
  } else if (const auto* const deliver = std::get_if<net::Deliver>(&message)) {
    on_deliver(now_ms, from, deliver->receipt);
  } else if (const auto* const voucher = std::get_if<net::GiveVoucher>(&message)) {
    on_voucher(now_ms, from, voucher->voucher);
  } else if (const auto* const cancel = std::get_if<net::CancelTask>(&message)) {
    Fields fields = of_task(cancel->task);
    fields["peer"] = crypto::key_text(from);
    log_.write(LogLevel::info, now_ms, "task_cancelled", fields);
  } else if (const auto* const blocks = std::get_if<net::Blocks>(&message)) {
    log_.write(LogLevel::debug,
               now_ms,
               "blocks",
               {{"count", blocks->blocks.size()},
                {"height", blocks->height},
                {"peer", crypto::key_text(from)}});
  }
}

void LogWatch::on_assign(uint64_t now_ms,
                         const crypto::PublicKey& peer,
                         const model::Signed& assignment) {
  const model::TaskId id = model::task_id(assignment);
  if (tasks_.find(id) != nullptr) {
    return;
  }
  const auto read = codec::decode<model::Assignment>(assignment.body);
  if (!read.ok()) {
    return;
  }
  // Of what the ledger does not have anybody may speak.
  const auto& jobs = state_().jobs;
  const auto job = jobs.find(read->job);
  const bool known = state_().leases.contains(read->lease) && job != jobs.end() &&
                     (job->second.terms.requester == peer || job->second.terms.requester == self_);
  if (known) {
    tasks_.add(id, {read->job, read->lease});
  }
  Fields fields = {{"job", hex_of(read->job.hash)},
                   {"lease", hex_of(read->lease.hash)},
                   {"task", hex_of(id.hash)},
                   {"peer", crypto::key_text(peer)}};
  add_tag(fields, model::tag_of(*read));
  fields["steps"] = read->steps;
  fields["operations"] = read->operations;
  log_.write(known ? LogLevel::info : LogLevel::debug, now_ms, "task_assigned", fields);
}

void LogWatch::on_deliver(uint64_t now_ms,
                          const crypto::PublicKey& peer,
                          const model::Signed& receipt) {
  const auto read = codec::decode<model::Receipt>(receipt.body);
  if (!read.ok() || tasks_.find(read->task) == nullptr || !delivered_.add(read->task)) {
    return;
  }
  Fields fields = of_task(read->task);
  fields["peer"] = crypto::key_text(peer);
  log_.write(LogLevel::info, now_ms, "task_delivered", fields);
}

void LogWatch::on_voucher(uint64_t now_ms,
                          const crypto::PublicKey& peer,
                          const model::Signed& voucher) {
  const auto read = codec::decode<model::Voucher>(voucher.body);
  if (!read.ok() || tasks_.find(read->task) == nullptr || !accepted_.add(read->task)) {
    return;
  }
  Fields fields = of_task(read->task);
  fields["peer"] = crypto::key_text(peer);
  log_.write(LogLevel::info, now_ms, "task_accepted", fields);
}

void LogWatch::on_work(uint64_t now_ms, const node::WorkDone& done) {
  if (done.result.ok()) {
    log_.write(LogLevel::debug, now_ms, "work_done", {{"work", done.id}});
  } else {
    log_.write(LogLevel::warn,
               now_ms,
               "work_failed",
               {{"work", done.id}, {"reason", done.result.error().message()}});
  }
}

void LogWatch::on_signed(uint64_t now_ms, const model::Signed& transaction) {
  log_.write(LogLevel::info, now_ms, "owner_signed", {{"kind", transaction_name(transaction)}});
}

void LogWatch::on_providers(uint64_t now_ms, const std::vector<crypto::PublicKey>& keys) {
  log_.write(LogLevel::debug, now_ms, "providers", {{"count", keys.size()}});
}

// ---- what leaves

void LogWatch::on_effect(uint64_t now_ms, const node::Effect& effect) {
  if (const auto* const sent = std::get_if<node::Send>(&effect)) {
    on_sent(now_ms, *sent);
  } else if (const auto* const work = std::get_if<node::RunTask>(&effect)) {
    Fields fields = {{"work", work->id}, {"what", work_names[static_cast<size_t>(work->kind)]}};
    add_tag(fields, work->task.tag);
    log_.write(LogLevel::debug, now_ms, "work_started", fields);
  } else if (const auto* const told = std::get_if<node::Tell>(&effect)) {
    on_told(now_ms, told->notice);
  } else if (std::holds_alternative<node::AskOwner>(effect)) {
    log_.write(LogLevel::info, now_ms, "owner_asked", Fields::object());
  }
}

void LogWatch::on_sent(uint64_t now_ms, const node::Send& sent) {
  if (log_.wants(LogLevel::debug)) {
    log_.write(
        LogLevel::debug,
        now_ms,
        "message_out",
        {{"kind", message_names[sent.message.index()]}, {"peer", crypto::key_text(sent.to)}});
  }
  if (const auto* const assign = std::get_if<net::Assign>(&sent.message)) {
    on_assign(now_ms, sent.to, assign->assignment);
  } else if (const auto* const deliver = std::get_if<net::Deliver>(&sent.message)) {
    on_deliver(now_ms, sent.to, deliver->receipt);
  } else if (const auto* const voucher = std::get_if<net::GiveVoucher>(&sent.message)) {
    on_voucher(now_ms, sent.to, voucher->voucher);
  } else if (const auto* const submit = std::get_if<net::SubmitTransaction>(&sent.message)) {
    on_submit(now_ms, submit->transaction);
  } else if (const auto* const decline = std::get_if<net::Decline>(&sent.message)) {
    if (declined_.add(decline->task)) {
      Fields fields = of_task(decline->task);
      fields["peer"] = crypto::key_text(sent.to);
      fields["reason"] = decline->reason;
      log_.write(LogLevel::warn, now_ms, "task_declined", fields);
    }
  }
}

void LogWatch::on_submit(uint64_t now_ms, const model::Signed& transaction) {
  if (!sent_.add({transaction.signer, transaction.nonce})) {
    return;
  }
  const auto read = codec::decode<model::Transaction>(transaction.body);
  if (!read.ok()) {
    return;
  }
  const Hash id = model::transaction_id(transaction).hash;
  Fields fields = {{"kind", transaction_name(transaction)}, {"transaction", hex_of(id)}};
  // The ledger names jobs, leases and claims after the transactions that open them.
  if (std::holds_alternative<model::OpenJob>(*read)) {
    fields["job"] = hex_of(id);
  } else if (const auto* const lease = std::get_if<model::OpenLease>(&*read)) {
    fields["job"] = hex_of(lease->job.hash);
    fields["lease"] = hex_of(id);
  } else if (const auto* const claim = std::get_if<model::PostClaim>(&*read)) {
    on_claim(now_ms, {id}, *claim);
    add_lease(fields, claim->lease);
    fields["claim"] = hex_of(id);
  } else {
    std::visit([&](const auto& body) { add_ids(fields, body); }, *read);
  }
  log_.write(LogLevel::info, now_ms, "transaction_sent", fields);
}

void LogWatch::on_claim(uint64_t now_ms, const model::ClaimId& id, const model::PostClaim& claim) {
  for (const model::ClaimEntry& entry : claim.entries) {
    Fields fields = Fields::object();
    add_lease(fields, claim.lease);
    fields["task"] = hex_of(model::task_id(entry.assignment).hash);
    fields["claim"] = hex_of(id.hash);
    log_.write(LogLevel::info, now_ms, "task_claimed", fields);
  }
}

// ---- what is told

void LogWatch::on_told(uint64_t now_ms, const node::Notice& notice) {
  if (const auto* const news = std::get_if<node::LedgerNews>(&notice)) {
    on_news(now_ms, *news);
  } else {
    on_requester_told(now_ms, notice);
  }
}

void LogWatch::on_news(uint64_t now_ms, const node::LedgerNews& news) {
  Fields fields = {{"height", news.height}};
  std::visit([&](const auto& event) { add_ids(fields, event); }, news.event);
  log_.write(is_warning(news.event) ? LogLevel::warn : LogLevel::info,
             now_ms,
             event_names[news.event.index()],
             fields);
}

void LogWatch::on_requester_told(uint64_t now_ms, const node::Notice& notice) {
  if (const auto* const declined = std::get_if<node::TaskDeclined>(&notice)) {
    Fields fields = {{"peer", crypto::key_text(declined->node)}, {"reason", declined->reason}};
    add_tag(fields, declined->task);
    log_.write(LogLevel::warn, now_ms, "task_declined", fields);
  } else if (const auto* const round = std::get_if<node::RoundFinished>(&notice)) {
    log_.write(LogLevel::info,
               now_ms,
               "round_finished",
               {{"round", round->round}, {"rounds", round->rounds}, {"loss", round->loss}});
  } else if (const auto* const lost = std::get_if<node::LeaseLost>(&notice)) {
    Fields fields = Fields::object();
    add_lease(fields, lost->lease);
    fields["peer"] = crypto::key_text(lost->node);
    fields["silent_ms"] = lost->silent_ms;
    fields["tasks"] = lost->tasks.size();
    log_.write(LogLevel::warn, now_ms, "lease_lost", fields);
  } else if (const auto* const voided = std::get_if<node::WorkVoided>(&notice)) {
    log_.write(LogLevel::warn,
               now_ms,
               "work_voided",
               {{"tasks", voided->tasks}, {"first_round", voided->first_round}});
  } else if (const auto* const failed = std::get_if<node::JobFailed>(&notice)) {
    log_.write(LogLevel::error, now_ms, "job_failed", {{"reason", failed->error.message()}});
  } else if (std::holds_alternative<node::JobFinished>(notice)) {
    log_.write(LogLevel::info, now_ms, "job_finished", Fields::object());
  } else if (const auto* const over = std::get_if<node::JobOver>(&notice)) {
    log_.write(LogLevel::info, now_ms, "job_over", {{"job", hex_of(over->job.hash)}});
  } else if (const auto* const ranked = std::get_if<node::OffersRanked>(&notice)) {
    log_.write(LogLevel::info, now_ms, "offers_ranked", {{"offers", ranked->offers.size()}});
  }
}

}  // namespace lockstep::apps
