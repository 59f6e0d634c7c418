// A client among holders that are honest, slow, silent, liars or busy, on a network that loses and
// doubles messages: it gets every blob that an honest holder has, and asks for nothing in vain.
#include <gtest/gtest.h>

#include <queue>

#include "base/test_random.h"
#include "base/test_soak.h"
#include "chain/test_network.h"
#include "law/roots.h"
#include "node/blob_client.h"
#include "store/test_crashing_values.h"

namespace lockstep::node {
namespace {

using chain::test::some_key;
using store::piece_bytes;
using store::test::CrashingValues;

enum class Kind : uint8_t {
  honest,
  slow,
  busy,
  has_nothing,
  silent,
  wrong_bytes,
  wrong_path,
  wrong_size,
  huge_size,
  wrong_index,
};
constexpr uint64_t kinds = 10;

bool is_honest(Kind kind) {
  return kind == Kind::honest || kind == Kind::slow || kind == Kind::busy;
}

Bytes noise(uint64_t size, uint64_t seed) {
  TestRandom random(seed);
  Bytes bytes(size);
  for (size_t i = 0; i < bytes.size(); i += 61) {
    bytes[i] = static_cast<uint8_t>(random.next());
  }
  return bytes;
}

PublicKey key_of(size_t holder) {
  static const std::vector<PublicKey> keys = [] {
    std::vector<PublicKey> made;
    made.reserve(8);
    for (uint64_t i = 0; i < 8; ++i) {
      made.push_back(some_key(100 + i).public_key());
    }
    return made;
  }();
  return keys.at(holder);
}
const PublicKey& own_key() {
  static const PublicKey key = some_key(1).public_key();
  return key;
}

struct Holder {
  Holder(Kind its_kind, uint64_t its_delay_ms, store::Blobs& blobs, const ServeLimits& limits)
      : kind(its_kind), delay_ms(its_delay_ms), server(blobs, effects, limits) {}
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  Kind kind;
  uint64_t delay_ms;
  Effects effects;
  BlobServer server;
  uint64_t pieces_served = 0;
};

class Swarm {
 public:
  explicit Swarm(uint64_t seed) : random(seed) { restart(); }

  TestRandom random;
  uint64_t now = 1000;
  uint64_t loss = 0;  // one in so many; 0: none
  uint64_t doubled = 0;
  CrashingValues source_values, own_values;
  store::Blobs source{source_values, law::data_mode()};
  Effects effects;
  std::optional<store::Blobs> blobs;
  std::optional<BlobClient> client;
  std::vector<std::unique_ptr<Holder>> holders;
  std::vector<Bytes> wanted;
  std::map<std::pair<Hash, uint64_t>, uint64_t> asked;  // pieces, how often
  std::set<uint64_t> ready, failed;

  void add(Kind kind, uint64_t delay_ms = 10) {
    ServeLimits limits;
    if (kind == Kind::busy) {
      limits.bytes_per_second = 8 * piece_bytes;
      limits.burst_bytes = 2 * piece_bytes;
    }
    holders.push_back(
        std::make_unique<Holder>(kind, kind == Kind::slow ? 1700 : delay_ms, source, limits));
  }
  void want(Bytes bytes) {
    const auto put = source.put(bytes);
    ASSERT_TRUE(put.ok());
    wanted.push_back(std::move(bytes));
  }
  [[nodiscard]] std::vector<Hash> addresses() const {
    std::vector<Hash> all;
    all.reserve(wanted.size());
    for (const Bytes& bytes : wanted) {
      all.push_back(law::data_hash(bytes));
    }
    return all;
  }
  /// A new life over the same store.
  void restart() {
    client.reset();
    effects.clear();
    blobs.emplace(own_values, law::data_mode());
    client.emplace(*blobs, effects);
  }
  void fetch(uint64_t group) {
    const std::vector<Hash> all = addresses();
    client->fetch(now, group, all, key_of(0));
    for (size_t i = 1; i < holders.size(); ++i) {
      for (const Hash& address : all) {
        client->add_holder(now, address, key_of(i));
      }
    }
    carry();
  }
  [[nodiscard]] uint64_t pieces() const {
    uint64_t sum = 0;
    for (const Bytes& bytes : wanted) {
      sum += store::piece_count(bytes.size());
    }
    return sum;
  }
  /// One event or one tick.
  void step() {
    if (events_.empty() || events_.top().at_ms > next_tick_) {
      now = next_tick_;
      next_tick_ += 50;
      client->tick(now);
    } else {
      const Event event = events_.top();
      events_.pop();
      now = std::max(now, event.at_ms);
      arrive(event);
    }
    carry();
  }
  void run(uint64_t until_ms) {
    while (now < until_ms && ready.empty() && failed.empty()) {
      step();
    }
  }
  /// All that was wanted is there, right, and nothing else is.
  void expect_all() {
    for (const Bytes& bytes : wanted) {
      EXPECT_EQ(*blobs->get(law::data_hash(bytes)), bytes);
    }
    EXPECT_TRUE(own_values.all("part/").empty());
    EXPECT_TRUE(own_values.all("head/").empty());
  }

 private:
  struct Event {
    uint64_t at_ms;
    uint64_t order;
    size_t holder;
    net::Message message;
    bool to_holder;
    bool operator<(const Event& other) const {
      return std::pair(at_ms, order) > std::pair(other.at_ms, other.order);
    }
  };
  void post(uint64_t delay_ms, size_t holder, const net::Message& message, bool to_holder) {
    if (loss > 0 && random.chance(loss)) {
      return;
    }
    const uint64_t copies = doubled > 0 && random.chance(doubled) ? 2 : 1;
    for (uint64_t i = 0; i < copies; ++i) {
      const uint64_t extra = loss > 0 ? random.below(30) : 0;  // out of order where it is rough
      events_.push({now + delay_ms + extra, order_++, holder, message, to_holder});
    }
  }
  void carry() {
    for (const Effect& effect : std::exchange(effects, {})) {
      const auto& send = std::get<Send>(effect);
      for (size_t i = 0; i < holders.size(); ++i) {
        if (key_of(i) == send.to) {
          const auto& ask = std::get<net::AskBlob>(send.message);
          for (uint32_t n = 0; n < ask.count; ++n) {
            ++asked[{ask.address, ask.first + n}];
          }
          post(holders[i]->delay_ms / 2, i, send.message, true);
        }
      }
    }
    for (const uint64_t group : client->take_ready()) {
      ready.insert(group);
    }
    for (const uint64_t group : client->take_failed()) {
      failed.insert(group);
    }
  }
  void arrive(const Event& event) {
    if (!event.to_holder) {
      client->on_give(now, key_of(event.holder), std::get<net::GiveBlob>(event.message));
      return;
    }
    Holder& holder = *holders[event.holder];
    holder.server.on_ask(now, own_key(), std::get<net::AskBlob>(event.message));
    for (const Effect& effect : std::exchange(holder.effects, {})) {
      auto give = std::get<net::GiveBlob>(std::get<Send>(effect).message);
      if (answer(holder.kind, give)) {
        holder.pieces_served += give.answer == net::BlobAnswer::piece ? 1 : 0;
        post(holder.delay_ms / 2, event.holder, give, false);
      }
    }
  }
  /// What becomes of the truth.
  bool answer(Kind kind, net::GiveBlob& give) {
    switch (kind) {
      case Kind::silent:
        return false;
      case Kind::has_nothing:
        give = net::GiveBlob{give.address};
        return true;
      case Kind::wrong_bytes:
        if (give.bytes.empty()) {
          give.bytes.push_back(1);
        } else {
          give.bytes[random.below(give.bytes.size())] ^= 8;
        }
        return true;
      case Kind::wrong_path:
        if (give.path.empty()) {
          give.path.emplace_back();
        } else {
          give.path[random.below(give.path.size())].bytes[3] ^= 8;
        }
        return true;
      case Kind::wrong_size:
        give.total += random.chance(2) ? 1 : piece_bytes;
        return true;
      case Kind::huge_size:
        give.total = UINT64_MAX - random.below(1000);
        give.index = store::piece_count(give.total) - 1;
        return true;
      case Kind::wrong_index:
        give.index = give.index == 0 ? 1 + random.below(3) : give.index - 1;
        return true;
      default:
        return true;
    }
  }

  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
  uint64_t next_tick_ = 1000;
};

TEST(BlobSwarm, AFetchIsCompleteIfAndOnlyIfAnHonestHolderHasTheBlob) {
  const uint64_t cases = 120 * soak_times();
  uint64_t completed = 0;
  for (uint64_t seed = 0; seed < cases; ++seed) {
    Swarm swarm(seed);
    TestRandom& random = swarm.random;
    swarm.loss = random.of<uint64_t>({0, 0, 4, 20});
    swarm.doubled = random.of<uint64_t>({0, 5});
    bool honest = false;
    bool silent = false;
    for (uint64_t count = 1 + random.below(5); count > 0; --count) {
      const auto kind = static_cast<Kind>(random.below(kinds));
      honest = honest || is_honest(kind);
      silent = silent || kind == Kind::silent;
      swarm.add(kind, 2 + random.below(60));
    }
    for (uint64_t count = 1 + random.below(3); count > 0; --count) {
      swarm.want(noise(random.below(random.chance(2) ? 3000 : 12 * piece_bytes), random.next()));
    }
    const bool crashes = random.chance(2);
    swarm.fetch(1);
    if (crashes) {
      swarm.run(swarm.now + random.below(2000));
      swarm.ready.clear();
      swarm.failed.clear();
      swarm.restart();
      swarm.fetch(1);
    }
    swarm.run(swarm.now + 900'000);
    if (honest) {
      ++completed;
      EXPECT_TRUE(swarm.ready.contains(1)) << seed;
      EXPECT_TRUE(swarm.failed.empty()) << seed;
      swarm.expect_all();
    } else {
      EXPECT_TRUE(swarm.ready.empty()) << seed;
      EXPECT_TRUE(silent || swarm.failed.contains(1)) << seed;
      for (const Hash& address : swarm.addresses()) {
        EXPECT_FALSE(*swarm.blobs->has(address));
      }
    }
  }
  EXPECT_GT(completed, cases / 3);
}

TEST(BlobSwarm, NoPieceIsAskedForTwiceWhereNothingIsLost) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Swarm swarm(seed);
    TestRandom& random = swarm.random;
    for (uint64_t count = 1 + random.below(4); count > 0; --count) {
      swarm.add(random.chance(4) ? Kind::busy : Kind::honest, 1 + random.below(80));
    }
    for (uint64_t count = 1 + random.below(3); count > 0; --count) {
      swarm.want(noise(random.below(20 * piece_bytes), random.next()));
    }
    swarm.fetch(1);
    swarm.run(swarm.now + 600'000);
    ASSERT_TRUE(swarm.ready.contains(1)) << seed;
    swarm.expect_all();
    uint64_t served = 0;
    for (const auto& holder : swarm.holders) {
      served += holder->pieces_served;
    }
    EXPECT_EQ(served, swarm.pieces()) << seed;
    EXPECT_EQ(swarm.client->counts().pieces, swarm.pieces());
    EXPECT_EQ(swarm.client->counts().duplicates, 0U);
    EXPECT_EQ(swarm.client->counts().late, 0U);
  }
}

TEST(BlobSwarm, WhatCameBeforeARestartIsNotAskedForAgain) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Swarm swarm(seed);
    swarm.add(Kind::honest, 20);
    swarm.add(Kind::honest, 30);
    swarm.want(noise(60 * piece_bytes + 5, seed));
    const Hash address = swarm.addresses().front();
    swarm.fetch(1);
    swarm.run(swarm.now + 40 + swarm.random.below(60));
    const size_t kept = swarm.own_values.all("part/").size();
    ASSERT_TRUE(swarm.ready.empty());
    ASSERT_GT(kept, 0U);
    // What the old life asked for still arrives, unasked: its connections are gone.
    Swarm after(seed);
    after.own_values = swarm.own_values;
    after.add(Kind::honest, 20);
    after.want(swarm.wanted.front());
    after.restart();
    after.fetch(1);
    after.run(after.now + 60'000);
    ASSERT_TRUE(after.ready.contains(1));
    after.expect_all();
    EXPECT_EQ(after.client->counts().pieces, 61 - kept);
    EXPECT_FALSE(after.asked.contains({address, net::last_piece})) << "its size is proven";
    for (const auto& [piece, times] : after.asked) {
      EXPECT_EQ(times, 1U);
    }
  }
}

TEST(BlobSwarm, FastHoldersGiveMore) {
  Swarm swarm(1);
  swarm.add(Kind::honest, 200);
  swarm.add(Kind::honest, 10);
  swarm.add(Kind::honest, 12);
  swarm.want(noise(200 * piece_bytes, 1));
  swarm.fetch(1);
  swarm.run(swarm.now + 60'000);
  ASSERT_TRUE(swarm.ready.contains(1));
  EXPECT_EQ(swarm.client->counts().duplicates, 0U);
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_GT(swarm.holders[i]->pieces_served, 2 * swarm.holders[0]->pieces_served);
  }
  EXPECT_GT(swarm.holders[0]->pieces_served, 0U);
}

TEST(BlobSwarm, ASilentHolderCostsOneRetry) {
  Swarm swarm(1);
  swarm.add(Kind::silent);
  swarm.add(Kind::honest);
  swarm.want(noise(50 * piece_bytes, 1));
  const uint64_t begun = swarm.now;
  swarm.fetch(1);
  swarm.run(swarm.now + 60'000);
  ASSERT_TRUE(swarm.ready.contains(1));
  EXPECT_LE(swarm.now - begun, 3 * BlobClient::retry_ms);
}

TEST(BlobSwarm, EachLiarIsBelievedOnce) {
  for (const Kind kind : {Kind::wrong_bytes,
                          Kind::wrong_path,
                          Kind::wrong_size,
                          Kind::huge_size,
                          Kind::wrong_index}) {
    Swarm swarm(1);
    swarm.add(kind, 4);
    swarm.add(kind, 6);
    swarm.want(noise(30 * piece_bytes, 1));
    swarm.fetch(1);
    swarm.run(swarm.now + 60'000);
    EXPECT_TRUE(swarm.failed.contains(1));
    EXPECT_EQ(swarm.client->counts().lies, 2U);
    EXPECT_TRUE(swarm.own_values.all("").empty()) << "nothing of it is kept";
    // The same again costs not even a question.
    swarm.failed.clear();
    const size_t asked = swarm.asked.size();
    swarm.fetch(2);
    EXPECT_TRUE(swarm.failed.contains(2));
    EXPECT_EQ(swarm.asked.size(), asked);
    // An honest one is still welcome.
    swarm.failed.clear();
    swarm.add(Kind::honest);
    swarm.client->fetch(swarm.now, 3, swarm.addresses(), key_of(2));
    swarm.run(swarm.now + 60'000);
    EXPECT_TRUE(swarm.ready.contains(3));
    swarm.expect_all();
  }
}

/// A holder that turns liar, and one whose disk is full, in the middle.
TEST(BlobSwarm, WhatWasCheckedIsKeptWhenAHolderTurnsLiar) {
  Swarm swarm(1);
  swarm.add(Kind::honest, 20);
  swarm.want(noise(40 * piece_bytes, 1));
  swarm.fetch(1);
  swarm.run(swarm.now + 70);
  swarm.holders[0]->kind = Kind::wrong_bytes;
  swarm.run(swarm.now + 60'000);
  ASSERT_TRUE(swarm.failed.contains(1));
  const size_t kept = swarm.own_values.all("part/").size();
  EXPECT_GT(kept, 4U);
  swarm.failed.clear();
  swarm.add(Kind::honest, 20);
  swarm.client->fetch(swarm.now, 2, swarm.addresses(), key_of(1));
  swarm.run(swarm.now + 60'000);
  ASSERT_TRUE(swarm.ready.contains(2));
  EXPECT_EQ(swarm.holders[1]->pieces_served, 40 - kept);
  swarm.expect_all();
}

TEST(BlobSwarm, ADiskThatIsFullEndsTheFetchAndLosesNothing) {
  Swarm swarm(1);
  swarm.add(Kind::honest, 20);
  swarm.want(noise(40 * piece_bytes, 1));
  swarm.fetch(1);
  swarm.run(swarm.now + 70);
  swarm.own_values.is_full = true;
  swarm.run(swarm.now + 60'000);
  ASSERT_TRUE(swarm.failed.contains(1));
  swarm.own_values.is_full = false;
  swarm.failed.clear();
  swarm.fetch(2);
  swarm.run(swarm.now + 60'000);
  ASSERT_TRUE(swarm.ready.contains(2));
  swarm.expect_all();
}

TEST(BlobSwarm, AStoreThatFailsForAWhileOnlyDelays) {
  Swarm swarm(1);
  swarm.add(Kind::honest, 20);
  swarm.want(noise(40 * piece_bytes, 1));
  swarm.want(noise(100, 2));
  swarm.fetch(1);
  for (const uint64_t lives : {uint64_t{0}, uint64_t{3}, uint64_t{20}, uint64_t{1}, uint64_t{9}}) {
    swarm.own_values.lives = lives;
    swarm.run(swarm.now + 1200);
  }
  swarm.own_values.lives = UINT64_MAX;
  swarm.run(swarm.now + 60'000);
  ASSERT_TRUE(swarm.ready.contains(1));
  EXPECT_TRUE(swarm.failed.empty());
  swarm.expect_all();
}

// ---- serving

TEST(BlobServer, OneGreedyPeerGetsItsShareAndStarvesNobody) {
  CrashingValues values;
  store::Blobs blobs(values, law::data_mode());
  const Hash big = *blobs.put(noise(64 * piece_bytes, 1));
  const Hash small = *blobs.put(noise(1000, 2));
  Effects effects;
  ServeLimits limits;
  limits.bytes_per_second = 4 * piece_bytes;
  limits.burst_bytes = 8 * piece_bytes;
  BlobServer server(blobs, effects, limits);
  uint64_t greedy = 0;
  for (uint64_t now = 1000; now < 11'000; now += 10) {
    server.on_ask(now, key_of(0), {big, now % 64, 16});
    if (now % 1000 == 0) {
      server.on_ask(now, key_of(1), {small});
    }
  }
  uint64_t modest = 0;
  for (const Effect& effect : effects) {
    const auto& send = std::get<Send>(effect);
    const auto& give = std::get<net::GiveBlob>(send.message);
    (send.to == key_of(0) ? greedy : modest) +=
        give.answer == net::BlobAnswer::piece ? give.bytes.size() : 0;
    if (give.answer == net::BlobAnswer::busy) {
      EXPECT_EQ(send.to, key_of(0));
      EXPECT_GT(give.wait_ms, 0U);
      EXPECT_LE(give.wait_ms, 5000U);
    }
  }
  EXPECT_EQ(modest, 10U * 1000U);
  EXPECT_LE(greedy, 10 * limits.bytes_per_second + limits.burst_bytes + piece_bytes);
  EXPECT_GE(greedy, 8 * limits.bytes_per_second);
}

TEST(BlobServer, ABlobIsHashedOnceForAllItsPieces) {
  CrashingValues values;
  store::Blobs blobs(values, law::data_mode());
  std::vector<Hash> all;
  for (uint64_t i = 0; i < 6; ++i) {
    all.push_back(*blobs.put(noise(4 * piece_bytes, i)));
  }
  Effects effects;
  ServeLimits limits;
  limits.open_bytes_max = 10 * piece_bytes;
  BlobServer server(blobs, effects, limits);
  for (uint64_t piece = 0; piece < 4; ++piece) {
    for (size_t i = 0; i < 2; ++i) {
      server.on_ask(1000, key_of(0), {all[i], piece, 1});
    }
  }
  EXPECT_EQ(server.opened(), 2U);
  for (uint64_t i = 0; i < 60; ++i) {
    server.on_ask(1000 + i, key_of(1), {all[i % 6], i % 4, 1});
    EXPECT_LE(server.open_bytes(), limits.open_bytes_max);
  }
  limits.open_bytes_max = 1;
  BlobServer poor(blobs, effects, limits);
  effects.clear();
  poor.on_ask(1000, key_of(0), {all[0], 0, 4});
  EXPECT_EQ(effects.size(), 4U) << "one is always open";
}

TEST(BlobServer, OddQuestionsGetNoMoreThanTheyShould) {
  CrashingValues values;
  store::Blobs blobs(values, law::data_mode());
  const Hash address = *blobs.put(noise(3 * piece_bytes, 1));
  Effects effects;
  BlobServer server(blobs, effects);
  const auto answers = [&](uint64_t first, uint32_t count) {
    server.on_ask(1000, key_of(0), {address, first, count});
    return std::exchange(effects, {}).size();
  };
  EXPECT_EQ(answers(0, 3), 3U);
  EXPECT_EQ(answers(1, UINT32_MAX), 2U);
  EXPECT_EQ(answers(net::last_piece, 1), 1U);
  EXPECT_EQ(answers(net::last_piece, 100), 1U);
  EXPECT_EQ(answers(3, 1), 0U);
  EXPECT_EQ(answers(UINT64_MAX - 1, UINT32_MAX), 0U);
  EXPECT_EQ(answers(0, 0), 0U);
  // More peers than are remembered.
  for (uint64_t i = 0; i < 1500; ++i) {
    PublicKey peer;
    std::memcpy(peer.bytes.data(), &i, sizeof i);
    server.on_ask(1000, peer, {address});
  }
  EXPECT_EQ(effects.size(), 1500U);
}

}  // namespace
}  // namespace lockstep::node
