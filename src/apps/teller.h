// Tells what happens to a job, in the order in which it happens: every line is computed from what
// its requester's node told, or from the ledger.
#pragma once

#include <functional>
#include <set>

#include "apps/report.h"
#include "env/clock.h"
#include "node/requester.h"

namespace lockstep::apps {

/// What a teller looks at beside the requester.
struct TellerView {
  /// Of a node or an owner; "" when unknown.
  std::function<std::string(const crypto::PublicKey&)> name_of;
  std::function<std::optional<model::Block>(uint64_t height)> block_at;
};

class Teller final {
 public:
  /// Borrows report, job and clock, which times the judging of proofs.
  Teller(const Report& report, const model::JobSpec& job, uint64_t operations, env::Clock& clock)
      : report_(report), job_(job), operations_(operations), clock_(clock) {}
  /// Borrows the requester. To be called before anything is told.
  void watch(const node::Requester& requester, TellerView view) {
    requester_ = &requester;
    view_ = std::move(view);
    // One that was started again tells its story again, by a clock that begins again.
    report_.aside({}, "story_begins", {{"clock_ns", clock_.now_ns()}});
  }
  void on_notice(const node::Notice& notice);

  /// Who was paid what, and that the ledger's total is what it was.
  void tell_settlement() const;
  /// What every owner of a node had when the network began, and has now: for networks that were
  /// made for this job.
  void tell_accounts() const;
  /// Set once the job has ended well.
  [[nodiscard]] const std::optional<node::JobFinished>& finished() const { return finished_; }

 private:
  void tell(const node::OffersRanked& offers) const;
  void tell(const node::RoundFinished& round) const;
  void tell(const node::LeaseLost& lost) const;
  void tell(const node::WorkVoided& undone) const;
  void tell(const node::TaskDeclined& declined);
  void tell(const node::TaskPlaced& placed) const;
  void tell(const node::LedgerNews& news);
  void tell_event(const node::LedgerNews& news, const ledger::JobOpened& opened) const;
  void tell_event(const node::LedgerNews& news, const ledger::ClaimDrawn& drawn) const;
  void tell_event(const node::LedgerNews& news, const ledger::AuditAgreed& agreed);
  void tell_event(const node::LedgerNews& news, const ledger::AuditDisagreed& disagreed) const;
  void tell_event(const node::LedgerNews& news, const ledger::DisputeOpened& opened);
  void tell_event(const node::LedgerNews& news, const ledger::Asked& asked) const;
  void tell_event(const node::LedgerNews& news, const ledger::Answered& answered);
  void tell_event(const node::LedgerNews& news, const ledger::JobSettled& settled) const;
  void tell_event(const node::LedgerNews& news, const ledger::DisputeEnded& ended);
  void tell_event(const node::LedgerNews& news, const ledger::Slashed& slashed) const;
  void tell_event(const node::LedgerNews& news, const ledger::SaltsUnopened& unopened) const;
  void tell_event(const node::LedgerNews& news, const ledger::AuditorDrawn& drawn) const;
  void tell_event(const node::LedgerNews& news, const ledger::TransactionFailed& failed) const;
  template <class Other>
  void tell_event(const node::LedgerNews&, const Other&) const {}
  void tell_audits();
  void tell_proof(const node::LedgerNews& news, const ledger::DisputeEnded& ended);
  [[nodiscard]] std::string provider_of(const model::ClaimId& claim) const;
  [[nodiscard]] std::string task_name(const model::ClaimId& claim, uint32_t task) const;
  [[nodiscard]] const ledger::State& state() const;

  const Report& report_;
  const model::JobSpec& job_;
  uint64_t operations_;  // of the job
  env::Clock& clock_;
  const node::Requester* requester_ = nullptr;
  TellerView view_;
  std::optional<node::JobFinished> finished_;
  std::map<crypto::PublicKey, std::string> declined_;       // the last reason of each machine
  std::set<model::ClaimId> audits_told_;                    // what their auditors were paid
  std::map<ledger::DisputeKey, ledger::Dispute> disputes_;  // as last seen
};

/// "lane 3 of round 7", "merge of round 7", "evaluation 2", "sum".
[[nodiscard]] std::string name_of(const model::TaskTag& tag);
/// The first 12 hexadecimal digits.
[[nodiscard]] std::string short_hex(const Hash& hash);
/// Units of work, all decimals.
[[nodiscard]] std::string exact_units(uint64_t operations);
/// Units of work for people: three decimals.
[[nodiscard]] std::string units_of(uint64_t operations);

}  // namespace lockstep::apps
