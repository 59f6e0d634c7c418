// Void work: what a conviction, or a source that nobody claims, does to those that read it, and
// what they are paid.
#include "ledger/rules.h"
#include "ledger/test_claims.h"

namespace lockstep::ledger {
namespace {

using test::Claims;
using test::lks;
using test::nano;
using test::some_hash;
using test::Work;

/// Rules called directly, on a copy of a state that a conviction has left its marks on.
class Void : public Claims {
 protected:
  Result<void> post(const LeaseId& lease, const std::vector<Work>& all) {
    model::PostClaim body{lease, {}};
    for (const Work& work : all) {
      body.entries.push_back(work.entry());
    }
    return apply(turn, {state.leases.at(lease).node, {id.hash}}, body);
  }
  [[nodiscard]] const Task& task(size_t place) const { return state.claims.at(id).tasks.at(place); }
  /// As a conviction would: a task of this job that somebody claimed is void.
  void make_void(const TaskId& task, uint64_t when) {
    const ClaimId claim{some_hash(99)};
    state.voided[task] = when;
    state.claimed[task] = claim;
    state.claims[claim].job = job;
    state.claims[claim].lease = lease_a;
    state.claims[claim].audit.phase = AuditPhase::none;
  }
  void finish() {
    EXPECT_TRUE(apply(turn, {world.requester.node.public_key(), {}}, model::CloseJob{job}).ok());
    turn.time_ms += 5000;
    settle_due(turn);
    EXPECT_EQ(state.jobs.at(job).status, JobStatus::settled);
    EXPECT_EQ(state.sum().value(), state.total);
  }
  /// As a slash would: moves money into the job's reserve.
  void reserve(Amount amount) {
    Account& account = state.accounts.at(world.auditor.owner.public_key());
    account.stake = minus(account.stake, amount);
    state.jobs.at(job).reserve = amount;
  }
  State state = world.state();
  std::vector<Event> events;
  Turn turn{state, events, state.totals.height + 1, state.totals.time_ms + 100, {}};
  ClaimId id{some_hash(50)};
};

TEST_F(Void, WorkIsFoundThroughTheClaimItself) {
  const TaskId liar{some_hash(1)};
  make_void(liar, turn.time_ms - 1000);
  const Work x = world.work(lease_b, b, {.part = 1, .reads = {liar}});
  const Work y = world.work(lease_b, b, {.part = 2, .reads = {x.id}});
  const Work z = world.work(lease_b, b, {.part = 3, .reads = {y.id, x.id}});
  const Work fine = world.work(lease_b, b, {.part = 4, .reads = {}});
  ASSERT_TRUE(post(lease_b, {z, fine, y, x}).ok());
  EXPECT_EQ(task(0).status, TaskStatus::voided);
  EXPECT_EQ(task(1).status, TaskStatus::pending);
  EXPECT_EQ(task(2).status, TaskStatus::voided);
  EXPECT_EQ(task(3).status, TaskStatus::voided);
  for (const Work& work : {x, y, z}) {
    EXPECT_EQ(state.voided.at(work.id), turn.time_ms) << "its readers have an epoch of their own";
  }
  EXPECT_FALSE(state.voided.contains(fine.id));
  EXPECT_EQ(state.leases.at(lease_b).pending, price(1));
  EXPECT_EQ(state.jobs.at(job).counted_operations, world.step_cost());
}

TEST_F(Void, WorkClaimedBeforeWhatItReadsIsVoidWithIt) {
  const TaskId liar{some_hash(1)};
  make_void(liar, turn.time_ms);
  const Work x = world.work(lease_b, b, {.part = 1, .reads = {liar}});
  const Work y = world.work(lease_b, b, {.part = 2, .reads = {x.id}});
  const Work z = world.work(lease_b, b, {.part = 3, .reads = {y.id}});
  ASSERT_TRUE(post(lease_b, {z, y}).ok());
  EXPECT_EQ(state.leases.at(lease_b).pending, price(2));
  const ClaimId first = std::exchange(id, ClaimId{some_hash(51)});
  ASSERT_TRUE(post(lease_b, {x}).ok());
  EXPECT_EQ(task(0).status, TaskStatus::voided);
  for (const Task& early : state.claims.at(first).tasks) {
    EXPECT_EQ(early.status, TaskStatus::voided);
    EXPECT_TRUE(state.voided.contains(early.id));
  }
  EXPECT_EQ(state.leases.at(lease_b).pending, Amount());
  EXPECT_EQ(state.jobs.at(job).counted_operations, 0u);
  EXPECT_TRUE(state.awaited.empty());
  finish();
}

/// A machine that was cut off claims what was placed again: who did it for the requester is paid.
TEST_F(Void, AnAuditDoesNotKeepUnsignedWorkBeforeSignedWork) {
  const Work unread = world.work(lease_b, b, {.part = 1, .steps = 60, .reads = {}});
  const Work read = world.work(lease_a, a, {.part = 1, .steps = 60, .reads = {}});
  model::ClaimEntry entry = unread.entry();
  entry.voucher.reset();
  ASSERT_TRUE(
      apply(turn, {state.leases.at(lease_b).node, {id.hash}}, model::PostClaim{lease_b, {entry}})
          .ok());
  Claim& claim = state.claims.at(id);
  claim.audit.tasks = {0};
  claim.audit.phase = AuditPhase::done;
  claim.tasks.at(0).available = true;  // an auditor agreed
  const ClaimId first = std::exchange(id, ClaimId{some_hash(51)});
  ASSERT_TRUE(post(lease_a, {read}).ok());
  EXPECT_EQ(state.claims.at(first).tasks.at(0).status, TaskStatus::unavailable);
  EXPECT_FALSE(state.claims.at(first).tasks.at(0).available);
  EXPECT_EQ(state.leases.at(lease_a).pending, price(60));
  finish();
}

TEST_F(Void, UnreadWorkGivesWayToWorkThatWasRead) {
  // The job pays for 100 steps: 60 that nobody signed for, then 60 that the requester read.
  const Work unread = world.work(lease_b, b, {.part = 1, .steps = 60, .reads = {}});
  const Work read = world.work(lease_a, a, {.part = 1, .steps = 60, .reads = {}});
  ASSERT_EQ(world.job(job).terms.operations, 100 * world.step_cost());
  model::ClaimEntry entry = unread.entry();
  entry.voucher.reset();
  ASSERT_TRUE(
      apply(turn, {state.leases.at(lease_b).node, {id.hash}}, model::PostClaim{lease_b, {entry}})
          .ok());
  EXPECT_EQ(state.leases.at(lease_b).pending, price(60));
  const ClaimId first = std::exchange(id, ClaimId{some_hash(51)});
  ASSERT_TRUE(post(lease_a, {read}).ok());
  EXPECT_EQ(state.claims.at(first).tasks.at(0).status, TaskStatus::unavailable);
  EXPECT_EQ(state.leases.at(lease_b).pending, Amount());
  EXPECT_EQ(state.leases.at(lease_a).pending, price(60));
  EXPECT_EQ(state.sum().value(), state.total);
  // Nor does it come back when somebody reads it after all.
  id = ClaimId{some_hash(53)};
  const Work reader = world.work(lease_a, a, {.part = 3, .steps = 10, .reads = {unread.id}});
  ASSERT_TRUE(post(lease_a, {reader}).ok());
  EXPECT_FALSE(state.claims.at(first).tasks.at(0).available);
  // Read work does not give way.
  id = ClaimId{some_hash(52)};
  const Work more = world.work(lease_b, b, {.part = 2, .steps = 60, .reads = {}});
  EXPECT_EQ(post(lease_b, {more}).error().code, Code::low_funds);
  finish();
}

/// What nobody claimed may have been a convicted provider's.
TEST_F(Void, AfterAConvictionWhatATaskReadsMustBeClaimedInTime) {
  const Work x = world.work(lease_b, b, {.part = 1, .reads = {}});
  const Work y = world.work(lease_b, b, {.part = 2, .reads = {x.id}});
  ASSERT_TRUE(post(lease_b, {y}).ok());
  state.leases.at(lease_a).status = LeaseStatus::slashed;
  EXPECT_EQ(unread_next_due(state), turn.time_ms + 5000);
  turn.time_ms += 4999;
  unread_due(turn);
  EXPECT_EQ(task(0).status, TaskStatus::pending);
  turn.time_ms += 1;
  unread_due(turn);
  EXPECT_EQ(task(0).status, TaskStatus::voided);
  EXPECT_EQ(state.leases.at(lease_b).pending, Amount());
  EXPECT_FALSE(unread_next_due(state).has_value());
  id = ClaimId{some_hash(51)};
  ASSERT_TRUE(post(lease_b, {x}).ok());
  EXPECT_EQ(task(0).status, TaskStatus::pending) << "its reader is void, it is not";
  finish();
}

/// Where nobody was convicted, the requester could have claimed it: its readers did as they were
/// asked.
TEST_F(Void, WithoutAConvictionWhatIsNeverClaimedCostsItsReadersNothing) {
  const Work x = world.work(lease_b, b, {.part = 1, .reads = {}});
  const Work y = world.work(lease_b, b, {.part = 2, .reads = {x.id}});
  ASSERT_TRUE(post(lease_b, {y}).ok());
  turn.time_ms += 5000;
  unread_due(turn);
  EXPECT_EQ(task(0).status, TaskStatus::pending);
  EXPECT_EQ(state.leases.at(lease_b).pending, price(1));
  EXPECT_FALSE(unread_next_due(state).has_value());
  finish();
}

TEST_F(Void, AReadThatIsClaimedInTimeIsAwaitedNoMore) {
  const Work x = world.work(lease_b, b, {.part = 1, .reads = {}});
  const Work y = world.work(lease_b, b, {.part = 2, .reads = {x.id}});
  ASSERT_TRUE(post(lease_b, {y}).ok());
  id = ClaimId{some_hash(51)};
  ASSERT_TRUE(post(lease_b, {x}).ok());
  turn.time_ms += 5000;
  unread_due(turn);
  EXPECT_EQ(task(0).status, TaskStatus::pending);
  EXPECT_EQ(state.leases.at(lease_b).pending, price(2));
}

TEST_F(Void, WorkIsClaimedWithinAnEpoch) {
  const TaskId liar{some_hash(1)};
  make_void(liar, turn.time_ms - 1001);
  const Work work = world.work(lease_b, b, {.part = 1, .reads = {liar}});
  const Hash before = state.root();
  EXPECT_EQ(post(lease_b, {work}).error().code, Code::wrong_state);
  EXPECT_EQ(state.root(), before);
}

TEST_F(Void, WorkIsBoundedByTheJob) {
  const TaskId liar{some_hash(1)};
  make_void(liar, turn.time_ms);
  std::vector<Work> all;
  for (uint32_t part = 0; part < 2; ++part) {
    all.push_back(world.work(lease_b, b, {.part = part, .steps = 51, .reads = {liar}}));
  }
  EXPECT_EQ(post(lease_b, all).error().code, Code::low_funds);
}

TEST_F(Void, WorkIsPaidFromTheReserveAsFarAsItGoes) {
  const TaskId liar{some_hash(1)};
  make_void(liar, turn.time_ms);
  std::vector<Work> all;
  for (uint32_t part = 0; part < 3; ++part) {
    all.push_back(world.work(lease_b, b, {.part = part, .reads = {liar}}));
  }
  ASSERT_TRUE(post(lease_b, all).ok());
  const Amount left = minus(price(3), nano(1));
  reserve(left);
  finish();
  EXPECT_EQ(task(2).status, TaskStatus::paid_void);
  EXPECT_EQ(state.leases.at(lease_b).paid_void, left);
  EXPECT_EQ(state.accounts.at(b.owner.public_key()).balance, plus(lks(500), left));
  EXPECT_EQ(state.accounts.at(world.requester.owner.public_key()).balance, lks(1000));
}

TEST_F(Void, WhatIsLeftOfTheReserveGoesToTheTreasury) {
  ASSERT_TRUE(post(lease_b, {world.work(lease_b, b, {.part = 0, .reads = {}})}).ok());
  reserve(lks(7));
  finish();
  EXPECT_EQ(state.totals.treasury, lks(7));
}

TEST_F(Void, TheRequesterGetsBackWhatItPaidInVain) {
  Job& terms = state.jobs.at(job);
  terms.terms.finality = model::FinalityRule::span;
  terms.terms.span_ms = 1000;
  const Work work = world.work(lease_b, b, {.part = 0, .reads = {}});
  ASSERT_TRUE(post(lease_b, {work}).ok());
  turn.time_ms += 1000;
  settle_due(turn);
  ASSERT_EQ(task(0).status, TaskStatus::final);
  state.voided[work.id] = turn.time_ms;
  reserve(lks(7));
  finish();
  EXPECT_EQ(state.accounts.at(world.requester.owner.public_key()).balance, lks(1000));
  EXPECT_EQ(state.totals.treasury, minus(lks(7), price(1)));
}

TEST_F(Void, OpenAuditsAndDisputesHoldEverythingUp) {
  ASSERT_TRUE(post(lease_b, {world.work(lease_b, b, {.part = 0, .reads = {}})}).ok());
  ASSERT_TRUE(apply(turn, {world.requester.node.public_key(), {}}, model::CloseJob{job}).ok());
  const uint64_t due = turn.time_ms + 5000;
  for (int phase = 0; phase <= static_cast<int>(AuditPhase::lapsed); ++phase) {
    const auto as = static_cast<AuditPhase>(phase);
    state.claims.at(id).audit.phase = as;
    const bool closed =
        as == AuditPhase::none || as == AuditPhase::done || as == AuditPhase::lapsed;
    EXPECT_EQ(has_open_audit(state, job), !closed);
    EXPECT_EQ(settle_next_due(state), closed ? std::optional(due) : std::nullopt);
  }
  state.disputes[{id, 0}] = {};
  EXPECT_TRUE(has_open_audit(state, job));
  EXPECT_EQ(settle_next_due(state), std::nullopt);
  turn.time_ms = due + 1000;
  settle_due(turn);
  EXPECT_FALSE(state.claims.at(id).final);
  state.disputes.clear();
  settle_due(turn);
  EXPECT_TRUE(state.claims.at(id).final);
}

TEST_F(Void, UnderASpanAnAuditHoldsUpWhatCameLater) {
  state.jobs.at(job).terms.finality = model::FinalityRule::span;
  state.jobs.at(job).terms.span_ms = 1000;
  const std::array<ClaimId, 3> ids = {ClaimId{some_hash(61)}, {some_hash(62)}, {some_hash(60)}};
  for (uint32_t i = 0; i < 3; ++i) {
    id = ids[i];
    ASSERT_TRUE(post(lease_b, {world.work(lease_b, b, {.part = i, .reads = {}})}).ok());
    turn.time_ms += 100;
  }
  state.claims.at(ids[1]).audit.phase = AuditPhase::drawn;
  turn.time_ms += 5000;
  settle_due(turn);
  EXPECT_TRUE(state.claims.at(ids[0]).final);
  EXPECT_FALSE(state.claims.at(ids[1]).final);
  EXPECT_FALSE(state.claims.at(ids[2]).final);
  EXPECT_EQ(settle_next_due(state), std::nullopt);
  state.claims.at(ids[1]).audit.phase = AuditPhase::done;
  settle_due(turn);
  EXPECT_TRUE(state.claims.at(ids[2]).final);
}

TEST_F(Void, BondsAreTwiceTheTaskOrTheLeast) {
  const Job& known = state.jobs.at(job);
  EXPECT_EQ(bond_of(state, known, 0), nano(100'000'000));
  EXPECT_EQ(bond_of(state, known, 50), nano(100'000'000));
  EXPECT_EQ(bond_of(state, known, 51), nano(102'000'000));
  EXPECT_EQ(bond_of(state, known, UINT64_MAX), nano(INT64_MAX));
}

}  // namespace
}  // namespace lockstep::ledger
