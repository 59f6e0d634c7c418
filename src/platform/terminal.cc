#include "platform/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace lockstep::platform {
namespace {

Error no_terminal() {
  return refuse(Code::io_failed, "the terminal cannot be read");
}

/// Switches the echo off, and on again when it goes.
class Hidden {
 public:
  explicit Hidden(int terminal) : terminal_(terminal) {
    done_ = ::tcgetattr(terminal, &before_) == 0;
    if (done_) {
      struct termios hidden = before_;
      hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
      hidden.c_lflag |= ICANON | ISIG;
      // What was typed before it went off is thrown away: it may have been seen.
      done_ = ::tcsetattr(terminal, TCSAFLUSH, &hidden) == 0;
    }
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;
  ~Hidden() {
    if (done_) {
      (void)::tcsetattr(terminal_, TCSADRAIN, &before_);
    }
  }
  [[nodiscard]] bool done() const { return done_; }

 private:
  int terminal_;
  bool done_ = false;
  struct termios before_ = {};
};

/// Keeps signals waiting while it lives; what came is delivered when it goes.
class Held {
 public:
  Held() {
    (void)::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGALRM}) {
      (void)::sigaddset(&signals_, signal);
    }
    (void)::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    descriptor_ = ::signalfd(-1, &signals_, SFD_CLOEXEC);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    if (descriptor_ >= 0) {
      (void)::close(descriptor_);
    }
    (void)::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  /// Readable when a signal waits; it is never read from, so that the signal is delivered later.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] static bool stop_waits() {
    sigset_t waiting;
    return ::sigpending(&waiting) == 0 && ::sigismember(&waiting, SIGTSTP) == 1;
  }

 private:
  sigset_t signals_ = {};
  sigset_t before_ = {};
  int descriptor_ = -1;
};

enum class Ended { line, too_long, no_input, signal, stop };

/// Waits until there is input, true, or a signal.
bool wait_for_input(int in, const Held& held) {
  std::array<struct pollfd, 2> wanted = {
      {{.fd = in, .events = POLLIN, .revents = 0},
       {.fd = held.descriptor(), .events = POLLIN, .revents = 0}}};
  while (::poll(wanted.data(), wanted.size(), -1) < 0 && errno == EINTR) {
  }
  return (wanted[1].revents & POLLIN) == 0;
}

Ended read_line(int in, const Held& held, crypto::SecretText& line) {
  bool fits = true;
  while (true) {
    if (!wait_for_input(in, held)) {
      return Held::stop_waits() ? Ended::stop : Ended::signal;
    }
    char letter = 0;
    const ssize_t count = ::read(in, &letter, 1);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return Ended::no_input;
    }
    if (letter == '\n' || letter == '\r') {
      return fits ? Ended::line : Ended::too_long;
    }
    fits = line.add(letter) && fits;
  }
}

void show(int out, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(out, text.data(), text.size());
    if (count < 0 && errno != EINTR) {
      return;
    }
    text.remove_prefix(count > 0 ? static_cast<size_t>(count) : 0);
  }
}

Result<Ended> ask_once(int in, int out, const std::string& prompt, crypto::SecretText& line) {
  // Goes last: by then the echo is on again.
  const Held held;
  const Hidden hidden(in);
  if (!hidden.done() || held.descriptor() < 0) {
    return no_terminal();
  }
  show(out, prompt);
  const Ended ended = read_line(in, held, line);
  show(out, "\n");
  return ended;
}

}  // namespace

bool is_terminal(int descriptor) {
  return ::isatty(descriptor) == 1;
}

size_t terminal_width(int descriptor) {
  struct winsize size = {};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return 80;
  }
  return size.ws_col;
}

bool wants_colour(int descriptor) {
  // Read before any thread is started.
  const char* const none = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  const char* const terminal = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
  const bool refused = none != nullptr && *none != '\0';
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return is_terminal(descriptor) && !refused && !dumb;
}

Result<crypto::SecretText> read_hidden(int in, int out, const std::string& prompt) {
  while (true) {
    crypto::SecretText line;
    switch (TRY(ask_once(in, out, prompt, line))) {
      case Ended::line:
        return line;
      case Ended::too_long:
        return refuse(
            Code::too_large,
            "this is longer than " + std::to_string(crypto::SecretText::bytes_max) + " bytes",
            "type a shorter one");
      case Ended::no_input:
      case Ended::signal:
        return refuse(Code::cancelled, "nothing was entered", "nothing was changed");
      case Ended::stop:
        break;  // the process was stopped, and now goes on
    }
  }
}

Result<crypto::SecretText> read_hidden(const std::string& prompt) {
  const int terminal = ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) {
    return refuse(Code::bad_option,
                  "there is no terminal to ask for a passphrase",
                  "give --passphrase-file PATH");
  }
  auto line = read_hidden(terminal, terminal, prompt);
  (void)::close(terminal);
  return line;
}

}  // namespace lockstep::platform
