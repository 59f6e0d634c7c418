#include "platform/tcp_network.h"

#include <sys/socket.h>

#include "base/check.h"
#include "platform/tcp_network_impl.h"

namespace lockstep::platform {
namespace {

// No file descriptors left: how long until we try to take connections again.
constexpr uint64_t accept_pause_ms = 100;
// What was sent and not confirmed for so long ends the connection.
constexpr int silent_ms_max = 30'000;

env::Address address_of(const tcp::endpoint& endpoint) {
  return {endpoint.address().to_string(), endpoint.port()};
}

/// IPv6 hosts have 64 bits of their own to choose from: those do not tell them apart.
Origin origin_of(const asio::ip::address& address) {
  if (address.is_v4()) {
    return asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes();
  }
  Origin origin = address.to_v6().to_bytes();
  if (!address.to_v6().is_v4_mapped()) {
    std::fill(origin.begin() + 8, origin.end(), uint8_t{0});
  }
  return origin;
}

Error cannot_listen(const Failed& failed, const env::Address& address) {
  const std::string where = text_of(address);
  if (failed == asio::error::address_in_use) {
    return refuse(Code::in_use,
                  "another process listens on this port",
                  "stop it, or choose another port (0 takes any that is free)",
                  where);
  }
  if (failed == asio::error::access_denied || failed == asio::error::no_permission) {
    return refuse(
        Code::not_permitted, "this port may not be used", "choose one of 1024 and above", where);
  }
  if (failed == boost::system::errc::address_not_available) {
    return refuse(
        Code::bad_address, "this machine does not have the address", "use one that it has", where);
  }
  return refuse(Code::io_failed, "cannot listen: " + failed.message(), "check the address", where);
}

/// A socket option that Asio has no name for.
class UserTimeout {
 public:
  template <class Protocol>
  [[nodiscard]] int level(const Protocol& /*protocol*/) const {
    return IPPROTO_TCP;
  }
  template <class Protocol>
  [[nodiscard]] int name(const Protocol& /*protocol*/) const {
    return TCP_USER_TIMEOUT;
  }
  template <class Protocol>
  [[nodiscard]] const int* data(const Protocol& /*protocol*/) const {
    return &value_;
  }
  template <class Protocol>
  [[nodiscard]] size_t size(const Protocol& /*protocol*/) const {
    return sizeof value_;
  }

 private:
  int value_ = silent_ms_max;
};

}  // namespace

std::string text_of(const env::Address& address) {
  const bool bare = address.host.find(':') == std::string::npos;
  return (bare ? address.host : "[" + address.host + "]") + ":" + std::to_string(address.port);
}

// Coming and going.

Result<env::Address> TcpNetwork::Impl::listen(const env::Address& address) {
  CHECK(handler_ != nullptr);
  Failed failed;
  const auto host = asio::ip::make_address(address.host, failed);
  if (failed) {
    return refuse(Code::bad_address,
                  "this is no IP address",
                  "write one, such as 127.0.0.1, 0.0.0.0 or ::",
                  text_of(address));
  }
  const tcp::endpoint endpoint(host, address.port);
  auto acceptor = std::make_unique<tcp::acceptor>(loop_.context());
  acceptor->open(endpoint.protocol(), failed);
  if (!failed) {
    acceptor->set_option(tcp::acceptor::reuse_address(true), failed);
  }
  if (!failed) {
    acceptor->bind(endpoint, failed);
  }
  if (!failed) {
    acceptor->listen(asio::socket_base::max_listen_connections, failed);
  }
  const tcp::endpoint bound = failed ? endpoint : acceptor->local_endpoint(failed);
  if (failed) {
    return cannot_listen(failed, address);
  }
  acceptors_.push_back(std::move(acceptor));
  accept(acceptors_.size() - 1);
  return env::Address{address.host, bound.port()};
}

void TcpNetwork::Impl::accept(size_t acceptor) {
  if (abandoned_ || acceptor >= acceptors_.size()) {
    return;
  }
  acceptors_[acceptor]->async_accept(
      [self = shared_from_this(), acceptor](const Failed& failed, tcp::socket socket) {
        self->on_accepted(acceptor, failed, std::move(socket));
      });
}

void TcpNetwork::Impl::on_accepted(size_t acceptor, const Failed& failed, tcp::socket socket) {
  if (abandoned_ || failed == asio::error::operation_aborted) {
    return;
  }
  if (failed == asio::error::no_descriptors || failed == asio::error::no_memory ||
      failed == boost::system::errc::too_many_files_open_in_system) {
    if (const ConnPtr oldest = find(half_open_.oldest())) {
      drop(oldest, refuse(Code::timed_out, "no file descriptors are left", "raise ulimit -n"));
    }
    loop_.call_after(accept_pause_ms,
                     [self = shared_from_this(), acceptor] { self->accept(acceptor); });
    return;
  }
  Failed gone = failed;  // it may have hung up already
  const tcp::endpoint peer = gone ? tcp::endpoint() : socket.remote_endpoint(gone);
  if (!gone) {
    admit(std::move(socket), peer);
  }
  accept(acceptor);
}

void TcpNetwork::Impl::admit(tcp::socket socket, const tcp::endpoint& peer) {
  const auto conn = std::make_shared<Conn>(loop_.context(), ++last_link_);
  conn->socket = std::move(socket);
  conn->address = address_of(peer);
  conns_.emplace(conn->link, conn);
  for (const env::Link link : half_open_.add(conn->link, origin_of(peer.address()))) {
    if (const ConnPtr old = find(link)) {
      drop(old,
           refuse(Code::timed_out,
                  "too many connections wait for a handshake, and this was the oldest",
                  "try again"));
    }
  }
  begin_handshake(conn);
}

env::Link TcpNetwork::Impl::dial(const env::Address& address, const env::NodeId& peer) {
  CHECK(handler_ != nullptr);
  const auto conn = std::make_shared<Conn>(loop_.context(), ++last_link_);
  conn->dialed = true;
  conn->address = address;
  conn->expected = peer;
  conns_.emplace(conn->link, conn);
  set_deadline(conn, limits_.dial_ms, "no connection came about");
  Failed failed;
  const auto host = asio::ip::make_address(address.host, failed);
  if (failed) {
    resolve(conn);
  } else {
    conn->endpoints.emplace_back(host, address.port);
    connect_next(conn, {});
  }
  return conn->link;
}

void TcpNetwork::Impl::resolve(const ConnPtr& conn) {
  resolver_.async_resolve(
      conn->address.host,
      std::to_string(conn->address.port),
      tcp::resolver::numeric_service,
      [self = shared_from_this(), conn](const Failed& failed,
                                        const tcp::resolver::results_type& found) {
        if (conn->state != State::connecting) {
          return;
        }
        conn->endpoints.reserve(found.size());
        for (const auto& entry : found) {
          conn->endpoints.push_back(entry.endpoint());
        }
        std::reverse(conn->endpoints.begin(), conn->endpoints.end());
        self->connect_next(conn, failed ? "its address is not known: " + failed.message() : "");
      });
}

void TcpNetwork::Impl::connect_next(const ConnPtr& conn, const std::string& why) {
  if (conn->endpoints.empty()) {
    drop(conn,
         refuse(Code::unreachable,
                "no connection: " + (why.empty() ? "it has no address" : why),
                "check the address, and that the other side runs"));
    return;
  }
  const tcp::endpoint endpoint = conn->endpoints.back();
  conn->endpoints.pop_back();
  Failed ignored;
  conn->socket.close(ignored);
  conn->socket.async_connect(endpoint, [self = shared_from_this(), conn](const Failed& failed) {
    if (conn->state != State::connecting) {
      return;
    }
    if (failed) {
      self->connect_next(conn, failed.message());
    } else {
      self->begin_handshake(conn);
    }
  });
}

void TcpNetwork::Impl::begin_handshake(const ConnPtr& conn) {
  Failed ignored;  // without these it is slower, no more
  conn->socket.set_option(tcp::no_delay(true), ignored);
  conn->socket.set_option(asio::socket_base::keep_alive(true), ignored);
  conn->socket.set_option(UserTimeout(), ignored);
  conn->state = State::handshaking;
  set_deadline(conn, limits_.handshake_ms, "the TLS handshake did not come to its end");
  if (conn->dialed) {
    advance(conn);
  } else {
    wait_read(conn);  // who says nothing costs no session
  }
}

void TcpNetwork::Impl::advance(const ConnPtr& conn) {
  const uint64_t now_ms = Loop::now_ms();
  if (!conn->session) {
    const auto expected = conn->dialed ? std::optional(conn->expected) : std::nullopt;
    conn->session =
        std::make_unique<TlsSession>(identity_, conn->socket.native_handle(), expected, now_ms);
  }
  switch (conn->session->handshake(now_ms)) {
    case Step::done:
      opened(conn);
      break;
    case Step::want_read:
      wait_read(conn);
      break;
    case Step::want_write:
      wait_write(conn);
      break;
    case Step::ended:
      drop(conn, refuse(Code::io_failed, "the other side closed the connection", "try again"));
      break;
    case Step::failed:
      drop(conn, conn->session->why());
      break;
  }
}

void TcpNetwork::Impl::opened(const ConnPtr& conn) {
  if (!conn->dialed && open_count_ >= limits_.open_max) {
    drop(conn, refuse(Code::timed_out, "as many connections are open as may be", "try again"));
    return;
  }
  half_open_.remove(conn->link);
  loop_.cancel(conn->deadline);
  conn->state = State::open;
  ++open_count_;
  handler_->on_open(conn->link, conn->session->peer(), conn->dialed);
  if (conn->queue.size() != 0) {
    make_dirty(conn);
  }
  ready_read(conn);
}

TcpNetwork::TcpNetwork(Loop& loop, TlsIdentity identity, const NetworkLimits& limits)
    : impl_(std::make_shared<Impl>(loop, std::move(identity), limits)) {}

TcpNetwork::~TcpNetwork() {
  impl_->abandon();
}

void TcpNetwork::set_handler(Handler& handler) {
  impl_->handler_ = &handler;
}

void TcpNetwork::on_refused(Refused refused) {
  impl_->refused_ = std::move(refused);
}

Result<env::Address> TcpNetwork::listen(const env::Address& address) {
  return impl_->listen(address);
}

void TcpNetwork::close_all() {
  impl_->close_all();
}

env::Link TcpNetwork::dial(const env::Address& address, const env::NodeId& peer) {
  return impl_->dial(address, peer);
}

void TcpNetwork::write(env::Link link, Bytes bytes) {
  impl_->write(link, std::move(bytes));
}

void TcpNetwork::pause(env::Link link, bool paused) {
  impl_->pause(link, paused);
}

void TcpNetwork::close(env::Link link) {
  impl_->close(link);
}

const env::NodeId& TcpNetwork::id() const {
  return impl_->identity_.id();
}

size_t TcpNetwork::half_open_count() const {
  return impl_->half_open_.size();
}

size_t TcpNetwork::open_count() const {
  return impl_->open_count_;
}

size_t TcpNetwork::queued(env::Link link) const {
  const ConnPtr conn = impl_->find(link);
  return conn ? conn->queue.size() : 0;
}

}  // namespace lockstep::platform
