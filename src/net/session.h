// One connection's state machine, without I/O: bytes in, bytes out, messages in, messages out.
// Every message travels in a slot of its own, cut into frames; control overtakes ordinary, ordinary
// overtakes bulk, and bulk messages take turns. Time comes in with every call.
#pragma once

#include <deque>
#include <limits>

#include "net/frame.h"

namespace lockstep::net {

inline constexpr uint64_t no_deadline = std::numeric_limits<uint64_t>::max();

/// A message on its way out.
struct Outgoing {
  Bytes bytes;
  Channel channel = Channel::nodes;
  uint64_t deadline_ms = no_deadline;  // not sent any more after this
};
/// A message that arrived whole.
struct Incoming {
  Bytes bytes;
  Channel channel = Channel::nodes;
  Priority priority = Priority::control;
};

/// What the other side may do. Memory for what it sends is bounded by the sum of the windows.
struct PeerLimits {
  std::array<uint32_t, priorities> window_bytes = {
      uint32_t{8} << 20, uint32_t{20} << 20, uint32_t{16} << 20};
  uint64_t bytes_per_second = 0;  // 0: no limit
  uint64_t messages_per_second = 0;
};

struct SessionOptions {
  model::NetworkId network;
  Role role = Role::requester;
  std::vector<env::Address> addresses;  // where this node listens
  PeerLimits limits;
  std::array<size_t, priorities> queue_bytes_max = {
      size_t{16} << 20, size_t{32} << 20, size_t{64} << 20};
  uint64_t ping_after_ms = 10'000;  // of silence, and between pings
  uint32_t pings_max = 3;           // without any answer, before the peer is taken for dead
  uint64_t hello_ms = 10'000;       // until the other side's hello is there
};

class Session {
 public:
  Session(uint64_t now_ms, const SessionOptions& options);

  // ---- sending

  /// Queues a message; the number of the message, or nothing when it is not taken: too large, the
  /// queue of its class is full, or the session has ended. Messages of control and of ordinary
  /// arrive in order; bulk messages in the order in which they are finished.
  std::optional<uint64_t> send(uint64_t now_ms, Priority priority, Outgoing&& message);
  /// Gives a message up, also when a part of it was sent. False when it left already.
  bool cancel(uint64_t number);
  /// Up to about `bytes_max` bytes of frames (a frame is never cut). Empty: nothing to send now.
  [[nodiscard]] Bytes take_output(uint64_t now_ms, size_t bytes_max);
  [[nodiscard]] bool has_output(uint64_t now_ms);
  /// Messages of which the other side cannot have everything; they are not sent here any more.
  [[nodiscard]] std::vector<std::pair<Priority, Outgoing>> take_unsent();
  [[nodiscard]] size_t queued_bytes(Priority priority) const {
    return queued_bytes_.at(index_of(priority));
  }

  // ---- receiving

  void on_bytes(uint64_t now_ms, ByteView bytes);
  /// The next message, of the most urgent class first. Taking it gives the other side credit.
  [[nodiscard]] std::optional<Incoming> take_message();
  [[nodiscard]] bool has_message() const;
  /// Refuses the message that arrives in this slot. False when there is none.
  bool stop(uint8_t slot);
  /// Bytes held of messages that arrive or were not taken, with their overhead.
  [[nodiscard]] size_t held_bytes() const;

  // ---- the connection

  /// Pings, deadlines, death: at least every second.
  void tick(uint64_t now_ms);
  /// Windows only grow: what was granted stays so.
  void set_limits(const PeerLimits& limits);
  /// Ends it: only the bye is still sent. What came whole can be taken.
  void end(ByeReason reason, Error why);
  /// Says that another connection took this one's place. Nothing is sent after that, and what
  /// comes is still received until the other side closes.
  void retire();
  /// The other side's, once it is there.
  [[nodiscard]] const std::optional<Hello>& hello() const { return hello_; }
  /// Why it ended. The connection is to be closed after the output was taken.
  [[nodiscard]] const std::optional<Error>& ended() const { return ended_; }
  /// It ended, or is about to, because there is a newer connection.
  [[nodiscard]] bool replaced() const { return replaced_; }

 private:
  struct Queued {
    Outgoing message;
    uint64_t number = 0;
  };
  struct Sending {
    bool active = false;
    bool reset = false;  // is to be said
    uint32_t serial = 0;
    size_t sent = 0;
    Queued queued;
  };
  struct Receiving {
    bool open = false;
    bool stopped = false;
    bool stop_due = false;
    Channel channel = Channel::nodes;
    uint32_t serial = 0;
    uint32_t size = 0;
    uint32_t left = 0;
    Bytes bytes;
  };

  void put_control(uint64_t now_ms, Bytes& out);
  void put_signals(Bytes& out);
  void put_grants(uint64_t now_ms, Bytes& out);
  [[nodiscard]] bool grant_due(uint64_t now_ms, size_t priority);
  bool put_message_frame(uint64_t now_ms, Bytes& out);
  bool put_bulk_frame(uint64_t now_ms, Bytes& out);
  bool begin_sending(uint64_t now_ms, uint8_t slot, Bytes& out);
  void put_data(uint8_t slot, Bytes& out);
  void finish_sending(uint8_t slot);
  void drop_expired(uint64_t now_ms, size_t priority);
  [[nodiscard]] bool can_begin(size_t priority) const;

  void on_head();
  size_t on_data(ByteView bytes);
  size_t on_control(ByteView bytes);
  Result<void> begin_receiving(const FrameHead& head, const Open& open);
  Result<void> handle(const FrameHead& head, ByteView payload);
  Result<void> on_hello(ByteView payload);
  void on_bye(const Bye& bye);
  Result<void> on_stop(uint8_t slot, const Stop& stop);
  Result<void> on_grant(uint8_t priority, const Grant& grant);
  Result<void> on_reset(uint8_t slot);
  void finish_receiving(uint8_t slot);
  void give_back(size_t priority, size_t bytes);
  void fail(Error error);

  SessionOptions options_;
  uint64_t now_ms_ = 0;
  uint64_t began_ms_ = 0;
  uint64_t heard_ms_ = 0;
  uint32_t pings_ = 0;  // since something was heard
  std::optional<Hello> hello_;
  std::optional<Error> ended_;
  bool replaced_ = false;
  bool retired_ = false;

  // Out.
  bool hello_due_ = true;
  std::optional<Bye> bye_due_;
  bool ping_due_ = false;
  std::optional<uint64_t> pong_due_;
  bool signal_due_ = false;  // some slot has a reset or a stop to say
  uint64_t ping_token_ = 0;
  uint64_t last_number_ = 0;
  uint32_t last_serial_ = 0;
  uint8_t bulk_turn_ = 0;
  size_t bulk_active_ = 0;
  std::array<uint64_t, priorities> credit_{};
  std::array<size_t, priorities> queued_bytes_{};
  std::array<std::deque<Queued>, priorities> queues_;
  std::array<Sending, slots> sending_;

  // In.
  std::array<uint8_t, frame_head_bytes> head_bytes_{};
  size_t head_have_ = 0;
  bool in_payload_ = false;
  FrameHead head_;
  uint32_t payload_left_ = 0;
  Bytes gathered_;  // of a control frame that came in pieces
  uint32_t received_serial_ = 0;
  std::array<Receiving, slots> receiving_;
  std::array<std::deque<Incoming>, priorities> ready_;
  std::array<uint64_t, priorities> window_{};       // all that was ever promised at one time
  std::array<uint64_t, priorities> window_left_{};  // what the other side may send now
  std::array<uint64_t, priorities> owed_{};         // taken, and not granted again yet
  std::array<uint64_t, priorities> owed_messages_{};
  std::array<uint64_t, priorities> raise_{};  // windows that grew
  Allowance byte_rate_;
  Allowance message_rate_;
  Allowance signals_;  // control frames that the other side may send
};

}  // namespace lockstep::net
