// Signing and checking under one domain tag.
#include "model/signed.h"

#include "crypto/blake3.h"

namespace lockstep::model {

Hash signed_hash(const Signed& value) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 signed");
  codec::Writer writer;
  codec::put(writer, value.network);
  codec::put(writer, value.kind);
  codec::put(writer, value.version);
  codec::put(writer, value.nonce);
  codec::put(writer, value.signer);
  codec::put(writer, value.body);
  return crypto::hash(mode, writer.bytes());
}

Signed sign(const crypto::SecretKey& key, const Context& context, Bytes body) {
  Signed value;
  value.network = context.network;
  value.kind = context.kind;
  value.nonce = context.nonce;
  value.signer = key.public_key();
  value.body = std::move(body);
  value.signature = key.sign(signed_hash(value).view());
  return value;
}

Result<void> verify(const Signed& value, const NetworkId& network, SignedKind kind) {
  if (value.network != network) {
    return refuse(Code::wrong_network, "signed for another network");
  }
  if (value.kind != kind || value.version != signed_version) {
    return refuse(Code::wrong_kind, "signed as something else, or in another version");
  }
  if (!crypto::verify(value.signer, signed_hash(value).view(), value.signature)) {
    return refuse(Code::bad_signature, "the signature does not fit");
  }
  return {};
}

}  // namespace lockstep::model
