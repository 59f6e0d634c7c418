// What a network starts from: its rules, its first balances and who orders its transactions.
#pragma once

#include <map>

#include "codec/record.h"
#include "crypto/ed25519.h"
#include "model/ids.h"

namespace lockstep::model {

struct Allocation {
  crypto::PublicKey owner;
  Amount amount;
  bool operator==(const Allocation&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.owner, self.amount);
  }
};

/// Durations in milliseconds. The defaults are those of networks made by `sim`.
struct Genesis {
  std::string name;
  crypto::PublicKey sequencer;
  Hash preimages;  // anchor of the sequencer's chain: block h reveals x_h with H(x_h) = x_(h−1)
  uint64_t epoch_ms = 1000;
  uint64_t block_ms = 100;          // the least between two blocks
  uint64_t answer_ms = 5000;        // D
  uint64_t final_window_ms = 5000;  // after the end of a job
  uint64_t job_idle_ms = 600'000;   // an open job to which nothing happens for so long is closed
  uint32_t preimage_blocks = 10;    // a requester's preimage is waited for that long
  Amount bond_min = Amount::from_nano(Amount::nano_per_whole / 10);
  std::vector<Allocation> balances;  // ascending by owner, unique, each above 0
  bool operator==(const Genesis&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.name,
          self.sequencer,
          self.preimages,
          self.epoch_ms,
          self.block_ms,
          self.answer_ms,
          self.final_window_ms,
          self.job_idle_ms,
          self.preimage_blocks,
          self.bond_min,
          self.balances);
  }
};

/// Context "lockstep v1 network".
[[nodiscard]] NetworkId network_id(const Genesis& genesis);

/// One link of a preimage chain, context "lockstep v1 preimage".
[[nodiscard]] Hash chain_link(const Hash& preimage);
/// x_0 (the anchor) … x_length from a secret: x_length = secret, x_(i−1) = chain_link(x_i).
[[nodiscard]] std::vector<Hash> preimage_chain(const Hash& secret, uint32_t length);

/// While one lives, preimage_chain() on its thread remembers the chains it made. For simulated
/// networks, where the same chains are made again and again. One a thread at a time.
class ChainMemo {
 public:
  ChainMemo();
  ~ChainMemo();
  ChainMemo(const ChainMemo&) = delete;
  ChainMemo& operator=(const ChainMemo&) = delete;
  [[nodiscard]] const std::vector<Hash>& chain(const Hash& secret, uint32_t length);

 private:
  static constexpr size_t chains_max = 8;
  std::map<std::pair<Hash, uint32_t>, std::vector<Hash>> chains_;
};

}  // namespace lockstep::model
