// `lockstep sim run` and `lockstep sim replay`: a job on a simulated network.
#pragma once

#include <vector>

#include "apps/report.h"

namespace lockstep::apps {

struct SimOptions {
  std::string job_path;
  std::string out_folder;  // none: nothing is written
  int threads = 2;
  bool json = false;
  uint64_t seed = 1;
  uint32_t providers = 3;
  uint32_t auditors = 1;
  std::vector<std::string> cheats;   // "provider-3:skip"
  std::vector<std::string> crashes;  // "provider-2@round=25"
};

/// Trains the job on the market: offers, escrow, claims, audits, disputes, settlement. With an out
/// folder writes the weights, receipt.json, events.jsonl and replay.json.
Exit sim_run(const SimOptions& options);
/// Runs again what a replay.json describes and compares every event with the recorded ones. Exit
/// failed at the first that differs.
Exit sim_replay(const std::string& path, bool json);

}  // namespace lockstep::apps
