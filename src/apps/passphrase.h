// Where passphrases come from: typed at the terminal, or a file. Never a flag or the environment,
// which other programs can see.
#pragma once

#include <string>

#include "crypto/secret.h"

namespace lockstep::apps {

class PassphraseSource {
 public:
  virtual ~PassphraseSource() = default;
  /// Errors: cancelled, and those of where it comes from.
  virtual Result<crypto::SecretText> ask(const std::string& prompt) = 0;
  /// Whether a person types, who should type a new passphrase twice.
  [[nodiscard]] virtual bool is_person() const = 0;
};

class TypedPassphrase final : public PassphraseSource {
 public:
  Result<crypto::SecretText> ask(const std::string& prompt) override;
  [[nodiscard]] bool is_person() const override { return true; }
};

/// The first line of a file (--passphrase-file) that only we may read, or of a pipe.
class FiledPassphrase final : public PassphraseSource {
 public:
  explicit FiledPassphrase(std::string path) : path_(std::move(path)) {}
  Result<crypto::SecretText> ask(const std::string& prompt) override;
  [[nodiscard]] bool is_person() const override { return false; }

 private:
  std::string path_;
};

inline constexpr size_t passphrase_bytes_min = 8;
/// One that is long enough, typed twice by a person. Errors: bad_option, and those of ask().
[[nodiscard]] Result<crypto::SecretText> new_passphrase(PassphraseSource& source,
                                                        const std::string& name);

}  // namespace lockstep::apps
