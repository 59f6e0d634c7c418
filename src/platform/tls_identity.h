// Who a node is to other machines: a certificate it signs itself, with its node key, for one
// network; and what such a certificate of somebody else must hold to be believed.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "env/network.h"

struct ssl_ctx_st;
struct x509_st;
struct evp_pkey_st;

namespace lockstep::platform {

/// A certificate is valid from so much before it is made, and for so much in all.
inline constexpr uint64_t certificate_early_ms = 3'600'000;
inline constexpr uint64_t certificate_life_ms = 25 * uint64_t{3'600'000};
/// A longer one is refused: whoever copied an old key could use it for years.
inline constexpr uint64_t certificate_life_ms_max = 48 * uint64_t{3'600'000};
/// The protocol's name in the TLS handshake.
inline constexpr std::string_view tls_protocol = "lockstep/1";

struct FreeTls {
  void operator()(ssl_ctx_st* context) const;
  void operator()(x509_st* certificate) const;
  void operator()(evp_pkey_st* key) const;
};

/// The checks on the other side's certificate, all of them: Ed25519, signed by itself, valid at
/// `now_ms`, of this network. Gives the key it proves, once the handshake is signed with it.
/// Errors: not_trusted.
[[nodiscard]] Result<env::NodeId> check_certificate(x509_st* certificate,
                                                    const Hash& network,
                                                    uint64_t now_ms);

/// A node key with its certificate, made anew while it runs.
class TlsIdentity {
 public:
  /// `seed` is the raw Ed25519 private key; it is all zero afterwards. `network` names the network
  /// this node belongs to. Errors: internal.
  [[nodiscard]] static Result<TlsIdentity> make(Hash& seed, const Hash& network, uint64_t now_ms);

  [[nodiscard]] const env::NodeId& id() const { return id_; }
  [[nodiscard]] const Hash& network() const { return network_; }
  /// For new sessions; its certificate has at least half of its life before it at `now_ms`.
  /// Errors: internal.
  [[nodiscard]] Result<ssl_ctx_st*> context(uint64_t now_ms);
  /// The certificate that is shown now.
  [[nodiscard]] x509_st* certificate() const { return certificate_.get(); }

 private:
  TlsIdentity() = default;
  Result<void> renew(uint64_t now_ms);

  env::NodeId id_{};
  Hash network_;
  uint64_t made_ms_ = 0;
  std::unique_ptr<evp_pkey_st, FreeTls> key_;
  std::unique_ptr<x509_st, FreeTls> certificate_;
  std::unique_ptr<ssl_ctx_st, FreeTls> context_;
};

}  // namespace lockstep::platform
