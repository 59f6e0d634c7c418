// Wallets: a folder (0700) of sealed key files (0600), NAME.key, one a key; and the plain key files
// of the nodes of private networks.
#pragma once

#include <string>
#include <vector>

#include "apps/passphrase.h"
#include "crypto/key_file.h"
#include "env/random.h"

namespace lockstep::apps {

/// What anybody may know of a wallet.
struct Wallet {
  std::string name;
  std::string path;
  crypto::PublicKey key;
  bool sealed = true;
};

class WalletFiles {
 public:
  /// Nothing is made before the first key. `cost` is that of what is sealed from now on.
  WalletFiles(std::string folder, env::Random& random, crypto::KeyCost cost = {})
      : folder_(std::move(folder)), random_(random), cost_(cost) {}

  /// A new key. Errors: bad_option (the name; passphrases too short or different), already_there,
  /// not_permitted, io_failed, disk_full, cancelled.
  Result<Wallet> create(const std::string& name, PassphraseSource& source) const;
  /// In order of names; none when there is no folder. Errors: not_permitted, bad_key_file.
  [[nodiscard]] Result<std::vector<Wallet>> list() const;
  /// Errors: file_not_found with the wallets that there are, not_permitted, bad_key_file.
  [[nodiscard]] Result<Wallet> show(const std::string& name) const;
  /// Errors: those of show(), bad_key_file for a wrong passphrase.
  Result<crypto::SecretKey> unlock(const std::string& name, PassphraseSource& source) const;
  /// Errors: those of unlock() and create().
  Result<void> change_passphrase(const std::string& name,
                                 PassphraseSource& old_source,
                                 PassphraseSource& new_source) const;
  /// The sealed file as it is. Errors: those of show(), already_there; not_permitted for one that
  /// is not sealed.
  Result<void> export_to(const std::string& name, const std::string& path) const;
  /// Takes a key file in; one that is not sealed is sealed with a new passphrase. Errors: those of
  /// create(), file_not_found, bad_key_file.
  Result<Wallet> import_from(const std::string& path,
                             const std::string& name,
                             PassphraseSource& source) const;

 private:
  [[nodiscard]] Result<std::string> path_of(const std::string& name) const;
  [[nodiscard]] Result<Bytes> file_of(const std::string& name) const;
  [[nodiscard]] Result<crypto::KeyRandom> draw() const;

  std::string folder_;
  env::Random& random_;
  crypto::KeyCost cost_;
};

/// A node's key, not sealed: who can read its folder has it. The folder is made. Errors:
/// already_there, not_permitted, io_failed, disk_full.
[[nodiscard]] Result<crypto::SecretKey> create_plain_key(const std::string& path,
                                                         env::Random& random);
/// Errors: file_not_found, not_permitted, bad_key_file (also for a sealed one).
[[nodiscard]] Result<crypto::SecretKey> load_plain_key(const std::string& path);

}  // namespace lockstep::apps
