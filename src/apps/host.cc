#include "apps/host.h"

#include <algorithm>

#include "apps/host_points.h"

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
  const uint64_t time = now();
  show([&](HostWatch& watch) { watch.on_start(time); });
  parts_.node.start(time);
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
    const uint64_t time = now();
    show([&](HostWatch& watch) { watch.on_work(time, *shared); });
    reach("done", ".", "before");
    parts_.node.on_work(time, std::move(*shared));
    reach("done", ".", "after");
    collect();
  });
}

void Host::give_signed(const model::Signed& transaction) {
  parts_.loop.post([this, transaction] {
    const uint64_t time = now();
    show([&](HostWatch& watch) { watch.on_signed(time, transaction); });
    reach("signed", ".", "before");
    parts_.node.on_signed(time, transaction);
    reach("signed", ".", "after");
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
  reach_sent();
}

/// The network flushes at the end of the turn, before this.
void Host::reach_sent() {
  if (sent_.empty()) {
    return;
  }
  parts_.loop.at_turn_end([sent = std::exchange(sent_, {})] {
    for (const std::string_view kind : sent) {
      reach("send.", kind, ".after");
    }
  });
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
    const uint64_t time = now();
    show([&](HostWatch& watch) { watch.on_message(time, arrived->from, arrived->message); });
    const std::string_view kind = point_of(arrived->message);
    reach("got.", kind, ".before");
    parts_.node.on_message(time, arrived->from, arrived->message);
    reach("got.", kind, ".after");
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
      const uint64_t time = now();
      show([&](HostWatch& watch) { watch.on_providers(time, listed->keys); });
      parts_.node.on_providers(time, listed->keys);
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
  show([&, time = now()](HostWatch& watch) { watch.on_effect(time, effect); });
  if (const auto* const sent = std::get_if<node::Send>(&effect)) {
    const std::string_view kind = point_of(sent->message);
    reach("send.", kind, ".before");
    const bool taken = parts_.links.send(now(), sent->to, sent->message);
    ++(taken ? counts_.messages_out : counts_.dropped_out);
    if (platform::KillPoints::on() && taken) {
      sent_.push_back(kind);
    }
  } else if (const auto* const timer = std::get_if<node::SetTimer>(&effect)) {
    set_timer(*timer);
  } else if (auto* const work = std::get_if<node::RunTask>(&effect)) {
    if (parts_.worker != nullptr) {
      reach("work", ".", "before");
      parts_.worker->start(std::move(*work));
    }
  } else if (const auto* const ask = std::get_if<node::AskOwner>(&effect)) {
    reach("ask", ".", "before");
    callbacks_.on_ask(ask->transaction);
    reach("ask", ".", "after");
  } else if (const auto* const told = std::get_if<node::Tell>(&effect)) {
    tell(told->notice);
  } else if (std::holds_alternative<node::FindProviders>(effect)) {
    (void)parts_.links.ask_who(now(), net::Role::provider);  // the node asks again by itself
  }
}

void Host::tell(const node::Notice& notice) {
  const std::string_view kind = point_of(notice);
  reach("tell.", kind, ".before");
  callbacks_.on_tell(now(), notice);
  reach("tell.", kind, ".after");
}

void Host::set_timer(const node::SetTimer& timer) {
  parts_.loop.call_at(timer.at_ms, [this, id = timer.id] {
    const uint64_t time = now();
    show([&](HostWatch& watch) { watch.on_timer(time, id); });
    parts_.node.on_timer(time, id);
    collect();
  });
}

}  // namespace lockstep::apps
