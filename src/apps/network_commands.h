// The commands that deal with a network of processes, as the command line has them.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/node_process.h"
#include "apps/provide.h"
#include "apps/run.h"
#include "apps/up.h"

namespace lockstep::apps {

/// Adds `up`, `down`, `provide`, `run`, `jobs`, `logs`, `cancel` and the hidden `node`. After
/// parsing, run() does what was asked.
class NetworkCommands {
 public:
  explicit NetworkCommands(CLI::App& app);
  /// Nothing when another command was asked for.
  [[nodiscard]] std::optional<Exit> run();

 private:
  void add_up(CLI::App& app);
  void add_run(CLI::App& app);
  void add_jobs(CLI::App& app);
  void add_node(CLI::App& app);
  void add_provide(CLI::App& app);
  void add_network(CLI::App& command);
  [[nodiscard]] Result<std::string> folder() const;
  [[nodiscard]] Exit dispatch(const std::string& folder);
  [[nodiscard]] Exit logs(const std::string& folder) const;

  std::string network_ = "default";  // its name
  std::string folder_;               // its folder, instead
  std::string job_;
  std::string attach_;
  std::string log_node_;  // whose log is shown
  bool json_ = false;
  UpOptions up_options_;
  RunOptions run_options_;
  NodeOptions node_options_;
  ProvideOptions provide_options_;
  CLI::App *up_ = nullptr, *down_ = nullptr, *run_ = nullptr, *jobs_ = nullptr, *logs_ = nullptr,
           *cancel_ = nullptr, *node_ = nullptr, *provide_ = nullptr;
};

}  // namespace lockstep::apps
