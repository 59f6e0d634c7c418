// A node without a role: it follows the ledger and sees transactions through that somebody signed.
// What commands use that look at a network or pay on it; its key need not be registered.
#pragma once

#include "node/ledger_client.h"

namespace lockstep::node {

class Visitor final : public Node {
 public:
  /// Errors: those of the ledger's genesis.
  static Result<std::unique_ptr<Visitor>> create(const model::Genesis& genesis,
                                                 const crypto::SecretKey& key);
  void start(uint64_t now_ms) override;
  void on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) override;
  void on_timer(uint64_t now_ms, uint64_t id) override;
  void on_work(uint64_t /*now_ms*/, WorkDone /*done*/) override {}
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override;

  [[nodiscard]] const LedgerClient& ledger() const { return *ledger_; }
  /// Whether everything that the ledger said it has is here.
  [[nodiscard]] bool is_up_to_date() const { return height_ && ledger_->height() >= *height_; }
  /// Whether the ledger has used this nonce of the signer.
  [[nodiscard]] bool is_used(const PublicKey& signer, uint64_t nonce) const;

 private:
  Visitor() = default;
  void ask_height();
  std::optional<LedgerClient> ledger_;
  std::optional<uint64_t> height_;  // of the ledger, when it last spoke
};

}  // namespace lockstep::node
