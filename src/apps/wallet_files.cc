#include "apps/wallet_files.h"

#include <algorithm>

#include "platform/private_files.h"
#include "spec/suggest.h"

namespace lockstep::apps {
namespace {

using platform::Existing;

constexpr std::string_view ending = ".key";

/// Names the file in an error that does not know it.
Error named(Error error, const std::string& path) {
  if (error.where.empty()) {
    error.where = path;
  }
  return error;
}

template <class T>
Result<T> named(Result<T> result, const std::string& path) {
  return result.ok() ? std::move(result) : Result<T>(named(result.error(), path));
}

bool is_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 64 && name[0] != '-' && std::ranges::all_of(name, fits);
}

Result<crypto::Seed> new_seed(env::Random& random) {
  crypto::Seed seed;
  TRY(random.fill(seed.bytes()));
  return seed;
}

Result<Wallet> wallet_of(const std::string& name, const std::string& path) {
  const Bytes file = TRY(platform::read_private_file(path, crypto::key_file_bytes_max));
  const crypto::KeyFile about = TRY(named(crypto::read_key_file(file), path));
  return Wallet{name, path, about.key, about.sealed};
}

}  // namespace

Result<std::string> WalletFiles::path_of(const std::string& name) const {
  if (!is_name(name)) {
    return refuse(Code::bad_option,
                  "a wallet cannot have this name",
                  "use a-z, 0-9, - and _, at most 64",
                  name);
  }
  return folder_ + "/" + name + std::string(ending);
}

Result<crypto::KeyRandom> WalletFiles::draw() const {
  crypto::KeyRandom random;
  TRY(random_.fill(random.salt));
  TRY(random_.fill(random.nonce));
  return random;
}

Result<Wallet> WalletFiles::create(const std::string& name, PassphraseSource& source) const {
  const std::string path = TRY(path_of(name));
  TRY(platform::make_private_folder(folder_));
  if (platform::read_private_file(path, crypto::key_file_bytes_max).ok()) {
    // Before anybody types a passphrase for nothing; the write below is what makes it sure.
    return refuse(
        Code::already_there, "there is a wallet of this name", "choose another name", path);
  }
  const crypto::SecretText passphrase = TRY(new_passphrase(source, name));
  const crypto::Seed seed = TRY(new_seed(random_));
  const Bytes file = TRY(crypto::sealed_key_file(seed, passphrase.text(), cost_, TRY(draw())));
  TRY(platform::write_private_file(path, file, Existing::refused));
  return wallet_of(name, path);
}

Result<std::vector<Wallet>> WalletFiles::list() const {
  std::vector<Wallet> wallets;
  const auto folder = platform::check_private_folder(folder_);
  if (!folder.ok()) {
    if (folder.error().code == Code::bad_folder) {
      return wallets;
    }
    return folder.error();
  }
  const auto names = TRY(platform::files_in(folder_, std::string(ending)));
  wallets.reserve(names.size());
  for (const std::string& file : names) {
    const std::string name = file.substr(0, file.size() - ending.size());
    if (is_name(name)) {
      wallets.push_back(TRY(show(name)));
    }
  }
  return wallets;
}

Result<Bytes> WalletFiles::file_of(const std::string& name) const {
  const std::string path = TRY(path_of(name));
  const auto folder = platform::check_private_folder(folder_);
  if (!folder.ok() && folder.error().code != Code::bad_folder) {
    return folder.error();
  }
  auto file = platform::read_private_file(path, crypto::key_file_bytes_max);
  if (file.ok() || file.error().code != Code::file_not_found) {
    return file;
  }
  const auto names = platform::files_in(folder_, std::string(ending));
  if (!names.ok() || names->empty()) {
    return refuse(Code::file_not_found,
                  "there is no wallet yet",
                  "make one: lockstep wallet create " + name,
                  folder_);
  }
  std::vector<std::string_view> known;
  known.reserve(names->size());
  for (const std::string& other : *names) {
    known.push_back(std::string_view(other).substr(0, other.size() - ending.size()));
  }
  return refuse(
      Code::file_not_found, "there is no wallet of this name", spec::advice(name, known), name);
}

Result<Wallet> WalletFiles::show(const std::string& name) const {
  const Bytes file = TRY(file_of(name));
  const std::string path = TRY(path_of(name));
  const crypto::KeyFile about = TRY(named(crypto::read_key_file(file), path));
  return Wallet{name, path, about.key, about.sealed};
}

Result<crypto::SecretKey> WalletFiles::unlock(const std::string& name,
                                              PassphraseSource& source) const {
  Bytes file = TRY(file_of(name));
  const std::string path = TRY(path_of(name));
  const crypto::KeyFile about = TRY(named(crypto::read_key_file(file), path));
  auto key = [&]() -> Result<crypto::SecretKey> {
    if (!about.sealed) {
      return crypto::unlock_key_file(file, {});
    }
    const crypto::SecretText passphrase = TRY(source.ask("Passphrase for " + name + ": "));
    return crypto::unlock_key_file(file, passphrase.text());
  }();
  crypto::wipe(file);
  return named(std::move(key), path);
}

Result<void> WalletFiles::change_passphrase(const std::string& name,
                                            PassphraseSource& old_source,
                                            PassphraseSource& new_source) const {
  const Bytes file = TRY(file_of(name));
  const std::string path = TRY(path_of(name));
  const crypto::SecretText passphrase = TRY(old_source.ask("Passphrase for " + name + ": "));
  // Checked before the new one is asked for.
  TRY(named(crypto::unlock_key_file(file, passphrase.text()), path));
  const crypto::SecretText wanted = TRY(new_passphrase(new_source, name));
  const Bytes sealed =
      TRY(crypto::resealed_key_file(file, passphrase.text(), wanted.text(), cost_, TRY(draw())));
  return platform::write_private_file(path, sealed, Existing::replaced);
}

Result<void> WalletFiles::export_to(const std::string& name, const std::string& path) const {
  Bytes file = TRY(file_of(name));
  if (!TRY(crypto::read_key_file(file)).sealed) {
    crypto::wipe(file);
    return refuse(Code::not_permitted,
                  "this key has no passphrase, and does not leave its folder",
                  "give it one: lockstep wallet passphrase " + name,
                  name);
  }
  return platform::write_private_file(path, file, Existing::refused);
}

Result<Wallet> WalletFiles::import_from(const std::string& path,
                                        const std::string& name,
                                        PassphraseSource& source) const {
  const std::string target = TRY(path_of(name));
  Bytes file = TRY(platform::read_private_file(path, crypto::key_file_bytes_max));
  const crypto::KeyFile about = TRY(named(crypto::read_key_file(file), path));
  TRY(platform::make_private_folder(folder_));
  if (!about.sealed) {
    const crypto::SecretText passphrase = TRY(new_passphrase(source, name));
    Bytes sealed = TRY(crypto::resealed_key_file(file, {}, passphrase.text(), cost_, TRY(draw())));
    crypto::wipe(file);
    file = std::move(sealed);
  }
  TRY(platform::write_private_file(target, file, Existing::refused));
  return wallet_of(name, target);
}

Result<crypto::SecretKey> create_plain_key(const std::string& path, env::Random& random) {
  const size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    TRY(platform::make_private_folder(path.substr(0, slash)));
  }
  const crypto::Seed seed = TRY(new_seed(random));
  Bytes file = crypto::plain_key_file(seed);
  const auto written = platform::write_private_file(path, file, Existing::refused);
  auto key = crypto::unlock_key_file(file, {});
  crypto::wipe(file);
  TRY(written);
  return key;
}

Result<crypto::SecretKey> load_plain_key(const std::string& path) {
  Bytes file = TRY(platform::read_private_file(path, crypto::key_file_bytes_max));
  const crypto::KeyFile about = TRY(named(crypto::read_key_file(file), path));
  if (about.sealed) {
    return refuse(Code::bad_key_file,
                  "this key has a passphrase, which a node that starts by itself cannot type",
                  "use a key of the node's own",
                  path);
  }
  auto key = named(crypto::unlock_key_file(file, {}), path);
  crypto::wipe(file);
  return key;
}

}  // namespace lockstep::apps
