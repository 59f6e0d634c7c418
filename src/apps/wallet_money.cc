#include "apps/wallet_money.h"

#include <ctime>

#include "chain/blocks.h"
#include "crypto/key_text.h"

namespace lockstep::apps {
namespace {

/// "2027-01-15 07:00:00Z".
std::string time_text(uint64_t time_ms) {
  const auto seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm parts{};
  if (time_ms == 0 || ::gmtime_r(&seconds, &parts) == nullptr) {
    return "-";
  }
  char text[32];
  (void)std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts);
  return text;
}

std::string signed_text(Amount amount) {
  return (amount > Amount() ? "+" : "") + amount.print();
}

std::string name_in(const WalletBook& book, const std::optional<crypto::PublicKey>& key) {
  return key ? book.name_of(*key) : std::string();
}

}  // namespace

void tell_wallet(const Report& report, const Wallet& wallet, const ledger::State* state) {
  const std::string key = crypto::key_text(wallet.key);
  nlohmann::json event = {
      {"name", wallet.name}, {"key", key}, {"sealed", wallet.sealed}, {"path", wallet.path}};
  std::string text = text_of(
      "%-16s %s%s", wallet.name.c_str(), key.c_str(), wallet.sealed ? "" : "  (not sealed)");
  if (state != nullptr) {
    const auto found = state->accounts.find(wallet.key);
    const ledger::Account account =
        found == state->accounts.end() ? ledger::Account() : found->second;
    event["balance"] = account.balance.print();
    event["stake"] = account.stake.print();
    event["locked"] = account.locked.print();
    text += "  " + account.balance.print();
    if (account.stake > Amount()) {
      text += ", stake " + account.stake.print();
    }
  }
  report.tell(text, "wallet", std::move(event));
}

Result<Amount> parse_payment(const std::string& text) {
  const auto amount = Amount::parse(text);
  if (!amount.ok() || *amount <= Amount()) {
    return refuse(Code::bad_option,
                  amount.ok() ? "nothing can be sent but more than 0 LKS" : "this is no amount",
                  "write it as \"5 LKS\" or \"0.25 LKS\", at most nine decimals",
                  "--amount " + text);
  }
  return *amount;
}

Result<void> check_funds(const ledger::State& state, const Payment& payment) {
  const auto found = state.accounts.find(payment.from.key);
  const Amount balance = found == state.accounts.end() ? Amount() : found->second.balance;
  if (balance >= payment.amount) {
    return {};
  }
  return refuse(Code::low_funds,
                payment.from.name + " has " + balance.print() + ", which is less than " +
                    payment.amount.print(),
                "send less, or from another wallet: lockstep wallet list",
                payment.from.name);
}

Result<std::vector<MoneyEntry>> history_of(const crypto::PublicKey& owner,
                                           const model::Genesis& genesis,
                                           const std::vector<model::Block>& blocks) {
  auto follower = TRY(chain::Follower::create(genesis));
  MoneyHistory history(owner, follower.ledger().state());
  for (const model::Block& block : blocks) {
    const auto events = TRY(follower.follow(block));
    history.on_block(block, events, follower.ledger().state());
  }
  return history.entries();
}

void tell_entry(const Report& report, const MoneyEntry& entry, const WalletBook& book) {
  const std::string counterpart = name_in(book, entry.counterpart);
  std::string about = entry.counterpart ? "  " + counterpart : "";
  about += entry.job.empty() ? "" : "  job " + entry.job;
  const std::string stake = entry.stake == Amount() ? "" : "  stake " + signed_text(entry.stake);
  const std::string balance =
      entry.balance == Amount() && !stake.empty() ? "0 LKS" : signed_text(entry.balance);
  report.tell(text_of("%7llu  %-20s  %-8s  %22s",
                      static_cast<unsigned long long>(entry.block),
                      time_text(entry.time_ms).c_str(),
                      name_of(entry.kind),
                      balance.c_str()) +
                  stake + about,
              "money",
              {{"block", entry.block},
               {"time_ms", entry.time_ms},
               {"kind", name_of(entry.kind)},
               {"amount", entry.balance.print()},
               {"stake", entry.stake.print()},
               {"counterpart", counterpart},
               {"counterpart_key",
                entry.counterpart ? crypto::key_text(*entry.counterpart) : std::string()},
               {"job", entry.job}});
}

}  // namespace lockstep::apps
