// How nodes behind a NAT meet: what the peer layer asks and tells over a hub, which introduces and
// relays nothing. The order of the variant is part of the bytes: new kinds go to the end.
#pragma once

#include "crypto/ed25519.h"
#include "net/frame.h"

namespace lockstep::net {

/// To the hub: which nodes of this role that the ledger knows are connected now?
struct WhoIs {
  Role role = Role::provider;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.role);
  }
};
/// Some of them, if there are many: others the next time.
struct PeerList {
  Role role = Role::provider;
  std::vector<crypto::PublicKey> keys;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.role, self.keys);
  }
};
/// To the hub: that node is asked to call on the sender; where the sender does not listen, the
/// sender is told where that node does.
struct Introduce {
  crypto::PublicKey key;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.key);
  }
};
/// From the hub: this node would like to hear from you there, or is there as you asked.
struct CallOn {
  crypto::PublicKey key;
  std::vector<Place> places;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.key, self.places);
  }
};

using Contact = std::variant<WhoIs, PeerList, Introduce, CallOn>;

inline constexpr size_t contact_bytes_max = size_t{8} << 10;
inline constexpr size_t listed_peers_max = 128;
static_assert(listed_peers_max * 32 + 16 <= contact_bytes_max);

/// Lists and addresses within their limits too. Errors: those of the codec, too_large, bad_address.
[[nodiscard]] Result<Contact> read_contact(ByteView bytes);

}  // namespace lockstep::net
