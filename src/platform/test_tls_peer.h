// For tests only: nodes on loopback that note what they hear, and other sides that are no nodes,
// with certificates and bytes of their own making. Those run on threads of their own and block.
#pragma once

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "platform/tcp_network.h"

namespace lockstep::platform {

using boost::asio::ip::tcp;
using KeyPtr = std::unique_ptr<evp_pkey_st, FreeTls>;
using CertificatePtr = std::unique_ptr<x509_st, FreeTls>;

inline Hash test_hash(uint8_t number) {
  Hash hash;
  hash.bytes.fill(number);
  return hash;
}

inline const Hash test_network = test_hash(200);

inline TlsIdentity test_identity(uint8_t number,
                                 const Hash& network = test_network,
                                 uint64_t now_ms = Loop::now_ms()) {
  Hash seed = test_hash(number);
  auto identity = TlsIdentity::make(seed, network, now_ms);
  EXPECT_TRUE(identity.ok());
  EXPECT_EQ(seed, Hash{}) << "the seed is still there";
  return std::move(identity).value();
}

inline KeyPtr test_key(uint8_t number) {
  const Hash seed = test_hash(number);
  return KeyPtr(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.bytes.data(), 32));
}

/// The public key of one and the private key of another, as if they belonged together.
inline KeyPtr torn_key(const env::NodeId& shown, uint8_t number) {
  Hash seed = test_hash(number);
  env::NodeId key = shown;
  std::array<OSSL_PARAM, 3> parts = {
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, seed.bytes.data(), 32),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, key.data(), 32),
      OSSL_PARAM_construct_end()};
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "ED25519", nullptr);
  EVP_PKEY* made = nullptr;
  EXPECT_EQ(EVP_PKEY_fromdata_init(context), 1);
  EXPECT_EQ(EVP_PKEY_fromdata(context, &made, EVP_PKEY_KEYPAIR, parts.data()), 1);
  EVP_PKEY_CTX_free(context);
  return KeyPtr(made);
}

inline CertificatePtr copy_of(const TlsIdentity& identity) {
  return CertificatePtr(X509_dup(identity.certificate()));
}

/// Notes what happens on one network's links.
struct Recorder final : env::Network::Handler {
  struct Opened {
    env::NodeId peer;
    bool dialed;
  };
  void on_open(env::Link link, const env::NodeId& peer, bool dialed) override {
    EXPECT_TRUE(opened.emplace(link, Opened{peer, dialed}).second);
    if (then_open) {
      then_open(link);
    }
  }
  void on_bytes(env::Link link, ByteView bytes) override {
    EXPECT_TRUE(opened.contains(link) && !closed.contains(link) && !bytes.empty());
    heard[link].insert(heard[link].end(), bytes.begin(), bytes.end());
    if (then_bytes) {
      then_bytes(link, bytes);
    }
  }
  void on_drained(env::Link link) override {
    EXPECT_TRUE(opened.contains(link) && !closed.contains(link));
    ++drained;
    if (then_drained) {
      then_drained(link);
    }
  }
  void on_closed(env::Link link, const Error& why) override {
    EXPECT_TRUE(closed.emplace(link, why).second) << "told twice";
    if (then_closed) {
      then_closed(link);
    }
  }

  std::map<env::Link, Opened> opened;
  std::map<env::Link, Bytes> heard;
  std::map<env::Link, Error> closed;
  size_t drained = 0;
  std::function<void(env::Link)> then_open, then_drained, then_closed;
  std::function<void(env::Link, ByteView)> then_bytes;
};

/// Deadlines that no machine misses, however busy, for tests of something else.
inline NetworkLimits patient() {
  NetworkLimits limits;
  limits.dial_ms = 50'000;
  limits.handshake_ms = 50'000;
  limits.close_ms = 50'000;
  return limits;
}

struct TestNode {
  TestNode(Loop& loop, TlsIdentity identity, const NetworkLimits& limits = patient())
      : network(loop, std::move(identity), limits) {
    network.set_handler(events);
    network.on_refused(
        [this](const env::Address& /*from*/, const Error& why) { refused.push_back(why); });
  }
  env::Address listen() {
    auto address = network.listen({"127.0.0.1", 0});
    EXPECT_TRUE(address.ok()) << address.error().message();
    return *address;
  }

  Recorder events;
  std::vector<Error> refused;
  TcpNetwork network;
};

/// Takes turns until `reached`; a test that waits for ever fails.
inline void run_until(Loop& loop, const std::function<bool()>& reached) {
  const auto guard = loop.call_after(60'000, [&loop] {
    ADD_FAILURE() << "what the test waits for does not happen";
    loop.stop();
  });
  loop.on_turn([&] {
    if (reached()) {
      loop.stop();
    }
  });
  loop.post([] {});  // it may be so already
  loop.run();
  loop.on_turn({});
  loop.cancel(guard);
}

/// So many milliseconds pass; at most 100, as nothing may hang on them.
inline void run_for(Loop& loop, uint64_t ms) {
  loop.call_after(ms, [&loop] { loop.stop(); });
  loop.run();
}

/// A TCP socket on a thread that is no node's.
class Stranger {
 public:
  explicit Stranger(const env::Address& address) : Stranger() {
    socket_.connect({boost::asio::ip::make_address(address.host), address.port});
  }
  /// Accepts one connection there.
  explicit Stranger(tcp::acceptor& acceptor) : Stranger() { acceptor.accept(socket_); }

  bool write(ByteView bytes) {
    boost::system::error_code failed;
    boost::asio::write(socket_, boost::asio::buffer(bytes.data(), bytes.size()), failed);
    return !failed;
  }
  /// Empty when the other side has closed.
  Bytes read_some() {
    Bytes bytes(4096);
    boost::system::error_code failed;
    bytes.resize(socket_.read_some(boost::asio::buffer(bytes), failed));
    return bytes;
  }
  void read_to_end() {
    while (!read_some().empty()) {
    }
  }
  void close() {
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }
  tcp::socket& socket() { return socket_; }

 private:
  Stranger() : socket_(context_) {}
  boost::asio::io_context context_;
  tcp::socket socket_;
};

/// TLS by OpenSSL as it comes, which checks nothing of the other side.
class RawTls {
 public:
  struct Setting {
    X509* certificate = nullptr;
    EVP_PKEY* key = nullptr;
    int version_max = TLS1_3_VERSION;
    std::string protocol = std::string(tls_protocol);
    X509* also = nullptr;  // a further certificate of the chain
  };
  explicit RawTls(const Setting& setting) : context_(SSL_CTX_new(TLS_method())) {
    (void)std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without asking for none
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(
        context_, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    EXPECT_EQ(SSL_CTX_set_max_proto_version(context_, setting.version_max), 1);
    if (setting.certificate != nullptr) {
      EXPECT_EQ(SSL_CTX_use_certificate(context_, setting.certificate), 1);
      EXPECT_EQ(SSL_CTX_use_PrivateKey(context_, setting.key), 1);
    }
    if (setting.also != nullptr) {
      EXPECT_EQ(SSL_CTX_add1_chain_cert(context_, setting.also), 1);
    }
    session_ = SSL_new(context_);
    const std::string names = static_cast<char>(setting.protocol.size()) + setting.protocol;
    if (!setting.protocol.empty()) {
      SSL_set_alpn_protos(session_,
                          reinterpret_cast<const unsigned char*>(names.data()),
                          static_cast<unsigned>(names.size()));
    }
  }
  ~RawTls() {
    SSL_free(session_);
    SSL_CTX_free(context_);
  }
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;

  bool handshake(Stranger& stranger, bool client) {
    SSL_set_fd(session_, stranger.socket().native_handle());
    ERR_clear_error();
    return (client ? SSL_connect(session_) : SSL_accept(session_)) == 1;
  }
  bool write(std::string_view text) {
    ERR_clear_error();
    return SSL_write(session_, text.data(), static_cast<int>(text.size())) > 0;
  }
  /// Nothing when the other side has closed or refused.
  std::string read_some() {
    std::string text(4096, 0);
    ERR_clear_error();
    text.resize(static_cast<size_t>(std::max(0, SSL_read(session_, text.data(), 4096))));
    return text;
  }
  SSL* session() { return session_; }

 private:
  SSL_CTX* context_;
  SSL* session_ = nullptr;
};

}  // namespace lockstep::platform
