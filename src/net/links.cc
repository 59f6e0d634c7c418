// Connections: how they come, are used and go. What the hub is asked is in links_contact.cc.
#include "net/links.h"

#include <algorithm>

#include "net/priority.h"

namespace lockstep::net {

namespace {

constexpr size_t links_of_key_max = 4;  // a peer that lost some unnoticed comes back with another
constexpr uint64_t retired_ms_max = 5'000;
constexpr size_t left_bytes_max = size_t{32} << 20;
// Requests to the hub: a second, and at once.
constexpr uint64_t requests_rate = 8;
constexpr uint64_t requests_burst = 32;
constexpr uint64_t stranger_requests_rate = 1;
constexpr uint64_t stranger_requests_burst = 8;
// Introductions that a node follows.
constexpr uint64_t calls_rate = 4;
constexpr uint64_t calls_burst = 64;

Allowance requests_of(bool stranger) {
  return stranger ? Allowance(stranger_requests_rate, stranger_requests_burst)
                  : Allowance(requests_rate, requests_burst);
}

/// The other side broke a rule: nothing more is sent to it.
bool is_breach(const Error& why) {
  return why.code != Code::timed_out && why.code != Code::unreachable && !why.is_fault();
}

}  // namespace

Links::Links(env::Network& network, LinksOptions options)
    : network_(&network), options_(std::move(options)), calls_(calls_rate, calls_burst) {}

// ---- turns

void Links::begin_turn(uint64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  if (now_ms_ >= ticked_ms_ + options_.tick_ms) {
    ticked_ms_ = now_ms_;
    tick();
  }
}

void Links::end_turn() {
  while (!dirty_.empty()) {
    for (const env::Link link : std::exchange(dirty_, {})) {
      const auto at = connections_.find(link);
      if (at != connections_.end()) {
        pump(link, at->second);
      }
    }
  }
}

void Links::tick() {
  for (auto& [link, connection] : connections_) {
    tick_connection(link, connection);
  }
  tick_peers();
}

void Links::tick_connection(env::Link link, Connection& connection) {
  Session& session = *connection.session;
  session.tick(now_ms_);
  if (connection.stranger && is_known(connection.peer)) {
    connection.stranger = false;
    connection.requests = requests_of(false);
    session.set_limits(options_.session.limits);
  }
  if (connection.retired_ms != 0 && now_ms_ >= connection.retired_ms + retired_ms_max) {
    session.end(ByeReason::leaving, refuse(Code::timed_out, "the other side keeps an old link"));
  }
  if (session.ended() || session.has_output(now_ms_)) {
    mark(link, connection);
  }
}

void Links::tick_peers() {
  for (auto at = peers_.begin(); at != peers_.end();) {
    Peer& peer = at->second;
    drop_late(peer);
    reach(at->first, peer);
    const bool idle = peer.links.empty() && peer.waiting.empty() && !peer.dials && !peer.keep;
    at = idle && peer.addresses.empty() ? peers_.erase(at) : std::next(at);
  }
}

void Links::mark(env::Link link, Connection& connection) {
  if (!connection.dirty) {
    connection.dirty = true;
    dirty_.push_back(link);
  }
}

void Links::mark_ready(env::Link link, Connection& connection) {
  if (!connection.ready && connection.session->has_message()) {
    connection.ready = true;
    ready_.push_back(link);
  }
}

void Links::pump(env::Link link, Connection& connection) {
  connection.dirty = false;
  Session& session = *connection.session;
  while (!session.ended() && connection.in_network < options_.write_ahead_bytes) {
    Bytes out = session.take_output(now_ms_, options_.write_ahead_bytes - connection.in_network);
    if (out.empty()) {
      break;
    }
    connection.in_network += out.size();
    network_->write(link, std::move(out));
  }
  if (session.ended()) {
    finish(link);
  }
}

// ---- what the network tells

bool Links::is_full(bool stranger) const {
  const auto strangers = std::count_if(connections_.begin(),
                                       connections_.end(),
                                       [](const auto& entry) { return entry.second.stranger; });
  return connections_.size() >= options_.links_max ||
         (stranger && static_cast<size_t>(strangers) >= options_.strangers_max);
}

void Links::make_room(const PublicKey& key) {
  std::vector<env::Link> same;
  for (const auto& [link, connection] : connections_) {
    if (connection.peer == key) {
      same.push_back(link);
    }
  }
  if (same.size() >= links_of_key_max) {
    connections_.at(same.front())
        .session->end(ByeReason::replaced, refuse(Code::unreachable, "there are newer links"));
    finish(same.front());
  }
}

void Links::on_open(env::Link link, const env::NodeId& peer, bool dialed) {
  const PublicKey key{peer};
  dials_.erase(link);  // the peer counts as being dialed until there is a hello
  const bool stranger = !is_known(key) && !dialed;
  if (key == options_.key || is_full(stranger)) {
    network_->close(link);
    dial_ended(key, dialed);
    return;
  }
  make_room(key);
  SessionOptions options = options_.session;
  if (stranger) {
    options.limits = options_.strangers;
  }
  Connection& connection = connections_[link];
  connection.peer = key;
  connection.dialed = dialed;
  connection.stranger = stranger;
  connection.requests = requests_of(stranger);
  connection.session = std::make_unique<Session>(now_ms_, options);
  mark(link, connection);
}

void Links::on_bytes(env::Link link, ByteView bytes) {
  const auto at = connections_.find(link);
  if (at == connections_.end()) {
    return;
  }
  Connection& connection = at->second;
  Session& session = *connection.session;
  session.on_bytes(now_ms_, bytes);
  if (!connection.usable && connection.retired_ms == 0 && session.hello() && !session.ended()) {
    on_hello(link, connection);
  }
  mark_ready(link, connection);
  if (session.ended() || session.has_output(now_ms_)) {
    mark(link, connection);
  }
}

void Links::on_drained(env::Link link) {
  const auto at = connections_.find(link);
  if (at != connections_.end()) {
    at->second.in_network = 0;
    pump(link, at->second);
  }
}

void Links::on_closed(env::Link link, const Error& why) {
  const auto at = connections_.find(link);
  if (at != connections_.end()) {
    forget(at, why);
    return;
  }
  const auto dialing = dials_.find(link);
  if (dialing != dials_.end()) {
    const PublicKey key = dialing->second;
    dials_.erase(dialing);
    const Peer* const peer = find_peer(key);
    if (peer != nullptr && peer->keep && peer->links.empty()) {
      events_.emplace_back(PeerUnreached{key, why});
    }
    dial_ended(key, true);
  }
}

void Links::dial_ended(const PublicKey& key, bool dialed) {
  Peer* const peer = find_peer(key);
  if (peer != nullptr && dialed) {
    peer->dials = false;
    back_off(key, *peer);
  }
}

// ---- one link to each peer

void Links::on_hello(env::Link link, Connection& connection) {
  const PublicKey key = connection.peer;
  Peer* const peer = peer_of(key);
  if (peer == nullptr) {
    connection.session->end(ByeReason::leaving, refuse(Code::too_large, "too many peers"));
    return;
  }
  connection.usable = true;
  const Hello& hello = *connection.session->hello();
  if (!peer->keep && !hello.places.empty()) {
    peer->addresses = addresses_of(hello.places);
  }
  peer->dials = peer->dials && !connection.dialed;
  peer->failures = 0;
  peer->calls_left = 0;
  peer->links.push_back(link);
  if (peer->links.size() == 1) {
    events_.emplace_back(PeerUp{key, hello.role});
  }
  replace_older(key, *peer);
  send_waiting(*peer);
}

/// Only the side with the smaller key decides, so that both keep the same link, whichever of two
/// crossing ones that is. The newest is the one of which it is certain that it lives.
void Links::replace_older(const PublicKey& key, Peer& peer) {
  if (key < options_.key) {
    return;
  }
  std::vector<env::Link> older = peer.links;
  older.pop_back();
  peer.links = {peer.links.back()};
  for (const env::Link link : older) {
    Connection& connection = connections_.at(link);
    connection.usable = false;
    connection.retired_ms = std::max<uint64_t>(now_ms_, 1);
    connection.session->retire();
    keep_unsent(connection);
    mark(link, connection);
  }
}

void Links::keep_unsent(Connection& connection) {
  for (auto& [priority, message] : connection.session->take_unsent()) {
    post(connection.peer, priority, std::move(message));  // no room any more: lost, like others
  }
}

void Links::keep_messages(Connection& connection) {
  while (left_bytes_ < left_bytes_max) {
    auto message = connection.session->take_message();
    if (!message) {
      return;
    }
    left_bytes_ += message->bytes.size() + message_overhead;
    left_.push_back({connection.peer, std::nullopt, std::move(*message)});
  }
}

void Links::finish(env::Link link) {
  const auto at = connections_.find(link);
  Bytes last = at->second.session->take_output(now_ms_, frame_bytes_max);
  if (!last.empty()) {
    network_->write(link, std::move(last));
  }
  network_->close(link);
  const Error why = *at->second.session->ended();
  forget(at, why);
}

void Links::forget(Connections::iterator at, const Error& why) {
  // Out of the map first: what follows may look for links of this peer.
  auto node = connections_.extract(at);
  Connection& connection = node.mapped();
  const PublicKey key = connection.peer;
  Peer* const peer = find_peer(key);
  keep_messages(connection);
  if (peer == nullptr) {
    return;
  }
  if (connection.usable) {
    std::erase(peer->links, node.key());
    if (peer->links.empty()) {
      events_.emplace_back(PeerDown{key, why});
      peer->next_dial_ms = now_ms_ + options_.redial_ms;
    }
  } else if (connection.retired_ms == 0) {
    dial_ended(key, connection.dialed);
  }
  if (!is_breach(why)) {
    keep_unsent(connection);
  }
}

// ---- messages out

Session* Links::session_of(const PublicKey& key) {
  const auto at = peers_.find(key);
  if (at == peers_.end() || at->second.links.empty()) {
    return nullptr;
  }
  return connections_.at(at->second.links.back()).session.get();
}

bool Links::is_up(const PublicKey& key) const {
  const auto at = peers_.find(key);
  return at != peers_.end() && !at->second.links.empty();
}

bool Links::send(uint64_t now_ms, const PublicKey& to, const Message& message) {
  now_ms_ = std::max(now_ms_, now_ms);
  Outgoing outgoing{codec::encode(message), Channel::nodes, now_ms_ + options_.wait_ms};
  return post(to, priority_of(message), std::move(outgoing));
}

bool Links::post(const PublicKey& to, Priority priority, Outgoing&& message) {
  if (to == options_.key || message.bytes.size() > message_bytes_max.at(index_of(priority))) {
    return false;
  }
  Peer* const peer = peer_of(to);
  if (peer == nullptr) {
    return false;
  }
  if (!peer->links.empty()) {
    const env::Link link = peer->links.back();
    Connection& connection = connections_.at(link);
    mark(link, connection);
    return connection.session->send(now_ms_, priority, std::move(message)).has_value();
  }
  const bool taken = wait(*peer, priority, std::move(message));
  reach(to, *peer);
  return taken;
}

bool Links::wait(Peer& peer, Priority priority, Outgoing&& message) {
  const size_t cost = message.bytes.size() + message_overhead;
  const auto full = [&] {
    return peer.waiting_bytes + cost > options_.waiting_bytes_max ||
           waiting_bytes_ + cost > options_.all_waiting_bytes_max;
  };
  if (full()) {
    drop_late(peer);
    if (full()) {
      return false;
    }
  }
  peer.waiting_bytes += cost;
  waiting_bytes_ += cost;
  peer.waiting.push_back({priority, std::move(message)});
  return true;
}

void Links::drop_late(Peer& peer) {
  std::erase_if(peer.waiting, [&](const Waiting& waiting) {
    const bool late = waiting.message.deadline_ms < now_ms_;
    const size_t cost = late ? waiting.message.bytes.size() + message_overhead : 0;
    peer.waiting_bytes -= cost;
    waiting_bytes_ -= cost;
    return late;
  });
}

void Links::send_waiting(Peer& peer) {
  drop_late(peer);
  waiting_bytes_ -= peer.waiting_bytes;
  peer.waiting_bytes = 0;
  const env::Link link = peer.links.back();
  Connection& connection = connections_.at(link);
  for (Waiting& waiting : std::exchange(peer.waiting, {})) {
    connection.session->send(now_ms_, waiting.priority, std::move(waiting.message));
  }
  mark(link, connection);
}

// ---- messages in

std::optional<Links::Taken> Links::take_message() {
  if (!left_.empty()) {
    Taken taken = std::move(left_.front());
    left_.pop_front();
    left_bytes_ -= taken.message.bytes.size() + message_overhead;
    return taken;
  }
  while (!ready_.empty()) {
    const env::Link link = ready_.front();
    ready_.pop_front();
    const auto at = connections_.find(link);
    if (at == connections_.end()) {
      continue;
    }
    Connection& connection = at->second;
    connection.ready = false;
    auto message = connection.session->take_message();
    if (!message) {
      continue;
    }
    mark_ready(link, connection);
    mark(link, connection);  // it has credit to give
    return Taken{connection.peer, link, std::move(*message)};
  }
  return std::nullopt;
}

std::optional<Event> Links::next_event() {
  while (events_.empty()) {
    auto taken = take_message();
    if (!taken) {
      return std::nullopt;
    }
    auto event = read(taken->from, taken->message);
    if (event.ok() && event->has_value()) {
      return std::move(**event);
    }
    const auto at = taken->link ? connections_.find(*taken->link) : connections_.end();
    if (!event.ok() && at != connections_.end()) {
      at->second.session->end(ByeReason::refused, refuse(Code::bad_message, event.error().what));
      mark(at->first, at->second);
    }
  }
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

Result<std::optional<Event>> Links::read(const PublicKey& from, const Incoming& message) {
  if (message.channel == Channel::peers) {
    return on_contact(from, TRY(read_contact(message.bytes)));
  }
  return std::optional<Event>(Arrived{from, TRY(codec::decode<Message>(message.bytes))});
}

size_t Links::held_bytes() const {
  size_t held = left_bytes_;
  for (const auto& [link, connection] : connections_) {
    held += connection.session->held_bytes();
  }
  return held;
}

}  // namespace lockstep::net
