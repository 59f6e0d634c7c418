// The door with real sockets: what is asked rightly is answered, everything else is refused, and
// nobody holds it for long.
#include "platform/http_door.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/test_random.h"
#include "platform/files.h"
#include "platform/test_http_client.h"
#include "platform/usage.h"

namespace lockstep::platform {
namespace {

const std::string host = "Host: 127.0.0.1:9\r\n";

/// A door on a loop of its own.
class HttpDoorTest : public ::testing::Test {
 public:
  ~HttpDoorTest() override {
    loop_.stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 protected:
  void open(const HttpLimits& limits = patient()) {
    door_.emplace(
        loop_,
        [this](const std::string& path) {
          ++asked_;
          return path == "/page" ? std::optional(HttpPage{"text/plain", body_}) : std::nullopt;
        },
        limits);
    const auto address = door_->listen(0);
    ASSERT_TRUE(address.ok()) << address.error().message();
    EXPECT_EQ(address->host, "127.0.0.1");
    port_ = address->port;
    thread_ = std::thread([this] { loop_.run(); });
  }
  /// For tests that are not about time.
  static HttpLimits patient() {
    HttpLimits limits;
    limits.wait_ms = 60'000;
    return limits;
  }
  /// Whether a right request gets its answer; where there is little time, with one attempt of many.
  [[nodiscard]] bool is_answered() const {
    for (int attempt = 0; attempt < 200; ++attempt) {
      if (status("GET /page HTTP/1.1\r\n" + host + "\r\n") == 200) {
        return true;
      }
    }
    return false;
  }
  std::string ask(std::string_view text) const { return test_ask(port_, text); }
  static int status_of(const std::string& answer) {
    return answer.starts_with("HTTP/1.1 ") && answer.size() > 12 ? std::stoi(answer.substr(9, 3))
                                                                 : 0;
  }
  int status(std::string_view text) const { return status_of(ask(text)); }

  // NOLINTBEGIN(misc-non-private-member-variables-in-classes)
  Loop loop_;
  std::string body_ = "all is well\n";
  std::atomic<int> asked_{0};
  std::optional<HttpDoor> door_;
  uint16_t port_ = 0;
  std::thread thread_;
  // NOLINTEND(misc-non-private-member-variables-in-classes)
};

TEST_F(HttpDoorTest, GivesAPage) {
  open();
  const std::string answer = ask("GET /page HTTP/1.1\r\n" + host + "Accept: */*\r\n\r\n");
  EXPECT_EQ(answer,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\nall is well\n");
  EXPECT_EQ(status("GET /page?name=x HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(status("GET /page HTTP/1.1\r\nhost: LocalHost\r\n\r\nand more that nobody reads"), 200);
  EXPECT_EQ(status("GET /page HTTP/1.1\r\nHost:[::1]:80\r\n\r\n"), 200);
}

TEST_F(HttpDoorTest, RefusesEverythingElse) {
  open();
  const std::vector<std::pair<std::string, int>> cases = {
      {"GET / HTTP/1.1\r\n" + host + "\r\n", 404},
      {"GET /page/ HTTP/1.1\r\n" + host + "\r\n", 404},
      {"GET /../page HTTP/1.1\r\n" + host + "\r\n", 404},
      {"POST /page HTTP/1.1\r\n" + host + "\r\n", 405},
      {"HEAD /page HTTP/1.1\r\n" + host + "\r\n", 405},
      {"get /page HTTP/1.1\r\n" + host + "\r\n", 405},
      {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 405},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET /page HTTP/2.0\r\n" + host + "\r\n", 505},
      {"GET /page\r\n\r\n", 400},
      {"GET  /page HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http://127.0.0.1/page HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /page HTTP/1.1\r\n\r\n", 400},
      {"GET /page HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"GET /page HTTP/1.1\r\n" + host + "no colon\r\n\r\n", 400},
      {"GET /page HTTP/1.1\r\n" + host + "Name : x\r\n\r\n", 400},
      {"GET /page HTTP/1.1\r\n" + host + std::string("X: a\0b", 6) + "\r\n\r\n", 400},
      {"GET /page HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403},
      {"GET /page HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 403},
      {"GET /page HTTP/1.1\r\nHost: 127.0.0.1:80x\r\n\r\n", 403},
      {"\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 11), 400},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(status(text), expected) << text;
  }
  EXPECT_NE(ask("PUT /page HTTP/1.1\r\n" + host + "\r\n").find("\r\nAllow: GET\r\n"),
            std::string::npos);
}

TEST_F(HttpDoorTest, ARequestHasItsBound) {
  open();
  const std::string head = "GET /page HTTP/1.1\r\n" + host + "X: ";
  const size_t room = HttpLimits().request_bytes_max - head.size() - 4;
  EXPECT_EQ(status(head + std::string(room, 'a') + "\r\n\r\n"), 200);
  EXPECT_EQ(status(head + std::string(room + 1, 'a') + "\r\n\r\n"), 431);
  EXPECT_EQ(asked_, 1);
  // Without an end, and much more than anybody reads: an answer, or nothing, but an end.
  const std::string answer = ask(std::string(size_t{1} << 20, 'a'));
  EXPECT_TRUE(answer.empty() || status_of(answer) == 431) << answer;
}

TEST_F(HttpDoorTest, ARequestMayComeByteByByte) {
  open();
  TestHttpClient client(port_);
  for (const char c : "GET /page HTTP/1.1\r\n" + host + "\r\n") {
    client.say({&c, 1});
  }
  EXPECT_EQ(status_of(client.hear()), 200);
}

TEST_F(HttpDoorTest, WhoIsSlowIsDropped) {
  HttpLimits limits;
  limits.wait_ms = 50;
  open(limits);
  TestHttpClient silent(port_);
  TestHttpClient half(port_);
  half.say("GET /page HTT");
  EXPECT_EQ(silent.hear(), "");
  EXPECT_EQ(half.hear(), "");
  EXPECT_TRUE(is_answered());
}

TEST_F(HttpDoorTest, WhoDoesNotReadIsDropped) {
  body_.assign(size_t{64} << 20, 'x');  // more than any socket buffer holds
  HttpLimits limits;
  limits.wait_ms = 300;
  open(limits);
  TestHttpClient lazy(port_);
  lazy.say("GET /page HTTP/1.1\r\n" + host + "\r\n");
  size_t count = 1;
  while (count != 0) {  // it may not be there yet, or no more
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    std::atomic<bool> known{false};
    loop_.post([&] {
      count = door_->connection_count();
      known = true;
    });
    while (!known) {
      std::this_thread::yield();
    }
  }
  EXPECT_LT(lazy.hear().size(), body_.size());
}

TEST_F(HttpDoorTest, ItTakesSoManyAtOnce) {
  HttpLimits limits;
  limits.connections_max = 3;
  limits.wait_ms = 200;
  open(limits);
  std::vector<std::unique_ptr<TestHttpClient>> silent;
  for (int i = 0; i < 3; ++i) {
    silent.push_back(std::make_unique<TestHttpClient>(port_));
    ASSERT_TRUE(silent.back()->connected());
  }
  // The fourth waits, and comes in when one of the others is dropped.
  EXPECT_TRUE(is_answered());
  std::atomic<size_t> most{0};
  loop_.post([&] { most = door_->connection_count() + 1; });
  while (most == 0) {
    std::this_thread::yield();
  }
  EXPECT_LE(most - 1, 3U);
}

TEST_F(HttpDoorTest, GarbageDoesNotHurt) {
  open();
  TestRandom random(7);
  const std::string right = "GET /page HTTP/1.1\r\n" + host + "Accept: text/plain\r\n\r\n";
  for (int i = 0; i < 200; ++i) {
    std::string text = right;
    for (uint64_t change = random.next() % 4 + 1; change > 0; --change) {
      text[random.next() % text.size()] = static_cast<char>(random.next() >> 56);
    }
    TestHttpClient client(port_);
    client.say(text);
    client.say_no_more();
    const std::string answer = client.hear();
    EXPECT_TRUE(answer.empty() || status_of(answer) >= 200) << answer;
  }
  EXPECT_EQ(status(right), 200);
}

TEST(HttpDoor, APortThatIsTakenIsToldAsSuch) {
  Loop loop;
  const auto none = [](const std::string&) { return std::optional<HttpPage>(); };
  HttpDoor first(loop, none);
  const auto address = first.listen(0);
  ASSERT_TRUE(address.ok());
  HttpDoor second(loop, none);
  const auto taken = second.listen(address->port);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, Code::in_use);
}

TEST(Usage, KnowsWhatThisProcessHasTaken) {
  const Usage before = usage_of_process();
  EXPECT_GT(before.resident_bytes, uint64_t{1} << 20);
  EXPECT_GE(before.open_files, 3U);
  EXPECT_GT(before.open_files_max, before.open_files);
  const Descriptor more(::dup(0));
  EXPECT_EQ(usage_of_process().open_files, before.open_files + 1);
  volatile uint64_t work = 0;
  while (usage_of_process().cpu_seconds < before.cpu_seconds + 0.01) {
    work = work + 1;
  }
}

}  // namespace
}  // namespace lockstep::platform
