// Sessions that keep the rules: what arrives, what is held, what is given up, and time.
#include "net/session.h"

#include <gtest/gtest.h>

#include <map>

#include "base/test_soak.h"
#include "net/test_session_pair.h"

namespace lockstep::net {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this file is about nothing else

// ---- arrival

struct Traffic {
  explicit Traffic(uint64_t seed) : random(seed), pair(options(), options()) {}

  SessionOptions options() {
    SessionOptions made = options_of();
    for (uint32_t& window : made.limits.window_bytes) {
      window = static_cast<uint32_t>(random.of<size_t>({100 * kib, 300 * kib, 5 * mib}));
    }
    return made;
  }
  void send() {
    const size_t from = random.below(2);
    const auto priority = static_cast<Priority>(random.below(3));
    const size_t most = random.of<size_t>({1, 40, 3000, 16 * kib, 16 * kib + 1, 90 * kib});
    Bytes bytes = body(random.next(), random.below(most + 1));
    if (pair.send(from, priority, bytes) != 0) {
      sent.at(from).at(index_of(priority)).push_back(std::move(bytes));
    }
  }
  void take(size_t to) {
    if (auto message = pair.sessions.at(to).take_message()) {
      got.at(1 - to).at(index_of(message->priority)).push_back(std::move(message->bytes));
    }
  }
  void act() {
    const size_t side = random.below(2);
    switch (random.below(5)) {
      case 0:
        return send();
      case 1:
        return take(side);
      case 2:
        (void)pair.write(side, random.below(60 * kib));
        return;
      default:
        (void)pair.read(side, 1 + random.below(random.of<uint64_t>({2, 30, 40 * kib})));
    }
  }
  void finish() {
    for (size_t i = 0; i < 10'000; ++i) {
      pair.settle();
      for (const size_t to : {size_t{0}, size_t{1}}) {
        while (pair.sessions.at(to).has_message()) {
          take(to);
        }
      }
      if (!pair.a().has_output(0) && !pair.b().has_output(0)) {
        return;
      }
    }
  }

  Random random;
  Pair pair;
  std::array<std::array<std::vector<Bytes>, priorities>, 2> sent;
  std::array<std::array<std::vector<Bytes>, priorities>, 2> got;
};

TEST(Session, EveryMessageArrivesOnceWholeAndInOrder) {
  size_t arrived = 0;
  for (uint64_t seed = 1; seed <= 60 * soak_times(); ++seed) {
    Traffic traffic(seed);
    for (int i = 0; i < 600; ++i) {
      traffic.act();
    }
    traffic.finish();
    for (const size_t from : {size_t{0}, size_t{1}}) {
      auto& sent = traffic.sent.at(from);
      auto& got = traffic.got.at(from);
      ASSERT_FALSE(traffic.pair.sessions.at(from).ended()) << "seed " << seed;
      EXPECT_EQ(got[0], sent[0]) << "seed " << seed;
      EXPECT_EQ(got[1], sent[1]) << "seed " << seed;
      std::sort(got[2].begin(), got[2].end());
      std::sort(sent[2].begin(), sent[2].end());
      EXPECT_EQ(got[2], sent[2]) << "seed " << seed;
      arrived += got[0].size() + got[1].size() + got[2].size();
    }
  }
  EXPECT_GT(arrived, 60 * 90 * soak_times());
}

TEST(Session, CutAnywhereExactlyTheFinishedMessagesAreThere) {
  Pair pair;
  pair.settle();
  std::vector<Bytes> sent;
  for (uint64_t i = 0; i < 6; ++i) {
    sent.push_back(body(i, 1 + 97 * i));
    ASSERT_NE(pair.send(0, Priority::control, sent.back()), 0U);
  }
  Pair fresh;
  Bytes stream = fresh.a().take_output(0, mib);
  const size_t hello = stream.size();
  const Bytes messages = pair.a().take_output(0, mib);
  stream.insert(stream.end(), messages.begin(), messages.end());
  size_t expected = 0;
  size_t end_of_next = hello + 2 * frame_head_bytes + 5 + sent[0].size();
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    if (cut == end_of_next) {
      ++expected;
      end_of_next += expected < sent.size() ? 2 * frame_head_bytes + 5 + sent[expected].size() : 1;
    }
    Session receiver(0, options_of());
    receiver.on_bytes(0, ByteView(stream).first(cut));
    ASSERT_FALSE(receiver.ended()) << cut;
    const auto got = take_all(receiver);
    ASSERT_EQ(got.size(), expected) << cut;
    EXPECT_TRUE(std::equal(got.begin(), got.end(), sent.begin())) << cut;
    // The rest in single bytes.
    for (size_t at = cut; at < stream.size(); ++at) {
      receiver.on_bytes(0, ByteView(stream).subspan(at, 1));
    }
    ASSERT_EQ(take_all(receiver).size(), sent.size() - expected) << cut;
  }
  EXPECT_EQ(expected, sent.size());
}

TEST(Session, ControlOvertakesABacklogOfBulk) {
  SessionOptions options = options_of();
  options.queue_bytes_max[2] = 80 * mib;
  Pair pair(options, options);
  pair.settle();
  for (uint64_t i = 0; i < 32; ++i) {
    ASSERT_NE(pair.send(0, Priority::bulk, Bytes(2 * mib, 7)), 0U);
  }
  constexpr size_t ahead = 128 * kib;  // what the network holds
  size_t worst = 0;
  for (int i = 0; i < 50; ++i) {
    (void)pair.write(0, ahead);
    ASSERT_NE(pair.send(0, Priority::control, body(1, 100)), 0U);
    size_t bytes = 0;
    bool there = false;
    while (!there && bytes < 10 * mib) {
      (void)pair.write(0, kib);  // a socket that takes little at a time
      bytes += pair.read(0, 4 * kib);
      while (auto message = pair.b().take_message()) {
        there = there || message->priority == Priority::control;
      }
      (void)pair.write(1, mib);
      (void)pair.read(1, mib);
    }
    ASSERT_TRUE(there);
    worst = std::max(worst, bytes);
    while (pair.pipes[0].size() > ahead) {
      (void)pair.read(0, mib);
    }
  }
  EXPECT_LE(worst, ahead + 4 * frame_bytes_max);
  EXPECT_GT(pair.a().queued_bytes(Priority::bulk), 30 * mib) << "there was a backlog all the time";
}

TEST(Session, BulkMessagesTakeTurns) {
  Pair pair;
  pair.settle();
  ASSERT_NE(pair.send(0, Priority::bulk, Bytes(4 * mib, 1)), 0U);
  ASSERT_NE(pair.send(0, Priority::bulk, Bytes(100 * kib, 2)), 0U);
  (void)pair.write(0, 300 * kib);
  (void)pair.read(0, mib);
  const auto first = pair.b().take_message();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->bytes, Bytes(100 * kib, 2));
}

// ---- memory

TEST(Session, AReaderThatNeverReadsHoldsNoMoreThanTheWindows) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Random random(seed);
    SessionOptions options = options_of();
    options.limits.window_bytes = {uint32_t{2} << 20, uint32_t{1} << 20, uint32_t{3} << 20};
    options.queue_bytes_max = {mib, mib, 4 * mib};
    Pair pair(options, options);
    std::array<size_t, priorities> taken{};
    std::array<size_t, priorities> refused{};
    for (int i = 0; i < 3000; ++i) {
      const auto priority = static_cast<Priority>(random.below(3));
      const size_t size = random.below(random.of<size_t>({10, 3000, 600 * kib}));
      const bool fits = pair.send(0, priority, Bytes(size, 1)) != 0;
      ++(fits ? taken : refused).at(index_of(priority));
      (void)pair.write(0, 64 * kib);
      (void)pair.read(0, mib);
      ASSERT_LE(pair.b().held_bytes(), 6 * mib + frame_bytes_max);
      ASSERT_LE(pair.a().queued_bytes(Priority::bulk), 4 * mib);
    }
    std::array<size_t, priorities> got{};
    pair.settle();
    while (pair.b().has_message()) {
      ++got.at(index_of(pair.b().take_message()->priority));
      pair.settle();
    }
    EXPECT_EQ(got, taken) << "what was taken arrives when it is read at last";
    for (const size_t count : refused) {
      EXPECT_GT(count, 0U) << "the sender was told";
    }
  }
}

TEST(Session, LengthsBeyondTheLimitAllocateNothing) {
  for (const FrameKind kind :
       {FrameKind::hello, FrameKind::data, FrameKind::open, FrameKind::bye}) {
    Pair pair;
    pair.settle();
    const size_t held = pair.b().held_bytes();
    Bytes frame;
    put_head(frame, {UINT32_MAX, kind, 0});
    pair.b().on_bytes(0, frame);
    ASSERT_TRUE(pair.b().ended());
    EXPECT_EQ(pair.b().ended()->code, Code::too_large);
    EXPECT_EQ(pair.b().held_bytes(), held);
  }
  Pair pair;
  pair.settle();
  Bytes frame;
  put_frame(frame, FrameKind::open, 2, Open{Channel::nodes, UINT32_MAX});
  pair.b().on_bytes(0, frame);
  ASSERT_TRUE(pair.b().ended());
  EXPECT_EQ(pair.b().ended()->code, Code::too_large);
  EXPECT_EQ(pair.b().held_bytes(), 0U);
}

// ---- giving up

TEST(Session, GivenUpMessagesHarmNoOthersAndTheirCreditComesBack) {
  size_t resets = 0;
  for (uint64_t seed = 1; seed <= 25 * soak_times(); ++seed) {
    Random random(seed);
    SessionOptions options = options_of();
    options.limits.window_bytes = {400 * kib, 400 * kib, 400 * kib};
    Pair pair(options, options);
    std::map<uint64_t, std::pair<Priority, Bytes>> sent;
    std::vector<Bytes> got;
    uint64_t stops = 0;
    for (int i = 0; i < 400; ++i) {
      const auto priority = static_cast<Priority>(random.below(3));
      Bytes bytes = body(random.next(), random.below(60 * kib));
      if (const uint64_t number = pair.send(0, priority, bytes); number != 0) {
        sent[number] = {priority, std::move(bytes)};
      }
      const uint64_t last = sent.empty() ? 1 : sent.rbegin()->first;
      if (random.chance(3) && pair.a().cancel(last - std::min(last, random.below(20)))) {
        ++resets;
      }
      if (random.chance(4)) {
        stops += pair.b().stop(static_cast<uint8_t>(random.below(slots))) ? 1U : 0U;
      }
      (void)pair.write(0, random.below(90 * kib));
      (void)pair.read(0, random.below(90 * kib));
      (void)pair.write(1, kib);
      (void)pair.read(1, random.below(kib));
      for (Bytes& bytes_there : take_all(pair.b())) {
        got.push_back(std::move(bytes_there));
      }
    }
    for (int i = 0; i < 100; ++i) {
      pair.settle();
      for (Bytes& bytes_there : take_all(pair.b())) {
        got.push_back(std::move(bytes_there));
      }
    }
    ASSERT_FALSE(pair.a().ended()) << pair.a().ended()->message();
    ASSERT_FALSE(pair.b().ended()) << pair.b().ended()->message();
    resets += stops;
    for (const Bytes& bytes : got) {
      const auto same = [&](const auto& entry) { return entry.second.second == bytes; };
      const auto found = std::find_if(sent.begin(), sent.end(), same);
      ASSERT_NE(found, sent.end()) << "seed " << seed;
      sent.erase(found);
    }
    // All credit is back: a message that takes the whole window passes.
    for (const Priority priority : {Priority::control, Priority::ordinary, Priority::bulk}) {
      ASSERT_NE(pair.send(0, priority, Bytes(400 * kib - message_overhead, 1)), 0U);
      pair.settle();
      EXPECT_EQ(take_all(pair.b()).size(), 1U) << "seed " << seed;
      pair.settle();
    }
    EXPECT_LE(pair.b().held_bytes(), kib) << "only what a hello takes";
  }
  EXPECT_GT(resets, 250U * soak_times());
}

TEST(Session, AStoppedMessageIsNotSentToTheEnd) {
  Pair pair;
  pair.settle();
  ASSERT_NE(pair.send(0, Priority::bulk, Bytes(4 * mib, 1)), 0U);
  ASSERT_NE(pair.send(0, Priority::bulk, Bytes(20, 2)), 0U);
  (void)pair.write(0, 10);
  (void)pair.read(0, mib);
  ASSERT_TRUE(pair.b().stop(first_bulk_slot) || pair.b().stop(first_bulk_slot + 1));
  EXPECT_LE(pair.b().held_bytes(), kib);
  (void)pair.write(1, kib);
  (void)pair.read(1, kib);
  EXPECT_LT(pair.write(0, 8 * mib), kib);
  (void)pair.read(0, mib);
  EXPECT_EQ(take_all(pair.b()), std::vector<Bytes>{Bytes(20, 2)});
}

TEST(Session, LateMessagesAreNotSentAndMakeRoom) {
  SessionOptions options = options_of();
  options.queue_bytes_max[2] = mib;
  Pair pair(options, options);
  for (int i = 0; i < 3; ++i) {
    ASSERT_NE(pair.send(0, Priority::bulk, Bytes(300 * kib, 1), 100), 0U);
  }
  EXPECT_EQ(pair.send(0, Priority::bulk, Bytes(300 * kib, 2)), 0U) << "the queue is full";
  pair.now = 101;
  EXPECT_NE(pair.send(0, Priority::bulk, Bytes(300 * kib, 2)), 0U) << "the old ones make room";
  EXPECT_NE(pair.send(0, Priority::control, Bytes(3, 3), 150), 0U);
  pair.now = 151;
  pair.settle();
  EXPECT_EQ(take_all(pair.b()), std::vector<Bytes>{Bytes(300 * kib, 2)});
  // One that is on its way is given up, too.
  EXPECT_NE(pair.send(0, Priority::bulk, Bytes(300 * kib, 4), 200), 0U);
  (void)pair.write(0, 50 * kib);
  pair.now = 201;
  pair.a().tick(pair.now);
  pair.settle();
  EXPECT_TRUE(take_all(pair.b()).empty());
  EXPECT_EQ(pair.b().held_bytes(), 0U);
  EXPECT_FALSE(pair.b().ended());
}

TEST(Session, WhatIsUnsentCanBeTakenElsewhere) {
  Pair pair;
  pair.settle();
  ASSERT_NE(pair.send(0, Priority::control, body(1, 50)), 0U);
  ASSERT_NE(pair.send(0, Priority::bulk, body(2, 90 * kib)), 0U);
  ASSERT_NE(pair.send(0, Priority::ordinary, body(3, 70)), 0U);
  (void)pair.write(0, 10);
  const auto unsent = pair.a().take_unsent();
  ASSERT_EQ(unsent.size(), 2U) << "the control message has left whole";
  EXPECT_EQ(unsent[0].second.bytes, body(3, 70));
  EXPECT_EQ(unsent[1].second.bytes, body(2, 90 * kib));
  EXPECT_EQ(pair.a().queued_bytes(Priority::bulk), 0U);
  pair.a().retire();
  pair.settle();
  EXPECT_EQ(take_all(pair.b()), std::vector<Bytes>{body(1, 50)});
  EXPECT_TRUE(pair.b().ended() && pair.b().replaced());
  EXPECT_FALSE(pair.a().ended());
}

// ---- time

TEST(Session, PingsKeepAnIdleConnectionAndSilenceEndsIt) {
  Pair pair;
  pair.settle();
  size_t moved = 0;
  for (; pair.now < 200'000; pair.now += 500) {
    pair.a().tick(pair.now);
    pair.b().tick(pair.now);
    moved += pair.write(0, kib) + pair.write(1, kib);
    (void)pair.read(0, kib);
    (void)pair.read(1, kib);
  }
  EXPECT_FALSE(pair.a().ended());
  EXPECT_FALSE(pair.b().ended());
  EXPECT_GE(moved, 19U * 28);
  EXPECT_LE(moved, 45U * 28);
  const uint64_t last = pair.now;
  for (; pair.now < last + 100'000 && !pair.a().ended(); pair.now += 500) {
    pair.a().tick(pair.now);
    (void)pair.write(0, kib);
  }
  ASSERT_TRUE(pair.a().ended());
  EXPECT_EQ(pair.a().ended()->code, Code::timed_out);
  EXPECT_GE(pair.now - last, 29'000U);
  EXPECT_LE(pair.now - last, 41'000U);
}

TEST(Session, AHelloThatDoesNotComeEndsIt) {
  Session session(1000, options_of());
  session.tick(10'999);
  session.on_bytes(10'999, Bytes{50, 0});
  EXPECT_FALSE(session.ended());
  session.tick(11'000);
  ASSERT_TRUE(session.ended());
  EXPECT_EQ(session.ended()->code, Code::timed_out);
}

TEST(Session, ALimitedPeerSendsNoFasterThanItMay) {
  struct Case {
    size_t size;
    uint64_t bytes_per_second;
    uint64_t messages_per_second;
  };
  for (const Case& one : {Case{10, 1 << 30, 20}, Case{4 * kib, 64 * kib, 1000}}) {
    SessionOptions strict = options_of();
    strict.limits = {{64 * 1024, 1024, 0}, one.bytes_per_second, one.messages_per_second};
    Pair pair(options_of(), strict);
    uint64_t arrived = 0;
    constexpr uint64_t seconds = 60;
    for (; pair.now < seconds * 1000; pair.now += 50) {
      for (int i = 0; i < 40; ++i) {
        (void)pair.send(0, Priority::control, Bytes(one.size, 1));
      }
      pair.settle();
      arrived += take_all(pair.b()).size();
    }
    const uint64_t cost = one.size + message_overhead;
    const uint64_t rate = std::min(one.messages_per_second, one.bytes_per_second / cost);
    const uint64_t window = 64 * kib / cost;
    EXPECT_LE(arrived, rate * (seconds + 1) + 2 * window);
    EXPECT_GE(arrived, rate * (seconds - 1) - 2 * window);
    EXPECT_FALSE(pair.a().ended());
    EXPECT_FALSE(pair.b().ended());
    // Without limits everything comes, and what did not fit before.
    ASSERT_NE(pair.send(0, Priority::bulk, Bytes(5000, 1)), 0U);
    pair.b().set_limits(PeerLimits{});
    for (int i = 0; i < 1000; ++i) {
      pair.settle();
      arrived += take_all(pair.b()).size();
    }
    EXPECT_EQ(pair.a().queued_bytes(Priority::control), 0U);
    EXPECT_EQ(pair.a().queued_bytes(Priority::bulk), 0U);
  }
}

}  // namespace
}  // namespace lockstep::net
