#include "net/contact.h"

namespace lockstep::net {

Result<Contact> read_contact(ByteView bytes) {
  if (bytes.size() > contact_bytes_max) {
    return refuse(Code::too_large, "an introduction of " + std::to_string(bytes.size()) + " bytes");
  }
  Contact contact = TRY(codec::decode<Contact>(bytes));
  if (const auto* const list = std::get_if<PeerList>(&contact)) {
    if (list->keys.size() > listed_peers_max) {
      return refuse(Code::too_large, "a list of more peers than anybody is told of");
    }
  }
  if (const auto* const call = std::get_if<CallOn>(&contact)) {
    TRY(check_places(call->places));
  }
  return contact;
}

}  // namespace lockstep::net
