// The ledger's events in words, for the trace of a run that failed.
#include "apps/report.h"
#include "apps/scenario_run.h"
#include "apps/teller.h"

namespace lockstep::apps {
namespace {

/// Finds words for each kind; what is not listed is told by its name alone.
class Words {
 public:
  explicit Words(const sim::World& world) : world_(world) {}
  std::string operator()(const ledger::TransactionFailed& it) const {
    return "refused, of " + world_.name_of(it.signer) + ": " + it.error.message();
  }
  std::string operator()(const ledger::JobOpened& it) const {
    return "job " + short_hex(it.job.hash) + " opened";
  }
  std::string operator()(const ledger::LeaseOpened& it) const {
    return "lease " + short_hex(it.lease.hash) + " of " + world_.name_of(it.node) + " opened";
  }
  std::string operator()(const ledger::ClaimPosted& it) const {
    return about(it.claim) + "posted by lease " + short_hex(it.lease.hash) + ", " +
           it.amount.print() + " pending";
  }
  std::string operator()(const ledger::ClaimDrawn& it) const {
    return about(it.claim) + "drawn: " + std::to_string(it.tasks.size()) + " tasks";
  }
  std::string operator()(const ledger::AuditorDrawn& it) const {
    return about(it.claim) + "is audited by " + world_.name_of(it.auditor);
  }
  std::string operator()(const ledger::AuditCommitted& it) const {
    return about(it.claim) + "auditor committed";
  }
  std::string operator()(const ledger::SaltsOpened& it) const {
    return about(it.claim) + "salts opened";
  }
  std::string operator()(const ledger::SaltsUnopened& it) const {
    return about(it.claim) + "salts never opened";
  }
  std::string operator()(const ledger::AuditAgreed& it) const {
    return about(it.claim) + world_.name_of(it.auditor) + " agrees, paid " + it.paid.print();
  }
  std::string operator()(const ledger::AuditDisagreed& it) const {
    return about(it.claim) + "auditor disagrees about " + std::to_string(it.tasks.size()) +
           " tasks";
  }
  std::string operator()(const ledger::AuditLapsed& it) const {
    return about(it.claim) + "nobody audits";
  }
  std::string operator()(const ledger::DisputeOpened& it) const {
    return about(it.claim) + "task " + std::to_string(it.task) + " challenged by " +
           world_.name_of(it.challenger);
  }
  std::string operator()(const ledger::Asked& it) const {
    return about(it.claim) + "task " + std::to_string(it.task) + ": asked";
  }
  std::string operator()(const ledger::Answered& it) const {
    return about(it.claim) + "task " + std::to_string(it.task) + ": answered";
  }
  std::string operator()(const ledger::DisputeEnded& it) const {
    static const char* const endings[] = {"refuted by a proof",
                                          "refuted by a bad answer",
                                          "the claimant was silent",
                                          "the proof holds",
                                          "the challenger was silent"};
    return about(it.claim) + "task " + std::to_string(it.task) +
           " ended: " + endings[static_cast<size_t>(it.ending)];
  }
  std::string operator()(const ledger::Slashed& it) const {
    return world_.name_of(it.owner) + " slashed " + it.amount.print();
  }
  std::string operator()(const ledger::TasksVoided& it) const {
    return std::to_string(it.tasks.size()) + " tasks void";
  }
  std::string operator()(const ledger::LeaseClosed& it) const {
    return "lease " + short_hex(it.lease.hash) + " closed";
  }
  std::string operator()(const ledger::JobClosed& it) const {
    return "job " + short_hex(it.job.hash) + " closed";
  }
  std::string operator()(const ledger::JobSettled& it) const {
    return "job " + short_hex(it.job.hash) + " settled, " + it.refund.print() + " back, " +
           it.treasury.print() + " to the treasury";
  }

 private:
  [[nodiscard]] static std::string about(const model::ClaimId& claim) {
    return "claim " + short_hex(claim.hash) + ": ";
  }
  const sim::World& world_;
};

}  // namespace

std::string describe(const ledger::Event& event, const sim::World& world) {
  return std::visit(Words(world), event);
}

}  // namespace lockstep::apps
