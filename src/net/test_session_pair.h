// For tests only: two sessions, and a stream of bytes between them that is cut anywhere.
#pragma once

#include <algorithm>

#include "base/test_random.h"
#include "net/session.h"

namespace lockstep::net::test {

using Random = TestRandom;

inline constexpr size_t kib = size_t{1} << 10;
inline constexpr size_t mib = size_t{1} << 20;

inline SessionOptions options_of(uint64_t network = 1) {
  SessionOptions options;
  options.network.hash.bytes[0] = static_cast<uint8_t>(network);
  return options;
}

/// Bytes that tell which message they are of.
inline Bytes body(uint64_t id, size_t size) {
  Random random(id);
  Bytes bytes(size);
  for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
    const uint64_t word = random.next();
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size - at));
  }
  return bytes;
}

/// Two ends, and what is on its way from one to the other.
struct Pair {
  explicit Pair(const SessionOptions& a = options_of(), const SessionOptions& b = options_of())
      : sessions{Session(0, a), Session(0, b)} {}

  /// Moves about `bytes_max` bytes into the pipe of a side.
  size_t write(size_t from, size_t bytes_max) {
    const Bytes out = sessions.at(from).take_output(now, bytes_max);
    pipes.at(from).insert(pipes.at(from).end(), out.begin(), out.end());
    return out.size();
  }
  size_t read(size_t from, size_t bytes_max) {
    Bytes& pipe = pipes.at(from);
    const size_t size = std::min(bytes_max, pipe.size());
    sessions.at(1 - from).on_bytes(now, ByteView(pipe).first(size));
    pipe.erase(pipe.begin(), pipe.begin() + static_cast<std::ptrdiff_t>(size));
    return size;
  }
  /// Until nothing moves.
  void settle() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (const size_t from : {size_t{0}, size_t{1}}) {
        moved = write(from, mib) != 0 || moved;
        moved = read(from, pipes.at(from).size()) != 0 || moved;
      }
    }
  }
  uint64_t send(size_t from, Priority priority, Bytes bytes, uint64_t deadline = no_deadline) {
    return sessions.at(from)
        .send(now, priority, {std::move(bytes), Channel::nodes, deadline})
        .value_or(0);
  }
  Session& a() { return sessions[0]; }
  Session& b() { return sessions[1]; }

  uint64_t now = 0;
  std::array<Session, 2> sessions;
  std::array<Bytes, 2> pipes;
};

inline std::vector<Bytes> take_all(Session& session) {
  std::vector<Bytes> taken;
  while (auto message = session.take_message()) {
    taken.push_back(std::move(message->bytes));
  }
  return taken;
}

inline Bytes hello_bytes(const Hello& hello) {
  Bytes bytes;
  put_frame(bytes, FrameKind::hello, 0, hello);
  return bytes;
}

inline Bytes open_frame(uint8_t slot, uint32_t size) {
  Bytes bytes;
  put_frame(bytes, FrameKind::open, slot, Open{Channel::nodes, size});
  return bytes;
}

}  // namespace lockstep::net::test
