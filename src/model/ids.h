// Ids: hashes that cannot be taken for one another.
#pragma once

#include "base/bytes.h"

namespace lockstep::model {

template <class Of>
struct Id {
  Hash hash;
  auto operator<=>(const Id&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.hash);
  }
};

using NetworkId = Id<struct OfNetwork>;     // of its genesis
using TransactionId = Id<struct OfSigned>;  // of what was signed, without the signature
using JobId = Id<struct OfJob>;             // hash of the transaction's id that opened it
using LeaseId = Id<struct OfLease>;         // the same
using ClaimId = Id<struct OfClaim>;         // the same
using TaskId = Id<struct OfTask>;           // of the signed assignment
using ReceiptId = Id<struct OfReceipt>;     // of the signed receipt

}  // namespace lockstep::model
