// A node's own view of the ledger: it follows every block with a ledger of its own, and sees its
// transactions through until they stand in one. It may keep the blocks for its next life.
#pragma once

#include "chain/blocks.h"
#include "env/key_value.h"
#include "node/node.h"

namespace lockstep::node {

class LedgerClient {
 public:
  /// Borrows `effects`, which must stay where they are while the client lives, also when the client
  /// itself is moved. With a log (borrowed, too) it keeps every block that it follows, under
  /// "block/<height in 16 hex digits>", and begins where the log ends: at a block that is missing,
  /// cannot be read or does not fit. The rest comes from the ledger again; what stood in the log is
  /// no news.
  static Result<LedgerClient> create(const model::Genesis& genesis,
                                     const crypto::SecretKey& key,
                                     Effects& effects,
                                     env::KeyValue* log = nullptr);

  void start(uint64_t now_ms);
  /// Signs with the node key and the next nonce, sends, and sends again until it is in a block.
  model::TransactionId submit(uint64_t now_ms, const model::Transaction& transaction);
  /// One that somebody else signed (the owner): sends it until its nonce is used.
  void submit_signed(uint64_t now_ms, const model::Signed& transaction);
  /// Applies the blocks that follow on what is known, keeps those ahead, asks for the missing ones.
  /// Returns the news in order. A block that does not check is dropped. Of those ahead at most
  /// ahead_max are kept.
  std::vector<LedgerNews> on_blocks(uint64_t now_ms, const net::Blocks& blocks);
  /// To be called at least every tick_ms: sends again what got lost.
  void tick(uint64_t now_ms);
  static constexpr uint64_t tick_ms = 250;
  static constexpr uint64_t ahead_max = 1024;
  static constexpr uint64_t resend_ms = 500;       // a transaction that is in no block
  static constexpr uint64_t ask_gap_ms = 500;      // at least, between two questions for a gap
  static constexpr uint64_t ask_silent_ms = 1000;  // without news while something is unsettled
  static constexpr uint64_t ask_ms = 2000;         // anyway

  [[nodiscard]] const ledger::State& state() const { return follower_.ledger().state(); }
  [[nodiscard]] uint64_t height() const { return follower_.height(); }
  /// Whether blocks came in this life: before that the log may end long ago, and what follows from
  /// it may be over.
  [[nodiscard]] bool has_heard() const { return heard_; }
  /// Network time of the last block.
  [[nodiscard]] uint64_t time_ms() const { return state().totals.time_ms; }
  [[nodiscard]] const PublicKey& self() const { return self_; }
  [[nodiscard]] const crypto::SecretKey& key() const { return key_; }
  /// The claim as it was posted: its assignments and receipts. Null when unknown.
  [[nodiscard]] const model::PostClaim* claim(const model::ClaimId& id) const;
  /// Whether a transaction of this life is still on its way: its nonce is not used.
  [[nodiscard]] bool is_waiting(const model::TransactionId& id) const;
  [[nodiscard]] bool is_waiting() const { return !unsettled_.empty(); }
  /// Blocks of the log from `first` on, at most `count_max`; fewer where the log has a gap. Errors:
  /// io_failed, also for a client without a log; bad_block.
  [[nodiscard]] Result<std::vector<model::Block>> blocks(uint64_t first, size_t count_max) const;

 private:
  struct Sent {
    model::Signed transaction;
    std::optional<uint64_t> sent_ms;  // nothing: not yet
  };
  LedgerClient(chain::Follower follower, const crypto::SecretKey& key, Effects& effects);
  [[nodiscard]] uint64_t next_nonce(const PublicKey& signer) const;
  void send(uint64_t now_ms, Sent& sent);
  void ask(uint64_t now_ms);
  void ask_gap(uint64_t now_ms);
  void keep_ahead(uint64_t height, const model::Block& block);
  /// Whether the block was the next one and checked.
  bool follow(uint64_t now_ms, const model::Block& block, std::vector<LedgerNews>& news);
  void remember_claims(const model::Block& block);
  void drop_included();
  void replay();
  void keep(const model::Block& block);

  chain::Follower follower_;
  crypto::SecretKey key_;
  PublicKey self_;
  PublicKey sequencer_;
  model::NetworkId network_;
  Effects* effects_;
  env::KeyValue* log_ = nullptr;
  std::vector<Sent> unsettled_;
  std::map<uint64_t, model::Block> ahead_;
  std::map<model::ClaimId, model::PostClaim> claims_;
  bool heard_ = false;  // anything of the ledger, in this life
  uint64_t asked_ms_ = 0;
  uint64_t news_ms_ = 0;  // when the last block came
};

}  // namespace lockstep::node
