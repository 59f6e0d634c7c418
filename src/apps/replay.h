// `lockstep sim replay --recorded FOLDER`: a real network's nodes, replayed from their records.
#pragma once

#include <string>

#include "apps/report.h"

namespace lockstep::apps {

/// Of a network folder whose processes are stopped: every recorded member and job is fed its
/// recorded inputs again, and the ledger's blocks and state root are compared with the real ones.
/// Changes nothing. Exit verification_failed when anything differs, and each node's first
/// difference is told; locked while a process of the network runs.
Exit replay_recorded(const std::string& network_folder, bool json);

}  // namespace lockstep::apps
