// The inside of TcpNetwork, for tcp_network.cc (who comes in) and tcp_link.cc (what goes over a
// link). No other file includes this: Asio takes long to compile.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "platform/half_open.h"
#include "platform/send_queue.h"
#include "platform/tcp_network.h"
#include "platform/tls_session.h"

namespace lockstep::platform {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failed = boost::system::error_code;
using Step = TlsSession::Step;

// What one link may bring before it is the others' turn.
inline constexpr size_t turn_read_bytes = size_t{128} << 10;

enum class State : uint8_t {
  connecting,   // dialed, no TCP yet
  handshaking,  // TCP stands
  open,         // keys are proved
  closing,      // what was written still leaves
  lingering,    // told as closed; the other side may still read
  dead,
};

struct Conn {
  Conn(asio::io_context& context, env::Link number)
      : link(number), socket(context), queue(tls_record_bytes) {}

  env::Link link;
  bool dialed = false;
  bool reading = false;  // waits for bytes
  bool writing = false;  // waits for room
  bool paused = false;
  bool dirty = false;      // has bytes to send at the end of this turn
  bool drain_due = false;  // something was written since the last on_drained()
  bool broken = false;     // nothing leaves any more: what came before is still read
  State state = State::connecting;
  env::Address address;  // of the other side
  env::NodeId expected{};
  tcp::socket socket;
  std::vector<tcp::endpoint> endpoints;  // still to be tried, the next one last
  std::unique_ptr<TlsSession> session;
  SendQueue queue;
  Loop::Timer deadline = 0;
};
using ConnPtr = std::shared_ptr<Conn>;

[[nodiscard]] std::string text_of(const env::Address& address);

class TcpNetwork::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, TlsIdentity identity, const NetworkLimits& limits)
      : limits_(limits),
        identity_(std::move(identity)),
        half_open_(limits.handshakes_max, limits.handshakes_per_host_max),
        loop_(loop),
        resolver_(loop.context()),
        scratch_(turn_read_bytes) {}

  Result<env::Address> listen(const env::Address& address);
  env::Link dial(const env::Address& address, const env::NodeId& peer);
  void write(env::Link link, Bytes bytes);
  void pause(env::Link link, bool paused);
  void close(env::Link link);
  void close_all();
  void abandon();
  [[nodiscard]] ConnPtr find(env::Link link) const;

  NetworkLimits limits_;
  TlsIdentity identity_;
  Handler* handler_ = nullptr;
  Refused refused_;
  size_t open_count_ = 0;
  HalfOpen half_open_;

 private:
  struct Event {
    env::Link link;
    std::optional<Error> closed;  // none: drained
  };

  void accept(size_t acceptor);
  void on_accepted(size_t acceptor, const Failed& failed, tcp::socket socket);
  void admit(tcp::socket socket, const tcp::endpoint& peer);
  void resolve(const ConnPtr& conn);
  void connect_next(const ConnPtr& conn, const std::string& why);
  void begin_handshake(const ConnPtr& conn);
  void advance(const ConnPtr& conn);
  void opened(const ConnPtr& conn);
  void wait_read(const ConnPtr& conn);
  void wait_write(const ConnPtr& conn);
  void ready_read(const ConnPtr& conn);
  void read(const ConnPtr& conn);
  void linger(const ConnPtr& conn);
  void make_dirty(const ConnPtr& conn);
  void flush_all();
  void flush(const ConnPtr& conn);
  void said_all(const ConnPtr& conn);
  void cannot_write(const ConnPtr& conn);
  void set_deadline(const ConnPtr& conn, uint64_t ms, const std::string& what);
  void drop(const ConnPtr& conn, Error why);
  void remove(const ConnPtr& conn);
  void add_event(env::Link link, std::optional<Error> closed);
  void deliver();

  Loop& loop_;
  std::vector<std::unique_ptr<tcp::acceptor>> acceptors_;
  tcp::resolver resolver_;
  std::unordered_map<env::Link, ConnPtr> conns_;
  std::vector<ConnPtr> dirty_;
  std::vector<Event> events_;
  Bytes scratch_;
  env::Link last_link_ = 0;
  bool abandoned_ = false;
};

}  // namespace lockstep::platform
