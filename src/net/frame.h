// What goes over one connection: length-bounded frames, and the records that control frames carry.
// A frame is `u32 size, u8 kind, u8 slot`, then `size` bytes.
#pragma once

#include <optional>
#include <span>

#include "codec/record.h"
#include "env/network.h"
#include "model/ids.h"

namespace lockstep::net {

/// Of two messages that wait, the one of the lower class leaves first.
enum class Priority : uint8_t { control, ordinary, bulk };
inline constexpr size_t priorities = 3;
constexpr Priority last_of(Priority) {
  return Priority::bulk;
}
constexpr size_t index_of(Priority priority) {
  return static_cast<size_t>(priority);
}

/// Who speaks inside of a message: the peer layer itself, or the nodes above it.
enum class Channel : uint8_t { peers, nodes };
constexpr Channel last_of(Channel) {
  return Channel::nodes;
}

/// What kind of node is at the other end. It says so itself: nothing is allowed because of it.
enum class Role : uint8_t { ledger, requester, provider, auditor };
constexpr Role last_of(Role) {
  return Role::auditor;
}

enum class FrameKind : uint8_t {
  hello,  // the first frame of each side
  bye,    // the last one: why
  open,   // a message begins in this slot
  data,   // the next bytes of the slot's message
  reset,  // the sender gives the slot's message up
  stop,   // the receiver does not want the slot's message
  grant,  // more credit for the class in `slot`
  ping,
  pong,
};
constexpr FrameKind last_of(FrameKind) {
  return FrameKind::pong;
}

inline constexpr uint16_t protocol_version = 1;
inline constexpr size_t frame_bytes_max = size_t{16} << 10;
inline constexpr size_t frame_head_bytes = 6;
inline constexpr size_t hello_bytes_max = 2048;
inline constexpr size_t bye_bytes_max = 512;
inline constexpr size_t places_max = 4;
inline constexpr size_t host_bytes_max = 253;  // of a name in the DNS
/// Slots carry one message at a time: one for control, one for ordinary, the others for bulk.
inline constexpr uint8_t bulk_slots = 16;
inline constexpr uint8_t first_bulk_slot = 2;
inline constexpr uint8_t slots = first_bulk_slot + bulk_slots;
/// The largest message of a class: a claim or a receipt; blocks; a blob.
inline constexpr std::array<size_t, priorities> message_bytes_max = {
    (size_t{4} << 20) + (size_t{64} << 10), size_t{16} << 20, size_t{8} << 20};
/// What a message is counted with above its bytes, so that tiny ones have a price as well.
inline constexpr size_t message_overhead = 256;

static_assert(message_bytes_max[0] > codec::field_bytes_max);
static_assert(message_bytes_max[2] > codec::field_bytes_max);

constexpr Priority priority_of_slot(uint8_t slot) {
  return slot < first_bulk_slot ? static_cast<Priority>(slot) : Priority::bulk;
}

struct FrameHead {
  uint32_t size = 0;
  FrameKind kind = FrameKind::hello;
  uint8_t slot = 0;  // of a message; for a grant, the class
  auto operator<=>(const FrameHead&) const = default;
};
void put_head(Bytes& bytes, const FrameHead& head);
/// Refuses any head that put_head() of an honest peer does not write: a size that is not that of
/// the kind, an unknown kind or slot. Errors: too_large, bad_message.
[[nodiscard]] Result<FrameHead> read_head(std::span<const uint8_t, frame_head_bytes> bytes);

/// An address that a node listens at, as bytes.
struct Place {
  std::string host;
  uint16_t port = 0;
  auto operator<=>(const Place&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.host, self.port);
  }
};
[[nodiscard]] std::vector<Place> places_of(const std::vector<env::Address>& addresses);
[[nodiscard]] std::vector<env::Address> addresses_of(const std::vector<Place>& places);
/// At most places_max, each with a port and a name of a possible length. Errors: bad_address.
[[nodiscard]] Result<void> check_places(const std::vector<Place>& places);

struct Hello {
  uint16_t version = protocol_version;  // stays the first field in every version
  model::NetworkId network;
  Role role = Role::requester;
  uint32_t control_window = 0;  // bytes that the other side may send before it gets more credit
  uint32_t ordinary_window = 0;
  uint32_t bulk_window = 0;
  std::vector<Place> places;  // where this node can be reached; none behind a NAT
  bool operator==(const Hello&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.version,
          self.network,
          self.role,
          self.control_window,
          self.ordinary_window,
          self.bulk_window,
          self.places);
  }
};

enum class ByeReason : uint8_t {
  refused,   // a rule was broken
  replaced,  // there is a newer connection between the two
  leaving,
};
constexpr ByeReason last_of(ByeReason) {
  return ByeReason::leaving;
}
struct Bye {
  ByeReason reason = ByeReason::leaving;
  std::string text;
  bool operator==(const Bye&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.reason, self.text);
  }
};

/// A message of `size` bytes begins. What it costs is taken from the class's credit at once, so a
/// message that began can always be finished.
struct Open {
  Channel channel = Channel::nodes;
  uint32_t size = 0;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.channel, self.size);
  }
};
/// `serial`: how many messages had begun with this one, so that a stop that comes late does not hit
/// the slot's next message.
struct Stop {
  uint32_t serial = 0;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.serial);
  }
};
struct Grant {
  uint32_t bytes = 0;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.bytes);
  }
};
struct Ping {
  uint64_t token = 0;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.token);
  }
};

/// A whole control frame.
template <class T>
void put_frame(Bytes& bytes, FrameKind kind, uint8_t slot, const T& record) {
  const Bytes payload = codec::encode(record);
  put_head(bytes, {static_cast<uint32_t>(payload.size()), kind, slot});
  bytes.insert(bytes.end(), payload.begin(), payload.end());
}

/// So many units a second, and at most `burst` saved up. A rate of 0 is no limit.
class Allowance {
 public:
  Allowance() = default;
  Allowance(uint64_t per_second, uint64_t burst)
      : per_second_(per_second),
        milli_max_(burst * 1000),
        milli_(static_cast<int64_t>(burst) * 1000) {}
  /// May be used once more? A use may cost more than is left: then the next one waits longer.
  [[nodiscard]] bool ready(uint64_t now_ms);
  void spend(uint64_t units);
  /// Above the burst even: what the other side gets for something that happened.
  void add(uint64_t units) { milli_ += static_cast<int64_t>(units) * 1000; }

 private:
  uint64_t per_second_ = 0;
  uint64_t milli_max_ = 0;
  int64_t milli_ = 0;
  uint64_t at_ms_ = 0;
};

}  // namespace lockstep::net
