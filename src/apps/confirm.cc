#include "apps/confirm.h"

#include <iostream>

#include "platform/terminal.h"

namespace lockstep::apps {

Result<void> check_can_agree(bool yes, const std::string& to_what) {
  if (yes || platform::is_terminal(0)) {
    return {};
  }
  return refuse(
      Code::bad_option, "nobody is there to agree to " + to_what, "add --yes to agree", "--yes");
}

Result<void> agree(bool yes, const std::string& to_what) {
  TRY(check_can_agree(yes, to_what));
  if (yes) {
    return {};
  }
  std::cout << to_what << "? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "yes") {
    return refuse(Code::cancelled, "nothing was spent", "give the command again when you like");
  }
  return {};
}

}  // namespace lockstep::apps
