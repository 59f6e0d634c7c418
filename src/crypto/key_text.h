// Public keys as people read and type them: "lk1", 52 characters of key and 6 of checksum, which
// finds every typo of up to four characters (BIP 350, bech32m, with "lk" in front).
#pragma once

#include <string>
#include <string_view>

#include "crypto/ed25519.h"

namespace lockstep::crypto {

inline constexpr size_t key_text_size = 61;

/// The only text of a key: lower case, 61 characters. The same for owners and for nodes.
[[nodiscard]] std::string key_text(const PublicKey& key);
/// Errors: bad_address, also for the same text in upper case.
[[nodiscard]] Result<PublicKey> parse_key(std::string_view text);

}  // namespace lockstep::crypto
