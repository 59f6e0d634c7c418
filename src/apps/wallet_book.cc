#include "apps/wallet_book.h"

#include <algorithm>

#include "crypto/key_text.h"
#include "spec/suggest.h"

namespace lockstep::apps {
namespace {

constexpr const char* usual_name = "you";
constexpr std::string_view key_head = "lk1";

}  // namespace

Result<WalletBook> WalletBook::open(const std::string& wallet_folder,
                                    const NetworkFolder* network,
                                    env::Random& random,
                                    crypto::KeyCost cost) {
  const std::string owners = network == nullptr ? "" : network->path() + "/wallets";
  WalletBook book(wallet_folder, owners, random, cost);
  book.all_ = TRY(WalletFiles(wallet_folder, random, cost).list());
  if (!owners.empty()) {
    auto more = TRY(WalletFiles(owners, random, cost).list());
    std::move(more.begin(), more.end(), std::back_inserter(book.all_));
  }
  return book;
}

Result<Wallet> WalletBook::find(const std::string& name) const {
  std::vector<const Wallet*> found;
  std::vector<std::string_view> known;
  for (const Wallet& wallet : all_) {
    known.push_back(wallet.name);
    if (wallet.name == name || crypto::key_text(wallet.key) == name) {
      found.push_back(&wallet);
    }
  }
  const bool same = std::all_of(found.begin(), found.end(), [&](const Wallet* wallet) {
    return wallet->key == found.front()->key;
  });
  if (!found.empty() && same) {
    return *found.front();
  }
  if (!found.empty()) {
    return refuse(Code::bad_option,
                  "two wallets have this name",
                  "name the one you mean by its key: " + crypto::key_text(found[0]->key) + " (" +
                      found[0]->path + ") or " + crypto::key_text(found[1]->key) + " (" +
                      found[1]->path + ")",
                  name);
  }
  return refuse(Code::not_registered,
                known.empty() ? "there is no wallet yet" : "there is no wallet of this name",
                known.empty() ? "make one: lockstep wallet create " + name
                              : spec::advice(name, known) + " (see them: lockstep wallet list)",
                name);
}

Result<Wallet> WalletBook::usual() const {
  const auto is_usual = [&](const Wallet& wallet) {
    return wallet.name == usual_name && !network_.empty() && wallet.path.starts_with(network_);
  };
  const auto you = std::find_if(all_.begin(), all_.end(), is_usual);
  if (you != all_.end()) {
    return *you;
  }
  if (all_.size() == 1) {
    return all_.front();
  }
  return refuse(Code::bad_option,
                all_.empty() ? "there is no wallet yet" : "it is not clear whose wallet is meant",
                all_.empty() ? "make one: lockstep wallet create NAME"
                             : "name it (see them: lockstep wallet list)",
                "wallet");
}

Result<crypto::PublicKey> WalletBook::key_of(const std::string& text) const {
  if (text.starts_with(key_head)) {
    return crypto::parse_key(text);
  }
  return TRY(find(text)).key;
}

std::string WalletBook::name_of(const crypto::PublicKey& key) const {
  const auto has_key = [&](const Wallet& wallet) { return wallet.key == key; };
  const auto found = std::find_if(all_.begin(), all_.end(), has_key);
  return found == all_.end() ? crypto::key_text(key) : found->name;
}

Result<crypto::SecretKey> WalletBook::unlock(const Wallet& wallet, PassphraseSource& source) const {
  const bool of_network = !network_.empty() && wallet.path.starts_with(network_ + "/");
  return WalletFiles(of_network ? network_ : folder_, *random_, cost_).unlock(wallet.name, source);
}

}  // namespace lockstep::apps
