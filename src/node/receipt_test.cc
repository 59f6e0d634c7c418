// Receipts: everything that can happen to a job checks from the receipt alone, and nothing in a
// receipt can be changed.
#include <gtest/gtest.h>

#include <functional>

#include "node/receipt_test_world.h"

namespace lockstep::node {
namespace {

using ledger::AuditPhase;
using ledger::LeaseStatus;
using model::ClaimId;
using model::Outcome;
using model::TaskKind;
using receipt_test::Made;
using receipt_test::World;

constexpr uint32_t all = 1'000'000;

const law::Program& step_program() {
  static const law::Program program = ledger::test::small_program();
  return program;
}

/// What the honest provider does in the end: the model, its evaluation and the sum, claimed at
/// once and audited where there is a share.
struct Ending {
  Made merge, evaluate, sum;
};
Ending end_well(World& world, bool audited) {
  Ending ending;
  ending.merge = world.work(
      world.honest_lease, world.honest, {{TaskKind::merge, 1, 0}, step_program(), nullptr});
  ending.evaluate =
      world.work(world.honest_lease,
                 world.honest,
                 {{TaskKind::evaluate, 0, 1}, receipt_test::evaluate_program(), &ending.merge});
  ending.sum = world.work(world.honest_lease,
                          world.honest,
                          {{TaskKind::sum, 0, 2}, receipt_test::sum_program(), &ending.evaluate});
  const std::vector<Made> works = {ending.merge, ending.evaluate, ending.sum};
  const ClaimId id = world.claim(world.honest_lease, world.honest, works);
  if (audited) {
    world.reveal();
    world.agree(id, works);
  }
  world.finish();
  return ending;
}

/// The liar's claim, and what an honest node gets for the same task.
struct Lie {
  Made claimed, computed;
  ClaimId claim;
};
Lie tell_lie(World& world) {
  Lie lie;
  const model::TaskTag tag{TaskKind::lane, 0, 7};
  lie.claimed = world.work(world.liar_lease, world.liar, {tag, step_program(), nullptr, true});
  lie.computed = world.work(world.liar_lease, world.liar, {tag, step_program(), nullptr, false});
  lie.claim = world.claim(world.liar_lease, world.liar, {lie.claimed});
  return lie;
}
/// The same, drawn and audited as far as the auditor must challenge.
Lie caught_lie(World& world) {
  Lie lie = tell_lie(world);
  world.reveal();
  world.commit(lie.claim, world.auditor.node, {lie.computed});
  world.open_salts(lie.claim, world.liar, {lie.claimed});
  world.reveal_audit(lie.claim, world.auditor.node, {lie.computed});
  return lie;
}
model::Challenge challenge_of(const Lie& lie) {
  return {lie.claim, 0, lie.computed.execution.output_root, Hash()};
}

/// Fails the test where a receipt does not hold.
JobFacts facts_of(const JobReceipt& receipt) {
  const auto facts = check_receipt(receipt);
  EXPECT_TRUE(facts.ok()) << facts.error().message();
  return facts.ok() ? *facts : JobFacts();
}
const LeaseFact& lease_named(const JobFacts& facts, const std::string& name) {
  const auto found = std::ranges::find(facts.leases, name, &LeaseFact::name);
  CHECK(found != facts.leases.end());
  return *found;
}

/// A liar is caught by a proof; somebody's honest work on its output becomes void and is paid by
/// it.
JobReceipt proven() {
  World world(all);
  const Lie lie = caught_lie(world);
  const Made reader = world.work(
      world.honest_lease, world.honest, {{TaskKind::merge, 0, 9}, step_program(), &lie.claimed});
  const ClaimId read = world.claim(world.honest_lease, world.honest, {reader});
  world.must(world.auditor.node, challenge_of(lie));
  world.dispute_to_end(lie.claim, world.auditor.node, lie.claimed, lie.computed);
  world.reveal();
  world.agree(read, {reader});
  const Ending ending = end_well(world, true);
  return world.receipt(&ending.merge, &ending.sum);
}
const JobReceipt& proven_receipt() {
  static const JobReceipt receipt = proven();
  return receipt;
}

TEST(Receipt, ShowsALieProvenAndWhoWasPaid) {
  const JobFacts facts = facts_of(proven_receipt());
  ASSERT_EQ(facts.verdicts.size(), 1U);
  const VerdictFact& verdict = facts.verdicts[0];
  EXPECT_EQ(verdict.outcome, Outcome::refuted);
  EXPECT_EQ(verdict.tag, (model::TaskTag{TaskKind::lane, 0, 7}));
  EXPECT_EQ(verdict.place.record, 1U);
  EXPECT_GT(verdict.answers, 0U);
  EXPECT_GT(verdict.answer_bytes, 0U);
  EXPECT_GT(verdict.proof_bytes, 0U);
  EXPECT_EQ(lease_named(facts, "liar").status, LeaseStatus::slashed);
  EXPECT_EQ(lease_named(facts, "liar").paid, Amount());
  const LeaseFact& honest = lease_named(facts, "honest");
  EXPECT_EQ(honest.status, LeaseStatus::settled);
  EXPECT_EQ(honest.paid, *model::price_of(honest.final_operations, facts.price_per_unit));
  EXPECT_GT(honest.paid_void, Amount());
  EXPECT_EQ(facts.claimed_tasks, 5U);
  EXPECT_EQ(facts.final_tasks, 3U);
  EXPECT_EQ(facts.void_tasks, 1U);
  EXPECT_EQ(facts.draws.size(), 3U);
  EXPECT_EQ(facts.correct, 2U);
  EXPECT_EQ(facts.test_images, receipt_test::images);
  const auto& leaves = proven_receipt().model->leaves;
  EXPECT_EQ(facts.model_root, law::model_root({{"a", leaves[0]}, {"b", leaves[1]}}));
}

TEST(Receipt, TimesVerdictsByTheClockItIsGiven) {
  class Clock final : public env::Clock {
   public:
    uint64_t now_ns() override { return now_ += 7; }

   private:
    uint64_t now_ = 0;
  } clock;
  const auto facts = check_receipt(proven_receipt(), &clock);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->verdicts.at(0).judged_ns, 7U);
}

TEST(Receipt, ShowsAnHonestJobWithoutAudits) {
  World world(0);
  const Ending ending = end_well(world, false);
  const JobFacts facts = facts_of(world.receipt(&ending.merge, &ending.sum));
  EXPECT_TRUE(facts.draws.empty());
  EXPECT_TRUE(facts.model_root);
  EXPECT_EQ(facts.final_tasks, 3U);
}

TEST(Receipt, ShowsACancelledJob) {
  World world(all);
  world.finish();
  const JobFacts facts = facts_of(world.receipt(nullptr, nullptr));
  EXPECT_FALSE(facts.model_root);
  EXPECT_FALSE(facts.correct);
  EXPECT_EQ(facts.paid, Amount());
}

/// Every way in which a dispute may end, besides a proof that refutes.
TEST(Receipt, ShowsSilenceAsAConviction) {
  World world(all);
  const Lie lie = caught_lie(world);
  world.must(world.auditor.node, challenge_of(lie));
  world.ask(lie.claim, 0, world.auditor.node, {});
  world.wait(8000);
  const Ending ending = end_well(world, true);
  const JobFacts facts = facts_of(world.receipt(&ending.merge, &ending.sum));
  EXPECT_TRUE(facts.verdicts.empty());
  EXPECT_EQ(lease_named(facts, "liar").status, LeaseStatus::slashed);
}

TEST(Receipt, ShowsABadAnswerAsAConviction) {
  World world(all);
  const Lie lie = caught_lie(world);
  world.must(world.auditor.node, challenge_of(lie));
  world.ask(lie.claim, 0, world.auditor.node, {});
  model::Answer answer;
  answer.salt = lie.claimed.salt;
  answer.hashes = lie.computed.roots();
  world.must(world.liar.node, model::PostAnswer{lie.claim, 0, answer});
  const Ending ending = end_well(world, true);
  const JobFacts facts = facts_of(world.receipt(&ending.merge, &ending.sum));
  EXPECT_EQ(lease_named(facts, "liar").status, LeaseStatus::slashed);
}

TEST(Receipt, ShowsAChallengerThatWasWrong) {
  World world(0);
  const Made lane = world.work(
      world.honest_lease, world.honest, {{TaskKind::lane, 0, 7}, step_program(), nullptr});
  const ClaimId id = world.claim(world.honest_lease, world.honest, {lane});
  // One walks down and proves what is true; one says nothing after its challenge.
  world.challenge_freely(id, 0, world.auditor.node);
  world.ask(id, 0, world.auditor.node, {});
  world.answer(id, 0, world.honest, lane);
  model::Place place{model::Tree::tensor, 0, 1, 0, 0, 0};
  world.ask(id, 0, world.auditor.node, place);
  world.answer(id, 0, world.honest, lane);
  place.tree = model::Tree::fold;
  world.must(world.auditor.node, model::PostProof{id, 0, lane.witness().prove(place, 0)});
  EXPECT_EQ(world.dispute(id, 0), nullptr);
  world.challenge_freely(id, 0, world.requester.node);
  world.wait(8000);
  const Ending ending = end_well(world, false);
  const JobFacts facts = facts_of(world.receipt(&ending.merge, &ending.sum));
  ASSERT_EQ(facts.verdicts.size(), 1U);
  EXPECT_EQ(facts.verdicts[0].outcome, Outcome::holds);
  EXPECT_EQ(lease_named(facts, "honest").status, LeaseStatus::settled);
  EXPECT_EQ(facts.final_tasks, 4U);
}

/// Every way in which an audit may go wrong without a lie.
TEST(Receipt, SaysWhereTheRequestersPreimageWasLeftOut) {
  World world(all);
  const Made lane = world.work(
      world.honest_lease, world.honest, {{TaskKind::lane, 0, 7}, step_program(), nullptr});
  const ClaimId id = world.claim(world.honest_lease, world.honest, {lane});
  for (int i = 0; i < 10; ++i) {
    world.block();
  }
  world.agree(id, {lane});
  const Ending ending = end_well(world, true);
  const JobFacts facts = facts_of(world.receipt(&ending.merge, &ending.sum));
  ASSERT_EQ(facts.draws.size(), 2U);
  EXPECT_FALSE(facts.draws[0].requester_preimage);
  EXPECT_TRUE(facts.draws[1].requester_preimage);
}

TEST(Receipt, ShowsSaltsThatStayedClosed) {
  World world(all);
  const Made lane = world.work(
      world.honest_lease, world.honest, {{TaskKind::lane, 0, 7}, step_program(), nullptr});
  const ClaimId id = world.claim(world.honest_lease, world.honest, {lane});
  world.reveal();
  world.commit(id, world.auditor.node, {lane});
  world.wait(5500);
  ASSERT_EQ(world.audit(id).phase, AuditPhase::unopened);
  world.reveal_audit(id, world.auditor.node, {lane});
  const Ending ending = end_well(world, true);
  const JobFacts facts = facts_of(world.receipt(&ending.merge, &ending.sum));
  EXPECT_EQ(facts.final_tasks, 3U);
  EXPECT_EQ(facts.claimed_tasks, 4U);
}

TEST(Receipt, ShowsAuditorsThatDidNotCome) {
  World world(all);
  const Made lane = world.work(
      world.honest_lease, world.honest, {{TaskKind::lane, 0, 7}, step_program(), nullptr});
  const ClaimId silent = world.claim(world.honest_lease, world.honest, {lane});
  world.reveal();
  world.wait(15'000);
  ASSERT_EQ(world.audit(silent).phase, AuditPhase::lapsed);
  const Made other = world.work(
      world.honest_lease, world.honest, {{TaskKind::lane, 0, 8}, step_program(), nullptr});
  const ClaimId late = world.claim(world.honest_lease, world.honest, {other});
  world.reveal();
  world.wait(5500);  // the auditor is excused, the requester audits
  world.commit(late, world.requester.node, {other});
  world.wait(5500);
  world.reveal_audit(late, world.requester.node, {other});
  const Ending ending = end_well(world, true);
  const JobFacts facts = facts_of(world.receipt(&ending.merge, &ending.sum));
  EXPECT_EQ(facts.draws.size(), 3U);
}

TEST(Receipt, ShowsALieThatWasNotChallengedInTime) {
  World world(all);
  const Lie lie = caught_lie(world);
  world.wait(6000);
  ASSERT_EQ(world.audit(lie.claim).phase, AuditPhase::done);
  const Ending ending = end_well(world, true);
  const JobFacts facts = facts_of(world.receipt(&ending.merge, &ending.sum));
  EXPECT_EQ(lease_named(facts, "liar").status, LeaseStatus::settled);
}

TEST(Receipt, LeavesOutWhatHadNoEffect) {
  World world(all);
  const Lie lie = caught_lie(world);
  // Others talk about the job, without effect.
  world.send(world.honest.node, model::RevealPreimage{world.job(), receipt_test::some_hash(3)});
  world.send(world.honest.node, model::AskOpen{lie.claim, 0, {}});
  world.send(world.honest.node, model::CloseJob{world.job()});
  world.must(world.auditor.node, challenge_of(lie));
  world.send(world.auditor.node, challenge_of(lie));
  world.dispute_to_end(lie.claim, world.auditor.node, lie.claimed, lie.computed);
  const Ending ending = end_well(world, true);
  EXPECT_EQ(facts_of(world.receipt(&ending.merge, &ending.sum)).verdicts.size(), 1U);
}

TEST(Receipt, IsNotMadeOfAnUnknownJob) {
  World world(0);
  const auto made =
      make_receipt(world.state().genesis, {}, world.state(), model::JobId{Hash()}, {});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, Code::not_registered);
}

// ---- what is refused

std::string refusal_of(const JobReceipt& receipt) {
  const auto facts = check_receipt(receipt);
  if (facts.ok()) {
    return "";
  }
  EXPECT_EQ(facts.error().code, Code::bad_receipt);
  return facts.error().message();
}
std::string refusal_after(const std::function<void(JobReceipt&)>& change) {
  JobReceipt receipt = proven_receipt();
  change(receipt);
  EXPECT_NE(receipt, proven_receipt());
  return refusal_of(receipt);
}
void flip(Bytes& bytes, size_t at = 0) {
  bytes.at(at) ^= 1;
}
ReceiptEntry& entry_of(JobReceipt& receipt, const std::string& kind) {
  for (ReceiptEntry& entry : receipt.entries) {
    if (entry.key.starts_with(kind)) {
      return entry;
    }
  }
  CHECK(false);
  return receipt.entries[0];
}

TEST(ReceiptRefused, AnyChangedByte) {
  using Change = std::function<void(JobReceipt&)>;
  const std::vector<std::pair<const char*, Change>> changes = {
      {"genesis", [](JobReceipt& r) { r.genesis.answer_ms += 1; }},
      {"job", [](JobReceipt& r) { r.job.hash.bytes[0] ^= 1; }},
      {"header", [](JobReceipt& r) { flip(r.headers[5].body, 50); }},
      {"header's signature", [](JobReceipt& r) { r.headers[5].signature.bytes[9] ^= 1; }},
      {"header's nonce", [](JobReceipt& r) { r.headers[5].nonce += 1; }},
      {"transaction", [](JobReceipt& r) { flip(r.transactions[5].transaction.body, 3); }},
      {"signature", [](JobReceipt& r) { r.transactions[5].transaction.signature.bytes[9] ^= 1; }},
      {"height", [](JobReceipt& r) { r.transactions[5].height += 1; }},
      {"index", [](JobReceipt& r) { r.transactions[5].inclusion.index += 1; }},
      {"count", [](JobReceipt& r) { r.transactions[5].inclusion.count += 1; }},
      {"inclusion", [](JobReceipt& r) { flip(r.transactions[5].inclusion.path.chunk); }},
      {"sibling", [](JobReceipt& r) { r.entries[0].presence.path.siblings.emplace_back(); }},
      {"job's entry", [](JobReceipt& r) { flip(entry_of(r, "job").bytes, 60); }},
      {"lease's entry", [](JobReceipt& r) { flip(entry_of(r, "lease").bytes, 60); }},
      {"claim's entry", [](JobReceipt& r) { flip(entry_of(r, "claim").bytes, 60); }},
      {"account's entry", [](JobReceipt& r) { flip(entry_of(r, "account").bytes); }},
      {"totals", [](JobReceipt& r) { flip(entry_of(r, "totals").bytes); }},
      {"key", [](JobReceipt& r) { entry_of(r, "claim").key.back() ^= 1; }},
      {"presence", [](JobReceipt& r) { flip(r.entries[2].presence.path.chunk); }},
      {"entries", [](JobReceipt& r) { r.entries[0].presence.entries += 1; }},
      {"parameter", [](JobReceipt& r) { r.parameters[0] = "c"; }},
      {"parameter gone", [](JobReceipt& r) { r.parameters.pop_back(); }},
      {"parameter twice", [](JobReceipt& r) { r.parameters[1] = r.parameters[0]; }},
      {"model's task", [](JobReceipt& r) { r.model->task = r.evaluation->task; }},
      {"model's leaf", [](JobReceipt& r) { r.model->leaves[1].bytes[0] ^= 1; }},
      {"evaluation's leaf", [](JobReceipt& r) { r.evaluation->leaves[0].bytes[0] ^= 1; }},
      {"correct", [](JobReceipt& r) { flip(r.correct); }},
      {"test images", [](JobReceipt& r) { r.test_images -= 1; }},
      {"no model", [](JobReceipt& r) { r.model.reset(); }},
      {"no evaluation", [](JobReceipt& r) { r.evaluation.reset(); }}};
  for (const auto& [name, change] : changes) {
    EXPECT_NE(refusal_after(change), "") << name;
  }
}

TEST(ReceiptRefused, AnyFlippedBit) {
  const Bytes whole = codec::encode(proven_receipt());
  ledger::test::Random random(1);
  uint32_t read = 0;
  for (int i = 0; i < 1500; ++i) {
    Bytes bytes = whole;
    bytes[random.below(bytes.size())] ^= static_cast<uint8_t>(1U << random.below(8));
    const auto receipt = codec::decode<JobReceipt>(bytes);
    if (receipt.ok()) {
      ++read;
      EXPECT_NE(refusal_of(*receipt), "") << i;
    }
  }
  EXPECT_GT(read, 1000U);
}

TEST(ReceiptRefused, AnythingMissing) {
  const size_t headers = proven_receipt().headers.size();
  for (const size_t at : {size_t{0}, headers / 2, headers - 1}) {
    EXPECT_NE(refusal_after([&](JobReceipt& r) {
                r.headers.erase(r.headers.begin() + static_cast<int64_t>(at));
              }),
              "")
        << at;
  }
  for (size_t i = 0; i < proven_receipt().transactions.size(); ++i) {
    EXPECT_NE(refusal_after([&](JobReceipt& r) {
                r.transactions.erase(r.transactions.begin() + static_cast<int64_t>(i));
              }),
              "")
        << "transaction " << i;
  }
  for (size_t i = 0; i < proven_receipt().entries.size(); ++i) {
    const std::string& key = proven_receipt().entries[i].key;
    const auto said = refusal_after(
        [&](JobReceipt& r) { r.entries.erase(r.entries.begin() + static_cast<int64_t>(i)); });
    // The auditor's account is shown and bound, but nothing in the receipt asks for it.
    EXPECT_TRUE(!said.empty() || key.starts_with("account/")) << key;
  }
}

/// Whether a transaction is or names the claim.
bool is_about(const ReceiptTransaction& one, const ClaimId& id) {
  const auto body = codec::decode<model::Transaction>(one.transaction.body);
  CHECK(body.ok());
  const bool names = std::visit(
      [&](const auto& value) {
        if constexpr (requires { value.claim; }) {
          return value.claim == id;
        } else {
          return false;
        }
      },
      *body);
  return names || model::transaction_id(one.transaction).hash == id.hash;
}

TEST(ReceiptRefused, AClaimThatIsLeftOutWhole) {
  const JobFacts facts = facts_of(proven_receipt());
  ASSERT_EQ(facts.draws.size(), 3U);
  for (const DrawFact& draw : facts.draws) {
    EXPECT_NE(refusal_after([&](JobReceipt& r) {
                std::erase_if(r.transactions, [&](const ReceiptTransaction& one) {
                  return is_about(one, draw.claim);
                });
                std::erase_if(r.entries, [&](const ReceiptEntry& entry) {
                  return entry.key == ledger::claim_key(draw.claim);
                });
              }),
              "");
  }
}

TEST(ReceiptRefused, AnythingTwiceOrOutOfOrder) {
  EXPECT_NE(refusal_after([](JobReceipt& r) { std::swap(r.transactions[3], r.transactions[4]); }),
            "");
  EXPECT_NE(refusal_after([](JobReceipt& r) {
              r.transactions.insert(r.transactions.begin() + 3, r.transactions[3]);
            }),
            "");
  EXPECT_NE(refusal_after([](JobReceipt& r) { std::swap(r.entries[1], r.entries[2]); }), "");
  EXPECT_NE(
      refusal_after([](JobReceipt& r) { r.entries.insert(r.entries.begin() + 1, r.entries[1]); }),
      "");
  EXPECT_NE(refusal_after([](JobReceipt& r) { std::swap(r.headers[1], r.headers[2]); }), "");
  EXPECT_NE(refusal_after([](JobReceipt& r) { r.headers.clear(); }), "");
}

TEST(ReceiptRefused, AGenesisThatMakesNoSense) {
  EXPECT_NE(refusal_after([](JobReceipt& r) { r.genesis.epoch_ms = 0; }), "");
  EXPECT_NE(refusal_after([](JobReceipt& r) { r.genesis.answer_ms = UINT64_MAX; }), "");
  EXPECT_NE(refusal_of(JobReceipt()), "");
}

}  // namespace
}  // namespace lockstep::node
