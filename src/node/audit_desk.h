// The auditor's work on behalf of a node: when this node is drawn it fetches the inputs, executes,
// commits, reveals, and challenges what differs down to one fold step.
#pragma once

#include "attest/witness.h"
#include "node/blob_client.h"
#include "node/ledger_client.h"

namespace lockstep::node {

class AuditDesk {
 public:
  /// Borrows all. Groups and work ids it uses have `id_bit` set, so that its owner can tell them
  /// from its own. `secret` seeds its salts.
  AuditDesk(LedgerClient& ledger, BlobClient& blobs, Effects& effects, const Hash& secret);
  ~AuditDesk();
  static constexpr uint64_t id_bit = uint64_t{1} << 63;

  void on_news(uint64_t now_ms, const LedgerNews& news);
  /// Of groups with id_bit.
  void on_ready(uint64_t now_ms, uint64_t group);
  void on_failed(uint64_t now_ms, uint64_t group);
  /// Of work with id_bit.
  void on_work(uint64_t now_ms, WorkDone done);
  void tick(uint64_t now_ms);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::node
