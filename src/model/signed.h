// What is signed: a body under a domain tag with its network, kind, version and nonce, so that a
// signature is good for one thing, once, on one network.
#pragma once

#include "codec/record.h"
#include "crypto/ed25519.h"
#include "model/ids.h"

namespace lockstep::model {

/// Part of signed bytes: never renumber.
enum class SignedKind : uint16_t {
  transaction = 0,
  quote = 1,
  assignment = 2,
  receipt = 3,
  voucher = 4,
  header = 5,
  consent = 6,
};
constexpr SignedKind last_of(SignedKind) {
  return SignedKind::consent;
}

inline constexpr uint16_t signed_version = 1;

struct Signed {
  NetworkId network;
  SignedKind kind = SignedKind::transaction;
  uint16_t version = signed_version;
  uint64_t nonce = 0;
  crypto::PublicKey signer;
  Bytes body;
  crypto::Signature signature;
  bool operator==(const Signed&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(
        self.network, self.kind, self.version, self.nonce, self.signer, self.body, self.signature);
  }
};

/// What a signature is for, besides the body.
struct Context {
  NetworkId network;
  SignedKind kind = SignedKind::transaction;
  uint64_t nonce = 0;
};
[[nodiscard]] Signed sign(const crypto::SecretKey& key, const Context& context, Bytes body);
/// Hash of all but the signature, context "lockstep v1 signed": what is signed, and the id.
[[nodiscard]] Hash signed_hash(const Signed& value);
/// Errors: wrong_network, wrong_kind (another kind or version), bad_signature.
[[nodiscard]] Result<void> verify(const Signed& value, const NetworkId& network, SignedKind kind);
/// verify(), then the body. Errors: also those of decoding.
template <class T>
[[nodiscard]] Result<T> open(const Signed& value, const NetworkId& network, SignedKind kind) {
  TRY(verify(value, network, kind));
  return codec::decode<T>(value.body);
}

}  // namespace lockstep::model
