// A job's receipt: everything that a stranger needs to check, offline, what a job did and what was
// paid for it. Made from blocks and the ledger's state; checked from nothing but itself.
#pragma once

#include "chain/blocks.h"
#include "env/clock.h"

namespace lockstep::node {

/// A transaction that concerns the job and had an effect, with its place in a block.
struct ReceiptTransaction {
  uint64_t height = 0;
  model::Signed transaction;
  chain::Inclusion inclusion;
  bool operator==(const ReceiptTransaction&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.height, self.transaction, self.inclusion);
  }
};
/// An entry of the ledger under the last header's state root.
struct ReceiptEntry {
  std::string key;
  Bytes bytes;
  ledger::Presence presence;
  bool operator==(const ReceiptEntry&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.key, self.bytes, self.presence);
  }
};
/// The leaves that a task left: their tensor roots, in the program's order.
struct ReceiptOutput {
  model::TaskId task;
  std::vector<Hash> leaves;
  bool operator==(const ReceiptOutput&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.task, self.leaves);
  }
};

struct JobReceipt {
  model::Genesis genesis;
  model::JobId job;
  std::vector<model::Signed> headers;  // from the first block on
  std::vector<ReceiptTransaction> transactions;
  std::vector<ReceiptEntry>
      entries;  // the job, its leases and claims, their owners' accounts, totals
  std::vector<std::string> parameters;      // names of the model's leaves
  std::optional<ReceiptOutput> model;       // of the last merge
  std::optional<ReceiptOutput> evaluation;  // of the sum
  Bytes correct;                            // the 8 bytes of its leaf "correct"
  uint64_t test_images = 0;
  bool operator==(const JobReceipt&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.genesis,
          self.job,
          self.headers,
          self.transactions,
          self.entries,
          self.parameters,
          self.model,
          self.evaluation,
          self.correct,
          self.test_images);
  }
};

/// What a receipt shows, recomputed from its evidence alone.
struct LeaseFact {
  model::LeaseId lease;
  crypto::PublicKey node, owner;
  std::string name;  // of the quote
  uint64_t final_operations = 0;
  Amount paid, paid_void;
  ledger::LeaseStatus status = ledger::LeaseStatus::open;
};
struct DrawFact {
  model::ClaimId claim;
  uint64_t block = 0;
  Hash seed;
  bool requester_preimage = true;
  std::vector<uint32_t> tasks;
  ledger::AuditPhase phase = ledger::AuditPhase::none;
};
/// A dispute that a proof ended, evaluated again.
struct VerdictFact {
  model::ClaimId claim;
  uint32_t task = 0;
  model::TaskTag tag;
  model::Place place;  // of a fold-step proof
  uint64_t fold_step = 0;
  uint32_t answers = 0;
  uint64_t answer_bytes = 0;
  uint64_t proof_bytes = 0;
  model::Outcome outcome = model::Outcome::inadmissible;
  uint64_t judged_ns = 0;  // by the clock given to check_receipt()
};
struct JobFacts {
  std::string name;
  uint64_t operations = 0, tasks = 0;
  Amount price_per_unit, work_price, audit_budget, paid;
  ledger::JobStatus status = ledger::JobStatus::open;
  std::vector<LeaseFact> leases;
  std::vector<DrawFact> draws;  // of claims with at least one drawn task
  std::vector<VerdictFact> verdicts;
  uint64_t claimed_tasks = 0, final_tasks = 0, void_tasks = 0;
  std::optional<Hash> model_root;
  std::optional<uint64_t> correct;
  uint64_t test_images = 0;
  uint64_t headers = 0, transactions = 0;
};

/// `blocks` are all, from the first on. `outputs`: the last merge's and the sum's tasks with their
/// leaves, where the job ended well. Errors: not_registered when the job is not in the state.
struct ReceiptParts {
  std::optional<ReceiptOutput> model, evaluation;
  std::vector<std::string> parameters;  // of the model
  Bytes correct;
  uint64_t test_images = 0;  // of the evaluation
};
[[nodiscard]] Result<JobReceipt> make_receipt(const model::Genesis& genesis,
                                              std::span<const model::Block> blocks,
                                              const ledger::State& state,
                                              const model::JobId& job,
                                              const ReceiptParts& parts);

/// Checks headers (signatures, links, heights, times, preimages), inclusion and signatures of
/// transactions, presence of entries, that the job's record follows from its transaction, that each
/// claim's record follows from its transaction, its draw (recomputed from both preimages) and its
/// audit, that every dispute's proof evaluates as the ledger said, that leases were paid
/// floor(operations × price / 10^9), that the model root and the evaluation stand in claimed tasks.
/// A slash for a claim of another job is not explained by this job's evidence and is refused.
/// `clock` times verdicts, where there is one. Errors: bad_receipt, saying what does not hold and
/// where.
[[nodiscard]] Result<JobFacts> check_receipt(const JobReceipt& receipt,
                                             env::Clock* clock = nullptr);

}  // namespace lockstep::node
