#include "apps/host.h"

#include <algorithm>

namespace lockstep::apps {

Host::Host(const Parts& parts, HostCallbacks callbacks)
    : parts_(parts), callbacks_(std::move(callbacks)) {}

Host::~Host() {
  parts_.loop.cancel(links_timer_);
}

uint64_t Host::now() {
  now_ms_ = std::max(now_ms_, platform::Loop::now_ms());
  return now_ms_;
}

void Host::start() {
  parts_.links.begin_turn(now());
  parts_.loop.on_turn([this] { turn(); });
  parts_.node.start(now());
  links_tick();
}

/// Silence is an event too: links ping, redial and give up.
void Host::links_tick() {
  links_timer_ = parts_.loop.call_at(std::max(parts_.links.next_turn_ms(), now() + 1),
                                     [this] { links_tick(); });
}

void Host::give_done(node::WorkDone done) {
  auto shared = std::make_shared<node::WorkDone>(std::move(done));
  parts_.loop.post([this, shared] {
    parts_.node.on_work(now(), std::move(*shared));
    collect();
  });
}

void Host::give_signed(const model::Signed& transaction) {
  parts_.loop.post([this, transaction] {
    parts_.node.on_signed(now(), transaction);
    collect();
  });
}

/// At the end of a turn: messages in, one sync for everything, effects out.
void Host::turn() {
  parts_.links.begin_turn(now());
  if (!store_failed_) {
    take_events();
  }
  collect();
  release();
  parts_.links.end_turn();
}

void Host::take_events() {
  // What a turn takes in is bounded, so that timers and work have their turn as well.
  constexpr size_t events_max = 256;
  size_t taken = 0;
  while (taken < events_max) {
    auto event = parts_.links.next_event();
    if (!event) {
      return;
    }
    ++taken;
    take_event(std::move(*event));
  }
  parts_.loop.defer([] {});  // the rest in a turn of its own
}

void Host::take_event(net::Event event) {
  if (auto* const arrived = std::get_if<net::Arrived>(&event)) {
    ++counts_.messages_in;
    parts_.node.on_message(now(), arrived->from, arrived->message);
    collect();
  } else if (const auto* const down = std::get_if<net::PeerDown>(&event)) {
    if (callbacks_.on_peer_down) {
      callbacks_.on_peer_down(down->key, down->why);
    }
  } else if (const auto* const unreached = std::get_if<net::PeerUnreached>(&event)) {
    if (callbacks_.on_peer_down) {
      callbacks_.on_peer_down(unreached->key, unreached->why);
    }
  } else if (const auto* const listed = std::get_if<net::PeersListed>(&event)) {
    if (listed->role == net::Role::provider) {
      parts_.node.on_providers(now(), listed->keys);
      collect();
    }
  }
}

void Host::collect() {
  for (node::Effect& effect : parts_.node.take_effects()) {
    held_.push_back(std::move(effect));
  }
}

bool Host::sync() {
  const auto synced = parts_.store.sync();
  ++counts_.syncs;
  if (synced.ok() == store_failed_) {
    store_failed_ = !synced.ok();
    callbacks_.on_store(synced.ok() ? std::nullopt : std::optional(synced.error()));
  }
  if (!synced.ok()) {
    parts_.loop.call_after(store_retry_ms, [] {});  // a turn in which it is tried again
  }
  return synced.ok();
}

void Host::release() {
  if (held_.empty() || !sync()) {
    return;
  }
  while (!held_.empty()) {
    node::Effect effect = std::move(held_.front());
    held_.pop_front();
    release(effect);
  }
}

void Host::release(node::Effect& effect) {
  if (const auto* const sent = std::get_if<node::Send>(&effect)) {
    const bool taken = parts_.links.send(now(), sent->to, sent->message);
    ++(taken ? counts_.messages_out : counts_.dropped_out);
  } else if (const auto* const timer = std::get_if<node::SetTimer>(&effect)) {
    set_timer(*timer);
  } else if (auto* const work = std::get_if<node::RunTask>(&effect)) {
    if (parts_.worker != nullptr) {
      parts_.worker->start(std::move(*work));
    }
  } else if (const auto* const ask = std::get_if<node::AskOwner>(&effect)) {
    callbacks_.on_ask(ask->transaction);
  } else if (const auto* const tell = std::get_if<node::Tell>(&effect)) {
    callbacks_.on_tell(now(), tell->notice);
  } else if (std::holds_alternative<node::FindProviders>(effect)) {
    (void)parts_.links.ask_who(now(), net::Role::provider);  // the node asks again by itself
  }
}

void Host::set_timer(const node::SetTimer& timer) {
  parts_.loop.call_at(timer.at_ms, [this, id = timer.id] {
    parts_.node.on_timer(now(), id);
    collect();
  });
}

}  // namespace lockstep::apps
