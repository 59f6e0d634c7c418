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

Result<Spread> check(const Report& report, const CheckOptions& options, const std::string& path) {
  platform::Files files;
  const Bytes bytes = TRY(files.read(path, limits::job_file_bytes_max));
  const std::string text(bytes.begin(), bytes.end());
  const model::Scenario scenario = TRY(spec::parse_scenario(text, path));
  const auto runner = TRY(ScenarioRunner::create(scenario));
  Spread spread;
  for (uint64_t i = 0; i < options.seeds; ++i) {
    const SeedOutcome outcome = TRY(runner->run(options.first_seed + i));
    if (!outcome.failures.empty() && spread.failed == 0 && !options.table) {
      tell_failure(report, path, outcome);
    }
    spread.add(outcome);
  }
  if (options.table) {
    tell_row(report, scenario.name, spread);
  } else {
    tell_spread(report, scenario.name, spread);
  }
  return spread;
}

}  // namespace

Exit sim_check(const CheckOptions& options) {
  const Report report(options.json);
  uint64_t failed = 0;
  for (const std::string& path : options.paths) {
    const auto spread = check(report, options, path);
    if (!spread.ok()) {
      return report.fail(spread.error());
    }
    failed += spread->failed;
  }
  return failed == 0 ? Exit::ok : Exit::failed;
}

}  // namespace lockstep::apps
