// One TLS 1.3 session over a socket that does not block. It owns neither the socket nor a thread:
// whoever has them calls again when the socket is ready.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "platform/tls_identity.h"

struct ssl_st;
struct x509_store_ctx_st;

namespace lockstep::platform {

/// What is taken from the kernel in one go, and the most that a record carries.
inline constexpr size_t tls_read_buffer_bytes = size_t{128} << 10;
inline constexpr size_t tls_record_bytes = size_t{16} << 10;

class TlsSession {
 public:
  enum class Step : uint8_t {
    done,
    want_read,   // again when bytes have come
    want_write,  // again when there is room
    ended,       // the other side has said that it is done
    failed,      // why() says it
  };
  /// This side dialed if it knows whom it `expected`.
  TlsSession(TlsIdentity& identity,
             int socket,
             std::optional<env::NodeId> expected,
             uint64_t now_ms);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// Until done; then peer() is proved.
  Step handshake(uint64_t now_ms);
  /// At most one record. `got` bytes are there if done.
  Step read(std::span<uint8_t> into, size_t& got);
  /// `put` bytes are taken if done. After want_write the same bytes come again, or more.
  Step write(ByteView bytes, size_t& put);
  /// Something may be read without waiting for the socket.
  [[nodiscard]] bool has_pending() const;
  /// Tells the other side that nothing more comes.
  void say_goodbye();

  [[nodiscard]] const env::NodeId& peer() const { return peer_; }
  [[nodiscard]] const Error& why() const { return why_; }

  /// OpenSSL asks this about the other side's certificate; nothing else decides.
  static int on_certificate(x509_store_ctx_st* asked, void* nothing);

 private:
  struct Free {
    void operator()(ssl_st* session) const;
  };
  Result<void> judge(x509_store_ctx_st* asked);
  Result<void> finish() const;
  Step step_of(int result);
  Step fail(Error why);
  [[nodiscard]] Error broken() const;

  std::unique_ptr<ssl_st, Free> session_;
  Hash network_;
  std::optional<env::NodeId> expected_;
  uint64_t now_ms_ = 0;
  int socket_;
  bool proved_ = false;
  bool blamed_ = false;  // why_ is what on_certificate() found
  bool open_ = false;
  env::NodeId peer_{};
  Error why_;
};

}  // namespace lockstep::platform
