// The commands that need no network: the owner's wallets, this machine, and the command line
// itself.
#pragma once

#include <CLI/CLI.hpp>

#include "apps/report.h"

namespace lockstep::apps {

/// Adds `wallet`, `devices`, `doctor` and `completion`. After parsing, run() does what was asked.
class OwnCommands {
 public:
  explicit OwnCommands(CLI::App& app);
  /// Nothing when another command was asked for.
  [[nodiscard]] std::optional<Exit> run() const;

 private:
  void add_wallet();
  void add_machine();
  [[nodiscard]] Exit wallet() const;
  [[nodiscard]] Exit devices() const;
  [[nodiscard]] Exit complete() const;

  CLI::App* app_;
  std::string wallet_dir_;
  std::string passphrase_file_;
  std::string name_;
  std::string shell_;
  std::string data_dir_;
  bool json_ = false;
  CLI::App *wallet_ = nullptr, *create_ = nullptr, *list_ = nullptr, *show_ = nullptr,
           *passphrase_ = nullptr, *devices_ = nullptr, *doctor_ = nullptr, *completion_ = nullptr;
};

}  // namespace lockstep::apps
