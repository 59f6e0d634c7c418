#include "platform/random.h"

#include <errno.h>
#include <sys/random.h>

namespace lockstep::platform {

Result<void> Random::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t count = ::getrandom(out.data(), out.size(), 0);
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      return refuse(Code::io_failed,
                    "the system gives no random bytes",
                    "lockstep needs Linux 3.17 or newer with getrandom allowed");
    }
    out = out.subspan(static_cast<size_t>(count));
  }
  return {};
}

}  // namespace lockstep::platform
