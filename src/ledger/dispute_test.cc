// Disputes on real traces from the challenge to the verdict, and what a conviction takes and voids.
#include <gtest/gtest.h>

#include "ledger/rules.h"
#include "ledger/test_audit.h"

namespace lockstep::ledger::test {
namespace {

constexpr uint64_t answer_ms = 5000;
const model::Place product = tensor(0, 1);

Amount bond_for(const AuditWorld& world) {
  return bond_of(world.state(), world.job(world.job_id()), world.step_cost());
}
Amount times(Amount amount, int64_t factor) {
  return amount.multiply(factor).value();
}

/// One claim of one task with a real trace, drawn, by the first provider.
struct Case : AuditWorld {
  Trace claimed;
  Work work;
  ClaimId id;

  explicit Case(Trace trace) : claimed(std::move(trace)) {
    start();
    work = claimed.work(*this, lease_id(), providers[0], part(0));
    id = drawn_claim({work});
  }
  [[nodiscard]] model::PostAnswer answer(const model::Place& place) const {
    return {id, 0, answer_to(claimed, work, place)};
  }
  Events ask(const crypto::SecretKey& key, const model::Place& place) {
    return send(key, model::AskOpen{id, 0, place});
  }
  /// Asked and answered by the claimant.
  void open(const crypto::SecretKey& key, const model::Place& place) {
    must(key, model::AskOpen{id, 0, place});
    must(providers[0].node, answer(place));
  }
  /// The drawn auditor computed the honest trace, disagrees and challenges.
  void disagree() {
    const Work honest = Trace(claimed.steps()).work(*this, lease_id(), providers[0], part(0));
    const auto events = audit_all(id, auditor.node, {work}, {honest});
    ASSERT_TRUE(find<AuditDisagreed>(events));
    must(auditor.node, model::Challenge{id, 0, honest.output_root, {}});
  }
  [[nodiscard]] bool disputed() const { return state().disputes.contains({id, 0}); }
};

// Whose turn it is.

TEST(Challenge, NeedsACommitmentOfAnEarlierBlock) {
  Case world{Trace(1)};
  const auto& key = world.requester.node;
  const model::Challenge body{world.id, 0, some_hash(1), some_hash(2)};
  const Hash commitment = AuditWorld::commitment_of(key, body);
  world.must(world.requester.owner, model::AddStake{lks(10)});
  EXPECT_EQ(failure(world.send(key, body)), Code::wrong_reveal);
  const auto together = world.block({world.transaction(key, model::CommitChallenge{commitment}),
                                     world.transaction(key, body, 1)});
  EXPECT_EQ(failure(together), Code::wrong_state);
  auto other = body;
  other.salt = some_hash(3);
  EXPECT_EQ(failure(world.send(key, other)), Code::wrong_reveal);
  // The commitment names its key: nobody else can use it.
  EXPECT_EQ(failure(world.send(world.auditor.node, body)), Code::wrong_reveal);
  EXPECT_EQ(failure(world.send(world.auditor.node, model::CommitChallenge{commitment})),
            Code::already_there);
  EXPECT_EQ(failure(world.send(world.providers[1].node, model::CommitChallenge{some_hash(4)})),
            Code::not_allowed);

  const auto events = world.must(key, body);
  ASSERT_TRUE(find<DisputeOpened>(events));
  EXPECT_EQ(find<DisputeOpened>(events)->challenger, key.public_key());
  EXPECT_EQ(world.account(world.requester.owner).locked, bond_for(world));
  EXPECT_TRUE(world.dispute(world.id, 0).list_binds);
  EXPECT_EQ(world.dispute(world.id, 0).deadline_ms, world.now() + answer_ms);
  EXPECT_TRUE(world.state().turns.empty());
  EXPECT_EQ(failure(world.challenge(key, world.id, 0)), Code::already_there);
}

TEST(Challenge, RefusesUnknownTasksOwnWorkAndTooLittleStake) {
  Case world{Trace(1)};
  EXPECT_EQ(failure(world.challenge(world.auditor.node, ClaimId{}, 0)), Code::not_registered);
  EXPECT_EQ(failure(world.challenge(world.auditor.node, world.id, 1)), Code::not_registered);
  EXPECT_EQ(failure(world.challenge(world.requester.node, world.id, 0)), Code::low_stake);
  const auto sibling = some_key(77);
  world.must(world.providers[0].owner,
             world.registration({world.providers[0].owner, sibling}, model::Role::auditor));
  EXPECT_EQ(failure(world.challenge(sibling, world.id, 0)), Code::not_allowed);
  EXPECT_TRUE(world.state().disputes.empty());
}

TEST(Challenge, RefusesWhatIsSettled) {
  AuditWorld world;
  world.start(0);
  const auto works = world.some_works(1);
  const ClaimId id = world.post_claim(world.lease_id(), world.providers[0], works);
  world.must(world.requester.node, model::CloseJob{world.job_id()});
  world.wait(20'000);
  ASSERT_EQ(world.task(id, 0).status, TaskStatus::final);
  EXPECT_EQ(failure(world.challenge(world.auditor.node, id, 0)), Code::wrong_state);
}

TEST(Challenge, TheOldestOfTooManyCommitmentsGivesWay) {
  AuditWorld world;
  for (uint64_t i = 0; i < 65; ++i) {
    world.must(world.auditor.node, model::CommitChallenge{some_hash(i)});
  }
  EXPECT_EQ(world.state().turns.size(), 64U);
  EXPECT_FALSE(world.state().turns.contains(some_hash(0)));
  EXPECT_TRUE(world.state().turns.contains(some_hash(64)));
}

TEST(Challenge, TheAuditsBondBecomesTheChallengesBond) {
  Case world{Trace::lying()};
  world.must(world.auditor.owner, model::WithdrawStake{minus(lks(500), bond_for(world))});
  world.disagree();
  EXPECT_EQ(world.audit(world.id).phase, AuditPhase::done);
  EXPECT_EQ(world.audit(world.id).bond, Amount());
  EXPECT_EQ(world.dispute(world.id, 0).bond, bond_for(world));
  EXPECT_EQ(world.account(world.auditor.owner).locked, bond_for(world));
}

TEST(Challenge, AFasterOneDoesNotTakeTheAuditorsTurnAway) {
  Case world{Trace::lying()};
  const Party puppet = world.add_auditor(30, 50);
  const Work honest = Trace(1).work(world, world.lease_id(), world.providers[0], part(0));
  ASSERT_TRUE(
      find<AuditDisagreed>(world.audit_all(world.id, world.auditor.node, {world.work}, {honest})));
  EXPECT_EQ(failure(world.challenge(puppet.node, world.id, 0)), Code::wrong_state);
  const model::Challenge own{world.id, 0, honest.output_root, {}};
  EXPECT_EQ(world.account(puppet.owner).locked, Amount());
  EXPECT_EQ(world.audit(world.id).phase, AuditPhase::must_challenge);
  EXPECT_EQ(world.account(world.auditor.owner).stake, lks(500));
  EXPECT_FALSE(failure(world.send(world.auditor.node, own)));
  EXPECT_EQ(world.audit(world.id).phase, AuditPhase::done);
}

// Moves.

TEST(Dispute, RefusesMovesOfOthersAtOtherTimes) {
  Case world{Trace::lying()};
  world.disagree();
  const auto& challenger = world.auditor.node;
  const auto& claimant = world.providers[0].node;
  const model::PostProof proof{world.id, 0, product_proof(world.claimed)};
  EXPECT_EQ(failure(world.send(challenger, model::AskOpen{world.id, 1, task_list()})),
            Code::not_registered);
  EXPECT_EQ(failure(world.send(claimant, model::PostAnswer{ClaimId{}, 0, {}})),
            Code::not_registered);
  EXPECT_EQ(failure(world.send(claimant, world.answer(task_list()))), Code::wrong_state);
  EXPECT_EQ(failure(world.ask(claimant, task_list())), Code::not_allowed);
  EXPECT_EQ(failure(world.send(claimant, proof)), Code::not_allowed);
  EXPECT_EQ(failure(world.ask(challenger, product)), Code::bad_place) << "nothing is known yet";
  EXPECT_EQ(failure(world.send(challenger, proof)), Code::bad_proof);

  const auto asked = world.ask(challenger, task_list());
  ASSERT_TRUE(find<Asked>(asked));
  EXPECT_EQ(world.dispute(world.id, 0).deadline_ms, world.now() + answer_ms);
  EXPECT_EQ(failure(world.ask(challenger, task_list())), Code::wrong_state);
  EXPECT_EQ(failure(world.send(challenger, proof)), Code::wrong_state);
  EXPECT_EQ(failure(world.send(claimant, world.answer(product))), Code::bad_place);
  const auto answer = world.answer(task_list());
  const auto answered = world.must(claimant, answer);
  ASSERT_TRUE(find<Answered>(answered));
  EXPECT_EQ(find<Answered>(answered)->bytes, codec::encode(answer.answer).size());
  EXPECT_EQ(world.dispute(world.id, 0).answers, 1U);
  EXPECT_FALSE(world.dispute(world.id, 0).asked);
  EXPECT_EQ(failure(world.ask(challenger, task_list())), Code::bad_place) << "it is known";
  EXPECT_TRUE(world.disputed());
}

TEST(Dispute, ALieIsRefuted) {
  Case world{Trace::lying()};
  world.disagree();
  world.open(world.auditor.node, task_list());
  world.open(world.auditor.node, product);
  const model::PostProof proof{world.id, 0, product_proof(world.claimed)};
  const auto events = world.must(world.auditor.node, proof);
  const auto ended = find<DisputeEnded>(events);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->ending, Ending::proof_refuted);
  EXPECT_EQ(ended->answers, 2U);
  EXPECT_EQ(ended->proof_bytes, codec::encode(proof.proof).size());
  EXPECT_TRUE(find<Slashed>(events));
  EXPECT_FALSE(world.disputed());
  EXPECT_EQ(world.task(world.id, 0).status, TaskStatus::convicted);
  EXPECT_EQ(world.account(world.auditor.owner).stake, lks(500));
  EXPECT_EQ(world.account(world.auditor.owner).locked, Amount());
}

TEST(Dispute, AnHonestClaimHolds) {
  Case world{Trace(1)};
  world.must(world.requester.owner, model::AddStake{lks(1)});
  ASSERT_FALSE(failure(world.challenge(world.requester.node, world.id, 0)));
  const Amount bond = bond_for(world);
  const Amount balance = world.account(world.providers[0].owner).balance;
  world.open(world.requester.node, task_list());
  world.open(world.requester.node, product);
  const auto events =
      world.must(world.requester.node, model::PostProof{world.id, 0, product_proof(world.claimed)});
  ASSERT_TRUE(find<DisputeEnded>(events));
  EXPECT_EQ(find<DisputeEnded>(events)->ending, Ending::proof_holds);
  EXPECT_EQ(world.account(world.requester.owner).stake, minus(lks(1), bond));
  EXPECT_EQ(world.account(world.requester.owner).locked, Amount());
  EXPECT_EQ(world.account(world.providers[0].owner).balance, plus(balance, bond));
  EXPECT_EQ(world.task(world.id, 0).status, TaskStatus::pending);
  EXPECT_EQ(world.lease(world.lease_id()).status, LeaseStatus::open);
  EXPECT_FALSE(world.disputed());
}

TEST(Dispute, AProofThatOpensTooMuchIsNoMove) {
  Case world{Trace::lying()};
  world.disagree();
  world.open(world.auditor.node, task_list());
  world.open(world.auditor.node, product);
  auto proof = product_proof(world.claimed);
  proof.openings.push_back(proof.openings.back());
  EXPECT_EQ(failure(world.send(world.auditor.node, model::PostProof{world.id, 0, proof})),
            Code::bad_proof);
  EXPECT_TRUE(world.disputed());
}

TEST(Dispute, ASilentClaimantIsConvicted) {
  Case world{Trace(1)};  // even of true work: it alone could have shown so
  world.must(world.requester.owner, model::AddStake{lks(1)});
  ASSERT_FALSE(failure(world.challenge(world.requester.node, world.id, 0)));
  world.ask(world.requester.node, task_list());
  EXPECT_EQ(disputes_next_due(world.state()), world.dispute(world.id, 0).deadline_ms);
  const auto events = world.at(world.dispute(world.id, 0).deadline_ms);
  ASSERT_TRUE(find<DisputeEnded>(events));
  EXPECT_EQ(find<DisputeEnded>(events)->ending, Ending::claimant_silent);
  EXPECT_EQ(world.lease(world.lease_id()).status, LeaseStatus::slashed);
}

TEST(Dispute, ASilentChallengerLosesItsBond) {
  Case world{Trace::lying()};
  world.disagree();
  world.open(world.auditor.node, task_list());
  const Amount balance = world.account(world.providers[0].owner).balance;
  const auto events = world.at(world.dispute(world.id, 0).deadline_ms);
  ASSERT_TRUE(find<DisputeEnded>(events));
  EXPECT_EQ(find<DisputeEnded>(events)->ending, Ending::challenger_silent);
  EXPECT_EQ(world.account(world.providers[0].owner).balance, plus(balance, bond_for(world)));
  EXPECT_EQ(world.account(world.auditor.owner).stake, minus(lks(500), bond_for(world)));
  EXPECT_EQ(world.task(world.id, 0).status, TaskStatus::pending);
}

TEST(Dispute, AnAnswerThatDoesNotHashConvictsOnlyWhoGaveIt) {
  Case world{Trace::lying()};
  world.disagree();
  world.ask(world.auditor.node, task_list());
  auto wrong = world.answer(task_list());
  wrong.answer.hashes[1] = some_hash(1);
  EXPECT_EQ(failure(world.send(world.providers[1].node, wrong)), Code::bad_answer);
  EXPECT_TRUE(world.disputed());
  const auto events = world.must(world.providers[0].node, wrong);
  ASSERT_TRUE(find<DisputeEnded>(events));
  EXPECT_EQ(find<DisputeEnded>(events)->ending, Ending::bad_answer);
  EXPECT_EQ(world.lease(world.lease_id()).status, LeaseStatus::slashed);
}

TEST(Dispute, OthersAnswerForTheClaimantWhereAHashBindsThem) {
  Case world{Trace::lying()};
  world.disagree();
  world.ask(world.auditor.node, task_list());
  EXPECT_TRUE(find<Answered>(world.send(world.providers[1].node, world.answer(task_list()))));
  EXPECT_EQ(world.dispute(world.id, 0).answers, 1U);
}

TEST(Dispute, WhereOnlyTheEndBindsOthersWaitForTheClaimant) {
  Case world{Trace(1)};
  // Its salts stay closed, and an auditor got something else: any list that ends in R_n will do.
  Work other = world.work;
  other.roots[0] = some_hash(1);
  world.must(world.auditor.node, world.commit(world.id, world.auditor.node, {other}));
  world.wait_until(world.audit(world.id).deadline_ms);
  world.must(world.auditor.node, world.reveal_of(world.id, {other}));
  world.must(world.auditor.node, model::Challenge{world.id, 0, {}, {}});
  world.ask(world.auditor.node, task_list());
  auto forged = world.answer(task_list());
  forged.answer.hashes[2] = some_hash(2);
  EXPECT_EQ(failure(world.send(world.providers[1].node, forged)), Code::wrong_state);
  world.wait(answer_ms / 2);
  EXPECT_TRUE(find<Answered>(world.send(world.providers[1].node, world.answer(task_list()))));

  world.open(world.auditor.node, product);
  const auto events =
      world.must(world.auditor.node, model::PostProof{world.id, 0, product_proof(world.claimed)});
  EXPECT_EQ(find<DisputeEnded>(events)->ending, Ending::proof_holds);
}

TEST(Dispute, ALongerTaskIsOpenedWithTimeForItsStepsAndWithoutEnd) {
  Case world{Trace(7)};
  world.must(world.requester.owner, model::AddStake{lks(1)});
  const auto& key = world.requester.node;
  ASSERT_FALSE(failure(world.challenge(key, world.id, 0)));
  world.open(key, task_list());
  ASSERT_TRUE(find<Asked>(world.ask(key, step_list(0))));
  EXPECT_EQ(world.dispute(world.id, 0).deadline_ms,
            world.now() + answer_ms + 2 * world.step_cost());
  world.must(world.providers[0].node, world.answer(step_list(0)));
  for (uint32_t step = 1; step < 6; ++step) {
    world.open(key, step_list(step));
  }
  for (uint32_t step = 0; step < 7; ++step) {
    world.open(key, state_list(step));
  }
  world.open(key, tensor(0, 0));
  world.open(key, tensor(0, 1));
  EXPECT_EQ(world.dispute(world.id, 0).answers, 16U);
  EXPECT_EQ(failure(world.ask(key, tensor(1, 0))), Code::wrong_state);
  // A leaf that is what the leaf table names.
  model::LeafProof proof;
  proof.step = 3;
  const auto events = world.must(key, model::PostProof{world.id, 0, proof});
  EXPECT_EQ(find<DisputeEnded>(events)->ending, Ending::proof_holds);
}

// Convictions.

/// Two jobs. The liar has a lease in both; the second provider reads from the liar's task, and a
/// third task reads from that.
struct Family : AuditWorld {
  JobId other_job;
  LeaseId honest_lease, other_lease;
  Work lie, more, child, grandchild, alone, elsewhere;
  Trace trace = Trace::lying();
  ClaimId liar, honest, other;

  Family() {
    start();
    auto second = terms(0);
    second.name = "second";
    second.operations = 30 * step_cost();
    second.tasks = 30;
    other_job = open_job(second);
    other_lease = open_lease(other_job, providers[0]);
    honest_lease = open_lease(job_id(), providers[1]);
    const auto reading = [](uint32_t number, std::vector<TaskId> reads) {
      WorkPlan plan = part(number);
      plan.reads = std::move(reads);
      return plan;
    };
    lie = trace.work(*this, lease_id(), providers[0], part(0));
    more = work(lease_id(), providers[0], part(1));
    child = work(honest_lease, providers[1], reading(2, {lie.id}));
    alone = work(honest_lease, providers[1], part(3));
    grandchild = work(honest_lease, providers[1], reading(4, {child.id, alone.id}));
    elsewhere = work(other_lease, providers[0], part(5));
    liar = post_claim(lease_id(), providers[0], {lie, more});
    honest = post_claim(honest_lease, providers[1], {grandchild, child, alone});
    other = post_claim(other_lease, providers[0], {elsewhere});
    reveal(job_id());
  }
  /// The world's auditor, the only one, shows the lie.
  Events convict_liar() {
    const Work truth = Trace(1).work(*this, lease_id(), providers[0], part(0));
    const auto& key = auditor.node;
    audit_all(liar, key, {lie, more}, {truth, more});
    must(key, model::Challenge{liar, 0, truth.output_root, {}});
    for (const model::Place& place : {task_list(), product}) {
      must(key, model::AskOpen{liar, 0, place});
      must(providers[0].node, model::PostAnswer{liar, 0, answer_to(trace, lie, place)});
    }
    return must(key, model::PostProof{liar, 0, product_proof(trace)});
  }
  [[nodiscard]] Amount price() const {
    return model::price_of(step_cost(), lks(1'000'000)).value();
  }
};

TEST(Conviction, TakesTheLocksOfAllLeasesOfTheOwner) {
  Family world;
  const Amount first = world.lease(world.lease_id()).locked;
  const Amount second = world.lease(world.other_lease).locked;
  const Amount honest = world.lease(world.honest_lease).locked;
  const Amount bond = bond_for(world);
  const Amount balance = world.account(world.auditor.owner).balance;
  const Amount budget = world.job(world.job_id()).audit_budget;
  const auto events = world.convict_liar();
  const auto slashed = find<Slashed>(events);
  ASSERT_TRUE(slashed);
  const auto up = [](Amount amount) { return Amount::from_nano((amount.nano() + 1) / 2); };
  const Amount burned = plus(up(first), up(second));
  EXPECT_EQ(slashed->owner, world.providers[0].owner.public_key());
  EXPECT_EQ(slashed->amount, plus(first, second));
  EXPECT_EQ(slashed->burned, burned);
  EXPECT_EQ(slashed->challenger, bond);
  EXPECT_EQ(plus(plus(slashed->burned, slashed->challenger), slashed->reserve), slashed->amount);
  EXPECT_EQ(world.state().totals.burned, burned);
  EXPECT_EQ(world.account(world.providers[0].owner).stake, minus(minus(lks(500), first), second));
  EXPECT_EQ(world.account(world.providers[0].owner).locked, Amount());
  // The audit of the liar's other task is paid from the slash: the budget is as it was.
  EXPECT_EQ(world.job(world.job_id()).audit_budget, budget);
  EXPECT_EQ(world.job(world.job_id()).reserve,
            minus(minus(minus(first, up(first)), bond), world.price()));
  EXPECT_EQ(world.job(world.other_job).reserve, minus(second, up(second)));
  // The price of the task it agreed to, and the reward.
  EXPECT_EQ(world.account(world.auditor.owner).balance, plus(plus(balance, world.price()), bond));
  for (const LeaseId& lease : {world.lease_id(), world.other_lease}) {
    EXPECT_EQ(world.lease(lease).status, LeaseStatus::slashed);
    EXPECT_EQ(world.lease(lease).locked, Amount());
    EXPECT_EQ(world.lease(lease).pending, Amount());
  }
  EXPECT_EQ(world.lease(world.honest_lease).status, LeaseStatus::open);
  EXPECT_EQ(world.lease(world.honest_lease).locked, honest);
}

TEST(Conviction, VoidsWhatReadsFromTheLiarAndNothingElse) {
  Family world;
  const Amount escrow = world.job(world.job_id()).escrow;
  const auto events = world.convict_liar();
  EXPECT_EQ(world.task(world.liar, 0).status, TaskStatus::convicted);
  EXPECT_EQ(world.task(world.liar, 1).status, TaskStatus::convicted);
  EXPECT_EQ(world.task(world.other, 0).status, TaskStatus::convicted);
  EXPECT_EQ(world.task(world.honest, 0).status, TaskStatus::voided) << "through the child";
  EXPECT_EQ(world.task(world.honest, 1).status, TaskStatus::voided);
  EXPECT_EQ(world.task(world.honest, 2).status, TaskStatus::pending);
  EXPECT_EQ(world.job(world.job_id()).escrow, plus(escrow, times(world.price(), 4)));
  EXPECT_EQ(world.lease(world.honest_lease).pending, world.price());
  std::map<TaskId, uint64_t> expected;
  for (const Work* work :
       {&world.lie, &world.more, &world.child, &world.grandchild, &world.elsewhere}) {
    expected[work->id] = world.now();
  }
  EXPECT_EQ(world.state().voided, expected);
  ASSERT_EQ(count<TasksVoided>(events), 2U);  // one a job
  size_t voided = 0;
  for (const Event& event : events) {
    if (const auto* found = std::get_if<TasksVoided>(&event)) {
      voided += found->tasks.size();
      EXPECT_EQ(found->tasks.size(), found->job == world.job_id() ? 4U : 1U);
    }
  }
  EXPECT_EQ(voided, expected.size());
  // First the verdict, then the slash, then what is void.
  const auto at = [&](size_t index) {
    return std::find_if(events.begin(),
                        events.end(),
                        [&](const Event& event) { return event.index() == index; }) -
           events.begin();
  };
  EXPECT_LT(at(Event(DisputeEnded{}).index()), at(Event(Slashed{}).index()));
  EXPECT_LT(at(Event(Slashed{}).index()), at(Event(TasksVoided{}).index()));
  // The audit of void work goes on.
  EXPECT_EQ(world.audit(world.honest).phase, AuditPhase::drawn);
}

TEST(Conviction, VoidWorkAndItsAuditArePaidFromTheReserve) {
  Family world;
  world.convict_liar();
  const Party& owner = world.providers[1];
  const std::vector<Work> works = {world.grandchild, world.child, world.alone};
  const Amount reserve = world.job(world.job_id()).reserve;
  const Amount budget = world.job(world.job_id()).audit_budget;
  const auto& key = world.auditor.node;
  world.must(key, world.commit(world.honest, key, works));
  world.must(owner.node, world.salts(world.honest, works));
  const auto agreed = world.must(key, world.reveal_of(world.honest, works));
  EXPECT_EQ(find<AuditAgreed>(agreed)->paid, times(world.price(), 3));
  EXPECT_EQ(world.job(world.job_id()).reserve, minus(reserve, times(world.price(), 2)));
  EXPECT_EQ(world.job(world.job_id()).audit_budget, minus(budget, world.price()));

  const Amount balance = world.account(owner.owner).balance;
  const Amount treasury = world.state().totals.treasury;
  world.must(world.requester.node, model::CloseJob{world.job_id()});
  world.wait(20'000);
  EXPECT_EQ(world.job(world.job_id()).status, JobStatus::settled);
  EXPECT_EQ(world.account(owner.owner).balance, plus(balance, times(world.price(), 3)));
  EXPECT_EQ(world.account(owner.owner).locked, Amount());
  EXPECT_EQ(world.task(world.honest, 0).status, TaskStatus::paid_void);
  EXPECT_EQ(world.task(world.honest, 1).status, TaskStatus::paid_void);
  EXPECT_EQ(world.task(world.honest, 2).status, TaskStatus::final);
  EXPECT_EQ(world.state().totals.treasury, plus(treasury, minus(reserve, times(world.price(), 4))));
}

TEST(Conviction, VoidWorkIsStillChallenged) {
  Family world;
  world.convict_liar();
  EXPECT_FALSE(failure(world.challenge(world.auditor.node, world.honest, 1)));
  world.must(world.auditor.node, model::AskOpen{world.honest, 1, task_list()});
  const auto events = world.at(world.dispute(world.honest, 1).deadline_ms);
  EXPECT_EQ(find<DisputeEnded>(events)->ending, Ending::claimant_silent);
  EXPECT_EQ(world.task(world.honest, 1).status, TaskStatus::convicted);
  EXPECT_EQ(world.task(world.honest, 2).status, TaskStatus::convicted);
  EXPECT_EQ(world.lease(world.honest_lease).status, LeaseStatus::slashed);
}

TEST(Conviction, EndsTheLiarsOtherAuditsAndDisputes) {
  AuditWorld world;
  const Party second = world.add_auditor(20, 100);
  world.start();
  const Trace trace = Trace::lying();
  const Work lie = trace.work(world, world.lease_id(), world.providers[0], part(0));
  const auto others = world.some_works(3, 1);
  const ClaimId liar = world.drawn_claim({lie});
  const ClaimId committed = world.drawn_claim({others[0], others[1]});
  const ClaimId waiting = world.post_claim(world.lease_id(), world.providers[0], {others[2]});
  const auto key_of = [&](const ClaimId& id) {
    return world.audit(id).auditor == second.node.public_key() ? second : world.auditor;
  };
  const Party worker = key_of(committed);
  world.must(worker.node, world.commit(committed, worker.node, {others[0], others[1]}));
  ASSERT_FALSE(failure(world.challenge(second.node, committed, 1)));
  ASSERT_FALSE(failure(world.challenge(world.auditor.node, liar, 0)));
  world.must(world.auditor.node, model::AskOpen{liar, 0, task_list()});
  auto wrong = answer_to(trace, lie, task_list());
  wrong.salt = some_hash(9);
  const Amount balance = world.account(worker.owner).balance;
  const auto events = world.must(world.providers[0].node, model::PostAnswer{liar, 0, wrong});
  EXPECT_EQ(find<DisputeEnded>(events)->ending, Ending::bad_answer);
  EXPECT_EQ(count<DisputeEnded>(events), 1U);
  EXPECT_TRUE(world.state().disputes.empty());
  for (const ClaimId& id : {liar, committed, waiting}) {
    EXPECT_EQ(world.audit(id).phase, AuditPhase::done);
  }
  EXPECT_FALSE(has_open_audit(world.state(), world.job_id()));
  EXPECT_EQ(world.account(world.auditor.owner).locked, Amount());
  EXPECT_EQ(world.account(second.owner).locked, Amount());
  EXPECT_EQ(world.account(second.owner).stake, lks(100));
  const Amount price = model::price_of(world.step_cost(), lks(1'000'000)).value();
  const bool is_challenger = worker.owner.public_key() == world.auditor.owner.public_key();
  EXPECT_EQ(world.account(worker.owner).balance,
            plus(balance, plus(times(price, 2), is_challenger ? bond_for(world) : Amount())));
}

TEST(Conviction, WhatWasFinalKeepsItsPayAndIsDoneAgain) {
  AuditWorld world;
  auto terms = world.terms(0);
  terms.finality = model::FinalityRule::span;
  terms.span_ms = 3000;
  const JobId job = world.open_job(terms);
  const LeaseId liar = world.open_lease(job, world.providers[0]);
  const LeaseId honest = world.open_lease(job, world.providers[1]);
  const Trace trace = Trace::lying();
  const Work lie = trace.work(world, liar, world.providers[0], part(0));
  WorkPlan plan = part(1);
  plan.reads = {lie.id};
  const Work child = world.work(honest, world.providers[1], plan);
  plan = part(2);
  plan.reads = {child.id};
  const Work grandchild = world.work(honest, world.providers[1], plan);
  const ClaimId early = world.post_claim(honest, world.providers[1], {child});
  world.wait(2500);
  const ClaimId late = world.post_claim(liar, world.providers[0], {lie});
  const ClaimId last = world.post_claim(honest, world.providers[1], {grandchild});
  world.wait(500);
  ASSERT_EQ(world.task(early, 0).status, TaskStatus::final);
  ASSERT_FALSE(failure(world.challenge(world.auditor.node, late, 0)));
  world.must(world.auditor.node, model::AskOpen{late, 0, task_list()});
  auto wrong = answer_to(trace, lie, task_list());
  wrong.salt = some_hash(9);
  const auto events = world.must(world.providers[0].node, model::PostAnswer{late, 0, wrong});
  EXPECT_EQ(world.task(late, 0).status, TaskStatus::convicted);
  EXPECT_EQ(world.task(early, 0).status, TaskStatus::final);
  EXPECT_EQ(world.task(last, 0).status, TaskStatus::voided) << "through a final one";
  EXPECT_TRUE(world.state().voided.contains(child.id));
  EXPECT_EQ(find<TasksVoided>(events)->tasks.size(), 3U);
  EXPECT_GT(world.lease(honest).paid, Amount());
}

TEST(Conviction, TheRequesterInAnAuditorsPlaceNeedsNoBond) {
  Case world{Trace::lying()};
  world.wait_until(world.audit(world.id).deadline_ms);
  const auto& key = world.requester.node;
  ASSERT_EQ(world.audit(world.id).auditor, key.public_key());
  const Work honest = Trace(1).work(world, world.lease_id(), world.providers[0], part(0));
  world.audit_all(world.id, key, {world.work}, {honest});
  world.must(key, model::Challenge{world.id, 0, {}, {}});
  EXPECT_EQ(world.dispute(world.id, 0).bond, Amount());
  const Amount balance = world.account(world.requester.owner).balance;
  world.ask(key, task_list());
  const auto events = world.at(world.dispute(world.id, 0).deadline_ms);
  EXPECT_EQ(find<Slashed>(events)->challenger, bond_for(world));
  EXPECT_EQ(world.account(world.requester.owner).balance, plus(balance, bond_for(world)));
}

}  // namespace
}  // namespace lockstep::ledger::test
