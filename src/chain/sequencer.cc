// The sequencer's log and queues. Every block is applied to a copy of the ledger first: the copy
// takes the ledger's place only when the block is in the log.
#include "chain/sequencer.h"

#include <algorithm>

#include "base/limits.h"
#include "base/mutant.h"

namespace lockstep::chain {
namespace {

constexpr const char* height_key = "height";

std::string block_key(uint64_t height) {
  std::string key = "block/0000000000000000";
  for (size_t at = key.size(); height > 0; height /= 16) {
    key[--at] = "0123456789abcdef"[height % 16];
  }
  return key;
}

Error bad_log(std::string what, uint64_t height) {
  return refuse(Code::bad_block,
                std::move(what),
                "restore the log from a copy",
                "block " + std::to_string(height));
}

Result<model::Block> read_block(env::KeyValue& log, uint64_t height) {
  const auto bytes = TRY(log.get(block_key(height)));
  if (!bytes) {
    return bad_log("the log does not have this block", height);
  }
  auto block = codec::decode<model::Block>(*bytes);
  if (!block.ok()) {
    return bad_log("the log's bytes are no block: " + block.error().what, height);
  }
  return block;
}

Result<uint64_t> read_height(env::KeyValue& log) {
  const auto bytes = TRY(log.get(height_key));
  if (bytes) {
    const auto height = codec::decode<uint64_t>(*bytes);
    if (!height.ok()) {
      return bad_log("the log's height is no number", 0);
    }
    return *height;
  }
  if (TRY(log.get(block_key(1)))) {
    return bad_log("the log has blocks but no height", 1);
  }
  return 0;
}

/// Which preimage a block shows.
uint64_t link_of(uint64_t height) {
  return is_mutated(Mutant::preimage_reused) ? (height + 1) / 2 : height;
}

}  // namespace

Result<Sequencer> Sequencer::create(const model::Genesis& genesis,
                                    const crypto::SecretKey& key,
                                    const Hash& secret,
                                    env::KeyValue& log) {
  if (genesis.sequencer != key.public_key()) {
    return refuse(Code::out_of_range, "the key is not that of the genesis's sequencer");
  }
  std::vector<Hash> preimages = model::preimage_chain(secret, limits::preimages_max);
  if (preimages.front() != genesis.preimages) {
    return refuse(Code::out_of_range, "the chain of preimages is not the genesis's");
  }
  Follower follower = TRY(Follower::create(genesis));
  const uint64_t height = TRY(read_height(log));
  Hash previous;
  for (uint64_t next = 1; next <= height; ++next) {
    const model::Block block = TRY(read_block(log, next));
    const auto events = follower.follow(block);
    if (!events.ok()) {
      return bad_log("the log does not fit the genesis: " + events.error().what, next);
    }
    previous = model::signed_hash(block.header);
  }
  Sequencer sequencer(follower.ledger(), key, log);
  sequencer.preimages_ = std::move(preimages);
  sequencer.previous_ = previous;
  return sequencer;
}

uint64_t Sequencer::next_nonce(const crypto::PublicKey& signer) const {
  const auto& nonces = ledger_.state().nonces;
  const auto found = nonces.find(signer);
  return found == nonces.end() ? 0 : found->second;
}

Result<void> Sequencer::submit(const model::Signed& transaction) {
  const size_t bytes = transaction_bytes(transaction);
  if (bytes > limits::transaction_bytes_max) {
    return refuse(Code::too_large, "the transaction is longer than one may be", "split it");
  }
  const uint64_t next = next_nonce(transaction.signer);
  if (transaction.nonce < next) {
    return {};
  }
  const uint64_t ahead = transaction.nonce - next;
  if (ahead >= limits::signer_queue_max) {
    return refuse(Code::wrong_nonce, "the nonce is too far ahead", "send those before it first");
  }
  const auto queue = queues_.find(transaction.signer);
  if (queue != queues_.end() && queue->second.contains(transaction.nonce)) {
    if (queue->second.at(transaction.nonce) == transaction) {
      return {};
    }
    return refuse(Code::wrong_nonce, "another transaction with this nonce waits already");
  }
  TRY(ledger_.admit(transaction, ahead));
  if (queue_bytes_ + bytes > queue_bytes_max) {
    return refuse(Code::too_large, "too many transactions wait", "send it again later");
  }
  queues_[transaction.signer].emplace(transaction.nonce, transaction);
  queue_bytes_ += bytes;
  return {};
}

uint64_t Sequencer::earliest_ms() const {
  const ledger::State& state = ledger_.state();
  return height() == 0 ? 0 : state.totals.time_ms + state.genesis.block_ms;
}

bool Sequencer::has_admissible() const {
  return std::ranges::any_of(
      queues_, [&](const auto& queue) { return queue.second.contains(next_nonce(queue.first)); });
}

std::optional<uint64_t> Sequencer::next_block_ms(uint64_t now_ms) const {
  if (height() + 1 >= preimages_.size()) {
    return std::nullopt;
  }
  if (has_admissible()) {
    return std::max(now_ms, earliest_ms());
  }
  const auto due = ledger_.next_due_ms();
  return due ? std::optional(std::max({now_ms, *due, earliest_ms()})) : std::nullopt;
}

std::vector<model::Signed> Sequencer::take_queued() {
  std::vector<model::Signed> taken;
  size_t bytes = 0;
  for (auto& [signer, queue] : queues_) {
    const uint64_t first = next_nonce(signer);
    for (uint64_t ahead = 0; taken.size() < limits::block_transactions_max; ++ahead) {
      const auto found = queue.find(first + ahead);
      if (found == queue.end()) {
        break;
      }
      const size_t size = transaction_bytes(found->second);
      if (bytes + size > limits::block_bytes_max) {
        return taken;
      }
      if (!ledger_.admit(found->second, ahead).ok()) {
        queue_bytes_ -= size;
        queue.erase(found);
        break;
      }
      bytes += size;
      taken.push_back(found->second);
    }
  }
  return taken;
}

void Sequencer::drop_used() {
  for (auto& [signer, queue] : queues_) {
    const auto end = queue.lower_bound(next_nonce(signer));
    for (auto used = queue.begin(); used != end; used = queue.erase(used)) {
      queue_bytes_ -= transaction_bytes(used->second);
    }
  }
  std::erase_if(queues_, [](const auto& queue) { return queue.second.empty(); });
}

model::Block Sequencer::seal(uint64_t now_ms,
                             std::vector<model::Signed> transactions,
                             const ledger::Ledger& after) const {
  model::Header header;
  header.height = height() + 1;
  header.previous = previous_;
  header.time_ms = now_ms;
  header.preimage = preimages_[link_of(header.height)];
  header.transactions = transactions_root(transactions);
  header.state = after.state_root();
  const model::Context context = {
      ledger_.state().network, model::SignedKind::header, header.height};
  return {model::sign(key_, context, codec::encode(header)), std::move(transactions)};
}

Result<model::Block> Sequencer::produce(uint64_t now_ms, std::vector<ledger::Event>& events) {
  const uint64_t next = height() + 1;
  if (next >= preimages_.size()) {
    return refuse(Code::bad_block, "the chain of preimages is used up", "start a new network");
  }
  if (now_ms < earliest_ms()) {
    return refuse(Code::bad_block, "it is too early for another block");
  }
  std::vector<model::Signed> transactions = take_queued();
  ledger::Ledger after = ledger_;
  auto happened = TRY(after.apply({next, now_ms, preimages_[link_of(next)], transactions}));
  model::Block block = seal(now_ms, std::move(transactions), after);
  std::vector<env::KeyValue::Change> batch = {{block_key(next), codec::encode(block)},
                                              {height_key, codec::encode(next)}};
  if (is_mutated(Mutant::missing_sync)) {
    std::swap(batch, unwritten_);
  }
  TRY(log_->apply(std::move(batch)));
  ledger_ = std::move(after);
  previous_ = model::signed_hash(block.header);
  drop_used();
  events = std::move(happened);
  return block;
}

Result<std::vector<model::Block>> Sequencer::blocks(uint64_t first, size_t count_max) {
  std::vector<model::Block> found;
  for (uint64_t next = std::max<uint64_t>(first, 1); next <= height() && found.size() < count_max;
       ++next) {
    const bool unwritten = next == height() && !unwritten_.empty();
    found.push_back(unwritten ? codec::decode<model::Block>(*unwritten_[0].value).value()
                              : TRY(read_block(*log_, next)));
  }
  return found;
}

}  // namespace lockstep::chain
