#include "apps/teller.h"

#include <algorithm>

#include "apps/receipt_file.h"
#include "judge/dispute.h"
#include "plan/kind.h"

namespace lockstep::apps {
namespace {

constexpr double bytes_per_kilobyte = 1000;

const char* name_of(model::Tree tree) {
  switch (tree) {
    case model::Tree::task:
      return "task";
    case model::Tree::window:
      return "window";
    case model::Tree::step:
      return "step";
    case model::Tree::state:
      return "state";
    case model::Tree::tensor:
      return "tensor";
    case model::Tree::fold:
      return "fold";
  }
  return "unknown";
}

const char* name_of(law::Kind kind) {
  switch (kind) {
    case law::Kind::map:
      return "map";
    case law::Kind::contract:
      return "contract";
    case law::Kind::reduce:
      return "reduce";
    case law::Kind::conv:
      return "convolution";
    case law::Kind::conv_weight_grad:
      return "weight gradient";
    case law::Kind::conv_input_grad:
      return "input gradient";
    case law::Kind::max_pool:
      return "max pool";
    case law::Kind::max_pool_grad:
      return "max pool gradient";
    case law::Kind::gather:
      return "gather";
    case law::Kind::rank:
      return "rank";
    case law::Kind::transpose:
      return "transpose";
    case law::Kind::slice:
      return "slice";
    case law::Kind::pad:
      return "pad";
    case law::Kind::concatenate:
      return "concatenate";
    case law::Kind::broadcast:
      return "broadcast";
    case law::Kind::scatter_add:
      return "scatter add";
    case law::Kind::scatter_set:
      return "scatter set";
    case law::Kind::gather_elements:
      return "gather elements";
    case law::Kind::average_pool:
      return "average pool";
    case law::Kind::average_pool_grad:
      return "average pool gradient";
    case law::Kind::random:
      return "random";
    case law::Kind::scan:
      return "scan";
  }
  return "unknown";
}

/// Where in the trace, in words: steps, windows and chunks are counted from 1 for people.
std::string where_is(const model::Place& place) {
  std::string text = std::string(name_of(place.tree));
  if (place.tree == model::Tree::task) {
    return text + " list";
  }
  text += " " + std::to_string(place.step + 1);
  if (place.tree == model::Tree::tensor || place.tree == model::Tree::fold) {
    text = std::string("step ") + std::to_string(place.step + 1) + ", operator " +
           std::to_string(place.record);
  }
  if (place.tree == model::Tree::fold) {
    text += ", chunk " + std::to_string(place.chunk) + ", fold states";
  }
  if (place.tree == model::Tree::tensor) {
    text += place.last == 0 ? ", bytes"
                            : ", chunks " + std::to_string(place.first) + " to " +
                                  std::to_string(place.last - 1);
  }
  return text;
}

const char* name_of(ledger::Ending ending) {
  switch (ending) {
    case ledger::Ending::proof_refuted:
      return "a proof refuted it";
    case ledger::Ending::bad_answer:
      return "an answer did not hash";
    case ledger::Ending::claimant_silent:
      return "the claimant was silent";
    case ledger::Ending::proof_holds:
      return "the proof showed the claim right";
    case ledger::Ending::challenger_silent:
      return "the challenger was silent";
  }
  return "unknown";
}

const char* name_of(model::Role role) {
  switch (role) {
    case model::Role::requester:
      return "requester";
    case model::Role::provider:
      return "provider";
    case model::Role::auditor:
      return "auditor";
  }
  return "unknown";
}

bool is_conviction(ledger::Ending ending) {
  return ending <= ledger::Ending::claimant_silent;
}

}  // namespace

const ledger::State& Teller::state() const {
  return requester_->ledger().state();
}

std::string Teller::provider_of(const model::ClaimId& claim) const {
  const auto found = state().claims.find(claim);
  return found == state().claims.end() ? "unknown"
                                       : view_.name_of(state().leases.at(found->second.lease).node);
}

std::string Teller::task_name(const model::ClaimId& claim, uint32_t task) const {
  const model::PostClaim* const posted = requester_->ledger().claim(claim);
  if (posted == nullptr || task >= posted->entries.size()) {
    return "task " + std::to_string(task);
  }
  const auto assignment = codec::decode<model::Assignment>(posted->entries[task].assignment.body);
  return assignment.ok() ? plan::name_of(job_, model::tag_of(*assignment)) : "unknown";
}

void Teller::on_notice(const node::Notice& notice) {
  if (const auto* const offers = std::get_if<node::OffersRanked>(&notice)) {
    tell(*offers);
  } else if (const auto* const round = std::get_if<node::RoundFinished>(&notice)) {
    tell(*round);
  } else if (const auto* const lost = std::get_if<node::LeaseLost>(&notice)) {
    tell(*lost);
  } else if (const auto* const undone = std::get_if<node::WorkVoided>(&notice)) {
    tell(*undone);
  } else if (const auto* const placed = std::get_if<node::TaskPlaced>(&notice)) {
    tell(*placed);
  } else if (const auto* const delivered = std::get_if<node::TaskDelivered>(&notice)) {
    report_.tell({}, "task_delivered", {{"id", to_hex(delivered->id.hash.view())}});
  } else if (const auto* const accepted = std::get_if<node::TaskAccepted>(&notice)) {
    report_.tell({}, "task_accepted", {{"id", to_hex(accepted->id.hash.view())}});
  } else if (const auto* const declined = std::get_if<node::TaskDeclined>(&notice)) {
    tell(*declined);
  } else if (const auto* const news = std::get_if<node::LedgerNews>(&notice)) {
    tell(*news);
  } else if (const auto* const finished = std::get_if<node::JobFinished>(&notice)) {
    finished_ = *finished;
  }
}

/// Said to people once, however often the same machine gives the same reason.
void Teller::tell(const node::TaskDeclined& declined) {
  const std::string who = view_.name_of(declined.node);
  const std::string why = readable(declined.reason);
  const bool is_new = std::exchange(declined_[declined.node], why) != why;
  report_.tell(is_new ? "declined: " + who + " does not do " + plan::name_of(job_, declined.task) +
                            " (" + why + "); placed again"
                      : "",
               "task_declined",
               {{"machine", who}, {"task", plan::name_of(job_, declined.task)}, {"reason", why}});
}

void Teller::tell(const node::OffersRanked& offers) const {
  report_.tell("offers:", "offers", {{"count", offers.offers.size()}});
  report_.tell(text_of("  %-12s %-12s %-11s %-8s %-5s %-13s %-9s %s",
                       "provider",
                       "per unit",
                       "units/s",
                       "memory",
                       "cpus",
                       "device",
                       "region",
                       "outcome"),
               "offers_head",
               nlohmann::json::object());
  for (const place::Judged& judged : offers.plan.ranked) {
    const model::Quote& quote = offers.offers[judged.offer].quote;
    std::string outcome = judged.taken ? "taken" : "not needed";
    for (size_t i = 0; i < judged.failed.size(); ++i) {
      if (i == 0) {
        outcome = "refused: ";
      } else {
        outcome += "; ";
      }
      outcome += place::name_of(judged.failed[i].constraint);
      outcome += " (" + judged.failed[i].text + ")";
    }
    report_.tell(text_of("  %-12s %-12s %-11.1f %-8s %-5u %-13s %-9s %s",
                         quote.name.c_str(),
                         quote.price_per_unit.print().c_str(),
                         static_cast<double>(quote.operations_per_second) * 1e-9,
                         place::text_of_bytes(quote.memory_bytes).c_str(),
                         quote.cpus,
                         quote.device_class.c_str(),
                         quote.region.c_str(),
                         outcome.c_str()),
                 "offer",
                 {{"provider", quote.name},
                  {"price_per_unit", quote.price_per_unit.print()},
                  {"memory_bytes", quote.memory_bytes},
                  {"operations_per_second", quote.operations_per_second},
                  {"cpus", quote.cpus},
                  {"device", quote.device_class},
                  {"region", quote.region},
                  {"taken", judged.taken},
                  {"outcome", outcome}});
  }
  const place::Plan& plan = offers.plan;
  const auto& budget = job_.budget;
  report_.tell("price: " + exact_units(operations_) + " units x " + plan.price_per_unit.print() +
                   " = " + plan.work_price.print() + " for work, + " + plan.audit_budget.print() +
                   " for audits = " + plan.total.print() + " in escrow" +
                   (budget ? " (budget " + budget->print() + ")" : ""),
               "price",
               {{"price_per_unit", plan.price_per_unit.print()},
                {"work", plan.work_price.print()},
                {"audit_budget", plan.audit_budget.print()},
                {"escrow", plan.total.print()}});
}

void Teller::tell(const node::RoundFinished& round) const {
  report_.tell(text_of("round %3u of %u  loss %.4f%s",
                       round.round,
                       round.rounds,
                       round.loss,
                       round.again ? "  (again)" : ""),
               "round",
               {{"round", round.round}, {"loss", round.loss}, {"again", round.again}});
}

void Teller::tell(const node::LeaseLost& lost) const {
  std::string names;
  for (const model::TaskTag& tag : lost.tasks) {
    names += (names.empty() ? "" : ", ") + plan::name_of(job_, tag);
  }
  const std::string who = view_.name_of(lost.node);
  const std::string why = lost.silent_ms == 0
                              ? "no more work for " + who
                              : who + " was silent for " + std::to_string(lost.silent_ms) + " ms";
  report_.tell("lease: " + why + (names.empty() ? "" : "; placed again: " + names),
               "lease_lost",
               {{"provider", who}, {"silent_ms", lost.silent_ms}, {"tasks", lost.tasks.size()}});
}

void Teller::tell(const node::WorkVoided& undone) const {
  std::vector<std::string> names;
  names.reserve(undone.tags.size());
  for (const model::TaskTag& tag : undone.tags) {
    names.push_back(plan::name_of(job_, tag));
  }
  report_.tell(
      "void: " + std::to_string(undone.tasks) + " finished tasks" +
          (undone.first_round > 0 ? ", from round " + std::to_string(undone.first_round) + " on,"
                                  : "") +
          " are run again",
      "void",
      {{"tasks", undone.tasks}, {"first_round", undone.first_round}, {"names", names}});
}

void Teller::tell(const node::TaskPlaced& placed) const {
  report_.tell({},
               "task_placed",
               {{"id", to_hex(placed.id.hash.view())},
                {"task", plan::name_of(job_, placed.tag)},
                {"machine", view_.name_of(placed.node)}});
}

void Teller::tell(const node::LedgerNews& news) {
  std::visit([&](const auto& event) { tell_event(news, event); }, news.event);
}

void Teller::tell_event(const node::LedgerNews& news,
                        const ledger::TransactionFailed& failed) const {
  // Of the others people need not know: a move that came too late, say.
  const bool is_own = failed.signer == requester_->ledger().self();
  report_.tell(is_own ? "refused by the ledger: " + failed.error.message() : "",
               "transaction_failed",
               {{"block", news.height},
                {"signer", view_.name_of(failed.signer)},
                {"code", static_cast<int>(failed.error.code)},
                {"what", failed.error.what}});
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::ClaimDrawn& drawn) const {
  if (drawn.tasks.empty()) {
    return;
  }
  std::string names;
  std::vector<std::string> list;
  for (const uint32_t task : drawn.tasks) {
    list.push_back(task_name(drawn.claim, task));
    names += (names.empty() ? "" : ", ") + list.back();
  }
  const size_t count = state().claims.at(drawn.claim).tasks.size();
  report_.tell("draw: block " + std::to_string(drawn.block) + ", seed " + short_hex(drawn.seed) +
                   ": " + std::to_string(drawn.tasks.size()) + " of " + std::to_string(count) +
                   " tasks of " + provider_of(drawn.claim) + " (" + names + ")",
               "draw",
               {{"block", news.height},
                {"seed", to_hex(drawn.seed.view())},
                {"claim", to_hex(drawn.claim.hash.view())},
                {"provider", provider_of(drawn.claim)},
                {"names", list},
                {"tasks", drawn.tasks}});
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::AuditorDrawn& drawn) const {
  report_.tell({},
               "auditor",
               {{"block", news.height},
                {"claim", to_hex(drawn.claim.hash.view())},
                {"auditor", view_.name_of(drawn.auditor)}});
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::AuditAgreed& agreed) {
  audits_told_.insert(agreed.claim);
  report_.tell("audit: " + view_.name_of(agreed.auditor) + " agrees with " +
                   provider_of(agreed.claim) + ", paid " + agreed.paid.print(),
               "audit_agreed",
               {{"block", news.height},
                {"claim", to_hex(agreed.claim.hash.view())},
                {"auditor", view_.name_of(agreed.auditor)},
                {"provider", provider_of(agreed.claim)},
                {"paid", agreed.paid.print()}});
}

void Teller::tell_event(const node::LedgerNews& news,
                        const ledger::AuditDisagreed& disagreed) const {
  std::string names;
  for (const uint32_t task : disagreed.tasks) {
    names += (names.empty() ? "" : ", ") + task_name(disagreed.claim, task);
  }
  const std::string auditor = view_.name_of(state().claims.at(disagreed.claim).audit.auditor);
  report_.tell(
      "audit: " + auditor + " disagrees with " + provider_of(disagreed.claim) + " on " + names,
      "audit_disagreed",
      {{"block", news.height},
       {"claim", to_hex(disagreed.claim.hash.view())},
       {"auditor", auditor},
       {"provider", provider_of(disagreed.claim)},
       {"tasks", disagreed.tasks}});
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::SaltsUnopened& unopened) const {
  report_.tell("audit: " + provider_of(unopened.claim) +
                   " did not open its salts; the drawn tasks are not paid",
               "salts_unopened",
               {{"block", news.height},
                {"claim", to_hex(unopened.claim.hash.view())},
                {"provider", provider_of(unopened.claim)}});
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::DisputeOpened& opened) {
  const ledger::DisputeKey key{opened.claim, opened.task};
  if (const auto found = state().disputes.find(key); found != state().disputes.end()) {
    disputes_[key] = found->second;
  }
  const ledger::Task& task = state().claims.at(opened.claim).tasks.at(opened.task);
  report_.tell("challenge: " + view_.name_of(opened.challenger) + " challenges " +
                   provider_of(opened.claim) + " on " + task_name(opened.claim, opened.task),
               "challenge",
               {{"block", news.height},
                {"claim", to_hex(opened.claim.hash.view())},
                {"task", opened.task},
                {"task_name", task_name(opened.claim, opened.task)},
                {"provider", provider_of(opened.claim)},
                {"claimed_root", to_hex(task.output_root.view())},
                {"own_root", to_hex(disputes_[key].own_root.view())},
                {"operations", task.operations},
                {"challenger", view_.name_of(opened.challenger)}});
}

/// The question's size is that of its transaction.
void Teller::tell_event(const node::LedgerNews& news, const ledger::Asked& asked) const {
  nlohmann::json event = {{"block", news.height},
                          {"claim", to_hex(asked.claim.hash.view())},
                          {"task", asked.task},
                          {"place", where_is(asked.place)}};
  const auto block = view_.block_at(news.height);
  for (size_t i = 0; block && i < block->transactions.size(); ++i) {
    const model::Signed& transaction = block->transactions[i];
    const auto body = codec::decode<model::Transaction>(transaction.body);
    const auto* const ask = body.ok() ? std::get_if<model::AskOpen>(&*body) : nullptr;
    if (ask != nullptr && ask->claim == asked.claim && ask->task == asked.task) {
      event["bytes"] = transaction.body.size();
    }
  }
  report_.tell({}, "question", std::move(event));
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::Answered& answered) {
  const ledger::DisputeKey key{answered.claim, answered.task};
  if (const auto found = state().disputes.find(key); found != state().disputes.end()) {
    disputes_[key] = found->second;
  }
  report_.tell(
      "  opened: " + where_is(answered.place) + ", " + std::to_string(answered.bytes) + " bytes",
      "answer",
      {{"block", news.height},
       {"claim", to_hex(answered.claim.hash.view())},
       {"task", answered.task},
       {"place", where_is(answered.place)},
       {"bytes", answered.bytes}});
}

void Teller::tell_proof(const node::LedgerNews& news, const ledger::DisputeEnded& ended) {
  const auto block = view_.block_at(news.height);
  const auto known = disputes_.find({ended.claim, ended.task});
  if (!block || known == disputes_.end()) {
    return;
  }
  const ledger::Task& task = state().claims.at(ended.claim).tasks.at(ended.task);
  const judge::Case dispute{state().programs.find(task.program),
                            task.steps,
                            task.claim_every,
                            task.input_root,
                            task.output_root,
                            task.list,
                            known->second.list_binds};
  for (const model::Signed& transaction : block->transactions) {
    const auto body = codec::decode<model::Transaction>(transaction.body);
    const auto* const posted = body.ok() ? std::get_if<model::PostProof>(&*body) : nullptr;
    const auto* const proof =
        posted == nullptr ? nullptr : std::get_if<model::StepProof>(&posted->proof);
    if (proof == nullptr || posted->claim != ended.claim || posted->task != ended.task) {
      continue;
    }
    const uint64_t start = clock_.now_ns();
    const model::Outcome outcome = judge::decide(dispute, known->second.kept, *proof);
    const double ms = static_cast<double>(clock_.now_ns() - start) * 1e-6;
    const law::Record& record = dispute.program->program.records.at(proof->place.record);
    report_.tell(text_of("proof: step %u, operator %u (%s), chunk %s, fold step %s",
                         proof->place.step + 1,
                         proof->place.record,
                         name_of(record.kind),
                         std::to_string(proof->place.chunk).c_str(),
                         std::to_string(proof->fold_step).c_str()),
                 "proof",
                 {{"block", news.height},
                  {"claim", to_hex(ended.claim.hash.view())},
                  {"task", ended.task},
                  {"step", proof->place.step + 1},
                  {"operator", proof->place.record},
                  {"kind", name_of(record.kind)},
                  {"chunk", proof->place.chunk},
                  {"fold_step", proof->fold_step},
                  {"refuted", outcome == model::Outcome::refuted}});
    report_.aside(text_of("proof: %.1f kB, judged in %.2f ms",
                          static_cast<double>(ended.proof_bytes) / bytes_per_kilobyte,
                          ms),
                  "proof_judged",
                  {{"claim", to_hex(ended.claim.hash.view())},
                   {"task", ended.task},
                   {"bytes", ended.proof_bytes},
                   {"ms", ms}});
  }
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::DisputeEnded& ended) {
  if (ended.ending == ledger::Ending::proof_refuted) {
    tell_proof(news, ended);
  }
  const bool is_false = is_conviction(ended.ending);
  report_.tell((is_false ? "CLAIM FALSE: " : "claim stands: ") + provider_of(ended.claim) + ", " +
                   task_name(ended.claim, ended.task) + ": " + name_of(ended.ending) + " after " +
                   std::to_string(ended.answers) + " answers",
               is_false ? "claim_false" : "claim_stands",
               {{"block", news.height},
                {"claim", to_hex(ended.claim.hash.view())},
                {"task", ended.task},
                {"provider", provider_of(ended.claim)},
                {"ending", name_of(ended.ending)},
                {"answers", ended.answers},
                {"proof_bytes", ended.proof_bytes}});
  disputes_.erase({ended.claim, ended.task});
  tell_audits();
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::Slashed& slashed) const {
  report_.tell("slash: " + slashed.amount.print() + " of " + view_.name_of(slashed.owner) +
                   "'s owner: " + slashed.burned.print() + " burned, " +
                   slashed.challenger.print() + " to the challenger, " + slashed.reserve.print() +
                   " kept for void work, its audits and the treasury",
               "slash",
               {{"block", news.height},
                {"provider", view_.name_of(slashed.owner)},
                {"amount", slashed.amount.print()},
                {"burned", slashed.burned.print()},
                {"challenger", slashed.challenger.print()},
                {"reserve", slashed.reserve.print()}});
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::JobSettled& settled) const {
  if (requester_->job_id() && settled.job == *requester_->job_id()) {
    report_.tell({},
                 "settled",
                 {{"block", news.height},
                  {"refund", settled.refund.print()},
                  {"treasury", settled.treasury.print()}});
  }
}

void Teller::tell_event(const node::LedgerNews& news, const ledger::JobOpened& opened) const {
  const auto job = state().jobs.find(opened.job);
  if (job != state().jobs.end() && requester_->job_id() && opened.job == *requester_->job_id()) {
    report_.tell({},
                 "job_opened",
                 {{"block", news.height},
                  {"job", job_.name},
                  {"tasks", job->second.terms.tasks},
                  {"operations", job->second.terms.operations}});
  }
}

/// Of owners that have a node: balance and stake together, as the network began and now.
void Teller::tell_accounts() const {
  const ledger::State& now = state();
  const auto all = [](const auto& account) {
    const auto sum = account.balance.add(account.stake);
    return sum.ok() ? sum->print() : std::string();
  };
  std::set<crypto::PublicKey> told;
  for (const auto& [key, node] : now.nodes) {
    const auto after = now.accounts.find(node.owner);
    if (after == now.accounts.end() || !told.insert(node.owner).second) {
      continue;
    }
    Amount before;
    for (const model::Allocation& allocation : now.genesis.balances) {
      before = allocation.owner == node.owner ? allocation.amount : before;
    }
    report_.tell({},
                 "account",
                 {{"name", view_.name_of(key)},
                  {"role", name_of(node.role)},
                  {"before", before.print()},
                  {"after", all(after->second)}});
  }
}

/// Some are paid without a word of the ledger: who had committed when the claim was convicted, and
/// the part of an audit that agreed where another did not. The books of claims are closed when the
/// job is settled, so this is said as soon as a dispute ends.
void Teller::tell_audits() {
  const ledger::State& now = state();
  for (const auto& [claim_id, money] : now.audits) {
    const auto claim = now.claims.find(claim_id);
    if (claim != now.claims.end() && claim->second.job == requester_->job_id() &&
        money.paid > Amount() && audits_told_.insert(claim_id).second) {
      report_.tell({},
                   "audit_paid",
                   {{"claim", to_hex(claim_id.hash.view())},
                    {"auditor", view_.name_of(claim->second.audit.auditor)},
                    {"provider", provider_of(claim_id)},
                    {"paid", money.paid.print()}});
    }
  }
}

void Teller::tell_settlement() const {
  const auto& id = requester_->job_id();
  if (!id) {
    return;
  }
  const ledger::State& now = state();
  for (const auto& [lease_id, lease] : now.leases) {
    if (lease.job != *id) {
      continue;
    }
    const std::string who = view_.name_of(lease.node);
    report_.tell("paid: " + who + " " + lease.paid.print() + " for " +
                     units_of(lease.final_operations) + " units" +
                     (lease.paid_void > Amount()
                          ? ", " + lease.paid_void.print() + " for work voided by another's lie"
                          : "") +
                     (lease.status == ledger::LeaseStatus::slashed ? " (slashed)" : ""),
                 "paid",
                 {{"provider", who},
                  {"paid", lease.paid.print()},
                  {"paid_void", lease.paid_void.print()},
                  {"operations", lease.final_operations},
                  {"slashed", lease.status == ledger::LeaseStatus::slashed}});
  }
  const auto sum = now.sum();
  const bool same = sum.ok() && *sum == now.total;
  report_.tell("ledger: total " + (sum.ok() ? sum->print() : sum.error().what) + ", " +
                   (same ? "unchanged" : "CHANGED from " + now.total.print()) + "; burned " +
                   now.totals.burned.print() + ", treasury " + now.totals.treasury.print(),
               "ledger_total",
               {{"total", now.total.print()},
                {"unchanged", same},
                {"burned", now.totals.burned.print()},
                {"treasury", now.totals.treasury.print()},
                {"blocks", now.totals.height}});
}

}  // namespace lockstep::apps
