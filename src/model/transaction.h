// The catalogue of transactions: what may be asked of the ledger. The body of a Signed of kind
// transaction; its nonce is the signer's next. The order of the variant is part of signed bytes:
// new kinds go to the end.
#pragma once

#include "model/dispute.h"
#include "model/market.h"

namespace lockstep::model {

enum class Role : uint8_t { requester = 0, provider = 1, auditor = 2 };
constexpr Role last_of(Role) {
  return Role::auditor;
}

/// By an owner: moves free balance.
struct Transfer {
  crypto::PublicKey to;
  Amount amount;
  bool operator==(const Transfer&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.to, self.amount);
  }
};
/// What a node's key signs before an owner registers it (SignedKind::consent), so that nobody takes
/// a key that is another's.
struct NodeConsent {
  crypto::PublicKey owner;
  Role role = Role::requester;
  bool operator==(const NodeConsent&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.owner, self.role);
  }
};
/// By an owner: lets a node key act for it in one role. A node key is registered once.
struct RegisterNode {
  crypto::PublicKey node;
  Role role = Role::requester;
  crypto::Signature consent;  // by the node's key
  bool operator==(const RegisterNode&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.node, self.role, self.consent);
  }
};
/// With the node's consent to that owner and role, on that network.
[[nodiscard]] RegisterNode register_node(const NetworkId& network,
                                         const crypto::SecretKey& node,
                                         const NodeConsent& consent);
/// Errors: bad_signature when the node did not consent to this owner and the role.
[[nodiscard]] Result<void> verify_consent(const RegisterNode& body,
                                          const NetworkId& network,
                                          const crypto::PublicKey& owner);
/// By an owner: balance to stake.
struct AddStake {
  Amount amount;
  bool operator==(const AddStake&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.amount);
  }
};
/// By an owner: unlocked stake back to balance.
struct WithdrawStake {
  Amount amount;
  bool operator==(const WithdrawStake&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.amount);
  }
};
/// By anybody known: a law program with all its records, checked here once.
struct RegisterProgram {
  Bytes program;
  std::vector<Hash> constants;  // addresses of the constants' bytes, in the program's order
  bool operator==(const RegisterProgram&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.program, self.constants);
  }
};
enum class FinalityRule : uint8_t { job = 0, span = 1 };
constexpr FinalityRule last_of(FinalityRule) {
  return FinalityRule::span;
}
/// By an owner: opens a job and puts work price and audit budget into escrow.
struct OpenJob {
  std::string name;
  crypto::PublicKey requester;  // its node
  std::vector<Hash> programs;   // registered
  uint64_t operations = 0;
  uint64_t tasks = 0;
  Amount price_per_unit;
  uint32_t share_millionths = 0;  // of tasks drawn for audit
  FinalityRule finality = FinalityRule::job;
  uint64_t span_ms = 0;  // of FinalityRule::span, else 0
  Hash preimages;        // anchor of the requester's chain
  bool operator==(const OpenJob&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.name,
          self.requester,
          self.programs,
          self.operations,
          self.tasks,
          self.price_per_unit,
          self.share_millionths,
          self.finality,
          self.span_ms,
          self.preimages);
  }
};
/// By the requester's node: takes a provider's signed quote.
struct OpenLease {
  JobId job;
  Signed quote;
  bool operator==(const OpenLease&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.job, self.quote);
  }
};
struct ClaimEntry {
  Signed assignment;
  Signed receipt;
  std::optional<Signed> voucher;
  bool operator==(const ClaimEntry&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.assignment, self.receipt, self.voucher);
  }
};
/// By the lease's node, or by the requester's node for receipts that nobody claimed.
struct PostClaim {
  LeaseId lease;
  std::vector<ClaimEntry> entries;  // 1 to 1,024
  bool operator==(const PostClaim&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.lease, self.entries);
  }
};
/// By the requester's node: the next of its chain.
struct RevealPreimage {
  JobId job;
  Hash preimage;
  bool operator==(const RevealPreimage&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.job, self.preimage);
  }
};
/// By the drawn auditor: one commitment a drawn task, in the order of the draw.
struct CommitAudit {
  ClaimId claim;
  std::vector<Hash> commitments;
  bool operator==(const CommitAudit&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.claim, self.commitments);
  }
};
/// By the lease's node: one salt a drawn task.
struct OpenSalts {
  ClaimId claim;
  std::vector<Hash> salts;
  bool operator==(const OpenSalts&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.claim, self.salts);
  }
};
struct RevealedTask {
  std::vector<Hash> roots;  // the unsalted list that the auditor computed
  Hash salt;                // the auditor's own
  bool operator==(const RevealedTask&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.roots, self.salt);
  }
};
/// By the auditor.
struct RevealAudit {
  ClaimId claim;
  std::vector<RevealedTask> tasks;
  bool operator==(const RevealAudit&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.claim, self.tasks);
  }
};
/// By any staked node: reserves a turn without saying for what.
struct CommitChallenge {
  Hash commitment;
  bool operator==(const CommitChallenge&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.commitment);
  }
};
/// By the same node, in a later block. An auditor's audit commitment for the task does instead.
struct Challenge {
  ClaimId claim;
  uint32_t task = 0;  // its place in the claim
  Hash own_root;
  Hash salt;
  bool operator==(const Challenge&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.claim, self.task, self.own_root, self.salt);
  }
};
/// By the challenger: the claimant must open this place.
struct AskOpen {
  ClaimId claim;
  uint32_t task = 0;
  Place place;
  bool operator==(const AskOpen&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.claim, self.task, self.place);
  }
};
/// By the claimant, or anybody for it.
struct PostAnswer {
  ClaimId claim;
  uint32_t task = 0;
  Answer answer;
  bool operator==(const PostAnswer&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.claim, self.task, self.answer);
  }
};
/// By the challenger: the end.
struct PostProof {
  ClaimId claim;
  uint32_t task = 0;
  std::variant<StepProof, LeafProof> proof;
  bool operator==(const PostProof&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.claim, self.task, self.proof);
  }
};
/// By either node of the lease: no more assignments; open claims run on.
struct CloseLease {
  LeaseId lease;
  bool operator==(const CloseLease&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.lease);
  }
};
/// By the requester's node or owner: the job is done, or cancelled; what was claimed is settled.
struct CloseJob {
  JobId job;
  bool operator==(const CloseJob&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.job);
  }
};

using Transaction = std::variant<Transfer,
                                 RegisterNode,
                                 AddStake,
                                 WithdrawStake,
                                 RegisterProgram,
                                 OpenJob,
                                 OpenLease,
                                 PostClaim,
                                 RevealPreimage,
                                 CommitAudit,
                                 OpenSalts,
                                 RevealAudit,
                                 CommitChallenge,
                                 Challenge,
                                 AskOpen,
                                 PostAnswer,
                                 PostProof,
                                 CloseLease,
                                 CloseJob>;

[[nodiscard]] inline TransactionId transaction_id(const Signed& transaction) {
  return {signed_hash(transaction)};
}

}  // namespace lockstep::model
