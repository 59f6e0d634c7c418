// For tests only: many machines' networks in memory. One seed decides when connections open, how
// bytes are cut into pieces and in which order everything comes; tests cut and freeze connections.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "base/check.h"
#include "base/test_random.h"
#include "env/network.h"

namespace lockstep::net::test {

class Pipes {
 public:
  explicit Pipes(uint64_t seed) : random_(seed) {}

  /// One machine's view. It listens at its address unless that has no port.
  class End final : public env::Network {
   public:
    End(Pipes& pipes, const env::NodeId& key, env::Address address)
        : pipes_(&pipes), key_(key), address_(std::move(address)) {}
    env::Link dial(const env::Address& address, const env::NodeId& peer) override {
      ++dialed;
      return pipes_->dial(*this, address, peer);
    }
    void write(env::Link link, Bytes bytes) override {
      written += bytes.size();
      pipes_->write(link, std::move(bytes));
    }
    void pause(env::Link link, bool paused) override { pipes_->side(link).paused = paused; }
    void close(env::Link link) override { pipes_->close(link); }

    Handler* handler = nullptr;  // nobody: the machine is off
    uint64_t dialed = 0;
    uint64_t written = 0;

   private:
    friend class Pipes;
    Pipes* pipes_;
    env::NodeId key_;
    env::Address address_;
  };

  End& add(const env::NodeId& key, env::Address address) {
    ends_.push_back(std::make_unique<End>(*this, key, std::move(address)));
    return *ends_.back();
  }

  /// One thing happens. False when nothing can.
  bool step() {
    if (wires_.empty()) {
      return false;
    }
    const uint64_t first = random_.below(wires_.size());
    for (size_t i = 0; i < wires_.size(); ++i) {
      auto at = std::next(wires_.begin(), static_cast<std::ptrdiff_t>((first + i) % wires_.size()));
      if (advance(*at->second)) {
        return true;
      }
    }
    return false;
  }
  /// Both sides learn at once that it is gone; what was on its way is lost.
  void cut_one() {
    if (!wires_.empty()) {
      cut(*std::next(wires_.begin(), static_cast<std::ptrdiff_t>(random_.below(wires_.size())))
               ->second);
    }
  }
  void cut_all() {
    while (!wires_.empty()) {
      cut(*wires_.begin()->second);
    }
  }
  /// Nothing comes through any more on what is there now, and nobody learns of it.
  void freeze_all() {
    for (auto& [number, wire] : wires_) {
      wire->frozen = true;
    }
  }
  /// The machine goes off without a word; its side of the connections does not exist any more.
  void turn_off(End& end) {
    end.handler = nullptr;
    for (auto& [number, wire] : wires_) {
      wire->frozen = wire->frozen || wire->sides[0].end == &end || wire->sides[1].end == &end;
    }
  }
  [[nodiscard]] size_t wire_count() const { return wires_.size(); }
  TestRandom& random() { return random_; }

 private:
  struct Side {
    End* end = nullptr;
    env::Link link = 0;
    Bytes out;  // written here, not read at the other side
    size_t gone = 0;
    bool drain_due = false;
    bool told_open = false;
    bool told_closed = false;
    bool closing = false;
    bool paused = false;
    [[nodiscard]] size_t left() const { return out.size() - gone; }
  };
  struct Wire {
    uint64_t number = 0;
    std::array<Side, 2> sides;
    bool refused = false;
    bool frozen = false;
  };

  env::Link dial(End& from, const env::Address& address, const env::NodeId& peer) {
    auto wire = std::make_unique<Wire>();
    wire->number = ++last_;
    wire->sides[0].end = &from;
    wire->sides[0].link = ++last_;
    wire->sides[1].link = ++last_;
    for (const auto& end : ends_) {
      if (end->address_.port != 0 && end->address_ == address && end->handler != nullptr) {
        wire->sides[1].end = end.get();
      }
    }
    wire->refused = wire->sides[1].end == nullptr || wire->sides[1].end->key_ != peer;
    const env::Link link = wire->sides[0].link;
    by_link_[link] = {wire.get(), 0};
    by_link_[wire->sides[1].link] = {wire.get(), 1};
    wires_[wire->number] = std::move(wire);
    return link;
  }
  Side& side(env::Link link) {
    const auto& [wire, index] = by_link_.at(link);
    return wire->sides.at(index);
  }
  void write(env::Link link, Bytes bytes) {
    if (by_link_.contains(link) && !side(link).closing) {
      Side& from = side(link);
      from.out.insert(from.out.end(), bytes.begin(), bytes.end());
      from.drain_due = true;
    }
  }
  void close(env::Link link) {
    if (by_link_.contains(link)) {
      side(link).closing = true;
    }
  }
  void cut(Wire& wire) {
    for (Side& one : wire.sides) {
      tell_closed(one, refuse(Code::unreachable, "cut"));
    }
    erase(wire);
  }
  void erase(Wire& wire) {
    by_link_.erase(wire.sides[0].link);
    by_link_.erase(wire.sides[1].link);
    wires_.erase(wire.number);
  }
  static void tell_closed(Side& one, const Error& why) {
    const bool knows = one.told_open || one.link % 3 == 2;
    if (!one.told_closed && knows && one.end != nullptr && one.end->handler != nullptr) {
      one.told_closed = true;
      one.end->handler->on_closed(one.link, why);
    }
    one.told_closed = true;
  }

  /// Something happens on this connection.
  bool advance(Wire& wire) {
    if (wire.frozen) {
      return false;
    }
    if (wire.refused) {
      tell_closed(wire.sides[0], refuse(Code::unreachable, "nobody is there"));
      erase(wire);
      return true;
    }
    const size_t first = random_.below(2);
    for (const size_t i : {first, 1 - first}) {
      if (advance(wire, wire.sides.at(i), wire.sides.at(1 - i))) {
        return true;
      }
    }
    return false;
  }
  bool advance(Wire& wire, Side& one, Side& other) {
    if (!one.told_open) {
      one.told_open = true;
      one.end->handler->on_open(one.link, other.end->key_, &one == &wire.sides[0]);
      return true;
    }
    if (other.left() != 0 && !one.paused && !one.told_closed) {
      deliver(one, other);
      return true;
    }
    if (one.drain_due && one.left() < (size_t{16} << 10) && !one.closing) {
      one.drain_due = false;
      one.end->handler->on_drained(one.link);
      return true;
    }
    if ((one.closing && one.left() == 0 && other.told_open) ||
        (other.closing && other.left() == 0)) {
      tell_closed(one, refuse(Code::unreachable, "closed"));
      tell_closed(other, refuse(Code::unreachable, "closed"));
      erase(wire);
      return true;
    }
    return false;
  }
  void deliver(Side& to, Side& from) {
    // Mostly a few thousand bytes, sometimes only some, sometimes all.
    const uint64_t most = random_.of<uint64_t>({1, 10, 4000, 20'000, 200'000});
    const size_t size = std::min<size_t>(from.left(), 1 + random_.below(most));
    const Bytes piece(from.out.begin() + static_cast<std::ptrdiff_t>(from.gone),
                      from.out.begin() + static_cast<std::ptrdiff_t>(from.gone + size));
    from.gone += size;
    if (from.left() == 0 || from.gone > (size_t{1} << 20)) {
      from.out.erase(from.out.begin(), from.out.begin() + static_cast<std::ptrdiff_t>(from.gone));
      from.gone = 0;
    }
    if (!to.closing) {
      to.end->handler->on_bytes(to.link, piece);
    }
  }

  TestRandom random_;
  uint64_t last_ = 0;
  std::vector<std::unique_ptr<End>> ends_;
  std::map<uint64_t, std::unique_ptr<Wire>> wires_;
  std::map<env::Link, std::pair<Wire*, size_t>> by_link_;
};

}  // namespace lockstep::net::test
