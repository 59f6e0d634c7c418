// Connections to other machines: byte pipes whose other end is known by its key. The transport
// behind this checks keys; who uses it sees only who speaks.
#pragma once

#include <array>
#include <string>

#include "base/bytes.h"

namespace lockstep::env {

/// A node's Ed25519 public key.
using NodeId = std::array<uint8_t, 32>;

struct Address {
  std::string host;  // a name, or an IP address without brackets
  uint16_t port = 0;
  auto operator<=>(const Address&) const = default;
};

/// A connection, open or being opened; numbers are not used again.
using Link = uint64_t;

class Network {
 public:
  /// Called on one thread, and never from inside a call to the network.
  class Handler {
   public:
    virtual ~Handler() = default;
    /// Both sides have proved their keys. `dialed`: this side asked for it.
    virtual void on_open(Link link, const NodeId& peer, bool dialed) = 0;
    virtual void on_bytes(Link link, ByteView bytes) = 0;
    /// What was written has left for the most part: the time to write more. Follows every write()
    /// to a link that is open, once for those of one turn, unless on_closed() does.
    virtual void on_drained(Link link) = 0;
    /// The last call for this link, also for one that was dialed and never opened. Errors:
    /// unreachable, not_trusted (the other side is not who it should be, or does not trust us),
    /// timed_out, io_failed (the other side closed it, or has gone), cancelled (this side closed
    /// it), too_large (more was written than can be queued).
    virtual void on_closed(Link link, const Error& why) = 0;
  };

  virtual ~Network() = default;
  /// Begins to connect; on_open or on_closed follows.
  virtual Link dial(const Address& address, const NodeId& peer) = 0;
  /// Queues bytes, to leave at the end of this turn or once the link is open. Who writes bounds
  /// what is queued by on_drained. Nothing for a closed link.
  virtual void write(Link link, Bytes bytes) = 0;
  /// While paused nothing is read from the link: what comes waits at the other side.
  virtual void pause(Link link, bool paused) = 0;
  /// What was written before still leaves; on_closed follows.
  virtual void close(Link link) = 0;
};

}  // namespace lockstep::env
