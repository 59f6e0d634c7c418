// Ed25519 by libsodium, which refuses small-order keys and scalars that are not reduced.
#include "crypto/ed25519.h"

#include <sodium.h>

#include <algorithm>

#include "base/check.h"
#include "crypto/blake3.h"

namespace lockstep::crypto {
namespace {

// One a thread, for as long as somebody holds it.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
thread_local VerifyMemo* memo = nullptr;

bool verify_now(const PublicKey& key, ByteView message, const Signature& signature) {
  return crypto_sign_ed25519_verify_detached(
             signature.bytes.data(), message.data(), message.size(), key.bytes.data()) == 0;
}

}  // namespace

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

Seed SecretKey::seed() const {
  Seed seed;
  std::copy_n(secret_.begin(), seed.bytes().size(), seed.bytes().begin());
  return seed;
}

Signature SecretKey::sign(ByteView message) const {
  Signature signature;
  CHECK(crypto_sign_ed25519_detached(
            signature.bytes.data(), nullptr, message.data(), message.size(), secret_.data()) == 0);
  return signature;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
  return memo != nullptr ? memo->verify(key, message, signature)
                         : verify_now(key, message, signature);
}

VerifyMemo::VerifyMemo() {
  CHECK(memo == nullptr);
  memo = this;
}

VerifyMemo::~VerifyMemo() {
  memo = nullptr;
}

bool VerifyMemo::verify(const PublicKey& key, ByteView message, const Signature& signature) {
  Hasher hasher(Mode::plain());
  hasher.update(key.bytes);
  hasher.update(signature.bytes);
  hasher.update(message);
  const Hash question = hasher.finish();
  const auto known = answers_.find(question);
  if (known != answers_.end()) {
    return known->second;
  }
  if (answers_.size() >= answers_max) {
    answers_.clear();
  }
  const bool answer = verify_now(key, message, signature);
  answers_.emplace(question, answer);
  return answer;
}

}  // namespace lockstep::crypto
