// For tests only: machines with links in a network of pipes, and one that breaks the rules.
#pragma once

#include <algorithm>

#include "net/links.h"
#include "net/test_pipes.h"

namespace lockstep::net::test {

inline PublicKey key_of(uint64_t number) {
  PublicKey key;
  for (size_t i = 0; i < key.bytes.size(); ++i) {
    key.bytes[i] = static_cast<uint8_t>(test_mixed(number * 100 + i));
  }
  return key;
}

inline env::Address address_of(uint64_t number) {
  return {"machine-" + std::to_string(number), 4000};
}

struct World;

/// A machine with its links. Messages are numbered by the height that FollowBlocks asks for.
struct Machine {
  Machine(World& world, uint64_t number, Role role, bool listens);
  void start();
  void drain();
  bool send(const Machine& to, const Message& message);
  bool send_number(const Machine& to, uint64_t value) { return send(to, FollowBlocks{value}); }

  World* world;
  uint64_t number;
  PublicKey key;
  LinksOptions options;
  Pipes::End* end;
  std::unique_ptr<Links> links;
  bool drains = true;
  std::vector<std::pair<PublicKey, Message>> arrived;
  std::vector<PublicKey> ups;
  std::vector<Error> downs;
  std::vector<Error> unreached;
  std::vector<PeerList> lists;
};

struct World {
  explicit World(uint64_t seed) : pipes(seed) {}
  Machine& add(uint64_t number, Role role, bool listens) {
    machines.push_back(std::make_unique<Machine>(*this, number, role, listens));
    return *machines.back();
  }
  /// Everybody's turn, then some things happen in the network.
  void turn(uint64_t steps) {
    for (const auto& machine : machines) {
      if (machine->links) {
        machine->links->begin_turn(now);
      }
    }
    for (uint64_t i = 0; i < steps && pipes.step(); ++i) {
    }
    for (const auto& machine : machines) {
      if (machine->links) {
        machine->drain();
        machine->links->end_turn();
      }
    }
  }
  void run(uint64_t for_ms, uint64_t step_ms = 20, uint64_t steps = 60) {
    for (const uint64_t end = now + for_ms; now < end; now += step_ms) {
      turn(steps);
    }
  }

  uint64_t now = 0;
  Pipes pipes;
  std::vector<std::unique_ptr<Machine>> machines;
};

inline Machine::Machine(World& in, uint64_t with, Role role, bool listens)
    : world(&in), number(with), key(key_of(with)) {
  options.key = key;
  options.session.role = role;
  options.known = [](const PublicKey&) { return true; };
  env::Address address = address_of(number);
  if (listens) {
    options.session.addresses = {address};
  } else {
    address.port = 0;
  }
  end = &world->pipes.add(key.bytes, address);
}

inline void Machine::start() {
  links = std::make_unique<Links>(*end, options);
  end->handler = links.get();
  links->begin_turn(world->now);
}

inline bool Machine::send(const Machine& to, const Message& message) {
  return links->send(world->now, to.key, message);
}

inline void Machine::drain() {
  if (!drains) {
    return;
  }
  while (auto event = links->next_event()) {
    if (auto* const message = std::get_if<Arrived>(&*event)) {
      arrived.emplace_back(message->from, std::move(message->message));
    } else if (const auto* const up = std::get_if<PeerUp>(&*event)) {
      ups.push_back(up->key);
    } else if (const auto* const down = std::get_if<PeerDown>(&*event)) {
      downs.push_back(down->why);
    } else if (const auto* const failed = std::get_if<PeerUnreached>(&*event)) {
      unreached.push_back(failed->why);
    } else if (const auto* const list = std::get_if<PeersListed>(&*event)) {
      lists.push_back(*list);
    }
  }
}

inline std::vector<uint64_t> numbers_from(const Machine& to, const Machine& from) {
  std::vector<uint64_t> numbers;
  for (const auto& [key, message] : to.arrived) {
    if (const auto* const one = std::get_if<FollowBlocks>(&message); one && key == from.key) {
      numbers.push_back(one->first);
    }
  }
  return numbers;
}

inline std::vector<uint64_t> up_to(uint64_t count) {
  std::vector<uint64_t> numbers(count);
  for (uint64_t i = 0; i < count; ++i) {
    numbers[i] = i;
  }
  return numbers;
}

inline bool has_twice(std::vector<uint64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return std::adjacent_find(numbers.begin(), numbers.end()) != numbers.end();
}

struct Market {
  explicit Market(uint64_t seed)
      : world(seed),
        hub(world.add(1, Role::ledger, true)),
        provider(world.add(2, Role::provider, false)),
        requester(world.add(3, Role::requester, true)) {
    for (Machine* const machine : {&hub, &provider, &requester}) {
      machine->options.hub = hub.key;
    }
  }
  void start() {
    for (const auto& machine : world.machines) {
      machine->start();
      if (machine.get() != &hub) {
        machine->links->add_peer(hub.key, {address_of(1)});
      }
    }
    world.run(1000);
  }
  World world;
  Machine& hub;
  Machine& provider;
  Machine& requester;
};

/// A peer that writes whatever the test wants.
struct Rogue final : env::Network::Handler {
  Rogue(World& in, uint64_t number) : world(&in) {
    end = &world->pipes.add(key_of(number).bytes, {"rogue", 0});
    end->handler = this;
  }
  void dial(const Machine& to) {
    session = std::make_unique<Session>(world->now, SessionOptions{});
    link = end->dial(address_of(to.number), to.key.bytes);
  }
  bool send(Channel channel, Bytes bytes, Priority priority = Priority::control) {
    const bool taken =
        session->send(world->now, priority, {std::move(bytes), channel, no_deadline}).has_value();
    flush();
    return taken;
  }
  bool say(const Contact& contact) { return send(Channel::peers, codec::encode(contact)); }
  void flush() {
    if (is_open) {
      end->write(link, session->take_output(world->now, size_t{1} << 20));
    }
  }
  void on_open(env::Link, const env::NodeId&, bool) override {
    is_open = true;
    flush();
  }
  void on_bytes(env::Link, ByteView bytes) override {
    session->on_bytes(world->now, bytes);
    while (auto message = session->take_message()) {
      contacts += message->channel == Channel::peers ? 1 : 0;
      others += message->channel == Channel::nodes ? 1 : 0;
    }
    flush();
  }
  void on_drained(env::Link) override { flush(); }
  void on_closed(env::Link, const Error&) override { is_open = false; }

  World* world;
  Pipes::End* end;
  std::unique_ptr<Session> session;
  env::Link link = 0;
  bool is_open = false;
  size_t contacts = 0;
  size_t others = 0;
};

}  // namespace lockstep::net::test
