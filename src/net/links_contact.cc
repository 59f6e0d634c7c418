// How links reaches peers: addresses and back-off, and the hub.
#include <algorithm>

#include "net/links.h"

namespace lockstep::net {

namespace {

constexpr uint32_t calls_max = 3;  // attempts to follow an introduction

/// Up to a quarter less, so that many that lost the same peer do not come back at one moment.
uint64_t spread(uint64_t wait_ms, const PublicKey& key, uint32_t failures) {
  uint64_t word = 0;
  std::memcpy(&word, key.bytes.data(), sizeof word);
  word = (word ^ failures) * 0x9e3779b97f4a7c15U;
  return wait_ms - (wait_ms / 4) * ((word >> 32) & 0xFF) / 0xFF;
}

}  // namespace

Links::Peer* Links::find_peer(const PublicKey& key) {
  const auto found = peers_.find(key);
  return found == peers_.end() ? nullptr : &found->second;
}

Links::Peer* Links::peer_of(const PublicKey& key) {
  if (Peer* const found = find_peer(key); found != nullptr) {
    return found;
  }
  if (peers_.size() >= options_.peers_max) {
    const auto idle = std::find_if(peers_.begin(), peers_.end(), [](const auto& entry) {
      const Peer& peer = entry.second;
      return peer.links.empty() && peer.waiting.empty() && !peer.dials && !peer.keep;
    });
    if (idle == peers_.end()) {
      return nullptr;
    }
    peers_.erase(idle);
  }
  return &peers_[key];
}

bool Links::is_known(const PublicKey& key) const {
  const auto peer = peers_.find(key);
  return from_hub(key) || (peer != peers_.end() && peer->second.keep) ||
         (options_.known && options_.known(key));
}

void Links::add_peer(const PublicKey& key, std::vector<env::Address> addresses) {
  Peer* const peer = peer_of(key);
  if (peer == nullptr || key == options_.key) {
    return;
  }
  peer->keep = true;
  peer->addresses = std::move(addresses);
  peer->next_dial_ms = now_ms_;
  reach(key, *peer);
}

// ---- dialing

void Links::reach(const PublicKey& key, Peer& peer) {
  const bool wished = peer.keep || !peer.waiting.empty() || peer.calls_left > 0;
  if (!wished || peer.dials || !peer.links.empty()) {
    return;
  }
  if (!peer.waiting.empty() && peer.failures >= peer.addresses.size()) {
    introduce(key, peer);
  }
  if (!peer.addresses.empty() && now_ms_ >= peer.next_dial_ms) {
    dial(key, peer);
  }
}

void Links::dial(const PublicKey& key, Peer& peer) {
  const env::Address& address = peer.addresses[peer.failures % peer.addresses.size()];
  peer.dials = true;
  peer.calls_left -= peer.calls_left > 0 ? 1 : 0;
  dials_.emplace(network_->dial(address, key.bytes), key);
}

void Links::back_off(const PublicKey& key, Peer& peer) {
  const uint64_t wait_ms =
      std::min(options_.redial_ms_max, options_.redial_ms << std::min<uint32_t>(peer.failures, 16));
  peer.failures = std::min<uint32_t>(peer.failures + 1, 1'000'000);
  peer.next_dial_ms = now_ms_ + spread(wait_ms, key, peer.failures);
}

/// Asks the hub, which has the peer call on this node, or, where this one does not listen, says
/// where the peer does.
void Links::introduce(const PublicKey& key, Peer& peer) {
  if (!options_.hub || is_hub() || from_hub(key) || now_ms_ < peer.next_introduce_ms ||
      !is_up(*options_.hub)) {
    return;
  }
  peer.next_introduce_ms = now_ms_ + options_.introduce_ms;
  send_contact(*options_.hub, Introduce{key});
}

// ---- the hub

bool Links::send_contact(const PublicKey& to, const Contact& contact) {
  Outgoing outgoing{codec::encode(contact), Channel::peers, now_ms_ + options_.wait_ms};
  return post(to, Priority::control, std::move(outgoing));
}

bool Links::ask_who(uint64_t now_ms, Role role) {
  now_ms_ = std::max(now_ms_, now_ms);
  if (is_hub()) {
    events_.emplace_back(list_of(role, options_.key));
    return true;
  }
  return options_.hub && send_contact(*options_.hub, WhoIs{role});
}

Result<std::optional<Event>> Links::on_contact(const PublicKey& from, const Contact& contact) {
  const bool answer =
      std::holds_alternative<PeerList>(contact) || std::holds_alternative<CallOn>(contact);
  if (answer ? !from_hub(from) : !is_hub()) {
    return refuse(Code::bad_message,
                  answer ? "only the hub introduces peers" : "this node introduces nobody");
  }
  if (!answer && !may_ask(from)) {
    return std::optional<Event>();  // too many requests: it will ask again
  }
  if (const auto* const who = std::get_if<WhoIs>(&contact)) {
    send_contact(from, list_of(who->role, from));
  } else if (const auto* const wish = std::get_if<Introduce>(&contact)) {
    on_introduce(from, wish->key);
  } else if (const auto* const list = std::get_if<PeerList>(&contact)) {
    return std::optional<Event>(*list);
  } else if (const auto* const call = std::get_if<CallOn>(&contact)) {
    on_call(*call);
  }
  return std::optional<Event>();
}

bool Links::may_ask(const PublicKey& from) {
  const auto peer = peers_.find(from);
  if (peer == peers_.end() || peer->second.links.empty()) {
    return false;
  }
  Allowance& requests = connections_.at(peer->second.links.back()).requests;
  if (!requests.ready(now_ms_)) {
    return false;
  }
  requests.spend(1);
  return true;
}

void Links::on_introduce(const PublicKey& from, const PublicKey& wanted) {
  const Session* const asker = session_of(from);
  const Session* const asked = session_of(wanted);
  if (asker == nullptr || asked == nullptr || from == wanted) {
    return;
  }
  if (!asker->hello()->places.empty()) {
    send_contact(wanted, CallOn{from, asker->hello()->places});
  } else if (!asked->hello()->places.empty()) {
    send_contact(from, CallOn{wanted, asked->hello()->places});
  }
}

void Links::on_call(const CallOn& call) {
  const bool wanted = !options_.wanted || options_.wanted(call.key);
  if (!wanted || call.key == options_.key || call.places.empty() || !calls_.ready(now_ms_)) {
    return;
  }
  Peer* const peer = peer_of(call.key);
  if (peer == nullptr || !peer->links.empty()) {
    return;
  }
  calls_.spend(1);
  if (!peer->keep) {
    peer->addresses = addresses_of(call.places);
  }
  peer->calls_left = calls_max;
  peer->next_dial_ms = now_ms_;
  reach(call.key, *peer);
}

PeerList Links::list_of(Role role, const PublicKey& but) {
  PeerList list;
  list.role = role;
  auto at = peers_.upper_bound(listed_last_);
  for (size_t seen = 0; seen < peers_.size() && list.keys.size() < listed_peers_max; ++seen) {
    if (at == peers_.end()) {
      at = peers_.begin();
    }
    const Session* const session = session_of(at->first);
    if (session != nullptr && at->first != but && session->hello()->role == role &&
        is_known(at->first)) {
      list.keys.push_back(at->first);
      listed_last_ = at->first;
    }
    ++at;
  }
  return list;
}

}  // namespace lockstep::net
