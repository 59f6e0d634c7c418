// Following the ledger over a wire that loses things, and resending until it says so.
#include "node/ledger_client.h"

#include <algorithm>

#include "base/limits.h"

namespace lockstep::node {
namespace {

std::string block_key(uint64_t height) {
  std::string key = "block/0000000000000000";
  for (size_t at = key.size(); height > 0; height /= 16) {
    key[--at] = "0123456789abcdef"[height % 16];
  }
  return key;
}

/// Nothing where the log has none.
Result<std::optional<model::Block>> read_block(env::KeyValue& log, uint64_t height) {
  const auto bytes = TRY(log.get(block_key(height)));
  if (!bytes) {
    return std::optional<model::Block>();
  }
  auto block = codec::decode<model::Block>(*bytes);
  if (!block.ok()) {
    return refuse(Code::bad_block,
                  "a kept block cannot be read: " + block.error().what,
                  "restart this node: it asks the ledger for it again",
                  "block " + std::to_string(height));
  }
  return std::optional(std::move(block).value());
}

}  // namespace

Result<LedgerClient> LedgerClient::create(const model::Genesis& genesis,
                                          const crypto::SecretKey& key,
                                          Effects& effects,
                                          env::KeyValue* log) {
  LedgerClient client(TRY(chain::Follower::create(genesis)), key, effects);
  client.log_ = log;
  client.replay();
  return client;
}

LedgerClient::LedgerClient(chain::Follower follower, const crypto::SecretKey& key, Effects& effects)
    : follower_(std::move(follower)), key_(key), self_(key.public_key()), effects_(&effects) {
  sequencer_ = state().genesis.sequencer;
  network_ = state().network;
}

/// What cannot be followed is written over when the ledger has given it again.
void LedgerClient::replay() {
  while (log_ != nullptr) {
    const auto block = read_block(*log_, height() + 1);
    if (!block.ok() || !*block || !follower_.follow(**block).ok()) {
      return;
    }
    remember_claims(**block);
  }
}

/// Where the store fails the log gets a gap, and ends there for the next life: nothing is lost that
/// the ledger does not have.
void LedgerClient::keep(const model::Block& block) {
  if (log_ != nullptr) {
    (void)log_->apply({{block_key(height()), codec::encode(block)}});
  }
}

void LedgerClient::start(uint64_t now_ms) {
  news_ms_ = now_ms;
  ask(now_ms);
}

uint64_t LedgerClient::next_nonce(const PublicKey& signer) const {
  const auto found = state().nonces.find(signer);
  return found == state().nonces.end() ? 0 : found->second;
}

/// At first also for the last block that is known: the answer tells how high the ledger is.
void LedgerClient::ask(uint64_t now_ms) {
  asked_ms_ = now_ms;
  const uint64_t first = heard_ ? height() + 1 : std::max<uint64_t>(height(), 1);
  effects_->push_back(Send{sequencer_, net::FollowBlocks{first}});
}

void LedgerClient::ask_gap(uint64_t now_ms) {
  if (!ahead_.empty() && now_ms - asked_ms_ >= ask_gap_ms) {
    ask(now_ms);
  }
}

void LedgerClient::send(uint64_t now_ms, Sent& sent) {
  const uint64_t next = next_nonce(sent.transaction.signer);
  // The sequencer would refuse those that are too far ahead; they go when their turn is near.
  if (sent.transaction.nonce >= next && sent.transaction.nonce - next >= limits::signer_queue_max) {
    return;
  }
  sent.sent_ms = now_ms;
  effects_->push_back(Send{sequencer_, net::SubmitTransaction{sent.transaction}});
}

model::TransactionId LedgerClient::submit(uint64_t now_ms, const model::Transaction& transaction) {
  uint64_t nonce = next_nonce(self_);
  for (const Sent& sent : unsettled_) {
    if (sent.transaction.signer == self_) {
      nonce = std::max(nonce, sent.transaction.nonce + 1);
    }
  }
  const model::Context context = {network_, model::SignedKind::transaction, nonce};
  const model::Signed made = model::sign(key_, context, codec::encode(transaction));
  submit_signed(now_ms, made);
  return model::transaction_id(made);
}

void LedgerClient::submit_signed(uint64_t now_ms, const model::Signed& transaction) {
  const auto same = [&](const Sent& sent) { return sent.transaction == transaction; };
  if (transaction.nonce < next_nonce(transaction.signer) || std::ranges::any_of(unsettled_, same)) {
    return;
  }
  unsettled_.push_back({transaction, std::nullopt});
  send(now_ms, unsettled_.back());
}

std::vector<LedgerNews> LedgerClient::on_blocks(uint64_t now_ms, const net::Blocks& blocks) {
  std::vector<LedgerNews> news;
  heard_ = heard_ || !blocks.blocks.empty();
  for (const model::Block& block : blocks.blocks) {
    const auto header = codec::decode<model::Header>(block.header.body);
    if (!header.ok() || header->height <= height()) {
      continue;
    }
    if (header->height > height() + 1) {
      keep_ahead(header->height, block);
    } else {
      follow(now_ms, block, news);
    }
  }
  while (!ahead_.empty() && ahead_.begin()->first <= height() + 1) {
    const auto next = ahead_.extract(ahead_.begin());
    if (next.key() == height() + 1 && !follow(now_ms, next.mapped(), news)) {
      break;
    }
  }
  ask_gap(now_ms);
  return news;
}

void LedgerClient::keep_ahead(uint64_t height, const model::Block& block) {
  // Only what the sequencer signed takes room; the rest of the check waits for the block's turn.
  if (height - this->height() <= ahead_max && !ahead_.contains(height) &&
      chain::header_of(block.header, network_, sequencer_).ok()) {
    ahead_.emplace(height, block);
  }
}

bool LedgerClient::follow(uint64_t now_ms,
                          const model::Block& block,
                          std::vector<LedgerNews>& news) {
  auto events = follower_.follow(block);
  if (!events.ok()) {
    return false;
  }
  news_ms_ = now_ms;
  for (ledger::Event& event : *events) {
    news.push_back({height(), time_ms(), std::move(event)});
  }
  keep(block);
  remember_claims(block);
  drop_included();
  return true;
}

void LedgerClient::remember_claims(const model::Block& block) {
  for (const model::Signed& transaction : block.transactions) {
    const model::ClaimId id = {model::signed_hash(transaction)};
    if (!state().claims.contains(id)) {
      continue;
    }
    auto body = codec::decode<model::Transaction>(transaction.body);
    if (!body.ok()) {
      continue;
    }
    if (auto* claim = std::get_if<model::PostClaim>(&body.value())) {
      claims_.emplace(id, std::move(*claim));
    }
  }
}

void LedgerClient::drop_included() {
  std::erase_if(unsettled_, [&](const Sent& sent) {
    return sent.transaction.nonce < next_nonce(sent.transaction.signer);
  });
}

void LedgerClient::tick(uint64_t now_ms) {
  for (Sent& sent : unsettled_) {
    if (!sent.sent_ms || now_ms - *sent.sent_ms >= resend_ms) {
      send(now_ms, sent);
    }
  }
  ask_gap(now_ms);
  const uint64_t silent_ms = now_ms - std::max(asked_ms_, news_ms_);
  if ((!unsettled_.empty() && silent_ms >= ask_silent_ms) || now_ms - asked_ms_ >= ask_ms) {
    ask(now_ms);
  }
}

bool LedgerClient::is_waiting(const model::TransactionId& id) const {
  return std::ranges::any_of(
      unsettled_, [&](const Sent& sent) { return model::transaction_id(sent.transaction) == id; });
}

Result<std::vector<model::Block>> LedgerClient::blocks(uint64_t first, size_t count_max) const {
  if (log_ == nullptr) {
    return refuse(Code::io_failed, "this node keeps no blocks");
  }
  std::vector<model::Block> found;
  for (uint64_t next = std::max<uint64_t>(first, 1); next <= height() && found.size() < count_max;
       ++next) {
    auto block = TRY(read_block(*log_, next));
    if (!block) {
      break;
    }
    found.push_back(std::move(*block));
  }
  return found;
}

const model::PostClaim* LedgerClient::claim(const model::ClaimId& id) const {
  const auto found = claims_.find(id);
  return found == claims_.end() ? nullptr : &found->second;
}

}  // namespace lockstep::node
