#include "apps/run_record.h"

#include <algorithm>

namespace lockstep::apps {
namespace {

using nlohmann::json;

std::string text_in(const json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<uint64_t> maybe_count(const json& event, const char* key) {
  const auto found = event.find(key);
  if (found == event.end() || !found->is_number_integer()) {
    return std::nullopt;
  }
  if (found->is_number_unsigned()) {
    return found->get<uint64_t>();
  }
  const auto value = found->get<int64_t>();
  return value < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(value));
}

uint64_t count_in(const json& event, const char* key) {
  return maybe_count(event, key).value_or(0);
}

std::optional<double> maybe_number(const json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_number() ? std::optional(found->get<double>())
                                                    : std::nullopt;
}

bool flag_in(const json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_boolean() && found->get<bool>();
}

std::optional<Amount> maybe_amount(const json& event, const char* key) {
  const auto amount = Amount::parse(text_in(event, key));
  return amount.ok() ? std::optional(*amount) : std::nullopt;
}

Amount amount_in(const json& event, const char* key) {
  return maybe_amount(event, key).value_or(Amount());
}

std::vector<std::string> texts_in(const json& event, const char* key) {
  std::vector<std::string> texts;
  const auto found = event.find(key);
  if (found == event.end() || !found->is_array()) {
    return texts;
  }
  texts.reserve(found->size());
  for (const json& one : *found) {
    if (one.is_string()) {
      texts.push_back(one.get<std::string>());
    }
  }
  return texts;
}

struct Told {
  RunRecord& record;
  uint64_t time_ms;
  const json& event;
};

void add_opened(const Told& told) {
  RunRecord& record = told.record;
  record.job = record.job.empty() ? text_in(told.event, "job") : record.job;
  record.tasks = record.tasks == 0 ? count_in(told.event, "tasks") : record.tasks;
  record.operations =
      record.operations == 0 ? count_in(told.event, "operations") : record.operations;
}

void add_plan(const Told& told) {
  told.record.job = text_in(told.event, "job");
  told.record.tasks = count_in(told.event, "tasks");
  told.record.operations = count_in(told.event, "operations");
  told.record.rounds_planned = count_in(told.event, "rounds");
  told.record.lanes = count_in(told.event, "lanes");
  told.record.budget = maybe_amount(told.event, "budget");
}

void add_offer(const Told& told) {
  told.record.offers.push_back({text_in(told.event, "provider"),
                                text_in(told.event, "price_per_unit"),
                                text_in(told.event, "device"),
                                text_in(told.event, "region"),
                                text_in(told.event, "outcome"),
                                count_in(told.event, "memory_bytes"),
                                count_in(told.event, "cpus"),
                                count_in(told.event, "operations_per_second"),
                                flag_in(told.event, "taken")});
}

void add_price(const Told& told) {
  told.record.price_per_unit = text_in(told.event, "price_per_unit");
  told.record.work_price = maybe_amount(told.event, "work");
  told.record.audit_budget = maybe_amount(told.event, "audit_budget");
  told.record.escrow = maybe_amount(told.event, "escrow");
}

void add_round(const Told& told) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  told.record.rounds.push_back({count_in(told.event, "round"),
                                maybe_number(told.event, "loss").value_or(none),
                                flag_in(told.event, "again"),
                                told.time_ms});
}

/// A task that is placed again was void or lost the time before.
void add_placed(const Told& told) {
  RunRecord& record = told.record;
  const std::string task = text_in(told.event, "task");
  const std::string id = text_in(told.event, "id");
  if (!id.empty() && record.run_by_id.contains(id)) {
    return;  // a requester that was started again tells what it told before
  }
  const auto before = record.run_by_task.find(task);
  const bool again = before != record.run_by_task.end();
  if (again) {
    TaskRun& old = record.runs[before->second];
    if (old.fate == Fate::computed) {
      old.fate = Fate::voided;
    } else if (old.fate == Fate::running) {
      old.fate = Fate::lost;
      old.ended_ms = told.time_ms;
    }
  }
  record.run_by_id[id] = record.runs.size();
  record.run_by_task[task] = record.runs.size();
  TaskRun run;
  run.task = task;
  run.machine = text_in(told.event, "machine");
  run.placed_ms = told.time_ms;
  run.again = again;
  record.runs.push_back(std::move(run));
}

void add_delivered(const Told& told) {
  const auto found = told.record.run_by_id.find(text_in(told.event, "id"));
  if (found != told.record.run_by_id.end()) {
    told.record.runs[found->second].delivered_ms = told.time_ms;
  }
}

void add_accepted(const Told& told) {
  const auto found = told.record.run_by_id.find(text_in(told.event, "id"));
  if (found == told.record.run_by_id.end()) {
    return;
  }
  TaskRun& run = told.record.runs[found->second];
  if (run.fate != Fate::running) {
    return;
  }
  run.fate = Fate::computed;
  run.ended_ms = told.time_ms;
  run.delivered_ms = run.delivered_ms.value_or(told.time_ms);
}

void add_lease_lost(const Told& told) {
  const std::string provider = text_in(told.event, "provider");
  for (TaskRun& run : told.record.runs) {
    if (run.machine == provider && run.fate == Fate::running) {
      run.fate = Fate::lost;
      run.ended_ms = told.time_ms;
    }
  }
  if (count_in(told.event, "silent_ms") > 0) {
    told.record.marks.push_back({told.time_ms, provider, MarkKind::lost});
  }
}

void add_void(const Told& told) {
  told.record.tasks_voided += count_in(told.event, "tasks");
  for (const std::string& task : texts_in(told.event, "names")) {
    const auto found = told.record.run_by_task.find(task);
    if (found != told.record.run_by_task.end() &&
        told.record.runs[found->second].placed_ms <= told.time_ms) {
      TaskRun& run = told.record.runs[found->second];
      run.ended_ms = run.fate == Fate::running ? told.time_ms : run.ended_ms;
      run.fate = Fate::voided;
    }
  }
}

void add_machine(const Told& told) {
  told.record.marks.push_back({told.time_ms,
                               text_in(told.event, "name"),
                               flag_in(told.event, "up") ? MarkKind::back : MarkKind::crashed});
}

void add_auditor(const Told& told) {
  AuditRun audit;
  audit.claim = text_in(told.event, "claim");
  audit.auditor = text_in(told.event, "auditor");
  audit.from_ms = told.time_ms;
  audit.tasks = told.record.drawn[audit.claim];
  audit.provider = told.record.claimants[audit.claim];
  for (AuditRun& before : told.record.audits) {
    if (before.claim == audit.claim && !before.ended && before.to_ms == 0) {
      before.to_ms = told.time_ms;  // it lapsed: somebody else was drawn
    }
  }
  told.record.audits.push_back(std::move(audit));
}

/// Not the newest run of a task where that one is on another machine: the draw was of an older.
TaskRun* run_on(RunRecord& record, const std::string& task, const std::string& machine) {
  const auto found = record.run_by_task.find(task);
  if (found != record.run_by_task.end() && record.runs[found->second].machine == machine) {
    return &record.runs[found->second];
  }
  const auto older = std::find_if(record.runs.rbegin(), record.runs.rend(), [&](const auto& run) {
    return run.task == task && run.machine == machine;
  });
  return older == record.runs.rend() ? nullptr : &*older;
}

void end_audit(const Told& told, bool agreed) {
  const std::string claim = text_in(told.event, "claim");
  auto& audits = told.record.audits;
  const auto found = std::find_if(
      audits.rbegin(), audits.rend(), [&](const AuditRun& audit) { return audit.claim == claim; });
  if (found == audits.rend()) {
    return;
  }
  found->to_ms = told.time_ms;
  found->ended = true;
  found->agreed = agreed;
  const std::string provider = text_in(told.event, "provider");
  found->provider = provider.empty() ? found->provider : provider;
  found->paid = amount_in(told.event, "paid");
  for (const std::string& task : found->tasks) {
    if (TaskRun* const run = run_on(told.record, task, found->provider); run != nullptr) {
      run->audited = true;
    }
  }
}

/// What the ledger's books say of an audit; the word that it agreed has said it before.
void add_audit_paid(const Told& told) {
  const std::string claim = text_in(told.event, "claim");
  auto& audits = told.record.audits;
  const auto found = std::find_if(
      audits.rbegin(), audits.rend(), [&](const AuditRun& audit) { return audit.claim == claim; });
  if (found != audits.rend() && found->paid == Amount()) {
    found->paid = amount_in(told.event, "paid");
  }
}

DisputeRow* open_dispute(const Told& told) {
  auto& disputes = told.record.disputes;
  const std::string claim = text_in(told.event, "claim");
  const auto place = maybe_count(told.event, "task");
  const auto found = std::find_if(disputes.rbegin(), disputes.rend(), [&](const DisputeRow& row) {
    return row.ending.empty() && (claim.empty() || row.claim == claim) &&
           (!place || row.place == *place);
  });
  return found == disputes.rend() ? nullptr : &*found;
}

void add_challenge(const Told& told) {
  DisputeRow row;
  row.claim = text_in(told.event, "claim");
  row.place = count_in(told.event, "task");
  row.task = text_in(told.event, "task_name");
  row.claimant = text_in(told.event, "provider");
  row.challenger = text_in(told.event, "challenger");
  row.claimed_root = text_in(told.event, "claimed_root");
  row.own_root = text_in(told.event, "own_root");
  row.operations = count_in(told.event, "operations");
  row.opened_ms = told.time_ms;
  told.record.disputes.push_back(std::move(row));
}

void add_step(const Told& told, bool by_challenger) {
  if (DisputeRow* const row = open_dispute(told); row != nullptr) {
    row->steps.push_back({by_challenger,
                          text_in(told.event, "place"),
                          maybe_count(told.event, "bytes"),
                          told.time_ms});
  }
}

void add_proof(const Told& told) {
  DisputeRow* const row = open_dispute(told);
  if (row == nullptr) {
    return;
  }
  row->proof = "step " + std::to_string(count_in(told.event, "step")) + ", operator " +
               std::to_string(count_in(told.event, "operator")) + " (" +
               text_in(told.event, "kind") + "), chunk " +
               std::to_string(count_in(told.event, "chunk")) + ", fold step " +
               std::to_string(count_in(told.event, "fold_step"));
}

void add_judged(const Told& told) {
  if (DisputeRow* const row = open_dispute(told); row != nullptr) {
    row->judged_ms = maybe_number(told.event, "ms");
  }
}

void end_dispute(const Told& told, bool convicted) {
  DisputeRow* const row = open_dispute(told);
  if (row == nullptr) {
    return;
  }
  row->ended_ms = told.time_ms;
  row->convicted = convicted;
  row->ending = text_in(told.event, "ending");
  row->ending = row->ending.empty() ? "ended" : row->ending;
  row->claimant = row->claimant.empty() ? text_in(told.event, "provider") : row->claimant;
  const uint64_t bytes = count_in(told.event, "proof_bytes");
  row->proof_bytes = bytes > 0 ? std::optional(bytes) : std::nullopt;
  if (!convicted) {
    return;
  }
  told.record.marks.push_back({told.time_ms, row->claimant, MarkKind::convicted});
  for (AuditRun& audit : told.record.audits) {
    if (audit.provider == row->claimant && !audit.ended && audit.to_ms == 0) {
      audit.to_ms = told.time_ms;  // nobody needs it any more
    }
  }
  if (TaskRun* const run = run_on(told.record, row->task, row->claimant); run != nullptr) {
    run->convicted = true;
  }
}

void add_slash(const Told& told) {
  SlashRow slash{text_in(told.event, "provider"),
                 amount_in(told.event, "amount"),
                 amount_in(told.event, "burned"),
                 amount_in(told.event, "challenger"),
                 amount_in(told.event, "reserve")};
  // The event that follows a conviction names the owner's node, or nobody that is known here.
  auto& disputes = told.record.disputes;
  const auto found = std::find_if(disputes.rbegin(), disputes.rend(), [](const DisputeRow& row) {
    return row.convicted && !row.slash;
  });
  if (found != disputes.rend()) {
    slash.provider = slash.provider.empty() ? found->claimant : slash.provider;
    found->slash = slash;
  }
  told.record.slashes.push_back(std::move(slash));
}

void add_paid(const Told& told) {
  told.record.paid.push_back({text_in(told.event, "provider"),
                              amount_in(told.event, "paid"),
                              amount_in(told.event, "paid_void"),
                              count_in(told.event, "operations"),
                              flag_in(told.event, "slashed")});
}

void add_account(const Told& told) {
  told.record.accounts.push_back({text_in(told.event, "name"),
                                  text_in(told.event, "role"),
                                  amount_in(told.event, "before"),
                                  amount_in(told.event, "after")});
}

void add_total(const Told& told) {
  told.record.total = maybe_amount(told.event, "total");
  told.record.total_unchanged = flag_in(told.event, "unchanged");
  told.record.burned = amount_in(told.event, "burned");
  told.record.treasury = amount_in(told.event, "treasury");
  told.record.blocks = count_in(told.event, "blocks");
}

void add_settled(const Told& told) {
  told.record.settled = true;
  told.record.settlement =
      Settled{amount_in(told.event, "refund"), amount_in(told.event, "treasury")};
}

void add_time(const Told& told) {
  told.record.wall_seconds = maybe_number(told.event, "seconds");
  told.record.network_ms = count_in(told.event, "network_ms");
}

void add_error(const Told& told) {
  const std::string what = text_in(told.event, "what");
  told.record.failed = what.empty() ? "the run failed" : what;
}

void add_results(const Told& told) {
  told.record.result_columns = texts_in(told.event, "columns");
  told.record.results.clear();
}

void add_result(const Told& told) {
  told.record.results.push_back({texts_in(told.event, "texts"), flag_in(told.event, "kept")});
}

using Adder = void (*)(const Told&);
const std::map<std::string, Adder>& adders() {
  static const std::map<std::string, Adder> all = {
      {"plan", add_plan},
      {"job_opened", add_opened},
      {"offer", add_offer},
      {"price", add_price},
      {"round", add_round},
      {"results", add_results},
      {"result", add_result},
      {"task_placed", add_placed},
      {"task_delivered", add_delivered},
      {"task_accepted", add_accepted},
      {"lease_lost", add_lease_lost},
      {"void", add_void},
      {"machine", add_machine},
      {"draw",
       [](const Told& told) {
         told.record.drawn[text_in(told.event, "claim")] = texts_in(told.event, "names");
         told.record.claimants[text_in(told.event, "claim")] = text_in(told.event, "provider");
       }},
      {"auditor", add_auditor},
      {"audit_agreed", [](const Told& told) { end_audit(told, true); }},
      {"audit_disagreed", [](const Told& told) { end_audit(told, false); }},
      {"audit_paid", add_audit_paid},
      {"challenge", add_challenge},
      {"question", [](const Told& told) { add_step(told, true); }},
      {"answer", [](const Told& told) { add_step(told, false); }},
      {"proof", add_proof},
      {"proof_judged", add_judged},
      {"claim_false", [](const Told& told) { end_dispute(told, true); }},
      {"claim_stands", [](const Told& told) { end_dispute(told, false); }},
      {"slash", add_slash},
      {"paid", add_paid},
      {"account", add_account},
      {"settled", add_settled},
      {"ledger_total", add_total},
      {"time", add_time},
      {"error", add_error},
      {"accuracy",
       [](const Told& told) {
         told.record.accuracy_percent = maybe_number(told.event, "percent");
       }},
      {"model_root",
       [](const Told& told) { told.record.model_root = text_in(told.event, "root"); }},
      {"model", [](const Told& told) { told.record.model_path = text_in(told.event, "path"); }},
      {"receipt",
       [](const Told& told) { told.record.receipt_path = text_in(told.event, "path"); }}};
  return all;
}

}  // namespace

/// A requester that was started again tells again what its ledger and its book tell it. What a life
/// tells twice happened twice.
bool RunRecord::is_told_before(const std::string& name, const json& event) {
  if (name == "round") {
    const uint64_t number = count_in(event, "round");
    const auto last = std::find_if(rounds.rbegin(), rounds.rend(), [&](const RoundLoss& round) {
      return round.round == number;
    });
    return lives_ > 1 && voids_in_life_ == 0 && last != rounds.rend() &&
           maybe_number(event, "loss") == last->loss;
  }
  static const std::set<std::string> without_block = {"offer", "paid", "account", "void"};
  if (!event.contains("block") && !without_block.contains(name)) {
    return false;
  }
  json bare = event;
  bare.erase("time_ms");
  bare.erase("text");
  const std::string key =
      name + bare.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  told_.insert(key);
  return told_before_.contains(key);
}

void RunRecord::add(uint64_t time_ms, const std::string& name, const json& event) {
  if (name == "story_begins") {
    base_ms_ = last_ms;
    ++lives_;
    voids_in_life_ = 0;
    told_before_.merge(told_);
    return;
  }
  const auto adder = adders().find(name);
  if (adder == adders().end() || !event.is_object() || is_told_before(name, event)) {
    return;
  }
  voids_in_life_ += name == "void" ? 1 : 0;
  const uint64_t now = time_ms + std::min(base_ms_, UINT64_MAX - time_ms);
  last_ms = std::max(last_ms, now);
  adder->second({*this, now, event});
}

RunRecord record_of(const std::string& lines) {
  RunRecord record;
  size_t start = 0;
  while (start < lines.size()) {
    const size_t end = std::min(lines.find('\n', start), lines.size());
    const json event = json::parse(lines.substr(start, end - start), nullptr, false);
    if (event.is_object()) {
      record.add(count_in(event, "time_ms"), text_in(event, "event"), event);
    }
    start = end + 1;
  }
  return record;
}

}  // namespace lockstep::apps
