#include "apps/wallet_commands.h"

#include "apps/confirm.h"
#include "apps/folders.h"
#include "apps/hints.h"
#include "apps/interrupt.h"
#include "apps/wallet_money.h"
#include "crypto/key_text.h"
#include "platform/data_dir.h"
#include "platform/random.h"

namespace lockstep::apps {
namespace {

// For what is only shown beside the keys.
constexpr uint64_t balances_ms = 3000;

}  // namespace

WalletCommands::WalletCommands(CLI::App& app) {
  wallet_ = app.add_subcommand("wallet", "owners' keys and their money");
  wallet_->require_subcommand(1);
  add_keys();
  add_money();
  for (CLI::App* const command : {create_, list_, show_, passphrase_, send_, history_}) {
    command->add_option("--wallet-dir", wallet_dir_, "folder of the wallets");
    command->add_flag("--json", json_, "one event per line");
  }
  for (CLI::App* const command : {list_, show_, send_, history_}) {
    command->add_option("--network", network_, "the network's name")->capture_default_str();
    command->add_option("--network-dir", network_dir_, "the network's folder, instead of a name");
  }
  for (CLI::App* const command : {create_, passphrase_, send_}) {
    command->add_option("--passphrase-file",
                        passphrase_file_,
                        "the passphrase is its first line, where nobody can type");
  }
}

void WalletCommands::add_keys() {
  create_ = wallet_->add_subcommand("create", "make a key, sealed with a passphrase");
  list_ =
      wallet_->add_subcommand("list", "name the wallets, with balances where the network is up");
  show_ = wallet_->add_subcommand("show", "show a wallet's public key and balance");
  passphrase_ = wallet_->add_subcommand("passphrase", "change a wallet's passphrase");
  for (CLI::App* const command : {create_, show_, passphrase_}) {
    command->add_option("name", name_, "the wallet's name")->required();
  }
}

void WalletCommands::add_money() {
  send_ = wallet_->add_subcommand("send", "send money to another owner");
  send_->add_option("--to", to_, "its key (lk1...), or its name here")->required();
  send_->add_option("--amount", amount_, "such as \"5 LKS\"")->required();
  send_->add_option("--from", from_, "whose money; on a private network yours");
  send_->add_flag("--yes", yes_, "send without asking");
  history_ = wallet_->add_subcommand("history", "list what came in and what went out");
  history_->add_option("name", name_, "the wallet's name or key; on a private network yours");
}

PassphraseSource& WalletCommands::source() const {
  if (passphrase_file_.empty()) {
    return typed_;
  }
  filed_ = FiledPassphrase(passphrase_file_);
  return filed_;
}

Result<NetworkFolder> WalletCommands::network() const {
  return NetworkFolder::open(network_dir_.empty() ? TRY(platform::default_network_folder(network_))
                                                  : network_dir_);
}

std::optional<Exit> WalletCommands::run() const {
  if (!*wallet_) {
    return std::nullopt;
  }
  const Report report(json_);
  watch_interrupts();
  const auto done = dispatch(report);
  return done.ok() ? Exit::ok : report.fail(with_hint(done.error()));
}

Result<void> WalletCommands::dispatch(const Report& report) const {
  if (*create_ || *passphrase_) {
    return change_keys(report);
  }
  const std::string folder = TRY(wallet_folder(environment_of_process, wallet_dir_));
  platform::Random random;
  const auto network = this->network();
  const bool is_there = network.ok();
  if (!is_there && (*send_ || *history_ || network.error().code != Code::no_network)) {
    return network.error();
  }
  const WalletBook book =
      TRY(WalletBook::open(folder, is_there ? &network.value() : nullptr, random));
  if (*send_) {
    return send(report, book, *network);
  }
  return *history_ ? history(report, book, *network) : show(report, book);
}

Result<void> WalletCommands::change_keys(const Report& report) const {
  const std::string folder = TRY(wallet_folder(environment_of_process, wallet_dir_));
  platform::Random random;
  const WalletFiles files(folder, random);
  if (*passphrase_) {
    // A file cannot hold the old and the new one: the new one is typed.
    return files.change_passphrase(name_, source(), typed_);
  }
  tell_wallet(report, TRY(files.create(name_, source())), nullptr);
  return {};
}

/// One wallet, or all. Without the network they are shown without balances.
Result<void> WalletCommands::show(const Report& report, const WalletBook& book) const {
  const auto network = this->network();
  std::unique_ptr<Visit> visit;
  if (network.ok()) {
    auto begun = Visit::begin(network->file().genesis, network->file().ledger, balances_ms);
    if (begun.ok()) {
      visit = std::move(begun).value();
    } else {
      report.aside("balances are not known: " + begun.error().message(),
                   "no_balances",
                   {{"what", begun.error().what}, {"next", begun.error().next}});
    }
  }
  const ledger::State* const state = visit ? &visit->state() : nullptr;
  if (*show_) {
    tell_wallet(report, TRY(book.find(name_)), state);
    return {};
  }
  if (book.all().empty()) {
    report.aside("no wallets yet; make one: lockstep wallet create NAME",
                 "no_wallets",
                 nlohmann::json::object());
  }
  for (const Wallet& wallet : book.all()) {
    tell_wallet(report, wallet, state);
  }
  return {};
}

Result<void> WalletCommands::send(const Report& report,
                                  const WalletBook& book,
                                  const NetworkFolder& network) const {
  const Amount amount = TRY(parse_payment(amount_));
  const Wallet from = from_.empty() ? TRY(book.usual()) : TRY(book.find(from_));
  const Payment payment{from, TRY(book.key_of(to_)), amount};
  if (payment.to == from.key) {
    return refuse(Code::bad_option, "sender and receiver are the same owner", "name another", to_);
  }
  const std::string to = book.name_of(payment.to);
  const std::string what = "send " + amount.print() + " from " + from.name + " to " + to +
                           (to == to_ ? "" : " (" + to_ + ")");
  TRY(check_can_agree(yes_, what));
  auto visit = TRY(Visit::begin(network.file().genesis, network.file().ledger));
  TRY(check_funds(visit->state(), payment));
  TRY(agree(yes_, what));
  const crypto::SecretKey key = TRY(book.unlock(from, source()));
  (void)TRY(visit->submit(key, model::Transfer{payment.to, amount}));
  const Amount left = visit->state().accounts.at(from.key).balance;
  const uint64_t height = visit->state().totals.height;
  report.tell("sent " + amount.print() + " from " + from.name + " to " + to + " in block " +
                  std::to_string(height) + "; left: " + left.print(),
              "sent",
              {{"amount", amount.print()},
               {"from", from.name},
               {"to", to},
               {"to_key", crypto::key_text(payment.to)},
               {"block", height},
               {"balance", left.print()}});
  return {};
}

Result<void> WalletCommands::history(const Report& report,
                                     const WalletBook& book,
                                     const NetworkFolder& network) const {
  const crypto::PublicKey owner = name_.empty() ? TRY(book.usual()).key : TRY(book.key_of(name_));
  const auto& file = network.file();
  const auto visit =
      TRY(Visit::begin(file.genesis, file.ledger, Visit::patience_ms, Visit::Blocks::kept));
  for (const MoneyEntry& entry : TRY(history_of(owner, file.genesis, visit->blocks()))) {
    tell_entry(report, entry, book);
  }
  const auto found = visit->state().accounts.find(owner);
  const ledger::Account account =
      found == visit->state().accounts.end() ? ledger::Account() : found->second;
  report.tell("balance " + account.balance.print() + ", stake " + account.stake.print() +
                  " (of it locked: " + account.locked.print() + ")",
              "balance",
              {{"name", book.name_of(owner)},
               {"key", crypto::key_text(owner)},
               {"balance", account.balance.print()},
               {"stake", account.stake.print()},
               {"locked", account.locked.print()}});
  return {};
}

}  // namespace lockstep::apps
