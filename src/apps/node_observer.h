// Watches over a node's process from outside of the node: counts what passes, keeps the log, and
// answers who asks for /metrics. All on the loop's thread; nothing of it changes what the node
// does.
#pragma once

#include <chrono>

#include "apps/log_watch.h"
#include "apps/metrics.h"
#include "platform/http_door.h"
#include "platform/tcp_network.h"

namespace lockstep::apps {

struct ObserveOptions {
  bool metrics = false;  // on a loopback port; also where an earlier life had one
  LogLevel level = LogLevel::info;
};

/// In a node's folder, once it had metrics: their address, which the node takes again.
inline constexpr const char* metrics_file_name = "metrics.json";

/// A network that counts what is written to it, and knows who was dialed.
class CountedNetwork final : public env::Network {
 public:
  struct Dialed {
    env::Address address;
    env::NodeId peer{};
  };
  CountedNetwork(env::Network& inner, Traffic& traffic) : inner_(inner), traffic_(traffic) {}
  env::Link dial(const env::Address& address, const env::NodeId& peer) override;
  void write(env::Link link, Bytes bytes) override;
  void pause(env::Link link, bool paused) override { inner_.pause(link, paused); }
  void close(env::Link link) override { inner_.close(link); }
  /// Once: whom this link was to reach; nothing for others' links.
  std::optional<Dialed> take_dialed(env::Link link);

 private:
  env::Network& inner_;
  Traffic& traffic_;
  std::map<env::Link, Dialed> dialed_;  // those that have not opened or ended
};

/// A store that knows how long it takes to be durable.
class TimedStore final : public env::KeyValue {
 public:
  TimedStore(env::KeyValue& inner, Traffic& traffic) : inner_(inner), traffic_(traffic) {}
  Result<std::optional<Bytes>> get(const std::string& key) override { return inner_.get(key); }
  Result<void> apply(std::vector<Change> batch) override { return inner_.apply(std::move(batch)); }
  Result<void> sync() override;
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return inner_.keys(prefix, after, count_max);
  }

 private:
  env::KeyValue& inner_;
  Traffic& traffic_;
};

/// So many lines a minute: what strangers do must not push everything else out of the log.
class LineBudget {
 public:
  [[nodiscard]] bool take(uint64_t now_ms);
  static constexpr uint32_t lines_max = 20;

 private:
  uint64_t minute_ = 0;
  uint32_t taken_ = 0;
};

class NodeObserver {
 public:
  struct Setup {
    std::string folder;    // the node's
    std::string log_path;  // of the structured log
    MetricsOf of;
    ObserveOptions options;
  };
  NodeObserver(Setup setup, platform::Loop& loop);

  /// What stands between the node and the world; each once.
  env::Network& tap(env::Network& network);
  env::KeyValue& tap(env::KeyValue& store);
  /// What the network says, beside whom it is for.
  void on_open(env::Link link, const env::NodeId& peer, bool dialed);
  void on_bytes(size_t count) { traffic_.bytes_in += count; }
  void on_closed(env::Link link, const Error& why);
  void on_refused(const env::Address& from, const Error& why);
  void on_store(const std::optional<Error>& error);

  struct Node {
    Host& host;
    const net::Links& links;
    const Worker* worker;
    std::function<const ledger::State&()> state;
  };
  /// Before the host starts. Opens the door where it is wanted; that it cannot be opened is told,
  /// and no reason for the node not to run.
  void attach(const Node& node);
  void on_ready(const std::optional<env::Address>& address);
  void on_end();
  [[nodiscard]] const std::optional<env::Address>& metrics_address() const { return address_; }
  [[nodiscard]] std::string page();

 private:
  Result<void> open_door();
  [[nodiscard]] MetricsNow look() const;
  void say(LogLevel level, const char* event, const NodeLog::Fields& fields) {
    log_.write(level, platform::Loop::now_ms(), event, fields);
  }

  Setup setup_;
  platform::Loop& loop_;
  NodeLog log_;
  Traffic traffic_;
  Metrics metrics_;
  std::optional<CountedNetwork> network_;
  std::optional<TimedStore> store_;
  std::optional<Node> node_;
  std::optional<LogWatch> watch_;
  std::optional<platform::HttpDoor> door_;
  std::optional<env::Address> address_;
  std::map<env::Link, crypto::PublicKey> open_;
  LineBudget refused_lines_, failed_lines_;
  // A page is good for a moment, so that nobody who asks often costs the node anything.
  static constexpr uint64_t page_ms = 200;
  std::string page_;
  uint64_t page_made_ms_ = 0;
};

}  // namespace lockstep::apps
