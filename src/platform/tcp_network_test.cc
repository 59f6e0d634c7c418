// Two nodes over real sockets: what is written arrives, in order and once; queues stay bounded;
// links end as they should.
#include "platform/tcp_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/test_random.h"
#include "platform/test_tls_peer.h"

namespace lockstep::platform {
namespace {

Bytes bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

Bytes random_bytes(TestRandom& random, size_t count) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<uint8_t>(random.next() >> 56);
  }
  return bytes;
}

/// Two nodes with one link: the first one dialed the second.
struct Pair {
  explicit Pair(const NetworkLimits& limits = patient())
      : first(loop, test_identity(1), limits), second(loop, test_identity(2), limits) {
    const env::Address address = second.listen();
    link = first.network.dial(address, second.network.id());
    run_until(loop,
              [this] { return first.events.opened.size() + second.events.opened.size() == 2; });
    back = second.events.opened.begin()->first;
  }

  Loop loop;
  TestNode first, second;
  env::Link link = 0;
  env::Link back = 0;  // the same at the other end
};

TEST(TcpNetwork, TwoNodesTalkBothWays) {
  Pair pair;
  EXPECT_TRUE(pair.first.events.opened.at(pair.link).dialed);
  EXPECT_FALSE(pair.second.events.opened.at(pair.back).dialed);
  EXPECT_EQ(pair.first.events.opened.at(pair.link).peer, pair.second.network.id());
  EXPECT_EQ(pair.second.events.opened.at(pair.back).peer, pair.first.network.id());
  pair.first.network.write(pair.link, bytes_of("a question"));
  pair.second.events.then_bytes = [&](env::Link link, ByteView) {
    pair.second.network.write(link, bytes_of("an "));
    pair.second.network.write(link, bytes_of("answer"));
  };
  run_until(pair.loop, [&] { return pair.first.events.heard[pair.link].size() == 9; });
  EXPECT_EQ(pair.second.events.heard[pair.back], bytes_of("a question"));
  EXPECT_EQ(pair.first.events.heard[pair.link], bytes_of("an answer"));
  EXPECT_EQ(pair.second.network.open_count(), 1U);
  EXPECT_EQ(pair.second.network.half_open_count(), 0U);
}

TEST(TcpNetwork, FindsNamesAndWritesBeforeTheLinkIsOpen) {
  Loop loop;
  TestNode first(loop, test_identity(1));
  TestNode second(loop, test_identity(2));
  const env::Address address = second.listen();
  const env::Link link = first.network.dial({"localhost", address.port}, second.network.id());
  first.network.write(link, bytes_of("early"));
  run_until(loop, [&] { return !second.events.heard.empty(); });
  EXPECT_EQ(second.events.heard.begin()->second, bytes_of("early"));
}

/// Random pieces both ways, with pauses: all of it arrives in order.
TEST(TcpNetwork, EverythingArrivesInOrder) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    Pair pair;
    TestRandom random(seed);
    Bytes there, back;
    for (int round = 0; round < 60; ++round) {
      const size_t most = random.chance(6) ? size_t{400'000} : size_t{3000};
      const Bytes bytes = random_bytes(random, 1 + random.below(most));
      if (random.chance(2)) {
        there.insert(there.end(), bytes.begin(), bytes.end());
        pair.first.network.write(pair.link, bytes);
      } else {
        back.insert(back.end(), bytes.begin(), bytes.end());
        pair.second.network.write(pair.back, bytes);
      }
      pair.first.network.pause(pair.link, random.chance(3));
      pair.second.network.pause(pair.back, random.chance(3));
      if (random.chance(4)) {
        run_for(pair.loop, random.below(3));
      }
    }
    pair.first.network.pause(pair.link, false);
    pair.second.network.pause(pair.back, false);
    run_until(pair.loop, [&] {
      return pair.second.events.heard[pair.back].size() >= there.size() &&
             pair.first.events.heard[pair.link].size() >= back.size();
    });
    EXPECT_EQ(pair.second.events.heard[pair.back], there) << "seed " << seed;
    EXPECT_EQ(pair.first.events.heard[pair.link], back) << "seed " << seed;
  }
}

TEST(TcpNetwork, SmallWritesOfOneTurnAreOneRecord) {
  Pair pair;
  int calls = 0;
  pair.second.events.then_bytes = [&](env::Link, ByteView) { ++calls; };
  for (int i = 0; i < 100; ++i) {
    pair.first.network.write(pair.link, bytes_of("small"));
  }
  run_until(pair.loop, [&] { return pair.second.events.heard[pair.back].size() == 500; });
  EXPECT_EQ(calls, 1);
}

TEST(TcpNetwork, EveryWriteIsFollowedByDrained) {
  Pair pair;
  TestRandom random(3);
  for (int i = 0; i < 50; ++i) {
    const size_t before = pair.first.events.drained;
    pair.first.network.write(pair.link, Bytes(1 + random.below(i % 10 == 0 ? 2'000'000 : 100)));
    run_until(pair.loop, [&] { return pair.first.events.drained > before; });
    EXPECT_LE(pair.first.network.queued(pair.link), NetworkLimits{}.low_water);
  }
}

TEST(TcpNetwork, APausedReaderHoldsTheWriterBack) {
  Pair pair;
  constexpr size_t piece = size_t{1} << 20;
  size_t written = 0;
  pair.first.events.then_drained = [&](env::Link link) {
    pair.first.network.write(link, Bytes(piece, static_cast<uint8_t>(written / piece)));
    written += piece;
  };
  pair.second.network.pause(pair.back, true);
  pair.first.events.then_drained(pair.link);
  // Until nothing moves any more: only the kernels' buffers have taken something.
  for (size_t before = 0; before != written;) {
    before = written;
    run_for(pair.loop, 100);
  }
  EXPECT_TRUE(pair.second.events.heard.empty());
  EXPECT_GT(pair.first.network.queued(pair.link), NetworkLimits{}.low_water);
  EXPECT_LE(pair.first.network.queued(pair.link), NetworkLimits{}.low_water + piece);
  EXPECT_LT(written, size_t{100} << 20);
  pair.first.events.then_drained = {};
  pair.second.network.pause(pair.back, false);
  run_until(pair.loop, [&] { return pair.second.events.heard[pair.back].size() == written; });
  const Bytes& heard = pair.second.events.heard[pair.back];
  for (size_t i = 0; i < written; i += 4096) {
    ASSERT_EQ(heard[i], static_cast<uint8_t>(i / piece));
  }
}

TEST(TcpNetwork, AWriterWhoDoesNotWaitLosesTheLink) {
  NetworkLimits limits = patient();
  limits.queued_max = 1000;
  Pair pair(limits);
  pair.first.network.write(pair.link, Bytes(600));
  pair.first.network.write(pair.link, Bytes(600));
  EXPECT_TRUE(pair.first.events.closed.empty()) << "told from inside a call";
  run_until(pair.loop, [&] { return pair.first.events.closed.size() == 1; });
  EXPECT_EQ(pair.first.events.closed.at(pair.link).code, Code::too_large);
}

TEST(TcpNetwork, WhatWasWrittenBeforeCloseStillLeaves) {
  Pair pair;
  TestRandom random(5);
  const Bytes bytes = random_bytes(random, 8'000'000);
  pair.first.network.write(pair.link, bytes);
  pair.second.network.write(pair.back, Bytes(100'000));  // nobody hears that
  pair.first.network.close(pair.link);
  pair.first.network.write(pair.link, bytes);
  pair.first.network.close(pair.link);
  run_until(pair.loop, [&] {
    return !pair.second.events.closed.empty() && !pair.first.events.closed.empty();
  });
  EXPECT_EQ(pair.second.events.heard[pair.back], bytes);
  EXPECT_EQ(pair.first.events.closed.at(pair.link).code, Code::cancelled);
  EXPECT_EQ(pair.second.events.closed.at(pair.back).code, Code::io_failed);
  EXPECT_EQ(pair.second.events.closed.at(pair.back).what, "the other side closed the connection");
  run_until(pair.loop, [&] { return pair.first.network.open_count() == 0; });
}

TEST(TcpNetwork, AReaderWhoNeverReadsDoesNotKeepALinkFromClosing) {
  NetworkLimits limits = patient();
  limits.close_ms = 50;
  Pair pair(limits);
  pair.second.network.pause(pair.back, true);
  pair.first.network.write(pair.link, Bytes(size_t{64} << 20));
  pair.first.network.close(pair.link);
  run_until(pair.loop, [&] { return !pair.first.events.closed.empty(); });
  EXPECT_EQ(pair.first.events.closed.at(pair.link).code, Code::timed_out);
}

TEST(TcpNetwork, ClosesAll) {
  Pair pair;
  const env::Link second = pair.first.network.dial({"127.0.0.1", 1}, pair.second.network.id());
  pair.first.network.close_all();
  pair.second.network.close_all();
  run_until(pair.loop, [&] {
    return pair.first.events.closed.size() == 2 && pair.second.events.closed.size() == 1;
  });
  EXPECT_EQ(pair.first.events.closed.at(second).code, Code::cancelled);
  run_until(pair.loop, [&] { return pair.second.network.open_count() == 0; });
}

TEST(TcpNetwork, MayGoWhileLinksAreOpen) {
  Loop loop;
  auto first = std::make_unique<TestNode>(loop, test_identity(1));
  TestNode second(loop, test_identity(2));
  const env::Address address = second.listen();
  const env::Link link = first->network.dial(address, second.network.id());
  (void)first->network.dial({"localhost", address.port}, second.network.id());
  first->network.write(link, Bytes(1'000'000));
  run_until(loop, [&] { return !second.events.heard.empty(); });
  first.reset();
  run_until(loop, [&] {
    return second.network.open_count() == 0 && second.network.half_open_count() == 0 &&
           second.events.closed.size() == second.events.opened.size();
  });
  EXPECT_FALSE(second.events.closed.empty());
}

TEST(TcpNetwork, TellsWhyItCannotListen) {
  Loop loop;
  TestNode first(loop, test_identity(1));
  TestNode second(loop, test_identity(2));
  const env::Address address = first.listen();
  EXPECT_NE(address.port, 0);
  const auto taken = second.network.listen(address);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, Code::in_use);
  EXPECT_NE(taken.error().next.find("another port"), std::string::npos);
  EXPECT_EQ(taken.error().where, "127.0.0.1:" + std::to_string(address.port));
  EXPECT_EQ(second.network.listen({"no address", 0}).error().code, Code::bad_address);
  EXPECT_EQ(second.network.listen({"192.0.2.1", 0}).error().code, Code::bad_address);
}

TEST(TcpNetwork, TellsWhyItCannotReach) {
  Loop loop;
  TestNode first(loop, test_identity(1));
  env::Address nobody;
  {
    TestNode gone(loop, test_identity(2));
    nobody = gone.listen();
  }
  const env::Link refused = first.network.dial(nobody, test_identity(2).id());
  const env::Link unnamed = first.network.dial({"name.invalid", 1}, test_identity(2).id());
  EXPECT_NE(refused, unnamed);
  run_until(loop, [&] { return first.events.closed.size() == 2; });
  EXPECT_EQ(first.events.closed.at(refused).code, Code::unreachable);
  EXPECT_EQ(first.events.closed.at(refused).where, "127.0.0.1:" + std::to_string(nobody.port));
  EXPECT_EQ(first.events.closed.at(unnamed).code, Code::unreachable);
  EXPECT_TRUE(first.events.opened.empty());
}

TEST(TcpNetwork, GivesUpOnWhoDoesNotAnswer) {
  NetworkLimits limits = patient();
  limits.handshake_ms = 30;
  Loop loop;
  TestNode first(loop, test_identity(1), limits);
  boost::asio::io_context context;
  tcp::acceptor silent(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const env::Link link = first.network.dial({"127.0.0.1", silent.local_endpoint().port()}, {});
  run_until(loop, [&] { return !first.events.closed.empty(); });
  EXPECT_EQ(first.events.closed.at(link).code, Code::timed_out);
}

TEST(TcpNetwork, TakesNoMoreLinksThanItMay) {
  NetworkLimits limits = patient();
  limits.open_max = 3;
  Loop loop;
  TestNode server(loop, test_identity(1), limits);
  TestNode client(loop, test_identity(2));
  const env::Address address = server.listen();
  for (int i = 0; i < 5; ++i) {
    (void)client.network.dial(address, server.network.id());
  }
  run_until(loop, [&] { return client.events.closed.size() == 2; });
  EXPECT_EQ(server.events.opened.size(), 3U);
  EXPECT_EQ(server.network.open_count(), 3U);
  // One that goes makes room.
  server.network.close(server.events.opened.begin()->first);
  run_until(loop, [&] { return server.network.open_count() == 2; });
  (void)client.network.dial(address, server.network.id());
  run_until(loop, [&] { return server.events.opened.size() == 4; });
}

TEST(TcpNetwork, NeverCallsFromInsideACall) {
  Loop loop;
  TestNode server(loop, test_identity(1));
  TestNode client(loop, test_identity(2));
  const env::Address address = server.listen();
  bool inside = false;
  int calls = 0;
  const auto outside = [&] {
    EXPECT_FALSE(inside);
    ++calls;
  };
  client.events.then_open = [&](env::Link link) {
    outside();
    inside = true;
    client.network.write(link, bytes_of("x"));
    client.network.pause(link, true);
    client.network.pause(link, false);
    client.network.close(link);
    inside = false;
  };
  client.events.then_closed = [&](env::Link) {
    outside();
    inside = true;
    if (client.events.closed.size() < 3) {
      client.network.close(client.network.dial(address, server.network.id()));
    }
    inside = false;
  };
  (void)client.network.dial(address, server.network.id());
  run_until(loop, [&] { return client.events.closed.size() == 3; });
  EXPECT_EQ(calls, 4);
}

}  // namespace
}  // namespace lockstep::platform
