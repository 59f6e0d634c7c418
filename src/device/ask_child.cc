#include "device/ask_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace lockstep::device {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The last byte of a whole answer: without it the child died while it wrote.
constexpr char answer_end = '\x04';
constexpr int child_failed = 1;

void write_all(int to, const std::string& text) {
  size_t at = 0;
  while (at < text.size()) {
    const ssize_t wrote = write(to, text.data() + at, text.size() - at);
    if (wrote <= 0 && errno != EINTR) {
      return;
    }
    at += static_cast<size_t>(std::max<ssize_t>(0, wrote));
  }
}

[[noreturn]] void answer(const std::function<std::string()>& question, int to) {
  // Libraries print; nobody wants to read that. And a crash here is expected: no dump, no handler.
  const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int stream = STDIN_FILENO; nowhere >= 0 && stream <= STDERR_FILENO; ++stream) {
    (void)dup2(nowhere, stream);
  }
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
    (void)signal(number, SIG_DFL);
  }
  try {
    write_all(to, question() + answer_end);
  } catch (...) {
    _exit(child_failed);
  }
  _exit(0);
}

/// Reads until the other end is closed. False: the deadline came first.
bool read_until(int from, steady_clock::time_point deadline, std::string& text) {
  std::array<char, 4096> part{};
  while (text.size() <= answer_bytes_max) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) {
      return false;
    }
    pollfd wait{from, POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(left)) <= 0) {
      continue;
    }
    const ssize_t got = read(from, part.data(), part.size());
    if (got == 0 || (got < 0 && errno != EINTR)) {
      return true;
    }
    text.append(part.data(), static_cast<size_t>(std::max<ssize_t>(0, got)));
  }
  return true;
}

/// A process that hangs inside a driver may not even die of SIGKILL: it is not waited for long.
void end_child(pid_t child) {
  constexpr int tries = 200;
  constexpr int pause_ms = 5;
  (void)kill(child, SIGKILL);
  for (int i = 0; i < tries && waitpid(child, nullptr, WNOHANG) == 0; ++i) {
    (void)poll(nullptr, 0, pause_ms);
  }
}

}  // namespace

Result<std::string> ask_child(const std::function<std::string()>& question, uint32_t deadline_ms) {
  const auto deadline = steady_clock::now() + milliseconds(deadline_ms);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return refuse(Code::io_failed, "cannot make a pipe");
  }
  const pid_t child = fork();
  if (child == 0) {
    (void)close(ends[0]);
    answer(question, ends[1]);
  }
  (void)close(ends[1]);
  if (child < 0) {
    (void)close(ends[0]);
    return refuse(Code::io_failed, "cannot start a process");
  }
  std::string text;
  const bool ended = read_until(ends[0], deadline, text);
  (void)close(ends[0]);
  end_child(child);
  // A grandchild may hold the pipe open after the answer has come.
  if (!ended && !text.ends_with(answer_end)) {
    return refuse(Code::timed_out, "no answer within " + std::to_string(deadline_ms) + " ms");
  }
  if (text.size() > answer_bytes_max) {
    return refuse(Code::too_large, "an answer of more than a megabyte");
  }
  if (!text.ends_with(answer_end)) {
    return refuse(Code::io_failed, "it ended without an answer");
  }
  text.pop_back();
  return text;
}

}  // namespace lockstep::device
