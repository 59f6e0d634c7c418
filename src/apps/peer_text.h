// A node as people write it on a command line: ADDRESS#KEY, such as 203.0.113.7:4100#lk1….
#pragma once

#include <string>

#include "crypto/ed25519.h"
#include "env/network.h"

namespace lockstep::apps {

/// Where a node is, and which key it must prove to have.
struct Peer {
  env::Address address;
  crypto::PublicKey key;
  bool operator==(const Peer&) const = default;
};

[[nodiscard]] std::string peer_text(const Peer& peer);
/// Errors: bad_address.
[[nodiscard]] Result<Peer> parse_peer(const std::string& text);

}  // namespace lockstep::apps
