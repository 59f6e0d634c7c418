#include "apps/scenario_check.h"

#include <algorithm>

#include "apps/scenario_run.h"
#include "base/limits.h"
#include "platform/files.h"
#include "spec/scenario_file.h"

namespace lockstep::apps {
namespace {

/// Profits of a scenario's seeds, in nano-LKS.
struct Spread {
  uint64_t seeds = 0;
  int64_t least = INT64_MAX;
  int64_t most = INT64_MIN;
  int64_t sum = 0;
  int64_t work_price = 0;
  uint64_t convictions = 0;
  uint64_t failed = 0;
  void add(const SeedOutcome& outcome) {
    const int64_t profit = outcome.profit.nano();
    seeds += 1;
    least = std::min(least, profit);
    most = std::max(most, profit);
    sum += profit;
    work_price = std::max(work_price, outcome.attack.work_price.nano());
    convictions += outcome.attack.convicted.empty() ? 0 : 1;
    failed += outcome.failures.empty() ? 0 : 1;
  }
  [[nodiscard]] double mean() const {
    return seeds == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(seeds);
  }
  /// In hundredths of the job's work price.
  [[nodiscard]] double percent(double nano) const {
    return work_price == 0 ? 0 : 100 * nano / static_cast<double>(work_price);
  }
};

void tell_failure(const Report& report, const std::string& path, const SeedOutcome& outcome) {
  std::string text = "seed " + std::to_string(outcome.seed) + ":";
  for (const std::string& failure : outcome.failures) {
    text += "\n  " + failure;
  }
  text += "\n  again: lockstep sim check " + path + " --seeds 1 --first-seed " +
          std::to_string(outcome.seed);
  for (const std::string& line : outcome.attack.trace) {
    text += "\n    " + line;
  }
  report.tell(text,
              "seed_failed",
              {{"scenario", path},
               {"seed", outcome.seed},
               {"failures", outcome.failures},
               {"trace", outcome.attack.trace}});
}

void tell_spread(const Report& report, const std::string& name, const Spread& spread) {
  const auto least = static_cast<double>(spread.least);
  const auto most = static_cast<double>(spread.most);
  report.tell(
      text_of("%-28s %5s seeds, %5s failed, convictions in %5s; profit min %.1f %%, mean "
              "%.1f %%, max %.1f %% of the job's price",
              name.c_str(),
              std::to_string(spread.seeds).c_str(),
              std::to_string(spread.failed).c_str(),
              std::to_string(spread.convictions).c_str(),
              spread.percent(least),
              spread.percent(spread.mean()),
              spread.percent(most)),
      "scenario",
      {{"scenario", name},
       {"seeds", spread.seeds},
       {"failed", spread.failed},
       {"convictions", spread.convictions},
       {"work_price_nano", spread.work_price},
       {"profit_nano", {{"min", spread.least}, {"mean", spread.mean()}, {"max", spread.most}}}});
}

void tell_row(const Report& report, const std::string& name, const Spread& spread) {
  report.tell(text_of("| %s | %s | %s | %.1f | %.1f | %.1f |",
                      name.c_str(),
                      std::to_string(spread.seeds).c_str(),
                      std::to_string(spread.convictions).c_str(),
                      spread.percent(static_cast<double>(spread.least)),
                      spread.percent(spread.mean()),
                      spread.percent(static_cast<double>(spread.most))),
              "row",
              {{"scenario", name}});
}

/// A scenario that was read, and what its seeds have come to so far.
struct Checked {
  std::string path;
  std::unique_ptr<model::Scenario> scenario;
  std::unique_ptr<ScenarioRunner> runner;
  Spread spread;
};

Result<Checked> read(const std::string& path) {
  platform::Files files;
  const Bytes bytes = TRY(files.read(path, limits::job_file_bytes_max));
  const std::string text(bytes.begin(), bytes.end());
  Checked checked{path, nullptr, nullptr, {}};
  checked.scenario = std::make_unique<model::Scenario>(TRY(spec::parse_scenario(text, path)));
  checked.runner = TRY(ScenarioRunner::create(*checked.scenario));
  return checked;
}

class Check {
 public:
  explicit Check(const CheckOptions& options) : options_(options), report_(options.json) {}

  Exit all() {
    std::vector<Checked> scenarios;
    for (const std::string& path : options_.paths) {
      auto scenario = read(path);
      if (!scenario.ok()) {
        return report_.fail(scenario.error());
      }
      scenarios.push_back(std::move(scenario).value());
    }
    const auto done = options_.seconds > 0 ? by_time(scenarios) : by_seeds(scenarios);
    if (!done.ok()) {
      return report_.fail(done.error());
    }
    const bool good = std::all_of(scenarios.begin(), scenarios.end(), [](const Checked& one) {
      return one.spread.failed == 0;
    });
    return good ? Exit::ok : Exit::failed;
  }

 private:
  Result<void> seed(Checked& checked, uint64_t seed) {
    const SeedOutcome outcome = TRY(checked.runner->run(seed));
    if (!outcome.failures.empty() && checked.spread.failed == 0 && !options_.table) {
      tell_failure(report_, checked.path, outcome);
    }
    checked.spread.add(outcome);
    networks_ += 2;  // the attack, and the same with everybody honest
    network_ms_ += outcome.network_ms;
    return {};
  }
  void tell(const Checked& checked) const {
    if (options_.table) {
      tell_row(report_, checked.scenario->name, checked.spread);
    } else {
      tell_spread(report_, checked.scenario->name, checked.spread);
    }
  }
  Result<void> by_seeds(std::vector<Checked>& scenarios) {
    for (Checked& checked : scenarios) {
      for (uint64_t i = 0; i < options_.seeds; ++i) {
        TRY(seed(checked, options_.first_seed + i));
      }
      tell(checked);
    }
    return {};
  }
  Result<void> by_time(std::vector<Checked>& scenarios) {
    constexpr uint64_t ns_per_second = 1'000'000'000;
    platform::Clock clock;
    const uint64_t start = clock.now_ns();
    const uint64_t end = start + options_.seconds * ns_per_second;
    for (uint64_t i = 0; clock.now_ns() < end; ++i) {
      for (Checked& checked : scenarios) {
        if (clock.now_ns() < end) {
          TRY(seed(checked, options_.first_seed + i));
        }
      }
    }
    for (const Checked& checked : scenarios) {
      tell(checked);
    }
    const double hours = static_cast<double>(clock.now_ns() - start) * 1e-9 / 3600;
    const double simulated = static_cast<double>(network_ms_) * 1e-3 / 3600;
    report_.tell(text_of("%s networks, %.0f an hour; %.1f hours of their time",
                         std::to_string(networks_).c_str(),
                         static_cast<double>(networks_) / hours,
                         simulated),
                 "pace",
                 {{"networks", networks_},
                  {"networks_an_hour", static_cast<double>(networks_) / hours},
                  {"simulated_hours", simulated}});
    return {};
  }

  const CheckOptions& options_;
  Report report_;
  uint64_t networks_ = 0;
  uint64_t network_ms_ = 0;
};

}  // namespace

Exit sim_check(const CheckOptions& options) {
  return Check(options).all();
}

}  // namespace lockstep::apps
