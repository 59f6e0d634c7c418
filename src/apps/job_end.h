// What is told and written before and after a job: its plan, its results, its receipt.
#pragma once

#include "apps/teller.h"
#include "env/files.h"
#include "formats/onnx.h"
#include "node/receipt.h"
#include "plan/planner.h"

namespace lockstep::apps {

/// What the engine needs for the largest task, in bytes. Errors: those of reading a program.
[[nodiscard]] Result<uint64_t> memory_of(const model::Job& job);

/// One line: tasks, rounds, units. Returns the job's operations. Errors: those of the planner.
Result<uint64_t> tell_plan(const Report& report, const model::Job& job);

/// Where a job's results go, and from where they come.
struct JobEnd {
  const Report& report;
  const model::Job& job;
  const formats::Model& model;  // the one that was trained, for the layout of its weights
  store::Blobs& blobs;
  env::Files& files;
  std::string out_folder;  // none: nothing is written
};
/// The table of results, accuracy, weights and model root. Errors: those of the store and of files.
Result<void> tell_results(const JobEnd& end, const node::JobFinished& finished);
/// receipt.json. Errors: bad_plan, bad_receipt, those of files.
Result<void> write_receipt(const JobEnd& end,
                           const model::Genesis& genesis,
                           const std::vector<model::Block>& blocks,
                           const ledger::State& state,
                           const node::Requester& requester);

}  // namespace lockstep::apps
