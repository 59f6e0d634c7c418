// Pages of a node for whoever watches over it: a small HTTP/1.1 server, on this machine alone.
// Bounded in all it takes, so that no client delays the node whose loop it shares.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "env/network.h"
#include "platform/loop.h"

namespace lockstep::platform {

struct HttpPage {
  std::string type;  // its Content-Type
  std::string body;
};

struct HttpLimits {
  size_t request_bytes_max = size_t{8} << 10;
  uint64_t wait_ms = 5'000;     // from the connection to the end of its answer
  size_t connections_max = 16;  // further ones wait until one of these ends
  uint64_t accept_gap_ms = 5;   // between two connections
};

/// GET and nothing else; one answer a connection. Requests that name another host are refused:
/// somebody's web page, which a browser on this machine has open, asks under its own name. Lives on
/// its loop's thread, and not longer than the loop.
class HttpDoor {
 public:
  /// Nothing: there is no page of this path.
  using Pages = std::function<std::optional<HttpPage>(const std::string& path)>;

  HttpDoor(Loop& loop, Pages pages, const HttpLimits& limits = {});
  ~HttpDoor();
  HttpDoor(const HttpDoor&) = delete;
  HttpDoor& operator=(const HttpDoor&) = delete;

  /// On 127.0.0.1; port 0 takes any that is free. Once. Errors: in_use, not_permitted, io_failed.
  [[nodiscard]] Result<env::Address> listen(uint16_t port);
  [[nodiscard]] size_t connection_count() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

/// What is wrong with a request's head (all up to the empty line), as an HTTP status: 200, or 400,
/// 403 (another host), 405, 505. `path` is what a request that is right asks for, without its
/// query. For the door and its tests.
[[nodiscard]] int read_http_head(std::string_view head, std::string& path);

}  // namespace lockstep::platform
