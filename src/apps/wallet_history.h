// What a ledger's blocks did to one owner's money, entry by entry: derived from the blocks, which
// whoever asks has checked himself.
#pragma once

#include <map>
#include <optional>
#include <span>

#include "ledger/events.h"
#include "model/block.h"

namespace lockstep::apps {

enum class MoneyKind : uint8_t {
  genesis,   // what the network began with
  transfer,  // from or to another owner
  stake,     // balance to stake
  unstake,   // and back
  escrow,    // a job was opened
  refund,    // and settled: what was not spent
  work,      // a machine's work became final
  audit,     // an auditor's work
  reward,    // for a challenge that convicted
  slash,     // for a claim that was false
  bond,      // lost with a challenge or an audit, or won from a challenger
  other,     // whatever else the account shows
};
[[nodiscard]] const char* name_of(MoneyKind kind);

struct MoneyEntry {
  uint64_t block = 0;
  uint64_t time_ms = 0;  // network time
  MoneyKind kind = MoneyKind::other;
  Amount balance;                                // how much it grew; negative: it shrank
  Amount stake;                                  // the same
  std::optional<crypto::PublicKey> counterpart;  // the other owner, where there is one
  std::string job;                               // its name, where it was for one
};

/// The entries add up: from nothing to what the account holds after the last block.
class MoneyHistory {
 public:
  /// `state` is that of the genesis.
  MoneyHistory(const crypto::PublicKey& owner, const ledger::State& state);
  /// Block by block; `after` is the state with it.
  void on_block(const model::Block& block,
                std::span<const ledger::Event> events,
                const ledger::State& after);
  [[nodiscard]] const std::vector<MoneyEntry>& entries() const { return entries_; }

 private:
  struct Ending;
  void add(MoneyEntry entry);
  void take_transactions(const model::Block& block, std::span<const ledger::Event> events);
  void take_transaction(const crypto::PublicKey& signer, const model::Transaction& body);
  void take_escrow(const model::OpenJob& open);
  void take_leases(const ledger::State& after);
  void take_events(std::span<const ledger::Event> events, const ledger::State& after);
  void take_slash(const ledger::Slashed& slashed, const Ending& last);
  /// What no event tells: the account's change less that of the block's entries.
  void take_rest(const ledger::State& after, const Ending& lost, bool audited);

  crypto::PublicKey owner_;
  std::vector<MoneyEntry> entries_;
  Amount balance_, stake_;  // of all entries
  std::map<model::LeaseId, Amount> paid_;
  uint64_t height_ = 0, time_ms_ = 0;
};

}  // namespace lockstep::apps
