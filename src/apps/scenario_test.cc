// Every scenario of tests/scenarios over a few seeds: what it expects comes true, and the
// invariants hold, whoever attacks. LOCKSTEP_SOAK multiplies the seeds.
#include <gtest/gtest.h>

#include <filesystem>

#include "apps/scenario_run.h"
#include "base/limits.h"
#include "base/test_soak.h"
#include "platform/files.h"
#include "spec/scenario_file.h"

namespace lockstep::apps {
namespace {

constexpr uint64_t seeds_each = 3;

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  const std::string folder = std::string(LOCKSTEP_SOURCE_DIR) + "/tests/scenarios";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

model::Scenario read(const std::string& name) {
  const std::string path = std::string(LOCKSTEP_SOURCE_DIR) + "/tests/scenarios/" + name + ".yaml";
  const auto bytes = platform::Files().read(path, limits::job_file_bytes_max);
  EXPECT_TRUE(bytes.ok()) << path;
  const auto scenario =
      spec::parse_scenario({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, path);
  EXPECT_TRUE(scenario.ok()) << scenario.error().message();
  return *scenario;
}

std::string text_of(const SeedOutcome& outcome) {
  std::string text = "seed " + std::to_string(outcome.seed);
  for (const std::string& failure : outcome.failures) {
    text += "\n" + failure;
  }
  for (const std::string& line : outcome.attack.trace) {
    text += "\n    " + line;
  }
  return text;
}

class Scenarios : public testing::TestWithParam<std::string> {};

TEST_P(Scenarios, ComesToWhatIsExpected) {
  const model::Scenario scenario = read(GetParam());
  EXPECT_EQ(scenario.name, GetParam());
  const auto runner = ScenarioRunner::create(scenario);
  ASSERT_TRUE(runner.ok()) << runner.error().message();
  for (uint64_t seed = 1; seed <= seeds_each * soak_times(); ++seed) {
    const auto outcome = (*runner)->run(seed);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message();
    ASSERT_TRUE(outcome->failures.empty()) << text_of(*outcome);
  }
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Scenarios, testing::ValuesIn(scenario_names()), test_name);

TEST(ScenarioRun, IsTheSameForTheSameSeed) {
  const model::Scenario scenario = read("skip");
  const auto runner = ScenarioRunner::create(scenario);
  ASSERT_TRUE(runner.ok());
  const auto first = (*runner)->run(5);
  const auto second = (*runner)->run(5);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->attack.trace, second->attack.trace);
  EXPECT_EQ(first->attack.wealth, second->attack.wealth);
  EXPECT_EQ(first->profit, second->profit);
}

TEST(ScenarioRun, SeesWhatIsNotAsExpected) {
  model::Scenario scenario = read("skip");
  scenario.expect.never_convicted = {"provider-2"};
  scenario.expect.convicted = {"provider-1"};
  scenario.expect.settles = false;
  scenario.expect.profit_max = Amount::from_nano(-1'000'000'000);
  const auto runner = ScenarioRunner::create(scenario);
  ASSERT_TRUE(runner.ok());
  const auto outcome = (*runner)->run(1);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->failures.size(), 4u) << text_of(*outcome);
}

TEST(ScenarioRun, RefusesRolesThatNobodyCanPlay) {
  model::Scenario scenario;
  scenario.name = "x";
  scenario.roles = {{"provider-1", "lazy-auditor"}};
  EXPECT_EQ(ScenarioRunner::create(scenario).error().code, Code::bad_option);
  scenario.roles = {{"provider-1", "saint"}};
  EXPECT_EQ(ScenarioRunner::create(scenario).error().code, Code::bad_option);
}

}  // namespace
}  // namespace lockstep::apps
