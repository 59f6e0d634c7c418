#include "apps/scenario_run.h"

#include <algorithm>
#include <deque>

#include "apps/report.h"
#include "apps/scenario_job.h"
#include "law/roots.h"
#include "sim/fault_model.h"
#include "sim/invariants.h"

namespace lockstep::apps {
namespace {

constexpr size_t trace_max = 30;

/// Nobody looks at the engine's time here.
class NoClock final : public env::Clock {
 public:
  uint64_t now_ns() override { return 0; }
};

Amount plus(Amount a, Amount b) {
  return Amount::from_nano(a.nano() + b.nano());  // amounts of one genesis
}
Amount minus(Amount a, Amount b) {
  return Amount::from_nano(a.nano() - b.nano());
}

class Watcher final : public sim::Observer {
 public:
  Watcher(sim::Invariants& invariants, bool stops) : invariants_(invariants), stops_(stops) {}
  void watch(sim::World& world) { world_ = &world; }
  void on_notice(uint64_t now_ms, const node::Notice& notice) override {
    if (const auto* const news = std::get_if<node::LedgerNews>(&notice)) {
      invariants_.on_event(news->event, world_->ledger_state());
      const std::string line = describe(news->event, *world_);
      trace.push_back(text_of("%8.3f s  block %4s  %s",
                              static_cast<double>(now_ms) * 1e-3,
                              std::to_string(news->height).c_str(),
                              line.c_str()));
      if (trace.size() > trace_max) {
        trace.pop_front();
      }
    } else if (const auto* const done = std::get_if<node::JobFinished>(&notice)) {
      std::vector<std::pair<std::string, Hash>> roots;
      for (const auto& [name, leaf] : done->parameters) {
        roots.emplace_back(name, leaf.root);
      }
      model_root = law::model_root(roots);
    }
  }
  void on_machine(uint64_t, const std::string&, bool) override {}
  void on_block(uint64_t /*now_ms*/,
                const model::Block& block,
                const ledger::State& after) override {
    invariants_.on_block(block, after);
  }
  [[nodiscard]] bool has_seen_enough() const override {
    return stops_ && !invariants_.broken().empty();
  }
  std::deque<std::string> trace;
  Hash model_root;

 private:
  sim::Invariants& invariants_;
  bool stops_;
  sim::World* world_ = nullptr;
};

bool counts_as_received(const ledger::Task& task) {
  using ledger::TaskStatus;
  return task.status == TaskStatus::final || task.status == TaskStatus::unavailable ||
         task.status == TaskStatus::pending;
}

/// What the network's end says about money.
void take_money(sim::World& world, const std::set<std::string>& attackers, NetworkOutcome& out) {
  const ledger::State& state = world.ledger_state();
  for (const model::Allocation& first : world.genesis().balances) {
    const auto account = state.accounts.find(first.owner);
    const Amount now = account == state.accounts.end()
                           ? Amount()
                           : plus(account->second.balance, account->second.stake);
    out.wealth[world.name_of(first.owner)] = minus(now, first.amount);
  }
  std::map<model::JobId, uint64_t> received;
  for (const auto& [id, claim] : state.claims) {
    if (!attackers.contains(world.name_of(state.leases.at(claim.lease).owner))) {
      for (const ledger::Task& task : claim.tasks) {
        received[claim.job] += counts_as_received(task) ? task.operations : 0;
      }
    }
  }
  for (const auto& [id, job] : state.jobs) {
    out.settled = out.settled || job.status == ledger::JobStatus::settled;
    out.work_price = job.work_price;
    out.audits_paid = job.paid;
    const auto price = model::price_of(received[id], job.terms.price_per_unit);
    out.work_received = price.ok() ? *price : Amount();
  }
  for (const auto& [id, claim] : state.claims) {
    out.claimed.insert(world.name_of(state.leases.at(claim.lease).owner));
  }
  for (const auto& [id, lease] : state.leases) {
    out.audits_paid = minus(out.audits_paid, plus(lease.paid, lease.paid_void));
    const std::string name = world.name_of(lease.owner);
    const bool known =
        std::find(out.convicted.begin(), out.convicted.end(), name) != out.convicted.end();
    if (lease.status == ledger::LeaseStatus::slashed && !known) {
      out.convicted.push_back(name);
    }
  }
}

template <class T>
std::string name_in(const T& names) {
  std::string all;
  for (const std::string& name : names) {
    all += (all.empty() ? "" : ", ") + name;
  }
  return all.empty() ? "nobody" : all;
}

}  // namespace

Result<std::unique_ptr<ScenarioRunner>> ScenarioRunner::create(const model::Scenario& scenario) {
  auto runner = std::unique_ptr<ScenarioRunner>(new ScenarioRunner(scenario));
  for (const auto* const list : {&scenario.roles, &scenario.cheats}) {
    for (const auto& [machine, what] : *list) {
      runner->attackers_.insert(machine);
    }
  }
  for (const auto& [machine, role] : scenario.roles) {
    const std::string kind = sim::role_kind(role);
    if (kind.empty() || !machine.starts_with(kind)) {
      return refuse(Code::bad_option,
                    text_of("\"%s\" is no role of %s", role.c_str(), machine.c_str()),
                    "the roles are " + name_in(sim::role_names()),
                    scenario.name);
    }
  }
  ScenarioFiles files;
  store::Blobs blobs(runner->inputs_, law::data_mode());
  runner->prepared_ = TRY(prepare::prepare(scenario_job(scenario), "", files, blobs));
  return runner;
}

sim::Options ScenarioRunner::options(uint64_t seed, bool honest) const {
  sim::Options options;
  options.seed = seed;
  options.providers = scenario_->providers;
  options.auditors = scenario_->auditors;
  options.time_limit_ms = scenario_->time_limit_s * 1000;
  options.network.loss_millionths = scenario_->loss_millionths;
  // Bonds are those that the prices of tasks give: the least bond of a network is far above them
  // in a job as small as this, and no attack would have to fear anything else.
  options.bond_min = Amount::from_nano(1);
  if (honest) {
    return options;
  }
  if (scenario_->random_faults) {
    options.faults = sim::random_faults(seed, options.providers, options.auditors);
  } else if (scenario_->requester_faults) {
    options.faults = sim::requester_faults(seed);
  }
  for (const auto& [who, role] : scenario_->roles) {
    options.roles.push_back({who, role});
  }
  for (const auto& [who, lie] : scenario_->cheats) {
    constexpr size_t prefix = sizeof "provider-" - 1;
    const auto number = static_cast<uint32_t>(std::stoul(who.substr(prefix)));
    options.cheats.push_back({number, *sim::cheat_named(lie)});
  }
  return options;
}

Result<NetworkOutcome> ScenarioRunner::play(uint64_t seed, bool honest) {
  NetworkOutcome out;
  NoClock clock;
  env::MemoryKeyValue values = inputs_;
  store::Blobs blobs(values, law::data_mode());
  const tensor::Options engine{1, tensor::best_isa(), false};
  auto world = TRY(sim::World::create(options(seed, honest), prepared_->job, blobs, clock, engine));
  exec::TensorRunner runner(blobs, clock, engine);
  sim::Invariants invariants({[&](const crypto::PublicKey& key) { return world->name_of(key); },
                              honest ? std::set<std::string>() : attackers_,
                              &runner});
  Watcher watcher(invariants, stops_);
  watcher.watch(*world);
  const Result<void> ended = world->run(watcher);
  out.error = ended.ok() ? std::string() : ended.error().message();
  take_money(*world, honest ? std::set<std::string>() : attackers_, out);
  invariants.at_end(world->ledger_state());
  out.broken = invariants.broken();
  out.model_root = watcher.model_root;
  out.network_ms = world->now_ms();
  out.trace.assign(watcher.trace.begin(), watcher.trace.end());
  return out;
}

/// What the attackers have of it. A requester has the work that it received, too, at its price, and
/// the audits that it paid for.
Amount ScenarioRunner::value(const NetworkOutcome& outcome) const {
  Amount sum;
  for (const std::string& name : attackers_) {
    const auto found = outcome.wealth.find(name);
    sum = plus(sum, found == outcome.wealth.end() ? Amount() : found->second);
  }
  if (attackers_.contains("requester")) {
    sum = plus(sum, plus(outcome.work_received, outcome.audits_paid));
  }
  return sum;
}

void ScenarioRunner::judge(const NetworkOutcome& honest, SeedOutcome& outcome) const {
  const model::Expected& expect = scenario_->expect;
  const NetworkOutcome& attack = outcome.attack;
  std::vector<std::string>& failures = outcome.failures;
  const auto is_convicted = [&](const std::string& name) {
    return std::find(attack.convicted.begin(), attack.convicted.end(), name) !=
           attack.convicted.end();
  };
  for (const std::string& what : honest.broken) {
    failures.push_back("with everybody honest: " + what);
  }
  failures.insert(failures.end(), attack.broken.begin(), attack.broken.end());
  if (!honest.settled) {
    failures.push_back("with everybody honest the job was not settled: " + honest.error);
  }
  if (attack.settled != expect.settles) {
    failures.push_back(attack.settled ? "the job was settled" : "not settled: " + attack.error);
  }
  for (const std::string& name : expect.convicted) {
    // Faults may keep a liar from ever telling its lie.
    if (!is_convicted(name) && attack.claimed.contains(name)) {
      failures.push_back(name + " was not convicted");
    }
  }
  for (const std::string& name : expect.never_convicted) {
    if (is_convicted(name)) {
      failures.push_back(name + " was convicted");
    }
  }
  if (expect.model_honest && attack.settled && attack.model_root != honest.model_root) {
    failures.emplace_back("the model is not the honest one");
  }
  if (expect.profit_max && outcome.profit > *expect.profit_max) {
    failures.push_back("the attackers gained " + outcome.profit.print());
  }
}

Result<SeedOutcome> ScenarioRunner::run(uint64_t seed) {
  const crypto::VerifyMemo signatures;
  const model::ChainMemo chains;
  const NetworkOutcome honest = TRY(play(seed, true));
  SeedOutcome outcome;
  outcome.seed = seed;
  outcome.attack = TRY(play(seed, false));
  outcome.network_ms = honest.network_ms + outcome.attack.network_ms;
  outcome.profit = minus(value(outcome.attack), value(honest));
  judge(honest, outcome);
  return outcome;
}

}  // namespace lockstep::apps
