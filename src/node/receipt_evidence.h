// A receipt's evidence once it is opened: every piece stands under a header. Shared by the files
// that check receipts; not for use elsewhere.
#pragma once

#include <map>

#include "node/receipt.h"

namespace lockstep::node {

using crypto::PublicKey;
using model::ClaimId;
using model::LeaseId;
using model::TaskId;

struct Evidence {
  struct Spoken {
    uint64_t height = 0;
    PublicKey signer;
    model::TransactionId id;
    model::Transaction body;
  };
  /// A task as its claim and its assignment have it. Borrows the claim.
  struct Claimed {
    ClaimId claim;
    uint32_t place = 0;
    const ledger::Task* task = nullptr;
    model::Assignment assignment;
  };

  model::Genesis genesis;
  model::NetworkId network;
  std::vector<model::Header> headers;  // of block h at h − 1
  std::vector<Spoken> spoken;          // in the order of blocks
  // What the ledger holds in the end.
  ledger::Totals totals;
  model::JobId job_id;
  ledger::Job job;
  std::map<LeaseId, ledger::Lease> leases;
  std::map<ClaimId, ledger::Claim> claims;
  std::map<PublicKey, ledger::Account> accounts;
  // What follows from the transactions.
  judge::Programs programs;
  std::map<TaskId, Claimed> tasks;
  std::map<LeaseId, std::string> names;  // of the quotes

  [[nodiscard]] uint64_t time_of(uint64_t height) const { return headers[height - 1].time_ms; }
};

[[nodiscard]] inline Error bad_receipt(std::string what, std::string where = {}) {
  return refuse(Code::bad_receipt, std::move(what), "do not trust it", std::move(where));
}
/// "claim 0123456789ab".
template <class Of>
std::string place_name(const char* kind, const model::Id<Of>& id) {
  return std::string(kind) + " " + to_hex(id.hash.view()).substr(0, 12);
}
/// The result, or its error as a receipt's.
template <class T>
Result<T> held(Result<T> result, const std::string& what, const std::string& where = {}) {
  return result.ok() ? std::move(result)
                     : Result<T>(bad_receipt(what + ": " + result.error().what, where));
}

/// receipt_market.cc: that the records of the job, its leases and its claims follow from the
/// transactions, and that what was paid follows from them. Fills what follows from transactions.
[[nodiscard]] Result<void> check_market(Evidence& evidence);
/// receipt_replay.h: goes through all blocks again for the job's audits and disputes, and compares
/// how each ended. Every transaction must have had an effect.
[[nodiscard]] Result<std::vector<VerdictFact>> replay(const Evidence& evidence, env::Clock* clock);

}  // namespace lockstep::node
