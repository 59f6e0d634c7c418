// An auditor: a node that does nothing but audit.
#pragma once

#include "node/audit_desk.h"

namespace lockstep::node {

class Auditor final : public Node {
 public:
  struct Setup {
    model::Genesis genesis;
    Identity identity;
    Hash salt_seed;
  };
  /// Borrows the store, and the log, where given: it keeps the ledger's blocks (LedgerClient).
  /// Errors: those of the ledger's genesis.
  static Result<std::unique_ptr<Auditor>> create(const Setup& setup,
                                                 store::Blobs& blobs,
                                                 env::KeyValue* log = nullptr);
  void start(uint64_t now_ms) override;
  void on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) override;
  void on_timer(uint64_t now_ms, uint64_t id) override;
  void on_work(uint64_t now_ms, WorkDone done) override;
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override;
  [[nodiscard]] const LedgerClient& ledger() const { return *ledger_; }

 private:
  Auditor() = default;
  void pump(uint64_t now_ms);
  std::optional<LedgerClient> ledger_;
  std::optional<BlobClient> blobs_;
  std::optional<AuditDesk> desk_;
  uint64_t next_tick_ms_ = 0;
};

}  // namespace lockstep::node
