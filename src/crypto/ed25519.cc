// Ed25519 by libsodium, which refuses small-order keys and scalars that are not reduced.
#include "crypto/ed25519.h"

#include <sodium.h>

#include "base/check.h"

namespace lockstep::crypto {

SecretKey SecretKey::from_seed(const Hash& seed) {
  CHECK(sodium_init() >= 0);
  SecretKey key;
  CHECK(crypto_sign_ed25519_seed_keypair(
            key.public_.bytes.data(), key.secret_.data(), seed.bytes.data()) == 0);
  return key;
}

SecretKey::~SecretKey() {
  sodium_memzero(secret_.data(), secret_.size());
}

Signature SecretKey::sign(ByteView message) const {
  Signature signature;
  CHECK(crypto_sign_ed25519_detached(
            signature.bytes.data(), nullptr, message.data(), message.size(), secret_.data()) == 0);
  return signature;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
  return crypto_sign_ed25519_verify_detached(
             signature.bytes.data(), message.data(), message.size(), key.bytes.data()) == 0;
}

}  // namespace lockstep::crypto
