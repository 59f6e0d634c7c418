// Fuzzes the decoder of messages: whatever is read has exactly the bytes it was read from.
#include "base/check.h"
#include "net/message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto message = lockstep::codec::decode<lockstep::net::Message>({data, size});
  if (message.ok()) {
    CHECK(lockstep::codec::encode(*message) == lockstep::Bytes(data, data + size));
  } else {
    CHECK(!message.error().is_fault());
  }
  return 0;
}
