// `lockstep node FOLDER`: one node in a process of its own, with nothing but its folder.
#pragma once

#include <string>

#include "apps/report.h"

namespace lockstep::apps {

struct NodeOptions {
  std::string folder;
  std::string kill_at;     // "NAME:N": dies at this kill point; for tests
  std::string kill_trace;  // file that gets the names of all kill points as they are reached
  bool record = false;     // writes down all it does, in this life and those that follow
  bool metrics = false;    // answers GET /metrics on a loopback port
  std::string log_level = "info";
};

/// Until SIGTERM, or, for a requester, until its job is over. What it has to say goes to standard
/// output and error, which whoever started it has pointed at a log.
Exit run_node(const NodeOptions& options);

/// In a node's folder.
inline constexpr const char* node_file_name = "node.json";
inline constexpr const char* ready_file_name = "ready.json";  // where it listens, once it does
inline constexpr const char* over_file_name = "over.json";    // how a requester's job ended
inline constexpr const char* key_file_name = "node.key";      // under keys/

}  // namespace lockstep::apps
