// A client follows every block and brings every transaction in once, whatever the wire loses.
#include "node/ledger_client.h"

#include <gtest/gtest.h>

#include "chain/test_network.h"
#include "law/roots.h"
#include "node/sequencer_node.h"

namespace lockstep::node {
namespace {

using namespace chain::test;  // NOLINT(google-build-using-namespace)

struct Peer {
  Effects effects;
  LedgerClient client;
  explicit Peer(const crypto::SecretKey& key, env::KeyValue* log = nullptr)
      : client(std::move(LedgerClient::create(genesis(), key, effects, log)).value()) {}
  /// The heights asked for since the last call; other messages are passed over.
  std::vector<uint64_t> asked() {
    std::vector<uint64_t> heights;
    for (const Effect& effect : std::exchange(effects, {})) {
      const auto* asked = std::get_if<net::FollowBlocks>(&std::get<Send>(effect).message);
      if (asked != nullptr) {
        heights.push_back(asked->first);
      }
    }
    return heights;
  }
};
using Heights = std::vector<uint64_t>;

std::vector<model::Block> empty_blocks(int count) {
  TestLog log;
  chain::Sequencer sequencer = open_sequencer(log);
  std::vector<model::Block> blocks;
  blocks.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    blocks.push_back(next_block(sequencer));
  }
  return blocks;
}

TEST(LedgerClient, AsksForAGapButNotTooOften) {
  const auto blocks = empty_blocks(6);
  Peer peer(some_key(0));
  peer.client.start(0);
  EXPECT_EQ(peer.asked(), Heights{1});
  peer.client.on_blocks(100, {{blocks[0], blocks[2]}});
  peer.client.on_blocks(200, {{blocks[4], blocks[3]}});
  EXPECT_EQ(peer.client.height(), 1U);
  EXPECT_EQ(peer.asked(), Heights{});
  peer.client.tick(499);
  EXPECT_EQ(peer.asked(), Heights{});
  peer.client.tick(500);
  EXPECT_EQ(peer.asked(), Heights{2});
  peer.client.on_blocks(600, {{blocks[1]}});
  EXPECT_EQ(peer.client.height(), 5U);
  EXPECT_EQ(peer.client.time_ms(), 500U);
  EXPECT_EQ(peer.asked(), Heights{});
}

TEST(LedgerClient, DropsBlocksThatDoNotCheck) {
  const auto blocks = empty_blocks(3);
  Peer peer(some_key(0));
  model::Block lie = blocks[0];
  lie.transactions.push_back(transfer(0, 0));
  model::Block not_signed = blocks[2];
  not_signed.header.signature.bytes[0] ^= 1;
  model::Block no_header = blocks[0];
  no_header.header.body.clear();
  model::Block lie_ahead = blocks[1];
  lie_ahead.transactions.push_back(transfer(0, 0));
  peer.client.on_blocks(0, {{lie, not_signed, no_header, lie_ahead}});
  EXPECT_EQ(peer.client.height(), 0U);
  peer.client.on_blocks(0, {{blocks[0]}});
  EXPECT_EQ(peer.client.height(), 1U);
  peer.client.on_blocks(0, {{blocks[0], blocks[1], blocks[1]}});
  EXPECT_EQ(peer.client.height(), 2U);
  peer.client.on_blocks(0, {{blocks[2]}});
  EXPECT_EQ(peer.client.height(), 3U);
}

TEST(LedgerClient, AsksWhenItHearsNothing) {
  Peer peer(some_key(0));
  peer.client.start(0);
  peer.asked();
  peer.client.tick(LedgerClient::ask_ms - 1);
  EXPECT_EQ(peer.asked(), Heights{});
  peer.client.tick(LedgerClient::ask_ms);
  EXPECT_EQ(peer.asked(), Heights{1});
  peer.client.submit(2000, model::AddStake{Amount::from_nano(1)});
  peer.client.tick(2999);
  EXPECT_EQ(peer.asked(), Heights{});
  peer.client.tick(3000);
  EXPECT_EQ(peer.asked(), Heights{1});
}

TEST(LedgerClient, SendsAgainUntilTheNonceIsUsed) {
  TestLog log;
  chain::Sequencer sequencer = open_sequencer(log);
  Peer peer(some_key(0));
  const auto sent = [&] {
    std::vector<model::Signed> all;
    for (const Effect& effect : std::exchange(peer.effects, {})) {
      const auto& message = std::get<Send>(effect).message;
      if (const auto* submitted = std::get_if<net::SubmitTransaction>(&message)) {
        all.push_back(submitted->transaction);
      }
    }
    return all;
  };
  const auto id = peer.client.submit(0, model::AddStake{Amount::from_nano(1)});
  peer.client.submit(0, model::AddStake{Amount::from_nano(1)});
  peer.client.submit_signed(0, transfer(1, 0));
  peer.client.submit_signed(0, transfer(1, 0));
  const auto first = sent();
  ASSERT_EQ(first.size(), 3U);
  EXPECT_EQ(model::transaction_id(first[0]), id);
  EXPECT_EQ(first[0].nonce, 0U);
  EXPECT_EQ(first[1].nonce, 1U);
  peer.client.tick(LedgerClient::resend_ms - 1);
  EXPECT_TRUE(sent().empty());
  peer.client.tick(LedgerClient::resend_ms);
  EXPECT_EQ(sent(), first);
  ASSERT_TRUE(sequencer.submit(first[0]).ok());
  ASSERT_TRUE(sequencer.submit(first[2]).ok());
  peer.client.on_blocks(600, {{next_block(sequencer)}});
  peer.client.tick(5000);
  EXPECT_EQ(sent(), std::vector{first[1]});
  peer.client.submit_signed(5000, transfer(1, 0));
  EXPECT_TRUE(sent().empty());
}

TEST(LedgerClient, SendsNoMoreThanTheSequencerLetsWait) {
  Peer peer(some_key(0));
  for (size_t i = 0; i < limits::signer_queue_max + 20; ++i) {
    peer.client.submit(0, model::AddStake{Amount::from_nano(1)});
  }
  EXPECT_EQ(peer.effects.size(), limits::signer_queue_max);
}

/// A sequencer and its clients in virtual time, with a wire that loses every third message.
class LossyWorld {
 public:
  explicit LossyWorld(size_t clients) : node_(open_sequencer(log_)) {
    for (size_t i = 0; i < clients; ++i) {
      peers_.push_back(std::make_unique<Peer>(some_key(i)));
    }
    node_.start(0);
    for (const auto& peer : peers_) {
      peer->client.start(0);
    }
  }
  [[nodiscard]] Peer& peer(size_t index) { return *peers_[index]; }
  [[nodiscard]] uint64_t now() const { return now_ms_; }
  [[nodiscard]] chain::Sequencer& sequencer() { return node_.sequencer(); }

  void step() {
    now_ms_ += 10;
    deliver();
    for (; !timers_.empty() && timers_.begin()->first <= now_ms_; timers_.erase(timers_.begin())) {
      node_.on_timer(now_ms_, timers_.begin()->second);
    }
    for (const auto& peer : peers_) {
      if (now_ms_ % LedgerClient::tick_ms == 0) {
        peer->client.tick(now_ms_);
      }
      take(peer->client.self(), std::exchange(peer->effects, {}));
    }
    take(sequencer_key().public_key(), node_.take_effects());
  }

 private:
  struct Parcel {
    PublicKey from, to;
    net::Message message;
  };
  void take(const PublicKey& from, Effects effects) {
    for (Effect& effect : effects) {
      if (auto* timer = std::get_if<SetTimer>(&effect)) {
        timers_.emplace(timer->at_ms, timer->id);
      } else if (auto* send = std::get_if<Send>(&effect); send != nullptr && ++count_ % 3 != 0) {
        // Uneven delays: messages overtake each other.
        wire_.emplace(now_ms_ + 10 + random_.below(120),
                      Parcel{from, send->to, std::move(send->message)});
      }
    }
  }
  void deliver() {
    for (; !wire_.empty() && wire_.begin()->first <= now_ms_; wire_.erase(wire_.begin())) {
      const Parcel& parcel = wire_.begin()->second;
      if (parcel.to == sequencer_key().public_key()) {
        node_.on_message(now_ms_, parcel.from, parcel.message);
        continue;
      }
      for (const auto& peer : peers_) {
        if (peer->client.self() == parcel.to) {
          (void)peer->client.on_blocks(now_ms_, std::get<net::Blocks>(parcel.message));
        }
      }
    }
  }

  TestLog log_;
  SequencerNode node_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::multimap<uint64_t, Parcel> wire_;
  std::multimap<uint64_t, uint64_t> timers_;
  Random random_{11};
  uint64_t count_ = 0;
  uint64_t now_ms_ = 0;
};

TEST(LedgerClient, BringsEveryTransactionInOnceOverALossyWire) {
  LossyWorld world(3);
  std::map<model::TransactionId, int> times;
  for (int i = 0; i < 40; ++i) {
    for (size_t p = 0; p < 3; ++p) {
      times[world.peer(p).client.submit(world.now(), model::AddStake{Amount::from_nano(1)})] = 0;
    }
    const auto foreign = transfer(4, static_cast<uint64_t>(i));
    times[model::transaction_id(foreign)] = 0;
    world.peer(0).client.submit_signed(world.now(), foreign);
    for (int steps = 0; steps < 7; ++steps) {
      world.step();
    }
  }
  for (int steps = 0; steps < 3000; ++steps) {
    world.step();
  }
  const auto blocks = world.sequencer().blocks(1, SIZE_MAX);
  ASSERT_TRUE(blocks.ok());
  for (const model::Block& block : *blocks) {
    for (const model::Signed& included : block.transactions) {
      ++times[model::transaction_id(included)];
    }
  }
  EXPECT_EQ(times.size(), 160U);
  for (const auto& [id, count] : times) {
    EXPECT_EQ(count, 1);
  }
  for (size_t p = 0; p < 3; ++p) {
    EXPECT_EQ(world.peer(p).client.height(), world.sequencer().height());
    EXPECT_EQ(world.peer(p).client.state().root(), world.sequencer().ledger().state_root());
  }
}

/// b ← a; a stays: the least that can be claimed.
law::Program copy_program() {
  const law::Shape one{law::DType::f32, {1}};
  law::Program program;
  program.leaves = {{"a", one, std::nullopt}, {"b", one, 0}};
  program.records = {
      {law::Kind::map, law::MapAttr{{{law::MapOp::input, 0}}}, {{law::From::state, 0, {1}}}, one}};
  return program;
}

/// A job with one lease, and a claim of one task: owners 0 and 1, nodes 10 and 11.
class ClaimWorld {
 public:
  ClaimWorld() {
    const law::Program program = copy_program();
    enter(some_key(0), requester_, model::Role::requester);
    enter(some_key(1), provider_, model::Role::provider);
    send(some_key(1), model::AddStake{Amount::from_nano(500 * Amount::nano_per_whole)});
    send(some_key(0), model::RegisterProgram{law::encode(program), {}});
    const auto& costs = sequencer.ledger().state().program_costs;
    CHECK(!costs.empty());
    model::OpenJob terms;
    terms.name = "job";
    terms.requester = requester_.public_key();
    terms.programs = {law::program_root(program)};
    terms.operations = 10 * costs.begin()->second;
    terms.tasks = 10;
    terms.price_per_unit = Amount::from_nano(Amount::nano_per_whole);
    terms.preimages = some_hash(77);
    const model::JobId job = {send(some_key(0), terms).hash};
    model::Quote quote;
    quote.owner = some_key(1).public_key();
    quote.name = "provider";
    quote.price_per_unit = terms.price_per_unit;
    quote.operations_per_second = 1000;
    quote.expires_ms = 1'000'000;
    lease_ = {
        send(requester_, model::OpenLease{job, as(provider_, model::SignedKind::quote, quote)})
            .hash};
    assign(job, program, costs.begin()->second);
  }
  /// Returns the transaction's id.
  model::TransactionId send(const crypto::SecretKey& key, const model::Transaction& body) {
    const auto signed_one = transaction(key, nonces_[key.public_key()]++, body);
    CHECK(sequencer.submit(signed_one).ok());
    blocks.push_back(next_block(sequencer));
    return model::transaction_id(signed_one);
  }
  [[nodiscard]] model::PostClaim claim() const { return {lease_, {{assignment_, receipt_, {}}}}; }
  [[nodiscard]] const crypto::SecretKey& provider() const { return provider_; }

 private:
  template <class T>
  model::Signed as(const crypto::SecretKey& key, model::SignedKind kind, const T& body) {
    return model::sign(key, {model::network_id(genesis()), kind, 0}, codec::encode(body));
  }
  void enter(const crypto::SecretKey& owner, const crypto::SecretKey& node, model::Role role) {
    send(owner,
         model::register_node(model::network_id(genesis()), node, {owner.public_key(), role}));
  }
  void assign(const model::JobId& job, const law::Program& program, uint64_t operations) {
    const Hash data = law::data_hash(Bytes{0, 0, 128, 63});
    const Hash root = law::tensor_root(program.leaves[0].shape, data);
    model::Assignment work;
    work.job = job;
    work.lease = lease_;
    work.program = law::program_root(program);
    work.operations = operations;
    work.leaves = {{{root, data}, std::nullopt}, {{root, data}, std::nullopt}};
    assignment_ = as(requester_, model::SignedKind::assignment, work);
    model::Receipt done;
    done.lease = lease_;
    done.task = model::task_id(assignment_);
    done.law_version = law::law_version;
    done.program = work.program;
    done.input_root = law::state_root(program, std::vector{root, root});
    done.output_root = done.input_root;
    done.list = some_hash(78);
    receipt_ = as(provider_, model::SignedKind::receipt, done);
  }

 public:
  TestLog log;
  chain::Sequencer sequencer = open_sequencer(log);
  std::vector<model::Block> blocks;

 private:
  std::map<PublicKey, uint64_t> nonces_;
  crypto::SecretKey requester_ = some_key(10), provider_ = some_key(11);
  model::LeaseId lease_;
  model::Signed assignment_, receipt_;
};

TEST(LedgerClient, RemembersClaimsThatTheLedgerTook) {
  ClaimWorld world;
  const model::ClaimId good = {world.send(world.provider(), world.claim()).hash};
  const model::ClaimId twice = {world.send(world.provider(), world.claim()).hash};
  Peer peer(some_key(20));
  const auto news = peer.client.on_blocks(0, {world.blocks});
  EXPECT_EQ(peer.client.height(), world.sequencer.height());
  const auto posted = std::ranges::find_if(news, [](const LedgerNews& one) {
    return std::holds_alternative<ledger::ClaimPosted>(one.event);
  });
  ASSERT_NE(posted, news.end());
  EXPECT_EQ(std::get<ledger::ClaimPosted>(posted->event).claim, good);
  EXPECT_EQ(posted->height, world.blocks.size() - 1);
  EXPECT_EQ(posted->time_ms, 100 * posted->height);
  ASSERT_NE(peer.client.claim(good), nullptr);
  EXPECT_EQ(*peer.client.claim(good), world.claim());
  EXPECT_EQ(peer.client.claim(twice), nullptr);
}

/// Everything that a client learned from blocks.
void expect_same(const Peer& one, const Peer& other) {
  EXPECT_EQ(one.client.height(), other.client.height());
  EXPECT_EQ(one.client.state().root(), other.client.state().root());
}

TEST(LedgerClient, BeginsWhereItsLogEnds) {
  ClaimWorld world;
  const model::ClaimId claim = {world.send(world.provider(), world.claim()).hash};
  env::MemoryKeyValue log;
  for (size_t lives = 0; lives <= world.blocks.size(); ++lives) {
    Peer peer(some_key(20), &log);
    EXPECT_EQ(peer.client.height(), lives);
    peer.client.start(0);
    EXPECT_EQ(peer.asked(), Heights{std::max<uint64_t>(lives, 1)}) << "the last one again";
    peer.client.tick(LedgerClient::ask_ms);
    EXPECT_EQ(peer.asked(), Heights{std::max<uint64_t>(lives, 1)});
    if (lives < world.blocks.size()) {
      peer.client.on_blocks(3000, {{world.blocks[lives]}});
      peer.client.tick(3000 + LedgerClient::ask_ms);
      EXPECT_EQ(peer.asked(), Heights{lives + 2});
    }
  }
  Peer kept(some_key(20), &log);
  Peer heard(some_key(20));
  heard.client.on_blocks(0, {world.blocks});
  expect_same(kept, heard);
  ASSERT_NE(kept.client.claim(claim), nullptr);
  EXPECT_EQ(*kept.client.claim(claim), world.claim());
  EXPECT_EQ(*kept.client.blocks(1, SIZE_MAX), world.blocks);
  EXPECT_EQ(*kept.client.blocks(3, 1), std::vector{world.blocks[2]});
  EXPECT_TRUE(kept.client.blocks(world.blocks.size() + 1, 5)->empty());
  EXPECT_FALSE(heard.client.blocks(1, 1).ok());
}

TEST(LedgerClient, AsksAgainForWhatItsLogLost) {
  ClaimWorld world;
  Peer heard(some_key(20));
  heard.client.on_blocks(0, {world.blocks});
  for (size_t lost = 0; lost < world.blocks.size(); ++lost) {
    for (const bool rotten : {false, true}) {
      env::MemoryKeyValue log;
      Peer(some_key(20), &log).client.on_blocks(0, {world.blocks});
      const std::string key = log.keys("block/", "", SIZE_MAX)->at(lost);
      std::optional<Bytes> value;
      if (rotten) {
        value = **log.get(key);
        value->at(value->size() / 2) ^= 1;
      }
      ASSERT_TRUE(log.apply({{key, value}}).ok());
      Peer peer(some_key(20), &log);
      EXPECT_EQ(peer.client.height(), lost);
      peer.client.on_blocks(
          0, {{world.blocks.begin() + static_cast<ptrdiff_t>(lost), world.blocks.end()}});
      expect_same(peer, heard);
      expect_same(Peer(some_key(20), &log), heard);
    }
  }
}

/// A log of another network is no use, and no harm.
TEST(LedgerClient, TakesNoBlocksOfAnotherNetwork) {
  const auto blocks = empty_blocks(3);
  env::MemoryKeyValue log;
  Peer(some_key(0), &log).client.on_blocks(0, {blocks});
  model::Genesis other = genesis();
  other.name = "other";
  Effects effects;
  const auto client = LedgerClient::create(other, some_key(0), effects, &log);
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(client->height(), 0U);
}

TEST(LedgerClient, KnowsWhatIsOnItsWay) {
  TestLog log;
  chain::Sequencer sequencer = open_sequencer(log);
  Peer peer(some_key(0));
  EXPECT_FALSE(peer.client.is_waiting());
  const auto id = peer.client.submit(0, model::AddStake{Amount::from_nano(1)});
  EXPECT_TRUE(peer.client.is_waiting());
  EXPECT_TRUE(peer.client.is_waiting(id));
  // Another of its key, with the same nonce, of an earlier life.
  ASSERT_TRUE(sequencer.submit(transfer(0, 0)).ok());
  peer.client.on_blocks(0, {{next_block(sequencer)}});
  EXPECT_FALSE(peer.client.is_waiting());
  EXPECT_FALSE(peer.client.is_waiting(id));
}

}  // namespace
}  // namespace lockstep::node
