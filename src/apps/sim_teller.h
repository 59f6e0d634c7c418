// Tells what happens on a simulated network, in the order in which it happens: every line is
// computed from a notice or from the ledger.
#pragma once

#include "apps/report.h"
#include "env/clock.h"
#include "sim/world.h"

namespace lockstep::apps {

class SimTeller final : public sim::Observer {
 public:
  /// Borrows all. The clock times the judging of proofs.
  SimTeller(const Report& report,
            const model::TrainJob& job,
            uint64_t operations,
            env::Clock& clock)
      : report_(report), job_(job), operations_(operations), clock_(clock) {}
  void watch(sim::World& world) { world_ = &world; }
  void on_notice(uint64_t now_ms, const node::Notice& notice) override;
  void on_machine(uint64_t now_ms, const std::string& name, bool up) override;

  /// Who was paid what, and that the ledger's total is what it was.
  void tell_settlement() const;
  /// Set once the job has ended well.
  [[nodiscard]] const std::optional<node::JobFinished>& finished() const { return finished_; }

 private:
  void tell(const node::OffersRanked& offers) const;
  void tell(const node::RoundFinished& round) const;
  void tell(const node::LeaseLost& lost) const;
  void tell(const node::WorkVoided& undone) const;
  void tell(const node::LedgerNews& news);
  void tell_event(const node::LedgerNews& news, const ledger::ClaimDrawn& drawn) const;
  void tell_event(const node::LedgerNews& news, const ledger::AuditAgreed& agreed) const;
  void tell_event(const node::LedgerNews& news, const ledger::AuditDisagreed& disagreed) const;
  void tell_event(const node::LedgerNews& news, const ledger::DisputeOpened& opened);
  void tell_event(const node::LedgerNews& news, const ledger::Answered& answered);
  void tell_event(const node::LedgerNews& news, const ledger::DisputeEnded& ended);
  void tell_event(const node::LedgerNews& news, const ledger::Slashed& slashed) const;
  void tell_event(const node::LedgerNews& news, const ledger::SaltsUnopened& unopened) const;
  void tell_event(const node::LedgerNews& news, const ledger::AuditorDrawn& drawn) const;
  void tell_event(const node::LedgerNews& news, const ledger::TransactionFailed& failed) const;
  template <class Other>
  void tell_event(const node::LedgerNews&, const Other&) const {}
  void tell_proof(const node::LedgerNews& news, const ledger::DisputeEnded& ended);
  [[nodiscard]] std::string provider_of(const model::ClaimId& claim) const;
  [[nodiscard]] std::string task_name(const model::ClaimId& claim, uint32_t task) const;
  [[nodiscard]] const ledger::State& state() const;

  const Report& report_;
  const model::TrainJob& job_;
  uint64_t operations_;  // of the job
  env::Clock& clock_;
  sim::World* world_ = nullptr;
  std::optional<node::JobFinished> finished_;
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
