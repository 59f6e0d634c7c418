// What goes out of a session: queues, frames, credit.
#include <algorithm>

#include "base/check.h"
#include "net/session.h"

namespace lockstep::net {

namespace {

size_t cost_of(const Outgoing& message) {
  return message.bytes.size() + message_overhead;
}

}  // namespace

std::optional<uint64_t> Session::send(uint64_t now_ms, Priority priority, Outgoing&& message) {
  const size_t i = index_of(priority);
  const size_t cost = cost_of(message);
  if (ended_ || retired_ || message.bytes.size() > message_bytes_max.at(i)) {
    return std::nullopt;
  }
  if (queued_bytes_.at(i) + cost > options_.queue_bytes_max.at(i)) {
    drop_expired(now_ms, i);
    if (queued_bytes_.at(i) + cost > options_.queue_bytes_max.at(i)) {
      return std::nullopt;
    }
  }
  queued_bytes_.at(i) += cost;
  queues_.at(i).push_back({std::move(message), ++last_number_});
  return last_number_;
}

void Session::drop_expired(uint64_t now_ms, size_t priority) {
  std::erase_if(queues_.at(priority), [&](const Queued& queued) {
    const bool late = queued.message.deadline_ms < now_ms;
    queued_bytes_.at(priority) -= late ? cost_of(queued.message) : 0;
    return late;
  });
}

bool Session::cancel(uint64_t number) {
  for (uint8_t slot = 0; slot < slots; ++slot) {
    Sending& sending = sending_.at(slot);
    if (sending.active && sending.queued.number == number) {
      sending.reset = true;
      signal_due_ = true;
      finish_sending(slot);
      return true;
    }
  }
  for (size_t i = 0; i < priorities; ++i) {
    const auto found = std::find_if(queues_.at(i).begin(),
                                    queues_.at(i).end(),
                                    [&](const Queued& queued) { return queued.number == number; });
    if (found != queues_.at(i).end()) {
      queued_bytes_.at(i) -= cost_of(found->message);
      queues_.at(i).erase(found);
      return true;
    }
  }
  return false;
}

std::vector<std::pair<Priority, Outgoing>> Session::take_unsent() {
  std::vector<std::pair<Priority, Outgoing>> unsent;
  for (uint8_t slot = 0; slot < slots; ++slot) {
    if (sending_.at(slot).active) {
      unsent.emplace_back(priority_of_slot(slot), std::move(sending_.at(slot).queued.message));
      sending_.at(slot).active = false;
    }
  }
  for (size_t i = 0; i < priorities; ++i) {
    for (Queued& queued : queues_.at(i)) {
      unsent.emplace_back(static_cast<Priority>(i), std::move(queued.message));
    }
    queues_.at(i).clear();
  }
  queued_bytes_ = {};
  bulk_active_ = 0;
  return unsent;
}

// ---- frames out

bool Session::can_begin(size_t priority) const {
  return !queues_.at(priority).empty() &&
         cost_of(queues_.at(priority).front().message) <= credit_.at(priority);
}

bool Session::has_output(uint64_t now_ms) {
  if (bye_due_) {
    return true;
  }
  if (ended_ || retired_) {
    return false;
  }
  if (hello_due_ || ping_due_ || pong_due_ || signal_due_ || bulk_active_ != 0 ||
      sending_[0].active || sending_[1].active) {
    return true;
  }
  for (size_t i = 0; i < priorities; ++i) {
    if (can_begin(i) || grant_due(now_ms, i)) {
      return true;
    }
  }
  return false;
}

Bytes Session::take_output(uint64_t now_ms, size_t bytes_max) {
  Bytes out;
  if (!has_output(now_ms)) {
    return out;
  }
  size_t waiting = size_t{1} << 10;
  for (const size_t queued : queued_bytes_) {
    waiting += queued;
  }
  out.reserve(std::min(waiting, bytes_max + 2 * frame_bytes_max));
  if (!ended_ && !retired_) {
    put_control(now_ms, out);
    while (out.size() < bytes_max && put_message_frame(now_ms, out)) {
    }
  } else if (hello_due_) {
    put_control(now_ms, out);  // a bye before the hello would look like another protocol
  }
  if (bye_due_) {
    put_frame(out, FrameKind::bye, 0, *bye_due_);
    bye_due_.reset();
  }
  return out;
}

void Session::put_control(uint64_t now_ms, Bytes& out) {
  if (hello_due_) {
    Hello hello;
    hello.network = options_.network;
    hello.role = options_.role;
    hello.control_window = static_cast<uint32_t>(window_left_[0]);
    hello.ordinary_window = static_cast<uint32_t>(window_left_[1]);
    hello.bulk_window = static_cast<uint32_t>(window_left_[2]);
    hello.places = places_of(options_.addresses);
    put_frame(out, FrameKind::hello, 0, hello);
    hello_due_ = false;
  }
  if (pong_due_) {
    put_frame(out, FrameKind::pong, 0, Ping{*pong_due_});
    pong_due_.reset();
  }
  if (ping_due_) {
    put_frame(out, FrameKind::ping, 0, Ping{++ping_token_});
    ping_due_ = false;
    signals_.add(1);
  }
  if (signal_due_) {
    put_signals(out);
  }
  put_grants(now_ms, out);
}

void Session::put_signals(Bytes& out) {
  for (uint8_t slot = 0; slot < slots; ++slot) {
    if (sending_.at(slot).reset) {
      put_head(out, {0, FrameKind::reset, slot});
      sending_.at(slot).reset = false;
    }
    Receiving& receiving = receiving_.at(slot);
    if (receiving.stop_due) {
      put_frame(out, FrameKind::stop, slot, Stop{receiving.serial});
      receiving.stop_due = false;
    }
  }
  signal_due_ = false;
}

bool Session::grant_due(uint64_t now_ms, size_t priority) {
  if (raise_.at(priority) != 0) {
    return true;
  }
  if (owed_.at(priority) == 0) {
    return false;
  }
  // Little by little would cost a frame for each message; the largest message always fits in.
  const uint64_t largest = message_bytes_max.at(priority) + message_overhead;
  const uint64_t window = window_.at(priority);
  const uint64_t enough = window > largest ? std::min(window / 4, window - largest) : 1;
  return owed_.at(priority) >= enough && byte_rate_.ready(now_ms) && message_rate_.ready(now_ms);
}

void Session::put_grants(uint64_t now_ms, Bytes& out) {
  for (size_t i = 0; i < priorities; ++i) {
    if (!grant_due(now_ms, i)) {
      continue;
    }
    uint64_t bytes = std::exchange(raise_.at(i), 0);
    if (byte_rate_.ready(now_ms) && message_rate_.ready(now_ms)) {
      byte_rate_.spend(owed_.at(i));
      message_rate_.spend(owed_messages_.at(i));
      bytes += std::exchange(owed_.at(i), 0);
      owed_messages_.at(i) = 0;
    }
    window_left_.at(i) += bytes;
    put_frame(out, FrameKind::grant, static_cast<uint8_t>(i), Grant{static_cast<uint32_t>(bytes)});
  }
}

bool Session::put_message_frame(uint64_t now_ms, Bytes& out) {
  for (uint8_t slot = 0; slot < first_bulk_slot; ++slot) {
    if (sending_.at(slot).active || begin_sending(now_ms, slot, out)) {
      put_data(slot, out);
      return true;
    }
  }
  return put_bulk_frame(now_ms, out);
}

bool Session::put_bulk_frame(uint64_t now_ms, Bytes& out) {
  // A slot's turn: it goes on, or the next message begins in it.
  for (uint8_t tried = 0; tried < bulk_slots; ++tried) {
    const auto slot = static_cast<uint8_t>(first_bulk_slot + bulk_turn_);
    bulk_turn_ = static_cast<uint8_t>((bulk_turn_ + 1) % bulk_slots);
    if (sending_.at(slot).active || begin_sending(now_ms, slot, out)) {
      put_data(slot, out);
      return true;
    }
  }
  return false;
}

bool Session::begin_sending(uint64_t now_ms, uint8_t slot, Bytes& out) {
  const size_t i = index_of(priority_of_slot(slot));
  while (!queues_.at(i).empty() && queues_.at(i).front().message.deadline_ms < now_ms) {
    queued_bytes_.at(i) -= cost_of(queues_.at(i).front().message);
    queues_.at(i).pop_front();
  }
  if (!can_begin(i)) {
    return false;
  }
  Sending& sending = sending_.at(slot);
  sending.queued = std::move(queues_.at(i).front());
  queues_.at(i).pop_front();
  sending.active = true;
  sending.sent = 0;
  sending.serial = ++last_serial_;
  bulk_active_ += slot >= first_bulk_slot ? 1 : 0;
  credit_.at(i) -= cost_of(sending.queued.message);
  signals_.add(4);  // the other side may grant, and stop, and say so again
  const Outgoing& message = sending.queued.message;
  put_frame(out,
            FrameKind::open,
            slot,
            Open{message.channel, static_cast<uint32_t>(message.bytes.size())});
  return true;
}

void Session::put_data(uint8_t slot, Bytes& out) {
  Sending& sending = sending_.at(slot);
  const Bytes& bytes = sending.queued.message.bytes;
  const size_t size = std::min(frame_bytes_max, bytes.size() - sending.sent);
  if (size != 0) {
    put_head(out, {static_cast<uint32_t>(size), FrameKind::data, slot});
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(sending.sent);
    out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(size));
    sending.sent += size;
  }
  if (sending.sent == bytes.size()) {
    finish_sending(slot);
  }
}

void Session::finish_sending(uint8_t slot) {
  Sending& sending = sending_.at(slot);
  queued_bytes_.at(index_of(priority_of_slot(slot))) -= cost_of(sending.queued.message);
  sending.queued = {};
  sending.active = false;
  bulk_active_ -= slot >= first_bulk_slot ? 1 : 0;
}

}  // namespace lockstep::net
