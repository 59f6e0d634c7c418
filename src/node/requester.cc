// The requester's side of the market: quotes, the job, its leases, preimages, settlement.
#include "node/requester.h"

#include <algorithm>

#include "base/mutant.h"
#include "node/tasks.h"

namespace lockstep::node {
namespace {

constexpr uint64_t tick_timer = 1;

/// Shares of tasks that the ledger draws; the other levels have no rule there yet.
Result<uint32_t> share_of(const model::VerifySpec& verify) {
  switch (verify.kind) {
    case model::VerifyKind::none:
      return uint32_t{0};
    case model::VerifyKind::spot:
    case model::VerifyKind::full:
      return verify.share_millionths;
    default:
      return refuse(Code::bad_option,
                    "this trust level is not offered here",
                    "use verify: none, spot:SHARE or full",
                    "verify");
  }
}

/// Whether its nonce is used: by itself or by another.
bool is_spent(const ledger::State& state, const model::Signed& transaction) {
  const auto next = state.nonces.find(transaction.signer);
  return next != state.nonces.end() && next->second > transaction.nonce;
}

}  // namespace

Result<std::unique_ptr<Requester>> Requester::create(Setup setup,
                                                     const model::Job& job,
                                                     store::Blobs& blobs,
                                                     env::KeyValue& book) {
  (void)TRY(share_of(job.spec.verify));
  auto requester = std::unique_ptr<Requester>(new Requester(std::move(setup), job));
  const Setup& given = requester->setup_;
  requester->planner_ = TRY(plan::make_planner(job));
  requester->ledger_ = TRY(LedgerClient::create(
      given.genesis, given.identity.key, requester->effects_, given.dry_run ? nullptr : &book));
  requester->blobs_ = &blobs;
  requester->book_.emplace(book);
  requester->fetcher_.emplace(blobs, requester->effects_);
  requester->desk_.emplace(
      *requester->ledger_, *requester->fetcher_, requester->effects_, given.secret);
  requester->preimages_ = model::preimage_chain(given.secret, limits::preimages_max);
  for (const model::NamedProgram& program : job.programs) {
    (void)TRY(requester->programs_.add(program.ref.bytes, program.ref.constants));
  }
  if (!given.dry_run) {
    TRY(requester->restore());
  }
  return requester;
}

void Requester::start(uint64_t now_ms) {
  since_ms_ = now_ms;
  phase_ = resumed_ ? Phase::resuming : Phase::starting;
  ledger_->start(now_ms);
  effects_.push_back(SetTimer{now_ms, tick_timer});
}

/// A job that is open is closed and settled first: its escrow must come back. Where the book does
/// not take the reason, the next life fails again, or says that the job was closed.
void Requester::fail(uint64_t now_ms, Error error) {
  if (job_id_ && !closing_) {
    closing_ = true;
    kept_.failure =
        KeptFailure{static_cast<uint16_t>(error.code), error.where, error.what, error.next};
    (void)book_->write_job(kept_);
    failure_ = std::move(error);
    phase_ = Phase::closing;
    closed_ms_ = now_ms;
    ledger_->submit(now_ms, model::CloseJob{*job_id_});
  } else if (!job_id_) {
    phase_ = Phase::failed;
    effects_.push_back(Tell{JobFailed{std::move(error)}});
  }
}

void Requester::on_timer(uint64_t now_ms, uint64_t id) {
  if (id != tick_timer || phase_ == Phase::over || phase_ == Phase::failed) {
    return;
  }
  ledger_->tick(now_ms);
  fetcher_->tick(now_ms);
  desk_->tick(now_ms);
  if (phase_ == Phase::running) {
    resend(now_ms);
    drop_silent(now_ms);
  }
  pump(now_ms);
  effects_.push_back(SetTimer{now_ms + LedgerClient::tick_ms / 5, tick_timer});
}

void Requester::on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) {
  if (const auto worker = workers_.find(from); worker != workers_.end()) {
    worker->second.heard_ms = now_ms;
  }
  if (const auto* const blocks = std::get_if<net::Blocks>(&message)) {
    bool slashed = false;
    const std::vector<LedgerNews> all = ledger_->on_blocks(now_ms, *blocks);
    caught_up_ = caught_up_ || (from == setup_.genesis.sequencer && blocks->height > 0 &&
                                ledger_->height() >= blocks->height);
    for (const LedgerNews& news : all) {
      on_news(now_ms, news);
      slashed = slashed || std::holds_alternative<ledger::Slashed>(news.event);
    }
    if (slashed && phase_ == Phase::running) {
      undo(now_ms, {});  // what a lease did not claim that was slashed, perhaps for another job
    }
  } else if (const auto* const quote = std::get_if<net::GiveQuote>(&message)) {
    on_quote(now_ms, from, *quote);
  } else if (const auto* const deliver = std::get_if<net::Deliver>(&message)) {
    on_deliver(now_ms, from, *deliver);
  } else if (const auto* const decline = std::get_if<net::Decline>(&message)) {
    on_decline(now_ms, from, *decline);
  } else if (const auto* const ask = std::get_if<net::AskBlob>(&message)) {
    fetcher_->on_ask(from, *ask);
  } else if (const auto* const give = std::get_if<net::GiveBlob>(&message)) {
    fetcher_->on_give(from, *give);
  }
  pump(now_ms);
}

void Requester::on_work(uint64_t now_ms, WorkDone done) {
  if ((done.id & AuditDesk::id_bit) != 0) {
    desk_->on_work(now_ms, std::move(done));
  }
  pump(now_ms);
}

/// One OpenJob and no second: whichever was submitted is in the book, also for the next life.
void Requester::on_signed(uint64_t now_ms, const model::Signed& transaction) {
  if (phase_ == Phase::opening && !job_id_ && !kept_.open) {
    signed_open_ = transaction;
  }
  pump(now_ms);
}

void Requester::pump(uint64_t now_ms) {
  for (const uint64_t group : fetcher_->take_ready()) {
    if ((group & AuditDesk::id_bit) != 0) {
      desk_->on_ready(now_ms, group);
    } else if (const auto found = groups_.find(group); found != groups_.end()) {
      const model::TaskId id = found->second;
      groups_.erase(found);
      on_outputs(now_ms, id);
    }
  }
  for (const uint64_t group : fetcher_->take_failed()) {
    if ((group & AuditDesk::id_bit) != 0) {
      desk_->on_failed(now_ms, group);
    } else if (const auto found = groups_.find(group); found != groups_.end()) {
      const auto placed = placed_.find(found->second);
      groups_.erase(found);
      if (placed != placed_.end()) {  // asked again when it delivers again
        placed->second.delivered.reset();
      }
    }
  }
  advance(now_ms);
}

void Requester::advance(uint64_t now_ms) {
  switch (phase_) {
    case Phase::resuming:
      resume(now_ms);
      break;
    case Phase::starting:
      register_programs(now_ms);
      break;
    case Phase::quoting:
      wait_for_quotes(now_ms);
      break;
    case Phase::opening:
      open_job(now_ms);
      open_leases(now_ms);
      break;
    case Phase::running:
      find_leases(now_ms);
      place_tasks(now_ms);
      reveal_preimage(now_ms);
      claim_for_others(now_ms);
      close_when_settled(now_ms);
      break;
    case Phase::closing:
      reveal_preimage(now_ms);
      close_again(now_ms);
      break;
    case Phase::over:
    case Phase::failed:
      break;
  }
}

void Requester::register_programs(uint64_t now_ms) {
  constexpr uint64_t ledger_ms = 5000;
  if (setup_.dry_run) {
    if (!caught_up_ && now_ms < since_ms_ + ledger_ms) {
      return;  // what the providers have at stake is on the ledger
    }
  } else if (!ledger_->state().nodes.contains(ledger_->self())) {
    return;  // the owner's registration is on its way
  } else {
    for (const model::NamedProgram& program : job_->programs) {
      ledger_->submit(now_ms, model::RegisterProgram{program.ref.bytes, program.ref.constants});
    }
  }
  find_providers(now_ms);
  phase_ = Phase::quoting;
  since_ms_ = now_ms;
}

void Requester::find_providers(uint64_t now_ms) {
  found_ms_ = now_ms;
  effects_.push_back(FindProviders{});
}

void Requester::on_providers(uint64_t now_ms, std::span<const PublicKey> providers) {
  const bool alone = phase_ == Phase::running && workers_.empty() && opening_.empty();
  std::set<PublicKey> known(providers_.begin(), providers_.end());
  for (const PublicKey& provider : providers) {
    if (providers_.size() < providers_max && known.insert(provider).second) {
      providers_.push_back(provider);
      since_ms_ = phase_ == Phase::quoting ? now_ms : since_ms_;
    }
  }
  if (phase_ != Phase::quoting && !alone) {
    return;
  }
  for (const PublicKey& provider : providers_) {
    if (!quotes_.contains(provider) || alone) {
      effects_.push_back(
          Send{provider, net::AskQuote{planner_->operations(), planner_->task_count()}});
    }
  }
}

/// Who has just come up may not know the ledger's node yet, nor be known to it: as long as nobody
/// offers anything it is asked again.
void Requester::wait_for_quotes(uint64_t now_ms) {
  const bool all = !providers_.empty() && quotes_.size() == providers_.size();
  if (!all && now_ms < since_ms_ + (quotes_.empty() ? no_offer_ms : quotes_ms)) {
    if (quotes_.empty() && now_ms >= found_ms_ + find_again_ms) {
      find_providers(now_ms);
    }
    return;
  }
  rank_offers(now_ms);
}

void Requester::on_quote(uint64_t now_ms, const PublicKey& from, const net::GiveQuote& quote) {
  const auto opened =
      model::open<model::Quote>(quote.quote, ledger_->state().network, model::SignedKind::quote);
  if (!opened.ok() || quote.quote.signer != from) {
    return;
  }
  quotes_[from] = quote.quote;
  const bool wanted = phase_ == Phase::running && !workers_.contains(from) && !closing_ &&
                      opened->price_per_unit <= kept_.price_per_unit && !opening_.contains(from);
  if (wanted) {
    opening_[from] = ledger_->submit(now_ms, model::OpenLease{*job_id_, quote.quote});
  }
}

place::Needs Requester::needs(uint64_t now_ms) const {
  place::Needs needs;
  needs.resources = job_->spec.resources;
  needs.memory_bytes = setup_.memory_bytes;
  needs.operations = planner_->operations();
  needs.tasks = planner_->task_count();
  needs.share_millionths = *share_of(job_->spec.verify);
  needs.budget = job_->spec.budget;
  needs.requester_owner = setup_.identity.owner;
  needs.now_ms = std::max(now_ms, ledger_->time_ms());
  return needs;
}

void Requester::rank_offers(uint64_t now_ms) {
  const ledger::State& state = ledger_->state();
  bool registered = true;
  for (const model::NamedProgram& program : job_->programs) {
    if (!setup_.dry_run && !state.program_costs.contains(program.ref.root)) {
      registered = false;
      if (!ledger_->is_waiting()) {  // what an earlier life said had its nonce
        ledger_->submit(now_ms, model::RegisterProgram{program.ref.bytes, program.ref.constants});
      }
    }
  }
  if (!registered) {
    return;
  }
  std::vector<place::Offer> offers;
  const place::Needs needed = needs(now_ms);
  for (const auto& [node, quote] : quotes_) {
    place::Offer offer{quote, *codec::decode<model::Quote>(quote.body), {}, {}};
    if (const auto account = state.accounts.find(offer.quote.owner);
        account != state.accounts.end()) {
      offer.unlocked_stake = *account->second.stake.subtract(account->second.locked);
    }
    offer.bond = lease_bond(needed, offer.quote.price_per_unit);
    offers.push_back(std::move(offer));
  }
  auto planned = place::plan(needed, offers);
  if (!planned.ok()) {
    fail(now_ms, planned.error());
    return;
  }
  KeptJob kept;
  kept.price_per_unit = planned->price_per_unit;
  for (const place::Judged& judged : planned->ranked) {
    if (judged.taken) {
      kept.quotes.push_back(offers[judged.offer].signed_quote);
    }
  }
  if (!setup_.dry_run && !book_->write_job(kept).ok()) {
    return;  // the disk is full: with the next tick
  }
  kept_ = std::move(kept);
  effects_.push_back(Tell{OffersRanked{std::move(offers), std::move(planned).value()}});
  if (setup_.dry_run) {
    effects_.push_back(Tell{DryRunOver{}});
    phase_ = Phase::over;
    return;
  }
  phase_ = Phase::opening;
}

Amount Requester::lease_bond(const place::Needs& needs, Amount price_per_unit) const {
  const uint64_t task = needs.operations / needs.tasks + 1;
  const auto price = model::price_of(task, price_per_unit);
  const auto bond = price.ok() ? price->multiply(2) : price;
  return bond.ok() ? std::max(*bond, setup_.genesis.bond_min) : setup_.genesis.bond_min;
}

void Requester::open_job(uint64_t now_ms) {
  if (job_id_) {
    return;
  }
  if (find_job()) {
    for (const model::Signed& quote : kept_.quotes) {
      opening_[quote.signer] = ledger_->submit(now_ms, model::OpenLease{*job_id_, quote});
    }
    return;
  }
  if (kept_.open && is_spent(ledger_->state(), *kept_.open)) {
    kept_.open.reset();  // it had no effect, or another one of the owner's had its nonce
    asked_owner_ = false;
  }
  submit_open(now_ms);
  if (!asked_owner_) {
    effects_.push_back(AskOwner{terms()});
    asked_owner_ = true;
  }
}

model::OpenJob Requester::terms() const {
  model::OpenJob open;
  open.name = job_->spec.name;
  open.requester = ledger_->self();
  for (const model::NamedProgram& program : job_->programs) {
    open.programs.push_back(program.ref.root);
  }
  open.operations = planner_->operations();
  open.tasks = planner_->task_count();
  open.price_per_unit = kept_.price_per_unit;
  open.share_millionths = *share_of(job_->spec.verify);
  if (job_->spec.finality.kind == model::FinalityKind::span) {
    open.finality = model::FinalityRule::span;
    open.span_ms = job_->spec.finality.span_seconds * 1000;
  }
  open.preimages = preimages_.front();
  return open;
}

/// The anchor of the preimages says which one of the owner's jobs it is.
bool Requester::find_job() {
  for (const auto& [id, job] : ledger_->state().jobs) {
    if (!job_id_ && job.owner == setup_.identity.owner &&
        job.terms.preimages == preimages_.front()) {
      job_id_ = id;
    }
  }
  return job_id_.has_value();
}

void Requester::submit_open(uint64_t now_ms) {
  if (!signed_open_) {
    return;
  }
  kept_.open = signed_open_;
  if (!book_->write_job(kept_).ok()) {
    kept_.open.reset();
    return;  // the disk is full: with the next tick
  }
  signed_open_.reset();
  ledger_->submit_signed(now_ms, *kept_.open);
}

void Requester::open_leases(uint64_t now_ms) {
  if (!job_id_) {
    return;
  }
  find_leases(now_ms);
  if (opening_.empty()) {
    phase_ = Phase::running;
    since_ms_ = now_ms;
    if (workers_.empty() && !resumed_) {
      fail(now_ms,
           refuse(Code::no_offer,
                  "every lease was refused by the ledger",
                  "see that the providers have stake that is not locked"));
      return;
    }
    plan_more(now_ms, {});
  }
}

void Requester::find_leases(uint64_t now_ms) {
  if (!opening_.empty()) {
    for (const auto& [id, lease] : ledger_->state().leases) {
      const auto opening = opening_.find(lease.node);
      const bool mine = opening != opening_.end() && opening->second.hash == id.hash &&
                        lease.status == ledger::LeaseStatus::open;
      if (mine) {
        opening_.erase(opening);
        workers_[lease.node] = Worker{id, lease.operations_per_second, now_ms, 0, {}};
      }
    }
  }
  if (resumed_) {
    find_leases_again(now_ms);
  }
  const bool alone = workers_.empty() && opening_.empty() && phase_ == Phase::running;
  if (alone && now_ms >= quotes_asked_ms_ + quotes_again_ms) {
    quotes_asked_ms_ = now_ms;
    find_providers(now_ms);
  }
}

void Requester::on_news(uint64_t now_ms, const LedgerNews& news) {
  desk_->on_news(now_ms, news);
  const auto* const failed = std::get_if<ledger::TransactionFailed>(&news.event);
  const bool not_opened = failed != nullptr && phase_ == Phase::opening && !job_id_ && kept_.open &&
                          failed->id == model::transaction_id(*kept_.open);
  if (not_opened) {
    fail(now_ms, failed->error);
  } else if (failed != nullptr) {
    std::erase_if(opening_, [&](const auto& entry) { return entry.second == failed->id; });
  }
  effects_.push_back(Tell{news});
  if (const auto* const voided = std::get_if<ledger::TasksVoided>(&news.event)) {
    if (job_id_ && voided->job == *job_id_ && phase_ == Phase::running) {
      undo(now_ms, voided->tasks);
    }
  }
  if (const auto* const agreed = std::get_if<ledger::AuditAgreed>(&news.event)) {
    fetch_from_auditor(now_ms, *agreed);
  }
  if (const auto* const settled = std::get_if<ledger::JobSettled>(&news.event)) {
    if (job_id_ && settled->job == *job_id_) {
      end_job();
    }
  }
}

void Requester::end_job() {
  phase_ = Phase::over;
  if (failure_) {
    effects_.push_back(Tell{JobFailed{*failure_}});
  } else {
    effects_.push_back(Tell{JobOver{*job_id_}});
  }
}

void Requester::reveal_preimage(uint64_t now_ms) {
  const ledger::State& state = ledger_->state();
  const ledger::Job& job = state.jobs.at(*job_id_);
  if (now_ms < preimage_ms_ + setup_.genesis.epoch_ms / 2) {
    return;
  }
  const bool waiting =
      std::any_of(state.claims.begin(), state.claims.end(), [&](const auto& claim) {
        return claim.second.job == *job_id_ &&
               claim.second.audit.phase == ledger::AuditPhase::waiting;
      });
  if (waiting && size_t{job.revealed} + 1 < preimages_.size()) {
    preimage_ms_ = now_ms;
    ledger_->submit(now_ms, model::RevealPreimage{*job_id_, preimages_[job.revealed + 1]});
  }
}

/// Receipts that their provider does not claim, because it is gone or withholds them: what read
/// from them would become void.
void Requester::claim_for_others(uint64_t now_ms) {
  constexpr uint64_t patience_epochs = 3;
  constexpr size_t entries_bytes_max = limits::transaction_bytes_max - (size_t{64} << 10);
  const uint64_t epoch_ms = setup_.genesis.epoch_ms;
  if (now_ms < claimed_ms_ + epoch_ms) {
    return;
  }
  const ledger::State& state = ledger_->state();
  std::map<model::LeaseId, std::vector<model::ClaimEntry>> late;
  std::map<model::LeaseId, size_t> bytes;
  for (const auto& [tag, accepted] : accepted_) {
    const auto worker = workers_.find(accepted.node);
    const bool gone = worker == workers_.end() || worker->second.lease != accepted.lease;
    const uint64_t patience_ms = (gone ? 1 : patience_epochs) * epoch_ms;
    auto& entries = late[accepted.lease];
    if (state.claimed.contains(accepted.id) || now_ms < accepted.accepted_ms + patience_ms ||
        entries.size() >= limits::claim_tasks_max) {
      continue;
    }
    bytes[accepted.lease] += codec::encode(accepted.entry).size();
    if (bytes[accepted.lease] <= entries_bytes_max) {
      entries.push_back(accepted.entry);
    }
  }
  for (auto& [lease, entries] : late) {
    if (!entries.empty()) {
      claimed_ms_ = now_ms;
      ledger_->submit(now_ms, model::PostClaim{lease, std::move(entries)});
    }
  }
}

bool Requester::all_claimed_and_audited() const {
  const ledger::State& state = ledger_->state();
  const bool all_claimed = std::all_of(accepted_.begin(), accepted_.end(), [&](const auto& entry) {
    return state.claimed.contains(entry.second.id);
  });
  return (all_claimed || is_mutated(Mutant::accept_without_claim)) &&
         !ledger::has_open_audit(state, *job_id_);
}

void Requester::close_when_settled(uint64_t now_ms) {
  if (!planner_->done() || !all_claimed_and_audited() || closing_) {
    return;
  }
  closing_ = true;
  tell_finished();
  closed_ms_ = now_ms;
  ledger_->submit(now_ms, model::CloseJob{*job_id_});
  phase_ = Phase::closing;
}

}  // namespace lockstep::node
