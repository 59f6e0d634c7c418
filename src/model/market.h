// What the parties of a job sign to each other: quotes, assignments, receipts, vouchers.
#pragma once

#include "codec/record.h"
#include "crypto/blake3.h"
#include "crypto/ed25519.h"
#include "model/ids.h"
#include "model/signed.h"
#include "model/task.h"

namespace lockstep::model {

/// A provider's binding offer, signed by its node key (SignedKind::quote). The name and the region
/// are for people and for matching; nothing is paid by them.
struct Quote {
  crypto::PublicKey owner;  // receives the money, holds the stake
  std::string name;         // "provider-1"
  Amount price_per_unit;    // of 10^9 operations
  uint64_t operations_per_second = 0;
  uint64_t memory_bytes = 0;  // what one task may use
  uint32_t cpus = 0;
  std::string device_class;  // "cpu-avx2", or a GPU's name
  std::string region;
  uint64_t expires_ms = 0;  // network time
  bool operator==(const Quote&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.owner,
          self.name,
          self.price_per_unit,
          self.operations_per_second,
          self.memory_bytes,
          self.cpus,
          self.device_class,
          self.region,
          self.expires_ms);
  }
};

/// Where a leaf's value comes from: a job input, or leaf `leaf` of what `task` left.
struct TaskLeaf {
  TaskId task;
  uint32_t leaf = 0;
  bool operator==(const TaskLeaf&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.task, self.leaf);
  }
};
struct AssignedLeaf {
  TensorRef tensor;  // the root, and the address of the bytes that it holds
  std::optional<TaskLeaf> source;
  bool operator==(const AssignedLeaf&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.tensor.root, self.tensor.data, self.source);
  }
};

/// A task given to a lease, signed by the requester's node (SignedKind::assignment). The task's id
/// is the hash of what was signed.
struct Assignment {
  JobId job;
  LeaseId lease;
  TaskKind kind = TaskKind::lane;
  uint32_t round = 0;
  uint32_t part = 0;
  Hash program;
  uint32_t steps = 1;
  uint32_t claim_every = 1;
  uint64_t operations = 0;  // of all steps, by the law's cost
  std::vector<AssignedLeaf> leaves;
  bool operator==(const Assignment&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.job,
          self.lease,
          self.kind,
          self.round,
          self.part,
          self.program,
          self.steps,
          self.claim_every,
          self.operations,
          self.leaves);
  }
};
[[nodiscard]] inline TaskId task_id(const Signed& assignment) {
  return {signed_hash(assignment)};
}
[[nodiscard]] inline TaskTag tag_of(const Assignment& assignment) {
  return {assignment.kind, assignment.round, assignment.part};
}

/// What a provider answers for, signed by its node (SignedKind::receipt). LAW section 6.
struct Receipt {
  LeaseId lease;
  TaskId task;
  uint16_t law_version = 0;
  Hash program;
  Hash input_root;
  Hash output_root;
  Hash list;  // task_list() of the roots, under the task's salt
  bool operator==(const Receipt&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.lease,
          self.task,
          self.law_version,
          self.program,
          self.input_root,
          self.output_root,
          self.list);
  }
};

/// The requester's node read all bytes of the task's output (SignedKind::voucher).
struct Voucher {
  TaskId task;
  Hash output_root;
  bool operator==(const Voucher&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.task, self.output_root);
  }
};

/// The roots a task's list holds, from its shape: state roots after every claim_every-th step and
/// after the last; then, for tasks of fewer than eight steps, the last step's operators' outputs.
[[nodiscard]] constexpr uint32_t state_roots_of(uint32_t steps, uint32_t claim_every) {
  return (steps + claim_every - 1) / claim_every;
}
inline constexpr uint32_t short_task_steps = 8;
/// The largest claim_every of a task. A list must hold more than the output root, which is public:
/// an auditor could commit to that without computing anything. A short task's holds the outputs of
/// its last step; a longer one's at least one state root before the last.
[[nodiscard]] constexpr uint32_t claim_every_max(uint32_t steps) {
  return steps < short_task_steps ? steps : steps - 1;
}

/// Entry i of a task's list: H(salt, i, root), context "lockstep v1 task entry".
[[nodiscard]] Hash task_entry(const Hash& salt, uint32_t index, const Hash& root);
/// BLAKE3 over the entries, context "lockstep v1 task list".
[[nodiscard]] Hash task_list(const Hash& salt, std::span<const Hash> roots);
[[nodiscard]] const crypto::Mode& task_list_mode();
/// What an auditor commits to: H(roots it computed, its key, its salt), "lockstep v1 audit".
[[nodiscard]] Hash audit_commitment(std::span<const Hash> roots,
                                    const crypto::PublicKey& auditor,
                                    const Hash& salt);
/// What a challenger commits to before it names its target: H(claim, task index, own output root,
/// its key, salt), "lockstep v1 challenge".
[[nodiscard]] Hash challenge_commitment(const ClaimId& claim,
                                        uint32_t task,
                                        const Hash& own_root,
                                        const crypto::PublicKey& challenger,
                                        const Hash& salt);

/// Draw seed: H(sequencer's preimage, requester's preimage or zero, claim's list root),
/// "lockstep v1 draw".
[[nodiscard]] Hash draw_seed(const Hash& sequencer, const Hash& requester, const Hash& claim_root);
/// Whether task `index` of a claim is drawn: the first 8 bytes of H(seed, index), little-endian,
/// below floor(p 2^64), p in millionths; a share of 1,000,000 draws all.
[[nodiscard]] bool drawn(const Hash& seed, uint32_t index, uint32_t share_millionths);

/// floor(operations × price of a unit / 10^9). Errors: overflow.
[[nodiscard]] Result<Amount> price_of(uint64_t operations, Amount price_per_unit);
/// Work price × min(1, p + 5√(p/n)) for n tasks, the share in millionths rounded up. Errors:
/// overflow.
[[nodiscard]] Result<Amount> audit_budget(Amount work_price, uint32_t share_millionths, uint64_t n);

}  // namespace lockstep::model
