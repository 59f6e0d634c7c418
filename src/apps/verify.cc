#include "apps/verify.h"

#include "apps/receipt_file.h"
#include "apps/teller.h"
#include "base/limits.h"
#include "platform/files.h"

namespace lockstep::apps {
namespace {

std::string places_of(const std::vector<uint32_t>& tasks) {
  constexpr size_t shown_max = 12;
  std::string text;
  for (size_t i = 0; i < tasks.size() && i < shown_max; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(tasks[i]);
  }
  return tasks.size() > shown_max ? text + " and more" : text;
}

void tell_draws(const Report& report, const node::JobFacts& facts) {
  for (const node::DrawFact& draw : facts.draws) {
    const std::string without =
        draw.requester_preimage ? "" : ", without the requester's preimage: it did not come";
    report.tell(text_of("draw: claim %s, block %s, seed %s, tasks ",
                        short_hex(draw.claim.hash).c_str(),
                        std::to_string(draw.block).c_str(),
                        short_hex(draw.seed).c_str()) +
                    places_of(draw.tasks) + without,
                "draw",
                {{"claim", to_hex(draw.claim.hash.view())},
                 {"block", draw.block},
                 {"seed", to_hex(draw.seed.view())},
                 {"tasks", draw.tasks},
                 {"requester_preimage", draw.requester_preimage}});
  }
  report.tell(text_of("draws: %zu recomputed from the preimages", facts.draws.size()),
              "draws",
              {{"count", facts.draws.size()}});
}

void tell_verdicts(const Report& report, const node::JobFacts& facts) {
  for (const node::VerdictFact& verdict : facts.verdicts) {
    const bool refuted = verdict.outcome == model::Outcome::refuted;
    const double ms = static_cast<double>(verdict.judged_ns) * 1e-6;
    report.tell(text_of("verdict: %s, step %u, operator %u, fold step %s: the claim %s; ",
                        name_of(verdict.tag).c_str(),
                        verdict.place.step + 1,
                        verdict.place.record,
                        std::to_string(verdict.fold_step).c_str(),
                        refuted ? "is refuted" : "holds") +
                    text_of("%u answers of %s bytes, a proof of %s bytes, judged again in %.3f ms",
                            verdict.answers,
                            std::to_string(verdict.answer_bytes).c_str(),
                            std::to_string(verdict.proof_bytes).c_str(),
                            ms),
                "verdict",
                {{"claim", to_hex(verdict.claim.hash.view())},
                 {"place", verdict.task},
                 {"task", name_of(verdict.tag)},
                 {"refuted", refuted},
                 {"answers", verdict.answers},
                 {"answer_bytes", verdict.answer_bytes},
                 {"proof_bytes", verdict.proof_bytes},
                 {"milliseconds", ms}});
  }
}

void tell_pay(const Report& report, const node::JobFacts& facts) {
  for (const node::LeaseFact& lease : facts.leases) {
    const bool slashed = lease.status == ledger::LeaseStatus::slashed;
    std::string text = readable(lease.name) + ": " + lease.paid.print() + " for " +
                       units_of(lease.final_operations) + " units of work";
    if (lease.paid_void > Amount()) {
      text += ", " + lease.paid_void.print() + " for work that was voided";
    }
    report.tell(text + (slashed ? ", slashed" : ""),
                "pay",
                {{"name", readable(lease.name)},
                 {"lease", to_hex(lease.lease.hash.view())},
                 {"operations", lease.final_operations},
                 {"paid", lease.paid.print()},
                 {"paid_for_void_work", lease.paid_void.print()},
                 {"slashed", slashed}});
  }
}

void tell_outcome(const Report& report, const node::JobFacts& facts) {
  if (facts.correct && facts.test_images > 0) {
    const double percent =
        100 * static_cast<double>(*facts.correct) / static_cast<double>(facts.test_images);
    report.tell(text_of("accuracy: %.2f %%", percent),
                "accuracy",
                {{"percent", percent}, {"correct", *facts.correct}});
  }
  if (facts.model_root) {
    const std::string root = to_hex(facts.model_root->view());
    report.tell("model root: " + root, "model_root", {{"root", root}});
  }
}

void tell_all(const Report& report, const node::JobFacts& facts) {
  report.tell(text_of("job %s: %s tasks, %s units of work at %s a unit",
                      readable(facts.name).c_str(),
                      std::to_string(facts.tasks).c_str(),
                      units_of(facts.operations).c_str(),
                      facts.price_per_unit.print().c_str()),
              "job",
              {{"name", readable(facts.name)},
               {"tasks", facts.tasks},
               {"operations", facts.operations},
               {"price_per_unit", facts.price_per_unit.print()}});
  report.tell(
      "headers: " + std::to_string(facts.headers) + " signed, linked, each with its preimage",
      "headers",
      {{"count", facts.headers}});
  report.tell("transactions: " + std::to_string(facts.transactions) +
                  " signed, each in its block, each with its effect",
              "transactions",
              {{"count", facts.transactions}});
  tell_draws(report, facts);
  tell_verdicts(report, facts);
  tell_pay(report, facts);
  tell_outcome(report, facts);
  report.tell("trusted: the network's operator, for order and liveness only",
              "trust",
              {{"operator", "order and liveness"}});
}

}  // namespace

Exit verify_receipt(const std::string& path, bool json) {
  const Report report(json);
  platform::Files files;
  const auto bytes = files.read(path, limits::receipt_bytes_max);
  if (!bytes.ok()) {
    return report.fail(bytes.error());
  }
  const auto file = read_receipt_file(*bytes, path);
  if (!file.ok()) {
    return report.fail(file.error());
  }
  platform::Clock clock;
  const auto facts = node::check_receipt(file->receipt, &clock);
  if (!facts.ok()) {
    Error error = facts.error();
    error.where = error.where.empty() ? path : path + ": " + error.where;
    return report.fail(error);
  }
  if (file->summary != summary_of(*facts)) {
    return report.fail(refuse(Code::bad_receipt,
                              "the summary is not what the evidence shows",
                              "do not trust it",
                              path + ": /summary"));
  }
  tell_all(report, *facts);
  report.tell("receipt is right", "verified", {{"right", true}});
  return Exit::ok;
}

}  // namespace lockstep::apps
