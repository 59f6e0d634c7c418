// The provider's insides, in four files: messages and assignments (provider.cc), work and
// deliveries (provider_work.cc), claims (provider_claims.cc), audits and disputes
// (provider_defence.cc). Not for use outside the module.
#pragma once

#include "node/provider.h"
#include "node/provider_book.h"
#include "node/tasks.h"
#include "place/fit.h"

namespace lockstep::node {

inline constexpr size_t tasks_in_hand_max = 8;       // assigned and not yet delivered
inline constexpr size_t early_assignments_max = 64;  // for leases whose block is still to come
inline constexpr uint64_t deliver_again_ms = 1000;
inline constexpr uint64_t alive_ms = 500;
inline constexpr uint64_t quote_ms = 60'000;
inline constexpr uint32_t claim_failures_max = 3;
inline constexpr uint32_t defence_tries_max = 3;

struct HeldTask {
  enum class Stage : uint8_t { fetching, ready, running, delivered };
  KeptTask kept;  // until delivered: the assignment only
  model::Assignment assignment;
  Hash input_root;
  Hash output_root;  // once delivered
  Stage stage = Stage::fetching;
  bool cancelled = false;
  bool written_off = false;  // when a conviction came in its job
  uint64_t group = 0;        // of blobs, while fetching
  uint64_t place = 0;        // in the order of delivery
  uint64_t delivered_ms = 0;
  std::optional<uint64_t> sent_ms;  // the last Deliver
  uint32_t failures = 0;            // of claims with it alone
  [[nodiscard]] const PublicKey& requester() const { return kept.assignment.signer; }
};

/// Of a lease that no block has brought yet.
struct EarlyAssignment {
  PublicKey from;
  net::Assign assign;
  model::LeaseId lease;
};

/// An open lease of this node, or a closing one.
struct HeldLease {
  struct Pending {
    model::TransactionId id;
    std::vector<model::TaskId> tasks;
    uint64_t sent_ms = 0;
  };
  std::optional<Pending> pending;
  uint64_t next_claim_ms = 0;
  size_t entries_max = limits::claim_tasks_max;  // less while a failed claim is taken apart
};

/// What this node asked its machine for, or is about to.
struct Work {
  uint64_t id = 0;
  WorkKind kind = WorkKind::execute;
  model::TaskId task;
  uint32_t step = 0;
  ledger::DisputeKey dispute;  // of steps and traces
};

/// A dispute over a claim of this node.
struct Defence {
  std::optional<attest::Witness> witness;
  model::Place place;  // that the fields below are about
  bool submitted = false;
  model::TransactionId transaction;
  uint64_t submitted_ms = 0;
  uint32_t tries = 0;             // of computing what the answer needs
  std::optional<Work> preparing;  // while blobs come or the machine works
};

/// Salts to be opened.
struct Opening {
  bool submitted = false;
  model::TransactionId transaction;
  uint64_t submitted_ms = 0;
};

struct Provider::Impl {
  Impl(Setup given, store::Blobs& store, env::KeyValue& secrets, Effects& out)
      : setup(std::move(given)), blobs(store, out), book(secrets), effects(&out) {}

  // provider.cc
  Result<void> restore();
  [[nodiscard]] static std::string pin_name(const model::TaskId& id);
  void start(uint64_t now);
  void tick(uint64_t now);
  void message(uint64_t now, const PublicKey& from, const net::Message& message);
  void work_done(uint64_t now, WorkDone done);
  void on(uint64_t now, const PublicKey& from, const net::AskQuote& ask);
  void on(uint64_t now, const PublicKey& from, const net::Assign& assign);
  void on(uint64_t now, const PublicKey& from, const net::CancelTask& cancel);
  void on(uint64_t now, const PublicKey& from, const net::GiveVoucher& given);
  void on(uint64_t now, const PublicKey& from, const net::Blocks& blocks);
  void on(uint64_t now, const PublicKey& from, const net::AskBlob& ask);
  void on(uint64_t now, const PublicKey& from, const net::GiveBlob& give);
  /// What follows from any change: work to start, answers to give.
  void pump(uint64_t now);
  void send(const PublicKey& to, net::Message message);
  void decline(const PublicKey& to, const model::TaskId& task, const Error& error);
  [[nodiscard]] Result<Hash> check(const model::Assignment& assignment,
                                   const PublicKey& signer) const;
  [[nodiscard]] Result<void> check_capacity(uint64_t now, const PublicKey& requester) const;
  /// Whether the task stays within what is lent.
  [[nodiscard]] Result<void> check_fit(const model::Assignment& assignment) const;
  [[nodiscard]] uint64_t disk_need(const model::Assignment& assignment) const;
  void set_open(bool open);
  void take_assignment(uint64_t now, const PublicKey& from, const net::Assign& assign);
  void hold(uint64_t now, const net::Assign& assign, HeldTask task);
  void take_hints(uint64_t now, const std::vector<net::BlobHint>& hints);
  /// Keeps the blobs that the task reads, and what it gave, until drop().
  [[nodiscard]] Result<void> pin(const model::TaskId& id,
                                 const model::Assignment& assignment,
                                 const std::vector<model::TensorRef>& outputs);
  void retry_early(uint64_t now);
  void tell_alive(uint64_t now);
  [[nodiscard]] const ledger::Lease* lease_of(const model::LeaseId& id) const;
  [[nodiscard]] bool takes_work(const model::LeaseId& id) const;

  // provider_work.cc
  void blobs_moved();
  void group_failed(const BlobClient::Failure& failure);
  void start_work();
  [[nodiscard]] std::optional<Work> next_work();
  [[nodiscard]] Result<RunTask> run_of(const Work& work);
  void executed(uint64_t now, const model::TaskId& id, const WorkDone& done);
  [[nodiscard]] Result<KeptTask> keep(const model::TaskId& id, const model::Execution& execution);
  void deliver(uint64_t now, HeldTask& task);
  void deliver_due(uint64_t now);
  /// Sends a Decline and forgets the task.
  void give_back(const model::TaskId& id, const Error& error);
  void drop(const std::vector<model::TaskId>& ids);
  [[nodiscard]] Hash salt_of(const model::TaskId& id) const;
  /// Delivered tasks of a requester that nobody but this node is known to have read.
  [[nodiscard]] size_t unsigned_tasks(const PublicKey& requester) const;
  [[nodiscard]] bool reads_void(const model::Assignment& assignment) const;
  [[nodiscard]] bool reads_unclaimed(const model::Assignment& assignment) const;
  /// Tasks of a requester, delivered a while ago, that read what is neither claimed nor this
  /// node's: unless it is claimed soon the ledger takes them for void.
  [[nodiscard]] size_t unbacked_tasks(uint64_t now, const PublicKey& requester) const;
  /// What was delivered when a conviction came in its job may have read what nobody can claim any
  /// more, or what was computed from it. Its pay is lost or comes from the slash; to stop work for
  /// it would be to stop for ever. What was on its way then is written off when the requester says
  /// that it is not wanted: as many as may be unsigned, for each conviction.
  void write_off(const model::JobId& job);
  void write_off_later(HeldTask& task);

  // provider_claims.cc
  void news(uint64_t now, const LedgerNews& news);
  void claim_due(uint64_t now);
  [[nodiscard]] std::vector<model::TaskId> claimable(uint64_t now,
                                                     const model::LeaseId& id,
                                                     size_t entries_max) const;
  void drop_void();
  void drop_final();
  void note_slashes();
  /// What the blocks of an earlier life said is no news in this one.
  void take_up(uint64_t now);
  void claim(uint64_t now, const model::LeaseId& id, HeldLease& lease);
  void claim_posted(const ledger::ClaimPosted& posted);
  void claim_failed(HeldLease& lease);
  /// Forgets what belongs to leases that are over, and work that nobody will pay for.
  void prune();

  // provider_defence.cc
  [[nodiscard]] bool is_mine(const model::ClaimId& id) const;
  void transaction_failed(const model::TransactionId& id);
  void open_salts(uint64_t now);
  void defend(uint64_t now);
  /// False: the dispute is over.
  [[nodiscard]] bool defend_one(uint64_t now, const ledger::DisputeKey& key, Defence& defence);
  void post_answer(uint64_t now,
                   const ledger::DisputeKey& key,
                   Defence& defence,
                   model::Answer answer);
  void prepare(uint64_t now, Defence& defence, const Work& work);
  void prepared(const Work& work, WorkDone done);
  [[nodiscard]] const model::TaskId* disputed_task(const ledger::DisputeKey& key) const;
  [[nodiscard]] uint64_t again_ms() const { return 2 * setup.genesis.epoch_ms; }

  Setup setup;
  std::optional<LedgerClient> ledger;
  BlobClient blobs;
  ProviderBook book;
  Effects* effects;
  model::NetworkId network;
  bool open = true;  // by the owner's hours
  uint64_t quotes = 0;
  uint64_t next_group = 1;
  uint64_t next_work_id = 1;
  uint64_t next_place = 0;
  std::optional<uint64_t> alive_sent_ms;
  std::deque<EarlyAssignment> early;
  std::map<model::TaskId, HeldTask> tasks;
  std::map<uint64_t, std::variant<model::TaskId, ledger::DisputeKey>> groups;
  std::deque<model::TaskId> ready;  // to be executed
  std::deque<Work> urgent;          // for disputes: they have deadlines
  std::optional<Work> running;
  std::set<model::TaskId> to_deliver;          // without a voucher, or not sent since the start
  std::map<uint64_t, model::TaskId> to_claim;  // by place
  std::map<Hash, model::ProgramRef> programs;  // that tasks given to the machine point to
  std::map<model::LeaseId, HeldLease> leases;
  std::set<model::LeaseId> slashed;             // leases of all whose slash is noted
  std::map<model::JobId, size_t> to_write_off;  // after convictions: how many more tasks
  std::map<model::ClaimId, Opening> openings;
  std::map<ledger::DisputeKey, Defence> defences;
};

}  // namespace lockstep::node
