// What a block did, as plain data: nodes react to it, people read it.
#pragma once

#include "ledger/state.h"

namespace lockstep::ledger {

struct TransactionFailed {
  model::TransactionId id;
  PublicKey signer;
  Error error;
};
struct JobOpened {
  JobId job;
};
struct LeaseOpened {
  LeaseId lease;
  JobId job;
  PublicKey node;
};
struct ClaimPosted {
  ClaimId claim;
  LeaseId lease;
  Amount amount;  // that became pending
};
struct ClaimDrawn {
  ClaimId claim;
  Hash seed;
  uint64_t block = 0;
  std::vector<uint32_t> tasks;  // may be empty: then nothing follows
};
/// Also when an auditor is drawn anew.
struct AuditorDrawn {
  ClaimId claim;
  PublicKey auditor;
};
struct AuditCommitted {
  ClaimId claim;
};
struct SaltsOpened {
  ClaimId claim;
};
struct SaltsUnopened {
  ClaimId claim;
};
struct AuditAgreed {
  ClaimId claim;
  PublicKey auditor;
  Amount paid;
};
struct AuditDisagreed {
  ClaimId claim;
  std::vector<uint32_t> tasks;
};
struct AuditLapsed {
  ClaimId claim;
};
struct DisputeOpened {
  ClaimId claim;
  uint32_t task = 0;
  PublicKey challenger;
};
struct Asked {
  ClaimId claim;
  uint32_t task = 0;
  model::Place place;
};
struct Answered {
  ClaimId claim;
  uint32_t task = 0;
  model::Place place;
  uint64_t bytes = 0;  // of the answer
};
enum class Ending : uint8_t {
  proof_refuted,      // the claim is false
  bad_answer,         // the claim is false: it does not hash
  claimant_silent,    // the claim is false
  proof_holds,        // the challenger loses its bond
  challenger_silent,  // the challenger loses its bond
};
struct DisputeEnded {
  ClaimId claim;
  uint32_t task = 0;
  Ending ending = Ending::proof_refuted;
  PublicKey challenger;
  uint32_t answers = 0;
  uint64_t proof_bytes = 0;
};
struct Slashed {
  PublicKey owner;
  Amount amount;
  Amount burned;
  Amount challenger;  // the reward, its own bond not counted
  Amount reserve;     // for void work, its audits and the requester; the rest goes to the treasury
};
struct TasksVoided {
  JobId job;
  std::vector<TaskId> tasks;  // claimed tasks of all leases
};
struct LeaseClosed {
  LeaseId lease;
};
struct JobClosed {
  JobId job;
};
struct JobSettled {
  JobId job;
  Amount refund;    // unspent escrow and audit budget, and what the reserve gave back
  Amount treasury;  // what was left of the reserve
};

using Event = std::variant<TransactionFailed,
                           JobOpened,
                           LeaseOpened,
                           ClaimPosted,
                           ClaimDrawn,
                           AuditorDrawn,
                           AuditCommitted,
                           SaltsOpened,
                           SaltsUnopened,
                           AuditAgreed,
                           AuditDisagreed,
                           AuditLapsed,
                           DisputeOpened,
                           Asked,
                           Answered,
                           DisputeEnded,
                           Slashed,
                           TasksVoided,
                           LeaseClosed,
                           JobClosed,
                           JobSettled>;

}  // namespace lockstep::ledger
