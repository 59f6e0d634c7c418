#include "apps/node_machine.h"

#include "apps/job_input.h"
#include "apps/node_process.h"
#include "apps/wallet_files.h"
#include "law/roots.h"

namespace lockstep::apps {
namespace {

net::Role role_of(NodeRole role) {
  switch (role) {
    case NodeRole::ledger:
      return net::Role::ledger;
    case NodeRole::requester:
      return net::Role::requester;
    case NodeRole::provider:
      return net::Role::provider;
    case NodeRole::auditor:
      return net::Role::auditor;
  }
  return net::Role::requester;
}

}  // namespace

Result<std::unique_ptr<NodeMachine>> NodeMachine::open(const std::string& folder,
                                                       const ObserveOptions& observe) {
  platform::DataDir data = TRY(platform::DataDir::open(folder));
  platform::Files files;
  NodeFile file = TRY(read_node_file(files, data.path() + "/" + node_file_name));
  const crypto::SecretKey key = TRY(load_plain_key(data.keys() + "/" + key_file_name));
  auto machine =
      std::unique_ptr<NodeMachine>(new NodeMachine(std::move(data), std::move(file), key));
  machine->rocks_ = TRY(platform::RocksKeyValue::open(machine->folder_.db()));
  machine->store_.emplace(*machine->rocks_, [here = machine.get()](const auto& error) {
    here->loop_.post([here, error] {
      if (here->on_store_) {
        here->on_store_(error);
      }
    });
  });
  if (Recorder::is_on(machine->folder())) {
    machine->recorder_ =
        TRY(Recorder::begin(machine->folder(), write_node_file(machine->file_), *machine->store_));
  }
  // The worker's own view puts only what a task leaves, for which this one keeps room.
  const auto& slice = machine->file_.slice;
  machine->blobs_.emplace(
      machine->store(), law::data_mode(), slice ? slice->disk_bytes : store::Blobs::unlimited);
  machine->worker_blobs_.emplace(
      machine->recorder_ ? machine->recorder_->worker_store() : *machine->store_, law::data_mode());
  const NodeFile& read = machine->file_;
  machine->observer_.emplace(
      NodeObserver::Setup{machine->folder_.path(),
                          machine->folder_.logs() + "/" + node_log_name,
                          {read.name, read.role, machine->key_.public_key(), read.owner},
                          observe},
      machine->loop_);
  machine->door_.observer = &*machine->observer_;
  TRY(machine->open_network());
  return machine;
}

Result<void> NodeMachine::open_network() {
  const model::NetworkId network = model::network_id(file_.genesis);
  crypto::Seed seed = key_.seed();
  Hash raw{seed.bytes()};
  network_.emplace(loop_,
                   TRY(platform::TlsIdentity::make(raw, network.hash, platform::Loop::now_ms())));
  network_->set_handler(door_);
  network_->on_refused(
      [this](const env::Address& from, const Error& why) { observer_->on_refused(from, why); });
  net::LinksOptions options;
  options.key = key_.public_key();
  options.session.network = network;
  options.session.role = role_of(file_.role);
  options.hub = file_.ledger.node;
  options.known = [this](const crypto::PublicKey& key) {
    return state_ && state_().nodes.contains(key);
  };
  if (file_.listen) {
    address_ = TRY(network_->listen(*file_.listen));
    options.session.addresses = {*address_};
  }
  links_.emplace(observer_->tap(*network_), std::move(options));
  door_.links = &*links_;
  if (file_.role != NodeRole::ledger) {
    links_->add_peer(file_.ledger.node, {file_.ledger.address});
  }
  return {};
}

Result<void> NodeMachine::start_worker() {
  if (file_.role == NodeRole::ledger) {
    return {};
  }
  Worker::Setup setup{{file_.threads, TRY(choose_isa()), false}, std::nullopt};
  if (file_.cheat) {
    const auto kind = sim::cheat_named(*file_.cheat);
    if (!kind) {
      return refuse(Code::bad_folder, "\"" + *file_.cheat + "\" is no way to cheat", {}, "cheat");
    }
    setup.cheat.emplace(*kind, std::vector<std::string>());
  }
  worker_ = std::make_unique<Worker>(std::move(setup), *worker_blobs_, clock_, [this](auto done) {
    host_->give_done(std::move(done));
  });
  return {};
}

Result<void> NodeMachine::say_ready() {
  nlohmann::json ready = {{"name", file_.name},
                          {"address", address_ ? text_of(*address_) : std::string()}};
  if (observer_->metrics_address()) {
    ready["metrics"] = text_of(*observer_->metrics_address());
  }
  const std::string text = ready.dump() + "\n";
  return files_.write(folder() + "/" + ready_file_name,
                      {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

Result<void> NodeMachine::run(node::Node& node,
                              std::function<const ledger::State&()> state,
                              HostCallbacks callbacks) {
  state_ = std::move(state);
  TRY(start_worker());
  callbacks.on_store = [this, tell = std::move(callbacks.on_store)](const auto& error) {
    observer_->on_store(error);
    tell(error);
  };
  on_store_ = callbacks.on_store;
  if (recorder_) {
    recorded_.emplace(node, *recorder_);
  }
  node::Node& hosted = recorded_ ? static_cast<node::Node&>(*recorded_) : node;
  host_.emplace(Host::Parts{hosted, loop_, *links_, observer_->tap(*store_), worker_.get()},
                std::move(callbacks));
  observer_->attach({*host_, *links_, worker_.get(), state_});
  for (HostWatch* const watch : watches_) {
    host_->add_watch(*watch);
  }
  loop_.on_signal([this](int) { loop_.stop(); });
  host_->start();
  TRY(say_ready());
  observer_->on_ready(address_);
  loop_.run();
  observer_->on_end();
  worker_.reset();
  if (recorder_) {
    recorder_->end();
  }
  TRY(store_->sync());
  return {};
}

}  // namespace lockstep::apps
