// `lockstep sim run` and `lockstep validate`: a job file through the planner's tasks on this
// machine.
#pragma once

#include <string>

#include "apps/report.h"

namespace lockstep::apps {

struct RunOptions {
  std::string job_path;
  std::string out_folder;  // none: nothing is written
  int threads = 2;
  bool json = false;
};

/// Prepares, plans and runs every task with one local executor; no money moves.
Exit run_job(const RunOptions& options);
/// Reads the job file and says what it asks for; runs nothing.
Exit validate_job(const RunOptions& options);

}  // namespace lockstep::apps
