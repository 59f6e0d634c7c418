#include "platform/network_at.h"

#include <netdb.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "platform/loop.h"
#include "platform/tls_identity.h"

namespace lockstep::platform {
namespace {

struct FreeAll {
  void operator()(SSL* session) const { SSL_free(session); }
  void operator()(addrinfo* found) const { freeaddrinfo(found); }
};

class Socket {
 public:
  explicit Socket(int number) : number_(number) {}
  ~Socket() {
    if (number_ >= 0) {
      (void)::close(number_);
    }
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket(Socket&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// OpenSSL writes to the socket as to a file: the signal for one that is gone is not for us.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigset_t pipe;
    sigset_t pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pending_before_ = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &before_);
  }
  ~NoPipeSignal() {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    const timespec now{};
    if (!pending_before_) {
      (void)sigtimedwait(&pipe, nullptr, &now);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t before_{};
  bool pending_before_ = false;
};

/// What the certificate's check needs and finds.
struct Judge {
  env::NodeId expected{};
  Hash network;
  Error why;
};

Error silent(const env::Address& address) {
  return refuse(Code::timed_out,
                "no answer from " + address.host,
                "check the address, and that the network runs");
}

/// False: the time is over.
bool wait_for(int socket, short events, uint64_t end_ms) {
  const uint64_t now = Loop::monotonic_ms();
  if (now >= end_ms) {
    return false;
  }
  pollfd wanted{socket, events, 0};
  const int got = poll(&wanted, 1, static_cast<int>(std::min<uint64_t>(end_ms - now, 60'000)));
  return got > 0 || (got < 0 && errno == EINTR);
}

bool is_connected(int socket, uint64_t end_ms) {
  int failed = 0;
  socklen_t size = sizeof failed;
  return wait_for(socket, POLLOUT, end_ms) &&
         getsockopt(socket, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0;
}

Result<Socket> connect_to(const env::Address& address, uint64_t end_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const std::string port = std::to_string(address.port);
  if (getaddrinfo(address.host.c_str(), port.c_str(), &hints, &raw) != 0) {
    return refuse(Code::unreachable, "the address is not known", "check it", address.host);
  }
  const std::unique_ptr<addrinfo, FreeAll> found(raw);
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    Socket socket(
        ::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol));
    const bool begun =
        socket.number() >= 0 &&
        (::connect(socket.number(), one->ai_addr, one->ai_addrlen) == 0 || errno == EINPROGRESS);
    if (begun && is_connected(socket.number(), end_ms)) {
      return socket;
    }
  }
  return refuse(Code::unreachable,
                "nobody answers at " + address.host + ":" + port,
                "check the address, and that the network runs",
                address.host + ":" + port);
}

/// The last 32 bytes of the only extension; check_certificate() says whether it is the right one.
Hash network_in(const X509* certificate) {
  Hash network;
  X509_EXTENSION* const extension =
      X509_get_ext_count(certificate) == 1 ? X509_get_ext(certificate, 0) : nullptr;
  const ASN1_OCTET_STRING* const text =
      extension == nullptr ? nullptr : X509_EXTENSION_get_data(extension);
  const auto size = static_cast<size_t>(text == nullptr ? 0 : ASN1_STRING_length(text));
  if (size >= network.bytes.size()) {
    const uint8_t* const end = ASN1_STRING_get0_data(text) + size;
    std::copy(end - network.bytes.size(), end, network.bytes.begin());
  }
  return network;
}

Result<Hash> judge(X509* certificate, const env::NodeId& expected) {
  if (certificate == nullptr) {
    return refuse(Code::not_trusted, "the other side shows no certificate");
  }
  const Hash network = network_in(certificate);
  const env::NodeId key = TRY(check_certificate(certificate, network, Loop::now_ms()));
  if (key != expected) {
    return refuse(Code::not_trusted,
                  "another node answers there than the one that was named",
                  "check the address and the node key");
  }
  return network;
}

int on_certificate(X509_STORE_CTX* asked, void* given) {
  auto* const wanted = static_cast<Judge*>(given);
  const auto network = judge(X509_STORE_CTX_get0_cert(asked), wanted->expected);
  X509_STORE_CTX_set_error(asked, network.ok() ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
  if (!network.ok()) {
    wanted->why = network.error();
    return 0;
  }
  wanted->network = *network;
  return 1;
}

std::unique_ptr<SSL_CTX, FreeTls> make_context(Judge& wanted) {
  std::unique_ptr<SSL_CTX, FreeTls> context(SSL_CTX_new(TLS_client_method()));
  std::string protocols(1, static_cast<char>(tls_protocol.size()));
  protocols += tls_protocol;
  const auto* const names = reinterpret_cast<const unsigned char*>(protocols.data());
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set1_groups_list(context.get(), "X25519") != 1 ||
      SSL_CTX_set1_sigalgs_list(context.get(), "ed25519") != 1 ||
      SSL_CTX_set_alpn_protos(context.get(), names, static_cast<unsigned>(protocols.size())) != 0) {
    return nullptr;
  }
  SSL_CTX_set_max_cert_list(context.get(), 8192);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context.get(), on_certificate, &wanted);
  return context;
}

}  // namespace

Result<Hash> network_at(const env::Address& address,
                        const env::NodeId& node,
                        uint64_t patience_ms) {
  const uint64_t end_ms = Loop::monotonic_ms() + patience_ms;
  const Socket socket = TRY(connect_to(address, end_ms));
  const NoPipeSignal quiet;
  Judge wanted;
  wanted.expected = node;
  const auto context = make_context(wanted);
  const std::unique_ptr<SSL, FreeAll> session(context ? SSL_new(context.get()) : nullptr);
  if (!session || SSL_set_fd(session.get(), socket.number()) != 1) {
    return refuse(Code::internal, "the TLS library cannot make a session", "report this");
  }
  while (true) {
    ERR_clear_error();
    const int done = SSL_connect(session.get());
    if (done == 1) {
      return wanted.network;
    }
    const int why = SSL_get_error(session.get(), done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      ERR_clear_error();
      return wanted.why.what.empty() ? refuse(Code::not_trusted,
                                              "the other side is no node of a network",
                                              "check that the address is that of a ledger's node")
                                     : wanted.why;
    }
    const short events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    if (!wait_for(socket.number(), events, end_ms)) {
      return silent(address);
    }
  }
}

}  // namespace lockstep::platform
