// RFC 8032 section 7.1, and that nothing but the signature of this key over this message verifies.
#include "crypto/ed25519.h"

#include <gtest/gtest.h>

namespace lockstep::crypto {
namespace {

struct Vector {
  const char *seed, *key, *message, *signature;
};
constexpr Vector vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
     "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
     "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
     "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

SecretKey key_of(const Vector& vector) {
  const Bytes bytes = from_hex(vector.seed).value();
  Hash seed;
  std::memcpy(seed.bytes.data(), bytes.data(), seed.bytes.size());
  return SecretKey::from_seed(seed);
}

TEST(Ed25519, AgreesWithTheStandard) {
  for (const Vector& vector : vectors) {
    const SecretKey key = key_of(vector);
    EXPECT_EQ(to_hex(key.public_key().bytes), vector.key);
    const Bytes message = from_hex(vector.message).value();
    const Signature signature = key.sign(message);
    EXPECT_EQ(to_hex(signature.bytes), vector.signature);
    EXPECT_TRUE(verify(key.public_key(), message, signature));
  }
}

TEST(Ed25519, EveryChangedBitIsRefused) {
  const SecretKey key = key_of(vectors[2]);
  const Bytes message = {1, 2, 3, 4};
  const Signature signature = key.sign(message);
  for (size_t bit = 0; bit < 512; ++bit) {
    Signature changed = signature;
    changed.bytes[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_FALSE(verify(key.public_key(), message, changed)) << bit;
  }
  for (size_t bit = 0; bit < 256; ++bit) {
    PublicKey changed = key.public_key();
    changed.bytes[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_FALSE(verify(changed, message, signature)) << bit;
  }
  for (size_t bit = 0; bit < 8 * message.size(); ++bit) {
    Bytes changed = message;
    changed[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_FALSE(verify(key.public_key(), changed, signature)) << bit;
  }
  EXPECT_FALSE(verify(key.public_key(), Bytes{1, 2, 3}, signature));
  EXPECT_FALSE(verify(key_of(vectors[1]).public_key(), message, signature));
}

TEST(Ed25519, AScalarThatIsNotReducedIsRefused) {
  // S + L satisfies the same equation: accepting it would give one message two signatures.
  const Bytes order =
      from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").value();
  const SecretKey key = key_of(vectors[0]);
  Signature signature = key.sign({});
  ASSERT_TRUE(verify(key.public_key(), {}, signature));
  unsigned carry = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    carry += signature.bytes[32 + i] + static_cast<unsigned>(order[i]);
    signature.bytes[32 + i] = static_cast<uint8_t>(carry);
    carry >>= 8;
  }
  ASSERT_EQ(carry, 0U);
  EXPECT_FALSE(verify(key.public_key(), {}, signature));
}

TEST(Ed25519, KeysOfSmallOrderAreRefused) {
  // The neutral element as key and as R, S = 0: the equation holds for every message.
  PublicKey neutral;
  neutral.bytes[0] = 1;
  Signature signature;
  signature.bytes[0] = 1;
  EXPECT_FALSE(verify(neutral, {}, signature));
  EXPECT_FALSE(verify(PublicKey{}, {}, Signature{}));
}

TEST(Ed25519, AMemoAnswersAsVerifyDoes) {
  const SecretKey key = key_of(vectors[0]);
  const Signature right = key.sign(Bytes{1, 2});
  Signature wrong = right;
  wrong.bytes[5] ^= 1;
  PublicKey other = key.public_key();
  other.bytes[7] ^= 1;
  const VerifyMemo memo;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(verify(key.public_key(), Bytes{1, 2}, right));
    EXPECT_FALSE(verify(key.public_key(), Bytes{1, 2}, wrong));
    EXPECT_FALSE(verify(key.public_key(), Bytes{1, 3}, right));
    EXPECT_FALSE(verify(other, Bytes{1, 2}, right));
  }
}

TEST(Ed25519, TheSameSeedGivesTheSameKey) {
  EXPECT_EQ(key_of(vectors[0]).public_key(), key_of(vectors[0]).public_key());
  const SecretKey copy = key_of(vectors[0]);  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(copy.sign(Bytes{1}), key_of(vectors[0]).sign(Bytes{1}));
}

}  // namespace
}  // namespace lockstep::crypto
