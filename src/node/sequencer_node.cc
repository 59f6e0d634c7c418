// When blocks are made and who gets them. A timer's id is its time, so that a late one is known.
#include "node/sequencer_node.h"

#include <algorithm>

namespace lockstep::node {
namespace {

size_t bytes_of(const model::Block& block) {
  size_t bytes = 0;
  for (const model::Signed& transaction : block.transactions) {
    bytes += chain::transaction_bytes(transaction);
  }
  return bytes;
}

}  // namespace

void SequencerNode::start(uint64_t now_ms) {
  wake(now_ms);
}

void SequencerNode::on_message(uint64_t now_ms,
                               const PublicKey& from,
                               const net::Message& message) {
  if (const auto* submitted = std::get_if<net::SubmitTransaction>(&message)) {
    // Who sent a refused one learns it from the blocks it is not in.
    (void)sequencer_.submit(submitted->transaction);
  } else if (const auto* asked = std::get_if<net::FollowBlocks>(&message)) {
    if (asked->first == net::FollowBlocks::how_high) {
      effects_.push_back(Send{from, net::Blocks{{}, sequencer_.height()}});
      return;
    }
    follow(from, asked->first);
  } else if (std::holds_alternative<net::AskGenesis>(message)) {
    effects_.push_back(
        Send{from, net::GiveGenesis{codec::encode(sequencer_.ledger().state().genesis)}});
    return;
  } else {
    return;
  }
  wake(now_ms);
}

void SequencerNode::on_timer(uint64_t now_ms, uint64_t id) {
  if (timer_ms_ == id) {
    timer_ms_.reset();
    wake(now_ms);
  }
}

void SequencerNode::on_work(uint64_t /*now_ms*/, WorkDone /*done*/) {}
void SequencerNode::on_signed(uint64_t /*now_ms*/, const model::Signed& /*transaction*/) {}

void SequencerNode::follow(const PublicKey& from, uint64_t first) {
  if (followers_.size() >= followers_max && !followers_.contains(from)) {
    return;
  }
  followers_[from] = std::clamp<uint64_t>(first, 1, sequencer_.height() + 1);
}

void SequencerNode::wake(uint64_t now_ms) {
  bool failed = false;
  auto next = sequencer_.next_block_ms(now_ms);
  while (next && *next <= now_ms && !failed) {
    failed = !produce(now_ms);
    next = sequencer_.next_block_ms(now_ms);
  }
  bool behind = false;
  for (auto& [follower, height] : followers_) {
    send_blocks(follower, height);
    behind = behind || height <= sequencer_.height();
  }
  if (failed) {
    set_timer(now_ms + retry_ms);
  } else if (next) {
    set_timer(*next);
  }
  if (behind) {
    set_timer(now_ms + sequencer_.ledger().state().genesis.block_ms);
  }
}

bool SequencerNode::produce(uint64_t now_ms) {
  std::vector<ledger::Event> events;
  if (!sequencer_.produce(now_ms, events).ok()) {
    return false;
  }
  for (ledger::Event& event : events) {
    effects_.push_back(Tell{LedgerNews{sequencer_.height(), now_ms, std::move(event)}});
  }
  return true;
}

void SequencerNode::send_blocks(const PublicKey& follower, uint64_t& next) {
  size_t sent = 0;
  while (next <= sequencer_.height() && sent < burst_bytes_max) {
    auto blocks = sequencer_.blocks(next, message_blocks_max);
    if (!blocks.ok()) {
      return;  // the log fails: again with the next wake
    }
    next += blocks->size();
    for (const model::Block& block : *blocks) {
      sent += bytes_of(block) + chain::transaction_bytes(block.header);
    }
    effects_.push_back(Send{follower, net::Blocks{std::move(blocks).value(), sequencer_.height()}});
  }
}

void SequencerNode::set_timer(uint64_t at_ms) {
  if (!timer_ms_ || at_ms < *timer_ms_) {
    timer_ms_ = at_ms;
    effects_.push_back(SetTimer{at_ms, at_ms});
  }
}

}  // namespace lockstep::node
