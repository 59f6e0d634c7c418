#include "apps/peer_text.h"

#include "apps/node_file.h"
#include "crypto/key_text.h"

namespace lockstep::apps {

std::string peer_text(const Peer& peer) {
  return text_of(peer.address) + "#" + crypto::key_text(peer.key);
}

Result<Peer> parse_peer(const std::string& text) {
  const size_t mark = text.find('#');
  if (mark == std::string::npos) {
    return refuse(Code::bad_address,
                  "the node's key is missing",
                  "write ADDRESS#KEY, such as 203.0.113.7:4100#lk1..., in quotes",
                  text);
  }
  Peer peer;
  peer.address = TRY(parse_address(text.substr(0, mark)));
  auto key = crypto::parse_key(std::string_view(text).substr(mark + 1));
  if (!key.ok()) {
    Error error = key.error();
    error.where = text;
    return error;
  }
  peer.key = *key;
  return peer;
}

}  // namespace lockstep::apps
