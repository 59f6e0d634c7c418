// Ed25519 signatures (RFC 8032) by libsodium. Key material comes from outside: nothing here draws
// randomness.
#pragma once

#include <unordered_map>

#include "crypto/secret.h"

namespace lockstep::crypto {

struct PublicKey {
  std::array<uint8_t, 32> bytes{};
  auto operator<=>(const PublicKey&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.bytes);
  }
};

struct Signature {
  std::array<uint8_t, 64> bytes{};
  bool operator==(const Signature&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.bytes);
  }
};

/// Wiped when it goes; never printed, never encoded.
class SecretKey {
 public:
  /// `seed` are 32 secret bytes; the same seed gives the same key.
  [[nodiscard]] static SecretKey from_seed(const Hash& seed);
  ~SecretKey();
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  [[nodiscard]] const PublicKey& public_key() const { return public_; }
  [[nodiscard]] Signature sign(ByteView message) const;
  /// What it was made from: for a transport that proves the same key.
  [[nodiscard]] Seed seed() const;

 private:
  SecretKey() = default;
  std::array<uint8_t, 64> secret_{};
  PublicKey public_;
};

/// False also for keys and signatures that are not canonical points or scalars.
[[nodiscard]] bool verify(const PublicKey& key, ByteView message, const Signature& signature);

/// While one lives, verify() on its thread remembers its answers. For simulated networks, where
/// every node of a process checks what every other one has checked. One a thread at a time.
class VerifyMemo {
 public:
  VerifyMemo();
  ~VerifyMemo();
  VerifyMemo(const VerifyMemo&) = delete;
  VerifyMemo& operator=(const VerifyMemo&) = delete;
  [[nodiscard]] bool verify(const PublicKey& key, ByteView message, const Signature& signature);

 private:
  static constexpr size_t answers_max = 65'536;
  std::unordered_map<Hash, bool, HashOfHash> answers_;
};

}  // namespace lockstep::crypto
