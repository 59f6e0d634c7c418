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
/// To the sequencer: blocks from this height on, now and as they come; `how_high` only asks for the
/// ledger's height.
struct FollowBlocks {
  static constexpr uint64_t how_high = 0;
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
/// Who else is said to have a blob. A hint only: what comes is checked.
struct BlobHint {
  Hash address;
  std::vector<crypto::PublicKey> holders;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.address, self.holders);
  }
};
inline constexpr size_t hints_max = 256;  // of one assignment: what is beyond is not looked at
inline constexpr size_t hint_holders_max = 8;
/// Requester to provider.
struct Assign {
  model::Signed assignment;
  std::vector<BlobHint> hints{};
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.assignment, self.hints);
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
/// The last piece of a blob, whose number is known only with its size.
inline constexpr uint64_t last_piece = UINT64_MAX;
/// Pieces [first, first + count) of a blob; each is answered by itself.
struct AskBlob {
  Hash address;
  uint64_t first = last_piece;
  uint32_t count = 1;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.address, self.first, self.count);
  }
};
enum class BlobAnswer : uint8_t {
  missing,  // the peer does not have the blob
  busy,     // ask again for pieces [index, index + count), in wait_ms
  piece,
};
constexpr BlobAnswer last_of(BlobAnswer /*kind*/) {
  return BlobAnswer::piece;
}
struct GiveBlob {
  Hash address;
  BlobAnswer answer = BlobAnswer::missing;
  uint64_t index = 0;
  uint32_t count = 1;
  uint32_t wait_ms = 0;
  uint64_t total = 0;  // of the blob, in bytes
  Bytes bytes{};
  std::vector<Hash> path{};  // from the piece up to the blob's address, bottom first
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.address,
          self.answer,
          self.index,
          self.count,
          self.wait_ms,
          self.total,
          self.bytes,
          self.path);
  }
};

/// To the sequencer, by who wants to join: what does the network start from?
struct AskGenesis {
  template <class Self, class Visit>
  static void each(Self& /*self*/, Visit&& visit) {
    visit();
  }
};
/// Canonical bytes of a model::Genesis. Its hash is the network's id: who asked knows that by the
/// certificate of the ledger's node, and checks it.
struct GiveGenesis {
  Bytes genesis;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.genesis);
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
                             GiveBlob,
                             AskGenesis,
                             GiveGenesis>;

}  // namespace lockstep::net
