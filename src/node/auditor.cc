// Messages, timers and finished work on their way to the ledger's view, the blobs and the desk.
#include "node/auditor.h"

namespace lockstep::node {
namespace {

constexpr uint64_t tick_timer = 1;

}  // namespace

Result<std::unique_ptr<Auditor>> Auditor::create(const Setup& setup,
                                                 store::Blobs& blobs,
                                                 env::KeyValue* log) {
  // The parts borrow the node's effects, so the node is made first and never moves.
  std::unique_ptr<Auditor> auditor(new Auditor());
  auditor->ledger_.emplace(
      TRY(LedgerClient::create(setup.genesis, setup.identity.key, auditor->effects_, log)));
  auditor->blobs_.emplace(blobs, auditor->effects_);
  auditor->desk_.emplace(*auditor->ledger_, *auditor->blobs_, auditor->effects_, setup.salt_seed);
  return auditor;
}

void Auditor::start(uint64_t now_ms) {
  ledger_->start(now_ms);
  next_tick_ms_ = now_ms + LedgerClient::tick_ms;
  effects_.push_back(SetTimer{next_tick_ms_, tick_timer});
}

void Auditor::on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) {
  if (const auto* blocks = std::get_if<net::Blocks>(&message)) {
    for (const LedgerNews& news : ledger_->on_blocks(now_ms, *blocks)) {
      desk_->on_news(now_ms, news);
    }
  } else if (const auto* ask = std::get_if<net::AskBlob>(&message)) {
    blobs_->on_ask(now_ms, from, *ask);
  } else if (const auto* give = std::get_if<net::GiveBlob>(&message)) {
    blobs_->on_give(now_ms, from, *give);
  }
  pump(now_ms);
}

void Auditor::on_timer(uint64_t now_ms, uint64_t id) {
  // A timer that an earlier life has set must not start a second row of ticks.
  if (id != tick_timer || now_ms < next_tick_ms_) {
    return;
  }
  ledger_->tick(now_ms);
  blobs_->tick(now_ms);
  if (ledger_->has_heard()) {
    desk_->tick(now_ms);
  }
  (void)blobs_->store().tidy();  // what audits read is pinned
  pump(now_ms);
  next_tick_ms_ = now_ms + LedgerClient::tick_ms;
  effects_.push_back(SetTimer{next_tick_ms_, tick_timer});
}

void Auditor::on_work(uint64_t now_ms, WorkDone done) {
  desk_->on_work(now_ms, std::move(done));
  pump(now_ms);
}

void Auditor::on_signed(uint64_t now_ms, const model::Signed& transaction) {
  ledger_->submit_signed(now_ms, transaction);
}

/// Wishes for blobs that came true or cannot: all of them are the desk's.
void Auditor::pump(uint64_t now_ms) {
  for (const uint64_t group : blobs_->take_ready()) {
    desk_->on_ready(now_ms, group);
  }
  for (const uint64_t group : blobs_->take_failed()) {
    desk_->on_failed(now_ms, group);
  }
}

}  // namespace lockstep::node
