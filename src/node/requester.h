// A requester: asks for quotes, opens a job and its leases, places the planner's tasks, reads every
// output, places again what is lost or void, and settles. It may be killed at any moment: what it
// says is in its book before it is said, and what it does not find there follows from the ledger.
#pragma once

#include <deque>

#include "node/audit_desk.h"
#include "node/receipt.h"
#include "node/requester_book.h"
#include "plan/planner.h"

namespace lockstep::node {

class Requester final : public Node {
 public:
  struct Setup {
    model::Genesis genesis;
    Identity identity;
    uint64_t memory_bytes = 0;  // that the job's largest task needs
    Hash secret;                // of its preimages and, where it audits itself, its salts
    /// Quotes are asked for and ranked, and that is all: after OffersRanked it tells DryRunOver (or
    /// JobFailed). Nothing is registered, opened or kept.
    bool dry_run = false;
  };
  /// Borrows the job; the store, which holds the job's inputs; and the book, where it keeps what it
  /// must not lose: with the same setup, job, store and book it goes on where it was. What it told
  /// may then be told again. Errors: bad_option for a trust level that this network does not offer;
  /// io_failed for a book that cannot be read; those of the planner and of the ledger's genesis.
  static Result<std::unique_ptr<Requester>> create(Setup setup,
                                                   const model::Job& job,
                                                   store::Blobs& blobs,
                                                   env::KeyValue& book);
  void start(uint64_t now_ms) override;
  void on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) override;
  void on_timer(uint64_t now_ms, uint64_t id) override;
  void on_work(uint64_t now_ms, WorkDone done) override;
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override;
  /// Adds to those it knows, of which it keeps providers_max.
  void on_providers(uint64_t now_ms, std::span<const PublicKey> providers) override;

  [[nodiscard]] const LedgerClient& ledger() const { return *ledger_; }
  [[nodiscard]] const plan::Planner& planner() const { return *planner_; }
  /// Once the job is open.
  [[nodiscard]] const std::optional<model::JobId>& job_id() const { return job_id_; }
  /// The end of the job, for its receipt. Errors: bad_plan before the job is done.
  [[nodiscard]] Result<ReceiptParts> receipt_parts() const;

  /// A lease silent for the longer of this and 3 × a task's stated time is given up; so is one that
  /// is heard but whose task is not there after D and 10 × its stated time, or whose outputs cannot
  /// be read within D.
  static constexpr uint64_t silence_ms = 2000;
  static constexpr uint64_t quotes_ms = 500;  // waited for quotes
  static constexpr uint64_t quotes_again_ms = 5000;
  static constexpr uint64_t find_again_ms = 1000;    // while nobody offers anything
  static constexpr uint64_t no_offer_ms = 10'000;    // waited for the first quote
  static constexpr size_t providers_max = 4096;      // known
  static constexpr uint64_t submit_again_ms = 2000;  // what an earlier life's nonce pushed out
  static constexpr size_t tasks_in_hand_max = 2;     // of one lease: one runs, one waits

 private:
  enum class Phase : uint8_t {
    resuming,
    starting,
    quoting,
    opening,
    running,
    closing,
    over,
    failed,
  };
  /// A lease that work is placed on.
  struct Worker {
    model::LeaseId lease;
    uint64_t operations_per_second = 1;
    uint64_t heard_ms = 0;
    uint64_t rest_until_ms = 0;  // after it declined
    std::set<model::TaskId> in_hand;
  };
  struct Placed {
    model::Task task;
    model::Assignment assignment;
    model::Signed signed_assignment;
    PublicKey node;
    uint64_t placed_ms = 0;
    uint64_t sent_ms = 0;
    uint64_t delivered_ms = 0;
    std::optional<net::Deliver> delivered;
    uint64_t group = 0;  // its outputs are being fetched
  };
  struct Accepted {
    model::TaskId id;
    model::LeaseId lease;
    PublicKey node;
    model::ClaimEntry entry;
    uint64_t accepted_ms = 0;
    std::vector<model::TensorRef> leaves;
  };

  Requester(Setup setup, const model::Job& job) : job_(&job), setup_(std::move(setup)) {}
  // requester.cc: the market
  void pump(uint64_t now_ms);
  void advance(uint64_t now_ms);
  void register_programs(uint64_t now_ms);
  void find_providers(uint64_t now_ms);
  void wait_for_quotes(uint64_t now_ms);
  void rank_offers(uint64_t now_ms);
  void open_job(uint64_t now_ms);
  void submit_open(uint64_t now_ms);
  [[nodiscard]] model::OpenJob terms() const;
  [[nodiscard]] bool find_job();
  void open_leases(uint64_t now_ms);
  void find_leases(uint64_t now_ms);
  void on_quote(uint64_t now_ms, const PublicKey& from, const net::GiveQuote& quote);
  void on_news(uint64_t now_ms, const LedgerNews& news);
  void reveal_preimage(uint64_t now_ms);
  void claim_for_others(uint64_t now_ms);
  void close_when_settled(uint64_t now_ms);
  void end_job();
  void fail(uint64_t now_ms, Error error);
  [[nodiscard]] place::Needs needs(uint64_t now_ms) const;
  [[nodiscard]] Amount lease_bond(const place::Needs& needs, Amount price_per_unit) const;
  [[nodiscard]] bool all_claimed_and_audited() const;
  // requester_resume.cc: a life after another
  [[nodiscard]] Result<void> restore();
  [[nodiscard]] Result<void> restore_results(std::vector<KeptResult> results);
  [[nodiscard]] bool is_result_of(const model::Task& task, const model::Assignment& kept) const;
  void resume(uint64_t now_ms);
  void take_up_job(uint64_t now_ms);
  void take_up_placed(uint64_t now_ms);
  void open_leases_again(uint64_t now_ms);
  void find_leases_again(uint64_t now_ms);
  void tell_again();
  void close_again(uint64_t now_ms);
  // requester_tasks.cc: the work
  void plan_more(uint64_t now_ms, std::span<const model::Execution> finished);
  void place_tasks(uint64_t now_ms);
  [[nodiscard]] Worker* free_worker(uint64_t now_ms, PublicKey& node);
  [[nodiscard]] model::Assignment assignment_of(const model::Task& task,
                                                const model::LeaseId& lease) const;
  /// False: the book does not take it.
  [[nodiscard]] bool assign(uint64_t now_ms,
                            const model::Task& task,
                            Worker& worker,
                            const PublicKey& node);
  void on_deliver(uint64_t now_ms, const PublicKey& from, const net::Deliver& deliver);
  [[nodiscard]] Result<void> check_delivery(const Placed& placed,
                                            const net::Deliver& deliver) const;
  void on_outputs(uint64_t now_ms, const model::TaskId& id);
  void accept(uint64_t now_ms, const model::TaskId& id);
  void on_decline(uint64_t now_ms, const PublicKey& from, const net::Decline& decline);
  void drop_silent(uint64_t now_ms);
  [[nodiscard]] bool is_stuck(uint64_t now_ms, const Worker& worker) const;
  [[nodiscard]] bool is_being_audited(const model::TaskId& id) const;
  void fetch_from_auditor(uint64_t now_ms, const ledger::AuditAgreed& agreed);
  void lose(uint64_t now_ms, const PublicKey& node, uint64_t silent_ms);
  void resend(uint64_t now_ms);
  void undo(uint64_t now_ms, std::span<const model::TaskId> voided);
  void forget(const model::TaskTag& tag);
  void tell_round(const plan::Milestone& milestone);
  void tell_finished();

  const model::Job* job_;
  Setup setup_;
  store::Blobs* blobs_ = nullptr;
  std::optional<RequesterBook> book_;
  std::unique_ptr<plan::Planner> planner_;
  std::optional<LedgerClient> ledger_;
  std::optional<BlobClient> fetcher_;
  std::optional<AuditDesk> desk_;
  judge::Programs programs_;
  std::vector<Hash> preimages_;

  Phase phase_ = Phase::starting;
  uint64_t since_ms_ = 0;   // of the phase
  bool resumed_ = false;    // there was an earlier life
  bool caught_up_ = false;  // with the ledger, in this life
  std::vector<PublicKey> providers_;
  uint64_t found_ms_ = 0;  // when providers were last looked for
  std::map<PublicKey, model::Signed> quotes_;
  KeptJob kept_;
  bool asked_owner_ = false;
  std::optional<model::Signed> signed_open_;  // by the owner, not yet in the book
  std::optional<model::JobId> job_id_;
  std::map<PublicKey, Worker> workers_;
  std::map<PublicKey, model::TransactionId> opening_;  // OpenLease is on its way
  std::set<model::LeaseId> given_up_;                  // in this life
  std::map<model::TaskTag, model::Signed> kept_placed_;
  std::deque<model::Task> ready_;
  std::map<model::TaskId, Placed> placed_;
  std::map<model::TaskTag, Accepted> accepted_;
  std::map<uint64_t, model::TaskId> groups_;
  uint64_t next_id_ = 1;
  uint64_t preimage_ms_ = 0;
  uint64_t claimed_ms_ = 0;
  uint64_t quotes_asked_ms_ = 0;
  uint64_t closed_ms_ = 0;  // when a lease or the job was closed again
  uint32_t rounds_told_ = 0;
  bool closing_ = false;
  std::optional<Error> failure_;  // told when the job is settled
};

}  // namespace lockstep::node
