#include "crypto/secret.h"

#include <sodium.h>

namespace lockstep::crypto {

void wipe(std::span<uint8_t> bytes) {
  sodium_memzero(bytes.data(), bytes.size());
}

}  // namespace lockstep::crypto
