#include "apps/passphrase.h"

#include "platform/private_files.h"
#include "platform/terminal.h"

namespace lockstep::apps {

Result<crypto::SecretText> TypedPassphrase::ask(const std::string& prompt) {
  return platform::read_hidden(prompt);
}

Result<crypto::SecretText> FiledPassphrase::ask(const std::string& /*prompt*/) {
  return platform::read_secret_line(path_);
}

Result<crypto::SecretText> new_passphrase(PassphraseSource& source, const std::string& name) {
  crypto::SecretText first = TRY(source.ask("New passphrase for " + name + ": "));
  if (first.text().size() < passphrase_bytes_min) {
    return refuse(
        Code::bad_option,
        "the passphrase has fewer than " + std::to_string(passphrase_bytes_min) + " characters",
        "four or more random words are good and can be remembered");
  }
  if (source.is_person()) {
    const crypto::SecretText second = TRY(source.ask("The same again: "));
    if (first.text() != second.text()) {
      return refuse(Code::bad_option, "the two passphrases differ", "try again");
    }
  }
  return first;
}

}  // namespace lockstep::apps
