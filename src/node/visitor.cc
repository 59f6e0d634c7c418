#include "node/visitor.h"

namespace lockstep::node {

namespace {
constexpr uint64_t tick_timer = 1;
}

Result<std::unique_ptr<Visitor>> Visitor::create(const model::Genesis& genesis,
                                                 const crypto::SecretKey& key) {
  auto visitor = std::unique_ptr<Visitor>(new Visitor());
  visitor->ledger_ = TRY(LedgerClient::create(genesis, key, visitor->effects_));
  return visitor;
}

void Visitor::start(uint64_t now_ms) {
  ledger_->start(now_ms);
  ask_height();
  effects_.push_back(SetTimer{now_ms + LedgerClient::tick_ms, tick_timer});
}

void Visitor::ask_height() {
  effects_.push_back(
      Send{ledger_->state().genesis.sequencer, net::FollowBlocks{net::FollowBlocks::how_high}});
}

void Visitor::on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) {
  const auto* const blocks = std::get_if<net::Blocks>(&message);
  if (blocks == nullptr || from != ledger_->state().genesis.sequencer) {
    return;
  }
  height_ = std::max(height_.value_or(0), blocks->height);
  for (LedgerNews& news : ledger_->on_blocks(now_ms, *blocks)) {
    effects_.push_back(Tell{std::move(news)});
  }
}

void Visitor::on_timer(uint64_t now_ms, uint64_t id) {
  if (id == tick_timer) {
    ledger_->tick(now_ms);
    if (!height_) {
      ask_height();
    }
    effects_.push_back(SetTimer{now_ms + LedgerClient::tick_ms, tick_timer});
  }
}

void Visitor::on_signed(uint64_t now_ms, const model::Signed& transaction) {
  ledger_->submit_signed(now_ms, transaction);
}

bool Visitor::is_used(const PublicKey& signer, uint64_t nonce) const {
  const auto found = ledger_->state().nonces.find(signer);
  return found != ledger_->state().nonces.end() && found->second > nonce;
}

}  // namespace lockstep::node
