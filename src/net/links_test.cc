// Whole nodes' links in a network of pipes: who reaches whom, through which link, and what comes.
#include "net/links.h"

#include <gtest/gtest.h>

#include "base/test_soak.h"
#include "net/priority.h"
#include "net/test_links_world.h"

namespace lockstep::net {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this file is about nothing else

// ---- links

TEST(Links, MessagesToAnAddressArriveInOrderBothWays) {
  for (uint64_t seed = 1; seed <= 20 * soak_times(); ++seed) {
    World world(seed);
    Machine& listener = world.add(1, Role::ledger, true);
    Machine& dialer = world.add(2, Role::provider, false);
    listener.start();
    dialer.start();
    dialer.links->add_peer(listener.key, {address_of(9), address_of(1)});
    for (uint64_t i = 0; i < 300; ++i) {
      ASSERT_TRUE(dialer.send_number(listener, i));
      if (!dialer.ups.empty() && !listener.ups.empty()) {
        listener.send_number(dialer, i);
      }
      world.turn(world.pipes.random().below(20));
      world.now += 10;
    }
    world.run(5000);
    EXPECT_EQ(numbers_from(listener, dialer), up_to(300)) << "seed " << seed;
    EXPECT_GT(numbers_from(dialer, listener).size(), 100U);
    EXPECT_TRUE(std::is_sorted(
        dialer.arrived.begin(), dialer.arrived.end(), [](const auto& a, const auto& b) {
          return std::get<FollowBlocks>(a.second).first < std::get<FollowBlocks>(b.second).first;
        }));
    EXPECT_EQ(listener.ups, std::vector<PublicKey>{dialer.key});
    EXPECT_TRUE(listener.downs.empty() && dialer.downs.empty());
  }
}

TEST(Links, OfCrossingDialsOneLinkStaysAndNothingIsLostOrDoubled) {
  size_t crossed = 0;
  for (uint64_t seed = 1; seed <= 200 * soak_times(); ++seed) {
    World world(seed);
    Machine& one = world.add(seed, Role::provider, true);
    Machine& two = world.add(seed + 1, Role::requester, true);
    one.start();
    two.start();
    one.links->add_peer(two.key, {address_of(seed + 1)});
    two.links->add_peer(one.key, {address_of(seed)});
    crossed += world.pipes.wire_count() == 2 ? 1 : 0;
    for (uint64_t i = 0; i < 60; ++i) {
      ASSERT_TRUE(one.send_number(two, i));
      ASSERT_TRUE(two.send_number(one, i));
      one.send(two, GiveBlob{Hash{}, BlobAnswer::piece, 0, 1, 0, 0, Bytes(20'000, 1), {}});
      world.turn(world.pipes.random().below(8));
      world.now += 5;
    }
    world.run(3000);
    auto there = numbers_from(two, one);
    auto back = numbers_from(one, two);
    std::sort(there.begin(), there.end());
    std::sort(back.begin(), back.end());
    EXPECT_EQ(there, up_to(60)) << "seed " << seed;
    EXPECT_EQ(back, up_to(60)) << "seed " << seed;
    EXPECT_EQ(two.arrived.size(), 120U) << "seed " << seed;
    EXPECT_EQ(one.links->link_count(), 1U) << "seed " << seed;
    EXPECT_EQ(two.links->link_count(), 1U);
    EXPECT_EQ(world.pipes.wire_count(), 1U);
  }
  EXPECT_GT(crossed, 100U);
}

TEST(Links, CutsLoseAtMostWhatWasOnItsWayAndLinksComeBack) {
  size_t cuts = 0;
  for (uint64_t seed = 1; seed <= 30 * soak_times(); ++seed) {
    World world(seed);
    Machine& hub = world.add(1, Role::ledger, true);
    std::vector<Machine*> others;
    for (uint64_t i = 2; i < 6; ++i) {
      others.push_back(&world.add(i, Role::provider, i % 2 == 0));
    }
    hub.start();
    for (Machine* const other : others) {
      other->start();
      other->links->add_peer(hub.key, {address_of(1)});
    }
    uint64_t number = 0;
    for (; number < 300; ++number) {
      for (Machine* const other : others) {
        other->send_number(hub, number);
        hub.send_number(*other, number);
      }
      world.turn(world.pipes.random().below(60));
      world.now += 20;
      if (world.pipes.random().chance(40)) {
        world.pipes.cut_one();
        ++cuts;
      }
    }
    world.run(20'000);
    for (Machine* const other : others) {
      EXPECT_FALSE(has_twice(numbers_from(hub, *other)));
      EXPECT_FALSE(has_twice(numbers_from(*other, hub)));
      EXPECT_TRUE(hub.links->is_up(other->key)) << "seed " << seed;
      EXPECT_TRUE(other->send_number(hub, number));
      EXPECT_TRUE(hub.send_number(*other, number));
    }
    world.run(3000);
    for (Machine* const other : others) {
      EXPECT_EQ(numbers_from(hub, *other).back(), number);
      EXPECT_EQ(numbers_from(*other, hub).back(), number);
    }
    EXPECT_EQ(hub.links->link_count(), others.size());
  }
  EXPECT_GT(cuts, 100U);
}

TEST(Links, APeerThatCameBackTakesThePlaceOfItsDeadLink) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed);
    Machine& listener = world.add(seed, Role::ledger, true);
    Machine& dialer = world.add(seed + 50, Role::provider, false);
    for (Machine* const machine : {&listener, &dialer}) {
      machine->start();
    }
    dialer.links->add_peer(listener.key, {address_of(seed)});
    world.run(1000);
    ASSERT_TRUE(listener.links->is_up(dialer.key));
    for (uint64_t round = 1; round <= 8; ++round) {  // killed, and started again
      world.pipes.turn_off(*dialer.end);
      dialer.start();
      dialer.links->add_peer(listener.key, {address_of(seed)});
      world.run(1000);
      listener.send_number(dialer, round);
      dialer.send_number(listener, round);
      world.run(1000);
      EXPECT_EQ(numbers_from(dialer, listener).size(), round) << "seed " << seed;
      EXPECT_EQ(numbers_from(listener, dialer).size(), round);
      EXPECT_LE(listener.links->link_count(), 4U);
    }
    world.run(60'000, 200);
    EXPECT_EQ(listener.links->link_count(), 1U) << "dead links go";
    EXPECT_EQ(listener.downs.size(), 0U) << "it was there all the time";
  }
}

TEST(Links, ASilentNetworkIsNoticedAndLeft) {
  World world(3);
  Machine& listener = world.add(1, Role::ledger, true);
  Machine& dialer = world.add(2, Role::provider, false);
  listener.start();
  dialer.start();
  dialer.links->add_peer(listener.key, {address_of(1)});
  world.run(120'000, 200);
  EXPECT_TRUE(listener.downs.empty()) << "pings keep it";
  world.pipes.freeze_all();
  world.run(45'000, 200);
  ASSERT_EQ(listener.downs.size(), 1U);
  EXPECT_EQ(listener.downs[0].code, Code::timed_out);
  EXPECT_EQ(dialer.downs.size(), 1U);
  world.run(5000);
  EXPECT_TRUE(listener.links->is_up(dialer.key)) << "it dials again";
}

// ---- who is not reached

TEST(Links, MessagesForAPeerThatIsNotThereAreBoundedAndDropped) {
  World world(1);
  Machine& machine = world.add(1, Role::provider, false);
  Machine& gone = world.add(2, Role::requester, true);
  machine.options.waiting_bytes_max = 100'000;
  machine.options.all_waiting_bytes_max = 150'000;
  machine.start();
  const Message blob = GiveBlob{Hash{}, BlobAnswer::piece, 0, 1, 0, 0, Bytes(9'000, 1), {}};
  size_t taken = 0;
  for (int i = 0; i < 100; ++i) {
    taken += machine.send(gone, blob) ? 1 : 0;
  }
  EXPECT_GE(taken, 9U);
  EXPECT_LE(taken, 11U);
  for (uint64_t i = 10; i < 100; ++i) {
    taken += machine.links->send(world.now, key_of(i), blob) ? 1 : 0;
  }
  EXPECT_LE(machine.links->waiting_bytes(), 150'000U);
  EXPECT_LE(taken, 16U);
  world.run(16'000, 200);
  EXPECT_EQ(machine.links->waiting_bytes(), 0U);
  EXPECT_TRUE(machine.send(gone, blob));
  EXPECT_FALSE(machine.links->send(world.now, machine.key, blob)) << "nobody speaks to itself";
  EXPECT_FALSE(machine.send(
      gone,
      Message(
          GiveBlob{Hash{}, BlobAnswer::piece, 0, 1, 0, 0, Bytes(message_bytes_max[2], 1), {}})));
}

TEST(Links, DialsThatFailBecomeRare) {
  World world(1);
  Machine& machine = world.add(1, Role::provider, false);
  machine.start();
  machine.links->add_peer(key_of(2), {address_of(2), address_of(3)});
  world.run(10'000);
  const uint64_t first = machine.end->dialed;
  EXPECT_GE(machine.unreached.size(), 3U) << "each failure is told, with its reason";
  EXPECT_TRUE(machine.downs.empty());
  EXPECT_GE(first, 4U);
  EXPECT_LE(first, 10U);
  world.run(300'000, 200);
  EXPECT_GE(machine.end->dialed - first, 18U);
  EXPECT_LE(machine.end->dialed - first, 30U);
  // It comes at last.
  Machine& late = world.add(2, Role::ledger, true);
  late.start();
  world.run(40'000, 200);
  EXPECT_TRUE(machine.links->is_up(late.key));
}

TEST(Links, WhoIsSomebodyElseIsNotReached) {
  World world(1);
  Machine& machine = world.add(1, Role::provider, false);
  Machine& other = world.add(2, Role::ledger, true);
  machine.start();
  other.start();
  machine.links->add_peer(key_of(3), {address_of(2)});
  Machine& stranger = world.add(4, Role::provider, false);  // of another network
  stranger.options.session.network.hash.bytes[0] = 1;
  stranger.start();
  stranger.links->add_peer(other.key, {address_of(2)});
  world.run(60'000, 200);
  EXPECT_TRUE(machine.ups.empty());
  EXPECT_TRUE(other.ups.empty() && stranger.ups.empty());
  EXPECT_LE(stranger.end->dialed, 16U) << "a refusal is a failure";
}

TEST(Links, WhatIsNoMessageEndsTheLink) {
  for (const Channel channel : {Channel::nodes, Channel::peers}) {
    Market market(11);
    Rogue rogue(market.world, 20);
    market.start();
    rogue.dial(market.hub);
    market.world.run(500);
    EXPECT_TRUE(rogue.send(channel, Bytes(10, 0xFF)));
    market.world.run(500);
    EXPECT_FALSE(rogue.is_open);
    EXPECT_EQ(market.hub.downs.back().code, Code::bad_message);
    EXPECT_TRUE(market.hub.arrived.empty());
  }
}

// ---- limits

TEST(Links, AStrangerSendsLittleAndAKnownPeerIsNotHarmed) {
  World world(12);
  Machine& hub = world.add(1, Role::ledger, true);
  Machine& known = world.add(2, Role::provider, false);
  Machine& stranger = world.add(3, Role::provider, false);
  bool registered = false;
  hub.options.known = [&](const PublicKey& key) { return key == known.key || registered; };
  for (Machine* const machine : {&hub, &known, &stranger}) {
    machine->start();
    machine->links->add_peer(hub.key, {address_of(1)});
  }
  const Message blob = GiveBlob{Hash{}, BlobAnswer::piece, 0, 1, 0, 0, Bytes(1000, 1), {}};
  world.run(500);
  const auto flood = [&](uint64_t seconds) {
    hub.arrived.clear();
    for (uint64_t i = 0; i < seconds * 10; ++i) {
      for (uint64_t j = 0; j < 40; ++j) {
        (void)stranger.send_number(hub, i * 40 + j);
      }
      known.send_number(hub, i);
      world.run(100, 20);
    }
  };
  flood(20);
  const size_t window = hub.options.strangers.window_bytes[0] / (message_overhead + 9);
  EXPECT_LE(numbers_from(hub, stranger).size(), window + 20 * 22);
  EXPECT_GE(numbers_from(hub, stranger).size(), 20U * 15);
  EXPECT_EQ(numbers_from(hub, known), up_to(200));
  EXPECT_TRUE(stranger.send(hub, blob)) << "waits until there is credit";
  world.run(500);
  registered = true;
  world.run(20'000);
  flood(20);
  EXPECT_GE(numbers_from(hub, stranger).size(), 7900U);
  EXPECT_TRUE(stranger.send(hub, blob));
  world.run(500);
  EXPECT_EQ(hub.arrived.back().second.index(), blob.index());
  EXPECT_TRUE(stranger.downs.empty());
}

TEST(Links, ThereAreOnlySoManyLinks) {
  World world(13);
  Machine& hub = world.add(1, Role::ledger, true);
  hub.options.links_max = 12;
  hub.options.strangers_max = 5;
  const PublicKey friend_key = key_of(40);
  hub.options.known = [&](const PublicKey& key) { return key == friend_key; };
  hub.start();
  std::vector<std::unique_ptr<Rogue>> rogues;
  for (uint64_t i = 20; i < 50; ++i) {
    rogues.push_back(std::make_unique<Rogue>(world, i));
    rogues.back()->dial(hub);
    world.run(100);
    EXPECT_LE(hub.links->link_count(), 6U);
  }
  EXPECT_TRUE(hub.links->is_up(friend_key)) << "strangers leave room for others";
  for (int i = 0; i < 20; ++i) {  // one key with many links
    rogues.push_back(std::make_unique<Rogue>(world, 40));
    rogues.back()->dial(hub);
    world.run(100);
    EXPECT_LE(hub.links->link_count(), 5U + 4U);
  }
  EXPECT_TRUE(hub.links->is_up(friend_key));
}

TEST(Links, ANodeThatDoesNotReadHoldsLittle) {
  World world(14);
  Machine& reader = world.add(1, Role::requester, true);
  Machine& writer = world.add(2, Role::provider, false);
  reader.options.session.limits.window_bytes = {300'000, 300'000, 9'000'000};
  writer.options.session.queue_bytes_max = {500'000, 500'000, 20'000'000};
  reader.start();
  writer.start();
  writer.links->add_peer(reader.key, {address_of(1)});
  world.run(500);
  reader.drains = false;
  const Message blob = GiveBlob{Hash{}, BlobAnswer::piece, 0, 1, 0, 0, Bytes(1'000'000, 1), {}};
  size_t taken = 0;
  size_t refused = 0;
  uint64_t number = 0;
  for (int i = 0; i < 100; ++i) {
    ++(writer.send(reader, blob) ? taken : refused);
    for (int j = 0; j < 50; ++j) {
      number += writer.send_number(reader, number) ? 1 : 0;
    }
    world.run(40);
    ASSERT_LE(reader.links->held_bytes(), 9'700'000U);
  }
  EXPECT_GT(refused, 50U);
  reader.drains = true;
  world.run(8000, 10, 200);
  EXPECT_EQ(numbers_from(reader, writer), up_to(number));
  EXPECT_EQ(reader.arrived.size(), number + taken);
}

TEST(Priority, OnlyBlobDataIsBulkAndOnlyWhatTheLedgerSendsIsOrdinary) {
  std::array<size_t, priorities> seen{};
  const auto see = [&]<size_t... index>(std::index_sequence<index...>) {
    (++seen.at(index_of(priority_of(Message(std::in_place_index<index>)))), ...);
  };
  see(std::make_index_sequence<std::variant_size_v<Message>>());
  EXPECT_EQ(seen[0], std::variant_size_v<Message> - 2) << "a missing blob is said at once";
  EXPECT_EQ(priority_of(Blocks{}), Priority::ordinary);
  EXPECT_EQ(priority_of(GiveGenesis{}), Priority::ordinary);
  GiveBlob piece;
  piece.answer = BlobAnswer::piece;
  EXPECT_EQ(priority_of(piece), Priority::bulk);
}

}  // namespace
}  // namespace lockstep::net
