// Claims and what becomes of them: the whole path of a job's money to the last nano, finality,
// availability, and every refusal.
#include "ledger/rules.h"
#include "ledger/test_claims.h"

namespace lockstep::ledger {
namespace {

using model::SignedKind;
using test::Claims;
using test::lks;
using test::nano;
using test::some_hash;
using test::Work;

Amount sum_of(std::initializer_list<Amount> amounts) {
  Amount sum;
  for (const Amount amount : amounts) {
    sum = plus(sum, amount);
  }
  return sum;
}

TEST_F(Claims, TheWholePath) {
  const Amount work_price = world.job(job).work_price;
  const Amount locked = world.lease(lease_a).locked;
  const ClaimId first = world.post_claim(lease_a, a, works(lease_a, a, 0, 10));
  EXPECT_EQ(world.lease(lease_a).pending, price(10));
  EXPECT_EQ(world.job(job).escrow, minus(work_price, price(10)));
  EXPECT_EQ(world.claim(first).posted_ms, world.now());
  EXPECT_EQ(world.claim(first).block, world.state().totals.height);
  EXPECT_EQ(world.claim(first).audit.phase, AuditPhase::none);
  world.post_claim(lease_b, b, works(lease_b, b, 10, 20));
  EXPECT_EQ(world.job(job).counted_operations, 30 * world.step_cost());
  EXPECT_EQ(balance(a), lks(500));
  // Open as long as its owner likes, while anything happens to it; 70 tasks are left to do.
  EXPECT_EQ(world.ledger().next_due_ms(), world.now() + 600'000 + 70 * 2 * world.step_cost());

  close_job();
  const uint64_t closed = world.now();
  EXPECT_EQ(world.ledger().next_due_ms(), closed + 5000);
  world.wait_until(closed + 4999);
  EXPECT_EQ(world.job(job).status, JobStatus::closed);
  EXPECT_EQ(world.lease(lease_a).pending, price(10));
  const auto settled = test::find<JobSettled>(world.block());
  ASSERT_TRUE(settled.has_value());
  EXPECT_EQ(settled->refund, minus(work_price, price(30)));
  EXPECT_EQ(settled->treasury, Amount());
  EXPECT_EQ(balance(a), plus(lks(500), price(10)));
  EXPECT_EQ(balance(b), plus(lks(500), price(20)));
  EXPECT_EQ(balance(world.requester), minus(lks(1000), price(30)));
  EXPECT_EQ(world.job(job).paid, price(30));
  EXPECT_EQ(world.job(job).escrow, Amount());
  EXPECT_EQ(world.lease(lease_a).paid, price(10));
  EXPECT_EQ(world.lease(lease_a).pending, Amount());
  EXPECT_EQ(world.lease(lease_a).status, LeaseStatus::settled);
  EXPECT_GT(locked, Amount());
  EXPECT_EQ(world.account(a.owner).locked, Amount());
  EXPECT_TRUE(world.claim(first).final);
  EXPECT_EQ(world.claim(first).tasks[3].status, TaskStatus::final);
  EXPECT_FALSE(world.ledger().next_due_ms().has_value());
}

TEST_F(Claims, AJobWithoutClaimsGivesEverythingBack) {
  close_job();
  EXPECT_EQ(world.ledger().next_due_ms(), world.now() + 1000);
  rest();
  EXPECT_EQ(world.job(job).status, JobStatus::settled);
  EXPECT_EQ(balance(world.requester), lks(1000));
}

TEST_F(Claims, OddPricesAreRoundedOnceALease) {
  model::OpenJob terms = world.terms();
  terms.price_per_unit = nano(123'456'789);  // a task's price is no whole number
  const JobId odd = world.open_job(terms);
  const std::array<test::Party, 2> by = {a, b};
  std::array<LeaseId, 2> leases;
  for (size_t i = 0; i < 2; ++i) {
    auto quote = world.quote(by[i]);
    quote.price_per_unit = terms.price_per_unit;
    const auto paper = world.sign_as(by[i].node, SignedKind::quote, codec::encode(quote));
    const auto events = world.must(world.requester.node, model::OpenLease{odd, paper});
    leases[i] = test::find<LeaseOpened>(events)->lease;
  }
  const auto exact = [&](uint64_t tasks) {
    return nano(static_cast<int64_t>(tasks * world.step_cost() * 123'456'789 / 1'000'000'000));
  };
  std::array<uint64_t, 2> claimed = {0, 0};
  for (uint32_t part = 0; part < 100; ++part) {
    const size_t i = part % 3 == 0 ? 1 : 0;
    world.post_claim(leases[i], by[i], works(leases[i], by[i], part, 1));
    ++claimed[i];
    ASSERT_EQ(world.lease(leases[i]).pending, exact(claimed[i]));
    ASSERT_EQ(world.job(odd).escrow, minus(exact(100), plus(exact(claimed[0]), exact(claimed[1]))));
  }
  world.must(world.requester.owner, model::CloseJob{odd});
  rest();
  EXPECT_EQ(world.job(odd).status, JobStatus::settled);
  EXPECT_EQ(world.lease(leases[0]).paid, exact(66));
  EXPECT_EQ(world.lease(leases[1]).paid, exact(34));
  EXPECT_EQ(world.job(odd).paid, plus(exact(66), exact(34)));
  EXPECT_EQ(sum_of({balance(world.requester), world.job(job).escrow, exact(66), exact(34)}),
            lks(1000));
}

TEST_F(Claims, WhatNobodyReadIsNotPaid) {
  const std::vector<Work> made = works(lease_a, a, 0, 4);
  model::PostClaim body{lease_a, {}};
  for (const Work& work : made) {
    body.entries.push_back(work.entry(false));
  }
  const ClaimId claim = test::find<ClaimPosted>(world.must(a.node, body))->claim;
  EXPECT_EQ(world.lease(lease_a).pending, price(4));
  // Its own reading shows nothing, another owner's does.
  const Work own = world.work(lease_a, a, {.part = 10, .reads = {made[0].id}});
  world.post_claim(lease_a, a, {own});
  EXPECT_FALSE(world.claim(claim).tasks[0].available);
  const Work other = world.work(lease_b, b, {.part = 11, .reads = {made[1].id}});
  world.post_claim(lease_b, b, {other});
  EXPECT_FALSE(world.claim(claim).tasks[0].available);
  EXPECT_TRUE(world.claim(claim).tasks[1].available);
  close_job();
  rest();
  EXPECT_EQ(world.claim(claim).tasks[0].status, TaskStatus::unavailable);
  EXPECT_EQ(world.claim(claim).tasks[1].status, TaskStatus::final);
  EXPECT_EQ(world.claim(claim).tasks[2].status, TaskStatus::unavailable);
  EXPECT_EQ(balance(a), plus(lks(500), price(2)));
  EXPECT_EQ(balance(b), plus(lks(500), price(1)));
  EXPECT_EQ(balance(world.requester), minus(lks(1000), price(3)));
  EXPECT_EQ(world.job(job).counted_operations, 3 * world.step_cost());
}

TEST_F(Claims, ReadersMayClaimFirst) {
  const Work source = world.work(lease_a, a, {.part = 0, .reads = {}});
  world.post_claim(lease_b, b, {world.work(lease_b, b, {.part = 1, .reads = {source.id}})});
  const model::PostClaim body{lease_a, {source.entry(false)}};
  const ClaimId claim = test::find<ClaimPosted>(world.must(a.node, body))->claim;
  close_job();
  rest();
  EXPECT_EQ(world.claim(claim).tasks[0].status, TaskStatus::final);
  EXPECT_EQ(balance(a), plus(lks(500), price(1)));
}

TEST_F(Claims, KeepWhatAuditsAndDisputesNeed) {
  const Work x = world.work(lease_a, a, {.part = 0, .reads = {}});
  const Work y = world.work(lease_a, a, {.part = 1, .reads = {}});
  const Work work =
      world.work(lease_b, b, {.part = 2, .steps = 9, .claim_every = 4, .reads = {x.id, y.id}});
  const Work twice = world.work(lease_b, b, {.part = 3, .reads = {x.id, x.id}});
  const ClaimId id = world.post_claim(lease_b, b, {work, twice});
  const Task& task = world.claim(id).tasks[0];
  EXPECT_EQ(task.id, work.id);
  EXPECT_EQ(task.receipt.hash, model::signed_hash(work.receipt));
  EXPECT_EQ(task.steps, 9U);
  EXPECT_EQ(task.claim_every, 4U);
  EXPECT_EQ(task.operations, 9 * world.step_cost());
  EXPECT_EQ(task.input_root, work.input_root);
  EXPECT_EQ(task.output_root, work.output_root);
  EXPECT_EQ(task.list, model::task_list(work.salt, work.roots));
  EXPECT_EQ(task.reads, (std::vector<TaskId>{std::min(x.id, y.id), std::max(x.id, y.id)}));
  EXPECT_EQ(world.claim(id).tasks[1].reads, std::vector<TaskId>{x.id});
  EXPECT_TRUE(task.available);
  codec::Writer receipts;
  receipts.hash(model::signed_hash(work.receipt));
  receipts.hash(model::signed_hash(twice.receipt));
  EXPECT_EQ(world.claim(id).list,
            crypto::hash(crypto::Mode::derive("lockstep v1 claim"), receipts.bytes()));
}

TEST_F(Claims, AreTakenForAnEpochAfterTheJob) {
  close_job();
  const uint64_t closed = world.now();
  world.wait_until(closed + 800);
  const ClaimId late = world.post_claim(lease_a, a, works(lease_a, a, 0, 1));
  ASSERT_EQ(world.now(), closed + 900);
  const model::PostClaim body{lease_a, {world.work(lease_a, a, {.part = 1, .reads = {}}).entry()}};
  EXPECT_EQ(test::failure(world.send(a.node, body)), Code::wrong_state);
  // Against a claim of the last moment there is a window, too.
  EXPECT_EQ(world.ledger().next_due_ms(), closed + 5900);
  rest();
  EXPECT_EQ(world.now(), closed + 5900);
  EXPECT_TRUE(world.claim(late).final);
  EXPECT_EQ(test::failure(world.send(a.node, body)), Code::wrong_state);
}

TEST_F(Claims, OfASpanAreFinalOneByOne) {
  model::OpenJob terms = world.terms();
  terms.finality = model::FinalityRule::span;
  terms.span_ms = 3000;
  const JobId spanned = world.open_job(terms);
  const LeaseId lease = world.open_lease(spanned, a);
  const ClaimId first = world.post_claim(lease, a, works(lease, a, 0, 2));
  const uint64_t posted = world.now();
  world.wait(1000);
  const ClaimId second = world.post_claim(lease, a, works(lease, a, 2, 1));
  EXPECT_EQ(world.ledger().next_due_ms(), posted + 3000);
  world.wait_until(posted + 3000);
  EXPECT_TRUE(world.claim(first).final);
  EXPECT_FALSE(world.claim(second).final);
  EXPECT_EQ(balance(a), plus(lks(500), price(2)));
  EXPECT_EQ(world.lease(lease).pending, price(1));
  world.must(world.requester.node, model::CloseJob{spanned});
  rest();
  EXPECT_EQ(balance(a), plus(lks(500), price(3)));
  EXPECT_EQ(world.job(spanned).status, JobStatus::settled);
}

TEST_F(Claims, ByTheRequesterWhenTheProviderDoesNot) {
  const model::PostClaim body{lease_a, {world.work(lease_a, a, {.part = 0, .reads = {}}).entry()}};
  EXPECT_EQ(test::failure(world.send(world.auditor.node, body)), Code::not_allowed);
  world.must(world.requester.node, body);
  EXPECT_EQ(world.lease(lease_a).pending, price(1));
  const model::PostClaim next{lease_a, {world.work(lease_a, a, {.part = 1, .reads = {}}).entry()}};
  world.must(a.node, model::CloseLease{lease_a});
  world.must(world.requester.node, next);
  EXPECT_EQ(world.lease(lease_a).pending, price(2)) << "the pay is the provider's";
}

class Refused : public Claims {
 protected:
  /// The code a claim of this entry by `a` fails with; it must change nothing.
  std::optional<Code> claim(const model::ClaimEntry& entry) {
    return code(a.node, {lease_a, {entry}});
  }
  std::optional<Code> code(const crypto::SecretKey& key, const model::PostClaim& body) {
    Ledger empty = world.ledger();
    EXPECT_TRUE(empty.apply(world.input({})).ok());
    const auto failed = test::failure(world.send(key, body));
    EXPECT_TRUE(world.state().accounts == empty.state().accounts);
    EXPECT_TRUE(world.state().jobs == empty.state().jobs);
    EXPECT_TRUE(world.state().leases == empty.state().leases);
    EXPECT_TRUE(world.state().claims == empty.state().claims);
    EXPECT_TRUE(world.state().claimed == empty.state().claimed);
    EXPECT_TRUE(world.state().voided == empty.state().voided);
    return failed;
  }
  template <class Change>
  std::optional<Code> assigned(Change change) {
    model::Assignment assignment = world.assignment(lease_a, {.reads = {}});
    change(assignment);
    model::ClaimEntry entry = good.entry();
    entry.assignment = sign(world.requester.node, SignedKind::assignment, assignment);
    return claim(entry);
  }
  template <class Change>
  std::optional<Code> received(Change change) {
    auto receipt = codec::decode<model::Receipt>(good.receipt.body).value();
    change(receipt);
    model::ClaimEntry entry = good.entry();
    entry.receipt = sign(a.node, SignedKind::receipt, receipt);
    return claim(entry);
  }
  template <class T>
  model::Signed sign(const crypto::SecretKey& key, SignedKind kind, const T& body) {
    return world.sign_as(key, kind, codec::encode(body));
  }
  Work good = world.work(lease_a, a, {.reads = {}});
};

TEST_F(Refused, Signers) {
  const model::PostClaim body{lease_a, {good.entry()}};
  EXPECT_EQ(code(b.node, body), Code::not_allowed);
  EXPECT_EQ(code(a.owner, body), Code::not_allowed);
  EXPECT_EQ(code(world.requester.owner, body), Code::not_allowed);
  EXPECT_EQ(code(a.node, {{some_hash(1)}, body.entries}), Code::not_registered);
  EXPECT_EQ(code(b.node, {lease_b, body.entries}), Code::wrong_claim);
}

TEST_F(Refused, Counts) {
  EXPECT_EQ(code(a.node, {lease_a, {}}), Code::out_of_range);
  EXPECT_EQ(code(a.node, {lease_a, std::vector(1025, good.entry())}), Code::out_of_range);
  EXPECT_EQ(code(a.node, {lease_a, {good.entry(), good.entry()}}), Code::already_there);
  world.post_claim(lease_a, a, {good});
  EXPECT_EQ(claim(good.entry()), Code::already_there);
}

TEST_F(Refused, Assignments) {
  const auto terms = world.terms();
  EXPECT_EQ(assigned([&](auto& x) { x.job = {some_hash(1)}; }), Code::wrong_claim);
  EXPECT_EQ(assigned([&](auto& x) { x.lease = lease_b; }), Code::wrong_claim);
  EXPECT_EQ(assigned([](auto& x) { x.program = some_hash(1); }), Code::wrong_claim);
  EXPECT_EQ(assigned([](auto& x) { x.steps = 0; }), Code::wrong_claim);
  EXPECT_EQ(assigned([](auto& x) { x.steps = 2; }), Code::wrong_claim);
  EXPECT_EQ(assigned([](auto& x) { x.claim_every = 2; }), Code::wrong_claim);
  EXPECT_EQ(assigned([](auto& x) { x.operations -= 1; }), Code::wrong_claim);
  EXPECT_EQ(assigned([](auto& x) { x.leaves.pop_back(); }), Code::wrong_claim);
  EXPECT_EQ(assigned([](auto& x) { x.leaves[0].tensor.root = some_hash(1); }), Code::wrong_claim);
  // The receipt is for another task then.
  EXPECT_EQ(assigned([](auto& x) { x.part = 1; }), Code::wrong_claim);
  EXPECT_EQ(assigned([](auto& x) { x.leaves[0].source = model::TaskLeaf{}; }), Code::wrong_claim);
  model::ClaimEntry entry = good.entry();
  const auto assignment = world.assignment(lease_a, {.reads = {}});
  entry.assignment = sign(a.node, SignedKind::assignment, assignment);
  EXPECT_EQ(claim(entry), Code::wrong_claim);
  entry.assignment = sign(world.requester.node, SignedKind::receipt, assignment);
  EXPECT_EQ(claim(entry), Code::wrong_kind);
  entry.assignment = good.assignment;
  entry.assignment.signature.bytes[0] ^= 1;
  EXPECT_EQ(claim(entry), Code::bad_signature);
}

TEST_F(Refused, ProgramsOfOtherJobs) {
  law::Program other = test::small_program();
  other.leaves[0].name = "aa";
  world.must(a.owner, model::RegisterProgram{law::encode(other), {}});
  for (const auto& entry : world.state().program_costs) {
    const Hash& root = entry.first;
    if (root != world.job(job).terms.programs[0]) {
      EXPECT_EQ(assigned([&](auto& x) { x.program = root; }), Code::wrong_claim);
    }
  }
}

TEST_F(Refused, Receipts) {
  EXPECT_EQ(received([&](auto& x) { x.lease = lease_b; }), Code::wrong_claim);
  EXPECT_EQ(received([](auto& x) { x.task = {some_hash(1)}; }), Code::wrong_claim);
  EXPECT_EQ(received([](auto& x) { x.law_version += 1; }), Code::wrong_claim);
  EXPECT_EQ(received([](auto& x) { x.program = some_hash(1); }), Code::wrong_claim);
  EXPECT_EQ(received([](auto& x) { x.input_root = some_hash(1); }), Code::wrong_claim);
  EXPECT_EQ(received([](auto& x) { x.output_root = some_hash(1); }), Code::wrong_claim);  // voucher
  model::ClaimEntry entry = good.entry();
  const auto receipt = codec::decode<model::Receipt>(good.receipt.body).value();
  entry.receipt = sign(b.node, SignedKind::receipt, receipt);
  EXPECT_EQ(claim(entry), Code::wrong_claim);
  entry.receipt = sign(a.node, SignedKind::voucher, receipt);
  EXPECT_EQ(claim(entry), Code::wrong_kind);
  entry.receipt = good.receipt;
  entry.receipt.body.pop_back();
  EXPECT_EQ(claim(entry), Code::bad_signature);
}

TEST_F(Refused, Vouchers) {
  model::ClaimEntry entry = good.entry();
  entry.voucher = sign(a.node, SignedKind::voucher, model::Voucher{good.id, good.output_root});
  EXPECT_EQ(claim(entry), Code::wrong_claim);
  const auto& requester = world.requester.node;
  entry.voucher = sign(requester, SignedKind::voucher, model::Voucher{good.id, some_hash(1)});
  EXPECT_EQ(claim(entry), Code::wrong_claim);
  entry.voucher =
      sign(requester, SignedKind::voucher, model::Voucher{{some_hash(1)}, good.output_root});
  EXPECT_EQ(claim(entry), Code::wrong_claim);
}

TEST_F(Refused, MoreThanTheJobPays) {
  world.post_claim(lease_a, a, works(lease_a, a, 1, 99));
  const Work two = world.work(lease_b, b, {.part = 200, .steps = 2, .reads = {}});
  EXPECT_EQ(code(b.node, {lease_b, {two.entry()}}), Code::low_funds);
  const std::vector<Work> both = works(lease_b, b, 300, 2);
  EXPECT_EQ(code(b.node, {lease_b, {both[0].entry(), both[1].entry()}}), Code::low_funds);
  world.post_claim(lease_b, b, {both[0]});
  EXPECT_EQ(world.job(job).escrow, Amount());
  EXPECT_EQ(code(b.node, {lease_b, {both[1].entry()}}), Code::low_funds);
}

}  // namespace
}  // namespace lockstep::ledger
