// Fuzzes what a peer may send: any bytes in any pieces. The session ends or goes on, holds no more
// than it promised, and what it gives as a message and as an introduction is read or refused.
#include "base/check.h"
#include "net/contact.h"
#include "net/message.h"
#include "net/session.h"

namespace lockstep::net {
namespace {

constexpr uint32_t window = 8192;

SessionOptions options_of() {
  SessionOptions options;
  options.limits.window_bytes = {window, window, window};
  return options;
}

void take_all(Session& session) {
  while (const auto message = session.take_message()) {
    if (message->channel == Channel::peers) {
      const auto contact = read_contact(message->bytes);
      CHECK(!contact.ok() || codec::encode(*contact) == message->bytes);
    } else {
      const auto read = codec::decode<Message>(message->bytes);
      CHECK(!read.ok() || codec::encode(*read) == message->bytes);
    }
  }
}

/// The first byte of each piece says how long it is, and what else happens.
void feed(Session& session, ByteView data) {
  uint64_t now = 0;
  while (!data.empty()) {
    const uint8_t step = data[0];
    data = data.subspan(1);
    const size_t size = std::min<size_t>(data.size(), (step & 0x1FU) * (step & 0x1FU));
    session.on_bytes(now, data.first(size));
    data = data.subspan(size);
    if ((step & 0x20U) != 0) {
      take_all(session);
    }
    if ((step & 0x40U) != 0) {
      (void)session.send(now, static_cast<Priority>(size % 3), {Bytes(size * 20, step)});
      (void)session.take_output(now, 4096);
    }
    if ((step & 0x80U) != 0) {
      (void)session.stop(static_cast<uint8_t>(size % slots));
      now += size * 50;
      session.tick(now);
    }
    // What was promised, a frame that is gathered, and what allocators round up.
    CHECK(session.held_bytes() <= 3 * size_t{window} + 2 * frame_bytes_max);
  }
  take_all(session);
  (void)session.take_output(now, SIZE_MAX / 2);
}

}  // namespace
}  // namespace lockstep::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using lockstep::net::Session;
  // Without a hello nothing else is read: every other input begins behind one.
  Session session(0, lockstep::net::options_of());
  if (size != 0 && data[0] % 2 == 1) {
    Session other(0, lockstep::net::options_of());
    session.on_bytes(0, other.take_output(0, 4096));
  }
  lockstep::net::feed(session, {data, size});
  return 0;
}
