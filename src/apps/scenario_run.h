// Runs a scenario on simulated networks, one a seed, beside the same network with everybody honest,
// and compares what came of it with what the scenario expects.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "env/clock.h"
#include "model/scenario.h"
#include "prepare/prepare.h"
#include "sim/world.h"

namespace lockstep::apps {

/// What one network came to.
struct NetworkOutcome {
  bool settled = false;
  std::string error;                   // why not
  std::vector<std::string> convicted;  // machines whose owners were slashed
  std::set<std::string> claimed;       // machines that claimed anything
  Hash model_root;
  std::vector<std::string> broken;  // invariants
  std::map<std::string, Amount>
      wealth;            // of each machine's owner: balance and stake, less its first
  Amount work_price;     // of the job
  Amount work_received;  // price of honest providers' claimed work that was neither void nor false
  Amount audits_paid;
  uint64_t network_ms = 0;         // how long it ran, in its own time
  std::vector<std::string> trace;  // the last events
};

struct SeedOutcome {
  uint64_t seed = 0;
  NetworkOutcome attack;
  Amount profit;                      // of the attackers together, against honest play
  uint64_t network_ms = 0;            // of both networks
  std::vector<std::string> failures;  // what was not as expected, in words; none: all is well
};

class ScenarioRunner {
 public:
  /// Borrows the scenario. Errors: those of preparing the job; bad_option for an unknown role.
  static Result<std::unique_ptr<ScenarioRunner>> create(const model::Scenario& scenario);
  /// The same for the same seed. Errors: faults only.
  [[nodiscard]] Result<SeedOutcome> run(uint64_t seed);
  /// Runs end as soon as an invariant is broken.
  void stop_at_first_breach() { stops_ = true; }
  [[nodiscard]] const std::set<std::string>& attackers() const { return attackers_; }

 private:
  explicit ScenarioRunner(const model::Scenario& scenario) : scenario_(&scenario) {}
  [[nodiscard]] sim::Options options(uint64_t seed, bool honest) const;
  [[nodiscard]] Result<NetworkOutcome> play(uint64_t seed, bool honest);
  [[nodiscard]] Amount value(const NetworkOutcome& outcome) const;
  void judge(const NetworkOutcome& honest, SeedOutcome& outcome) const;

  const model::Scenario* scenario_;
  bool stops_ = false;
  std::set<std::string> attackers_;
  env::MemoryKeyValue inputs_;
  std::optional<prepare::Prepared> prepared_;
};

/// One event of the ledger in a line.
[[nodiscard]] std::string describe(const ledger::Event& event, const sim::World& world);

}  // namespace lockstep::apps
