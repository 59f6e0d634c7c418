// A job's requester as a process: the job in its folder, what happens in events.jsonl, what the
// owner must sign in ask.json, the results under outputs/, and over.json when all is done.
#pragma once

#include "apps/node_machine.h"

namespace lockstep::apps {

// In the folder of a job.
inline constexpr const char* job_file_name = "job.bin";       // model::Job, canonical bytes
inline constexpr const char* model_file_name = "model.onnx";  // as the job names it
inline constexpr const char* events_file_name = "events.jsonl";
inline constexpr const char* ask_file_name = "ask.json";        // by the process
inline constexpr const char* signed_file_name = "signed.json";  // by whoever has the owner's key

/// Until the job is over, or SIGTERM. Errors: those of reading the folder and of the node.
Result<void> run_requester(NodeMachine& machine);

}  // namespace lockstep::apps
