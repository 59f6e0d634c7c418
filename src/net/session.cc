// The connection itself, and what comes in. What goes out is in session_send.cc.
#include "net/session.h"

#include <algorithm>

#include "base/check.h"

namespace lockstep::net {

namespace {

// Control frames that come without a reason of ours: pings, and grants for windows that grew.
constexpr uint64_t signals_per_second = 32;
constexpr uint64_t signals_burst = 256;
constexpr uint64_t credit_max = uint64_t{1} << 32;

Error broken(std::string what) {
  return refuse(Code::bad_message, std::move(what));
}

}  // namespace

Session::Session(uint64_t now_ms, const SessionOptions& options)
    : options_(options),
      now_ms_(now_ms),
      began_ms_(now_ms),
      heard_ms_(now_ms),
      byte_rate_(options.limits.bytes_per_second, options.limits.bytes_per_second),
      message_rate_(options.limits.messages_per_second, options.limits.messages_per_second),
      signals_(signals_per_second, signals_burst) {
  for (size_t i = 0; i < priorities; ++i) {
    window_.at(i) = options.limits.window_bytes.at(i);
    window_left_.at(i) = window_.at(i);
  }
}

void Session::fail(Error error) {
  end(ByeReason::refused, std::move(error));
}

void Session::end(ByeReason reason, Error why) {
  if (ended_) {
    return;
  }
  constexpr size_t text_max = bye_bytes_max - 16;
  bye_due_ = Bye{reason, why.what.substr(0, text_max)};
  ended_ = std::move(why);
}

void Session::retire() {
  if (!ended_ && !retired_) {
    bye_due_ = Bye{ByeReason::replaced, "there is a newer connection"};
    retired_ = true;
    replaced_ = true;
  }
}

void Session::set_limits(const PeerLimits& limits) {
  for (size_t i = 0; i < priorities; ++i) {
    const uint64_t window = std::max<uint64_t>(window_.at(i), limits.window_bytes.at(i));
    raise_.at(i) += window - window_.at(i);
    window_.at(i) = window;
  }
  byte_rate_ = Allowance(limits.bytes_per_second, limits.bytes_per_second);
  message_rate_ = Allowance(limits.messages_per_second, limits.messages_per_second);
}

void Session::tick(uint64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  if (ended_) {
    return;
  }
  if (!hello_ && now_ms_ - began_ms_ >= options_.hello_ms) {
    fail(refuse(Code::timed_out, "the other side did not introduce itself"));
    return;
  }
  const uint64_t silent = now_ms_ - heard_ms_;
  if (silent >= options_.ping_after_ms * (uint64_t{options_.pings_max} + 1)) {
    fail(refuse(Code::timed_out, "the other side is silent for " + std::to_string(silent) + " ms"));
    return;
  }
  if (silent >= options_.ping_after_ms * (uint64_t{pings_} + 1)) {
    pings_ = static_cast<uint32_t>(silent / options_.ping_after_ms);
    ping_due_ = true;
  }
  for (size_t i = 0; i < priorities; ++i) {
    drop_expired(now_ms_, i);
  }
  for (Sending& sending : sending_) {
    if (sending.active && sending.queued.message.deadline_ms < now_ms_) {
      cancel(sending.queued.number);
    }
  }
}

// ---- frames in

void Session::on_bytes(uint64_t now_ms, ByteView bytes) {
  now_ms_ = std::max(now_ms_, now_ms);
  if (!bytes.empty()) {
    heard_ms_ = now_ms_;
    pings_ = 0;
  }
  while (!bytes.empty() && !ended_) {
    size_t used = 0;
    if (!in_payload_) {
      used = std::min(bytes.size(), frame_head_bytes - head_have_);
      std::memcpy(head_bytes_.data() + head_have_, bytes.data(), used);
      head_have_ += used;
      if (head_have_ == frame_head_bytes) {
        on_head();
      }
    } else if (head_.kind == FrameKind::data) {
      used = on_data(bytes);
    } else {
      used = on_control(bytes);
    }
    bytes = bytes.subspan(used);
  }
}

void Session::on_head() {
  head_have_ = 0;
  auto head = read_head(head_bytes_);
  if (!head.ok()) {
    fail(head.error());
    return;
  }
  head_ = *head;
  const bool first = head_.kind == FrameKind::hello || head_.kind == FrameKind::bye;
  if (!hello_ && !first) {
    fail(broken("the other side did not introduce itself first"));
    return;
  }
  switch (head_.kind) {
    case FrameKind::stop:
    case FrameKind::grant:
    case FrameKind::ping:
    case FrameKind::pong:
      if (!signals_.ready(now_ms_)) {
        fail(broken("far more control frames than there is a reason for"));
        return;
      }
      signals_.spend(1);
      break;
    default:
      break;
  }
  if (head_.kind == FrameKind::data) {
    const Receiving& receiving = receiving_.at(head_.slot);
    if (!receiving.open || receiving.left < head_.size) {
      fail(broken("bytes that belong to no message"));
      return;
    }
  }
  if (head_.size == 0) {
    auto done = handle(head_, {});
    if (!done.ok()) {
      fail(done.error());
    }
    return;
  }
  payload_left_ = head_.size;
  in_payload_ = true;
}

size_t Session::on_data(ByteView bytes) {
  const size_t used = std::min<size_t>(bytes.size(), payload_left_);
  Receiving& receiving = receiving_.at(head_.slot);
  if (!receiving.stopped) {
    receiving.bytes.insert(
        receiving.bytes.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(used));
  }
  receiving.left -= static_cast<uint32_t>(used);
  payload_left_ -= static_cast<uint32_t>(used);
  in_payload_ = payload_left_ != 0;
  if (receiving.left == 0) {
    finish_receiving(head_.slot);
  }
  return used;
}

size_t Session::on_control(ByteView bytes) {
  const size_t used = std::min<size_t>(bytes.size(), payload_left_);
  ByteView payload = bytes.first(used);
  payload_left_ -= static_cast<uint32_t>(used);
  if (payload_left_ != 0 || !gathered_.empty()) {
    gathered_.insert(gathered_.end(), payload.begin(), payload.end());
    payload = gathered_;
  }
  if (payload_left_ == 0) {
    auto done = handle(head_, payload);
    if (!done.ok()) {
      fail(done.error());
    }
    gathered_.clear();
    in_payload_ = false;
  }
  return used;
}

Result<void> Session::handle(const FrameHead& head, ByteView payload) {
  switch (head.kind) {
    case FrameKind::hello:
      return on_hello(payload);
    case FrameKind::bye:
      on_bye(TRY(codec::decode<Bye>(payload)));
      return {};
    case FrameKind::open:
      return begin_receiving(head, TRY(codec::decode<Open>(payload)));
    case FrameKind::reset:
      return on_reset(head.slot);
    case FrameKind::stop:
      return on_stop(head.slot, TRY(codec::decode<Stop>(payload)));
    case FrameKind::grant:
      return on_grant(head.slot, TRY(codec::decode<Grant>(payload)));
    case FrameKind::ping:
      pong_due_ = TRY(codec::decode<Ping>(payload)).token;
      return {};
    case FrameKind::pong:
    case FrameKind::data:
      return {};  // a pong says that the other side lives: so does any byte
  }
  return broken("a frame of no known kind");
}

Result<void> Session::on_hello(ByteView payload) {
  if (hello_) {
    return broken("the other side introduced itself twice");
  }
  codec::Reader reader(payload);
  const auto version = TRY(reader.number<uint16_t>());
  if (version != protocol_version) {
    return refuse(Code::wrong_network,
                  "the other side speaks version " + std::to_string(version) +
                      " of the protocol, this one version " + std::to_string(protocol_version),
                  "update the older of the two");
  }
  Hello hello = TRY(codec::decode<Hello>(payload));
  TRY(check_places(hello.places));
  if (hello.network != options_.network) {
    return refuse(Code::wrong_network, "the other side belongs to another network");
  }
  credit_ = {hello.control_window, hello.ordinary_window, hello.bulk_window};
  hello_ = std::move(hello);
  return {};
}

void Session::on_bye(const Bye& bye) {
  replaced_ = replaced_ || bye.reason == ByeReason::replaced;
  ended_ = refuse(Code::unreachable, "the other side has left: " + bye.text);
  bye_due_.reset();
}

// ---- messages in

Result<void> Session::begin_receiving(const FrameHead& head, const Open& open) {
  const size_t priority = index_of(priority_of_slot(head.slot));
  Receiving& receiving = receiving_.at(head.slot);
  if (receiving.open) {
    return broken("a message begins where another one is not finished");
  }
  if (open.size > message_bytes_max.at(priority)) {
    return refuse(Code::too_large, "a message of " + std::to_string(open.size) + " bytes");
  }
  const uint64_t cost = open.size + message_overhead;
  if (cost > window_left_.at(priority)) {
    return broken("a message that there was no credit for");
  }
  window_left_.at(priority) -= cost;
  receiving = {};
  receiving.open = true;
  receiving.channel = open.channel;
  receiving.serial = ++received_serial_;
  receiving.size = open.size;
  receiving.left = open.size;
  receiving.bytes.reserve(open.size);
  if (open.size == 0) {
    finish_receiving(head.slot);
  }
  return {};
}

void Session::finish_receiving(uint8_t slot) {
  Receiving& receiving = receiving_.at(slot);
  const Priority priority = priority_of_slot(slot);
  if (receiving.stopped) {
    give_back(index_of(priority), receiving.size);
  } else {
    ready_.at(index_of(priority))
        .push_back({std::move(receiving.bytes), receiving.channel, priority});
  }
  receiving = {};
}

Result<void> Session::on_reset(uint8_t slot) {
  Receiving& receiving = receiving_.at(slot);
  if (!receiving.open) {
    return broken("the reset of a message that is not there");
  }
  give_back(index_of(priority_of_slot(slot)), receiving.size);
  receiving = {};
  return {};
}

void Session::give_back(size_t priority, size_t bytes) {
  owed_.at(priority) += bytes + message_overhead;
  ++owed_messages_.at(priority);
}

std::optional<Incoming> Session::take_message() {
  for (size_t i = 0; i < priorities; ++i) {
    if (!ready_.at(i).empty()) {
      Incoming message = std::move(ready_.at(i).front());
      ready_.at(i).pop_front();
      give_back(i, message.bytes.size());
      return message;
    }
  }
  return std::nullopt;
}

bool Session::has_message() const {
  return std::any_of(
      ready_.begin(), ready_.end(), [](const auto& ready) { return !ready.empty(); });
}

bool Session::stop(uint8_t slot) {
  Receiving& receiving = receiving_.at(slot);
  if (!receiving.open || receiving.stopped) {
    return false;
  }
  receiving.stopped = true;
  receiving.stop_due = true;
  receiving.bytes = Bytes();  // an empty list would leave the memory where it is
  signal_due_ = true;
  return true;
}

size_t Session::held_bytes() const {
  size_t held = gathered_.capacity();
  for (const Receiving& receiving : receiving_) {
    held += receiving.open ? receiving.bytes.capacity() + message_overhead : 0;
  }
  for (const auto& ready : ready_) {
    for (const Incoming& message : ready) {
      held += message.bytes.capacity() + message_overhead;
    }
  }
  return held;
}

// ---- control frames in that are about what goes out

Result<void> Session::on_stop(uint8_t slot, const Stop& stop) {
  const Sending& sending = sending_.at(slot);
  if (sending.active && sending.serial == stop.serial) {
    cancel(sending.queued.number);
  }
  return {};
}

Result<void> Session::on_grant(uint8_t priority, const Grant& grant) {
  uint64_t& credit = credit_.at(priority);
  credit += grant.bytes;
  if (grant.bytes == 0 || credit > credit_max) {
    return broken("a grant that is none");
  }
  return {};
}

}  // namespace lockstep::net
