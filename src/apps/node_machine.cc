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

Result<std::unique_ptr<NodeMachine>> NodeMachine::open(const std::string& folder) {
  platform::DataDir data = TRY(platform::DataDir::open(folder));
  platform::Files files;
  NodeFile file = TRY(read_node_file(files, data.path() + "/" + node_file_name));
  const crypto::SecretKey key = TRY(load_plain_key(data.keys() + "/" + key_file_name));
  auto machine =
      std::unique_ptr<NodeMachine>(new NodeMachine(std::move(data), std::move(file), key));
  machine->store_ = TRY(platform::RocksKeyValue::open(machine->folder_.db()));
  machine->blobs_.emplace(*machine->store_, law::data_mode());
  machine->worker_blobs_.emplace(*machine->store_, law::data_mode());
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
  links_.emplace(*network_, std::move(options));
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
  const nlohmann::json ready = {{"name", file_.name},
                                {"address", address_ ? text_of(*address_) : std::string()}};
  const std::string text = ready.dump() + "\n";
  return files_.write(folder() + "/" + ready_file_name,
                      {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

Result<void> NodeMachine::run(node::Node& node,
                              std::function<const ledger::State&()> state,
                              HostCallbacks callbacks) {
  state_ = std::move(state);
  TRY(start_worker());
  host_.emplace(Host::Parts{node, loop_, *links_, *store_, worker_.get()}, std::move(callbacks));
  loop_.on_signal([this](int) { loop_.stop(); });
  host_->start();
  TRY(say_ready());
  loop_.run();
  worker_.reset();
  TRY(store_->sync());
  return {};
}

}  // namespace lockstep::apps
