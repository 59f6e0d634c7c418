// For tests of the page: the events of a run with a liar and a crash, and a check that markup is
// balanced and quotes what it must.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lockstep::apps {

using Events = std::vector<nlohmann::json>;

inline std::string lines_of(const Events& events) {
  std::string lines;
  for (const auto& event : events) {
    lines += event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  return lines;
}

/// How a job of `rounds` rounds of `lanes` tasks on `machines` machines is told: provider-1 lies
/// and is convicted after a third of the rounds, provider-2 crashes after two thirds.
class SampleRun {
 public:
  SampleRun(uint32_t rounds, uint32_t lanes, uint32_t machines, std::string job = "fashion-mnist")
      : rounds_(rounds), lanes_(lanes), job_(std::move(job)) {
    for (uint32_t i = 1; i <= machines; ++i) {
      alive_.push_back("provider-" + std::to_string(i));
    }
    free_at_.assign(machines + 1, 0);
  }

  Events events() {
    begin(static_cast<uint32_t>(alive_.size()));
    const uint32_t lie = rounds_ / 3 + 1;
    const uint32_t crash = 2 * rounds_ / 3 + 1;
    for (uint32_t round = 1; round <= rounds_; ++round) {
      run_round(round, false);
      if (round == lie && alive_.size() > 1) {
        convict(round);
      }
      if (round == crash && alive_.size() > 1) {
        lose("provider-2");
      }
    }
    finish();
    return events_;
  }

 private:
  void tell(const char* name, nlohmann::json event) {
    event["event"] = name;
    event["time_ms"] = now_;
    events_.push_back(std::move(event));
  }

  void begin(uint32_t machines) {
    tell("plan",
         {{"job", job_},
          {"tasks", rounds_ * lanes_},
          {"operations", 745648000729U},
          {"rounds", rounds_},
          {"lanes", lanes_}});
    for (uint32_t i = 1; i <= machines + 1; ++i) {
      tell("offer",
           {{"provider", "provider-" + std::to_string(i)},
            {"price_per_unit", "0.02 LKS"},
            {"memory_bytes", 4000000000U},
            {"cpus", 4},
            {"operations_per_second", 9000000000U},
            {"device", "cpu"},
            {"region", "eu"},
            {"taken", i <= machines},
            {"outcome", i <= machines ? "taken" : "refused: memory (needs 81 MB, offers 64 MB)"}});
    }
    tell("price",
         {{"price_per_unit", "0.02 LKS"},
          {"work", "14.9 LKS"},
          {"audit_budget", "2.6 LKS"},
          {"escrow", "17.5 LKS"}});
  }

  void run_round(uint32_t round, bool again) {
    uint64_t last = now_;
    for (uint32_t lane = 1; lane <= lanes_; ++lane) {
      const size_t at = lane % alive_.size();
      const std::string task =
          "lane " + std::to_string(lane) + " of round " + std::to_string(round);
      const std::string id = "id-" + std::to_string(++ids_);
      const uint64_t placed = now_;
      tell("task_placed", {{"id", id}, {"task", task}, {"machine", alive_[at]}});
      free_at_[at] = std::max(free_at_[at], now_) + 300 + 37 * (ids_ % 5);
      now_ = free_at_[at];
      tell("task_delivered", {{"id", id}});
      tell("task_accepted", {{"id", id}});
      last = std::max(last, now_);
      now_ = placed;
      if (ids_ % 11 == 0) {
        audit(task, alive_[at], true);
      }
    }
    now_ = last;
    tell("round",
         {{"round", round},
          {"loss", 2.4 / (1 + 0.1 * round) + (again ? 0 : 0.03)},
          {"again", again}});
  }

  void audit(const std::string& task, const std::string& provider, bool agrees) {
    const std::string claim = "claim-" + std::to_string(ids_);
    tell("draw", {{"claim", claim}, {"provider", provider}, {"names", {task}}, {"tasks", {0}}});
    tell("auditor", {{"claim", claim}, {"auditor", "auditor-1"}});
    const uint64_t before = now_;
    now_ += 700;
    if (agrees) {
      tell("audit_agreed",
           {{"claim", claim},
            {"auditor", "auditor-1"},
            {"provider", provider},
            {"paid", "0.01 LKS"}});
    } else {
      tell("audit_disagreed", {{"claim", claim}, {"auditor", "auditor-1"}, {"provider", provider}});
    }
    audits_ += agrees ? 1 : 0;
    now_ = before;
  }

  void convict(uint32_t round) {
    const std::string task = "lane " + std::to_string(alive_.size() - 1) + " of round 1";
    const std::string liar = alive_.back();
    audit(task, liar, false);
    const std::string claim = "claim-" + std::to_string(ids_);
    tell("challenge",
         {{"claim", claim},
          {"task", 1},
          {"task_name", task},
          {"provider", liar},
          {"challenger", "auditor-1"},
          {"claimed_root", "00112233445566778899"},
          {"own_root", "ffeeddccbbaa99887766"},
          {"operations", 2050000000}});
    for (const char* place : {"task list",
                              "window 8",
                              "step 40",
                              "step 40, operator 48, bytes",
                              "step 40, operator 48, chunk 0, fold states"}) {
      tell("question", {{"claim", claim}, {"task", 1}, {"place", place}, {"bytes", 181}});
      tell("answer", {{"claim", claim}, {"task", 1}, {"place", place}, {"bytes", 325}});
    }
    tell("proof",
         {{"claim", claim},
          {"step", 40},
          {"operator", 48},
          {"kind", "map"},
          {"chunk", 0},
          {"fold_step", 0},
          {"refuted", true}});
    tell("proof_judged", {{"bytes", 1453}, {"ms", 0.02}});
    tell("claim_false",
         {{"claim", claim},
          {"task", 1},
          {"provider", liar},
          {"ending", "a proof refuted it"},
          {"answers", 5},
          {"proof_bytes", 1453}});
    tell("slash",
         {{"provider", liar},
          {"amount", "30 LKS"},
          {"burned", "15 LKS"},
          {"challenger", "0.1 LKS"},
          {"reserve", "14.9 LKS"}});
    nlohmann::json names = nlohmann::json::array();
    for (uint32_t one = 1; one <= round; ++one) {
      for (uint32_t lane = 1; lane <= lanes_; ++lane) {
        names.push_back("lane " + std::to_string(lane) + " of round " + std::to_string(one));
      }
    }
    tell("void", {{"tasks", round * lanes_}, {"first_round", 1}, {"names", names}});
    liar_ = liar;
    alive_.erase(std::find(alive_.begin(), alive_.end(), liar));
    tell("lease_lost", {{"provider", liar}, {"silent_ms", 0}, {"tasks", 0}});
    for (uint32_t one = 1; one <= round; ++one) {
      run_round(one, true);
    }
  }

  void lose(const std::string& machine) {
    const auto found = std::find(alive_.begin(), alive_.end(), machine);
    if (found == alive_.end()) {
      return;
    }
    tell("task_placed", {{"id", "lost"}, {"task", "lane 1 of the end"}, {"machine", machine}});
    now_ += 400;
    tell("machine", {{"name", machine}, {"up", false}});
    alive_.erase(found);
    now_ += 2037;
    tell("lease_lost", {{"provider", machine}, {"silent_ms", 2037}, {"tasks", 1}});
    tell("task_placed", {{"id", "kept"}, {"task", "lane 1 of the end"}, {"machine", alive_[0]}});
    now_ += 380;
    tell("task_accepted", {{"id", "kept"}});
  }

  /// Money that sums: in 17.5 and, where somebody lied, 30; all amounts in thousandths of LKS.
  void finish() {
    const bool lied = !liar_.empty();
    const int64_t fees = 10 * static_cast<int64_t>(audits_);
    const int64_t work = 14'000;
    const int64_t vain = lied ? 1'500 : 0;
    const int64_t treasury = lied ? 14'900 - vain : 0;
    const int64_t refund = 17'500 - work - fees;
    const auto text = [](int64_t thousandths) {
      const int64_t size = std::abs(thousandths);
      std::string rest = std::to_string(1000 + size % 1000).substr(1);
      while (!rest.empty() && rest.back() == '0') {
        rest.pop_back();
      }
      return std::string(thousandths < 0 ? "-" : "") + std::to_string(size / 1000) +
             (rest.empty() ? "" : ".") + rest + " LKS";
    };
    tell("settled", {{"refund", text(refund)}, {"treasury", text(treasury)}});
    tell("accuracy", {{"percent", 89.2}, {"correct", 8920}});
    tell("model_root", {{"root", "81386cf3678c4ebfd28fbba584b4eac0e94147be24653f1fb7a380fdd06c"}});
    const std::string payee = alive_.at(0);
    tell("paid",
         {{"provider", payee},
          {"paid", text(work)},
          {"paid_void", text(vain)},
          {"operations", 7000000},
          {"slashed", false}});
    const auto account = [&](const std::string& name, const char* role, int64_t change) {
      tell("account",
           {{"name", name},
            {"role", role},
            {"before", "1000 LKS"},
            {"after", text(1'000'000 + change)}});
    };
    account("requester", "requester", refund - 17'500);
    account(payee, "provider", work + vain);
    if (lied) {
      account(liar_, "provider", -30'000);
    }
    account("auditor-1", "auditor", fees + (lied ? 100 : 0));
    tell("ledger_total",
         {{"total", "5100 LKS"},
          {"unchanged", true},
          {"burned", lied ? "15 LKS" : "0 LKS"},
          {"treasury", text(treasury)},
          {"blocks", 377}});
    tell("receipt", {{"path", "out/receipt.json"}});
    tell("time", {{"seconds", 56.2}, {"network_ms", now_}});
  }

  uint32_t rounds_, lanes_;
  std::string job_, liar_;
  std::vector<std::string> alive_;
  std::vector<uint64_t> free_at_;
  uint64_t now_ = 100;
  uint64_t ids_ = 0, audits_ = 0;
  Events events_;
};

/// What is wrong with markup that has to be XML but for the document type: every tag closed, in
/// order, every attribute quoted and given once, no stray "<" or "&". Empty when nothing is.
inline std::string fault_of(const std::string& markup) {
  std::vector<std::string> open;
  size_t at = 0;
  const auto here = [&] { return " at: " + markup.substr(at, 60); };
  while (at < markup.size()) {
    if (markup[at] == '&') {
      const size_t end = markup.find(';', at);
      const std::string name = end == std::string::npos ? "" : markup.substr(at + 1, end - at - 1);
      if (name != "amp" && name != "lt" && name != "gt" && name != "quot" && name != "#39") {
        return "unknown entity" + here();
      }
      at = end + 1;
      continue;
    }
    if (markup[at] != '<' || markup.compare(at, 9, "<!DOCTYPE") == 0) {
      at = markup[at] == '<' ? markup.find('>', at) + 1 : at + 1;
      continue;
    }
    const bool closes = markup.compare(at, 2, "</") == 0;
    size_t end = at + (closes ? 2 : 1);
    const size_t name_at = end;
    while (end < markup.size() && (std::isalnum(static_cast<unsigned char>(markup[end])) != 0)) {
      ++end;
    }
    const std::string name = markup.substr(name_at, end - name_at);
    if (name.empty()) {
      return "no tag's name" + here();
    }
    std::vector<std::string> attributes;
    while (end < markup.size() && markup[end] != '>' && markup[end] != '/') {
      if (std::isspace(static_cast<unsigned char>(markup[end])) != 0) {
        ++end;
        continue;
      }
      const size_t equals = markup.find('=', end);
      if (equals == std::string::npos || equals + 1 >= markup.size() || markup[equals + 1] != '"') {
        return "attribute without quotes" + here();
      }
      const std::string attribute = markup.substr(end, equals - end);
      if (attribute.find_first_of(" <>\"'&") != std::string::npos ||
          std::count(attributes.begin(), attributes.end(), attribute) > 0) {
        return "bad attribute" + here();
      }
      attributes.push_back(attribute);
      const size_t quote = markup.find('"', equals + 2);
      if (quote == std::string::npos ||
          markup.substr(equals + 2, quote - equals - 2).find('<') != std::string::npos) {
        return "bad attribute value" + here();
      }
      end = quote + 1;
    }
    const bool empty = markup.compare(end, 2, "/>") == 0;
    end += empty ? 1 : 0;
    if (end >= markup.size() || markup[end] != '>') {
      return "tag without end" + here();
    }
    if (closes) {
      if (open.empty() || open.back() != name) {
        return "closes what is not open" + here();
      }
      open.pop_back();
    } else if (!empty) {
      open.push_back(name);
    }
    at = end + 1;
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

}  // namespace lockstep::apps
