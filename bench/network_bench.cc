// Times the link layer beside a bare pair of OpenSSL sockets that block, in one run and in turns:
// small requests one at a time, and a bulk transfer one way. Prints a Markdown table; asserts
// nothing.
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>

#include "base/check.h"
#include "platform/tcp_network.h"

namespace lockstep {
namespace {

using boost::asio::ip::tcp;
using platform::Loop;
using platform::TcpNetwork;
using platform::TlsIdentity;

constexpr size_t request_bytes = 64;
constexpr size_t bulk_bytes = size_t{256} << 20;
constexpr size_t piece_bytes = size_t{1} << 20;
constexpr size_t warm_up = 200;

struct Figures {
  double requests_a_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double megabytes_a_second = 0;
};

uint64_t now_ns() {
  timespec time{};
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

TlsIdentity identity_of(uint8_t number) {
  Hash seed;
  seed.bytes.fill(number);
  auto identity = TlsIdentity::make(seed, Hash{}, Loop::now_ms());
  CHECK(identity.ok());
  return std::move(identity).value();
}

/// `took`: nanoseconds of each request, in order.
void summarise(std::vector<uint64_t> took, Figures& figures) {
  took.erase(took.begin(), took.begin() + warm_up);
  uint64_t sum = 0;
  for (const uint64_t one : took) {
    sum += one;
  }
  std::sort(took.begin(), took.end());
  figures.requests_a_second = static_cast<double>(took.size()) * 1e9 / static_cast<double>(sum);
  figures.p50_us = static_cast<double>(took[took.size() / 2]) / 1e3;
  figures.p99_us = static_cast<double>(took[took.size() * 99 / 100]) / 1e3;
}

double megabytes_a_second(uint64_t took_ns) {
  return static_cast<double>(bulk_bytes) * 1e3 / static_cast<double>(took_ns);
}

// The bare pair: one thread a side, sockets that block, OpenSSL as it comes.

struct Bare {
  explicit Bare(uint8_t number, tcp::socket connected, bool client)
      : socket(std::move(connected)), identity(identity_of(number)) {
    context = SSL_CTX_new(TLS_method());
    CHECK(context != nullptr && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
    CHECK(SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") == 1);
    Hash seed;
    seed.bytes.fill(number);
    EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.bytes.data(), 32);
    CHECK(SSL_CTX_use_certificate(context, identity.certificate()) == 1);
    CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
    EVP_PKEY_free(key);
    session = SSL_new(context);
    socket.set_option(tcp::no_delay(true));
    CHECK(SSL_set_fd(session, socket.native_handle()) == 1);
    CHECK((client ? SSL_connect(session) : SSL_accept(session)) == 1);
  }
  ~Bare() {
    SSL_free(session);
    SSL_CTX_free(context);
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  void read(Bytes& into, size_t count) const {
    size_t have = 0;
    while (have < count) {
      size_t got = 0;
      CHECK(SSL_read_ex(session, into.data() + have, std::min(into.size(), count) - have, &got) ==
            1);
      have += got;
    }
  }
  void write(const Bytes& bytes) const {
    size_t put = 0;
    CHECK(SSL_write_ex(session, bytes.data(), bytes.size(), &put) == 1 && put == bytes.size());
  }

  tcp::socket socket;
  TlsIdentity identity;
  SSL_CTX* context = nullptr;
  SSL* session = nullptr;
};

void serve_bare(tcp::acceptor& acceptor, size_t requests) {
  const Bare side(1, acceptor.accept(), false);
  Bytes request(request_bytes);
  for (size_t i = 0; i < requests; ++i) {
    side.read(request, request.size());
    side.write(request);
  }
  Bytes piece(size_t{16} << 10);
  for (size_t have = 0; have < bulk_bytes; have += piece.size()) {
    side.read(piece, piece.size());
  }
  side.write(request);
}

Figures run_bare(size_t requests) {
  boost::asio::io_context context;
  tcp::acceptor acceptor(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  std::thread server([&acceptor, requests] { serve_bare(acceptor, requests); });
  tcp::socket socket(context);
  socket.connect(acceptor.local_endpoint());
  Figures figures;
  {
    const Bare side(2, std::move(socket), true);
    Bytes request(request_bytes, 7);
    std::vector<uint64_t> took(requests);
    for (uint64_t& one : took) {
      const uint64_t start = now_ns();
      side.write(request);
      side.read(request, request.size());
      one = now_ns() - start;
    }
    summarise(std::move(took), figures);
    const Bytes piece(piece_bytes, 9);
    const uint64_t start = now_ns();
    for (size_t sent = 0; sent < bulk_bytes; sent += piece.size()) {
      side.write(piece);
    }
    side.read(request, request.size());
    figures.megabytes_a_second = megabytes_a_second(now_ns() - start);
  }
  server.join();
  return figures;
}

// Ours: one loop a side.

/// Answers `requests` requests, takes the bulk, and answers once more.
class Server final : public env::Network::Handler {
 public:
  Server(Loop& loop, TcpNetwork& network, size_t requests)
      : loop_(loop), network_(network), echo_left_(requests * request_bytes) {}
  void on_open(env::Link /*link*/, const env::NodeId& /*peer*/, bool /*dialed*/) override {}
  void on_bytes(env::Link link, ByteView bytes) override {
    if (echo_left_ != 0) {
      CHECK(bytes.size() <= echo_left_);
      echo_left_ -= bytes.size();
      network_.write(link, Bytes(bytes.begin(), bytes.end()));
      return;
    }
    bulk_ += bytes.size();
    if (bulk_ == bulk_bytes) {
      network_.write(link, Bytes(request_bytes));
    }
  }
  void on_drained(env::Link /*link*/) override {}
  void on_closed(env::Link /*link*/, const Error& /*why*/) override { loop_.stop(); }

 private:
  Loop& loop_;
  TcpNetwork& network_;
  size_t echo_left_;
  size_t bulk_ = 0;
};

class Client final : public env::Network::Handler {
 public:
  Client(Loop& loop, TcpNetwork& network, size_t requests) : loop_(loop), network_(network) {
    took_.reserve(requests);
    requests_ = requests;
  }
  void on_open(env::Link link, const env::NodeId& /*peer*/, bool /*dialed*/) override { ask(link); }
  void on_bytes(env::Link link, ByteView bytes) override {
    got_ += bytes.size();
    if (got_ < request_bytes) {
      return;
    }
    got_ = 0;
    if (took_.size() < requests_) {
      took_.push_back(now_ns() - start_);
      if (took_.size() < requests_) {
        ask(link);
      } else {
        start_ = now_ns();
        on_drained(link);
      }
      return;
    }
    summarise(std::move(took_), figures);
    figures.megabytes_a_second = megabytes_a_second(now_ns() - start_);
    network_.close(link);
  }
  void on_drained(env::Link link) override {
    if (took_.size() == requests_ && sent_ < bulk_bytes) {
      network_.write(link, Bytes(piece_bytes, 9));
      sent_ += piece_bytes;
    }
  }
  void on_closed(env::Link /*link*/, const Error& why) override {
    if (why.code != Code::cancelled) {
      (void)std::fprintf(stderr, "%s\n", why.message().c_str());
    }
    loop_.stop();
  }

  Figures figures;

 private:
  void ask(env::Link link) {
    start_ = now_ns();
    network_.write(link, Bytes(request_bytes, 7));
  }

  Loop& loop_;
  TcpNetwork& network_;
  size_t requests_ = 0;
  std::vector<uint64_t> took_;
  uint64_t start_ = 0;
  size_t got_ = 0;
  size_t sent_ = 0;
};

Figures run_ours(size_t requests) {
  Loop server_loop;
  TcpNetwork server_network(server_loop, identity_of(1));
  Server server(server_loop, server_network, requests);
  server_network.set_handler(server);
  const auto address = server_network.listen({"127.0.0.1", 0});
  CHECK(address.ok());
  std::thread thread([&server_loop] { server_loop.run(); });

  Loop loop;
  TcpNetwork network(loop, identity_of(2));
  Client client(loop, network, requests);
  network.set_handler(client);
  (void)network.dial(*address, server_network.id());
  loop.run();
  thread.join();
  return client.figures;
}

// The report.

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print_row(const char* what,
               const std::vector<Figures>& bare,
               const std::vector<Figures>& ours,
               double Figures::*figure) {
  std::vector<double> bare_values, our_values, ratios;
  bare_values.reserve(bare.size());
  our_values.reserve(bare.size());
  ratios.reserve(bare.size());
  for (size_t i = 0; i < bare.size(); ++i) {
    bare_values.push_back(bare[i].*figure);
    our_values.push_back(ours[i].*figure);
    ratios.push_back(our_values.back() / bare_values.back());
  }
  std::printf("| %s | %.1f | %.1f | %.2f |\n",
              what,
              median(bare_values),
              median(our_values),
              median(ratios));
}

int run(int pairs, size_t requests) {
  std::vector<Figures> bare, ours;
  bare.reserve(static_cast<size_t>(pairs));
  ours.reserve(static_cast<size_t>(pairs));
  for (int i = 0; i < pairs; ++i) {
    bare.push_back(run_bare(requests));
    ours.push_back(run_ours(requests));
  }
  std::printf("Medians of %d runs in turns, %zu requests each, %zu MiB one way\n\n",
              pairs,
              requests,
              bulk_bytes >> 20);
  std::printf("| | bare OpenSSL | link layer | ratio |\n|---|---:|---:|---:|\n");
  print_row("64-byte requests a second", bare, ours, &Figures::requests_a_second);
  print_row("p50, microseconds", bare, ours, &Figures::p50_us);
  print_row("p99, microseconds", bare, ours, &Figures::p99_us);
  print_row("bulk, MB/s", bare, ours, &Figures::megabytes_a_second);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace lockstep

int main(int count, char** words) {
  const int pairs = count > 1 ? std::atoi(words[1]) : 5;
  const int requests = count > 2 ? std::atoi(words[2]) : 20'000;
  return lockstep::run(std::max(pairs, 1), static_cast<size_t>(std::max(requests, 1000)));
}
