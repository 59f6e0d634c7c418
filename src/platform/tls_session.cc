#include "platform/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "base/check.h"

namespace lockstep::platform {
namespace {

// A BIO that is the socket itself: nothing is copied in between, and no signal comes when the other
// side has gone.

int socket_of(BIO* bio) {
  return *static_cast<const int*>(BIO_get_data(bio));
}

bool may_repeat() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int bio_write(BIO* bio, const char* bytes, size_t size, size_t* written) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = send(socket_of(bio), bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  *written = sent > 0 ? static_cast<size_t>(sent) : 0;
  if (sent < 0 && may_repeat()) {
    BIO_set_retry_write(bio);
  }
  return sent > 0 ? 1 : 0;
}

int bio_read(BIO* bio, char* bytes, size_t size, size_t* got) {
  BIO_clear_retry_flags(bio);
  const ssize_t received = recv(socket_of(bio), bytes, size, MSG_DONTWAIT);
  *got = received > 0 ? static_cast<size_t>(received) : 0;
  if (received < 0 && may_repeat()) {
    BIO_set_retry_read(bio);
  }
  if (received == 0) {
    BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  }
  return received > 0 ? 1 : 0;
}

// NOLINTNEXTLINE(google-runtime-int): as OpenSSL declares it
long bio_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_EOF) {
    return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  }
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    CHECK(made != nullptr && BIO_meth_set_write_ex(made, bio_write) == 1 &&
          BIO_meth_set_read_ex(made, bio_read) == 1 && BIO_meth_set_ctrl(made, bio_control) == 1);
    return made;
  }();
  return method;
}

/// OpenSSL's own words for what failed last; they name no keys.
std::string last_reason() {
  const auto code = ERR_peek_last_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return text == nullptr ? "" : text;
}

}  // namespace

void TlsSession::Free::operator()(ssl_st* session) const {
  SSL_free(session);
}

TlsSession::TlsSession(TlsIdentity& identity,
                       int socket,
                       std::optional<env::NodeId> expected,
                       uint64_t now_ms)
    : network_(identity.network()), expected_(expected), now_ms_(now_ms), socket_(socket) {
  why_ = refuse(Code::internal, "the TLS library cannot make a session", "report this");
  const auto context = identity.context(now_ms);
  BIO* bio = BIO_new(bio_method());
  session_.reset(context.ok() ? SSL_new(*context) : nullptr);
  if (!session_ || bio == nullptr) {
    BIO_free(bio);
    session_.reset();
    return;
  }
  BIO_set_data(bio, &socket_);
  BIO_set_init(bio, 1);
  SSL_set_bio(session_.get(), bio, bio);
  SSL_set_app_data(session_.get(), this);
  if (expected_) {
    SSL_set_connect_state(session_.get());
  } else {
    SSL_set_accept_state(session_.get());
  }
}

TlsSession::~TlsSession() = default;

int TlsSession::on_certificate(x509_store_ctx_st* asked, void* /*nothing*/) {
  auto* session =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(asked, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* self = static_cast<TlsSession*>(SSL_get_app_data(session));
  const auto judged = self->judge(asked);
  if (!judged.ok()) {
    self->why_ = judged.error();
    self->blamed_ = true;
    X509_STORE_CTX_set_error(asked, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  X509_STORE_CTX_set_error(asked, X509_V_OK);
  return 1;
}

Result<void> TlsSession::judge(x509_store_ctx_st* asked) {
  X509* certificate = X509_STORE_CTX_get0_cert(asked);
  const auto* chain = X509_STORE_CTX_get0_untrusted(asked);
  if (certificate == nullptr || chain == nullptr || sk_X509_num(chain) != 1) {
    return refuse(Code::not_trusted,
                  "the other side shows more than its own certificate",
                  "the other side must be a node");
  }
  const env::NodeId key = TRY(check_certificate(certificate, network_, now_ms_));
  if (expected_ && key != *expected_) {
    return refuse(
        Code::not_trusted,
        "node " + to_hex(*expected_) + " was expected there, and node " + to_hex(key) + " answers",
        "check the address and the node key");
  }
  peer_ = key;
  proved_ = true;
  return {};
}

Result<void> TlsSession::finish() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session_.get(), &name, &size);
  const std::string_view protocol(reinterpret_cast<const char*>(name), size);
  if (protocol != tls_protocol) {
    return refuse(Code::not_trusted,
                  "the other side does not speak " + std::string(tls_protocol),
                  "check that the address is that of a node, and that both are of one version");
  }
  if (!proved_ || SSL_version(session_.get()) != TLS1_3_VERSION ||
      SSL_session_reused(session_.get()) != 0 ||
      SSL_get_verify_result(session_.get()) != X509_V_OK) {
    return refuse(Code::not_trusted, "the other side has not proved its key", "report this");
  }
  return {};
}

TlsSession::Step TlsSession::handshake(uint64_t now_ms) {
  if (!session_) {
    return Step::failed;
  }
  now_ms_ = now_ms;
  ERR_clear_error();
  const Step step = step_of(SSL_do_handshake(session_.get()));
  if (step != Step::done) {
    return step;
  }
  const auto finished = finish();
  if (!finished.ok()) {
    return fail(finished.error());
  }
  open_ = true;
  return Step::done;
}

TlsSession::Step TlsSession::read(std::span<uint8_t> into, size_t& got) {
  got = 0;
  if (!open_) {
    return Step::failed;
  }
  ERR_clear_error();
  return step_of(SSL_read_ex(session_.get(), into.data(), into.size(), &got));
}

TlsSession::Step TlsSession::write(ByteView bytes, size_t& put) {
  put = 0;
  if (!open_) {
    return Step::failed;
  }
  ERR_clear_error();
  return step_of(SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &put));
}

bool TlsSession::has_pending() const {
  return session_ && SSL_has_pending(session_.get()) != 0;
}

void TlsSession::say_goodbye() {
  if (open_) {
    ERR_clear_error();
    (void)SSL_shutdown(session_.get());
    ERR_clear_error();
  }
}

TlsSession::Step TlsSession::fail(Error why) {
  why_ = std::move(why);
  open_ = false;
  return Step::failed;
}

TlsSession::Step TlsSession::step_of(int result) {
  if (result == 1) {
    return Step::done;
  }
  const int system_error = errno;
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::want_read;
    case SSL_ERROR_WANT_WRITE:
      return Step::want_write;
    case SSL_ERROR_ZERO_RETURN:
      return Step::ended;
    case SSL_ERROR_SYSCALL:
      // After a write: what came before may still be read.
      why_ = refuse(Code::io_failed,
                    "the connection broke: " + std::system_category().message(system_error),
                    "the other side may have stopped");
      return Step::failed;
    default:
      return fail(blamed_ ? why_ : broken());
  }
}

/// What the library says about the other side's bytes.
Error TlsSession::broken() const {
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  const std::string text = last_reason();
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return refuse(Code::io_failed,
                  open_ ? "the other side broke off" : "the other side broke off the handshake",
                  "it may have stopped, or not speak TLS 1.3");
  }
  if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
    return refuse(Code::not_trusted,
                  "the other side refused this one: " + text,
                  "see what it says there; check the network and the clocks of both (date -u)");
  }
  return refuse(Code::not_trusted,
                "what the other side sent is not what a node sends: " + text,
                "check that the address is that of a node");
}

}  // namespace lockstep::platform
