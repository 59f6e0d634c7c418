// Introductions: who may ask whom for what, and that peers meet.
#include "net/contact.h"

#include <gtest/gtest.h>

#include "net/test_links_world.h"

namespace lockstep::net {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this file is about nothing else

TEST(Contact, TheHubIntroducesAPeerThatCannotBeDialed) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Market market(seed);
    market.start();
    const uint64_t hub_wrote = market.hub.end->written;
    for (uint64_t i = 0; i < 50; ++i) {
      ASSERT_TRUE(market.requester.send_number(market.provider, i));
    }
    ASSERT_TRUE(market.requester.send(
        market.provider, GiveBlob{Hash{}, BlobAnswer::piece, 0, 1, 0, 0, Bytes(300'000, 1), {}}));
    market.world.run(4000);
    EXPECT_EQ(numbers_from(market.provider, market.requester), up_to(50)) << "seed " << seed;
    EXPECT_EQ(market.provider.arrived.size(), 51U);
    EXPECT_TRUE(market.provider.send_number(market.requester, 7));
    market.world.run(1000);
    EXPECT_EQ(market.requester.arrived.size(), 1U);
    EXPECT_TRUE(market.hub.arrived.empty());
    EXPECT_LT(market.hub.end->written - hub_wrote, 1000U) << "nothing is relayed";
    // Once they have met the provider knows where the requester is.
    market.world.pipes.cut_all();
    ASSERT_TRUE(market.provider.send_number(market.requester, 8));
    market.world.run(4000);
    EXPECT_EQ(numbers_from(market.requester, market.provider).back(), 8U);
  }
}

TEST(Contact, TheHubSaysWhereAPeerListens) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Market market(seed);
    Machine& auditor = market.world.add(4, Role::auditor, false);
    auditor.options.hub = market.hub.key;
    market.start();
    for (uint64_t i = 0; i < 20; ++i) {
      ASSERT_TRUE(auditor.send_number(market.requester, i));
    }
    market.world.run(4000);
    EXPECT_EQ(numbers_from(market.requester, auditor), up_to(20)) << "seed " << seed;
    EXPECT_TRUE(market.requester.send_number(auditor, 7));
    market.world.run(1000);
    EXPECT_EQ(auditor.arrived.size(), 1U);
    // Two that do not listen cannot meet, and what waits for that does not wait for ever.
    ASSERT_TRUE(auditor.send_number(market.provider, 1));
    market.world.run(20'000, 100);
    EXPECT_TRUE(market.provider.arrived.empty());
    EXPECT_EQ(auditor.links->waiting_bytes(), 0U);
  }
}

TEST(Contact, AnIntroductionThatGoesNowhereEnds) {
  Market market(5);
  market.provider.options.wanted = [](const PublicKey&) { return false; };
  market.start();
  ASSERT_TRUE(market.requester.send_number(market.provider, 1));
  ASSERT_TRUE(market.requester.links->send(market.world.now, key_of(77), FollowBlocks{1}));
  market.world.run(20'000, 100);
  EXPECT_TRUE(market.provider.arrived.empty()) << "it does not want to";
  EXPECT_EQ(market.provider.end->dialed, 1U) << "only the hub";
  EXPECT_EQ(market.requester.links->waiting_bytes(), 0U);
}

TEST(Contact, TheHubSaysWhoIsThere) {
  Market market(6);
  Machine& auditor = market.world.add(4, Role::auditor, false);
  Machine& other = market.world.add(5, Role::provider, false);
  Machine& unknown = market.world.add(6, Role::provider, false);
  for (Machine* const machine : {&auditor, &other, &unknown}) {
    machine->options.hub = market.hub.key;
  }
  market.hub.options.known = [&](const PublicKey& key) { return key != unknown.key; };
  market.start();
  ASSERT_TRUE(market.requester.links->ask_who(market.world.now, Role::provider));
  ASSERT_TRUE(market.requester.links->ask_who(market.world.now, Role::auditor));
  ASSERT_TRUE(market.provider.links->ask_who(market.world.now, Role::provider));
  ASSERT_TRUE(market.hub.links->ask_who(market.world.now, Role::requester));
  market.world.run(1000);
  std::vector<PublicKey> providers = {market.provider.key, other.key};
  std::sort(providers.begin(), providers.end());
  ASSERT_EQ(market.requester.lists.size(), 2U);
  std::sort(market.requester.lists[0].keys.begin(), market.requester.lists[0].keys.end());
  EXPECT_EQ(market.requester.lists[0].keys, providers);
  EXPECT_EQ(market.requester.lists[1].role, Role::auditor);
  EXPECT_EQ(market.requester.lists[1].keys, std::vector<PublicKey>{auditor.key});
  ASSERT_EQ(market.provider.lists.size(), 1U);
  EXPECT_EQ(market.provider.lists[0].keys, std::vector<PublicKey>{other.key}) << "not itself";
  ASSERT_EQ(market.hub.lists.size(), 1U);
  EXPECT_EQ(market.hub.lists[0].keys, std::vector<PublicKey>{market.requester.key});
}

TEST(Contact, ALongListGoesOnTheNextTime) {
  World world(7);
  Machine& hub = world.add(1, Role::ledger, true);
  hub.options.hub = hub.key;
  hub.start();
  constexpr uint64_t count = 200;
  for (uint64_t i = 2; i < 2 + count; ++i) {
    Machine& provider = world.add(i, Role::provider, false);
    provider.start();
    provider.links->add_peer(hub.key, {address_of(1)});
  }
  world.run(3000, 20, 400);
  std::vector<PublicKey> seen;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(hub.links->ask_who(world.now, Role::provider));
    hub.drain();
    EXPECT_EQ(hub.lists.back().keys.size(), listed_peers_max);
    EXPECT_TRUE(read_contact(codec::encode(Contact(hub.lists.back()))).ok());
    seen.insert(seen.end(), hub.lists.back().keys.begin(), hub.lists.back().keys.end());
  }
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  EXPECT_EQ(seen.size(), count);
}

TEST(Contact, OnlyTheHubIntroducesAndOnlyTheHubIsAsked) {
  const std::vector<Contact> from_nobody = {PeerList{Role::provider, {key_of(9)}},
                                            CallOn{key_of(9), {{"machine-9", 4000}}}};
  for (const Contact& contact : from_nobody) {
    for (const size_t to : {size_t{0}, size_t{2}}) {  // the hub, and a node
      Market market(8);
      Rogue rogue(market.world, 20);
      market.start();
      rogue.dial(*market.world.machines[to]);
      market.world.run(500);
      ASSERT_TRUE(rogue.is_open);
      rogue.say(contact);
      market.world.run(1000);
      EXPECT_FALSE(rogue.is_open);
      EXPECT_NE(rogue.session->ended()->what.find("only the hub"), std::string::npos);
      EXPECT_TRUE(market.requester.lists.empty());
      EXPECT_EQ(market.requester.end->dialed, 1U);
    }
  }
  Market market(9);
  Rogue rogue(market.world, 20);
  market.start();
  rogue.dial(market.requester);
  market.world.run(500);
  rogue.say(WhoIs{Role::provider});
  market.world.run(500);
  EXPECT_FALSE(rogue.is_open);
}

TEST(Contact, RequestsToTheHubAreBounded) {
  Market market(10);
  Rogue rogue(market.world, 20);
  market.start();
  rogue.dial(market.hub);
  market.world.run(500);
  for (int i = 0; i < 1000; ++i) {
    rogue.say(WhoIs{Role::provider});
    market.world.run(10, 10);
  }
  EXPECT_TRUE(rogue.is_open);
  EXPECT_GE(rogue.contacts, 32U + 8 * 9);
  EXPECT_LE(rogue.contacts, 32U + 8 * 12);
}

}  // namespace
}  // namespace lockstep::net
