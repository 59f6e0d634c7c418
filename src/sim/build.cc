// Putting a simulated network together: keys, first balances, machines, registrations.
#include <algorithm>

#include "base/check.h"
#include "law/roots.h"
#include "sim/fault_model.h"
#include "sim/machine.h"

namespace lockstep::sim {
namespace {

constexpr uint64_t fault_stream = 0x6661756c74;  // so that faults draw nothing from the network
constexpr int64_t requester_lks = 1000;
constexpr int64_t provider_lks = 1000;
constexpr int64_t provider_stake_lks = 500;
constexpr int64_t auditor_lks = 100;
constexpr int64_t auditor_stake_lks = 50;

Amount whole(int64_t lks) {
  return Amount::from_nano(lks * Amount::nano_per_whole);
}

std::string provider_name(size_t number) {
  return "provider-" + std::to_string(number);
}
std::string auditor_name(size_t number) {
  return "auditor-" + std::to_string(number);
}

}  // namespace

crypto::SecretKey node_key(std::string_view name) {
  return crypto::SecretKey::from_seed(secret_of(0, std::string(name) + "/node"));
}

crypto::SecretKey owner_key(std::string_view name) {
  return crypto::SecretKey::from_seed(secret_of(0, std::string(name) + "/owner"));
}

crypto::SecretKey World::key_of(uint32_t provider) {
  return node_key(provider_name(provider));
}

std::string World::name_of(const crypto::PublicKey& key) const {
  const auto node = by_key_.find(key);
  if (node != by_key_.end()) {
    return machines_[node->second]->name;
  }
  for (const auto& machine : machines_) {
    if (machine->owner == key) {
      return machine->name;
    }
  }
  return "";
}

World::Machine& World::add_machine(const std::string& name,
                                   DiskFaults::Owner owner,
                                   env::KeyValue* blobs) {
  machines_.push_back(std::make_unique<Machine>(name, node_key(name), owner, counts_, blobs));
  Machine& machine = *machines_.back();
  machine.owner = owner_key(name).public_key();
  by_key_[machine.key.public_key()] = machines_.size() - 1;
  return machine;
}

void World::make_genesis(const std::vector<node::Machine>& table) {
  genesis_.name = "sim";
  genesis_.bond_min = options_.bond_min.value_or(genesis_.bond_min);
  genesis_.sequencer = node_key("ledger").public_key();
  genesis_.preimages =
      model::preimage_chain(secret_of(options_.seed, "ledger/preimages"), limits::preimages_max)
          .front();
  const auto give = [&](const std::string& name, int64_t lks) {
    genesis_.balances.push_back({owner_key(name).public_key(), whole(lks)});
  };
  give("requester", requester_lks);
  for (const node::Machine& machine : table) {
    give(machine.name, provider_lks);
  }
  for (uint32_t i = 1; i <= options_.auditors; ++i) {
    give(auditor_name(i), auditor_lks);
  }
  std::sort(genesis_.balances.begin(), genesis_.balances.end(), [](const auto& a, const auto& b) {
    return a.owner < b.owner;
  });
}

model::Signed World::owner_signs(const std::string& name, const model::Transaction& transaction) {
  const model::Context context{
      model::network_id(genesis_), model::SignedKind::transaction, owner_nonces_[name]++};
  return model::sign(owner_key(name), context, codec::encode(transaction));
}

Result<void> World::register_all() {
  for (const model::Signed& registration : registrations_) {
    TRY(sequencer().submit(registration));
  }
  return {};
}

void World::sign_registrations() {
  const model::NetworkId network = model::network_id(genesis_);
  const auto submit = [&](const std::string& name, const model::Transaction& transaction) {
    registrations_.push_back(owner_signs(name, transaction));
  };
  for (const auto& machine : machines_) {
    const auto enter = [&](model::Role role) {
      submit(machine->name, model::register_node(network, machine->key, {machine->owner, role}));
    };
    if (machine->name == "requester") {
      enter(model::Role::requester);
    } else if (machine->name.starts_with("provider")) {
      enter(model::Role::provider);
      submit(machine->name, model::AddStake{whole(provider_stake_lks)});
    } else if (machine->name.starts_with("auditor")) {
      enter(model::Role::auditor);
      submit(machine->name, model::AddStake{whole(auditor_stake_lks)});
    }
  }
}

Result<std::unique_ptr<node::Node>> World::dress(const Machine& machine,
                                                 std::unique_ptr<node::Node> node) const {
  for (const RoleSpec& role : options_.roles) {
    if (role.who == machine.name) {
      const RoleContext context{{machine.key, machine.owner}, genesis_, options_.seed, conspiracy_};
      node = TRY(in_role(role, context, std::move(node)));
    }
  }
  return node;
}

/// At first, and again after a crash: from what the machine keeps.
Result<std::unique_ptr<node::Node>> World::make_node(Machine& machine) {
  const node::Identity identity{machine.key, machine.owner};
  if (machine.name == "ledger") {
    auto sequencer = std::make_unique<node::SequencerNode>(TRY(chain::Sequencer::create(
        genesis_, machine.key, secret_of(options_.seed, "ledger/preimages"), machine.disk)));
    sequencer_ = sequencer.get();
    return dress(machine, std::move(sequencer));
  }
  if (machine.name == "requester") {
    return make_requester(machine);
  }
  const Hash salt = secret_of(0, machine.name + "/salt");
  if (machine.name.starts_with("auditor")) {
    return dress(
        machine,
        TRY(node::Auditor::create({genesis_, identity, salt}, *machine.blobs, &machine.disk)));
  }
  return dress(machine,
               TRY(node::Provider::create(
                   {genesis_, identity, machine.table, salt}, *machine.blobs, machine.disk)));
}

Result<std::unique_ptr<node::Node>> World::make_requester(Machine& machine) {
  auto requester = TRY(node::Requester::create({genesis_,
                                                {machine.key, machine.owner},
                                                options_.memory_bytes,
                                                secret_of(options_.seed, "requester/secret")},
                                               *job_,
                                               *machine.blobs,
                                               machine.disk));
  requester_ = requester.get();
  return dress(machine, std::move(requester));
}

Result<void> World::build_provider(const node::Machine& table, size_t index) {
  Machine& machine = add_machine(table.name, DiskFaults::Owner::provider);
  machine.table = table;
  machine.operations_per_second = table.operations_per_second;
  machine.own_blobs = std::make_unique<store::Blobs>(machine.blob_disk, law::data_mode());
  machine.blobs = machine.own_blobs.get();
  machine.runner = std::make_unique<exec::TensorRunner>(*machine.blobs, *engine_clock_, engine_);
  for (const CheatSpec& cheat : options_.cheats) {
    if (cheat.provider == index + 1) {
      machine.cheat.emplace(cheat.kind, job_->parameters);
    }
  }
  machine.node = TRY(make_node(machine));
  return {};
}

Result<void> World::build_auditor(size_t index) {
  Machine& machine = add_machine(auditor_name(index), DiskFaults::Owner::auditor);
  machine.own_blobs = std::make_unique<store::Blobs>(machine.blob_disk, law::data_mode());
  machine.blobs = machine.own_blobs.get();
  machine.runner = std::make_unique<exec::TensorRunner>(*machine.blobs, *engine_clock_, engine_);
  machine.node = TRY(make_node(machine));
  return {};
}

Result<void> World::build(store::Blobs& requester_blobs,
                          env::Clock& engine_clock,
                          const tensor::Options& engine) {
  engine_clock_ = &engine_clock;
  engine_ = engine;
  const std::vector<node::Machine> table = world_table(options_.providers);
  make_genesis(table);

  Machine& ledger = add_machine("ledger", DiskFaults::Owner::ledger);
  ledger.node = TRY(make_node(ledger));

  Machine& requester =
      add_machine("requester", DiskFaults::Owner::requester, &requester_blobs.values());
  requester.own_blobs = std::make_unique<store::Blobs>(requester.blob_disk, law::data_mode());
  requester.blobs = requester.own_blobs.get();
  requester.runner =
      std::make_unique<exec::TensorRunner>(*requester.blobs, *engine_clock_, engine_);
  for (size_t i = 0; i < table.size(); ++i) {
    TRY(build_provider(table[i], i));
  }
  for (uint32_t i = 1; i <= options_.auditors; ++i) {
    TRY(build_auditor(i));
  }
  for (const node::Machine& machine : table) {
    providers_.push_back(node_key(machine.name).public_key());
  }
  machines_[1]->node = TRY(make_requester(*machines_[1]));
  sign_registrations();
  return register_all();
}

Result<std::unique_ptr<World>> World::create(const Options& options,
                                             const model::Job& job,
                                             store::Blobs& requester_blobs,
                                             env::Clock& engine_clock,
                                             const tensor::Options& engine) {
  if (options.providers == 0 || options.providers > providers_max ||
      options.auditors > auditors_max) {
    return refuse(Code::bad_option,
                  "a simulated network has 1 to " + std::to_string(providers_max) +
                      " providers and at most " + std::to_string(auditors_max) + " auditors",
                  "choose a number in that range",
                  "--providers");
  }
  const auto in_range = [&](uint32_t provider) {
    return provider >= 1 && provider <= options.providers;
  };
  for (const CheatSpec& cheat : options.cheats) {
    if (!in_range(cheat.provider)) {
      return refuse(Code::bad_option, "there is no such provider", "see --providers", "--cheat");
    }
  }
  for (const CrashSpec& crash : options.crashes) {
    if (!in_range(crash.provider)) {
      return refuse(Code::bad_option, "there is no such provider", "see --providers", "--crash");
    }
  }
  TRY(within_model(options.faults, model::Genesis()));
  auto world = std::unique_ptr<World>(new World(options, job));
  TRY(world->build(requester_blobs, engine_clock, engine));
  const uint32_t rounds = world->requester_->planner().rounds();
  for (const CrashSpec& crash : options.crashes) {
    if (crash.round < 1 || crash.round > rounds) {
      return refuse(Code::bad_option,
                    "there is no such round",
                    "choose one from 1 to " + std::to_string(rounds),
                    "--crash");
    }
  }
  auto& crashes = world->options_.faults.crashes;
  crashes.insert(crashes.end(), options.kills.begin(), options.kills.end());
  TRY(world->check_names());
  world->plan_faults();
  return world;
}

World::World(const Options& options, const model::Job& job)
    : options_(options),
      job_(&job),
      random_(options.seed),
      network_(options_.network, options_.faults, Random(options.seed ^ fault_stream), counts_) {}

World::~World() = default;

}  // namespace lockstep::sim
