// Looking at jobs, and ending them.
#include "apps/jobs.h"

#include <algorithm>
#include <fstream>

#include "apps/hints.h"
#include "apps/interrupt.h"
#include "apps/network_folder.h"
#include "apps/node_process.h"
#include "apps/requester_process.h"
#include "apps/run.h"
#include "apps/visit.h"
#include "apps/wallet_files.h"
#include "platform/files.h"
#include "spec/suggest.h"

namespace lockstep::apps {
namespace {

using nlohmann::json;

constexpr const char* owner_name = "you";

/// What the record of a job's events says about it.
struct Progress {
  uint32_t round = 0;
  std::string price;
};

template <class Take>
void each_event(const std::string& folder, Take take) {
  std::ifstream events(folder + "/" + events_file_name, std::ios::binary);
  std::string line;
  while (std::getline(events, line)) {
    json event = json::parse(line, nullptr, false);
    if (event.is_object()) {
      take(event);
    }
  }
}

Progress progress_of(const std::string& folder) {
  Progress progress;
  each_event(folder, [&](const json& event) {
    const std::string name = event.value("event", std::string());
    if (name == "round") {
      progress.round = event.value("round", 0U);
    } else if (name == "price") {
      progress.price = event.value("escrow", std::string());
    }
  });
  return progress;
}

std::string outcome_of(const std::string& folder) {
  platform::Files files;
  constexpr size_t over_bytes_max = size_t{1} << 20;
  const auto bytes = files.read(folder + "/" + over_file_name, over_bytes_max);
  const json over = bytes.ok() ? json::parse(*bytes, nullptr, false) : json();
  if (over.is_object() && over.value("ok", false)) {
    return "done";
  }
  const json error = over.is_object() ? over.value("error", json::object()) : json::object();
  const bool ended =
      error.is_object() && error.value("code", 0) == static_cast<int>(Code::cancelled);
  return ended ? "ended" : "failed";
}

/// Closes it on the ledger where it is open; true: it was.
Result<bool> close_on_ledger(const NetworkFolder& network, const std::string& job) {
  const crypto::SecretKey owner = TRY(load_plain_key(network.wallet_of(owner_name)));
  const crypto::SecretKey node = TRY(load_plain_key(network.job(job) + "/keys/" + key_file_name));
  auto visit = TRY(Visit::begin(network.file().genesis, network.file().ledger));
  for (const auto& [id, state] : visit->state().jobs) {
    if (state.owner == owner.public_key() && state.terms.requester == node.public_key() &&
        state.status == ledger::JobStatus::open) {
      (void)TRY(visit->submit(owner, model::CloseJob{id}));
      return true;
    }
  }
  return false;
}

Result<void> cancel(const NetworkFolder& network, const std::string& job, const Report& report) {
  TRY(check_job(network, job));
  const std::string folder = network.job(job);
  if (is_job_over(folder)) {
    return refuse(Code::wrong_state,
                  "the job is over already",
                  "see how it ended: lockstep logs " + job,
                  job);
  }
  const bool was_open = TRY(close_on_ledger(network, job));
  if (!was_open) {
    TRY(end_unopened(network, job, refuse(Code::cancelled, "the job was cancelled")));
  }
  report.tell(was_open ? "closed: what was done is paid, the rest comes back when it is settled"
                       : "stopped: nothing had been spent",
              "cancelled",
              {{"job", job}, {"was_open", was_open}});
  return {};
}

}  // namespace

Result<void> check_job(const NetworkFolder& network, const std::string& job) {
  const auto names = network.job_names();
  if (std::find(names.begin(), names.end(), job) != names.end()) {
    return {};
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto nearest = spec::suggest(job, known);
  return refuse(Code::not_registered,
                "there is no job of this name",
                (nearest ? "did you mean \"" + std::string(*nearest) + "\"? " : std::string()) +
                    "see them: lockstep jobs",
                job);
}

Result<void> end_unopened(const NetworkFolder& network, const std::string& job, const Error& why) {
  const std::string folder = network.job(job);
  (void)TRY(network.stop(folder));
  const json over = {{"ok", false},
                     {"error",
                      {{"code", static_cast<int>(why.code)},
                       {"where", why.where},
                       {"what", why.what},
                       {"next", why.next}}}};
  const std::string text = over.dump() + "\n";
  platform::Files files;
  return files.write(folder + "/" + over_file_name,
                     {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

Exit list_jobs(const std::string& network, bool as_json) {
  const Report report(as_json);
  const auto opened = NetworkFolder::open(network);
  if (!opened.ok()) {
    return report.fail(opened.error());
  }
  const auto names = opened->job_names();
  if (names.empty()) {
    report.aside("no jobs yet; start one: lockstep run JOB.yaml", "no_jobs", json::object());
  }
  for (const std::string& name : names) {
    const std::string folder = opened->job(name);
    const Progress progress = progress_of(folder);
    std::string state = opened->is_running(folder) ? "running" : "stopped";
    if (is_job_over(folder)) {
      state = outcome_of(folder);
    }
    report.tell(
        text_of("%-24s %-8s round %-5u %s",
                name.c_str(),
                state.c_str(),
                progress.round,
                progress.price.c_str()),
        "job",
        {{"name", name}, {"state", state}, {"round", progress.round}, {"escrow", progress.price}});
  }
  return Exit::ok;
}

Exit show_log(const std::string& network, const std::string& job, bool as_json) {
  const Report report(as_json);
  const auto opened = NetworkFolder::open(network);
  if (!opened.ok()) {
    return report.fail(opened.error());
  }
  const auto there = check_job(*opened, job);
  if (!there.ok()) {
    return report.fail(there.error());
  }
  each_event(opened->job(job), [&](json& event) {
    const std::string text = event.value("text", std::string());
    const std::string name = event.value("event", std::string());
    event.erase("text");
    report.aside(text, name, std::move(event));
  });
  return Exit::ok;
}

Exit cancel_job(const std::string& network, const std::string& job, bool as_json) {
  const Report report(as_json);
  const auto opened = NetworkFolder::open(network);
  if (!opened.ok()) {
    return report.fail(opened.error());
  }
  watch_interrupts();
  const auto done = cancel(*opened, job, report);
  return done.ok() ? Exit::ok : report.fail(with_hint(done.error()));
}

}  // namespace lockstep::apps
