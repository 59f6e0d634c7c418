// env::Network over TCP and TLS 1.3: both sides prove their node keys before a byte is heard.
#pragma once

#include <functional>
#include <memory>

#include "env/network.h"
#include "platform/loop.h"
#include "platform/tls_identity.h"

namespace lockstep::platform {

struct NetworkLimits {
  uint64_t dial_ms = 10'000;      // to find the address and be connected
  uint64_t handshake_ms = 5'000;  // from then on, until both keys are proved
  uint64_t close_ms = 5'000;      // for what was written before close()
  size_t handshakes_max = 256;    // of others' connections; the oldest one goes for a new one
  size_t handshakes_per_host_max = 32;
  size_t open_max = 1024;                 // of others' connections; further ones are refused
  size_t low_water = size_t{256} << 10;   // on_drained() when no more than this waits
  size_t queued_max = size_t{256} << 20;  // more is a fault of who writes: the link is closed
};

/// Lives on its loop's thread, and not longer than the loop.
class TcpNetwork final : public env::Network {
 public:
  /// Somebody who came and was not let in, and why: for logs. Not for dialed links.
  using Refused = std::function<void(const env::Address& from, const Error& why)>;

  TcpNetwork(Loop& loop, TlsIdentity identity, const NetworkLimits& limits = {});
  ~TcpNetwork() override;
  TcpNetwork(const TcpNetwork&) = delete;
  TcpNetwork& operator=(const TcpNetwork&) = delete;

  /// Who hears of links; before the first call of listen() and dial().
  void set_handler(Handler& handler);
  void on_refused(Refused refused);

  /// Waits for connections there; port 0 takes any that is free. Gives the address it has.
  /// Errors: bad_address, in_use, not_permitted, io_failed.
  [[nodiscard]] Result<env::Address> listen(const env::Address& address);
  /// Closes every link, and listens no more.
  void close_all();

  env::Link dial(const env::Address& address, const env::NodeId& peer) override;
  void write(env::Link link, Bytes bytes) override;
  void pause(env::Link link, bool paused) override;
  void close(env::Link link) override;

  [[nodiscard]] const env::NodeId& id() const;
  /// Links of others that have yet to prove a key, and links that have.
  [[nodiscard]] size_t half_open_count() const;
  [[nodiscard]] size_t open_count() const;
  /// What was written to the link and has not gone to the kernel.
  [[nodiscard]] size_t queued(env::Link link) const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lockstep::platform
