#include "base/result.h"

namespace lockstep {

std::string Error::message() const {
  std::string text = where.empty() ? what : where + ": " + what;
  if (!next.empty()) {
    text += ". " + next;
  }
  return text + " [E" + std::to_string(static_cast<uint16_t>(code)) + "]";
}

}  // namespace lockstep
