// All of a node's connections: one link to each peer, found by its key. Dials, keeps alive, queues
// for a peer that is being reached, and asks the hub to introduce a peer that cannot be dialed.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "net/contact.h"
#include "net/message.h"
#include "net/session.h"

namespace lockstep::net {

using crypto::PublicKey;

struct LinksOptions {
  PublicKey key;            // this node's
  SessionOptions session;   // network, role, addresses; limits for peers that are known
  PeerLimits strangers = {  // enough to register and to follow blocks
      {uint32_t{256} << 10, uint32_t{16} << 10, 0},
      uint64_t{64} << 10,
      20};
  std::optional<PublicKey> hub;  // who may introduce; the own key makes this node the hub
  /// Registered on the ledger, as far as this node sees. The hub and add_peer() are known anyhow.
  std::function<bool(const PublicKey&)> known;
  /// Whether to call on a peer that the hub introduces; without it: all.
  std::function<bool(const PublicKey&)> wanted;

  size_t links_max = 1024;
  size_t strangers_max = 128;
  size_t peers_max = 4096;                      // remembered, with or without a link
  size_t waiting_bytes_max = size_t{16} << 20;  // for one peer that is being reached
  size_t all_waiting_bytes_max = size_t{64} << 20;
  uint64_t wait_ms = 15'000;        // nodes say again by themselves what is lost
  uint64_t redial_ms = 250;         // doubles with each failure up to
  uint64_t redial_ms_max = 15'000;  // this
  uint64_t introduce_ms = 2'000;    // between two requests to the hub for one peer
  uint64_t tick_ms = 200;
  size_t write_ahead_bytes = size_t{128} << 10;  // queued in the network; control waits behind them
};

/// The first link to a peer is there.
struct PeerUp {
  PublicKey key;
  Role role = Role::requester;
};
/// The last one is gone. What was sent to it may be lost.
struct PeerDown {
  PublicKey key;
  Error why;
};
/// An attempt to connect to a peer of add_peer() failed; others follow.
struct PeerUnreached {
  PublicKey key;
  Error why;
};
struct Arrived {
  PublicKey from;
  Message message;
};
/// The hub's answer to ask_who().
using PeersListed = PeerList;
using Event = std::variant<PeerUp, PeerDown, PeerUnreached, Arrived, PeersListed>;

/// One turn of the event loop: begin_turn(), any of the others in any order, end_turn(). Nothing is
/// given to the network before end_turn(), but for room that it says it has. One thread.
class Links final : public env::Network::Handler {
 public:
  /// Borrows the network.
  Links(env::Network& network, LinksOptions options);

  /// The time for this turn; does what was due.
  void begin_turn(uint64_t now_ms);
  void end_turn();
  /// When begin_turn() should be called again, whatever comes or does not come.
  [[nodiscard]] uint64_t next_turn_ms() const { return ticked_ms_ + options_.tick_ms; }

  /// A peer to stay connected to, and where it is.
  void add_peer(const PublicKey& key, std::vector<env::Address> addresses);
  /// False: not taken, because too much waits, or it is too large, or to this node itself. When
  /// taken it arrives at most once, and not after wait_ms.
  bool send(uint64_t now_ms, const PublicKey& to, const Message& message);
  /// Asks the hub which peers of a role there are; false like send(). On the hub itself the answer
  /// is there at once.
  bool ask_who(uint64_t now_ms, Role role);
  /// Until nothing is left: a peer whose messages are not taken gets no more credit.
  [[nodiscard]] std::optional<Event> next_event();

  [[nodiscard]] bool is_up(const PublicKey& key) const;
  [[nodiscard]] size_t link_count() const { return connections_.size(); }
  [[nodiscard]] size_t waiting_bytes() const { return waiting_bytes_; }
  /// Bytes held of messages that came in, of all links.
  [[nodiscard]] size_t held_bytes() const;

  void on_open(env::Link link, const env::NodeId& peer, bool dialed) override;
  void on_bytes(env::Link link, ByteView bytes) override;
  void on_drained(env::Link link) override;
  void on_closed(env::Link link, const Error& why) override;

 private:
  struct Connection {
    PublicKey peer;
    std::unique_ptr<Session> session;
    bool dialed = false;
    bool usable = false;  // both hellos are through, and it is not replaced
    bool stranger = false;
    bool dirty = false;     // may have output
    bool ready = false;     // is in ready_
    size_t in_network = 0;  // written since it last drained
    uint64_t retired_ms = 0;
    Allowance requests;  // introductions and lists that it may ask for
  };
  struct Waiting {
    Priority priority = Priority::control;
    Outgoing message;
  };
  struct Peer {
    bool keep = false;                    // stays connected
    std::vector<env::Address> addresses;  // as told by the user, itself or the hub
    std::vector<env::Link> links;         // usable ones; the last one is used
    std::deque<Waiting> waiting;
    size_t waiting_bytes = 0;
    bool dials = false;       // until there is a hello
    uint32_t failures = 0;    // since a hello came
    uint32_t calls_left = 0;  // attempts for an introduction
    uint64_t next_dial_ms = 0;
    uint64_t next_introduce_ms = 0;
  };
  using Peers = std::map<PublicKey, Peer>;
  using Connections = std::map<env::Link, Connection>;

  /// Makes room for one that is not there yet; nothing when there is none.
  Peer* peer_of(const PublicKey& key);
  Peer* find_peer(const PublicKey& key);
  [[nodiscard]] bool is_hub() const { return options_.hub == options_.key; }
  [[nodiscard]] bool from_hub(const PublicKey& key) const {
    return options_.hub && *options_.hub == key;
  }
  [[nodiscard]] bool is_known(const PublicKey& key) const;
  bool post(const PublicKey& to, Priority priority, Outgoing&& message);
  bool wait(Peer& peer, Priority priority, Outgoing&& message);
  void drop_late(Peer& peer);
  void send_waiting(Peer& peer);
  void reach(const PublicKey& key, Peer& peer);
  void dial(const PublicKey& key, Peer& peer);
  void introduce(const PublicKey& key, Peer& peer);
  bool send_contact(const PublicKey& to, const Contact& contact);

  void on_hello(env::Link link, Connection& connection);
  void replace_older(const PublicKey& key, Peer& peer);
  void keep_unsent(Connection& connection);
  void keep_messages(Connection& connection);
  /// Says goodbye where the session has one to say, and closes.
  void finish(env::Link link);
  void forget(Connections::iterator at, const Error& why);
  void dial_ended(const PublicKey& key, bool dialed);
  void back_off(const PublicKey& key, Peer& peer);
  void mark(env::Link link, Connection& connection);
  void mark_ready(env::Link link, Connection& connection);
  void make_room(const PublicKey& key);
  [[nodiscard]] bool is_full(bool stranger) const;
  [[nodiscard]] Session* session_of(const PublicKey& key);
  void pump(env::Link link, Connection& connection);
  void tick();
  void tick_connection(env::Link link, Connection& connection);
  void tick_peers();

  struct Taken {
    PublicKey from;
    std::optional<env::Link> link;  // none when it is gone
    Incoming message;
  };
  [[nodiscard]] std::optional<Taken> take_message();
  /// The event that a message is, or nothing when it was for the peer layer.
  Result<std::optional<Event>> read(const PublicKey& from, const Incoming& message);
  Result<std::optional<Event>> on_contact(const PublicKey& from, const Contact& contact);
  void on_introduce(const PublicKey& from, const PublicKey& wanted);
  void on_call(const CallOn& call);
  [[nodiscard]] PeerList list_of(Role role, const PublicKey& but);
  bool may_ask(const PublicKey& from);

  env::Network* network_;
  LinksOptions options_;
  uint64_t now_ms_ = 0;
  uint64_t ticked_ms_ = 0;
  Peers peers_;
  Connections connections_;
  std::map<env::Link, PublicKey> dials_;
  size_t waiting_bytes_ = 0;
  std::vector<env::Link> dirty_;
  std::deque<env::Link> ready_;  // with messages; in turn
  std::deque<Event> events_;
  std::deque<Taken> left_;  // whole messages of links that are gone
  size_t left_bytes_ = 0;
  PublicKey listed_last_;  // where the next PeerList goes on
  Allowance calls_;        // introductions that are followed
};

}  // namespace lockstep::net
