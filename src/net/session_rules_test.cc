// What ends a session: everything that an honest peer does not send.

#include <gtest/gtest.h>

#include "net/test_session_pair.h"

namespace lockstep::net {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this file is about nothing else

struct Breach {
  const char* name;
  Code code;
  Bytes bytes;
};

Bytes frame_of(FrameKind kind, uint8_t slot, ByteView payload) {
  Bytes bytes;
  put_head(bytes, {static_cast<uint32_t>(payload.size()), kind, slot});
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::vector<Breach> breaches() {
  const Bytes one(1, 1);
  const Bytes two(2, 1);
  const Bytes hello = Session(0, options_of()).take_output(0, mib);
  const Bytes no_grant = frame_of(FrameKind::grant, 0, codec::encode(Grant{0}));
  const Bytes all_grant = frame_of(FrameKind::grant, 0, codec::encode(Grant{UINT32_MAX}));
  return {
      {"an unknown kind", Code::bad_message, {1, 0, 0, 0, 9, 0, 0}},
      {"an unknown slot", Code::bad_message, open_frame(slots, 1)},
      {"a second hello", Code::bad_message, hello},
      {"data of nothing", Code::bad_message, frame_of(FrameKind::data, 0, one)},
      {"more data than was said",
       Code::bad_message,
       joined({open_frame(0, 1), frame_of(FrameKind::data, 0, two)})},
      {"no data", Code::bad_message, joined({open_frame(0, 1), frame_of(FrameKind::data, 0, {})})},
      {"two at once in a slot", Code::bad_message, joined({open_frame(3, 1), open_frame(3, 1)})},
      {"a long control message", Code::too_large, open_frame(0, 5 << 20)},
      {"more than there is credit for",
       Code::bad_message,
       joined({open_frame(2, 8 << 20), open_frame(3, 8 << 20)})},
      {"a reset of nothing", Code::bad_message, frame_of(FrameKind::reset, 4, {})},
      {"a grant of nothing", Code::bad_message, no_grant},
      {"a grant of too much", Code::bad_message, joined({all_grant, all_grant})},
      {"a class that is none",
       Code::bad_message,
       frame_of(FrameKind::grant, 3, codec::encode(Grant{1}))},
      {"a channel that is none",
       Code::not_canonical,
       frame_of(FrameKind::open, 0, Bytes{2, 1, 0, 0, 0})},
      {"a bye that is none",
       Code::not_canonical,
       frame_of(FrameKind::bye, 0, Bytes{9, 0, 0, 0, 0})},
  };
}

TEST(Session, WhoBreaksARuleIsToldAndLeft) {
  for (const Breach& breach : breaches()) {
    for (const size_t piece : {size_t{1}, breach.bytes.size()}) {
      Pair pair;
      pair.settle();
      ASSERT_FALSE(pair.b().ended());
      for (size_t at = 0; at < breach.bytes.size(); at += piece) {
        const size_t size = std::min(piece, breach.bytes.size() - at);
        pair.b().on_bytes(0, ByteView(breach.bytes).subspan(at, size));
      }
      ASSERT_TRUE(pair.b().ended()) << breach.name;
      EXPECT_EQ(pair.b().ended()->code, breach.code) << breach.name;
      pair.settle();
      ASSERT_TRUE(pair.a().ended()) << breach.name;
      EXPECT_NE(pair.a().ended()->what.find(pair.b().ended()->what), std::string::npos);
      EXPECT_EQ(pair.send(1, Priority::control, Bytes(1, 1)), 0U);
    }
  }
}

TEST(Session, OnlyAFittingHelloComesFirst) {
  Hello good;
  good.network = options_of().network;
  good.places = {{"one", 1}};
  Hello other_network = good;
  other_network.network.hash.bytes[5] = 1;
  Hello other_version = good;
  other_version.version = 7;
  Hello no_port = good;
  no_port.places[0].port = 0;
  Hello long_name = good;
  long_name.places[0].host = std::string(host_bytes_max + 1, 'x');
  Hello many = good;
  many.places.resize(places_max + 1, {"x", 1});
  struct Case {
    Bytes bytes;
    Code code;
  };
  for (const Case& one : {Case{hello_bytes(other_network), Code::wrong_network},
                          Case{hello_bytes(other_version), Code::wrong_network},
                          Case{hello_bytes(no_port), Code::bad_address},
                          Case{hello_bytes(long_name), Code::bad_address},
                          Case{hello_bytes(many), Code::bad_address},
                          Case{open_frame(0, 1), Code::bad_message},
                          Case{frame_of(FrameKind::ping, 0, Bytes(8, 1)), Code::bad_message},
                          Case{Bytes{'G', 'E', 'T', ' ', '/', ' '}, Code::bad_message}}) {
    Session session(0, options_of());
    session.on_bytes(0, one.bytes);
    ASSERT_TRUE(session.ended());
    EXPECT_EQ(session.ended()->code, one.code);
    EXPECT_FALSE(session.hello());
  }
  Session session(0, options_of());
  session.on_bytes(0, hello_bytes(good));
  EXPECT_EQ(session.hello(), good);
}

TEST(Session, FloodsOfControlFramesEndIt) {
  for (const FrameKind kind :
       {FrameKind::ping, FrameKind::pong, FrameKind::stop, FrameKind::grant}) {
    Pair pair;
    pair.settle();
    const Bytes payload(kind == FrameKind::ping || kind == FrameKind::pong ? 8 : 4, 1);
    const Bytes frame = frame_of(kind, 0, payload);
    int count = 0;
    for (; count < 5000 && !pair.b().ended(); ++count) {
      pair.b().on_bytes(0, frame);
    }
    ASSERT_TRUE(pair.b().ended());
    EXPECT_GT(count, 200);
    EXPECT_LT(count, 400);
    // Slowly it is no flood.
    Pair slow;
    slow.settle();
    const Bytes ping = frame_of(FrameKind::ping, 0, Bytes(8, 1));
    for (uint64_t i = 0; i < 2000; ++i) {
      slow.b().on_bytes(i * 100, ping);
      (void)slow.b().take_output(i * 100, kib);
    }
    EXPECT_FALSE(slow.b().ended());
  }
}

}  // namespace
}  // namespace lockstep::net
