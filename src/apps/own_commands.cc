#include "apps/own_commands.h"

#include "apps/completion.h"
#include "apps/doctor.h"
#include "apps/provide.h"

namespace lockstep::apps {

OwnCommands::OwnCommands(CLI::App& app) : app_(&app), wallet_(app) {
  add_machine();
}

void OwnCommands::add_machine() {
  devices_ = app_->add_subcommand("devices", "show what this machine has");
  devices_->add_option("--dir", provider_dir_, "the provider's folder, if not the usual one");
  devices_->add_flag("--json", json_, "one event per line");
  doctor_ = app_->add_subcommand("doctor", "find what is missing here, and how to get it");
  doctor_->add_option("--data", data_dir_, "folder for data, if not the usual one");
  doctor_->add_option("--wallet-dir", wallet_dir_, "folder of the wallets, if not the usual one");
  doctor_->add_option("--network-dir", network_dir_, "folder of a network, if not the usual one");
  doctor_->add_flag("--json", json_, "one event per line");
  completion_ = app_->add_subcommand("completion", "print a completion script for a shell");
  completion_->add_option("shell", shell_, "which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

Exit OwnCommands::devices() const {
  return show_devices(provider_dir_, json_);
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
  if (const auto exit = wallet_.run()) {
    return exit;
  }
  if (*devices_) {
    return devices();
  }
  if (*doctor_) {
    DoctorOptions options;
    options.data_folder = data_dir_;
    options.wallet_folder = wallet_dir_;
    options.network_folder = network_dir_;
    options.json = json_;
    return doctor(options);
  }
  if (*completion_) {
    return complete();
  }
  return std::nullopt;
}

}  // namespace lockstep::apps
