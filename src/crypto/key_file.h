// Secret keys as files: sealed with a passphrase (Argon2id, then XChaCha20-Poly1305 with all that
// stands before as associated data), or plain, for the keys of private networks. Nothing here draws
// randomness or opens files.
#pragma once

#include "crypto/ed25519.h"
#include "crypto/secret.h"

namespace lockstep::crypto {

/// What one guess at the passphrase costs. The file says it, so that it can grow.
struct KeyCost {
  uint64_t passes = 3;
  uint64_t memory_bytes = uint64_t{256} << 20;
  bool operator==(const KeyCost&) const = default;
};
/// A file that asks for more is refused before anything is allocated.
inline constexpr KeyCost key_cost_max{16, uint64_t{1} << 30};
inline constexpr KeyCost key_cost_min{1, uint64_t{8} << 10};
inline constexpr size_t key_file_bytes_max = 1024;

/// Drawn afresh for every file that is sealed.
struct KeyRandom {
  std::array<uint8_t, 16> salt{};
  std::array<uint8_t, 24> nonce{};
};

/// What a key file tells without its passphrase.
struct KeyFile {
  PublicKey key;
  bool sealed = false;
  KeyCost cost;  // of a sealed one
};

/// A text of two lines; the first says in English what it is. Errors: too_large when this machine
/// has not the memory that `cost` asks for, out_of_range when the cost is out of its bounds.
[[nodiscard]] Result<Bytes> sealed_key_file(const Seed& seed,
                                            std::string_view passphrase,
                                            const KeyCost& cost,
                                            const KeyRandom& random);
/// The same without protection: whoever reads the file has the key. The caller wipes it.
[[nodiscard]] Bytes plain_key_file(const Seed& seed);

/// Errors: bad_key_file (no key file, damaged, or of a newer version).
[[nodiscard]] Result<KeyFile> read_key_file(ByteView file);
/// `passphrase` is not looked at when the file is not sealed. Errors: bad_key_file: damaged, or the
/// wrong passphrase, as the text says; too_large when memory is short.
[[nodiscard]] Result<SecretKey> unlock_key_file(ByteView file, std::string_view passphrase);
/// The same key under another passphrase; also seals a plain file.
[[nodiscard]] Result<Bytes> resealed_key_file(ByteView file,
                                              std::string_view passphrase,
                                              std::string_view new_passphrase,
                                              const KeyCost& cost,
                                              const KeyRandom& random);

}  // namespace lockstep::crypto
