// A signature is good for one network, kind, version, nonce, signer and body.
#include "model/signed.h"

#include <gtest/gtest.h>

namespace lockstep::model {
namespace {

Hash some_hash(uint8_t number) {
  Hash hash;
  hash.bytes[0] = number;
  return hash;
}
const crypto::SecretKey key = crypto::SecretKey::from_seed(some_hash(1));
const NetworkId network = {some_hash(2)};

Signed good() {
  return sign(key, {network, SignedKind::quote, 5}, codec::encode(uint32_t{42}));
}
Code refusal(const Signed& value) {
  const auto checked = verify(value, network, SignedKind::quote);
  return checked.ok() ? Code::internal : checked.error().code;
}

TEST(Signed, WhatWasSignedOpens) {
  EXPECT_EQ(open<uint32_t>(good(), network, SignedKind::quote).value(), 42U);
  EXPECT_EQ(good().nonce, 5U);
  EXPECT_EQ(good().signer, key.public_key());
}

TEST(Signed, EveryChangedFieldIsRefused) {
  Signed value = good();
  value.network = {some_hash(3)};
  EXPECT_EQ(refusal(value), Code::wrong_network);
  EXPECT_EQ(verify(value, value.network, SignedKind::quote).error().code, Code::bad_signature);
  value = good();
  value.kind = SignedKind::header;
  EXPECT_EQ(refusal(value), Code::wrong_kind);
  EXPECT_EQ(verify(value, network, SignedKind::header).error().code, Code::bad_signature);
  value = good();
  value.version += 1;
  EXPECT_EQ(refusal(value), Code::wrong_kind);
  value = good();
  value.nonce += 1;
  EXPECT_EQ(refusal(value), Code::bad_signature);
  value = good();
  value.signer = crypto::SecretKey::from_seed(some_hash(4)).public_key();
  EXPECT_EQ(refusal(value), Code::bad_signature);
}

TEST(Signed, EveryChangedBitOfBodyAndSignatureIsRefused) {
  for (size_t bit = 0; bit < 8 * good().body.size(); ++bit) {
    Signed value = good();
    value.body[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_EQ(refusal(value), Code::bad_signature);
  }
  for (size_t bit = 0; bit < 8 * good().signature.bytes.size(); ++bit) {
    Signed value = good();
    value.signature.bytes[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_EQ(refusal(value), Code::bad_signature);
  }
  Signed longer = good();
  longer.body.push_back(0);
  EXPECT_EQ(refusal(longer), Code::bad_signature);
}

TEST(Signed, ABodyThatDoesNotDecodeIsRefusedAfterItsSignature) {
  EXPECT_EQ(open<uint64_t>(good(), network, SignedKind::quote).error().code, Code::truncated);
  EXPECT_EQ(open<uint16_t>(good(), network, SignedKind::quote).error().code, Code::trailing_bytes);
}

TEST(Signed, TheHashIsOfAllButTheSignature) {
  Signed value = good();
  const Hash hash = signed_hash(value);
  value.signature.bytes[0] ^= 1;
  EXPECT_EQ(signed_hash(value), hash);
  value.nonce += 1;
  EXPECT_NE(signed_hash(value), hash);
  value = good();
  value.body.push_back(0);
  EXPECT_NE(signed_hash(value), hash);
}

}  // namespace
}  // namespace lockstep::model
