// What goes over a link once it stands, and how a link ends.
#include "platform/tcp_network_impl.h"

namespace lockstep::platform {
namespace {

// What one link may send before it is the others' turn.
constexpr size_t turn_write_bytes = size_t{1} << 20;

}  // namespace

// Bytes in.

/// Reads at once what has come along with something else, or waits.
void TcpNetwork::Impl::ready_read(const ConnPtr& conn) {
  if (conn->state != State::open || conn->paused || conn->reading) {
    return;
  }
  if (!conn->session->has_pending()) {
    wait_read(conn);
    return;
  }
  conn->reading = true;
  loop_.defer([self = shared_from_this(), conn] {
    conn->reading = false;
    self->read(conn);
  });
}

void TcpNetwork::Impl::wait_read(const ConnPtr& conn) {
  if (conn->reading) {
    return;
  }
  conn->reading = true;
  conn->socket.async_wait(tcp::socket::wait_read,
                          [self = shared_from_this(), conn](const Failed& /*failed*/) {
                            conn->reading = false;
                            switch (conn->state) {
                              case State::handshaking:
                                self->advance(conn);
                                break;
                              case State::open:
                                self->read(conn);
                                break;
                              case State::lingering:
                                self->linger(conn);
                                break;
                              default:
                                break;
                            }
                          });
}

void TcpNetwork::Impl::read(const ConnPtr& conn) {
  if (conn->state != State::open || conn->paused) {
    return;
  }
  size_t filled = 0;
  Step step = Step::done;
  do {
    size_t got = 0;
    step = conn->session->read(std::span(scratch_).subspan(filled), got);
    filled += got;
  } while (step == Step::done && filled < scratch_.size() && conn->session->has_pending());
  if (filled != 0) {
    handler_->on_bytes(conn->link, ByteView(scratch_).first(filled));
  }
  if (conn->state != State::open) {
    return;
  }
  if (step == Step::failed) {
    drop(conn, conn->session->why());
  } else if (step == Step::ended) {
    drop(conn, refuse(Code::io_failed, "the other side closed the connection"));
  } else if (step == Step::want_read && !conn->paused) {
    wait_read(conn);
  } else if (step == Step::want_write) {
    wait_write(conn);  // the library owes an answer first; then we read on
  } else {
    ready_read(conn);
  }
}

/// Whatever comes is thrown away, until the other side has closed as well: if the socket went
/// before, what we sent last might be lost with it.
void TcpNetwork::Impl::linger(const ConnPtr& conn) {
  Failed failed;
  conn->socket.non_blocking(true, failed);
  const size_t got = conn->socket.read_some(asio::buffer(scratch_), failed);
  if (got != 0 || failed == asio::error::would_block) {
    wait_read(conn);
  } else {
    remove(conn);
  }
}

// Bytes out.

void TcpNetwork::Impl::write(env::Link link, Bytes bytes) {
  const ConnPtr conn = find(link);
  if (!conn || conn->state > State::open || conn->broken || bytes.empty()) {
    return;
  }
  conn->queue.add(std::move(bytes));
  conn->drain_due = true;
  if (conn->queue.size() > limits_.queued_max) {
    drop(conn, refuse(Code::too_large, "more was written than the link can queue", "report this"));
  } else if (conn->state == State::open) {
    make_dirty(conn);
  }
}

void TcpNetwork::Impl::make_dirty(const ConnPtr& conn) {
  if (conn->dirty) {
    return;
  }
  conn->dirty = true;
  dirty_.push_back(conn);
  if (dirty_.size() == 1) {
    loop_.at_turn_end([self = shared_from_this()] { self->flush_all(); });
  }
}

void TcpNetwork::Impl::flush_all() {
  const std::vector<ConnPtr> dirty = std::exchange(dirty_, {});
  for (const ConnPtr& conn : dirty) {
    conn->dirty = false;
    flush(conn);
  }
}

void TcpNetwork::Impl::flush(const ConnPtr& conn) {
  if (conn->writing || conn->broken ||
      (conn->state != State::open && conn->state != State::closing)) {
    return;
  }
  size_t sent = 0;
  while (conn->queue.size() != 0 && sent < turn_write_bytes) {
    size_t put = 0;
    const Step step = conn->session->write(conn->queue.front(), put);
    if (step == Step::want_write) {
      wait_write(conn);
      break;
    }
    if (step != Step::done) {
      cannot_write(conn);
      return;
    }
    conn->queue.take(put);
    sent += put;
  }
  if (conn->drain_due && conn->queue.size() <= limits_.low_water && conn->state == State::open) {
    conn->drain_due = false;
    add_event(conn->link, std::nullopt);
  }
  if (conn->queue.size() == 0 && conn->state == State::closing) {
    said_all(conn);
  } else if (conn->queue.size() != 0 && !conn->writing) {
    loop_.defer([self = shared_from_this(), conn] { self->make_dirty(conn); });
  }
}

/// The other side has gone. What it said before, and why it went, may still be there to be read.
void TcpNetwork::Impl::cannot_write(const ConnPtr& conn) {
  if (conn->state != State::open || conn->paused) {
    drop(conn, conn->session->why());
    return;
  }
  conn->broken = true;
  set_deadline(conn, limits_.close_ms, "the other side took nothing more");
  wait_read(conn);
}

void TcpNetwork::Impl::wait_write(const ConnPtr& conn) {
  if (conn->writing) {
    return;
  }
  conn->writing = true;
  conn->socket.async_wait(tcp::socket::wait_write,
                          [self = shared_from_this(), conn](const Failed& /*failed*/) {
                            conn->writing = false;
                            if (conn->state == State::handshaking) {
                              self->advance(conn);
                            } else {
                              self->flush(conn);
                              self->ready_read(conn);
                            }
                          });
}

// The end of a link.

void TcpNetwork::Impl::pause(env::Link link, bool paused) {
  const ConnPtr conn = find(link);
  if (conn && conn->paused != paused) {
    conn->paused = paused;
    ready_read(conn);
  }
}

void TcpNetwork::Impl::close(env::Link link) {
  const ConnPtr conn = find(link);
  if (!conn) {
    return;
  }
  if (conn->state < State::open) {
    drop(conn, refuse(Code::cancelled, "this side gave the connection up"));
  } else if (conn->state == State::open) {
    conn->state = State::closing;
    if (conn->broken) {
      drop(conn, refuse(Code::cancelled, "this side closed the connection"));
      return;
    }
    set_deadline(conn, limits_.close_ms, "the other side did not take what was written to it");
    make_dirty(conn);
  }
}

/// Everything written has gone to the kernel.
void TcpNetwork::Impl::said_all(const ConnPtr& conn) {
  conn->session->say_goodbye();
  Failed ignored;
  conn->socket.shutdown(tcp::socket::shutdown_send, ignored);
  conn->state = State::lingering;
  add_event(conn->link, refuse(Code::cancelled, "this side closed the connection"));
  wait_read(conn);
}

void TcpNetwork::Impl::set_deadline(const ConnPtr& conn, uint64_t ms, const std::string& what) {
  loop_.cancel(conn->deadline);
  conn->deadline = loop_.call_after(ms, [self = shared_from_this(), conn, ms, what] {
    if (conn->state == State::handshaking) {
      self->advance(conn);  // if it was us who were late, all that it needs has come
      if (conn->state != State::handshaking) {
        return;
      }
    }
    self->drop(conn,
               refuse(Code::timed_out,
                      what + " within " + std::to_string(ms) + " ms",
                      "check that the other side runs and can be reached"));
  });
}

/// Ends the link, and tells of it whoever knew it.
void TcpNetwork::Impl::drop(const ConnPtr& conn, Error why) {
  const State before = conn->state;
  if (before == State::dead) {
    return;
  }
  remove(conn);
  why.where = text_of(conn->address);
  if (conn->dialed || before == State::open || before == State::closing) {
    if (before != State::lingering) {
      add_event(conn->link, std::move(why));
    }
  } else if (refused_ && before == State::handshaking) {
    refused_(conn->address, why);
  }
}

void TcpNetwork::Impl::remove(const ConnPtr& conn) {
  if (conn->state == State::open || conn->state == State::closing ||
      conn->state == State::lingering) {
    --open_count_;
  }
  conn->state = State::dead;
  loop_.cancel(conn->deadline);
  half_open_.remove(conn->link);
  Failed ignored;
  conn->socket.close(ignored);
  conns_.erase(conn->link);
}

/// Told in the next turn: never from inside a call, and in the order in which it happened.
void TcpNetwork::Impl::add_event(env::Link link, std::optional<Error> closed) {
  events_.push_back({link, std::move(closed)});
  if (events_.size() == 1) {
    loop_.defer([self = shared_from_this()] { self->deliver(); });
  }
}

void TcpNetwork::Impl::deliver() {
  const std::vector<Event> events = std::exchange(events_, {});
  for (const Event& event : events) {
    if (abandoned_) {
      return;
    }
    if (event.closed) {
      handler_->on_closed(event.link, *event.closed);
    } else if (const ConnPtr conn = find(event.link); conn && conn->state == State::open) {
      handler_->on_drained(event.link);
    }
  }
}

ConnPtr TcpNetwork::Impl::find(env::Link link) const {
  const auto found = conns_.find(link);
  return found == conns_.end() ? nullptr : found->second;
}

void TcpNetwork::Impl::close_all() {
  acceptors_.clear();
  std::vector<env::Link> links;
  links.reserve(conns_.size());
  for (const auto& [link, conn] : conns_) {
    links.push_back(link);
  }
  std::sort(links.begin(), links.end());
  for (const env::Link link : links) {
    close(link);
  }
}

void TcpNetwork::Impl::abandon() {
  abandoned_ = true;
  acceptors_.clear();
  resolver_.cancel();
  while (!conns_.empty()) {
    remove(ConnPtr(conns_.begin()->second));
  }
}

}  // namespace lockstep::platform
