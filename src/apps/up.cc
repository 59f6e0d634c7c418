#include "apps/up.h"

#include <algorithm>

#include "apps/hints.h"
#include "apps/interrupt.h"
#include "apps/network_folder.h"
#include "apps/node_process.h"
#include "apps/provide_join.h"
#include "apps/recorder.h"
#include "apps/visit.h"
#include "apps/wallet_files.h"
#include "base/limits.h"
#include "platform/data_dir.h"
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

/// Where one can listen now; a port 0 becomes one that is free. Errors: in_use, bad_address,
/// not_permitted.
Result<env::Address> try_address(const env::Address& wanted) {
  platform::Random random;
  Hash seed;
  TRY(random.fill(seed.bytes));
  platform::Loop loop;
  platform::TcpNetwork network(
      loop, TRY(platform::TlsIdentity::make(seed, Hash(), platform::Loop::now_ms())));
  Nobody nobody;
  network.set_handler(nobody);
  auto address = network.listen(wanted);
  return !address.ok() && address.error().code == Code::in_use
             ? Result<env::Address>(port_in_use(wanted))
             : std::move(address);
}

Result<void> check_disk(const std::string& folder) {
  constexpr uint64_t bytes_least = uint64_t{64} << 20;
  const auto room = TRY(platform::disk_room(folder, UINT64_MAX));
  return room.left < bytes_least ? Result<void>(no_space(folder, room.left)) : Result<void>();
}

/// With the way out that always works.
Error or_anew(Error error) {
  if (error.code == Code::bad_folder) {
    error.next += (error.next.empty() ? "start" : "; or start");
    error.next += " another network beside it: lockstep up --network NEW_NAME";
  }
  return error;
}

/// What would keep a member's process from coming up, as far as it can be told before.
Result<void> check_member(const NetworkFolder& network, const Member& member) {
  const std::string folder = network.member(member.name);
  if (network.is_running(folder)) {
    return {};
  }
  const auto data = platform::DataDir::open(folder);
  if (!data.ok() && data.error().code != Code::in_use) {  // one that has just been started has it
    return or_anew(data.error());
  }
  if (member.role == NodeRole::ledger && data.ok()) {
    (void)TRY(try_address(network.file().ledger.address));
  }
  return {};
}

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
    file_.ledger.address = TRY(try_address(TRY(parse_address(options_.listen))));
    TRY(platform::make_private_folder(options_.folder));
    TRY(check_disk(options_.folder));
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
    if (options_.demo && !options_.honest && options_.providers > 1) {
      file_.demo = DemoPlan{"provider-2", 25};
    }
    TRY(write_nodes());
    return NetworkFolder::create(options_.folder, file_);
  }

 private:
  Result<crypto::PublicKey> add_owner(const std::string& name, int64_t lks) {
    const std::string path = NetworkFolder::wallet_in(options_.folder, name);
    auto made = create_plain_key(path, random_);
    if (!made.ok() && made.error().code == Code::already_there) {
      made = load_plain_key(path);  // of an `up` that was interrupted
    }
    const crypto::SecretKey owner = TRY(std::move(made));
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

/// The network in this folder, made if there is none; `is_new` says so. One `up` at a time.
Result<NetworkFolder> open_or_make(const UpOptions& options, bool& is_new) {
  auto opened = NetworkFolder::open(options.folder);
  is_new = false;
  if (opened.ok()) {
    return opened;
  }
  if (opened.error().code != Code::no_network) {
    return or_anew(opened.error());
  }
  (void)TRY(try_address(TRY(parse_address(options.listen))));  // before anything is made
  TRY(platform::make_private_folder(options.folder));
  const auto turn = TRY(platform::wait_for_lock(options.folder + "/up.lock"));
  auto made_by_another = NetworkFolder::open(options.folder);
  if (made_by_another.ok()) {
    return made_by_another;
  }
  is_new = true;
  return Maker(options).make();
}

/// Where a node that runs answers GET /metrics; "" where it does not.
std::string metrics_of(const std::string& folder) {
  platform::Files files;
  constexpr size_t ready_bytes_max = size_t{64} << 10;
  const auto bytes = files.read(folder + "/" + ready_file_name, ready_bytes_max);
  const auto ready = bytes.ok() ? nlohmann::json::parse(*bytes, nullptr, false) : nlohmann::json();
  const bool has = ready.is_object() && ready.contains("metrics") && ready["metrics"].is_string();
  return has ? ready["metrics"].get<std::string>() : std::string();
}

std::vector<std::string> node_options(const UpOptions& options) {
  std::vector<std::string> all = {"--log-level", options.log_level};
  if (options.metrics) {
    all.emplace_back("--metrics");
  }
  return all;
}

void tell_started(const UpOptions& options,
                  const Report& report,
                  const std::string& name,
                  const std::string& folder,
                  bool started) {
  const std::string metrics = metrics_of(folder);
  std::string text = name + (started ? ": started" : ": runs already");
  nlohmann::json event = {{"name", name}, {"started", started}};
  if (!metrics.empty()) {
    text += ", http://" + metrics + "/metrics";
    event["metrics"] = metrics;
  } else if (options.metrics) {
    text += started ? ", without metrics: see its log"
                    : ", without metrics: `lockstep down`, then `lockstep up --metrics`";
  }
  report.tell(text, "node_up", std::move(event));
}

class Starter {
 public:
  Starter(const UpOptions& options, const NetworkFolder& network, const Report& report)
      : options_(options), network_(network), report_(report) {}

  Result<void> start_all() {
    for (const Member& member : network_.file().members) {
      TRY(check_member(network_, member));
    }
    for (const Member& member : network_.file().members) {
      if (member.role == NodeRole::ledger) {
        TRY(start_ledger(member));
      }
    }
    for (const Member& member : network_.file().members) {
      if (member.role != NodeRole::ledger) {
        TRY(start(member.name, network_.member(member.name)));
      }
    }
    for (const std::string& job : network_.job_names()) {
      if (!is_job_over(network_.job(job))) {
        TRY(start("job " + job, network_.job(job)));
      }
    }
    return {};
  }
  [[nodiscard]] bool has_started() const { return started_; }

 private:
  Result<void> start_ledger(const Member& member) {
    TRY(start(member.name, network_.member(member.name)));
    const auto registered = register_members(network_);
    if (!registered.ok()) {  // it may have died meanwhile
      TRY(start(member.name, network_.member(member.name)));
      TRY(register_members(network_));
    }
    return {};
  }
  Result<void> start(const std::string& name, const std::string& folder) {
    if (is_interrupted()) {
      return refuse(Code::cancelled,
                    "interrupted; what was started so far runs on",
                    "start the rest: lockstep up; stop it all: lockstep down");
    }
    if (options_.record) {
      TRY(Recorder::switch_on(folder));
    }
    const bool started = TRY(network_.start(folder, node_options(options_)));
    started_ = started_ || started;
    tell_started(options_, report_, name, folder, started);
    return {};
  }

  const UpOptions& options_;
  const NetworkFolder& network_;
  const Report& report_;
  bool started_ = false;
};

Result<void> bring_up(const UpOptions& options, const Report& report) {
  bool is_new = false;
  const NetworkFolder network = TRY(open_or_make(options, is_new));
  TRY(check_disk(network.path()));
  if (is_new) {
    report.tell("made a private network in " + network.path() +
                    "; the keys of its owners lie there, readable for you alone",
                "network_made",
                {{"folder", network.path()}});
  }
  Starter starter(options, network, report);
  TRY(starter.start_all());
  const std::string address = text_of(network.file().ledger.address);
  report.tell((starter.has_started() ? "the network is up: ledger at "
                                     : "the network was up already: ledger at ") +
                  address +
                  ". Next: lockstep run JOB.yaml; to end it: lockstep down\n"
                  "another machine joins with: lockstep provide --join " +
                  join_text(network.file().ledger),
              "network_up",
              {{"address", address},
               {"join", join_text(network.file().ledger)},
               {"started", starter.has_started()}});
  return {};
}

}  // namespace

Exit up(const UpOptions& options) {
  const Report report(options.json);
  watch_interrupts();
  const auto done = bring_up(options, report);
  return done.ok() ? Exit::ok : report.fail(with_hint(done.error()));
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
