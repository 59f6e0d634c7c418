// Draws are honest: over a thousand of them each task is drawn at the stated rate, independently of
// its neighbour, and auditors by their stake. All is deterministic: the bounds are five standard
// deviations of a fair draw, and a change of the rule shows as a failure, never as a flake.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ledger/test_audit.h"

namespace lockstep::ledger {
namespace {

using test::AuditWorld;
using test::Party;
using test::Work;

constexpr uint32_t share = 300'000;  // of a million
constexpr double rate = 0.3;
constexpr uint32_t worlds = 40;
constexpr uint32_t claims = 25;  // of a world: its job has 100 tasks
constexpr uint32_t tasks = 4;    // of a claim

struct Counts {
  uint64_t draws = 0;
  std::array<uint64_t, tasks> drawn{};  // by place in the claim
  uint64_t neighbours = 0;              // places i and i + 1 both drawn
  std::map<PublicKey, uint64_t> auditors;
  std::set<Hash> seeds;
};

/// `sigmas` standard deviations around what `n` fair throws of chance `p` give.
void expect_fair(uint64_t count, uint64_t n, double p, double sigmas, const std::string& what) {
  const double mean = static_cast<double>(n) * p;
  const double deviation = std::sqrt(mean * (1 - p));
  EXPECT_NEAR(static_cast<double>(count), mean, sigmas * deviation) << what;
}

void count_tasks(const ClaimDrawn& event, Counts& counts) {
  ++counts.draws;
  counts.seeds.insert(event.seed);
  const std::set<uint32_t> places(event.tasks.begin(), event.tasks.end());
  for (const uint32_t place : places) {
    counts.drawn.at(place) += 1;
    counts.neighbours += places.contains(place + 1) ? 1 : 0;
  }
  // What was drawn follows from the seed alone: a stranger recomputes it.
  for (uint32_t place = 0; place < tasks; ++place) {
    EXPECT_EQ(model::drawn(event.seed, place, share), places.contains(place));
  }
}

/// One claim, drawn and audited to the end, so that no bond stays locked.
void one_claim(AuditWorld& world, std::span<const Party> auditors, uint32_t first, Counts& counts) {
  const std::vector<Work> works = world.some_works(tasks, first);
  const ClaimId id = world.post_claim(world.lease_id(), world.providers[0], works);
  const test::Events events = world.reveal(world.job_id());
  const auto draw = test::find<ClaimDrawn>(events);
  ASSERT_TRUE(draw);
  EXPECT_EQ(
      draw->seed,
      model::draw_seed(
          world.state().totals.preimage, world.job(world.job_id()).preimage, world.claim(id).list));
  count_tasks(*draw, counts);
  const auto chosen = test::find<AuditorDrawn>(events);
  ASSERT_EQ(chosen.has_value(), !draw->tasks.empty());
  if (!chosen) {
    return;
  }
  counts.auditors[chosen->auditor] += 1;
  for (const Party& party : auditors) {
    if (party.node.public_key() == chosen->auditor) {
      world.audit_all(id, party.node, works, works);
    }
  }
  EXPECT_EQ(world.audit(id).phase, AuditPhase::done);
}

TEST(Draw, TasksAtTheStatedRateAndAuditorsByStake) {
  const std::array<int64_t, 3> stakes = {100, 250, 50};
  Counts counts;
  std::map<PublicKey, double> share_of;
  for (uint32_t n = 0; n < worlds; ++n) {
    AuditWorld world;
    std::vector<Party> auditors = {world.auditor};  // with 500 LKS
    for (size_t i = 0; i < stakes.size(); ++i) {
      auditors.push_back(world.add_auditor(20 + i, stakes.at(i)));
      share_of[auditors.back().node.public_key()] = static_cast<double>(stakes.at(i)) / 900.0;
    }
    share_of[world.auditor.node.public_key()] = 500.0 / 900.0;
    world.start(share);
    for (uint32_t claim = 0; claim < claims; ++claim) {
      one_claim(world, auditors, 1000 * n + tasks * claim, counts);
      ASSERT_FALSE(testing::Test::HasFailure()) << "world " << n << ", claim " << claim;
    }
  }
  const uint64_t n = worlds * claims;
  EXPECT_EQ(counts.draws, n);
  EXPECT_EQ(counts.seeds.size(), n) << "no seed comes twice";
  uint64_t all = 0;
  for (uint32_t place = 0; place < tasks; ++place) {
    expect_fair(counts.drawn.at(place), n, rate, 5, "place " + std::to_string(place));
    all += counts.drawn.at(place);
  }
  expect_fair(all, n * tasks, rate, 5, "all places");
  // Pairs of one claim share places, so their count spreads a little more than that of free throws.
  expect_fair(counts.neighbours, n * (tasks - 1), rate * rate, 6, "neighbours");
  uint64_t audited = 0;
  for (const auto& [auditor, count] : counts.auditors) {
    audited += count;
  }
  expect_fair(audited, n, 1 - std::pow(1 - rate, tasks), 5, "claims with a drawn task");
  for (const auto& [auditor, expected] : share_of) {
    expect_fair(counts.auditors[auditor], audited, expected, 5, "an auditor's share");
  }
}

TEST(Draw, EdgesOfTheShare) {
  for (uint64_t i = 0; i < 1000; ++i) {
    const Hash seed = test::some_hash(i);
    EXPECT_FALSE(model::drawn(seed, static_cast<uint32_t>(i), 0));
    EXPECT_TRUE(model::drawn(seed, static_cast<uint32_t>(i), 1'000'000));
  }
}

}  // namespace
}  // namespace lockstep::ledger
