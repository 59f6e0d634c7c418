// Draws, the choice of auditors, every phase of an audit and what silence costs in each.
#include <gtest/gtest.h>

#include <cmath>

#include "ledger/rules.h"
#include "ledger/test_audit.h"

namespace lockstep::ledger::test {
namespace {

constexpr uint64_t answer_ms = 5000;

/// The world's auditor and one more; whichever is drawn.
struct Auditors {
  Party other;
  explicit Auditors(AuditWorld& world) : other(world.add_auditor(20, 100)) {}
  [[nodiscard]] const Party& drawn(const AuditWorld& world, const ClaimId& id) const {
    return world.audit(id).auditor == other.node.public_key() ? other : world.auditor;
  }
  [[nodiscard]] const Party& spare(const AuditWorld& world, const ClaimId& id) const {
    return world.audit(id).auditor == other.node.public_key() ? world.auditor : other;
  }
};

Amount bond_for(const AuditWorld& world) {
  return bond_of(world.state(), world.job(world.job_id()), world.step_cost());
}

Amount price_of_step(const AuditWorld& world) {
  return model::price_of(world.step_cost(), lks(1'000'000)).value();
}

// Preimages and draws.

TEST(Draw, TakesTheFirstPreimageAfterTheClaimsBlock) {
  AuditWorld world;
  world.start();
  const auto works = world.some_works(2);
  model::PostClaim body{world.lease_id(), {works[0].entry(), works[1].entry()}};
  const auto posted = world.block(
      {world.transaction(world.providers[0].node, body),
       world.transaction(world.requester.node,
                         model::RevealPreimage{world.job_id(), World::requester_chain()[1]})});
  EXPECT_FALSE(failure(posted));
  EXPECT_EQ(count<ClaimDrawn>(posted), 0U);
  const ClaimId id = find<ClaimPosted>(posted)->claim;
  EXPECT_EQ(count<ClaimDrawn>(world.block()), 0U);
  EXPECT_EQ(world.audit(id).phase, AuditPhase::waiting);

  const auto events = world.reveal(world.job_id());
  const auto drawn = find<ClaimDrawn>(events);
  ASSERT_TRUE(drawn);
  EXPECT_EQ(drawn->seed,
            model::draw_seed(World::sequencer_chain()[world.state().totals.height],
                             World::requester_chain()[2],
                             world.claim(id).list));
  EXPECT_EQ(drawn->block, world.state().totals.height);
  EXPECT_EQ(drawn->tasks, (std::vector<uint32_t>{0, 1}));
  EXPECT_TRUE(world.audit(id).requester_preimage);
  EXPECT_EQ(world.audit(id).phase, AuditPhase::drawn);
  EXPECT_EQ(world.job(world.job_id()).revealed, 2U);
}

TEST(Draw, LeavesOutAPreimageThatStaysAway) {
  AuditWorld world;
  world.start();
  const ClaimId id = world.post_claim(world.lease_id(), world.providers[0], world.some_works(1));
  for (uint32_t i = 1; i < world.state().genesis.preimage_blocks; ++i) {
    EXPECT_EQ(world.ledger().next_due_ms(), world.now() + 100);
    EXPECT_EQ(count<ClaimDrawn>(world.block()), 0U);
  }
  const auto drawn = find<ClaimDrawn>(world.block());
  ASSERT_TRUE(drawn);
  EXPECT_EQ(
      drawn->seed,
      model::draw_seed(
          World::sequencer_chain()[world.state().totals.height], Hash{}, world.claim(id).list));
  EXPECT_FALSE(world.audit(id).requester_preimage);
  EXPECT_EQ(world.ledger().next_due_ms(), world.audit(id).deadline_ms);
}

TEST(Draw, OnePreimageDrawsSeveralClaims) {
  AuditWorld world;
  world.start();
  const ClaimId first = world.post_claim(world.lease_id(), world.providers[0], world.some_works(1));
  const ClaimId second =
      world.post_claim(world.lease_id(), world.providers[0], world.some_works(1, 1));
  EXPECT_EQ(count<ClaimDrawn>(world.reveal(world.job_id())), 2U);
  EXPECT_NE(world.audit(first).seed, world.audit(second).seed);
}

TEST(Draw, EndsWhereNothingIsDrawn) {
  AuditWorld world;
  world.start(1);  // one in a million
  const ClaimId id = world.drawn_claim(world.some_works(2));
  EXPECT_EQ(world.audit(id).phase, AuditPhase::none);
  EXPECT_TRUE(world.audit(id).tasks.empty());
}

TEST(Draw, RefusesWhatIsNoNextPreimage) {
  AuditWorld world;
  world.start();
  const auto& chain = World::requester_chain();
  const auto code = [&](const crypto::SecretKey& key, const model::RevealPreimage& body) {
    return failure(world.send(key, body));
  };
  EXPECT_EQ(code(world.requester.node, {world.job_id(), chain[2]}), Code::wrong_preimage);
  EXPECT_EQ(code(world.requester.node, {world.job_id(), chain[0]}), Code::wrong_preimage);
  EXPECT_EQ(code(world.requester.node, {JobId{some_hash(1)}, chain[1]}), Code::not_registered);
  EXPECT_EQ(code(world.requester.owner, {world.job_id(), chain[1]}), Code::not_allowed);
  EXPECT_EQ(world.job(world.job_id()).revealed, 0U);
  world.must(world.requester.node, model::CloseJob{world.job_id()});
  EXPECT_EQ(code(world.requester.node, {world.job_id(), chain[1]}), std::nullopt);
  world.wait(10'000);
  EXPECT_EQ(world.job(world.job_id()).status, JobStatus::settled);
  EXPECT_EQ(code(world.requester.node, {world.job_id(), chain[2]}), Code::wrong_state);
}

TEST(Draw, BeyondTheAuditBudgetTheRequesterAudits) {
  AuditWorld world;
  uint32_t seen = 0;
  for (uint32_t i = 0; i < 64 && seen < 3; ++i) {
    auto terms = world.terms(500'000);
    terms.operations = 2 * world.step_cost();
    terms.tasks = 1'000'000'000'000;  // so that the budget is hardly above the share
    terms.name = "job " + std::to_string(i);
    const JobId job = world.open_job(terms);
    const LeaseId lease = world.open_lease(job, world.providers[0]);
    const ClaimId id = world.post_claim(lease,
                                        world.providers[0],
                                        {world.work(lease, world.providers[0], part(2 * i)),
                                         world.work(lease, world.providers[0], part(2 * i + 1))});
    const auto events = world.reveal(job);
    const size_t drawn = world.audit(id).tasks.size();
    EXPECT_EQ(world.audit(id).phase, drawn == 0 ? AuditPhase::none : AuditPhase::drawn);
    EXPECT_FALSE(find<AuditLapsed>(events));
    const auto chosen = find<AuditorDrawn>(events);
    ASSERT_EQ(chosen.has_value(), drawn > 0);
    if (chosen) {
      const Party& auditor = drawn == 1 ? world.auditor : world.requester;
      EXPECT_EQ(chosen->auditor, auditor.node.public_key());
    }
    if (drawn == 2) {
      // It is paid nothing, and when it does not audit either nobody does.
      const Amount budget = world.job(job).audit_budget;
      world.wait_until(world.audit(id).deadline_ms);
      EXPECT_EQ(world.audit(id).phase, AuditPhase::lapsed);
      EXPECT_EQ(world.job(job).audit_budget, budget);
    }
    seen |= drawn == 1 ? 1U : drawn == 2 ? 2U : 0U;
  }
  EXPECT_EQ(seen, 3U);
}

/// A ledger with nothing but claims that wait in one job, to draw many at once.
struct Field {
  State state;
  std::vector<Event> events;

  Field(uint32_t share, uint32_t claims, uint32_t tasks) {
    const JobId job{some_hash(1)};
    const LeaseId lease{some_hash(2)};
    Job& value = state.jobs[job];
    value.terms.requester = some_key(3).public_key();
    value.terms.share_millionths = share;
    value.owner = some_key(4).public_key();
    value.audit_budget = lks(1'000'000);
    state.nodes[value.terms.requester] = {value.owner, model::Role::requester};
    state.leases[lease].job = job;
    state.leases[lease].owner = some_key(5).public_key();
    for (uint32_t i = 0; i < claims; ++i) {
      Claim& claim = state.claims[ClaimId{some_hash(100 + i)}];
      claim.job = job;
      claim.lease = lease;
      claim.list = some_hash(1'000'000 + i);
      claim.tasks.resize(tasks);
    }
  }
  void add_auditors(uint64_t number, uint32_t nodes, int64_t stake) {
    const PublicKey owner = some_key(number).public_key();
    state.accounts[owner].stake = lks(stake);
    for (uint32_t i = 0; i < nodes; ++i) {
      state.nodes[some_key(number + 1 + i).public_key()] = {owner, model::Role::auditor};
    }
  }
  void draw() {
    Turn turn{state, events, 1, 0, some_hash(6), {JobId{some_hash(1)}}};
    draw_claims(turn);
  }
};

TEST(Draw, DrawsTheShareThatWasAgreed) {
  constexpr uint32_t claims = 2000;
  constexpr uint32_t tasks = 50;
  Field field(100'000, claims, tasks);
  field.draw();
  double drawn = 0;
  for (const auto& [id, claim] : field.state.claims) {
    drawn += static_cast<double>(claim.audit.tasks.size());
    EXPECT_TRUE(std::is_sorted(claim.audit.tasks.begin(), claim.audit.tasks.end()));
  }
  const double sigma = std::sqrt(claims * tasks * 0.1 * 0.9);
  EXPECT_NEAR(drawn, claims * tasks * 0.1, 5 * sigma);
}

TEST(Draw, ChoosesAuditorsByTheirOwnersStake) {
  constexpr uint32_t claims = 4000;
  Field field(1'000'000, claims, 1);
  field.state.genesis.bond_min = Amount();
  field.add_auditors(1000, 1, 300);
  field.add_auditors(2000, 8, 100);  // more nodes of one owner gain nothing
  field.add_auditors(3000, 1, 0);    // never
  field.state.nodes[some_key(4001).public_key()] = {some_key(4).public_key(),
                                                    model::Role::auditor};  // the job's owner
  field.state.accounts[some_key(4).public_key()].stake = lks(1000);
  field.draw();
  double first = 0;
  for (const auto& [id, claim] : field.state.claims) {
    const PublicKey owner = field.state.nodes.at(claim.audit.auditor).owner;
    ASSERT_TRUE(owner == some_key(1000).public_key() || owner == some_key(2000).public_key());
    first += owner == some_key(1000).public_key() ? 1 : 0;
  }
  EXPECT_NEAR(first, claims * 0.75, 5 * std::sqrt(claims * 0.75 * 0.25));
}

// The phases.

TEST(Audit, AgreementPaysTheAuditor) {
  AuditWorld world;
  world.start();
  auto works = world.some_works(3);
  model::PostClaim body{world.lease_id(), {}};
  for (const Work& work : works) {
    body.entries.push_back(work.entry(false));  // no voucher: the audit makes them available
  }
  const ClaimId id = find<ClaimPosted>(world.must(world.providers[0].node, body))->claim;
  world.reveal(world.job_id());
  EXPECT_EQ(world.audit(id).auditor, world.auditor.node.public_key());
  EXPECT_EQ(world.account(world.auditor.owner).locked, bond_for(world));
  // 3 tasks at 1000 operations a second, twice, in whole milliseconds.
  EXPECT_EQ(world.audit(id).deadline_ms, world.now() + answer_ms + 6 * world.step_cost());

  const Amount budget = world.job(world.job_id()).audit_budget;
  const Amount balance = world.account(world.auditor.owner).balance;
  const auto events = world.audit_all(id, world.auditor.node, works, works);
  const Amount paid = price_of_step(world).multiply(3).value();
  ASSERT_TRUE(find<AuditAgreed>(events));
  EXPECT_EQ(find<AuditAgreed>(events)->paid, paid);
  EXPECT_EQ(world.audit(id).phase, AuditPhase::done);
  EXPECT_EQ(world.account(world.auditor.owner).balance, plus(balance, paid));
  EXPECT_EQ(world.account(world.auditor.owner).locked, Amount());
  EXPECT_EQ(world.job(world.job_id()).audit_budget, minus(budget, paid));
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(world.task(id, i).available);
    EXPECT_EQ(world.task(id, i).status, TaskStatus::pending);
  }
}

TEST(Audit, RefusesMovesOfOthersAtOtherTimesOrOfAnotherForm) {
  AuditWorld world;
  world.start();
  const auto works = world.some_works(2);
  const ClaimId id = world.drawn_claim(works);
  const auto& auditor = world.auditor.node;
  const auto& claimant = world.providers[0].node;
  const auto code = [&](const crypto::SecretKey& key, const model::Transaction& body) {
    const Claim before = world.claim(id);
    const auto failed = failure(world.send(key, body));
    EXPECT_EQ(world.claim(id), before);
    return failed;
  };
  auto commit = world.commit(id, auditor, works);
  const auto salts = world.salts(id, works);
  const auto reveal = world.reveal_of(id, works);
  EXPECT_EQ(code(claimant, commit), Code::not_allowed);
  EXPECT_EQ(code(claimant, salts), Code::wrong_state);
  EXPECT_EQ(code(auditor, reveal), Code::wrong_state);
  EXPECT_EQ(code(auditor, model::CommitAudit{id, {some_hash(1)}}), Code::wrong_reveal);
  EXPECT_EQ(code(auditor, model::CommitAudit{ClaimId{}, {}}), Code::not_registered);
  EXPECT_EQ(code(auditor, model::OpenSalts{ClaimId{}, {}}), Code::not_registered);
  EXPECT_EQ(code(auditor, model::RevealAudit{ClaimId{}, {}}), Code::not_registered);

  world.must(auditor, commit);
  EXPECT_EQ(code(auditor, commit), Code::wrong_state);
  EXPECT_EQ(code(auditor, salts), Code::not_allowed);
  EXPECT_EQ(code(auditor, reveal), Code::wrong_state);
  EXPECT_EQ(code(claimant, model::OpenSalts{id, {some_hash(1)}}), Code::wrong_reveal);

  world.must(claimant, salts);
  EXPECT_EQ(code(claimant, salts), Code::wrong_state);
  EXPECT_EQ(code(claimant, reveal), Code::not_allowed);
  auto wrong = reveal;
  wrong.tasks.pop_back();
  EXPECT_EQ(code(auditor, wrong), Code::wrong_reveal);
  wrong = reveal;
  wrong.tasks[1].salt = some_hash(43);
  EXPECT_EQ(code(auditor, wrong), Code::wrong_reveal);
  wrong = reveal;
  wrong.tasks[1].roots[0] = some_hash(44);  // not what was committed to
  EXPECT_EQ(code(auditor, wrong), Code::wrong_reveal);
  wrong = reveal;
  wrong.tasks[0].roots.pop_back();
  EXPECT_EQ(code(auditor, wrong), Code::wrong_reveal);
  EXPECT_EQ(failure(world.send(auditor, reveal)), std::nullopt) << "but the true one is taken";
}

TEST(Audit, ACommitmentToAListOfAnotherFormIsNeverRevealed) {
  AuditWorld world;
  world.start();
  auto works = world.some_works(1);
  const ClaimId id = world.drawn_claim(works);
  works[0].roots.push_back(some_hash(1));
  world.must(world.auditor.node, world.commit(id, world.auditor.node, works));
  world.must(world.providers[0].node, world.salts(id, works));
  EXPECT_EQ(failure(world.send(world.auditor.node, world.reveal_of(id, works))),
            Code::wrong_reveal);
}

TEST(Audit, WhoDoesNotCommitIsReplacedInTheEndByTheRequester) {
  AuditWorld world;
  const Auditors auditors(world);
  world.start();
  const auto works = world.some_works(1);
  const ClaimId id = world.drawn_claim(works);
  const Party& first = auditors.drawn(world, id);
  const Party& second = auditors.spare(world, id);
  EXPECT_EQ(world.account(first.owner).locked, bond_for(world));

  world.wait_until(world.audit(id).deadline_ms);
  EXPECT_EQ(world.audit(id).auditor, second.node.public_key());
  EXPECT_EQ(world.account(first.owner).locked, Amount()) << "silence here costs nothing";
  EXPECT_EQ(world.account(second.owner).locked, bond_for(world));
  EXPECT_EQ(failure(world.send(first.node, world.commit(id, first.node, works))),
            Code::not_allowed);

  world.wait_until(world.audit(id).deadline_ms);
  EXPECT_EQ(world.audit(id).auditor, world.requester.node.public_key());
  EXPECT_EQ(world.audit(id).bond, Amount());
  const Amount balance = world.account(world.requester.owner).balance;
  const auto events = world.audit_all(id, world.requester.node, works, works);
  EXPECT_TRUE(find<AuditAgreed>(events));
  EXPECT_EQ(world.account(world.requester.owner).balance, plus(balance, price_of_step(world)));
}

TEST(Audit, LapsesWhenTheRequesterIsSilentToo) {
  AuditWorld world;
  world.start();
  const ClaimId id = world.drawn_claim(world.some_works(1));
  world.wait_until(world.audit(id).deadline_ms);
  EXPECT_EQ(world.audit(id).auditor, world.requester.node.public_key());
  const auto events = world.at(world.audit(id).deadline_ms);
  ASSERT_TRUE(find<AuditLapsed>(events));
  EXPECT_EQ(world.audit(id).phase, AuditPhase::lapsed);
  EXPECT_EQ(world.audit(id).excused.size(), 2U);
  EXPECT_FALSE(has_open_audit(world.state(), world.job_id()));
}

TEST(Audit, ClosedSaltsCostThePayButNotTheOutput) {
  AuditWorld world;
  world.start();
  const auto works = world.some_works(2);
  const ClaimId id = world.drawn_claim(works);
  const Amount escrow = world.job(world.job_id()).escrow;
  const Amount balance = world.account(world.auditor.owner).balance;
  world.must(world.auditor.node, world.commit(id, world.auditor.node, works));
  const auto events = world.at(world.audit(id).deadline_ms);
  EXPECT_TRUE(find<SaltsUnopened>(events));
  EXPECT_EQ(failure(world.send(world.providers[0].node, world.salts(id, works))),
            Code::wrong_state);
  const auto revealed = world.must(world.auditor.node, world.reveal_of(id, works));
  EXPECT_TRUE(find<AuditAgreed>(revealed));
  const Amount both = price_of_step(world).multiply(2).value();
  EXPECT_EQ(world.account(world.auditor.owner).balance, plus(balance, both));
  EXPECT_EQ(world.job(world.job_id()).escrow, plus(escrow, both));
  EXPECT_EQ(world.lease(world.lease_id()).pending, Amount());
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(world.task(id, i).status, TaskStatus::unpaid);
  }
  EXPECT_TRUE(world.state().voided.empty());
}

TEST(Audit, ClosedSaltsAndAnotherOutputMustBeChallenged) {
  AuditWorld world;
  world.start();
  const auto works = world.some_works(2);
  auto computed = works;
  computed[1].roots[0] = some_hash(9);  // the state root
  const ClaimId id = world.drawn_claim(works);
  world.must(world.auditor.node, world.commit(id, world.auditor.node, computed));
  world.wait_until(world.audit(id).deadline_ms);
  const auto events = world.must(world.auditor.node, world.reveal_of(id, computed));
  ASSERT_TRUE(find<AuditDisagreed>(events));
  EXPECT_EQ(find<AuditDisagreed>(events)->tasks, std::vector<uint32_t>{1});
  EXPECT_EQ(world.task(id, 0).status, TaskStatus::unpaid);
  EXPECT_EQ(world.task(id, 1).status, TaskStatus::pending);
  world.must(world.auditor.node, model::Challenge{id, 1, {}, {}});
  EXPECT_FALSE(world.dispute(id, 1).list_binds);
}

TEST(Audit, WithClosedSaltsOnlyTheOutputCounts) {
  AuditWorld world;
  world.start();
  const auto works = world.some_works(1);
  auto computed = works;
  computed[0].roots[2] = some_hash(9);  // an operator's output, that nobody can see
  const ClaimId id = world.drawn_claim(works);
  world.must(world.auditor.node, world.commit(id, world.auditor.node, computed));
  world.wait_until(world.audit(id).deadline_ms);
  EXPECT_TRUE(find<AuditAgreed>(world.must(world.auditor.node, world.reveal_of(id, computed))));
}

TEST(Audit, WhoDoesNotRevealLosesItsBondAndIsReplaced) {
  for (const bool opened : {true, false}) {
    AuditWorld world;
    const Auditors auditors(world);
    world.start();
    const auto works = world.some_works(1);
    const ClaimId id = world.drawn_claim(works);
    const Party& first = auditors.drawn(world, id);
    const Party& second = auditors.spare(world, id);
    const Amount stake = world.account(first.owner).stake;
    world.must(first.node, world.commit(id, first.node, works));
    if (opened) {
      world.must(world.providers[0].node, world.salts(id, works));
    } else {
      world.wait_until(world.audit(id).deadline_ms);
      EXPECT_EQ(world.audit(id).phase, AuditPhase::unopened);
    }
    world.wait_until(world.audit(id).deadline_ms);
    EXPECT_EQ(world.account(first.owner).stake, minus(stake, bond_for(world)));
    EXPECT_EQ(world.account(first.owner).locked, Amount());
    EXPECT_EQ(world.state().totals.treasury, bond_for(world));
    EXPECT_EQ(world.audit(id).phase, AuditPhase::drawn);
    EXPECT_EQ(world.audit(id).auditor, second.node.public_key());
    EXPECT_TRUE(world.audit(id).salts.empty());
    EXPECT_TRUE(find<AuditAgreed>(world.audit_all(id, second.node, works, works)));
  }
}

TEST(Audit, DisagreementPaysTheRestAndCostsTheBondWithoutAChallenge) {
  AuditWorld world;
  world.start();
  const auto works = world.some_works(3);
  auto computed = works;
  computed[1].roots[1] = some_hash(9);
  const ClaimId id = world.drawn_claim(works);
  const Amount balance = world.account(world.auditor.owner).balance;
  const auto events = world.audit_all(id, world.auditor.node, works, computed);
  EXPECT_FALSE(find<AuditAgreed>(events));
  ASSERT_TRUE(find<AuditDisagreed>(events));
  EXPECT_EQ(world.audit(id).disagreed, std::vector<uint32_t>{1});
  EXPECT_EQ(world.audit(id).deadline_ms, world.now() + answer_ms);
  EXPECT_EQ(world.account(world.auditor.owner).balance,
            plus(balance, price_of_step(world).multiply(2).value()));
  EXPECT_EQ(world.account(world.auditor.owner).locked, bond_for(world));

  world.wait_until(world.audit(id).deadline_ms);
  EXPECT_EQ(world.audit(id).phase, AuditPhase::done);
  EXPECT_EQ(world.account(world.auditor.owner).locked, Amount());
  EXPECT_EQ(world.account(world.auditor.owner).stake, minus(lks(500), bond_for(world)));
  EXPECT_EQ(world.state().totals.treasury, bond_for(world));
  EXPECT_EQ(world.task(id, 1).status, TaskStatus::pending) << "nothing was shown against it";
  EXPECT_EQ(failure(world.send(world.auditor.node, model::Challenge{id, 1, {}, {}})),
            Code::wrong_reveal);
}

TEST(Audit, AFalseOutputRootBesideATrueListIsSeen) {
  AuditWorld world;
  world.start();
  const auto honest = world.some_works(1);
  auto claimed = honest;
  claimed[0].output_root = some_hash(9);
  world.sign_results(claimed[0], world.lease_id(), world.providers[0]);
  const ClaimId id = world.drawn_claim(claimed);
  const auto events = world.audit_all(id, world.auditor.node, claimed, honest);
  EXPECT_TRUE(find<AuditDisagreed>(events));
}

TEST(Audit, AFalseSaltIsADisagreement) {
  AuditWorld world;
  world.start();
  const auto works = world.some_works(1);
  auto opened = works;
  opened[0].salt = some_hash(9);
  const ClaimId id = world.drawn_claim(works);
  EXPECT_TRUE(find<AuditDisagreed>(world.audit_all(id, world.auditor.node, opened, works)));
}

TEST(Audit, TheClaimantsOwnerIsNotItsAuditor) {
  AuditWorld world;
  const Party sibling = {world.providers[0].owner, some_key(77)};
  world.must(sibling.owner, world.registration(sibling, model::Role::auditor));
  world.start();
  for (uint32_t i = 0; i < 8; ++i) {
    const ClaimId id = world.drawn_claim(world.some_works(1, i));
    EXPECT_EQ(world.audit(id).auditor, world.auditor.node.public_key());
  }
}

TEST(Audit, AnAuditorNeedsABondThatIsNotLocked) {
  AuditWorld world;
  world.start();
  const int64_t bonds = 3;
  world.must(world.auditor.owner,
             model::WithdrawStake{minus(lks(500), bond_for(world).multiply(bonds).value())});
  for (uint32_t i = 0; i < 4; ++i) {
    const ClaimId id = world.drawn_claim(world.some_works(1, i));
    EXPECT_EQ(world.audit(id).auditor,
              (i < bonds ? world.auditor : world.requester).node.public_key());
  }
}

}  // namespace
}  // namespace lockstep::ledger::test
