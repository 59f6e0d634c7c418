// What a node's process counts, and its text for Prometheus (exposition format 0.0.4). Names,
// meanings and how to read them: docs/metrics.md.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "apps/host.h"
#include "apps/node_file.h"
#include "apps/recent.h"
#include "platform/usage.h"

namespace lockstep::apps {

/// Lines of the format, family by family.
class MetricsText {
 public:
  struct Label {
    std::string_view name;
    std::string_view value;
  };
  using Labels = std::initializer_list<Label>;
  /// What the samples that follow belong to. `type` is counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(uint64_t value, Labels labels = {});
  void sample(double value, Labels labels = {}, std::string_view suffix = {});
  /// All decimals that it has.
  void sample(Amount value, Labels labels = {});
  [[nodiscard]] std::string take() { return std::move(text_); }
  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  void line(std::string_view suffix, Labels labels, std::string_view value);
  std::string text_;
  std::string name_;
};

/// How long something took, each time.
class Durations {
 public:
  void add(double seconds);
  /// As a histogram.
  void write(MetricsText& text, std::string_view name, std::string_view help) const;
  [[nodiscard]] uint64_t count() const { return count_; }

 private:
  static constexpr std::array<double, 10> bounds = {
      0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1, 5};
  std::array<uint64_t, bounds.size()> counts_{};  // up to each bound, and above the one before
  uint64_t count_ = 0;
  double sum_ = 0;
};

/// What passes between a node and the network and its store; counted where it passes.
struct Traffic {
  uint64_t bytes_in = 0, bytes_out = 0;
  uint64_t links_opened = 0, links_closed = 0;
  uint64_t dials_failed = 0;
  uint64_t refused = 0;  // came and were not let in
  Durations syncs;
  uint64_t store_failures = 0;
};

/// Whose metrics they are.
struct MetricsOf {
  std::string name;
  NodeRole role = NodeRole::provider;
  crypto::PublicKey node;
  crypto::PublicKey owner;
};

/// What is looked at when somebody asks.
struct MetricsNow {
  uint64_t now_ms = 0;
  Host::Counts host;
  exec::Meter engine;
  platform::Usage usage;
  size_t links = 0;
  size_t waiting_bytes = 0;  // for peers that are being reached
  size_t held_bytes = 0;     // of messages that came
  uint64_t log_lines = 0, log_lines_lost = 0;
  const ledger::State* state = nullptr;
};

/// What a provider was paid, of all its leases on the ledger. Looks at a bounded number of leases
/// at a time, so that a long ledger delays nobody: what it finds is complete after some looks.
class Earnings {
 public:
  explicit Earnings(const crypto::PublicKey& node) : node_(node) {}
  void look(const ledger::State& state);
  [[nodiscard]] Amount paid() const { return paid_; }
  [[nodiscard]] Amount pending() const { return pending_; }
  static constexpr size_t leases_max = 4096;  // at a time

 private:
  crypto::PublicKey node_;
  std::optional<model::LeaseId> last_;  // looked at
  std::set<model::LeaseId> own_;
  Amount paid_, pending_;
};

class Metrics final : public HostWatch {
 public:
  explicit Metrics(MetricsOf of) : of_(std::move(of)), earnings_(of_.node) {}

  void on_start(uint64_t now_ms) override { started_ms_ = now_ms; }
  void on_message(uint64_t now_ms,
                  const crypto::PublicKey& from,
                  const net::Message& message) override;
  void on_timer(uint64_t now_ms, uint64_t id) override;
  void on_work(uint64_t now_ms, const node::WorkDone& done) override;
  void on_signed(uint64_t /*now_ms*/, const model::Signed& /*transaction*/) override {}
  void on_providers(uint64_t /*now_ms*/, const std::vector<crypto::PublicKey>& /*keys*/) override {}
  void on_effect(uint64_t now_ms, const node::Effect& effect) override;

  [[nodiscard]] std::string render(const MetricsNow& now, const Traffic& traffic);

 private:
  struct Work {
    node::WorkKind kind = node::WorkKind::execute;
    uint64_t operations = 0;
  };
  struct Finished {
    uint64_t ok = 0, failed = 0;
  };
  void on_sent(const node::Send& sent);
  void on_told(const node::Notice& notice);
  void write_process(MetricsText& text, const MetricsNow& now) const;
  void write_traffic(MetricsText& text, const MetricsNow& now, const Traffic& traffic) const;
  void write_store(MetricsText& text, const MetricsNow& now, const Traffic& traffic) const;
  void write_work(MetricsText& text, const MetricsNow& now) const;
  void write_blobs(MetricsText& text) const;
  void write_ledger(MetricsText& text, const MetricsNow& now) const;
  void write_money(MetricsText& text, const ledger::State& state);

  MetricsOf of_;
  uint64_t started_ms_ = 0;
  std::array<uint64_t, std::variant_size_v<net::Message>> messages_in_{}, messages_out_{};
  std::array<uint64_t, std::variant_size_v<model::Transaction>> transactions_{};
  std::array<uint64_t, std::variant_size_v<ledger::Event>> events_{};
  uint64_t timers_ = 0;
  std::map<uint64_t, Work> running_;  // by the work's number
  std::array<Finished, 3> finished_{};
  uint64_t operations_ = 0;
  uint64_t placed_ = 0, accepted_ = 0, declined_ = 0;
  uint64_t blob_bytes_in_ = 0, blob_bytes_out_ = 0;
  // Messages say again what may be lost.
  static constexpr size_t recent_max = 4096;
  Recent<model::TaskId> assigned_{recent_max}, vouched_{recent_max}, refused_{recent_max};
  Recent<std::pair<crypto::PublicKey, uint64_t>> sent_{recent_max};  // signer, nonce
  Earnings earnings_;
};

}  // namespace lockstep::apps
