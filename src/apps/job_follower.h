// Follows what a requester's process writes: prints it, signs for the owner, and in a
// demonstration lets a machine die.
#pragma once

#include <functional>

#include "apps/network_folder.h"
#include "apps/report.h"
#include "model/transaction.h"

namespace lockstep::apps {

class JobFollower {
 public:
  struct Setup {
    const NetworkFolder& network;
    std::string job;  // its name
    bool json = false;
    bool dry_run = false;
    std::string out_folder;  // none: results stay where they are
    /// Whether to sign: shows what it costs and asks. Errors: cancelled, low_funds.
    std::function<Result<model::Signed>(const model::Transaction&, uint64_t nonce)> sign;
  };
  explicit JobFollower(Setup setup);
  /// Until the job is over, or `stop` says so (then Exit::interrupted). Starts the process again
  /// where it dies.
  Exit follow(const std::function<bool()>& stop);

 private:
  Result<void> step();
  Result<void> read_events();
  void show(const std::string& line);
  Result<void> answer();
  [[nodiscard]] Error refused(const Error& why) const;
  void tell_detached() const;
  Result<void> misfortune(const nlohmann::json& event);
  Result<Exit> finish();
  Result<void> copy_results() const;

  Setup setup_;
  std::string folder_;
  Report report_;
  size_t read_ = 0;  // bytes of the record of events
  std::string rest_;
  nlohmann::json answered_;  // the question that was signed last
  bool killed_ = false;
};

}  // namespace lockstep::apps
