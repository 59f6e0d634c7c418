// `lockstep wallet`: this user's keys, and the money of owners on a network of this computer.
#pragma once

#include <CLI/CLI.hpp>

#include "apps/network_folder.h"
#include "apps/passphrase.h"
#include "apps/report.h"

namespace lockstep::apps {

class WalletBook;

class WalletCommands {
 public:
  explicit WalletCommands(CLI::App& app);
  /// Nothing when another command was asked for.
  [[nodiscard]] std::optional<Exit> run() const;

 private:
  void add_keys();
  void add_money();
  [[nodiscard]] Result<void> dispatch(const Report& report) const;
  [[nodiscard]] Result<void> change_keys(const Report& report) const;
  [[nodiscard]] Result<void> show(const Report& report, const WalletBook& book) const;
  [[nodiscard]] Result<void> send(const Report& report,
                                  const WalletBook& book,
                                  const NetworkFolder& network) const;
  [[nodiscard]] Result<void> history(const Report& report,
                                     const WalletBook& book,
                                     const NetworkFolder& network) const;
  [[nodiscard]] PassphraseSource& source() const;
  [[nodiscard]] Result<NetworkFolder> network() const;

  mutable TypedPassphrase typed_;
  mutable FiledPassphrase filed_{""};
  std::string wallet_dir_;
  std::string passphrase_file_;
  std::string name_;
  std::string to_, from_, amount_;
  std::string network_ = "default";
  std::string network_dir_;
  bool yes_ = false;
  bool json_ = false;
  CLI::App *wallet_ = nullptr, *create_ = nullptr, *list_ = nullptr, *show_ = nullptr,
           *passphrase_ = nullptr, *send_ = nullptr, *history_ = nullptr;
};

}  // namespace lockstep::apps
