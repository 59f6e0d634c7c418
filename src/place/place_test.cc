// Which offers are taken, why others are not, and what the job costs.
#include "place/place.h"

#include <gtest/gtest.h>

namespace lockstep::place {
namespace {

constexpr uint64_t gigabyte = 1'000'000'000;

Amount lks(const std::string& text) {
  return *Amount::parse(text + " LKS");
}

Offer offer(const std::string& name, const std::string& price, uint64_t memory = 4 * gigabyte) {
  Offer offer;
  offer.quote.name = name;
  offer.quote.price_per_unit = lks(price);
  offer.quote.operations_per_second = 10'000'000'000;
  offer.quote.memory_bytes = memory;
  offer.quote.cpus = 2;
  offer.quote.device_class = "cpu-avx2";
  offer.quote.expires_ms = 1000;
  offer.quote.owner.bytes[0] = static_cast<uint8_t>(name.back());
  offer.signed_quote.signer.bytes[0] = static_cast<uint8_t>(name.back());
  offer.unlocked_stake = lks("1000");
  offer.bond = lks("0.1");
  return offer;
}

Needs needs() {
  Needs needs;
  needs.operations = 745'648'000'000;
  needs.tasks = 431;
  needs.share_millionths = 100'000;
  needs.resources.cpus = 1;
  needs.resources.memory_bytes = 2 * gigabyte;
  needs.requester_owner.bytes[0] = 200;
  needs.now_ms = 500;
  return needs;
}

std::vector<std::string> names(const Plan& plan, std::span<const Offer> offers, bool taken) {
  std::vector<std::string> names;
  for (const Judged& judged : plan.ranked) {
    if (judged.taken == taken) {
      names.push_back(offers[judged.offer].quote.name);
    }
  }
  return names;
}

TEST(Place, TakesAllThatMatchAtTheHighestPriceAccepted) {
  const std::vector<Offer> offers{offer("p1", "0.02"),
                                  offer("p2", "0.015"),
                                  offer("p3", "0.018"),
                                  offer("p4", "0.001", gigabyte / 16)};
  const auto plan = place::plan(needs(), offers);
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_EQ(names(*plan, offers, true), (std::vector<std::string>{"p2", "p3", "p1"}));
  EXPECT_EQ(plan->price_per_unit, lks("0.02"));
  EXPECT_EQ(plan->work_price, lks("14.91296"));
  EXPECT_EQ(plan->audit_budget,
            *model::audit_budget(plan->work_price, needs().share_millionths, needs().tasks));
  EXPECT_EQ(plan->total, *plan->work_price.add(plan->audit_budget));
  const Judged& refused = plan->ranked.back();
  ASSERT_EQ(refused.failed.size(), 1u);
  EXPECT_EQ(refused.failed[0].constraint, Constraint::memory);
  EXPECT_EQ(refused.failed[0].text, "needs 2 GB, offers 62.5 MB");
}

TEST(Place, RanksBySpeedThenMemoryThenNameWherePricesAreEqual) {
  std::vector<Offer> offers{
      offer("p1", "0.02"), offer("p2", "0.02"), offer("p3", "0.02"), offer("p4", "0.02")};
  offers[3].quote.operations_per_second *= 2;
  offers[2].quote.memory_bytes *= 2;
  Needs two = needs();
  two.machines = 2;
  const auto plan = place::plan(two, offers);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(names(*plan, offers, true), (std::vector<std::string>{"p4", "p3"}));
  EXPECT_EQ(names(*plan, offers, false), (std::vector<std::string>{"p1", "p2"}));
}

TEST(Place, DropsDearOffersThatWouldTakeTheJobOverItsBudget) {
  const std::vector<Offer> offers{offer("p1", "0.05"), offer("p2", "0.015")};
  Needs bounded = needs();
  bounded.budget = lks("20");
  const auto plan = place::plan(bounded, offers);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(names(*plan, offers, true), (std::vector<std::string>{"p2"}));
  EXPECT_EQ(plan->price_per_unit, lks("0.015"));
  ASSERT_EQ(plan->ranked[1].failed.size(), 1u);
  EXPECT_EQ(plan->ranked[1].failed[0].constraint, Constraint::budget);
  bounded.budget = lks("5");
  const auto poor = place::plan(bounded, offers);
  ASSERT_FALSE(poor.ok());
  EXPECT_EQ(poor.error().code, Code::over_budget);
  EXPECT_NE(poor.error().what.find("5 LKS"), std::string::npos);
}

TEST(Place, SaysWhatEachConstraintRemoved) {
  std::vector<Offer> offers{offer("p1", "0.02"), offer("p2", "0.02"), offer("p3", "0.02")};
  offers[0].quote.expires_ms = 400;
  offers[1].unlocked_stake = lks("1");
  offers[2].quote.memory_bytes = gigabyte;
  offers[2].quote.owner = needs().requester_owner;
  Needs strict = needs();
  strict.resources.cpus = 3;
  strict.resources.gpu = {1, "any"};
  const auto plan = place::plan(strict, offers);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, Code::no_offer);
  EXPECT_EQ(plan.error().what,
            "none of 3 offers matches: expired removed 1, own machine removed 1, cpus removed 3, "
            "memory removed 1, gpu removed 3, stake removed 1");
  EXPECT_NE(plan.error().next.find("lower resources.cpus"), std::string::npos);
  const auto none = place::plan(strict, {});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().what, "no provider has made an offer");
}

TEST(Place, ALeaseNeedsTwiceTheWorkPriceAndABond) {
  std::vector<Offer> offers{offer("p1", "0.02")};
  const Amount lock = *lks("14.91296").add(lks("0.1"))->multiply(2);
  offers[0].unlocked_stake = lock;
  EXPECT_TRUE(place::plan(needs(), offers).ok());
  offers[0].unlocked_stake = *lock.subtract(Amount::from_nano(1));
  EXPECT_EQ(place::plan(needs(), offers).error().code, Code::no_offer);
}

TEST(Place, ANamedGpuMustBeThatOne) {
  std::vector<Offer> offers{offer("p1", "0.02"), offer("p2", "0.03")};
  offers[0].quote.device_class = "L4";
  offers[1].quote.device_class = "A100";
  Needs wants = needs();
  wants.resources.gpu = {1, "A100"};
  const auto plan = place::plan(wants, offers);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(names(*plan, offers, true), (std::vector<std::string>{"p2"}));
}

TEST(Place, WritesBytesForPeople) {
  EXPECT_EQ(text_of_bytes(0), "0 B");
  EXPECT_EQ(text_of_bytes(999), "999 B");
  EXPECT_EQ(text_of_bytes(64'000'000), "64 MB");
  EXPECT_EQ(text_of_bytes(1'250'000'000), "1.2 GB");
}

}  // namespace
}  // namespace lockstep::place
