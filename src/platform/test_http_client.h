// For tests only: a client that blocks, as clients do.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <string_view>

namespace lockstep::platform {

class TestHttpClient {
 public:
  explicit TestHttpClient(uint16_t port) : socket_(context_) {
    boost::system::error_code failed;
    socket_.connect({boost::asio::ip::address_v4::loopback(), port}, failed);
    connected_ = !failed;
  }
  [[nodiscard]] bool connected() const { return connected_; }
  void say(std::string_view text) {
    boost::system::error_code failed;
    boost::asio::write(socket_, boost::asio::buffer(text.data(), text.size()), failed);
  }
  void say_no_more() {
    boost::system::error_code failed;
    socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, failed);
  }
  /// All that comes until the other side closes.
  [[nodiscard]] std::string hear() {
    std::string heard;
    std::array<char, 4096> part{};
    boost::system::error_code failed;
    while (!failed) {
      const size_t got = socket_.read_some(boost::asio::buffer(part), failed);
      heard.append(part.data(), got);
    }
    return heard;
  }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
  bool connected_ = false;
};

/// What this gets from a port of this machine, until the other side closes.
inline std::string test_ask(uint16_t port, std::string_view request) {
  TestHttpClient client(port);
  client.say(request);
  return client.hear();
}

}  // namespace lockstep::platform
