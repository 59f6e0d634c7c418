#include "apps/up.h"

#include <algorithm>

#include "apps/network_folder.h"
#include "apps/node_process.h"
#include "apps/visit.h"
#include "apps/wallet_files.h"
#include "base/limits.h"
#include "platform/files.h"
#include "platform/private_files.h"
#include "platform/random.h"
#include "platform/tcp_network.h"

namespace lockstep::apps {
namespace {

constexpr int64_t requester_lks = 1000;
constexpr int64_t provider_lks = 1000;
constexpr int64_t provider_stake_lks = 500;
constexpr int64_t auditor_lks = 100;
constexpr int64_t auditor_stake_lks = 50;
constexpr uint32_t members_max = 64;

Amount whole(int64_t lks) {
  return Amount::from_nano(lks * Amount::nano_per_whole);
}

/// What a provider of a private network offers unless its owner says otherwise.
node::Machine machine_of(const std::string& name, uint32_t number) {
  constexpr uint64_t gigabyte = 1'000'000'000;
  constexpr uint64_t operations_per_second = 10'000'000'000;
  static constexpr const char* prices[] = {"0.02 LKS", "0.018 LKS", "0.015 LKS"};
  return {name,
          *Amount::parse(prices[number % std::size(prices)]),
          operations_per_second,
          2 * gigabyte,
          1,
          "cpu",
          "local"};
}

/// Hears of links and does nothing.
class Nobody final : public env::Network::Handler {
 public:
  void on_open(env::Link /*link*/, const env::NodeId& /*peer*/, bool /*dialed*/) override {}
  void on_bytes(env::Link /*link*/, ByteView /*bytes*/) override {}
  void on_drained(env::Link /*link*/) override {}
  void on_closed(env::Link /*link*/, const Error& /*why*/) override {}
};

class Maker {
 public:
  explicit Maker(const UpOptions& options) : options_(options) {}

  Result<NetworkFolder> make() {
    if (options_.providers == 0 || options_.providers + options_.auditors > members_max) {
      return refuse(Code::bad_option,
                    "a network has 1 to " + std::to_string(members_max) + " members",
                    "choose smaller numbers",
                    "--providers");
    }
    TRY(platform::make_private_folder(options_.folder));
    file_.genesis.name = "private";
    TRY(add("ledger", NodeRole::ledger, 0));
    TRY(add_owner("you", requester_lks));
    for (uint32_t i = 1; i <= options_.providers; ++i) {
      TRY(add("provider-" + std::to_string(i), NodeRole::provider, provider_lks));
    }
    for (uint32_t i = 1; i <= options_.auditors; ++i) {
      TRY(add("auditor-" + std::to_string(i), NodeRole::auditor, auditor_lks));
    }
    auto& balances = file_.genesis.balances;
    std::sort(balances.begin(), balances.end(), [](const auto& a, const auto& b) {
      return a.owner < b.owner;
    });
    file_.ledger.address = TRY(free_address());
    if (options_.demo && !options_.honest && options_.providers > 1) {
      file_.demo = DemoPlan{"provider-2", 25};
    }
    TRY(write_nodes());
    return NetworkFolder::create(options_.folder, file_);
  }

 private:
  Result<crypto::PublicKey> add_owner(const std::string& name, int64_t lks) {
    const crypto::SecretKey owner =
        TRY(create_plain_key(NetworkFolder::wallet_in(options_.folder, name), random_));
    if (lks > 0) {
      file_.genesis.balances.push_back({owner.public_key(), whole(lks)});
    }
    return owner.public_key();
  }
  Result<void> add(const std::string& name, NodeRole role, int64_t lks) {
    const crypto::PublicKey owner = TRY(add_owner(name, lks));
    const crypto::SecretKey node = TRY(make_node_folder(options_.folder + "/" + name));
    if (role == NodeRole::ledger) {
      file_.genesis.sequencer = node.public_key();
      file_.genesis.preimages =
          model::preimage_chain(node_secret(node, "preimages"), limits::preimages_max).front();
      file_.ledger.node = node.public_key();
    }
    file_.members.push_back({name, role, node.public_key(), owner});
    return {};
  }
  /// A port that is free now, so that the network keeps it.
  Result<env::Address> free_address() {
    const env::Address wanted = TRY(parse_address(options_.listen));
    Hash seed;
    TRY(random_.fill(seed.bytes));
    platform::Loop loop;
    platform::TcpNetwork network(
        loop, TRY(platform::TlsIdentity::make(seed, Hash(), platform::Loop::now_ms())));
    Nobody nobody;
    network.set_handler(nobody);
    return network.listen(wanted);
  }
  Result<void> write_nodes() {
    uint32_t provider = 0;
    for (const Member& member : file_.members) {
      NodeFile node;
      node.name = member.name;
      node.role = member.role;
      node.genesis = file_.genesis;
      node.ledger = file_.ledger;
      node.owner = member.owner;
      if (member.role == NodeRole::ledger) {
        node.listen = file_.ledger.address;
      }
      if (member.role == NodeRole::provider) {
        node.machine = machine_of(member.name, provider++);
        const bool lies = options_.demo && !options_.honest && member.name == "provider-3";
        node.cheat = lies ? std::optional<std::string>("skip") : std::nullopt;
      }
      TRY(write_node_json(options_.folder + "/" + member.name, node));
    }
    return {};
  }

  const UpOptions& options_;
  platform::Random random_;
  NetworkFile file_;
};

/// Owners of a private network put their nodes and their stake on its ledger, each once.
Result<void> register_members(const NetworkFolder& network) {
  auto visit = TRY(Visit::begin(network.file().genesis, network.file().ledger));
  std::vector<std::pair<crypto::SecretKey, model::Transaction>> wanted;
  for (const Member& member : network.file().members) {
    if (member.role == NodeRole::ledger || visit->state().nodes.contains(member.node)) {
      continue;
    }
    const bool is_provider = member.role == NodeRole::provider;
    const model::Role role = is_provider ? model::Role::provider : model::Role::auditor;
    const crypto::SecretKey owner = TRY(load_plain_key(network.wallet_of(member.name)));
    const crypto::SecretKey node =
        TRY(load_plain_key(network.member(member.name) + "/keys/" + key_file_name));
    wanted.emplace_back(
        owner, model::register_node(visit->state().network, node, {owner.public_key(), role}));
    wanted.emplace_back(
        owner, model::AddStake{whole(is_provider ? provider_stake_lks : auditor_stake_lks)});
  }
  if (!wanted.empty()) {
    (void)TRY(visit->submit_all(wanted));
  }
  return {};
}

Result<void> bring_up(const UpOptions& options, const Report& report) {
  auto opened = NetworkFolder::open(options.folder);
  const bool is_new = !opened.ok() && opened.error().code == Code::no_network;
  if (!opened.ok() && !is_new) {
    return opened.error();
  }
  const NetworkFolder network = is_new ? TRY(Maker(options).make()) : std::move(opened).value();
  if (is_new) {
    report.tell("made a private network in " + network.path() +
                    "; the keys of its owners lie there, readable for you alone",
                "network_made",
                {{"folder", network.path()}});
  }
  const auto start = [&](const std::string& name, const std::string& folder) -> Result<void> {
    const bool started = TRY(network.start(folder));
    report.tell(name + (started ? ": started" : ": runs already"),
                "node_up",
                {{"name", name}, {"started", started}});
    return {};
  };
  for (const Member& member : network.file().members) {
    if (member.role == NodeRole::ledger) {
      TRY(start(member.name, network.member(member.name)));
      const auto registered = register_members(network);
      if (!registered.ok()) {  // it may have died meanwhile
        TRY(start(member.name, network.member(member.name)));
        TRY(register_members(network));
      }
    }
  }
  for (const Member& member : network.file().members) {
    if (member.role != NodeRole::ledger) {
      TRY(start(member.name, network.member(member.name)));
    }
  }
  for (const std::string& job : network.job_names()) {
    if (!is_job_over(network.job(job))) {
      TRY(start("job " + job, network.job(job)));
    }
  }
  report.tell("the network is up: ledger at " + text_of(network.file().ledger.address) +
                  ". Next: lockstep run JOB.yaml",
              "network_up",
              {{"address", text_of(network.file().ledger.address)}});
  return {};
}

}  // namespace

Exit up(const UpOptions& options) {
  const Report report(options.json);
  const auto done = bring_up(options, report);
  return done.ok() ? Exit::ok : report.fail(done.error());
}

Exit down(const std::string& folder, bool json) {
  const Report report(json);
  const auto network = NetworkFolder::open(folder);
  if (!network.ok()) {
    return report.fail(network.error());
  }
  std::vector<std::pair<std::string, std::string>> all;  // name, folder; the ledger last
  for (const std::string& job : network->job_names()) {
    all.emplace_back("job " + job, network->job(job));
  }
  for (auto member = network->file().members.rbegin(); member != network->file().members.rend();
       ++member) {
    all.emplace_back(member->name, network->member(member->name));
  }
  for (const auto& [name, path] : all) {
    const auto stopped = network->stop(path);
    if (!stopped.ok()) {
      return report.fail(stopped.error());
    }
    if (*stopped) {
      report.tell(name + ": stopped", "node_down", {{"name", name}});
    }
  }
  return Exit::ok;
}

}  // namespace lockstep::apps
