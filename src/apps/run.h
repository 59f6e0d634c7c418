// `lockstep run`, `jobs`, `logs` and `cancel`: jobs on a network of this computer.
#pragma once

#include <string>

#include "apps/report.h"

namespace lockstep::apps {

struct RunOptions {
  std::string network;  // its folder
  std::string job_path;
  std::string out_folder;  // results are copied there; none: they stay in the job's folder
  int threads = 1;         // of the requester's own engine, for audits
  bool yes = false;        // spend without asking
  bool dry_run = false;    // offers and price, and nothing else
  bool record = false;     // the requester writes down all it does
  bool json = false;
};

/// Prepares the job, starts its requester and follows it to its end. A first Ctrl-C leaves the job
/// running and says how to come back.
Exit run_job(const RunOptions& options);
/// Follows a job that was started before.
Exit attach_job(const RunOptions& options, const std::string& name);
/// One line a job.
Exit list_jobs(const std::string& network, bool json);
/// What a job has told so far.
Exit show_log(const std::string& network, const std::string& job, bool json);
/// Closes the job: what was done is paid, the rest of the escrow comes back.
Exit cancel_job(const std::string& network, const std::string& job, bool json);

}  // namespace lockstep::apps
