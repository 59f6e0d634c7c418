// Certificates: ours are believed in their network and time, and nobody else's are.
#include "platform/tls_identity.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "crypto/ed25519.h"
#include "platform/test_tls_peer.h"

namespace lockstep::platform {
namespace {

constexpr uint64_t hour_ms = 3'600'000;
constexpr uint64_t now_ms = 1'800'000'000'000;

void expect_refused(X509* certificate, const std::string& text, uint64_t at_ms = now_ms) {
  const auto checked = check_certificate(certificate, test_network, at_ms);
  ASSERT_FALSE(checked.ok()) << text;
  EXPECT_EQ(checked.error().code, Code::not_trusted);
  EXPECT_FALSE(checked.error().next.empty());
  EXPECT_NE(checked.error().message().find(text), std::string::npos) << checked.error().message();
}

TEST(TlsIdentity, IsTheNodeKey) {
  for (uint8_t number = 1; number < 20; ++number) {
    const TlsIdentity identity = test_identity(number, test_network, now_ms);
    EXPECT_EQ(identity.id(), crypto::SecretKey::from_seed(test_hash(number)).public_key().bytes);
    const auto checked = check_certificate(identity.certificate(), test_network, now_ms);
    ASSERT_TRUE(checked.ok()) << checked.error().message();
    EXPECT_EQ(*checked, identity.id());
  }
}

TEST(TlsIdentity, HoldsInItsTimeOnly) {
  const TlsIdentity identity = test_identity(1, test_network, now_ms);
  const uint64_t from = now_ms - certificate_early_ms;
  for (const uint64_t at : {from, now_ms, now_ms + hour_ms, from + certificate_life_ms}) {
    EXPECT_TRUE(check_certificate(identity.certificate(), test_network, at).ok()) << at;
  }
  expect_refused(identity.certificate(), "clocks of both machines", from - 1000);
  expect_refused(identity.certificate(), "is valid from 2027-01-15 07:00:00 UTC", from - 1000);
  expect_refused(identity.certificate(), "ran out at", from + certificate_life_ms + 1000);
  expect_refused(
      identity.certificate(), "clocks of both machines", from + certificate_life_ms + 1000);
}

TEST(TlsIdentity, IsMadeAnewBeforeItRunsOut) {
  TlsIdentity identity = test_identity(1, test_network, now_ms);
  Bytes serials;
  for (uint64_t at = now_ms; at < now_ms + 100 * hour_ms; at += hour_ms) {
    ASSERT_TRUE(identity.context(at).ok());
    const uint64_t later = at + certificate_life_ms / 2 - certificate_early_ms;
    EXPECT_TRUE(check_certificate(identity.certificate(), test_network, at).ok());
    EXPECT_TRUE(check_certificate(identity.certificate(), test_network, later).ok());
  }
  // The clock was set back.
  ASSERT_TRUE(identity.context(now_ms).ok());
  EXPECT_TRUE(check_certificate(identity.certificate(), test_network, now_ms).ok());
}

TEST(TlsIdentity, RefusesAnotherNetwork) {
  const TlsIdentity other = test_identity(1, test_hash(201), now_ms);
  expect_refused(other.certificate(), "belongs to another network");
}

TEST(TlsIdentity, RefusesWhatWasSignedByAnotherKey) {
  const CertificatePtr copy = copy_of(test_identity(1, test_network, now_ms));
  ASSERT_GT(X509_sign(copy.get(), test_key(2).get(), nullptr), 0);
  expect_refused(copy.get(), "not signed by the key");
}

TEST(TlsIdentity, RefusesAnotherKindOfKey) {
  const CertificatePtr copy = copy_of(test_identity(1, test_network, now_ms));
  const KeyPtr key(EVP_EC_gen("P-256"));
  ASSERT_EQ(X509_set_pubkey(copy.get(), key.get()), 1);
  ASSERT_GT(X509_sign(copy.get(), key.get(), EVP_sha256()), 0);
  expect_refused(copy.get(), "not an Ed25519 key");
}

TEST(TlsIdentity, RefusesAnotherIssuerAndOtherVersions) {
  const KeyPtr key = test_key(1);
  CertificatePtr copy = copy_of(test_identity(1, test_network, now_ms));
  X509_NAME* name = X509_get_issuer_name(copy.get());
  const auto* text = reinterpret_cast<const unsigned char*>("An authority");
  ASSERT_EQ(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, text, -1, -1, 0), 1);
  ASSERT_GT(X509_sign(copy.get(), key.get(), nullptr), 0);
  expect_refused(copy.get(), "not signed by the key");

  copy = copy_of(test_identity(1, test_network, now_ms));
  ASSERT_EQ(X509_set_version(copy.get(), 0), 1);
  ASSERT_GT(X509_sign(copy.get(), key.get(), nullptr), 0);
  expect_refused(copy.get(), "version 3");
}

TEST(TlsIdentity, RefusesCertificatesOfOtherSoftware) {
  const KeyPtr key = test_key(1);
  CertificatePtr copy = copy_of(test_identity(1, test_network, now_ms));
  X509_EXTENSION* extension = X509_delete_ext(copy.get(), 0);
  ASSERT_GT(X509_sign(copy.get(), key.get(), nullptr), 0);
  expect_refused(copy.get(), "not one of a Lockstep node");
  // Twice, and then once but not critical.
  ASSERT_EQ(X509_add_ext(copy.get(), extension, -1), 1);
  ASSERT_EQ(X509_add_ext(copy.get(), extension, -1), 1);
  ASSERT_GT(X509_sign(copy.get(), key.get(), nullptr), 0);
  expect_refused(copy.get(), "not one of a Lockstep node");
  X509_EXTENSION_free(X509_delete_ext(copy.get(), 0));
  ASSERT_EQ(X509_EXTENSION_set_critical(X509_get_ext(copy.get(), 0), 0), 1);
  ASSERT_GT(X509_sign(copy.get(), key.get(), nullptr), 0);
  expect_refused(copy.get(), "belongs to another network");
  X509_EXTENSION_free(extension);
}

TEST(TlsIdentity, RefusesALongLife) {
  const CertificatePtr copy = copy_of(test_identity(1, test_network, now_ms));
  ASSERT_NE(ASN1_TIME_set(X509_getm_notAfter(copy.get()), now_ms / 1000 + 3 * 86'400), nullptr);
  ASSERT_GT(X509_sign(copy.get(), test_key(1).get(), nullptr), 0);
  expect_refused(copy.get(), "for longer than");
}

/// Whatever bit is changed: no key is proved but the one that signed.
TEST(TlsIdentity, ChangedBytesProveNoOtherKey) {
  const TlsIdentity identity = test_identity(1, test_network, now_ms);
  uint8_t* encoded = nullptr;
  const int size = i2d_X509(identity.certificate(), &encoded);
  ASSERT_GT(size, 0);
  const Bytes bytes(encoded, encoded + size);
  OPENSSL_free(encoded);
  int refused = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes changed = bytes;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ 1 << bit % 8);
    const auto* at = changed.data();
    const CertificatePtr read(d2i_X509(nullptr, &at, static_cast<int>(changed.size())));
    const auto checked = read ? check_certificate(read.get(), test_network, now_ms)
                              : refuse(Code::not_trusted, "no certificate");
    refused += checked.ok() ? 0 : 1;
    if (checked.ok()) {
      EXPECT_EQ(*checked, identity.id()) << "bit " << bit;
    }
  }
  ERR_clear_error();
  EXPECT_GE(refused, static_cast<int>(bytes.size() * 8) - 8);
}

}  // namespace
}  // namespace lockstep::platform
