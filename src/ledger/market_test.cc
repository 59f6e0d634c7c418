// Accounts, jobs, leases and blocks: every refusal with its code, and that it changes nothing.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "ledger/test_world.h"

namespace lockstep::ledger {
namespace {

using model::SignedKind;
using test::lks;
using test::nano;
using test::some_hash;
using test::some_key;
using test::World;

std::map<std::string, Bytes> without_nonces(const State& state) {
  std::map<std::string, Bytes> entries;
  for (auto& [key, bytes] : state.entries()) {
    if (!key.starts_with("nonce/")) {
      entries[key] = bytes;
    }
  }
  return entries;
}

Amount plus_one(Amount amount) {
  return amount.add(nano(1)).value();
}

/// The code a transaction fails with. The block must do what the empty block does, and use up one
/// nonce.
std::optional<Code> refusal(World& world,
                            const crypto::SecretKey& key,
                            const model::Transaction& body) {
  Ledger empty = world.ledger();
  const auto used = [&](const State& state) {
    const auto found = state.nonces.find(key.public_key());
    return found == state.nonces.end() ? 0 : found->second;
  };
  const uint64_t before = used(world.state());
  EXPECT_TRUE(empty.apply(world.input({})).ok());
  const auto code = test::failure(world.send(key, body));
  EXPECT_TRUE(without_nonces(world.state()) == without_nonces(empty.state()));
  EXPECT_EQ(used(world.state()), before + 1);
  return code;
}

TEST(Genesis, GivesItsBalances) {
  World world(false);
  EXPECT_EQ(world.state().total, lks(5000));
  EXPECT_EQ(world.state().sum().value(), lks(5000));
  EXPECT_EQ(world.account(world.auditor.owner).balance, lks(1000));
  EXPECT_FALSE(world.ledger().next_due_ms().has_value());
}

TEST(Genesis, RefusesWhatMakesNoSense) {
  const model::Genesis good = World(false).state().genesis;
  const auto code = [&](auto change) {
    model::Genesis genesis = good;
    change(genesis);
    const auto ledger = Ledger::create(genesis);
    return ledger.ok() ? std::optional<Code>() : ledger.error().code;
  };
  EXPECT_EQ(code([](model::Genesis&) {}), std::nullopt);
  EXPECT_EQ(code([](auto& g) { std::swap(g.balances[0], g.balances[1]); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& g) { g.balances[1].owner = g.balances[0].owner; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& g) { g.balances[1].amount = Amount(); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& g) { g.balances[1].amount = nano(-1); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& g) { g.balances[1].amount = nano(INT64_MAX); }), Code::overflow);
  EXPECT_EQ(code([](auto& g) { g.epoch_ms = 0; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& g) { g.answer_ms = UINT64_MAX; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& g) { g.preimage_blocks = 0; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& g) { g.bond_min = nano(-1); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& g) { g.name = std::string(257, 'x'); }), Code::out_of_range);
}

/// Whether the ledger refuses a block and stays as it is.
bool is_bad(World& world, const BlockInput& input) {
  const Hash before = world.state().root();
  const auto events = world.ledger().apply(input);
  EXPECT_EQ(world.state().root(), before);
  return !events.ok() && events.error().code == Code::bad_block;
}

TEST(Block, FramesAreChecked) {
  World world;
  const auto bad = [&](auto change) {
    BlockInput input = world.input({});
    change(input);
    return is_bad(world, input);
  };
  EXPECT_TRUE(bad([](BlockInput& input) { input.height += 1; }));
  EXPECT_TRUE(bad([](BlockInput& input) { input.height -= 1; }));
  EXPECT_TRUE(bad([](BlockInput& input) { input.time_ms -= 1; }));
  EXPECT_TRUE(bad([](BlockInput& input) { input.time_ms = 0; }));
  EXPECT_TRUE(bad([](BlockInput& input) { input.time_ms = UINT64_MAX; }));
  EXPECT_TRUE(bad([](BlockInput& input) { input.preimage.bytes[0] ^= 1; }));
  EXPECT_TRUE(bad([](BlockInput& input) { input.preimage = World::sequencer_chain()[1]; }));
  EXPECT_TRUE(world.ledger().apply(world.input({})).ok());
}

TEST(Block, TheFirstMayComeAtAnyTime) {
  World world(false);
  BlockInput input = world.input({});
  input.time_ms = 1'700'000'000'000;
  EXPECT_TRUE(world.ledger().apply(input).ok());
  EXPECT_EQ(world.now(), input.time_ms);
  EXPECT_TRUE(is_bad(world, world.input({}, 99)));
}

TEST(Block, OnlyTransactionsThatBelongThere) {
  World world;
  const model::Transaction body = model::AddStake{lks(1)};
  const crypto::SecretKey& key = world.requester.owner;
  const model::Signed good = world.transaction(key, body);
  const auto bad = [&](auto change) {
    model::Signed transaction = good;
    change(transaction);
    EXPECT_FALSE(world.ledger().admit(transaction, 0).ok());
    return is_bad(world, world.input({good, transaction})) &&
           is_bad(world, world.input({transaction}));
  };
  const auto context = [&](uint64_t nonce) {
    return model::Context{world.network(), SignedKind::transaction, nonce};
  };
  EXPECT_TRUE(bad([](auto& t) { t.network.hash.bytes[0] ^= 1; }));
  EXPECT_TRUE(bad([](auto& t) { t.kind = SignedKind::quote; }));
  EXPECT_TRUE(bad([](auto& t) { t.version += 1; }));
  EXPECT_TRUE(bad([](auto& t) { t.nonce += 1; }));
  EXPECT_TRUE(bad([](auto& t) { t.body[1] ^= 1; }));
  EXPECT_TRUE(bad([](auto& t) { t.signature.bytes[5] ^= 1; }));
  EXPECT_TRUE(bad([&](auto& t) { t.signer = world.auditor.owner.public_key(); }));
  EXPECT_TRUE(bad([&](auto& t) { t = model::sign(key, context(t.nonce), {}); }));
  EXPECT_TRUE(bad([&](auto& t) { t = model::sign(key, context(t.nonce), {200, 1}); }));
  EXPECT_TRUE(
      bad([&](auto& t) { t.body.push_back(0), t = model::sign(key, context(t.nonce), t.body); }));
  EXPECT_TRUE(bad([&](auto& t) { t = world.transaction(key, body, 5); }));
  EXPECT_TRUE(is_bad(world, world.input({good, good})));
  const std::vector<model::Signed> many(1025, good);
  EXPECT_TRUE(is_bad(world, world.input(many)));
  EXPECT_TRUE(world.ledger().admit(good, 0).ok());
  EXPECT_EQ(test::failure(world.block({good, world.transaction(key, body, 1)})), std::nullopt);
  EXPECT_EQ(world.account(key).stake, lks(2));
}

TEST(Block, AdmitsWhatComesNext) {
  World world;
  const crypto::SecretKey& key = world.requester.owner;
  const auto next = world.transaction(key, model::AddStake{lks(1)});
  const auto after = world.transaction(key, model::AddStake{lks(1)}, 1);
  EXPECT_TRUE(world.ledger().admit(next, 0).ok());
  EXPECT_EQ(world.ledger().admit(next, 1).error().code, Code::wrong_nonce);
  EXPECT_EQ(world.ledger().admit(after, 0).error().code, Code::wrong_nonce);
  EXPECT_TRUE(world.ledger().admit(after, 1).ok());
  auto forged = next;
  forged.signature.bytes[0] ^= 1;
  EXPECT_EQ(world.ledger().admit(forged, 0).error().code, Code::bad_signature);
  const model::Context context{world.network(), SignedKind::transaction, next.nonce};
  EXPECT_EQ(world.ledger().admit(model::sign(key, context, {255}), 0).error().code,
            Code::not_canonical);
  const Bytes large(limits::transaction_bytes_max + 1);
  EXPECT_EQ(world.ledger().admit(model::sign(key, context, large), 0).error().code,
            Code::too_large);
}

TEST(Transfer, MovesMoneyAndMakesOwners) {
  World world;
  const PublicKey heir = world.stranger.public_key();
  const model::Transfer gift{heir, lks(300)};
  EXPECT_EQ(refusal(world, world.stranger, gift), Code::not_allowed);
  world.must(world.requester.owner, gift);
  EXPECT_EQ(world.account(world.requester.owner).balance, lks(700));
  EXPECT_EQ(world.account(world.stranger).balance, lks(300));
  world.must(world.stranger, model::Transfer{heir, lks(300)});  // to itself
  EXPECT_EQ(world.account(world.stranger).balance, lks(300));
}

TEST(Transfer, Refusals) {
  World world;
  const PublicKey to = world.stranger.public_key();
  const auto code = [&](const model::Transfer& body) {
    return refusal(world, world.requester.owner, body);
  };
  EXPECT_EQ(code({to, Amount()}), Code::out_of_range);
  EXPECT_EQ(code({to, nano(-1)}), Code::out_of_range);
  EXPECT_EQ(code({to, nano(INT64_MIN)}), Code::out_of_range);
  EXPECT_EQ(code({to, nano(INT64_MAX)}), Code::low_funds);
  EXPECT_EQ(code({to, plus_one(lks(1000))}), Code::low_funds);
  EXPECT_EQ(code({world.auditor.node.public_key(), lks(1)}), Code::not_allowed);
  EXPECT_EQ(refusal(world, world.requester.node, model::Transfer{to, lks(1)}), Code::not_allowed);
}

TEST(RegisterNode, Refusals) {
  World world;
  const crypto::SecretKey& owner = world.requester.owner;
  const auto code = [&](const crypto::SecretKey& node) {
    return refusal(world, owner, world.registration({owner, node}, model::Role::provider));
  };
  EXPECT_EQ(code(world.requester.node), Code::already_there);
  EXPECT_EQ(code(world.auditor.node), Code::already_there);
  EXPECT_EQ(code(world.auditor.owner), Code::not_allowed);
  EXPECT_EQ(code(owner), Code::not_allowed);
  const auto mine = world.registration({owner, world.stranger}, model::Role::provider);
  EXPECT_EQ(refusal(world, world.stranger, mine), Code::not_allowed);
  EXPECT_EQ(refusal(world, world.requester.node, mine), Code::not_allowed);
  world.must(owner, mine);
  EXPECT_EQ(world.state().nodes.at(mine.node), (Node{owner.public_key(), mine.role}));
}

TEST(RegisterNode, NobodyTakesAKeyThatDidNotConsent) {
  World world;
  const crypto::SecretKey& owner = world.requester.owner;
  const test::Party party = {owner, test::some_key(77)};
  const auto good = world.registration(party, model::Role::provider);
  const auto refused = [&](const auto& change) {
    model::RegisterNode body = good;
    change(body);
    return refusal(world, owner, body);
  };
  EXPECT_EQ(refused([](auto& body) { body.consent = {}; }), Code::bad_signature);
  EXPECT_EQ(refused([](auto& body) { body.role = model::Role::auditor; }), Code::bad_signature);
  EXPECT_EQ(refused([&](auto& body) { body.node = world.stranger.public_key(); }),
            Code::bad_signature);
  EXPECT_EQ(refused([](auto& body) { body.consent.bytes[3] ^= 1; }), Code::bad_signature);
  // Meant for another owner, and for another network.
  EXPECT_EQ(refusal(world, world.auditor.owner, good), Code::bad_signature);
  const model::NodeConsent consent{owner.public_key(), model::Role::provider};
  EXPECT_EQ(refusal(world, owner, model::register_node({}, party.node, consent)),
            Code::bad_signature);
  // The same bytes signed as something else are no consent.
  auto other = good;
  other.consent =
      model::sign(
          party.node, {world.network(), model::SignedKind::quote, 0}, codec::encode(consent))
          .signature;
  EXPECT_EQ(refusal(world, owner, other), Code::bad_signature);
  EXPECT_FALSE(world.state().nodes.contains(party.node.public_key()));
  world.must(owner, good);
  EXPECT_EQ(world.state().nodes.at(party.node.public_key()).owner, owner.public_key());
}

TEST(Stake, MovesBothWaysUnlessLocked) {
  World world;
  const crypto::SecretKey& owner = world.providers[0].owner;
  EXPECT_EQ(world.account(owner), (Account{lks(500), lks(500), Amount()}));
  EXPECT_EQ(refusal(world, owner, model::AddStake{plus_one(lks(500))}), Code::low_funds);
  EXPECT_EQ(refusal(world, owner, model::AddStake{nano(0)}), Code::out_of_range);
  EXPECT_EQ(refusal(world, owner, model::WithdrawStake{nano(-5)}), Code::out_of_range);
  EXPECT_EQ(refusal(world, owner, model::WithdrawStake{plus_one(lks(500))}), Code::low_stake);
  EXPECT_EQ(refusal(world, world.stranger, model::AddStake{lks(1)}), Code::not_allowed);
  EXPECT_EQ(refusal(world, world.stranger, model::WithdrawStake{lks(1)}), Code::not_allowed);
  const LeaseId lease = world.open_lease(world.open_job(world.terms()), world.providers[0]);
  const Amount locked = world.lease(lease).locked;
  const Amount unlocked = lks(500).subtract(locked).value();
  EXPECT_EQ(world.account(owner).locked, locked);
  EXPECT_EQ(refusal(world, owner, model::WithdrawStake{plus_one(unlocked)}), Code::low_stake);
  world.must(owner, model::WithdrawStake{unlocked});
  EXPECT_EQ(world.account(owner).stake, locked);
}

TEST(RegisterProgram, KnowsAProgramOnce) {
  World world;
  const model::RegisterProgram again{law::encode(test::small_program()), {}};
  world.must(world.auditor.node, again);
  EXPECT_EQ(world.state().program_costs.size(), 1U);
  law::Program other = test::small_program();
  other.leaves[0].name = "aa";
  world.must(world.auditor.owner, model::RegisterProgram{law::encode(other), {}});
  EXPECT_EQ(world.state().program_costs.size(), 2U);

  EXPECT_EQ(refusal(world, world.stranger, again), Code::not_allowed);
  other.leaves[0].writer = 7;
  EXPECT_EQ(refusal(world, world.auditor.owner, model::RegisterProgram{law::encode(other), {}}),
            Code::bad_program);
  EXPECT_EQ(
      refusal(world, world.auditor.owner, model::RegisterProgram{again.program, {some_hash(1)}}),
      Code::bad_program);
  EXPECT_EQ(refusal(world, world.auditor.owner, model::RegisterProgram{{1}, {}}), Code::truncated);
}

TEST(OpenJob, PutsItsPriceIntoEscrow) {
  World world;
  const model::OpenJob terms = world.terms(100'000);
  const JobId id = world.open_job(terms);
  const Job& job = world.job(id);
  const auto work = nano(static_cast<int64_t>(100 * world.step_cost()) * 1'000'000);
  EXPECT_EQ(job.work_price, work);
  EXPECT_EQ(job.escrow, work);
  EXPECT_EQ(job.audit_budget, model::audit_budget(work, 100'000, 100).value());
  EXPECT_GT(job.audit_budget, Amount());
  EXPECT_EQ(job.preimage, terms.preimages);
  EXPECT_EQ(job.opened_ms, world.now());
  EXPECT_EQ(
      world.account(world.requester.owner).balance.add(job.escrow)->add(job.audit_budget).value(),
      lks(1000));
}

TEST(OpenJob, Refusals) {
  World world;
  const auto code = [&](auto change) {
    model::OpenJob terms = world.terms();
    change(terms);
    return refusal(world, world.requester.owner, terms);
  };
  EXPECT_EQ(code([](auto& t) { t.requester = some_key(99).public_key(); }), Code::not_registered);
  EXPECT_EQ(code([&](auto& t) { t.requester = world.auditor.node.public_key(); }),
            Code::not_allowed);
  EXPECT_EQ(code([](auto& t) { t.programs.clear(); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.programs.resize(1025, t.programs[0]); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.programs.push_back(some_hash(1)); }), Code::not_registered);
  EXPECT_EQ(code([](auto& t) { t.name = std::string(257, 'x'); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.operations = 0; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.tasks = 0; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.price_per_unit = Amount(); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.price_per_unit = nano(-1); }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.share_millionths = 1'000'001; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.span_ms = 1; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.finality = model::FinalityRule::span; }), Code::out_of_range);
  EXPECT_EQ(code([](auto& t) {
              t.finality = model::FinalityRule::span;
              t.span_ms = UINT64_MAX;
            }),
            Code::out_of_range);
  EXPECT_EQ(code([](auto& t) { t.operations = 1'000'000'000; }), Code::low_funds);
  EXPECT_EQ(code([](auto& t) { t.operations = UINT64_MAX; }), Code::overflow);
  EXPECT_EQ(refusal(world, world.stranger, world.terms()), Code::not_allowed);
  EXPECT_EQ(refusal(world, world.auditor.owner, world.terms()), Code::not_allowed);
  EXPECT_EQ(refusal(world, world.requester.node, world.terms()), Code::not_allowed);
}

TEST(OpenJob, EachHasAnAnchorOfItsOwn) {
  World world;
  const model::OpenJob first = world.terms(100'000);
  const JobId job = world.open_job(first);
  model::OpenJob second = world.terms(100'000);
  EXPECT_NE(second.preimages, first.preimages);
  second.name = "another";
  second.preimages = first.preimages;
  EXPECT_EQ(refusal(world, world.requester.owner, second), Code::already_there);
  // A job that is over has shown its preimages: its anchor is used up for good.
  world.must(world.requester.node, model::CloseJob{job});
  world.wait(20'000);
  ASSERT_EQ(world.job(job).status, JobStatus::settled);
  EXPECT_EQ(refusal(world, world.requester.owner, second), Code::already_there);
  EXPECT_EQ(world.state().jobs.size(), 1U);
  // Nobody can take it away from others by naming it first.
  const test::Party rival = world.providers[2];
  const crypto::SecretKey node = some_key(98);
  world.must(rival.owner, world.registration({rival.owner, node}, model::Role::requester));
  model::OpenJob copied = first;
  copied.requester = node.public_key();
  world.must(rival.owner, copied);
  second.preimages = world.terms().preimages;
  world.open_job(second);
  EXPECT_EQ(world.state().jobs.size(), 3U);
}

class OpenLease : public testing::Test {
 protected:
  std::optional<Code> take(const model::Signed& quote) {
    return refusal(world, world.requester.node, model::OpenLease{job, quote});
  }
  template <class Change>
  std::optional<Code> quoted(Change change) {
    model::Quote quote = world.quote(provider);
    change(quote);
    return take(world.sign_as(provider.node, SignedKind::quote, codec::encode(quote)));
  }
  World world;
  test::Party provider = world.providers[0];
  JobId job = world.open_job(world.terms());
};

TEST_F(OpenLease, LocksTwiceTheWorkAndABond) {
  const LeaseId id = world.open_lease(job, provider);
  const Lease& lease = world.lease(id);
  // A task costs less than half the least bond.
  const Amount locked = world.job(job).work_price.add(nano(100'000'000))->multiply(2).value();
  EXPECT_EQ(lease.locked, locked);
  EXPECT_EQ(world.account(provider.owner).locked, locked);
  EXPECT_EQ(lease.owner, provider.owner.public_key());
  EXPECT_EQ(lease.node, provider.node.public_key());
  EXPECT_EQ(lease.operations_per_second, 1000U);
}

TEST_F(OpenLease, LocksTheBondOfALargeTask) {
  model::OpenJob terms = world.terms();
  terms.tasks = 3;
  const LeaseId id = world.open_lease(world.open_job(terms), provider);
  const uint64_t largest = (terms.operations + 2) / 3;
  const Amount bond = nano(static_cast<int64_t>(2 * largest * 1'000'000));
  const Amount work = nano(static_cast<int64_t>(terms.operations * 1'000'000));
  EXPECT_EQ(world.lease(id).locked, work.add(bond)->multiply(2).value());
}

TEST_F(OpenLease, LocksOnlyWhatASpanLeavesUnfinal) {
  model::OpenJob terms = world.terms();
  terms.finality = model::FinalityRule::span;
  terms.span_ms = 1;
  model::Quote quote = world.quote(provider);
  quote.operations_per_second = 3;  // 10.001 s of it, rounded up: 31 operations of 0.001 LKS
  const JobId spanned = world.open_job(terms);
  const auto paper = world.sign_as(provider.node, SignedKind::quote, codec::encode(quote));
  const auto events = world.must(world.requester.node, model::OpenLease{spanned, paper});
  const Lease& lease = world.lease(test::find<LeaseOpened>(events)->lease);
  EXPECT_EQ(lease.locked, nano(262'000'000));
  quote.operations_per_second = UINT64_MAX;  // never more than the job
  const JobId fast = world.open_job(terms);
  const auto other = world.sign_as(provider.node, SignedKind::quote, codec::encode(quote));
  const auto opened = world.must(world.requester.node, model::OpenLease{fast, other});
  EXPECT_EQ(world.lease(test::find<LeaseOpened>(opened)->lease).locked,
            world.job(fast).work_price.add(nano(100'000'000))->multiply(2).value());
}

TEST_F(OpenLease, RefusesBadQuotes) {
  EXPECT_EQ(quoted([&](auto& q) { q.owner = world.auditor.owner.public_key(); }),
            Code::not_allowed);
  EXPECT_EQ(quoted([&](auto& q) { q.expires_ms = world.now(); }), Code::wrong_state);
  EXPECT_EQ(quoted([](auto& q) { q.price_per_unit = plus_one(lks(1'000'000)); }),
            Code::out_of_range);
  EXPECT_EQ(quoted([](auto& q) { q.price_per_unit = nano(-1); }), Code::out_of_range);
  EXPECT_EQ(quoted([](auto& q) { q.operations_per_second = 0; }), Code::out_of_range);
  const Bytes good = codec::encode(world.quote(provider));
  EXPECT_EQ(take(world.sign_as(provider.node, SignedKind::receipt, good)), Code::wrong_kind);
  EXPECT_EQ(take(world.sign_as(provider.node, SignedKind::quote, {1, 2})), Code::truncated);
  EXPECT_EQ(take(world.sign_as(provider.owner, SignedKind::quote, good)), Code::not_registered);
  EXPECT_EQ(take(world.sign_as(world.auditor.node, SignedKind::quote, good)), Code::not_allowed);
  auto forged = world.sign_as(provider.node, SignedKind::quote, good);
  forged.signature.bytes[0] ^= 1;
  EXPECT_EQ(take(forged), Code::bad_signature);
  forged.network.hash.bytes[0] ^= 1;
  EXPECT_EQ(take(forged), Code::wrong_network);
}

TEST_F(OpenLease, RefusesWhoMayNot) {
  const auto quote =
      world.sign_as(provider.node, SignedKind::quote, codec::encode(world.quote(provider)));
  const model::OpenLease body{job, quote};
  EXPECT_EQ(refusal(world, provider.node, body), Code::not_allowed);
  EXPECT_EQ(refusal(world, world.requester.owner, body), Code::not_allowed);
  EXPECT_EQ(refusal(world, world.requester.node, model::OpenLease{{some_hash(1)}, quote}),
            Code::not_registered);
  world.must(world.requester.node, body);
  EXPECT_EQ(refusal(world, world.requester.node, body), Code::already_there);
  world.must(world.requester.node, model::CloseJob{job});
  EXPECT_EQ(refusal(world, world.requester.node, body), Code::wrong_state);
}

TEST_F(OpenLease, RefusesOneOwnerOnBothSides) {
  const test::Party own{world.requester.owner, some_key(77)};
  world.must(own.owner, world.registration(own, model::Role::provider));
  const auto quote = world.sign_as(own.node, SignedKind::quote, codec::encode(world.quote(own)));
  EXPECT_EQ(take(quote), Code::not_allowed);
}

TEST_F(OpenLease, RefusesTooLittleStakeAndSaysHowMuch) {
  const Amount needed = world.job(job).work_price.add(nano(100'000'000))->multiply(2).value();
  const Amount short_by_one = lks(500).subtract(needed)->add(nano(1)).value();
  world.must(provider.owner, model::WithdrawStake{short_by_one});
  const auto quote =
      world.sign_as(provider.node, SignedKind::quote, codec::encode(world.quote(provider)));
  const auto failed =
      test::find<TransactionFailed>(world.send(world.requester.node, model::OpenLease{job, quote}));
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->error.code, Code::low_stake);
  EXPECT_NE(failed->error.what.find("0.000000001 LKS"), std::string::npos) << failed->error.what;
  EXPECT_EQ(take(quote), Code::low_stake);
  world.must(provider.owner, model::AddStake{nano(1)});
  world.must(world.requester.node, model::OpenLease{job, quote});
}

TEST_F(OpenLease, ClosesOnceByItsNodes) {
  const LeaseId lease = world.open_lease(job, provider);
  const model::CloseLease body{lease};
  EXPECT_EQ(refusal(world, world.auditor.node, body), Code::not_allowed);
  EXPECT_EQ(refusal(world, provider.owner, body), Code::not_allowed);
  EXPECT_EQ(refusal(world, provider.node, model::CloseLease{{some_hash(1)}}), Code::not_registered);
  world.must(provider.node, body);
  EXPECT_EQ(world.lease(lease).status, LeaseStatus::closing);
  EXPECT_EQ(world.lease(lease).closed_ms, world.now());
  EXPECT_EQ(refusal(world, provider.node, body), Code::wrong_state);
  const LeaseId next = world.open_lease(job, provider);  // a node may come back
  EXPECT_NE(next, lease);
  world.must(world.requester.node, model::CloseLease{next});
}

TEST_F(OpenLease, JobsCloseOnceByTheirOwnerOrNode) {
  const LeaseId lease = world.open_lease(job, provider);
  const model::CloseJob body{job};
  EXPECT_EQ(refusal(world, provider.node, body), Code::not_allowed);
  EXPECT_EQ(refusal(world, provider.owner, body), Code::not_allowed);
  EXPECT_EQ(refusal(world, world.requester.owner, model::CloseJob{{some_hash(1)}}),
            Code::not_registered);
  const auto events = world.must(world.requester.owner, body);
  EXPECT_EQ(test::count<LeaseClosed>(events), 1U);
  EXPECT_EQ(test::count<JobClosed>(events), 1U);
  EXPECT_EQ(world.lease(lease).status, LeaseStatus::closing);
  EXPECT_EQ(refusal(world, world.requester.node, body), Code::wrong_state);
}

}  // namespace
}  // namespace lockstep::ledger
