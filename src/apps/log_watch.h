// Writes a node's doings into its log: each line with the ids that lead from a job to its tasks and
// on to the claims that they stand in.
#pragma once

#include "apps/host.h"
#include "apps/node_log.h"
#include "apps/recent.h"

namespace lockstep::apps {

class LogWatch final : public HostWatch {
 public:
  using State = std::function<const ledger::State&()>;
  /// Borrows the log. `self` is the node's key.
  LogWatch(NodeLog& log, const crypto::PublicKey& self, State state)
      : log_(log), self_(self), state_(std::move(state)) {}

  void on_start(uint64_t /*now_ms*/) override {}
  void on_message(uint64_t now_ms,
                  const crypto::PublicKey& from,
                  const net::Message& message) override;
  void on_timer(uint64_t /*now_ms*/, uint64_t /*id*/) override {}
  void on_work(uint64_t now_ms, const node::WorkDone& done) override;
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override;
  void on_providers(uint64_t now_ms, const std::vector<crypto::PublicKey>& keys) override;
  void on_effect(uint64_t now_ms, const node::Effect& effect) override;

 private:
  using Fields = NodeLog::Fields;
  struct Where {
    model::JobId job;
    model::LeaseId lease;
  };
  void on_assign(uint64_t now_ms, const crypto::PublicKey& peer, const model::Signed& assignment);
  void on_deliver(uint64_t now_ms, const crypto::PublicKey& peer, const model::Signed& receipt);
  void on_voucher(uint64_t now_ms, const crypto::PublicKey& peer, const model::Signed& voucher);
  void on_sent(uint64_t now_ms, const node::Send& sent);
  void on_submit(uint64_t now_ms, const model::Signed& transaction);
  void on_claim(uint64_t now_ms, const model::ClaimId& id, const model::PostClaim& claim);
  void on_told(uint64_t now_ms, const node::Notice& notice);
  void on_requester_told(uint64_t now_ms, const node::Notice& notice);
  void on_news(uint64_t now_ms, const node::LedgerNews& news);
  /// With what is known of it.
  [[nodiscard]] Fields of_task(const model::TaskId& id) const;
  void add_lease(Fields& fields, const model::LeaseId& id) const;
  void add_claim(Fields& fields, const model::ClaimId& id) const;
  /// The ids and amounts that an event or a transaction has.
  template <class T>
  void add_ids(Fields& fields, const T& from) const;

  NodeLog& log_;
  crypto::PublicKey self_;
  State state_;
  static constexpr size_t recent_max = 4096;
  Recent<model::TaskId, Where> tasks_{recent_max};
  Recent<model::TaskId> delivered_{recent_max}, accepted_{recent_max}, declined_{recent_max};
  Recent<std::pair<crypto::PublicKey, uint64_t>> sent_{recent_max};  // signer, nonce
};

}  // namespace lockstep::apps
