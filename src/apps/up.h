// `lockstep up` and `lockstep down`: a private network on this computer, one process a member.
#pragma once

#include <string>

#include "apps/report.h"

namespace lockstep::apps {

struct UpOptions {
  std::string folder;  // of the network
  uint32_t providers = 3;
  uint32_t auditors = 1;
  std::string listen = "127.0.0.1:0";  // of the ledger; port 0 is any that is free
  bool demo = false;                   // one provider lies, one is killed in the middle of a job
  bool honest = false;                 // of a demo: nobody lies and nobody is killed
  bool record = false;                 // nodes that are started write down all they do
  bool json = false;
  bool metrics = false;  // of whoever is started
  std::string log_level = "info";
};

/// Makes the network where there is none, and starts whoever does not run.
Exit up(const UpOptions& options);
/// Stops every process of the network, jobs too; nothing is lost.
Exit down(const std::string& folder, bool json);

}  // namespace lockstep::apps
