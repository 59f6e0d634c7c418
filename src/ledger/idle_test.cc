// Jobs whose owner is gone: the ledger closes them itself, and what they hold comes back.
#include <gtest/gtest.h>

#include "ledger/rules.h"
#include "ledger/test_audit.h"

namespace lockstep::ledger::test {
namespace {

constexpr uint64_t idle_ms = 20'000;

model::Genesis rules() {
  model::Genesis genesis;
  genesis.job_idle_ms = idle_ms;
  return genesis;
}
/// Twice the stated time of so many of the job's hundred tasks: a thousand operations a second.
uint64_t work_ms(const World& world, uint64_t tasks = 100) {
  return 2 * tasks * world.step_cost();
}

TEST(Idle, AJobThatNobodyTakesUpIsClosedAndRefunded) {
  World world(true, rules());
  const JobId job = world.open_job(world.terms(500'000));
  const uint64_t opened = world.now();
  EXPECT_EQ(world.state().active.at(job), opened);
  EXPECT_EQ(world.ledger().next_due_ms(), opened + idle_ms);
  world.block({}, idle_ms - 1);
  EXPECT_EQ(world.job(job).status, JobStatus::open);
  const auto events = world.block();
  ASSERT_TRUE(find<JobClosed>(events));
  EXPECT_EQ(find<JobClosed>(events)->job, job);
  EXPECT_EQ(world.job(job).status, JobStatus::closed);
  EXPECT_EQ(world.job(job).closed_ms, world.now());
  EXPECT_FALSE(world.state().active.contains(job));
  EXPECT_EQ(failure(world.send(world.requester.node, model::CloseJob{job})), Code::wrong_state);
  world.wait(2000);
  EXPECT_EQ(world.job(job).status, JobStatus::settled);
  EXPECT_EQ(world.account(world.requester.owner).balance, lks(1000));
  EXPECT_FALSE(world.ledger().next_due_ms().has_value());
}

TEST(Idle, ALeaseHasTimeForItsWorkAndComesBackWithItsStake) {
  World world(true, rules());
  const JobId job = world.open_job(world.terms());
  world.wait(idle_ms - 1000);
  const LeaseId lease = world.open_lease(job, world.providers[0]);
  const uint64_t due = world.now() + idle_ms + work_ms(world);
  EXPECT_EQ(world.ledger().next_due_ms(), due);
  world.block({}, due - 1 - world.now());
  EXPECT_EQ(world.lease(lease).status, LeaseStatus::open);
  const auto events = world.block();
  EXPECT_TRUE(find<JobClosed>(events));
  ASSERT_TRUE(find<LeaseClosed>(events));
  EXPECT_EQ(find<LeaseClosed>(events)->lease, lease);
  EXPECT_EQ(world.lease(lease).status, LeaseStatus::closing);
  world.wait(2000);
  EXPECT_EQ(world.lease(lease).status, LeaseStatus::settled);
  EXPECT_EQ(world.account(world.providers[0].owner).locked, Amount());
}

TEST(Idle, AClosedLeaseNeedsNoTime) {
  World world(true, rules());
  const JobId job = world.open_job(world.terms());
  const LeaseId lease = world.open_lease(job, world.providers[0]);
  world.wait(5000);
  world.must(world.providers[0].node, model::CloseLease{lease});
  EXPECT_EQ(world.ledger().next_due_ms(), world.now() + idle_ms);
}

TEST(Idle, WhatHappensToAJobKeepsItOpen) {
  AuditWorld world(true, rules());
  world.start();
  for (uint32_t i = 0; i < 4; ++i) {
    world.wait(idle_ms - 1000);
    world.post_claim(world.lease_id(), world.providers[0], world.some_works(1, i));
    EXPECT_EQ(world.state().active.at(world.job_id()), world.now());
    EXPECT_EQ(world.job(world.job_id()).status, JobStatus::open);
  }
  // A preimage by itself is none of it: it costs the requester nothing.
  world.wait(idle_ms - 1000);
  const uint64_t active = world.state().active.at(world.job_id());
  world.reveal(world.job_id());
  EXPECT_EQ(world.state().active.at(world.job_id()), active);
}

TEST(Idle, AnOpenAuditIsNotIdleAndItsEndCounts) {
  AuditWorld world(true, rules());
  world.start();
  const auto works = world.some_works(1);
  const ClaimId id = world.drawn_claim(works);
  world.wait(4000);
  world.audit_all(id, world.auditor.node, works, works);
  EXPECT_EQ(world.audit(id).phase, AuditPhase::done);
  EXPECT_EQ(world.state().active.at(world.job_id()), world.now());
  EXPECT_EQ(world.ledger().next_due_ms(), world.now() + idle_ms + work_ms(world, 99));
}

TEST(Idle, WorkThatWasClaimedIsPaidWithoutTheRequester) {
  World world(true, rules());
  const JobId job = world.open_job(world.terms());
  const LeaseId lease = world.open_lease(job, world.providers[0]);
  world.post_claim(
      lease, world.providers[0], {world.work(lease, world.providers[0], {.part = 1, .reads = {}})});
  const Amount pending = world.lease(lease).pending;
  EXPECT_GT(pending, Amount());
  world.wait(idle_ms + work_ms(world) + 10'000);
  EXPECT_EQ(world.job(job).status, JobStatus::settled);
  EXPECT_EQ(world.account(world.providers[0].owner).balance, plus(lks(500), pending));
  EXPECT_EQ(world.account(world.requester.owner).balance, minus(lks(1000), pending));
}

TEST(Idle, AGenesisNeedsATime) {
  model::Genesis genesis;
  genesis.job_idle_ms = 0;
  EXPECT_EQ(Ledger::create(genesis).error().code, Code::out_of_range);
  genesis.job_idle_ms = uint64_t{1} << 41;
  EXPECT_EQ(Ledger::create(genesis).error().code, Code::out_of_range);
}

}  // namespace
}  // namespace lockstep::ledger::test
