// The commands about what is here: the owner's wallets, this machine, and the command line itself.
#pragma once

#include <CLI/CLI.hpp>

#include "apps/report.h"
#include "apps/wallet_commands.h"

namespace lockstep::apps {

/// Adds `wallet`, `devices`, `doctor` and `completion`. After parsing, run() does what was asked.
class OwnCommands {
 public:
  explicit OwnCommands(CLI::App& app);
  /// Nothing when another command was asked for.
  [[nodiscard]] std::optional<Exit> run() const;

 private:
  void add_machine();
  [[nodiscard]] Exit devices() const;
  [[nodiscard]] Exit complete() const;

  CLI::App* app_;
  WalletCommands wallet_;
  std::string wallet_dir_;
  std::string network_dir_;
  std::string shell_;
  std::string data_dir_;
  std::string provider_dir_;
  bool json_ = false;
  CLI::App *devices_ = nullptr, *doctor_ = nullptr, *completion_ = nullptr;
};

}  // namespace lockstep::apps
