#include "platform/tls_identity.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <optional>

#include "crypto/ed25519.h"
#include "platform/tls_session.h"

namespace lockstep::platform {
namespace {

// An arc of the kind that needs no registrar: 2.25 and a random 128-bit number.
constexpr const char* extension_oid = "2.25.187212573412905613474128853211469270711";
// Before the network's hash, in the extension.
constexpr std::string_view extension_label = "lockstep/1 network ";
constexpr int x509_version_3 = 2;  // as X.509 counts

struct FreeMore {
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(ASN1_OBJECT* object) const { ASN1_OBJECT_free(object); }
  void operator()(ASN1_OCTET_STRING* text) const { ASN1_OCTET_STRING_free(text); }
  void operator()(uint8_t* bytes) const { OPENSSL_free(bytes); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeMore>;

Error cannot(const std::string& what) {
  ERR_clear_error();
  return refuse(Code::internal, "the TLS library cannot " + what, "report this");
}

Error distrust(std::string what, std::string next) {
  return refuse(Code::not_trusted, std::move(what), std::move(next));
}

Bytes extension_value(const Hash& network) {
  Bytes value(extension_label.begin(), extension_label.end());
  value.insert(value.end(), network.bytes.begin(), network.bytes.end());
  return value;
}

std::time_t seconds_of(uint64_t ms) {
  return static_cast<std::time_t>(ms / 1000);
}

bool add_extension(X509* certificate, const Hash& network) {
  const Bytes value = extension_value(network);
  const Owned<ASN1_OBJECT> kind(OBJ_txt2obj(extension_oid, 1));
  const Owned<ASN1_OCTET_STRING> text(ASN1_OCTET_STRING_new());
  if (!kind || !text ||
      ASN1_OCTET_STRING_set(text.get(), value.data(), static_cast<int>(value.size())) != 1) {
    return false;
  }
  // Critical: software that does not know it must refuse the certificate.
  const Owned<X509_EXTENSION> extension(
      X509_EXTENSION_create_by_OBJ(nullptr, kind.get(), 1, text.get()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill(X509* certificate, EVP_PKEY* key, const Hash& network, uint64_t now_ms) {
  const auto* name = reinterpret_cast<const unsigned char*>("Lockstep node");
  X509_NAME* subject = X509_get_subject_name(certificate);
  const uint64_t from_ms = now_ms - std::min(now_ms, certificate_early_ms);
  return X509_set_version(certificate, x509_version_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), now_ms) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), seconds_of(from_ms)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate),
                       seconds_of(from_ms + certificate_life_ms)) != nullptr &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1 &&
         X509_set_pubkey(certificate, key) == 1 && add_extension(certificate, network) &&
         X509_sign(certificate, key, nullptr) != 0;
}

/// Seconds since 1970; none for what is no time.
std::optional<int64_t> seconds_of(const ASN1_TIME* time) {
  int days = 0;
  int seconds = 0;
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> start(ASN1_TIME_set(nullptr, 0),
                                                                    ASN1_TIME_free);
  if (!start || ASN1_TIME_diff(&days, &seconds, start.get(), time) != 1) {
    return std::nullopt;
  }
  return int64_t{days} * 86'400 + seconds;
}

std::string utc_text(int64_t seconds) {
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> time(
      ASN1_TIME_set(nullptr, static_cast<std::time_t>(seconds)), ASN1_TIME_free);
  tm parts{};
  std::array<char, 32> text{};
  if (!time || ASN1_TIME_to_tm(time.get(), &parts) != 1) {
    return "?";
  }
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

Result<void> check_period(const X509* certificate, uint64_t now_ms) {
  const auto from = seconds_of(X509_get0_notBefore(certificate));
  const auto until = seconds_of(X509_get0_notAfter(certificate));
  const auto now = static_cast<int64_t>(now_ms / 1000);
  if (!from || !until || *until < *from) {
    return distrust("the certificate's period of validity cannot be read",
                    "the other side must run Lockstep");
  }
  if (*until - *from > static_cast<int64_t>(certificate_life_ms_max / 1000)) {
    return distrust("the certificate is valid for longer than a node's may be",
                    "the other side must run Lockstep, which makes a new one each day");
  }
  const std::string next = "check the clocks of both machines (date -u): they must agree";
  if (now < *from) {
    return distrust(
        "the certificate is valid from " + utc_text(*from) + " on, and here it is " + utc_text(now),
        next);
  }
  if (now > *until) {
    return distrust(
        "the certificate ran out at " + utc_text(*until) + ", and here it is " + utc_text(now),
        next);
  }
  return {};
}

/// With libsodium besides, which refuses keys and signatures that are not canonical.
bool signed_strictly(X509* certificate, const env::NodeId& key) {
  const ASN1_BIT_STRING* signature = nullptr;
  X509_get0_signature(&signature, nullptr, certificate);
  const std::unique_ptr<X509, FreeTls> copy(X509_dup(certificate));
  uint8_t* encoded = nullptr;
  const int size = copy ? i2d_re_X509_tbs(copy.get(), &encoded) : 0;
  const Owned<uint8_t> body(encoded);
  crypto::Signature value;
  if (size <= 0 || signature == nullptr ||
      ASN1_STRING_length(signature) != static_cast<int>(value.bytes.size())) {
    return false;
  }
  std::memcpy(value.bytes.data(), ASN1_STRING_get0_data(signature), value.bytes.size());
  return crypto::verify({key}, {body.get(), static_cast<size_t>(size)}, value);
}

Result<env::NodeId> key_of(X509* certificate) {
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  env::NodeId id{};
  size_t size = id.size();
  if (key == nullptr || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key, id.data(), &size) != 1 || size != id.size()) {
    return distrust("the certificate's key is not an Ed25519 key", "the other side must be a node");
  }
  if (X509_get_signature_nid(certificate) != NID_ED25519 ||
      X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) != 0 ||
      X509_verify(certificate, key) != 1 || !signed_strictly(certificate, id)) {
    return distrust("the certificate is not signed by the key that it shows",
                    "the other side must be a node");
  }
  return id;
}

Result<void> check_network(const X509* certificate, const Hash& network) {
  const Owned<ASN1_OBJECT> kind(OBJ_txt2obj(extension_oid, 1));
  const int at = kind ? X509_get_ext_by_OBJ(certificate, kind.get(), -1) : -1;
  if (at < 0 || X509_get_ext_count(certificate) != 1) {
    return distrust("the certificate is not one of a Lockstep node",
                    "check that the address is that of a node");
  }
  X509_EXTENSION* extension = X509_get_ext(certificate, at);
  const ASN1_OCTET_STRING* text = X509_EXTENSION_get_data(extension);
  const Bytes wanted = extension_value(network);
  const ByteView found(ASN1_STRING_get0_data(text), static_cast<size_t>(ASN1_STRING_length(text)));
  if (X509_EXTENSION_get_critical(extension) != 1 || !std::ranges::equal(found, wanted)) {
    return distrust("the other side belongs to another network",
                    "check that both sides were started with the same network file");
  }
  return {};
}

// NOLINTNEXTLINE(readability-function-size): as OpenSSL declares it
int select_protocol(SSL* /*session*/,
                    const unsigned char** chosen,
                    unsigned char* chosen_size,
                    const unsigned char* offered,
                    unsigned offered_size,
                    void* /*nothing*/) {
  // A list of names, each after a byte that counts it.
  size_t at = 0;
  while (at < offered_size) {
    const size_t size = offered[at];
    if (size > offered_size - at - 1) {
      break;
    }
    const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), size);
    if (name == tls_protocol) {
      *chosen = offered + at + 1;
      *chosen_size = static_cast<unsigned char>(size);
      return SSL_TLSEXT_ERR_OK;
    }
    at += 1 + size;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool set_up(SSL_CTX* context) {
  std::string protocols(1, static_cast<char>(tls_protocol.size()));
  protocols += tls_protocol;
  const auto* names = reinterpret_cast<const unsigned char*>(protocols.data());
  SSL_CTX_set_options(context,
                      SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                          SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                       SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, tls_read_buffer_bytes);
  SSL_CTX_set_max_cert_list(context, 8192);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, TlsSession::on_certificate, nullptr);
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") ==
             1 &&
         SSL_CTX_set1_groups_list(context, "X25519") == 1 &&
         SSL_CTX_set1_sigalgs_list(context, "ed25519") == 1 &&
         SSL_CTX_set1_client_sigalgs_list(context, "ed25519") == 1 &&
         SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1 &&
         // This one gives 0 for success.
         SSL_CTX_set_alpn_protos(context, names, static_cast<unsigned>(protocols.size())) == 0;
}

}  // namespace

void FreeTls::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}
void FreeTls::operator()(x509_st* certificate) const {
  X509_free(certificate);
}
void FreeTls::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}

Result<env::NodeId> check_certificate(x509_st* certificate, const Hash& network, uint64_t now_ms) {
  if (X509_get_version(certificate) != x509_version_3) {
    return distrust("the certificate is not an X.509 certificate of version 3",
                    "the other side must be a node");
  }
  const env::NodeId id = TRY(key_of(certificate));
  TRY(check_network(certificate, network));
  TRY(check_period(certificate, now_ms));
  return id;
}

Result<TlsIdentity> TlsIdentity::make(Hash& seed, const Hash& network, uint64_t now_ms) {
  TlsIdentity identity;
  identity.network_ = network;
  identity.key_.reset(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, seed.bytes.data(), seed.bytes.size()));
  OPENSSL_cleanse(seed.bytes.data(), seed.bytes.size());
  size_t size = identity.id_.size();
  if (!identity.key_ ||
      EVP_PKEY_get_raw_public_key(identity.key_.get(), identity.id_.data(), &size) != 1 ||
      size != identity.id_.size()) {
    return cannot("make a key");
  }
  identity.context_.reset(SSL_CTX_new(TLS_method()));
  if (!identity.context_ || !set_up(identity.context_.get())) {
    return cannot("be set up");
  }
  TRY(identity.renew(now_ms));
  return identity;
}

Result<void> TlsIdentity::renew(uint64_t now_ms) {
  std::unique_ptr<x509_st, FreeTls> certificate(X509_new());
  if (!certificate || !fill(certificate.get(), key_.get(), network_, now_ms) ||
      SSL_CTX_use_certificate(context_.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context_.get(), key_.get()) != 1 ||
      SSL_CTX_check_private_key(context_.get()) != 1) {
    return cannot("make a certificate");
  }
  certificate_ = std::move(certificate);
  made_ms_ = now_ms;
  return {};
}

Result<ssl_ctx_st*> TlsIdentity::context(uint64_t now_ms) {
  // The clock may have been set back, too.
  if (now_ms < made_ms_ || now_ms - made_ms_ >= certificate_life_ms / 2) {
    TRY(renew(now_ms));
  }
  return context_.get();
}

}  // namespace lockstep::platform
