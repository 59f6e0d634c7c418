#include "sim/byzantine_node.h"

namespace lockstep::sim {

Byzantine::Byzantine(const RoleContext& context, std::unique_ptr<node::Node> inner)
    : context_(context), inner_(std::move(inner)), random_(context.seed * 2 + 1) {}

Result<void> Byzantine::open() {
  ledger_.emplace(
      TRY(node::LedgerClient::create(context_.genesis, context_.identity.key, effects_)));
  return {};
}

void Byzantine::start(uint64_t now_ms) {
  inner_->start(now_ms);
  drain(now_ms);
}

void Byzantine::on_message(uint64_t now_ms,
                           const crypto::PublicKey& from,
                           const net::Message& message) {
  if (dead_) {
    return;
  }
  if (const auto* const blocks = std::get_if<net::Blocks>(&message)) {
    for (const node::LedgerNews& one : ledger_->on_blocks(now_ms, *blocks)) {
      news(now_ms, one);
    }
  }
  if (hears(now_ms, from, message)) {
    inner_->on_message(now_ms, from, message);
  }
  drain(now_ms);
}

void Byzantine::on_timer(uint64_t now_ms, uint64_t id) {
  if (dead_) {
    return;
  }
  ledger_->tick(now_ms);
  tick(now_ms);
  inner_->on_timer(now_ms, id);
  drain(now_ms);
}

void Byzantine::on_work(uint64_t now_ms, node::WorkDone done) {
  const auto work = works_.extract(done.id);
  if (dead_ || work.empty()) {
    return;
  }
  computes(work.mapped(), done);
  inner_->on_work(now_ms, std::move(done));
  drain(now_ms);
}

void Byzantine::on_signed(uint64_t now_ms, const model::Signed& transaction) {
  if (dead_ || asked_.empty()) {
    return;
  }
  const bool own = asked_.front();
  asked_.pop_front();
  if (own) {
    ledger_->submit_signed(now_ms, transaction);
    return;
  }
  inner_->on_signed(now_ms, transaction);
  drain(now_ms);
}

void Byzantine::on_providers(uint64_t now_ms, std::span<const crypto::PublicKey> providers) {
  if (!dead_) {
    inner_->on_providers(now_ms, providers);
    drain(now_ms);
  }
}

void Byzantine::drain(uint64_t now) {
  for (node::Effect& effect : inner_->take_effects()) {
    if (dead_) {
      return;
    }
    pass(now, std::move(effect));
  }
}

void Byzantine::pass(uint64_t now, node::Effect effect) {
  if (auto* const sent = std::get_if<node::Send>(&effect)) {
    if (const auto* const submitted = std::get_if<net::SubmitTransaction>(&sent->message)) {
      pass_transaction(now, submitted->transaction);
    } else if (auto changed = sends(now, sent->to, std::move(sent->message))) {
      send(sent->to, std::move(*changed));
    }
    return;
  }
  if (auto* const work = std::get_if<node::RunTask>(&effect)) {
    if (!runs(*work)) {
      return;
    }
    works_.insert_or_assign(work->id, *work);
    orders(*work);
  } else if (std::holds_alternative<node::AskOwner>(effect)) {
    asked_.push_back(false);
  }
  effects_.push_back(std::move(effect));
}

void Byzantine::pass_transaction(uint64_t now, const model::Signed& transaction) {
  if (transaction.signer != self()) {
    send_raw(transaction);  // the owner's
    return;
  }
  if (!passed_.insert(model::transaction_id(transaction)).second) {
    return;
  }
  auto body = codec::decode<model::Transaction>(transaction.body);
  if (!body.ok()) {
    return;
  }
  if (const auto changed = submits(now, std::move(body).value())) {
    submit(now, *changed);
  }
}

void Byzantine::send(const crypto::PublicKey& to, net::Message message) {
  effects_.push_back(node::Send{to, std::move(message)});
}

void Byzantine::send_raw(const model::Signed& transaction) {
  send(context_.genesis.sequencer, net::SubmitTransaction{transaction});
}

void Byzantine::ask_owner(model::Transaction body) {
  asked_.push_back(true);
  effects_.push_back(node::AskOwner{std::move(body)});
}

Hash Byzantine::random_hash() {
  Hash hash;
  for (size_t at = 0; at < hash.bytes.size(); at += sizeof(uint64_t)) {
    const uint64_t number = random_.next();
    std::memcpy(hash.bytes.data() + at, &number, sizeof number);
  }
  return hash;
}

}  // namespace lockstep::sim
