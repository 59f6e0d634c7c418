// Scenario files: the defaults, everything at once, and every refusal with its exact place.
#include "spec/scenario_file.h"

#include <gtest/gtest.h>

namespace lockstep::spec {
namespace {

using model::Scenario;
using model::VerifyKind;

void refused(const std::string& text, Code code, const std::string& at, const std::string& says) {
  const Result<Scenario> scenario = parse_scenario(text, "dir/attack.yaml");
  ASSERT_FALSE(scenario.ok()) << text;
  EXPECT_EQ(scenario.error().code, code) << scenario.error().message();
  EXPECT_EQ(scenario.error().where, "dir/attack.yaml:" + at) << scenario.error().message();
  EXPECT_NE(scenario.error().message().find(says), std::string::npos) << scenario.error().message();
  EXPECT_FALSE(scenario.error().next.empty()) << text;
}

TEST(ScenarioFile, Defaults) {
  const auto scenario = parse_scenario("about: nothing\n", "dir/attack.yaml");
  ASSERT_TRUE(scenario.ok()) << scenario.error().message();
  Scenario expected;
  expected.name = "attack";
  expected.about = "nothing";
  expected.finality = {model::FinalityKind::job, 0};
  EXPECT_EQ(*scenario, expected);
  EXPECT_EQ(scenario->expect.profit_max, Amount());
}

TEST(ScenarioFile, Everything) {
  const auto scenario = parse_scenario(
      "name: one.two\n"
      "about: all keys at once\n"
      "providers: 4\n"
      "auditors: 2\n"
      "verify: spot:0.25\n"
      "finality: 12s\n"
      "claim_every: 9\n"
      "faults: random\n"
      "roles: {provider-2: silent-claimant, auditor-1: \"lazy-auditor\"}\n"
      "cheats:\n"
      "  provider-2: skip\n"
      "  provider-4: bitflip\n"
      "loss: 0.01\n"
      "time_limit: 90\n"
      "expect:\n"
      "  settles: no\n"
      "  convicted: [provider-2, provider-4]\n"
      "  never_convicted: [auditor-2]\n"
      "  model: any\n"
      "  profit: -0.5 LKS\n",
      "x");
  ASSERT_TRUE(scenario.ok()) << scenario.error().message();
  EXPECT_EQ(scenario->name, "one.two");
  EXPECT_EQ(scenario->providers, 4U);
  EXPECT_EQ(scenario->auditors, 2U);
  EXPECT_EQ(scenario->verify, (model::VerifySpec{VerifyKind::spot, 250'000, 0}));
  EXPECT_EQ(scenario->finality, (model::FinalitySpec{model::FinalityKind::span, 12}));
  EXPECT_EQ(scenario->claim_every, 9U);
  EXPECT_TRUE(scenario->random_faults);
  const std::vector<std::pair<std::string, std::string>> roles = {{"provider-2", "silent-claimant"},
                                                                  {"auditor-1", "lazy-auditor"}};
  EXPECT_EQ(scenario->roles, roles);
  const std::vector<std::pair<std::string, std::string>> cheats = {{"provider-2", "skip"},
                                                                   {"provider-4", "bitflip"}};
  EXPECT_EQ(scenario->cheats, cheats);
  EXPECT_EQ(scenario->loss_millionths, 10'000U);
  EXPECT_EQ(scenario->time_limit_s, 90U);
  EXPECT_FALSE(scenario->expect.settles);
  EXPECT_FALSE(scenario->expect.model_honest);
  EXPECT_EQ(scenario->expect.convicted, (std::vector<std::string>{"provider-2", "provider-4"}));
  EXPECT_EQ(scenario->expect.never_convicted, (std::vector<std::string>{"auditor-2"}));
  EXPECT_EQ(scenario->expect.profit_max, Amount::from_nano(-500'000'000));
}

TEST(ScenarioFile, OtherWords) {
  const auto none = parse_scenario("about: a\nverify: none\nexpect: {profit: any}\n", "x");
  ASSERT_TRUE(none.ok()) << none.error().message();
  EXPECT_EQ(none->verify, (model::VerifySpec{VerifyKind::none, 0, 0}));
  EXPECT_EQ(none->expect.profit_max, std::nullopt);
}

TEST(ScenarioFile, RefusesWithAPlace) {
  refused("", Code::missing_key, "1:1", "empty");
  refused("providers: 3\n", Code::missing_key, "1:1", "about");
  refused("about: a\nrole: {}\n", Code::unknown_key, "2:1", "roles");
  refused("about: a\nabout: b\n", Code::duplicate_key, "2:1", "1:1");
  refused("about: 5\n", Code::wrong_type, "1:8", "text");
  refused("about: a\nname: A B\n", Code::out_of_range, "2:7", "letters");
  refused("about: a\nproviders: 0\n", Code::out_of_range, "2:12", "1 to 16");
  refused("about: a\nauditors: 17\n", Code::out_of_range, "2:11", "0 to 16");
  refused("about: a\nfaults: all\n", Code::out_of_range, "2:9", "random");
  refused("about: a\nclaim_every: 10\n", Code::out_of_range, "2:14", "1 to 9");
  refused("about: a\nverify: spot:1.5\n", Code::out_of_range, "2:9", "spot:0.1");
  refused("about: a\nverify: spot:0\n", Code::out_of_range, "2:9", "spot:0.1");
  refused("about: a\nfinality: 1h\n", Code::out_of_range, "2:11", "seconds");
  refused("about: a\nfinality: 0s\n", Code::out_of_range, "2:11", "seconds");
  refused("about: a\nloss: 1.0\n", Code::out_of_range, "2:7", "below 1");
  refused("about: a\nroles: {provider-4: skip}\n", Code::unknown_key, "2:9", "did you mean");
  refused("about: a\nroles: [provider-1]\n", Code::wrong_type, "2:8", "map");
  refused("about: a\ncheats: {provider-1: lie}\n", Code::out_of_range, "2:22", "skip");
  refused("about: a\ncheats: {requester: skip}\n", Code::out_of_range, "2:21", "provider");
  refused("about: a\nexpect: {profits: any}\n", Code::unknown_key, "2:10", "profit");
  refused("about: a\nexpect: {profit: 5}\n", Code::wrong_type, "2:18", "text");
  refused("about: a\nexpect: {profit: 5 EUR}\n", Code::out_of_range, "2:18", "0 LKS");
  refused("about: a\nexpect: {settles: maybe}\n", Code::out_of_range, "2:19", "no");
  refused("about: a\nexpect: {model: good}\n", Code::out_of_range, "2:17", "honest");
  refused("about: a\nexpect: {convicted: provider-1}\n", Code::wrong_type, "2:21", "list");
  refused(
      "about: a\nexpect: {convicted: [provider-9]}\n", Code::out_of_range, "2:22", "provider-9");
}

}  // namespace
}  // namespace lockstep::spec
