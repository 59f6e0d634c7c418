// What a run was, collected from its events as they are told: plain data for the page.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/amount.h"

namespace lockstep::apps {

/// What became of one placing of a task on a machine.
enum class Fate : uint8_t { running, computed, voided, lost };

struct TaskRun {
  std::string task;  // "lane 3 of round 7"
  std::string machine;
  uint64_t placed_ms = 0;
  std::optional<uint64_t> delivered_ms;
  uint64_t ended_ms = 0;  // accepted or lost; 0: neither
  Fate fate = Fate::running;
  bool again = false;      // was placed before
  bool audited = false;    // drawn, and the audit ended well or ill
  bool convicted = false;  // a dispute showed it false
};
struct AuditRun {
  std::string claim, auditor, provider;
  std::vector<std::string> tasks;
  uint64_t from_ms = 0, to_ms = 0;  // to 0: never ended; not ended but with a to: lapsed
  bool ended = false, agreed = false;
  Amount paid;
};
struct RoundLoss {
  uint64_t round = 0;
  double loss = 0;  // may be no number
  bool again = false;
  uint64_t time_ms = 0;
};
/// A row of the job's results table.
struct ResultRow {
  std::vector<std::string> cells;
  bool kept = false;
};
struct OfferRow {
  std::string provider, price, device, region, outcome;
  uint64_t memory_bytes = 0, cpus = 0, operations_per_second = 0;
  bool taken = false;
};
enum class MarkKind : uint8_t { crashed, back, convicted, lost };
struct Mark {
  uint64_t time_ms = 0;
  std::string machine;
  MarkKind kind = MarkKind::crashed;
};
struct DisputeStep {
  bool by_challenger = false;  // a question; else an answer
  std::string place;
  std::optional<uint64_t> bytes;
  uint64_t time_ms = 0;
};
struct SlashRow {
  std::string provider;
  Amount amount, burned, challenger, reserve;
};
struct DisputeRow {
  std::string claim, task, claimant, challenger;
  std::string claimed_root, own_root;
  uint64_t place = 0;       // of the task in its claim
  uint64_t operations = 0;  // of the task
  uint64_t opened_ms = 0, ended_ms = 0;
  std::vector<DisputeStep> steps;
  std::string proof;  // "step 40, operator 48 (map), chunk 0, fold step 0"
  std::optional<uint64_t> proof_bytes;
  std::optional<double> judged_ms;
  std::string ending;  // empty: still open
  bool convicted = false;
  std::optional<SlashRow> slash;
};
struct PaidRow {
  std::string provider;
  Amount paid, paid_void;
  uint64_t operations = 0;
  bool slashed = false;
};
/// What an owner had before and after, balance and stake together.
struct AccountRow {
  std::string name, role;
  Amount before, after;
};
struct Settled {
  Amount refund, treasury;
};

/// Tolerant: an event that is missing or lacks a field leaves a gap, and names it does not know
/// are passed over.
struct RunRecord {
  std::string job, model_root, receipt_path, model_path, failed, note;
  std::optional<double> accuracy_percent, wall_seconds;
  uint64_t tasks = 0, operations = 0, rounds_planned = 0, lanes = 0, network_ms = 0, blocks = 0;
  bool settled = false;
  std::string price_per_unit;
  std::optional<Amount> work_price, audit_budget, escrow, budget, total;
  bool total_unchanged = true;
  Amount burned, treasury;  // of the network, in the end
  std::optional<Settled> settlement;
  std::vector<OfferRow> offers;
  std::vector<RoundLoss> rounds;
  std::vector<std::string> result_columns;
  std::vector<ResultRow> results;
  std::vector<TaskRun> runs;
  std::vector<AuditRun> audits;
  std::vector<Mark> marks;
  std::vector<DisputeRow> disputes;
  std::vector<SlashRow> slashes;
  std::vector<PaidRow> paid;
  std::vector<AccountRow> accounts;
  uint64_t tasks_voided = 0;

  void add(uint64_t time_ms, const std::string& name, const nlohmann::json& event);

  std::map<std::string, size_t> run_by_id;                // run of a task id
  std::map<std::string, size_t> run_by_task;              // the latest
  std::map<std::string, std::vector<std::string>> drawn;  // by claim: names of tasks
  std::map<std::string, std::string> claimants;           // by claim
  uint64_t last_ms = 0;                                   // of the latest event

 private:
  bool is_told_before(const std::string& name, const nlohmann::json& event);

  uint64_t base_ms_ = 0;  // when the present life of the requester began
  uint64_t lives_ = 0, voids_in_life_ = 0;
  std::set<std::string> told_, told_before_;  // in this life, in earlier ones
};

/// From a log of events, one JSON object a line; its times are their "time_ms".
[[nodiscard]] RunRecord record_of(const std::string& lines);

}  // namespace lockstep::apps
