// Blocks: signed headers over transactions and the state after them.
#pragma once

#include "model/signed.h"

namespace lockstep::model {

/// The body of a Signed of kind header, signed by the sequencer; its nonce is the height.
struct Header {
  uint64_t height = 0;  // the first block is 1
  Hash previous;        // signed_hash of the header before; zero for the first
  uint64_t time_ms = 0;
  Hash preimage;      // the sequencer's, x_height
  Hash transactions;  // list root over transaction ids, context "lockstep v1 transactions"
  Hash state;         // after the block
  bool operator==(const Header&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.height, self.previous, self.time_ms, self.preimage, self.transactions, self.state);
  }
};

struct Block {
  Signed header;
  std::vector<Signed> transactions;
  bool operator==(const Block&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.header, self.transactions);
  }
};

}  // namespace lockstep::model
