// What a challenge costs after others have failed: delay gets dearer, for delayer and shield alike.
#include <gtest/gtest.h>

#include "ledger/rules.h"
#include "ledger/test_audit.h"

namespace lockstep::ledger::test {
namespace {

/// A claim of two tasks, and a requester with stake that challenges and falls silent.
struct Delay : AuditWorld {
  ClaimId id;
  Amount bond;

  Delay() {
    start(0);
    id = post_claim(lease_id(), providers[0], some_works(2));
    must(requester.owner, model::AddStake{lks(100)});
    bond = bond_of(state(), job(job_id()), step_cost());
  }
  /// Challenged and lost; returns the bond that it took.
  Amount lose(uint32_t task) {
    const auto failed = failure(challenge(requester.node, id, task));
    EXPECT_FALSE(failed.has_value());
    if (failed) {
      return {};
    }
    const Amount taken = dispute(id, task).bond;
    EXPECT_EQ(account(requester.owner).locked, taken);
    EXPECT_TRUE(find<DisputeEnded>(at(dispute(id, task).deadline_ms)));
    return taken;
  }
};

TEST(Bond, DoublesWithEveryDisputeThatWasLostUpToSixteenfold) {
  Delay world;
  Amount paid;
  Amount expected = world.bond;
  const Amount treasury = world.state().totals.treasury;
  const Amount balance = world.account(world.providers[0].owner).balance;
  for (uint32_t lost = 0; lost < 7; ++lost) {
    EXPECT_EQ(world.lose(0), expected) << lost;
    paid = plus(paid, expected);
    EXPECT_EQ(world.state().dismissed.at({world.id, 0}), lost + 1);
    expected = lost < 4 ? plus(expected, expected) : expected;
  }
  EXPECT_EQ(expected, world.bond.multiply(16).value());
  // The claimant gets one first bond a dispute; what is above it is lost to both.
  const Amount share = world.bond.multiply(7).value();
  EXPECT_EQ(world.account(world.providers[0].owner).balance, plus(balance, share));
  EXPECT_EQ(world.state().totals.treasury, plus(treasury, minus(paid, share)));
  EXPECT_EQ(world.account(world.requester.owner).stake, minus(lks(100), paid));
}

TEST(Bond, IsThatOfTheTask) {
  Delay world;
  EXPECT_EQ(world.lose(0), world.bond);
  EXPECT_EQ(world.lose(1), world.bond);
  EXPECT_EQ(world.lose(0), plus(world.bond, world.bond));
}

TEST(Bond, AnAuditorThatMustChallengePaysTheFirst) {
  AuditWorld world;
  world.start();
  const Trace trace(1);
  const Work work = trace.work(world, world.lease_id(), world.providers[0], part(0));
  const ClaimId id = world.drawn_claim({work});
  world.must(world.requester.owner, model::AddStake{lks(100)});
  const Amount bond = bond_of(world.state(), world.job(world.job_id()), world.step_cost());
  const auto& key = world.requester.node;
  for (int i = 0; i < 2; ++i) {
    ASSERT_FALSE(failure(world.challenge(key, id, 0)));
    for (const model::Place& place : {task_list(), tensor(0, 1)}) {
      world.must(key, model::AskOpen{id, 0, place});
      world.must(world.providers[0].node, model::PostAnswer{id, 0, answer_to(trace, work, place)});
    }
    world.must(key, model::PostProof{id, 0, product_proof(trace)});
  }
  EXPECT_EQ(world.state().dismissed.at({id, 0}), 2U);
  const Work other = Trace::lying().work(world, world.lease_id(), world.providers[0], part(0));
  world.audit_all(id, world.auditor.node, {work}, {other});
  ASSERT_EQ(world.audit(id).phase, AuditPhase::must_challenge);
  world.must(world.auditor.node, model::Challenge{id, 0, some_hash(1), {}});
  EXPECT_EQ(world.dispute(id, 0).bond, bond);
  EXPECT_EQ(world.account(world.auditor.owner).locked, bond);
}

TEST(Bond, IsForgottenWhenTheClaimIsFinal) {
  Delay world;
  world.lose(0);
  world.must(world.requester.node, model::CloseJob{world.job_id()});
  world.wait(20'000);
  EXPECT_EQ(world.job(world.job_id()).status, JobStatus::settled);
  EXPECT_TRUE(world.state().dismissed.empty());
  EXPECT_EQ(world.state().sum().value(), lks(5000));
}

}  // namespace
}  // namespace lockstep::ledger::test
