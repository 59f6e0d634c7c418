#include "apps/provide.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include "apps/folders.h"
#include "apps/interrupt.h"
#include "apps/job_input.h"
#include "apps/node_process.h"
#include "apps/provide_file.h"
#include "apps/provide_join.h"
#include "apps/wallet_files.h"
#include "crypto/key_text.h"
#include "device/devices.h"
#include "exec/benchmark.h"
#include "platform/data_dir.h"
#include "platform/files.h"
#include "platform/loop.h"
#include "platform/private_files.h"
#include "platform/random.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* standard_stake = "500 LKS";
constexpr const char* own_wallet = "owner";  // under wallets/

/// The folder, or the nearest one above it that exists.
std::string existing(const std::string& folder) {
  std::error_code error;
  fs::path path = fs::absolute(folder, error);
  while (!path.empty() && path != path.root_path() && !fs::exists(path, error)) {
    path = path.parent_path();
  }
  return path.empty() ? std::string("/") : path.string();
}

/// What can be lent: what the provider itself takes already counts as free.
model::MachineSize size_with(const device::Machine& machine, const std::string& folder) {
  model::MachineSize size = size_of(machine);
  const auto used = platform::disk_used(folder);
  size.disk_bytes += used.ok() ? *used : 0;
  return size;
}

class Giver {
 public:
  Giver(const ProvideOptions& options, std::string folder, const Report& report)
      : options_(options), folder_(std::move(folder)), report_(report) {}

  Result<void> run() {
    // First of all: it forks, which threads would not survive.
    device::Where where;
    where.folder = existing(folder_);
    machine_ = device::find_devices(where);
    const auto file = TRY(read_provide_file(folder_));
    is_new_ = !file;
    file_ = file.value_or(ProvideFile());
    const model::Slice slice = TRY(wanted_slice());
    const spec::PriceWish price = TRY(wanted_price());
    const NetworkFolder network = TRY(join());
    TRY(take_owner());
    TRY(save(folder_, slice));
    TRY(save(folder_, file_));
    TRY(measure(slice));
    auto visit = TRY(Visit::begin(network.file().genesis, network.file().ledger));
    TRY(register_machine(*visit));
    const NodeFile node = TRY(node_file(network, slice, price, visit->state()));
    visit.reset();
    (void)TRY(network.stop(network.member(provider_member)));
    TRY(write_node_json(network.member(provider_member), node));
    TRY(check_interrupt());
    (void)TRY(network.start(network.member(provider_member)));
    tell_offer(node);
    return options_.background ? Result<void>() : stay(network);
  }

 private:
  Result<model::Slice> wanted_slice() {
    const model::MachineSize size = size_with(machine_, folder_);
    const auto kept = TRY(read_slice(folder_, size));
    return spec::parse_slice_flags(
        merged(options_.slice, kept ? flags_of(*kept) : spec::SliceFlags()), size);
  }

  Result<spec::PriceWish> wanted_price() {
    file_.price = merged(options_.price, file_.price);
    if (options_.stake || is_new_) {
      const std::string text = options_.stake.value_or(standard_stake);
      const auto stake = Amount::parse(text);
      if (!stake.ok() || *stake < Amount()) {
        return refuse(Code::wrong_type,
                      "\"" + text + "\" is no amount of money",
                      "write one such as \"500 LKS\"",
                      "--stake");
      }
      file_.stake = *stake;
    }
    return spec::parse_price_flags(file_.price);
  }

  /// The network of this folder, or the one that is joined now.
  Result<NetworkFolder> join() {
    auto opened = NetworkFolder::open(folder_);
    const bool is_new = !opened.ok() && opened.error().code == Code::no_network;
    if (!opened.ok() && !is_new) {
      return opened.error();
    }
    if (options_.join.empty()) {
      return is_new ? Result<NetworkFolder>(refuse(Code::bad_option,
                                                   "this machine has joined no network yet",
                                                   "name one: --join ADDRESS#NODEID",
                                                   "--join"))
                    : opened;
    }
    const LedgerPlace place = TRY(parse_join(options_.join));
    if (is_new) {
      return make(place);
    }
    NetworkFile file = opened->file();
    if (file.members.size() != 1 || file.members.front().name != provider_member ||
        file.ledger.node != place.node) {
      return refuse(Code::already_there,
                    "this folder belongs to another network",
                    "choose another one: --dir FOLDER",
                    folder_);
    }
    if (text_of(file.ledger.address) == text_of(place.address)) {
      return opened;
    }
    file.ledger.address = place.address;  // it has moved
    platform::Files files;
    const std::string text = write_network_file(file);
    TRY(files.write(folder_ + "/network.json",
                    {reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
    return NetworkFolder::open(folder_);
  }

  Result<NetworkFolder> make(const LedgerPlace& place) {
    NetworkFile file;
    file.genesis = TRY(ask_genesis(place));
    file.ledger = place;
    TRY(platform::make_private_folder(folder_));
    TRY(take_owner());
    const crypto::SecretKey node = TRY(make_node_folder(folder_ + "/" + provider_member));
    file.members.push_back({provider_member, NodeRole::provider, node.public_key(), file_.owner});
    report_.tell("joined the network \"" + file.genesis.name + "\" at " + text_of(place.address) +
                     "; this machine's files are in " + folder_,
                 "joined",
                 {{"folder", folder_}, {"ledger", join_text(place)}});
    return NetworkFolder::create(folder_, std::move(file));
  }

  [[nodiscard]] WalletFiles wallets(const std::string& folder) { return {folder, random_}; }

  Result<void> take_owner() {
    if (options_.name) {
      file_.name = *options_.name;
    }
    if (file_.owner != crypto::PublicKey()) {
      const bool other = options_.owner && *options_.owner != file_.wallet;
      return other ? Result<void>(refuse(Code::already_there,
                                         "this machine is registered for another owner",
                                         "choose another folder for this one: --dir FOLDER",
                                         "--owner"))
                   : Result<void>();
    }
    if (options_.owner) {
      file_.wallet = *options_.owner;
      const std::string folder = TRY(wallet_folder(environment_of_process, options_.wallet_folder));
      file_.owner = TRY(wallets(folder).show(file_.wallet)).key;
      return {};
    }
    const std::string path = NetworkFolder::wallet_in(folder_, own_wallet);
    std::error_code error;
    const crypto::SecretKey owner =
        fs::exists(path, error) ? TRY(load_plain_key(path)) : TRY(create_plain_key(path, random_));
    file_.owner = owner.public_key();
    return {};
  }

  Result<crypto::SecretKey> unlock_owner() {
    if (file_.wallet.empty()) {
      return load_plain_key(NetworkFolder::wallet_in(folder_, own_wallet));
    }
    const std::string folder = TRY(wallet_folder(environment_of_process, options_.wallet_folder));
    TypedPassphrase typed;
    FiledPassphrase filed(options_.passphrase_file);
    return wallets(folder).unlock(
        file_.wallet,
        options_.passphrase_file.empty() ? static_cast<PassphraseSource&>(typed) : filed);
  }

  /// The benchmark, unless the last one still holds.
  Result<void> measure(const model::Slice& slice) {
    const tensor::Isa isa = TRY(choose_isa());
    model::Benchmark wanted;
    wanted.family = exec::family_of(isa);
    wanted.processor = machine_.cpu.model;
    wanted.threads = slice.cpus;
    wanted.measured_ms = platform::Loop::now_ms();
    if (file_.benchmark && model::is_current(*file_.benchmark, wanted, wanted.measured_ms)) {
      return {};
    }
    report_.tell("measuring this machine: about " +
                     std::to_string(options_.benchmark_ms / 1000 + 1) + " seconds",
                 "measuring",
                 nlohmann::json::object());
    platform::Clock clock;
    exec::BenchmarkOptions how;
    how.duration_ms = options_.benchmark_ms;
    how.threads = static_cast<int>(slice.cpus);
    how.isa = isa;
    wanted.operations_per_second = TRY(exec::run_benchmark(how, clock)).operations_per_second;
    file_.benchmark = wanted;
    return save(folder_, file_);
  }

  Result<void> register_machine(Visit& visit) {
    const crypto::SecretKey node =
        TRY(load_plain_key(folder_ + "/" + provider_member + "/keys/" + key_file_name));
    const Missing missing = TRY(missing_of(visit.state(), {node, file_.owner, file_.stake}));
    std::vector<std::pair<crypto::SecretKey, model::Transaction>> wanted;
    if (!missing.node && missing.stake == Amount()) {
      return {};
    }
    const crypto::SecretKey owner = TRY(unlock_owner());
    if (missing.node) {
      wanted.emplace_back(
          owner,
          model::register_node(
              visit.state().network, node, {owner.public_key(), model::Role::provider}));
    }
    if (missing.stake > Amount()) {
      wanted.emplace_back(owner, model::AddStake{missing.stake});
    }
    (void)TRY(visit.submit_all(wanted));
    report_.tell(missing.node ? "registered, with a stake of " + file_.stake.print()
                              : "the stake is " + file_.stake.print() + " now",
                 "registered",
                 {{"node", crypto::key_text(node.public_key())}, {"stake", file_.stake.print()}});
    return {};
  }

  Result<Amount> price_of(const spec::PriceWish& wish, const ledger::State& state) const {
    if (wish.fixed) {
      return *wish.fixed;
    }
    const place::OwnCost own{
        file_.benchmark->operations_per_second, wish.power_watts, wish.power_cost};
    return TRY(place::auto_price(own, paid_prices(state))).price_per_unit;
  }

  Result<NodeFile> node_file(const NetworkFolder& network,
                             const model::Slice& slice,
                             const spec::PriceWish& wish,
                             const ledger::State& state) const {
    const Member& member = network.file().members.front();
    NodeFile node;
    node.name =
        file_.name.empty() ? "machine-" + crypto::key_text(member.node).substr(3, 6) : file_.name;
    node.role = NodeRole::provider;
    node.genesis = network.file().genesis;
    node.ledger = network.file().ledger;
    node.owner = file_.owner;
    node.threads = static_cast<int>(slice.cpus);
    node.slice = slice;
    const uint64_t speed = file_.benchmark->operations_per_second;
    node.machine = node::Machine{node.name,
                                 TRY(price_of(wish, state)),
                                 speed,
                                 slice.memory_bytes,
                                 slice.cpus,
                                 model::device_class(file_.benchmark->family, speed),
                                 "unknown"};
    return node;
  }

  void tell_offer(const NodeFile& node) const {
    DevicesShown shown;
    shown.machine = machine_;
    shown.slice = node.slice;
    shown.benchmark = file_.benchmark;
    shown.price_per_unit = node.machine->price_per_unit;
    tell_lent(shown, report_);
    report_.tell(
        "\nthe provider runs" + std::string(options_.background ? "; to stop it: lockstep down "
                                                                  "--network-dir " +
                                                                      folder_
                                                                : "; Ctrl-C stops it"),
        "provider_up",
        {{"name", node.name}, {"folder", folder_}});
  }

  /// Until Ctrl-C, or until the node ends.
  Result<void> stay(const NetworkFolder& network) const {
    constexpr int look_ms = 100;
    const std::string node = network.member(provider_member);
    while (!is_interrupted()) {
      if (!network.is_running(node)) {
        return refuse(
            Code::internal, "the node has ended", "see why in " + node + "/logs/node.log", node);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(look_ms));
    }
    (void)TRY(network.stop(node));
    report_.tell("stopped; to go on: lockstep provide", "provider_down", {{"folder", folder_}});
    return {};
  }

  const ProvideOptions& options_;
  std::string folder_;
  const Report& report_;
  platform::Random random_;
  device::Machine machine_;
  ProvideFile file_;
  bool is_new_ = false;
};

/// What a provider in this folder lends, as far as it can be read.
void add_offer(const std::string& folder, DevicesShown& shown) {
  const auto file = read_provide_file(folder);
  const auto network = NetworkFolder::open(folder);
  if (!file.ok() || !*file || !network.ok()) {
    return;
  }
  platform::Files files;
  const std::string node = network->member(provider_member);
  const auto known = read_node_file(files, node + "/" + node_file_name);
  if (!known.ok()) {
    return;
  }
  shown.slice = known->slice;
  shown.benchmark = (*file)->benchmark;
  if (known->machine) {
    shown.price_per_unit = known->machine->price_per_unit;
  }
  constexpr uint64_t patience_ms = 3000;
  const auto visit = Visit::begin(network->file().genesis, network->file().ledger, patience_ms);
  if (visit.ok()) {
    shown.earnings = earnings_of((*visit)->state(), network->file().members.front().node);
  } else {
    shown.machine.notes.push_back("what it has earned is not known: " + visit.error().message());
  }
}

}  // namespace

Earned earnings_of(const ledger::State& state, const crypto::PublicKey& node) {
  Earned earnings;
  // The ledger has checked that no sum overflows: all money is less than that.
  for (const auto& [id, lease] : state.leases) {
    if (lease.node == node) {
      earnings.operations += lease.counted_operations;
      earnings.pending = Amount::from_nano(earnings.pending.nano() + lease.pending.nano());
      earnings.paid =
          Amount::from_nano(earnings.paid.nano() + lease.paid.nano() + lease.paid_void.nano());
    }
  }
  for (const auto& [id, claim] : state.claims) {
    const auto lease = state.leases.find(claim.lease);
    if (lease != state.leases.end() && lease->second.node == node) {
      earnings.tasks += claim.tasks.size();
    }
  }
  return earnings;
}

std::vector<place::PaidPrice> paid_prices(const ledger::State& state) {
  constexpr uint64_t recent_ms = uint64_t{30} * 24 * 3600 * 1000;
  std::vector<place::PaidPrice> paid;
  paid.reserve(state.leases.size());
  for (const auto& [id, lease] : state.leases) {
    const auto job = state.jobs.find(lease.job);
    if (job != state.jobs.end() && job->second.owner != lease.owner &&
        lease.opened_ms + recent_ms >= state.totals.time_ms) {
      paid.push_back({job->second.terms.price_per_unit, lease.final_operations});
    }
  }
  return paid;
}

Exit provide(const ProvideOptions& options) {
  const Report report(options.json);
  watch_interrupts();
  const auto folder = provider_folder(options.folder);
  if (!folder.ok()) {
    return report.fail(folder.error());
  }
  const auto done = Giver(options, *folder, report).run();
  return done.ok() ? Exit::ok : report.fail(done.error());
}

Exit show_devices(const std::string& folder, bool json) {
  const Report report(json);
  const auto chosen = provider_folder(folder);
  DevicesShown shown;
  device::Where where;
  where.folder = chosen.ok() ? existing(*chosen) : ".";
  shown.machine = device::find_devices(where);
  if (chosen.ok()) {
    add_offer(*chosen, shown);
  }
  tell_devices(shown, report);
  return Exit::ok;
}

}  // namespace lockstep::apps
