// Passphrases at a pseudo-terminal: never shown, and the echo is back on however it ends.
#include "platform/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <functional>

namespace lockstep::platform {
namespace {

/// Both ends of a pseudo-terminal; the person sits at `master`.
class Terminal : public ::testing::Test {
 protected:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    EXPECT_EQ(::grantpt(master_), 0);
    EXPECT_EQ(::unlockpt(master_), 0);
    slave_ = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);  // NOLINT(concurrency-mt-unsafe)
    EXPECT_GE(slave_, 0);
  }
  ~Terminal() override {
    (void)::close(master_);
    (void)::close(slave_);
  }

  [[nodiscard]] bool echo() const {
    struct termios now = {};
    EXPECT_EQ(::tcgetattr(slave_, &now), 0);
    return (now.c_lflag & ECHO) != 0;
  }
  void type(std::string_view text) const {
    EXPECT_EQ(::write(master_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  /// What the screen shows until it shows `last`; fails when nothing comes for long.
  std::string screen_until(const std::string& last) const {
    std::string shown;
    while (shown.find(last) == std::string::npos) {
      struct pollfd wanted = {.fd = master_, .events = POLLIN, .revents = 0};
      char letter = 0;
      if (::poll(&wanted, 1, 60'000) != 1 || ::read(master_, &letter, 1) != 1) {
        ADD_FAILURE() << "no \"" << last << "\" on the screen: " << shown;
        break;
      }
      shown += letter;
    }
    return shown;
  }
  /// A process that asks, and what becomes of it: its exit status is what `judge` says.
  pid_t child_that_asks(const std::function<int(const Result<crypto::SecretText>&)>& judge,
                        const std::function<void()>& before) const {
    const pid_t child = ::fork();
    if (child == 0) {
      before();
      ::_exit(judge(read_hidden(slave_, slave_, "Passphrase: ")));
    }
    return child;
  }
  static int status_of(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  }

  int master_;      // NOLINT(misc-non-private-member-variables-in-classes)
  int slave_ = -1;  // NOLINT(misc-non-private-member-variables-in-classes)
};

int is_hunter(const Result<crypto::SecretText>& line) {
  return line.ok() && line->text() == "hunter 2" ? 0 : 1;
}

void nothing() {}

TEST_F(Terminal, ALineIsReadAndNotShown) {
  const pid_t child = child_that_asks(is_hunter, nothing);
  std::string shown = screen_until("Passphrase: ");
  EXPECT_FALSE(echo());
  type("huntex\177r 2\n");
  shown += screen_until("\n");
  EXPECT_EQ(status_of(child), 0);
  EXPECT_EQ(shown, "Passphrase: \r\n");
  EXPECT_TRUE(echo());
}

TEST_F(Terminal, WhatWasTypedTooEarlyIsThrownAway) {
  type("early\n");
  (void)screen_until("early\r\n");
  const pid_t child = child_that_asks(is_hunter, nothing);
  (void)screen_until("Passphrase: ");
  type("hunter 2\n");
  EXPECT_EQ(status_of(child), 0);
}

TEST_F(Terminal, EverySignalThatEndsTheProcessTurnsTheEchoOnFirst) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    const pid_t child = child_that_asks(is_hunter, [signal] { (void)::signal(signal, SIG_DFL); });
    (void)screen_until("Passphrase: ");
    ASSERT_FALSE(echo());
    type("half");
    ASSERT_EQ(::kill(child, signal), 0);
    const int status = status_of(child);
    ASSERT_TRUE(WIFSIGNALED(status)) << signal;
    EXPECT_EQ(WTERMSIG(status), signal);
    EXPECT_TRUE(echo()) << signal;
  }
}

TEST_F(Terminal, ASignalThatTheProgramSurvivesCancels) {
  const auto cancelled = [](const Result<crypto::SecretText>& line) {
    return !line.ok() && line.error().code == Code::cancelled ? 0 : 1;
  };
  const pid_t child = child_that_asks(cancelled, [] { (void)::signal(SIGINT, [](int) {}); });
  (void)screen_until("Passphrase: ");
  ASSERT_EQ(::kill(child, SIGINT), 0);
  EXPECT_EQ(status_of(child), 0);
  EXPECT_TRUE(echo());
}

TEST_F(Terminal, AfterAStopItAsksAgain) {
  const pid_t child = child_that_asks(is_hunter, [] { (void)::setpgid(0, 0); });
  (void)screen_until("Passphrase: ");
  type("half");
  ASSERT_EQ(::kill(child, SIGTSTP), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  // An orphaned process group is not stopped by SIGTSTP: then it only asks again.
  if (WIFSTOPPED(status)) {
    EXPECT_TRUE(echo());
    ASSERT_EQ(::kill(child, SIGCONT), 0);
  }
  (void)screen_until("Passphrase: ");
  type("hunter 2\n");
  EXPECT_EQ(status_of(child), 0);
  EXPECT_TRUE(echo());
}

TEST_F(Terminal, EndOfInputCancels) {
  const pid_t child = child_that_asks(
      [](const Result<crypto::SecretText>& line) {
        return !line.ok() && line.error().code == Code::cancelled ? 0 : 1;
      },
      nothing);
  (void)screen_until("Passphrase: ");
  type("\4");
  EXPECT_EQ(status_of(child), 0);
  EXPECT_TRUE(echo());
}

TEST_F(Terminal, TooLongALineIsRefusedWhole) {
  const pid_t child = child_that_asks(
      [this](const Result<crypto::SecretText>& line) {
        const bool refused = !line.ok() && line.error().code == Code::too_large;
        return refused ? is_hunter(read_hidden(slave_, slave_, "Again: ")) : 2;
      },
      nothing);
  (void)screen_until("Passphrase: ");
  type(std::string(1500, 'x') + "\n");
  (void)screen_until("Again: ");
  type("hunter 2\n");
  EXPECT_EQ(status_of(child), 0);
}

TEST_F(Terminal, KnowsItsWidth) {
  struct winsize size = {};
  size.ws_col = 123;
  ASSERT_EQ(::ioctl(master_, TIOCSWINSZ, &size), 0);
  EXPECT_EQ(terminal_width(slave_), 123U);
  EXPECT_TRUE(is_terminal(slave_));
  const int file = ::open("/dev/null", O_RDWR);
  EXPECT_FALSE(is_terminal(file));
  EXPECT_EQ(terminal_width(file), 80U);
  EXPECT_FALSE(read_hidden(file, file, "x").ok());
  (void)::close(file);
}

TEST_F(Terminal, ColourIsWantedUnlessSomebodySaysNo) {
  const auto wanted = [this](const char* no_colour, const char* terminal) {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)::unsetenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
      if (no_colour != nullptr) {
        (void)::setenv("NO_COLOR", no_colour, 1);  // NOLINT(concurrency-mt-unsafe)
      }
      (void)::setenv("TERM", terminal, 1);  // NOLINT(concurrency-mt-unsafe)
      ::_exit(wants_colour(slave_) ? 0 : 1);
    }
    return status_of(child) == 0;
  };
  EXPECT_TRUE(wanted(nullptr, "xterm"));
  EXPECT_TRUE(wanted("", "xterm"));
  EXPECT_FALSE(wanted("1", "xterm"));
  EXPECT_FALSE(wanted(nullptr, "dumb"));
  const int file = ::open("/dev/null", O_RDWR);
  EXPECT_FALSE(wants_colour(file));
  (void)::close(file);
}

TEST(TerminalOfTheProcess, IsAskedForOrRefused) {
  const pid_t child = ::fork();
  if (child == 0) {
    (void)::setsid();  // a session without a terminal
    const auto line = read_hidden("Passphrase: ");
    ::_exit(!line.ok() && line.error().code == Code::bad_option ? 0 : 1);
  }
  int status = 1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace lockstep::platform
