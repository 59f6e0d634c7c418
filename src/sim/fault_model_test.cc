// A plan that leaves the fault model is refused by name; random plans never leave it.
#include "sim/fault_model.h"

#include <gtest/gtest.h>

#include "sim/fault_points.h"
#include "sim/network.h"

namespace lockstep::sim {
namespace {

using model::Faults;

constexpr uint64_t d_ms = 5000;

std::string refused(const Faults& faults) {
  const auto checked = within_model(faults, model::Genesis());
  EXPECT_TRUE(checked.ok() || checked.error().code == Code::bad_option);
  return checked.ok() ? "" : checked.error().where;
}

model::CrashFault crash(const std::string& who, uint64_t at_ms, std::optional<uint64_t> back_ms) {
  model::CrashFault fault;
  fault.who = who;
  fault.at_ms = at_ms;
  fault.restart_ms = back_ms;
  return fault;
}

TEST(FaultModel, RefusesWhatTheGuaranteesDoNotAllowFor) {
  Faults faults;
  EXPECT_EQ(refused(faults), "");
  faults.crashes = {crash("requester", 1, 1)};
  EXPECT_EQ(refused(faults), "");
  faults.crashes = {crash("requester", 1, std::nullopt)};
  EXPECT_EQ(refused(faults), "faults.crashes");
  faults.crashes = {crash("ledger", 1, std::nullopt)};
  EXPECT_EQ(refused(faults), "faults.crashes");
  faults.crashes = {crash("ledger", 1, d_ms + 1)};
  EXPECT_NE(refused(faults), "") << "a ledger that is down for longer than D";
  faults.crashes = {crash("provider-1", 1, std::nullopt)};
  EXPECT_EQ(refused(faults), "");
  faults.crashes = {crash("provider-1", 0, d_ms * 2 / 5), crash("provider-1", d_ms, 100)};
  EXPECT_EQ(refused(faults), "");
  faults.crashes[1].at_ms = d_ms - 1;
  EXPECT_EQ(refused(faults), "faults.provider-1");
  faults = {};
  faults.rot = {{"ledger", 1, false}};
  EXPECT_EQ(refused(faults), "faults.rot");
  faults = {};
  faults.rot = {{"requester", 1, true}};
  EXPECT_EQ(refused(faults), "faults.rot") << "the only copy of the job's inputs";
  faults.rot = {{"requester", 1, false}};
  EXPECT_EQ(refused(faults), "");
  faults.rot = {{"requester", 1, false}, {"requester", 2, false}};
  EXPECT_EQ(refused(faults), "faults.rot") << "a record and its twin, perhaps";
  faults = {};
  faults.full = {{"requester", {0, 10}}};
  EXPECT_EQ(refused(faults), "");
  faults.full = {{"", {0, 10}}};
  EXPECT_EQ(refused(faults), "faults.full");
  faults = {};
  faults.clocks = {{"ledger", {0, 10}, 1001, 0}};
  EXPECT_EQ(refused(faults), "faults.clocks");
  faults.clocks = {{"ledger", {0, 10}, -1000, 0}};
  EXPECT_EQ(refused(faults), "");
  faults = {};
  faults.slow = {{"provider-1", {0, 10}, 21}};
  EXPECT_EQ(refused(faults), "faults.slow");
  faults = {};
  faults.partitions = {{{"provider-1"}, {0, d_ms / 5 + 1}}};
  EXPECT_NE(refused(faults), "");
  faults.partitions[0].span.until_ms = d_ms / 5;
  EXPECT_EQ(refused(faults), "");
  faults = {};
  faults.links = {{"", "", {0, 1'000'000}, 50'000, 1'000'000, 1'000'000, 1000, 20}};
  EXPECT_EQ(refused(faults), "");
  faults.links[0].lost = 50'001;
  EXPECT_NE(refused(faults), "");
}

TEST(FaultModel, RandomPlansStayWithinIt) {
  size_t faults = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const Faults plan = random_faults(seed, 3, 2);
    ASSERT_EQ(refused(plan), "") << seed;
    EXPECT_EQ(plan, random_faults(seed, 3, 2));
    EXPECT_LE(faults_over_ms(plan), 100'000u);
    faults += plan.links.size() + plan.crashes.size() + plan.rot.size() + plan.full.size();
  }
  EXPECT_GT(faults, 4000u);
}

TEST(Network, DrawsNothingMoreWhereNoFaultIsAskedFor) {
  const Faults none;
  FaultCounts counts;
  Network network({}, none, Random(1), counts);
  Random random(7);
  Random same(7);
  for (int i = 0; i < 100; ++i) {
    const auto arrivals = network.arrivals(1000, "a", "b", random);
    EXPECT_EQ(arrivals, std::vector<uint64_t>{1000 + same.between(5'000, 20'000)});
  }
  EXPECT_EQ(counts.never_fired().size(), fault_points);
}

TEST(Network, CutsOneWayAndBothWays) {
  Faults faults;
  faults.links = {{"a", "", {0, 10}, 1'000'000, 0, 0, 0, 1}};
  faults.partitions = {{{"c"}, {20, 30}}};
  FaultCounts counts;
  Network network({}, faults, Random(1), counts);
  Random random(1);
  const auto arrives = [&](uint64_t ms, const std::string& from, const std::string& to) {
    return !network.arrivals(ms * 1000, from, to, random).empty();
  };
  EXPECT_FALSE(arrives(0, "a", "b"));
  EXPECT_TRUE(arrives(0, "b", "a"));
  EXPECT_TRUE(arrives(10, "a", "b"));
  EXPECT_FALSE(arrives(20, "c", "b"));
  EXPECT_FALSE(arrives(29, "b", "c"));
  EXPECT_TRUE(arrives(25, "a", "b"));
  EXPECT_TRUE(arrives(30, "c", "b"));
  EXPECT_EQ(counts.of(FaultPoint::link_one_way), 1u);
  EXPECT_EQ(counts.of(FaultPoint::partition_cut), 2u);
}

}  // namespace
}  // namespace lockstep::sim
