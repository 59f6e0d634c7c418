// Thousands of random transactions, good and bad: money is neither made nor lost, a failure changes
// nothing, and the ledger always comes to rest with every job settled.
#include <gtest/gtest.h>

#include <set>

#include "ledger/test_world.h"

namespace lockstep::ledger {
namespace {

using model::SignedKind;
using test::lks;
using test::nano;
using test::some_hash;
using test::Work;

/// Somebody who sends anything, mostly something that has a chance.
class Crowd {
 public:
  explicit Crowd(uint64_t seed) : random_(seed) {
    for (const test::Party& party : world.providers) {
      keys_.push_back(party.owner);
      keys_.push_back(party.node);
    }
    for (const test::Party& party : {world.requester, world.auditor}) {
      keys_.push_back(party.owner);
      keys_.push_back(party.node);
    }
    keys_.push_back(world.stranger);
  }

  /// A transaction's signer and body.
  std::pair<crypto::SecretKey, model::Transaction> next() {
    switch (random_.below(17)) {
      case 0:
        return {any_key(), model::Transfer{any_key().public_key(), any_amount()}};
      case 1:
        return {any_key(),
                model::RegisterNode{test::some_key(random_.below(30)).public_key(),
                                    static_cast<model::Role>(random_.below(3))}};
      case 2:
        return {any_key(), model::AddStake{any_amount()}};
      case 3:
        return {any_key(), model::WithdrawStake{any_amount()}};
      case 4:
        return {or_any(world.requester.owner), some_terms()};
      case 5:
      case 6:
        return some_lease();
      case 7:
        return {or_any(world.requester.node), model::CloseLease{pick(world.state().leases)}};
      case 8:
        if (random_.chance(8)) {
          return {or_any(world.requester.node), model::CloseJob{pick(world.state().jobs)}};
        }
        return some_claim();
      case 9:
      case 10:
      case 11:
        return some_claim();
      case 12:
        return some_preimage();
      case 13:
      case 14:
        return some_challenge();
      default:
        return some_audit();
    }
  }

  void close_all() {
    for (const auto& [id, job] : std::map(world.state().jobs)) {
      world.send(world.requester.node, model::CloseJob{id});
    }
  }

  test::World world;

 private:
  const crypto::SecretKey& any_key() { return keys_[random_.below(keys_.size())]; }
  const crypto::SecretKey& or_any(const crypto::SecretKey& key) {
    return random_.chance(8) ? any_key() : key;
  }
  const crypto::SecretKey& key_of(const PublicKey& node) {
    for (const crypto::SecretKey& key : keys_) {
      if (key.public_key() == node) {
        return or_any(key);
      }
    }
    return any_key();
  }
  Amount any_amount() {
    return nano(static_cast<int64_t>(random_.next() >> random_.below(64)) *
                (random_.chance(8) ? -1 : 1));
  }
  /// A key of the map; sometimes one that is not there.
  template <class Map>
  typename Map::key_type pick(const Map& map) {
    if (map.empty() || random_.chance(16)) {
      return {};
    }
    auto at = map.begin();
    std::advance(at, static_cast<int64_t>(random_.below(map.size())));
    return at->first;
  }
  const test::Party& any_provider() { return world.providers[random_.below(3)]; }

  model::OpenJob some_terms() {
    model::OpenJob terms = world.terms();
    terms.operations = world.step_cost() * (1 + random_.below(40));
    terms.tasks = 1 + random_.below(40);
    terms.price_per_unit = nano(static_cast<int64_t>(random_.next() >> (14 + random_.below(20))));
    const std::array<uint32_t, 3> shares = {0, 300'000, 1'000'000};
    terms.share_millionths = shares[random_.below(3)];
    if (random_.chance(2)) {
      terms.finality = model::FinalityRule::span;
      terms.span_ms = 1 + random_.below(5000);
    }
    return terms;
  }

  std::pair<crypto::SecretKey, model::Transaction> some_lease() {
    const JobId id = pick(world.state().jobs);
    const test::Party& provider = any_provider();
    model::Quote quote = world.quote(provider);
    const auto found = world.state().jobs.find(id);
    if (found != world.state().jobs.end()) {
      quote.price_per_unit = found->second.terms.price_per_unit;
    }
    quote.operations_per_second = random_.below(100);
    const auto paper = world.sign_as(provider.node, SignedKind::quote, codec::encode(quote));
    return {or_any(world.requester.node), model::OpenLease{id, paper}};
  }

  std::pair<crypto::SecretKey, model::Transaction> some_claim() {
    const LeaseId id = pick(world.state().leases);
    const auto found = world.state().leases.find(id);
    if (found == world.state().leases.end()) {
      return {any_key(), model::PostClaim{id, {}}};
    }
    model::PostClaim body{id, {}};
    const uint64_t count = 1 + random_.below(4);
    for (uint64_t i = 0; i < count; ++i) {
      test::WorkPlan plan;
      plan.part = static_cast<uint32_t>(random_.chance(16) ? random_.below(50) : part_++);
      plan.steps = 1 + static_cast<uint32_t>(random_.below(3));
      for (uint64_t reads = random_.below(3); reads > 0; --reads) {
        plan.reads.push_back(works_.empty() ? TaskId{} : pick(works_));
      }
      const Work work = world.work(id, provider_of(found->second), plan);
      works_[work.id] = work;
      body.entries.push_back(work.entry(!random_.chance(4)));
    }
    return {key_of(random_.chance(8) ? world.requester.node.public_key() : found->second.node),
            body};
  }
  const test::Party& provider_of(const Lease& lease) {
    for (const test::Party& party : world.providers) {
      if (party.node.public_key() == lease.node && !random_.chance(30)) {
        return party;
      }
    }
    return any_provider();
  }

  std::pair<crypto::SecretKey, model::Transaction> some_preimage() {
    const JobId id = pick(world.state().jobs);
    const auto found = world.state().jobs.find(id);
    const uint64_t known = found == world.state().jobs.end() ? 0 : found->second.revealed;
    const uint64_t next = random_.chance(8) ? random_.below(50) : known + 1;
    return {or_any(world.requester.node),
            model::RevealPreimage{id, test::World::requester_chain().at(next)}};
  }

  /// The roots an auditor finds: the claimed ones, or now and then others.
  std::vector<Hash> audited(const Task& task) {
    std::vector<Hash> roots = works_.at(task.id).roots;
    if (lies_.contains(task.id)) {
      roots[0].bytes[0] ^= 1;
    }
    return roots;
  }

  std::pair<crypto::SecretKey, model::Transaction> some_audit() {
    const ClaimId id = pick_audited();
    const auto found = world.state().claims.find(id);
    if (found == world.state().claims.end()) {
      return {any_key(), model::CommitAudit{id, {}}};
    }
    const Claim& claim = found->second;
    const Audit& audit = claim.audit;
    const crypto::SecretKey& auditor = key_of(audit.auditor);
    model::CommitAudit commit{id, {}};
    model::OpenSalts salts{id, {}};
    model::RevealAudit reveal{id, {}};
    for (const uint32_t place : audit.tasks) {
      const Task& task = claim.tasks[place];
      if (audit.phase == AuditPhase::drawn && random_.chance(6)) {
        lies_.insert(task.id);
      }
      commit.commitments.push_back(
          model::audit_commitment(audited(task), audit.auditor, some_hash(1)));
      salts.salts.push_back(works_.at(task.id).salt);
      reveal.tasks.push_back({audited(task), some_hash(1)});
    }
    switch (audit.phase) {
      case AuditPhase::committed:
        return {key_of(world.state().leases.at(claim.lease).node), salts};
      case AuditPhase::opened:
      case AuditPhase::unopened:
        return {auditor, reveal};
      case AuditPhase::must_challenge:
        return {auditor, model::Challenge{id, audit.disagreed.front(), some_hash(2), some_hash(1)}};
      default:
        return {auditor, commit};
    }
  }
  ClaimId pick_audited() {
    std::map<ClaimId, bool> open;
    for (const auto& [id, claim] : world.state().claims) {
      if (claim.audit.phase >= AuditPhase::drawn && claim.audit.phase < AuditPhase::done) {
        open[id] = true;
      }
    }
    return pick(open);
  }

  ClaimId pick_unfinal() {
    std::map<ClaimId, bool> open;
    for (const auto& [id, claim] : world.state().claims) {
      if (!claim.final) {
        open[id] = true;
      }
    }
    return pick(open);
  }
  std::pair<crypto::SecretKey, model::Transaction> some_challenge() {
    if (!world.state().disputes.empty() && random_.chance(2)) {
      return some_move();
    }
    const auto by = or_any(world.auditor.node);
    if (planned_ && random_.chance(2)) {
      return {by, *planned_};
    }
    planned_ = model::Challenge{pick_unfinal(),
                                static_cast<uint32_t>(random_.below(3)),
                                some_hash(random_.below(5)),
                                some_hash(1)};
    const model::Challenge& plan = *planned_;
    const Hash commitment = model::challenge_commitment(
        plan.claim, plan.task, plan.own_root, by.public_key(), plan.salt);
    return {by, model::CommitChallenge{commitment}};
  }
  std::pair<crypto::SecretKey, model::Transaction> some_move() {
    const auto [claim, task] = world.state().disputes.begin()->first;
    const Dispute& dispute = world.state().disputes.begin()->second;
    if (!dispute.asked) {
      model::Place place;
      place.tree = static_cast<model::Tree>(random_.below(4));
      return {key_of(dispute.challenger), model::AskOpen{claim, task, place}};
    }
    model::Answer answer;
    answer.place = *dispute.asked;
    const auto found = works_.find(world.state().claims.at(claim).tasks[task].id);
    if (found != works_.end() && !random_.chance(4)) {
      answer.salt = found->second.salt;
      answer.hashes = found->second.roots;
    }
    return {any_key(), model::PostAnswer{claim, task, answer}};
  }

  test::Random random_;
  std::vector<crypto::SecretKey> keys_;
  std::map<TaskId, Work> works_;
  std::set<TaskId> lies_;
  std::optional<model::Challenge> planned_;
  uint32_t part_ = 1000;
};

/// Everything under the root but the nonces.
std::vector<std::pair<std::string, Bytes>> lasting(const State& state) {
  auto entries = state.entries();
  std::erase_if(entries, [](const auto& entry) { return entry.first.starts_with("nonce/"); });
  return entries;
}

void check_leases(const State& state) {
  for (const auto& [id, lease] : state.leases) {
    const Job& job = state.jobs.at(lease.job);
    const auto price = [&](uint64_t operations) {
      return model::price_of(operations, job.terms.price_per_unit).value();
    };
    EXPECT_EQ(lease.paid, price(lease.final_operations));
    EXPECT_EQ(lease.pending.add(lease.paid).value(), price(lease.counted_operations));
  }
  for (const auto& [owner, account] : state.accounts) {
    EXPECT_LE(account.locked, account.stake);
    EXPECT_GE(account.locked, Amount());
    EXPECT_GE(account.balance, Amount());
  }
  for (const auto& [id, job] : state.jobs) {
    EXPECT_GE(job.escrow, Amount());
    EXPECT_GE(job.audit_budget, Amount());
    EXPECT_GE(job.reserve, Amount());
  }
}

/// One block of one transaction, beside the same block without it. Returns whether it succeeded.
bool one_block(Crowd& crowd, test::Random& random) {
  test::World& world = crowd.world;
  const auto [key, body] = crowd.next();
  model::Signed transaction = world.transaction(key, body);
  const uint64_t advance = 100 + random.below(random.chance(16) ? 6000 : 200);
  if (random.chance(40)) {
    transaction.nonce += 1;  // not its signer's: no block may have it
    const Hash before = world.state().root();
    EXPECT_FALSE(world.ledger().apply(world.input({transaction}, advance)).ok());
    EXPECT_EQ(world.state().root(), before);
    return false;
  }
  EXPECT_TRUE(world.ledger().admit(transaction, 0).ok());
  Ledger empty = world.ledger();
  const BlockInput with = world.input({transaction}, advance);
  EXPECT_TRUE(empty.apply(world.input({}, advance)).ok());
  const test::Events events = world.block(with.transactions, advance);
  if (test::find<TransactionFailed>(events)) {
    EXPECT_TRUE(lasting(world.state()) == lasting(empty.state())) << "kind " << body.index();
    return false;
  }
  EXPECT_EQ(world.state().sum().value(), lks(5000));
  return true;
}

/// Empty blocks until nothing is due. Each must bring the ledger further.
void come_to_rest(test::World& world) {
  uint64_t stuck = 0;
  while (const auto due = world.ledger().next_due_ms()) {
    ASSERT_GE(*due, world.now());
    auto before = world.state();
    world.block({}, std::max(*due, world.now() + 100) - world.now());
    before.totals = world.state().totals;
    // A preimage is waited for by blocks; nothing else may be due in vain.
    stuck = before.root() == world.state().root() ? stuck + 1 : 0;
    ASSERT_LE(stuck, 12U);
  }
}

TEST(Random, MoneyIsNeitherMadeNorLostAndJobsEnd) {
  size_t succeeded = 0;
  size_t settled = 0;
  size_t final_claims = 0;
  size_t slashed = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Crowd crowd(seed);
    test::Random random(seed + 1000);
    for (int i = 0; i < 300; ++i) {
      succeeded += one_block(crowd, random) ? 1 : 0;
      check_leases(crowd.world.state());
      ASSERT_FALSE(testing::Test::HasFailure()) << "after " << i;
    }
    crowd.close_all();
    come_to_rest(crowd.world);
    const State& state = crowd.world.state();
    check_leases(state);
    for (const auto& [id, job] : state.jobs) {
      EXPECT_EQ(job.status, JobStatus::settled);
      EXPECT_EQ(job.escrow, Amount());
      ++settled;
    }
    for (const auto& [id, claim] : state.claims) {
      final_claims += claim.final ? 1 : 0;
    }
    for (const auto& [id, lease] : state.leases) {
      slashed += lease.status == LeaseStatus::slashed ? 1 : 0;
    }
    for (const auto& [owner, account] : state.accounts) {
      EXPECT_EQ(account.locked, Amount()) << "every lock has an end";
    }
    EXPECT_TRUE(state.disputes.empty());
    EXPECT_EQ(state.sum().value(), lks(5000));
  }
  // The run reached what it is about.
  EXPECT_GT(succeeded, 500U);
  EXPECT_GT(settled, 50U);
  EXPECT_GT(final_claims, 100U);
  EXPECT_GT(slashed, 5U);
}

TEST(Random, TheSameBlocksGiveTheSameRoot) {
  const auto run = [] {
    Crowd crowd(7);
    for (int i = 0; i < 200; ++i) {
      const auto [key, body] = crowd.next();
      crowd.world.send(key, body);
    }
    return crowd.world.state().root();
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace lockstep::ledger
