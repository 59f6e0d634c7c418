#include "apps/node_observer.h"

#include "crypto/key_text.h"
#include "platform/files.h"

namespace lockstep::apps {
namespace {

using Fields = NodeLog::Fields;

constexpr size_t address_bytes_max = size_t{4} << 10;

std::string text_of_peer(const env::NodeId& id) {
  crypto::PublicKey key;
  key.bytes = id;
  return crypto::key_text(key);
}

/// The port that an earlier life had; nothing where there was none.
std::optional<uint16_t> port_before(const std::string& path) {
  platform::Files files;
  const auto bytes = files.read(path, address_bytes_max);
  const auto read = bytes.ok() ? nlohmann::json::parse(*bytes, nullptr, false) : nlohmann::json();
  if (!read.is_object() || !read.value("address", nlohmann::json()).is_string()) {
    return std::nullopt;
  }
  const auto address = parse_address(read["address"].get<std::string>());
  return address.ok() ? std::optional(address->port) : std::nullopt;
}

}  // namespace

env::Link CountedNetwork::dial(const env::Address& address, const env::NodeId& peer) {
  const env::Link link = inner_.dial(address, peer);
  dialed_.emplace(link, Dialed{address, peer});
  return link;
}

void CountedNetwork::write(env::Link link, Bytes bytes) {
  traffic_.bytes_out += bytes.size();
  inner_.write(link, std::move(bytes));
}

std::optional<CountedNetwork::Dialed> CountedNetwork::take_dialed(env::Link link) {
  const auto found = dialed_.find(link);
  if (found == dialed_.end()) {
    return std::nullopt;
  }
  Dialed dialed = std::move(found->second);
  dialed_.erase(found);
  return dialed;
}

Result<void> TimedStore::sync() {
  const auto began = std::chrono::steady_clock::now();
  auto done = inner_.sync();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  traffic_.syncs.add(took.count());
  traffic_.store_failures += done.ok() ? 0 : 1;
  return done;
}

bool LineBudget::take(uint64_t now_ms) {
  constexpr uint64_t minute_ms = 60'000;
  if (now_ms / minute_ms != minute_) {
    minute_ = now_ms / minute_ms;
    taken_ = 0;
  }
  return ++taken_ <= lines_max;
}

NodeObserver::NodeObserver(Setup setup, platform::Loop& loop)
    : setup_(std::move(setup)),
      loop_(loop),
      log_(setup_.log_path, setup_.options.level, name_of(setup_.of.role)),
      metrics_(setup_.of) {}

env::Network& NodeObserver::tap(env::Network& network) {
  return network_.emplace(network, traffic_);
}

env::KeyValue& NodeObserver::tap(env::KeyValue& store) {
  return store_.emplace(store, traffic_);
}

// ---- the network

void NodeObserver::on_open(env::Link link, const env::NodeId& peer, bool dialed) {
  ++traffic_.links_opened;
  if (network_) {
    (void)network_->take_dialed(link);
  }
  crypto::PublicKey key;
  key.bytes = peer;
  open_.emplace(link, key);
  say(LogLevel::info,
      "link_up",
      {{"peer", crypto::key_text(key)}, {"link", link}, {"dialed", dialed}});
}

void NodeObserver::on_closed(env::Link link, const Error& why) {
  const auto found = open_.find(link);
  if (found != open_.end()) {
    ++traffic_.links_closed;
    say(LogLevel::info,
        "link_down",
        {{"peer", crypto::key_text(found->second)}, {"link", link}, {"reason", why.message()}});
    open_.erase(found);
    return;
  }
  const auto dialed = network_ ? network_->take_dialed(link) : std::nullopt;
  if (!dialed) {
    return;
  }
  ++traffic_.dials_failed;
  if (failed_lines_.take(platform::Loop::now_ms())) {
    say(LogLevel::warn,
        "dial_failed",
        {{"peer", text_of_peer(dialed->peer)},
         {"address", text_of(dialed->address)},
         {"reason", why.message()}});
  }
}

void NodeObserver::on_refused(const env::Address& from, const Error& why) {
  ++traffic_.refused;
  if (refused_lines_.take(platform::Loop::now_ms())) {
    say(LogLevel::warn, "link_refused", {{"address", text_of(from)}, {"reason", why.message()}});
  }
}

void NodeObserver::on_store(const std::optional<Error>& error) {
  if (error) {
    say(LogLevel::error, "store_failed", {{"reason", error->message()}});
  } else {
    say(LogLevel::info, "store_works", Fields::object());
  }
}

// ---- the node

void NodeObserver::attach(const Node& node) {
  node_.emplace(node);
  watch_.emplace(log_, setup_.of.node, node.state);
  node.host.add_watch(metrics_);
  node.host.add_watch(*watch_);
  const auto opened = open_door();
  if (!opened.ok()) {
    say(LogLevel::error, "metrics_failed", {{"reason", opened.error().message()}});
    (void)std::fprintf(stderr, "metrics: %s\n", opened.error().message().c_str());
  }
}

Result<void> NodeObserver::open_door() {
  const std::string path = setup_.folder + "/" + metrics_file_name;
  const auto before = port_before(path);
  if (!setup_.options.metrics && !before) {
    return {};
  }
  door_.emplace(loop_, [this](const std::string& wanted) {
    return wanted == "/metrics"
               ? std::optional(platform::HttpPage{MetricsText::content_type, page()})
               : std::nullopt;
  });
  auto address = door_->listen(before.value_or(0));
  if (!address.ok() && before) {
    address = door_->listen(0);  // another program has taken it meanwhile
  }
  address_ = TRY(std::move(address));
  const std::string text = nlohmann::json({{"address", text_of(*address_)}}).dump() + "\n";
  platform::Files files;
  return files.write(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

void NodeObserver::on_ready(const std::optional<env::Address>& address) {
  Fields fields = {{"name", setup_.of.name}, {"node", crypto::key_text(setup_.of.node)}};
  if (address) {
    fields["address"] = text_of(*address);
  }
  if (address_) {
    fields["metrics"] = text_of(*address_);
  }
  say(LogLevel::info, "node_started", fields);
}

void NodeObserver::on_end() {
  say(LogLevel::info, "node_stopped", {{"name", setup_.of.name}});
  door_.reset();
}

MetricsNow NodeObserver::look() const {
  MetricsNow now;
  now.now_ms = platform::Loop::now_ms();
  now.usage = platform::usage_of_process();
  now.log_lines = log_.lines();
  now.log_lines_lost = log_.lost();
  if (node_) {
    now.host = node_->host.counts();
    now.links = node_->links.link_count();
    now.waiting_bytes = node_->links.waiting_bytes();
    now.held_bytes = node_->links.held_bytes();
    now.engine = node_->worker != nullptr ? node_->worker->meter() : exec::Meter();
    now.state = node_->state ? &node_->state() : nullptr;
  }
  return now;
}

std::string NodeObserver::page() {
  const uint64_t now_ms = platform::Loop::monotonic_ms();
  if (page_.empty() || now_ms - page_made_ms_ >= page_ms) {
    page_ = metrics_.render(look(), traffic_);
    page_made_ms_ = now_ms;
  }
  return page_;
}

}  // namespace lockstep::apps
