// One node as a process: inputs from its links, timers, worker and owner go into the node; what it
// asks for leaves only when everything it wrote is durable. All on the loop's thread.
#pragma once

#include <deque>
#include <functional>

#include "apps/worker.h"
#include "net/links.h"
#include "node/node.h"
#include "platform/kill_point.h"
#include "platform/loop.h"

namespace lockstep::apps {

/// What else becomes of a node's effects; all on the loop's thread, after what led to them is
/// durable.
struct HostCallbacks {
  std::function<void(uint64_t now_ms, const node::Notice& notice)> on_tell;
  /// The owner is asked to sign; the answer comes by Host::give_signed().
  std::function<void(const model::Transaction& transaction)> on_ask;
  /// The last link to a peer is gone, or one that should be there cannot be made; may be empty.
  std::function<void(const crypto::PublicKey& peer, const Error& why)> on_peer_down;
  /// The store fails, or works again (no error). Nothing leaves while it fails.
  std::function<void(const std::optional<Error>& error)> on_store;
};

/// Sees what goes into a node and what leaves it, in order, with the node's time; on the loop's
/// thread. It must not change anything.
class HostWatch {
 public:
  virtual ~HostWatch() = default;
  virtual void on_start(uint64_t now_ms) = 0;
  virtual void on_message(uint64_t now_ms,
                          const crypto::PublicKey& from,
                          const net::Message& message) = 0;
  virtual void on_timer(uint64_t now_ms, uint64_t id) = 0;
  virtual void on_work(uint64_t now_ms, const node::WorkDone& done) = 0;
  virtual void on_signed(uint64_t now_ms, const model::Signed& transaction) = 0;
  virtual void on_providers(uint64_t now_ms, const std::vector<crypto::PublicKey>& keys) = 0;
  /// Just before it leaves; what led to it is durable.
  virtual void on_effect(uint64_t now_ms, const node::Effect& effect) = 0;
};

class Host {
 public:
  struct Parts {
    node::Node& node;
    platform::Loop& loop;
    net::Links& links;
    env::KeyValue& store;  // of all that the node and its worker keep
    Worker* worker;        // none: a node that runs no tasks
  };
  Host(const Parts& parts, HostCallbacks callbacks);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Before start(); lives longer than the host.
  void add_watch(HostWatch& watch) { watches_.push_back(&watch); }
  /// To be called once, before the loop runs.
  void start();
  /// From any thread: the worker's answer.
  void give_done(node::WorkDone done);
  void give_signed(const model::Signed& transaction);
  /// How many messages came and left, for the metrics.
  struct Counts {
    uint64_t messages_in = 0, messages_out = 0, dropped_out = 0, syncs = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  static constexpr uint64_t store_retry_ms = 500;

 private:
  /// Node time: the wall clock, but never back.
  uint64_t now();
  void turn();
  void take_events();
  void take_event(net::Event event);
  void collect();
  bool sync();
  void release();
  void release(node::Effect& effect);
  void set_timer(const node::SetTimer& timer);
  void links_tick();
  void tell(const node::Notice& notice);
  /// A kill point (apps/host_points.h), none when `kind` is empty.
  static void reach(std::string_view what, std::string_view kind, std::string_view when) {
    if (platform::KillPoints::on() && !kind.empty()) [[unlikely]] {
      platform::kill_point(std::string(what).append(kind), when);
    }
  }
  void reach_sent();
  template <class See>
  void show(const See& see) const {
    for (HostWatch* const watch : watches_) {
      see(*watch);
    }
  }

  std::vector<HostWatch*> watches_;
  Parts parts_;
  HostCallbacks callbacks_;
  uint64_t now_ms_ = 0;
  std::deque<node::Effect> held_;  // until the store is durable
  bool store_failed_ = false;
  platform::Loop::Timer links_timer_ = 0;
  Counts counts_;
  std::vector<std::string_view> sent_;  // kill points of what leaves with this turn
};

}  // namespace lockstep::apps
