// What the ledger knows: typed records under keys, one 32-byte root over all of them. Amounts only
// move between records; their sum is fixed by the genesis.
#pragma once

#include <map>
#include <string>

#include "judge/programs.h"
#include "model/genesis.h"
#include "model/transaction.h"

namespace lockstep::ledger {

using crypto::PublicKey;
using model::ClaimId;
using model::JobId;
using model::LeaseId;
using model::TaskId;

/// By owner key. locked <= stake.
struct Account {
  Amount balance;
  Amount stake;
  Amount locked;
  bool operator==(const Account&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.balance, self.stake, self.locked);
  }
};
/// By node key.
struct Node {
  PublicKey owner;
  model::Role role = model::Role::requester;
  bool operator==(const Node&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.owner, self.role);
  }
};

enum class JobStatus : uint8_t { open = 0, closed = 1, settled = 2 };
constexpr JobStatus last_of(JobStatus) {
  return JobStatus::settled;
}
struct Job {
  model::OpenJob terms;
  PublicKey owner;
  Amount work_price;                // of all operations; what escrow held at first
  Amount escrow;                    // for work
  Amount audit_budget;              // for audits
  Amount reserve;                   // from slashes: pays void work of others and its audits
  uint64_t counted_operations = 0;  // claimed and neither void nor unpaid, of all leases
  uint64_t opened_ms = 0;
  uint64_t closed_ms = 0;
  uint32_t revealed = 0;  // preimages of the requester's chain that are used
  Hash preimage;          // the last one
  JobStatus status = JobStatus::open;
  Amount paid;  // to providers, auditors of this job: for its owner to read
  bool operator==(const Job&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.terms,
          self.owner,
          self.work_price,
          self.escrow,
          self.audit_budget,
          self.reserve,
          self.counted_operations,
          self.opened_ms,
          self.closed_ms,
          self.revealed,
          self.preimage,
          self.status,
          self.paid);
  }
};

enum class LeaseStatus : uint8_t { open = 0, closing = 1, settled = 2, slashed = 3 };
constexpr LeaseStatus last_of(LeaseStatus) {
  return LeaseStatus::slashed;
}
struct Lease {
  JobId job;
  PublicKey node;
  PublicKey owner;
  uint64_t operations_per_second = 0;  // stated
  Amount locked;                       // of the owner's stake
  uint64_t counted_operations = 0;     // pending and final
  uint64_t final_operations = 0;
  Amount pending;    // = price(counted) − paid
  Amount paid;       // = price(final)
  Amount paid_void;  // from the reserve, for work that a conviction of another voided
  uint64_t opened_ms = 0;
  uint64_t closed_ms = 0;
  LeaseStatus status = LeaseStatus::open;
  bool operator==(const Lease&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.job,
          self.node,
          self.owner,
          self.operations_per_second,
          self.locked,
          self.counted_operations,
          self.final_operations,
          self.pending,
          self.paid,
          self.paid_void,
          self.opened_ms,
          self.closed_ms,
          self.status);
  }
};

enum class TaskStatus : uint8_t {
  pending = 0,
  final = 1,
  voided = 2,       // an ancestor's claim was false; paid from the reserve when its window is over
  convicted = 3,    // never paid
  unpaid = 4,       // drawn and its salts never opened
  unavailable = 5,  // nobody could read its output
  paid_void = 6,
};
constexpr TaskStatus last_of(TaskStatus) {
  return TaskStatus::paid_void;
}
/// A claimed task. Everything that an audit or a dispute needs.
struct Task {
  TaskId id;
  model::ReceiptId receipt;
  Hash program;
  uint32_t steps = 1;
  uint32_t claim_every = 1;
  uint64_t operations = 0;
  Hash input_root;
  Hash output_root;
  Hash list;
  std::vector<TaskId> reads;  // ascending, unique
  bool available = false;     // somebody other than the claimant has read the output
  bool vouched = false;       // the requester signed for it, or a task of another owner reads it
  TaskStatus status = TaskStatus::pending;
  bool operator==(const Task&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.id,
          self.receipt,
          self.program,
          self.steps,
          self.claim_every,
          self.operations,
          self.input_root,
          self.output_root,
          self.list,
          self.reads,
          self.available,
          self.vouched,
          self.status);
  }
};

enum class AuditPhase : uint8_t {
  none = 0,       // nothing drawn, or the share is 0
  waiting = 1,    // for preimages
  drawn = 2,      // the auditor must commit
  committed = 3,  // the claimant must open its salts
  opened = 4,     // the auditor must reveal
  unopened = 5,   // no salts in time: the auditor must reveal
  must_challenge = 6,
  done = 7,    // agreed, challenged, or settled otherwise
  lapsed = 8,  // nobody audits
};
constexpr AuditPhase last_of(AuditPhase) {
  return AuditPhase::lapsed;
}
struct Audit {
  AuditPhase phase = AuditPhase::waiting;
  Hash seed;
  uint64_t block = 0;              // height of the draw
  bool requester_preimage = true;  // false: it was left out
  std::vector<uint32_t> tasks;     // places in the claim, ascending
  PublicKey auditor;               // node
  Amount bond;                     // locked of its owner's stake; none for a requester
  std::vector<PublicKey> excused;  // auditors that did not commit
  std::vector<Hash> commitments;
  std::vector<Hash> salts;
  std::vector<uint32_t> disagreed;  // places in the claim that must be challenged still
  uint64_t deadline_ms = 0;
  bool operator==(const Audit&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.phase,
          self.seed,
          self.block,
          self.requester_preimage,
          self.tasks,
          self.auditor,
          self.bond,
          self.excused,
          self.commitments,
          self.salts,
          self.disagreed,
          self.deadline_ms);
  }
};

struct Claim {
  LeaseId lease;
  JobId job;
  Hash list;  // BLAKE3 over the receipt ids, context "lockstep v1 claim"
  uint64_t block = 0;
  uint64_t posted_ms = 0;
  std::vector<Task> tasks;
  Audit audit;
  uint64_t disputed_ms = 0;  // when a dispute that did not convict ended, the last one
  bool final = false;
  bool operator==(const Claim&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.lease,
          self.job,
          self.list,
          self.block,
          self.posted_ms,
          self.tasks,
          self.audit,
          self.disputed_ms,
          self.final);
  }
};

/// By (claim, place of the task): open disputes only.
struct Dispute {
  PublicKey challenger;  // node
  Amount bond;           // locked of its owner's stake
  Hash own_root;
  bool list_binds = true;
  model::Kept kept;
  std::optional<model::Place> asked;  // the claimant's move; nothing: the challenger's
  uint32_t answers = 0;
  uint64_t opened_ms = 0;
  uint64_t deadline_ms = 0;
  bool operator==(const Dispute&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.challenger,
          self.bond,
          self.own_root,
          self.list_binds,
          self.kept,
          self.asked,
          self.answers,
          self.opened_ms,
          self.deadline_ms);
  }
};
using DisputeKey = std::pair<ClaimId, uint32_t>;

/// A commitment to challenge: (block height, node).
struct ChallengeTurn {
  uint64_t block = 0;
  PublicKey node;
  bool operator==(const ChallengeTurn&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.block, self.node);
  }
};

/// By claim, while it is not final: what its audit may cost, and did.
struct AuditMoney {
  bool funded = true;  // false: the budget was spent when it was drawn; only the requester audits
  Amount paid;         // from the budget
  Amount returned;     // of it, to the budget, when convictions had made the work void
  bool operator==(const AuditMoney&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.funded, self.paid, self.returned);
  }
};

/// Network time and pools.
struct Totals {
  uint64_t height = 0;
  uint64_t time_ms = 0;
  Hash preimage;  // the sequencer's last
  Amount burned;
  Amount treasury;
  bool operator==(const Totals&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.height, self.time_ms, self.preimage, self.burned, self.treasury);
  }
};

struct State {
  model::Genesis genesis;
  model::NetworkId network;
  Amount total;  // of the genesis
  judge::Programs programs;

  // All below is under the root. Keys in the tree: a kind's name, "/", the key's hex, so that the
  // order is the maps' order.
  Totals totals;
  std::map<PublicKey, uint64_t> nonces;  // next, by signer
  std::map<PublicKey, Account> accounts;
  std::map<PublicKey, Node> nodes;
  std::map<Hash, uint64_t> program_costs;  // operations of a step
  std::map<JobId, Job> jobs;
  std::map<LeaseId, Lease> leases;
  std::map<ClaimId, Claim> claims;
  std::map<DisputeKey, Dispute> disputes;
  std::map<JobId, uint64_t> active;          // every open job: when something last happened to it
  std::map<ClaimId, AuditMoney> audits;      // of unfinal claims with a drawn task
  std::map<DisputeKey, uint32_t> dismissed;  // of unfinal claims: disputes the claimant survived
  std::map<Hash, ChallengeTurn> turns;       // by commitment
  std::map<TaskId, ClaimId> claimed;         // every claimed task, so that none is claimed twice
  std::map<TaskId, uint64_t> voided;         // when: tasks that read from a false one

  // Follows from the claims, so it is not under the root.
  // Read by claimed tasks of the job, not claimed themselves: until when.
  std::map<std::pair<JobId, TaskId>, uint64_t> awaited;

  /// Sorted (key, canonical bytes) of everything under the root.
  [[nodiscard]] std::vector<std::pair<std::string, Bytes>> entries() const;
  /// BLAKE3 over H(key, bytes) in key order: contexts "lockstep v1 ledger entry", "… ledger state".
  [[nodiscard]] Hash root() const;
  /// Balances, stakes, escrows, audit budgets, reserves, pendings and pools. Errors: overflow.
  [[nodiscard]] Result<Amount> sum() const;
};

[[nodiscard]] std::string account_key(const PublicKey& owner);
[[nodiscard]] std::string job_key(const JobId& id);
[[nodiscard]] std::string lease_key(const LeaseId& id);
[[nodiscard]] std::string claim_key(const ClaimId& id);
[[nodiscard]] std::string totals_key();

/// An entry's place under a state root.
struct Presence {
  uint64_t index = 0;
  uint64_t entries = 0;
  model::Path path;
  bool operator==(const Presence&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.index, self.entries, self.path);
  }
};
/// Errors: not_registered when there is no such key.
[[nodiscard]] Result<Presence> prove_presence(const State& state, const std::string& key);
[[nodiscard]] bool is_present(const Hash& root,
                              const std::string& key,
                              ByteView bytes,
                              const Presence& presence);

/// An entry beside a key that the state has not.
struct Neighbour {
  std::string key;
  Bytes bytes;
  Presence presence;
  bool operator==(const Neighbour&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.key, self.bytes, self.presence);
  }
};
/// That a state has no entry under a key: the entries before and after it lie side by side, or the
/// one that is there is the last or the first. An empty state has neither.
struct Absence {
  std::optional<Neighbour> before, after;
  bool operator==(const Absence&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.before, self.after);
  }
};
/// Errors: already_there when there is such a key.
[[nodiscard]] Result<Absence> prove_absence(const State& state, const std::string& key);
[[nodiscard]] bool is_absent(const Hash& root, const std::string& key, const Absence& absence);

}  // namespace lockstep::ledger
