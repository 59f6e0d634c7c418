// Keys of the store's records. Not for use outside the module.
#pragma once

#include <algorithm>

#include "env/key_value.h"

namespace lockstep::store {

/// All keys with a prefix, page by page. Errors: io_failed.
inline Result<std::vector<std::string>> all_keys(env::KeyValue& values, const std::string& prefix) {
  constexpr size_t page = 1000;
  std::vector<std::string> all;
  while (true) {
    std::vector<std::string> some =
        TRY(values.keys(prefix, all.empty() ? std::string() : all.back(), page));
    all.insert(all.end(), some.begin(), some.end());
    if (some.size() < page) {
      return all;
    }
  }
}

inline std::string key_of(const std::string& prefix, const Hash& address) {
  return prefix + std::string(address.bytes.begin(), address.bytes.end());
}

/// The address behind a key's prefix; something may follow it.
inline std::optional<Hash> address_of(const std::string& key, const std::string& prefix) {
  Hash address;
  if (key.size() < prefix.size() + address.bytes.size()) {
    return std::nullopt;
  }
  std::copy_n(key.begin() + static_cast<ptrdiff_t>(prefix.size()),
              address.bytes.size(),
              address.bytes.begin());
  return address;
}

}  // namespace lockstep::store
