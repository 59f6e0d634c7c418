// What nodes say to each other. The transport tells who speaks; what must be provable is signed in
// itself. The order of the variant is part of the bytes: new kinds go to the end.
#pragma once

#include "codec/record.h"
#include "crypto/ed25519.h"
#include "model/block.h"
#include "model/market.h"

namespace lockstep::net {

/// To the sequencer.
struct SubmitTransaction {
  model::Signed transaction;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.transaction);
  }
};
/// To the sequencer: blocks from this height on, now and as they come.
struct FollowBlocks {
  uint64_t first = 1;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.first);
  }
};
struct Blocks {
  std::vector<model::Block> blocks;
  uint64_t height = 0;  // of the ledger when it spoke
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.blocks, self.height);
  }
};
/// To providers: what would a unit cost? Everything about the job is in the needs it must meet.
struct AskQuote {
  uint64_t operations = 0;
  uint64_t tasks = 0;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.operations, self.tasks);
  }
};
struct GiveQuote {
  model::Signed quote;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.quote);
  }
};
/// Requester to provider.
struct Assign {
  model::Signed assignment;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.assignment);
  }
};
struct CancelTask {
  model::TaskId task;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.task);
  }
};
/// Provider to requester: it will not or cannot do the task.
struct Decline {
  model::TaskId task;
  std::string reason;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.task, self.reason);
  }
};
/// A tensor root and the address of its bytes, for messages.
struct OutputLeaf {
  Hash root;
  Hash data;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.root, self.data);
  }
};
/// Provider to requester, until a voucher comes.
struct Deliver {
  model::Signed receipt;
  std::vector<OutputLeaf> leaves;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.receipt, self.leaves);
  }
};
struct GiveVoucher {
  model::Signed voucher;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.voucher);
  }
};
/// A lease's provider is there.
struct Alive {
  model::LeaseId lease;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.lease);
  }
};
struct AskBlob {
  Hash address;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.address);
  }
};
/// Empty `bytes` with `found` false: the peer does not have it.
struct GiveBlob {
  Hash address;
  bool found = false;
  Bytes bytes;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.address, self.found, self.bytes);
  }
};

using Message = std::variant<SubmitTransaction,
                             FollowBlocks,
                             Blocks,
                             AskQuote,
                             GiveQuote,
                             Assign,
                             CancelTask,
                             Decline,
                             Deliver,
                             GiveVoucher,
                             Alive,
                             AskBlob,
                             GiveBlob>;

}  // namespace lockstep::net
