#include "platform/http_door.h"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <set>
#include <utility>

namespace lockstep::platform {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failed = boost::system::error_code;

constexpr std::string_view head_end = "\r\n\r\n";
// No file descriptors left: how long until we try to take connections again.
constexpr uint64_t accept_pause_ms = 1'000;
constexpr size_t ignored_bytes_max = size_t{64} << 10;

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Bad Request";
  }
}

std::string write_answer(int status, const HttpPage& page) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " + reason_of(status) + "\r\n";
  if (status == 405) {
    text += "Allow: GET\r\n";
  }
  text += "Content-Type: " + page.type + "\r\nContent-Length: " + std::to_string(page.body.size()) +
          "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
          "Connection: close\r\n\r\n";
  return text + page.body;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_printable(std::string_view text, bool with_space) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    const auto code = static_cast<unsigned char>(c);
    return with_space ? (code >= 0x20 && code != 0x7f) || code == '\t' : code > 0x20 && code < 0x7f;
  });
}

std::string lower(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return made;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Whether this is the machine itself, by any port: it may be forwarded.
bool is_own_host(std::string_view host) {
  const std::string name = lower(host);
  for (const std::string_view own : {"127.0.0.1", "localhost", "[::1]"}) {
    if (!name.starts_with(own)) {
      continue;
    }
    const std::string_view port = std::string_view(name).substr(own.size());
    if (port.empty() ||
        (port.front() == ':' && port.size() <= 6 &&
         std::all_of(port.begin() + 1, port.end(), [](char c) { return c >= '0' && c <= '9'; }))) {
      return true;
    }
  }
  return false;
}

/// The next line without its end.
std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 2, text.size()));
  return line;
}

int read_request_line(std::string_view line, std::string& path) {
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) {
    return 400;
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (!is_token(method) || target.empty() || !is_printable(target, false) || version.size() != 8 ||
      !version.starts_with("HTTP/")) {
    return 400;
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return 505;
  }
  if (method != "GET") {
    return 405;
  }
  if (target.front() != '/') {
    return 400;
  }
  path = std::string(target.substr(0, target.find('?')));
  return 200;
}

}  // namespace

int read_http_head(std::string_view head, std::string& path) {
  path.clear();
  const std::string_view first = take_line(head);
  const bool is_old = first.ends_with("HTTP/1.0");
  const int status = read_request_line(first, path);
  if (status != 200) {
    return status;
  }
  int hosts = 0;
  bool is_own = true;
  while (!head.empty()) {
    const std::string_view line = take_line(head);
    const size_t colon = line.find(':');
    if (line.empty()) {
      break;
    }
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) ||
        !is_printable(line, true)) {
      return 400;
    }
    if (lower(line.substr(0, colon)) == "host") {
      ++hosts;
      is_own = is_own_host(trimmed(line.substr(colon + 1)));
    }
  }
  if (hosts > 1 || (hosts == 0 && !is_old)) {
    return 400;
  }
  return is_own ? 200 : 403;
}

class HttpDoor::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, Pages pages, const HttpLimits& limits)
      : limits_(limits), loop_(loop), pages_(std::move(pages)), acceptor_(loop.context()) {}

  Result<env::Address> listen(uint16_t port) {
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
    Failed failed;
    acceptor_.open(endpoint.protocol(), failed);
    if (!failed) {
      acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
    }
    if (!failed) {
      acceptor_.bind(endpoint, failed);
    }
    if (!failed) {
      acceptor_.listen(static_cast<int>(limits_.connections_max), failed);
    }
    const tcp::endpoint bound = failed ? endpoint : acceptor_.local_endpoint(failed);
    if (failed) {
      Failed ignored;
      acceptor_.close(ignored);
      return cannot_listen(failed, port);
    }
    accept();
    return env::Address{"127.0.0.1", bound.port()};
  }

  void abandon() {
    abandoned_ = true;
    Failed ignored;
    acceptor_.close(ignored);
    for (const ConnPtr& conn : std::exchange(conns_, {})) {
      loop_.cancel(conn->deadline);
      conn->socket.close(ignored);
    }
  }

  [[nodiscard]] size_t count() const { return conns_.size(); }

 private:
  struct Conn {
    explicit Conn(tcp::socket made) : socket(std::move(made)) {}
    tcp::socket socket;
    std::string request, answer;
    std::array<char, 2048> part{};
    size_t ignored = 0;  // bytes after the request
    Loop::Timer deadline = 0;
  };
  using ConnPtr = std::shared_ptr<Conn>;

  static Error cannot_listen(const Failed& failed, uint16_t port) {
    const std::string where = "127.0.0.1:" + std::to_string(port);
    if (failed == asio::error::address_in_use) {
      return refuse(
          Code::in_use, "another process listens on this port", "choose another one", where);
    }
    if (failed == asio::error::access_denied || failed == asio::error::no_permission) {
      return refuse(
          Code::not_permitted, "this port may not be used", "choose one of 1024 and above", where);
    }
    return refuse(Code::io_failed, "cannot listen: " + failed.message(), {}, where);
  }

  void accept() {
    if (abandoned_ || accepting_ || conns_.size() >= limits_.connections_max) {
      return;
    }
    accepting_ = true;
    acceptor_.async_accept([self = shared_from_this()](const Failed& failed, tcp::socket socket) {
      self->on_accepted(failed, std::move(socket));
    });
  }

  void on_accepted(const Failed& failed, tcp::socket socket) {
    if (abandoned_) {
      return;
    }
    if (!failed) {
      const auto conn = std::make_shared<Conn>(std::move(socket));
      conns_.insert(conn);
      conn->deadline =
          loop_.call_after(limits_.wait_ms, [self = shared_from_this(), conn] { self->end(conn); });
      read(conn);
    }
    const bool is_out_of_files =
        failed == asio::error::no_descriptors || failed == asio::error::no_memory;
    loop_.call_after(is_out_of_files ? accept_pause_ms : limits_.accept_gap_ms,
                     [self = shared_from_this()] {
                       self->accepting_ = false;
                       self->accept();
                     });
  }

  void read(const ConnPtr& conn) {
    conn->socket.async_read_some(
        asio::buffer(conn->part),
        [self = shared_from_this(), conn](const Failed& failed, size_t count) {
          self->on_read(conn, failed, count);
        });
  }

  void on_read(const ConnPtr& conn, const Failed& failed, size_t count) {
    if (failed || !conns_.contains(conn)) {
      end(conn);
      return;
    }
    if (!conn->answer.empty()) {  // said all: what still comes is not looked at
      conn->ignored += count;
      conn->ignored > ignored_bytes_max ? end(conn) : read(conn);
      return;
    }
    const size_t seen = conn->request.size();
    conn->request.append(conn->part.data(), count);
    const size_t at = conn->request.find(head_end, seen < head_end.size() ? 0 : seen - 3);
    if (at != std::string::npos && at + head_end.size() <= limits_.request_bytes_max) {
      answer(conn, std::string_view(conn->request).substr(0, at + 2));
    } else if (conn->request.size() > limits_.request_bytes_max) {
      say(conn, 431, HttpPage{"text/plain", "the request is too long\n"});
    } else {
      read(conn);
    }
  }

  void answer(const ConnPtr& conn, std::string_view head) {
    std::string path;
    int status = read_http_head(head, path);
    auto page = status == 200 ? pages_(path) : std::nullopt;
    if (status == 200 && !page) {
      status = 404;
    }
    say(conn,
        status,
        page ? std::move(*page) : HttpPage{"text/plain", std::string(reason_of(status)) + "\n"});
  }

  void say(const ConnPtr& conn, int status, const HttpPage& page) {
    conn->answer = write_answer(status, page);
    asio::async_write(conn->socket,
                      asio::buffer(conn->answer),
                      [self = shared_from_this(), conn](const Failed& failed, size_t /*count*/) {
                        self->on_said(conn, failed);
                      });
  }

  /// Closing with bytes unread would reset the connection, and the client might lose its answer.
  void on_said(const ConnPtr& conn, const Failed& failed) {
    if (failed || !conns_.contains(conn)) {
      end(conn);
      return;
    }
    Failed ignored;
    conn->socket.shutdown(tcp::socket::shutdown_send, ignored);
    read(conn);
  }

  void end(const ConnPtr& conn) {
    if (conns_.erase(conn) == 0) {
      return;
    }
    loop_.cancel(conn->deadline);
    Failed ignored;
    conn->socket.close(ignored);
    accept();
  }

  HttpLimits limits_;
  Loop& loop_;
  Pages pages_;
  tcp::acceptor acceptor_;
  std::set<ConnPtr> conns_;
  bool accepting_ = false;
  bool abandoned_ = false;
};

HttpDoor::HttpDoor(Loop& loop, Pages pages, const HttpLimits& limits)
    : impl_(std::make_shared<Impl>(loop, std::move(pages), limits)) {}

HttpDoor::~HttpDoor() {
  impl_->abandon();
}

Result<env::Address> HttpDoor::listen(uint16_t port) {
  return impl_->listen(port);
}

size_t HttpDoor::connection_count() const {
  return impl_->count();
}

}  // namespace lockstep::platform
