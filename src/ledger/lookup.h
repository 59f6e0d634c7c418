// Finding records for a rule: an unknown key is the sender's mistake. Not for use outside the
// module.
#pragma once

#include <string>

#include "base/result.h"

namespace lockstep::ledger {

/// Errors: not_registered.
template <class Map>
Result<typename Map::mapped_type*> known(Map& map,
                                         const typename Map::key_type& key,
                                         const char* kind) {
  const auto found = map.find(key);
  if (found == map.end()) {
    return refuse(Code::not_registered, "no such " + std::string(kind));
  }
  return &found->second;
}

}  // namespace lockstep::ledger
