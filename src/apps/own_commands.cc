#include "apps/own_commands.h"

#include "apps/completion.h"
#include "apps/devices.h"
#include "apps/doctor.h"
#include "apps/folders.h"
#include "apps/wallet_files.h"
#include "crypto/key_text.h"
#include "device/devices.h"
#include "platform/random.h"

namespace lockstep::apps {
namespace {

void tell_wallet(const Report& report, const Wallet& wallet) {
  const std::string key = crypto::key_text(wallet.key);
  report.tell(
      text_of(
          "%-16s %s%s", wallet.name.c_str(), key.c_str(), wallet.sealed ? "" : "  (not sealed)"),
      "wallet",
      {{"name", wallet.name}, {"key", key}, {"sealed", wallet.sealed}});
}

}  // namespace

OwnCommands::OwnCommands(CLI::App& app) : app_(&app) {
  add_wallet();
  add_machine();
}

void OwnCommands::add_wallet() {
  wallet_ = app_->add_subcommand("wallet", "the owner's keys, sealed with a passphrase");
  wallet_->require_subcommand(1);
  create_ = wallet_->add_subcommand("create", "make a key");
  list_ = wallet_->add_subcommand("list", "name the wallets");
  show_ = wallet_->add_subcommand("show", "show a wallet's public key");
  passphrase_ = wallet_->add_subcommand("passphrase", "change a wallet's passphrase");
  for (CLI::App* const command : {create_, list_, show_, passphrase_}) {
    command->add_option("--wallet-dir", wallet_dir_, "folder of the wallets");
    command->add_flag("--json", json_, "one event per line");
  }
  for (CLI::App* const command : {create_, show_, passphrase_}) {
    command->add_option("name", name_, "the wallet's name")->required();
  }
  create_->add_option(
      "--passphrase-file", passphrase_file_, "its first line, where nobody can type");
}

void OwnCommands::add_machine() {
  devices_ = app_->add_subcommand("devices", "show what this machine has");
  devices_->add_flag("--json", json_, "one event per line");
  doctor_ = app_->add_subcommand("doctor", "find what is missing here, and how to get it");
  doctor_->add_option("--data", data_dir_, "folder for data, if not the usual one");
  doctor_->add_option("--wallet-dir", wallet_dir_, "folder of the wallets, if not the usual one");
  doctor_->add_flag("--json", json_, "one event per line");
  completion_ = app_->add_subcommand("completion", "print a completion script for a shell");
  completion_->add_option("shell", shell_, "which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

Exit OwnCommands::wallet() const {
  const Report report(json_);
  const auto folder = wallet_folder(environment_of_process, wallet_dir_);
  if (!folder.ok()) {
    return report.fail(folder.error());
  }
  platform::Random random;
  const WalletFiles files(*folder, random);
  if (*list_) {
    const auto wallets = files.list();
    if (!wallets.ok()) {
      return report.fail(wallets.error());
    }
    if (wallets->empty()) {
      report.aside("no wallets yet; make one: lockstep wallet create NAME",
                   "no_wallets",
                   nlohmann::json::object());
    }
    for (const Wallet& wallet : *wallets) {
      tell_wallet(report, wallet);
    }
    return Exit::ok;
  }
  TypedPassphrase typed;
  if (*passphrase_) {
    const auto changed = files.change_passphrase(name_, typed, typed);
    return changed.ok() ? Exit::ok : report.fail(changed.error());
  }
  FiledPassphrase filed(passphrase_file_);
  PassphraseSource& source =
      passphrase_file_.empty() ? static_cast<PassphraseSource&>(typed) : filed;
  const auto wallet = *create_ ? files.create(name_, source) : files.show(name_);
  if (!wallet.ok()) {
    return report.fail(wallet.error());
  }
  tell_wallet(report, *wallet);
  return Exit::ok;
}

Exit OwnCommands::devices() const {
  DevicesShown shown;
  shown.machine = device::find_devices({});
  tell_devices(shown, Report(json_));
  return Exit::ok;
}

Exit OwnCommands::complete() const {
  const auto shell = parse_shell(shell_);
  if (!shell.ok()) {
    return Report(false).fail(shell.error());
  }
  std::printf("%s", completion_script(*app_, "lockstep", *shell).c_str());
  return Exit::ok;
}

std::optional<Exit> OwnCommands::run() const {
  if (*wallet_) {
    return wallet();
  }
  if (*devices_) {
    return devices();
  }
  if (*doctor_) {
    DoctorOptions options;
    options.data_folder = data_dir_;
    options.wallet_folder = wallet_dir_;
    options.json = json_;
    return doctor(options);
  }
  if (*completion_) {
    return complete();
  }
  return std::nullopt;
}

}  // namespace lockstep::apps
