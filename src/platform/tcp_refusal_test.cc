// Who is not let in: other keys, times, networks and protocols, and who wastes our time. Not one
// byte of theirs is heard, and whoever is honest still gets in.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <thread>

#include "base/test_random.h"
#include "platform/tcp_network.h"
#include "platform/test_tls_peer.h"

namespace lockstep::platform {
namespace {

constexpr uint64_t day_ms = 86'400'000;

/// A node that listens; whoever comes is a thread of its own.
struct Door {
  explicit Door(const NetworkLimits& limits = patient()) : node(loop, test_identity(1), limits) {
    address = node.listen();
  }
  /// Runs `stranger` until it is done and somebody was refused.
  void visit(const std::function<void()>& stranger) {
    std::thread thread([&] {
      stranger();
      loop.post([this] { done = true; });
    });
    run_until(loop, [this] { return done && !node.refused.empty(); });
    thread.join();
  }
  void expect_refused(Code code, const std::string& text) const {
    EXPECT_TRUE(node.events.opened.empty());
    EXPECT_TRUE(node.events.heard.empty());
    ASSERT_EQ(node.refused.size(), 1U);
    EXPECT_EQ(node.refused[0].code, code) << node.refused[0].message();
    EXPECT_NE(node.refused[0].message().find(text), std::string::npos) << node.refused[0].message();
    EXPECT_FALSE(node.refused[0].next.empty());
    EXPECT_EQ(node.network.half_open_count(), 0U);
  }
  /// And that a node gets in all the same.
  void expect_open() {
    const size_t before = node.events.opened.size();
    TestNode honest(loop, test_identity(50));
    (void)honest.network.dial(address, node.network.id());
    run_until(loop, [&] {
      return honest.events.opened.size() == 1 && node.events.opened.size() == before + 1;
    });
    for (const auto& [link, why] : honest.events.closed) {
      ADD_FAILURE() << why.message();
    }
  }

  Loop loop;
  bool done = false;
  TestNode node;
  env::Address address;
};

/// Connects with this setting, says something at once, and waits for the end.
void knock(const env::Address& address, const RawTls::Setting& setting) {
  Stranger stranger(address);
  RawTls tls(setting);
  if (tls.handshake(stranger, true)) {
    (void)tls.write("let me in");
    EXPECT_EQ(tls.read_some(), "");
  }
}

void expect_no_entry(const RawTls::Setting& setting, const std::string& text) {
  Door door;
  door.visit([&] { knock(door.address, setting); });
  door.expect_refused(Code::not_trusted, text);
  door.expect_open();
}

TEST(TcpRefusal, TheStrangerWouldGetInWithAGoodCertificate) {
  // What every refusal below rests on: the same client, with nothing wrong.
  Door door;
  const CertificatePtr certificate = copy_of(test_identity(2));
  const KeyPtr key = test_key(2);
  std::thread thread([&] {
    Stranger stranger(door.address);
    RawTls tls({.certificate = certificate.get(), .key = key.get()});
    EXPECT_TRUE(tls.handshake(stranger, true));
    EXPECT_TRUE(tls.write("hello"));
    EXPECT_EQ(tls.read_some(), "welcome");
    EXPECT_EQ(SSL_version(tls.session()), TLS1_3_VERSION);
    EXPECT_EQ(SSL_session_reused(tls.session()), 0);
    EXPECT_EQ(SSL_SESSION_has_ticket(SSL_get0_session(tls.session())), 0);
  });
  door.node.events.then_bytes = [&](env::Link link, ByteView) {
    door.node.network.write(link, {'w', 'e', 'l', 'c', 'o', 'm', 'e'});
  };
  run_until(door.loop, [&] { return !door.node.events.closed.empty(); });
  thread.join();
  EXPECT_EQ(door.node.events.opened.begin()->second.peer, test_identity(2).id());
  EXPECT_EQ(door.node.events.heard.begin()->second, (Bytes{'h', 'e', 'l', 'l', 'o'}));
  EXPECT_TRUE(door.node.refused.empty());
}

TEST(TcpRefusal, ExpiredCertificate) {
  const TlsIdentity old = test_identity(2, test_network, Loop::now_ms() - 2 * day_ms);
  const KeyPtr key = test_key(2);
  expect_no_entry({.certificate = old.certificate(), .key = key.get()}, "ran out at");
  expect_no_entry({.certificate = old.certificate(), .key = key.get()}, "clocks of both machines");
}

TEST(TcpRefusal, CertificateOfTomorrow) {
  const TlsIdentity early = test_identity(2, test_network, Loop::now_ms() + day_ms);
  const KeyPtr key = test_key(2);
  expect_no_entry({.certificate = early.certificate(), .key = key.get()}, "is valid from");
}

TEST(TcpRefusal, CertificateOfAnotherNetwork) {
  const TlsIdentity other = test_identity(2, test_hash(201));
  const KeyPtr key = test_key(2);
  expect_no_entry({.certificate = other.certificate(), .key = key.get()}, "another network");
}

TEST(TcpRefusal, SignedByAnotherKey) {
  const CertificatePtr certificate = copy_of(test_identity(2));
  ASSERT_GT(X509_sign(certificate.get(), test_key(3).get(), nullptr), 0);
  const KeyPtr key = test_key(2);
  expect_no_entry({.certificate = certificate.get(), .key = key.get()}, "not signed by the key");
}

TEST(TcpRefusal, CertificateOfSomebodyElse) {
  const TlsIdentity victim = test_identity(2);
  const KeyPtr key = torn_key(victim.id(), 3);
  expect_no_entry({.certificate = victim.certificate(), .key = key.get()}, "bad signature");
}

TEST(TcpRefusal, P256Certificate) {
  const CertificatePtr certificate = copy_of(test_identity(2));
  const KeyPtr key(EVP_EC_gen("P-256"));
  ASSERT_EQ(X509_set_pubkey(certificate.get(), key.get()), 1);
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  // A library that keeps to what we offer has no certificate left to show.
  expect_no_entry({.certificate = certificate.get(), .key = key.get()}, "certificate");
}

TEST(TcpRefusal, FurtherCertificates) {
  const CertificatePtr certificate = copy_of(test_identity(2));
  const CertificatePtr also = copy_of(test_identity(3));
  const KeyPtr key = test_key(2);
  expect_no_entry({.certificate = certificate.get(), .key = key.get(), .also = also.get()},
                  "more than its own certificate");
}

TEST(TcpRefusal, NoCertificate) {
  expect_no_entry({}, "peer did not return a certificate");
}

TEST(TcpRefusal, Tls12) {
  const CertificatePtr certificate = copy_of(test_identity(2));
  const KeyPtr key = test_key(2);
  expect_no_entry(
      {.certificate = certificate.get(), .key = key.get(), .version_max = TLS1_2_VERSION},
      "unsupported protocol");
}

TEST(TcpRefusal, AnotherProtocolOrNone) {
  const CertificatePtr certificate = copy_of(test_identity(2));
  const KeyPtr key = test_key(2);
  expect_no_entry({.certificate = certificate.get(), .key = key.get(), .protocol = "h2"},
                  "no application protocol");
  expect_no_entry({.certificate = certificate.get(), .key = key.get(), .protocol = ""},
                  "does not speak lockstep/1");
}

void expect_bytes_refused(const std::string& text, Code code, const std::string& why) {
  Door door;
  door.visit([&] {
    Stranger stranger(door.address);
    EXPECT_TRUE(stranger.write({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
    stranger.socket().shutdown(tcp::socket::shutdown_send);
    stranger.read_to_end();
  });
  door.expect_refused(code, why);
  door.expect_open();
}

TEST(TcpRefusal, PlainText) {
  expect_bytes_refused("GET / HTTP/1.1\r\n\r\n", Code::not_trusted, "http request");
  expect_bytes_refused("lockstep/1 hello there\n", Code::not_trusted, "not what a node sends");
  expect_bytes_refused("", Code::io_failed, "broke off the handshake");
}

TEST(TcpRefusal, Garbage) {
  TestRandom random(11);
  for (int i = 0; i < 40; ++i) {
    std::string text;
    const size_t size = 20 + random.below(600);
    while (text.size() < size) {
      text += static_cast<char>(random.below(256));
    }
    if (i % 2 == 1) {
      text.replace(0, 5, std::string("\x16\x03\x01\x00\x40", 5));  // like a first record
      text.resize(69);
    }
    Door door;
    door.visit([&] {
      Stranger stranger(door.address);
      (void)stranger.write({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
      boost::system::error_code ignored;
      stranger.socket().shutdown(tcp::socket::shutdown_send, ignored);
      stranger.read_to_end();
    });
    EXPECT_TRUE(door.node.events.opened.empty());
    EXPECT_EQ(door.node.refused.size(), 1U);
  }
}

/// Carries bytes between somebody who connects to it and the door, and notes what goes in.
class Carrier {
 public:
  explicit Carrier(const env::Address& door)
      : acceptor_(context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
        thread_([this, door] { carry(door); }) {}
  ~Carrier() { thread_.join(); }
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;
  [[nodiscard]] env::Address address() const {
    return {"127.0.0.1", acceptor_.local_endpoint().port()};
  }
  /// Of each piece that goes in: may change it.
  std::function<void(Bytes&)> change;
  Bytes carried;

 private:
  void carry(const env::Address& door) {
    Stranger from(acceptor_);
    Stranger to(door);
    std::thread back([&] {
      for (Bytes bytes = to.read_some(); !bytes.empty() && from.write(bytes);) {
        bytes = to.read_some();
      }
      boost::system::error_code ignored;
      from.socket().shutdown(tcp::socket::shutdown_both, ignored);
    });
    for (Bytes bytes = from.read_some(); !bytes.empty(); bytes = from.read_some()) {
      carried.insert(carried.end(), bytes.begin(), bytes.end());
      if (change) {
        change(bytes);
      }
      if (!to.write(bytes)) {
        break;
      }
    }
    boost::system::error_code ignored;
    to.socket().shutdown(tcp::socket::shutdown_both, ignored);
    back.join();
  }

  boost::asio::io_context context_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

TEST(TcpRefusal, ARecordedHandshakeSentAgain) {
  Door door;
  Bytes recorded;
  {
    Carrier carrier(door.address);
    TestNode honest(door.loop, test_identity(2));
    const env::Link link = honest.network.dial(carrier.address(), door.node.network.id());
    honest.network.write(link, {'p', 'a', 'y'});
    run_until(door.loop, [&] { return !door.node.events.heard.empty(); });
    honest.network.close_all();
    run_until(door.loop, [&] {
      return honest.network.open_count() == 0 && door.node.events.closed.size() == 1;
    });
    recorded = std::move(carrier.carried);
  }
  ASSERT_GT(recorded.size(), 500U);
  door.visit([&] {
    Stranger stranger(door.address);
    EXPECT_TRUE(stranger.write(recorded));
    stranger.read_to_end();
  });
  EXPECT_EQ(door.node.events.opened.size(), 1U) << "only the first time";
  EXPECT_EQ(door.node.events.heard.size(), 1U);
  ASSERT_EQ(door.node.refused.size(), 1U);
  EXPECT_EQ(door.node.refused[0].code, Code::not_trusted);
}

TEST(TcpRefusal, BytesChangedOnTheWay) {
  Door door;
  Carrier carrier(door.address);
  TestNode honest(door.loop, test_identity(2));
  (void)honest.network.dial(carrier.address(), door.node.network.id());
  run_until(door.loop, [&] {
    return honest.events.opened.size() == 1 && door.node.events.opened.size() == 1;
  });
  carrier.change = [](Bytes& bytes) { bytes.back() ^= 1; };
  honest.network.write(honest.events.opened.begin()->first, Bytes(100));
  run_until(door.loop, [&] {
    return door.node.events.closed.size() == 1 && honest.events.closed.size() == 1;
  });
  EXPECT_TRUE(door.node.events.heard.empty());
  EXPECT_EQ(door.node.events.closed.begin()->second.code, Code::not_trusted);
}

// The same from the other side: who answers is not who was dialed.

/// Dials one who answers by `setting`, and gives why the link was closed.
Error dial_raw(const RawTls::Setting& setting, const env::NodeId& expected) {
  Loop loop;
  TestNode node(loop, test_identity(1));
  boost::asio::io_context context;
  tcp::acceptor acceptor(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  std::thread thread([&] {
    Stranger stranger(acceptor);
    RawTls tls(setting);
    if (tls.handshake(stranger, false)) {
      (void)tls.write("welcome");
      (void)tls.read_some();
    }
  });
  const env::Link link =
      node.network.dial({"127.0.0.1", acceptor.local_endpoint().port()}, expected);
  node.network.write(link, {'s', 'e', 'c', 'r', 'e', 't'});
  run_until(loop, [&] { return !node.events.closed.empty(); });
  thread.join();
  EXPECT_TRUE(node.events.opened.empty());
  EXPECT_TRUE(node.events.heard.empty());
  return node.events.closed.at(link);
}

void expect_distrust(const Error& why, const std::string& text) {
  EXPECT_EQ(why.code, Code::not_trusted) << why.message();
  EXPECT_NE(why.message().find(text), std::string::npos) << why.message();
  EXPECT_FALSE(why.next.empty());
  EXPECT_EQ(why.where.substr(0, 10), "127.0.0.1:");
}

TEST(TcpRefusal, AnotherNodeThanExpectedAnswers) {
  Loop loop;
  TestNode first(loop, test_identity(1));
  TestNode second(loop, test_identity(2));
  const env::Address address = second.listen();
  const env::Link link = first.network.dial(address, test_identity(3).id());
  run_until(loop, [&] { return !first.events.closed.empty() && !second.refused.empty(); });
  expect_distrust(first.events.closed.at(link), to_hex(test_identity(3).id()) + " was expected");
  EXPECT_TRUE(first.events.opened.empty());
  EXPECT_TRUE(second.events.opened.empty());
}

TEST(TcpRefusal, ADialedServerThatIsNoGoodNode) {
  const uint64_t now_ms = Loop::now_ms();
  const KeyPtr key = test_key(2);
  const env::NodeId id = test_identity(2).id();
  const TlsIdentity old = test_identity(2, test_network, now_ms - 2 * day_ms);
  expect_distrust(dial_raw({.certificate = old.certificate(), .key = key.get()}, id), "ran out at");
  const TlsIdentity other = test_identity(2, test_hash(201));
  expect_distrust(dial_raw({.certificate = other.certificate(), .key = key.get()}, id),
                  "another network");
  const TlsIdentity good = test_identity(2);
  const KeyPtr torn = torn_key(id, 3);
  expect_distrust(dial_raw({.certificate = good.certificate(), .key = torn.get()}, id),
                  "bad signature");
  expect_distrust(dial_raw({.certificate = good.certificate(), .key = key.get()}, id),
                  "does not speak lockstep/1");  // it chooses no protocol
  expect_distrust(
      dial_raw({.certificate = good.certificate(), .key = key.get(), .version_max = TLS1_2_VERSION},
               id),
      "refused this one");
}

TEST(TcpRefusal, ATruncatedOrBrokenOffLinkSaysSo) {
  Door door;
  const CertificatePtr certificate = copy_of(test_identity(2));
  const KeyPtr key = test_key(2);
  // In the middle of the handshake.
  door.visit([&] {
    Stranger stranger(door.address);
    (void)stranger.write(Bytes{0x16, 3, 1, 0x10, 0, 1, 0, 0});
    stranger.close();
  });
  door.expect_refused(Code::io_failed, "broke off");
  // In the middle of a record.
  std::thread thread([&] {
    Stranger stranger(door.address);
    RawTls tls({.certificate = certificate.get(), .key = key.get()});
    EXPECT_TRUE(tls.handshake(stranger, true));
    EXPECT_TRUE(tls.write("whole"));
    (void)stranger.write(Bytes{0x17, 3, 3, 1, 0, 1, 2, 3});
    stranger.close();
  });
  run_until(door.loop, [&] { return !door.node.events.closed.empty(); });
  thread.join();
  EXPECT_EQ(door.node.events.closed.begin()->second.code, Code::io_failed);
  EXPECT_EQ(door.node.events.heard.begin()->second, (Bytes{'w', 'h', 'o', 'l', 'e'}));
  door.expect_open();
}

/// A stranger who goes at once: what it said before is heard, though nothing can be written to it.
TEST(TcpRefusal, TheLastWordsOfWhoHasGoneAreHeard) {
  Door door;
  const CertificatePtr certificate = copy_of(test_identity(2));
  const KeyPtr key = test_key(2);
  const std::string last(100'000, 'l');
  std::thread thread([&] {
    Stranger stranger(door.address);
    RawTls tls({.certificate = certificate.get(), .key = key.get()});
    EXPECT_TRUE(tls.handshake(stranger, true));
    EXPECT_TRUE(tls.write(last));
    stranger.close();
  });
  door.node.events.then_open = [&](env::Link link) {
    door.node.network.pause(link, true);
    thread.join();  // it is gone before we read, and writing fails
    for (int i = 0; i < 3; ++i) {
      door.node.network.write(link, Bytes(1000));
    }
    door.loop.call_after(5, [&door, link] {
      door.node.network.pause(link, false);
      door.node.network.write(link, Bytes(1000));
    });
  };
  run_until(door.loop, [&] { return !door.node.events.closed.empty(); });
  EXPECT_EQ(door.node.events.heard.begin()->second.size(), last.size());
  EXPECT_EQ(door.node.events.closed.begin()->second.code, Code::io_failed);
}

// Who wastes our time.

TEST(TcpRefusal, SlowBytesMeetTheDeadline) {
  NetworkLimits limits = patient();
  limits.handshake_ms = 200;
  Door door(limits);
  door.visit([&] {
    Stranger stranger(door.address);
    Bytes hello = {0x16, 3, 1, 0x10, 0, 1, 0, 0x0f, 0xfc, 3, 3};
    hello.resize(4000);
    size_t sent = 0;
    while (sent < hello.size() && stranger.write(ByteView(hello).subspan(sent, 1))) {
      ++sent;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_LT(sent, hello.size());
  });
  door.expect_refused(Code::timed_out, "handshake");
}

/// Opens `count` connections that say nothing (`text` empty) or this.
std::vector<std::unique_ptr<Stranger>> crowd(const env::Address& address,
                                             size_t count,
                                             const Bytes& text) {
  std::vector<std::unique_ptr<Stranger>> strangers;
  strangers.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    strangers.push_back(std::make_unique<Stranger>(address));
    if (!text.empty()) {
      (void)strangers.back()->write(text);
    }
  }
  return strangers;
}

/// 1000, or as many as there are file descriptors for: each takes one at both ends, and a Stranger
/// three for itself.
size_t crowd_size() {
  rlimit limit{};
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  return std::clamp<size_t>((limit.rlim_cur - 100) / 6, 100, 1000);
}

TEST(TcpRefusal, AThousandIdleConnectionsKeepNobodyOut) {
  const size_t count = crowd_size();
  for (const Bytes& text : {Bytes{}, Bytes{0x16, 3, 1, 0x10, 0, 1, 0}}) {
    Door door;
    const auto strangers = crowd(door.address, count, text);
    door.expect_open();
    EXPECT_LE(door.node.network.half_open_count(), NetworkLimits{}.handshakes_per_host_max);
    EXPECT_EQ(door.node.events.opened.size(), 1U);
    EXPECT_TRUE(door.node.events.heard.empty());
  }
}

TEST(TcpRefusal, ACrowdFromManyPlacesIsBoundedInAll) {
  NetworkLimits limits = patient();
  limits.handshakes_per_host_max = 100'000;
  limits.handshakes_max = 50;
  Door door(limits);
  const auto strangers = crowd(door.address, crowd_size() / 2, {});
  door.expect_open();
  EXPECT_LE(door.node.network.half_open_count(), 50U);
}

TEST(TcpRefusal, IdleConnectionsGoAtTheDeadline) {
  NetworkLimits limits = patient();
  limits.handshake_ms = 50;
  Door door(limits);
  const auto strangers = crowd(door.address, 20, {});
  run_until(door.loop, [&] { return door.node.refused.size() == 20; });
  EXPECT_EQ(door.node.network.half_open_count(), 0U);
  for (const Error& why : door.node.refused) {
    EXPECT_EQ(why.code, Code::timed_out);
  }
}

}  // namespace
}  // namespace lockstep::platform
