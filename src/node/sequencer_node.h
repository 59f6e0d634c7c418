// The ledger's node: takes transactions, makes blocks on demand, sends them to whoever follows.
#pragma once

#include "chain/sequencer.h"
#include "node/node.h"

namespace lockstep::node {

class SequencerNode final : public Node {
 public:
  explicit SequencerNode(chain::Sequencer sequencer) : sequencer_(std::move(sequencer)) {}
  void start(uint64_t now_ms) override;
  void on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) override;
  void on_timer(uint64_t now_ms, uint64_t id) override;
  void on_work(uint64_t now_ms, WorkDone done) override;
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override;
  [[nodiscard]] chain::Sequencer& sequencer() { return sequencer_; }
  static constexpr size_t message_blocks_max = 8;
  static constexpr size_t burst_bytes_max = size_t{16} << 20;  // to one follower in one go
  static constexpr size_t followers_max = 4096;
  static constexpr uint64_t retry_ms = 1000;  // after the log failed

 private:
  void wake(uint64_t now_ms);
  /// False when it could not be made.
  bool produce(uint64_t now_ms);
  void follow(const PublicKey& from, uint64_t first);
  /// Sends what a follower has not got yet, as much as goes into one burst.
  void send_blocks(const PublicKey& follower, uint64_t& next);
  void set_timer(uint64_t at_ms);
  chain::Sequencer sequencer_;
  std::map<PublicKey, uint64_t> followers_;  // next height to send
  std::optional<uint64_t> timer_ms_;
};

}  // namespace lockstep::node
