// Whose money can be named here: the wallets of this user and the owners of a network on this
// computer, by name or by key.
#pragma once

#include <optional>

#include "apps/network_folder.h"
#include "apps/wallet_files.h"

namespace lockstep::apps {

class WalletBook {
 public:
  /// Borrows `random`. `network` may be null. Errors: those of WalletFiles::list().
  static Result<WalletBook> open(const std::string& wallet_folder,
                                 const NetworkFolder* network,
                                 env::Random& random,
                                 crypto::KeyCost cost = {});
  /// This user's wallets, then the network's owners, each in order of names.
  [[nodiscard]] const std::vector<Wallet>& all() const { return all_; }
  /// By name, or by its key's text. Errors: not_registered with those that there are; bad_option
  /// when two have the name.
  [[nodiscard]] Result<Wallet> find(const std::string& name) const;
  /// Whose money moves when nobody says: the network's "you", or the only wallet. Errors:
  /// bad_option.
  [[nodiscard]] Result<Wallet> usual() const;
  /// The key of a name, or the key that the text is. Errors: those of find(); bad_address.
  [[nodiscard]] Result<crypto::PublicKey> key_of(const std::string& text) const;
  /// The name, or the key's text.
  [[nodiscard]] std::string name_of(const crypto::PublicKey& key) const;
  /// Errors: those of WalletFiles::unlock().
  Result<crypto::SecretKey> unlock(const Wallet& wallet, PassphraseSource& source) const;

 private:
  WalletBook(std::string folder, std::string network, env::Random& random, crypto::KeyCost cost)
      : folder_(std::move(folder)), network_(std::move(network)), random_(&random), cost_(cost) {}
  std::string folder_;
  std::string network_;  // folder of its owners' keys; empty: none
  env::Random* random_;
  crypto::KeyCost cost_;
  std::vector<Wallet> all_;
};

}  // namespace lockstep::apps
