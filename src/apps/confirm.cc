#include "apps/confirm.h"

#include <poll.h>

#include <iostream>

#include "apps/interrupt.h"
#include "platform/terminal.h"

namespace lockstep::apps {
namespace {

/// False: Ctrl-C came. It is looked for between short waits, as it may come right before one.
bool wait_for_answer() {
  constexpr int wait_ms = 100;
  while (!is_interrupted()) {
    pollfd input{0, POLLIN, 0};
    if (::poll(&input, 1, wait_ms) > 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

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
  if (wait_for_answer()) {
    std::getline(std::cin, answer);
  }
  if (answer != "y" && answer != "yes") {
    return refuse(Code::cancelled, "nothing was spent", "give the command again when you like");
  }
  return {};
}

}  // namespace lockstep::apps
