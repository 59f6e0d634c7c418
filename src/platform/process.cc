// Process: two forks, a pipe each way, pid files, pidfds.
#include "platform/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill() is not in <csignal>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "platform/files.h"

namespace lockstep::platform {
namespace {

constexpr size_t report_bytes_max = 4096;  // one write to a pipe of this size is whole
constexpr size_t pid_file_bytes_max = 256;
constexpr const char* search_path = "PATH=/usr/local/bin:/usr/bin:/bin";

constexpr int kill_wait_ms = 10'000;

/// Everything that a child needs, made before the fork.
struct Prepared {
  std::vector<std::string> words;
  std::vector<std::string> settings;
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::optional<View> view;
  Descriptor input;
  Descriptor log;
};

struct Pipe {
  Descriptor out;  // read here
  Descriptor in;
};

/// Sockets: writing to one whose other end is gone is an error, where a pipe would raise SIGPIPE.
Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_error(errno, "a pipe cannot be made", {});
  }
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    all.push_back(text.data());
  }
  all.push_back(nullptr);
  return all;
}

Result<Descriptor> open_input(const std::optional<Bytes>& input) {
  Descriptor file(input.has_value() ? ::memfd_create("input", MFD_CLOEXEC)
                                    : ::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!file.ok()) {
    return system_error(errno, "a program's input cannot be made", {});
  }
  if (input.has_value()) {
    TRY(write_all(file.number(), *input, {}));
    if (::lseek(file.number(), 0, SEEK_SET) != 0) {
      return system_error(errno, "a program's input cannot be made", {});
    }
  }
  return file;
}

/// A log on a disk that gets full must still be able to say so. Where this is not possible, it is
/// silent then.
void keep_room(int log) {
  constexpr off_t last_words_bytes = off_t{64} << 10;
  struct stat found = {};
  if (::fstat(log, &found) == 0) {
    (void)::fallocate(log, FALLOC_FL_KEEP_SIZE, found.st_size, last_words_bytes);
  }
}

Result<Prepared> prepare(const Launch& launch) {
  Prepared made;
  if (launch.program.empty() || launch.program.front() != '/' ||
      ::access(launch.program.c_str(), X_OK) != 0) {
    return refuse(Code::file_not_found,
                  "there is no such program",
                  "give the absolute path of one",
                  launch.program);
  }
  std::error_code failed;
  made.words.push_back(std::filesystem::canonical(launch.program, failed).string());
  made.words.insert(made.words.end(), launch.arguments.begin(), launch.arguments.end());
  made.settings = {search_path, "LANG=C.UTF-8", "HOME=/nonexistent"};
  for (const auto& [name, value] : launch.environment) {
    made.settings.push_back(std::string(name).append("=").append(value));
  }
  if (launch.view.has_value()) {
    View view = *launch.view;
    view.readable.push_back(made.words.front());
    made.view = TRY(resolved(view));
  }
  made.input = TRY(open_input(launch.input));
  made.log = Descriptor(::open(
      launch.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600));
  if (!made.log.ok()) {
    return system_error(errno, "the log cannot be written", launch.log);
  }
  keep_room(made.log.number());
  made.argv = pointers(made.words);
  made.envp = pointers(made.settings);
  return made;
}

/// What the child tells its parent: its pid first; then an error, or the end of the pipe when the
/// program runs.
void report(int descriptor, const Error& error) {
  std::string text = std::to_string(static_cast<int>(error.code));
  text.append("\n").append(error.where).append("\n").append(error.what).append("\n");
  text.append(error.next);
  text.resize(std::min(text.size(), report_bytes_max));
  (void)!::write(descriptor, text.data(), text.size());
}

Error read_report(const std::string& text) {
  std::istringstream in(text);
  Error error;
  int code = 0;
  in >> code;
  in.ignore();
  std::getline(in, error.where);
  std::getline(in, error.what);
  std::getline(in, error.next);
  error.code = static_cast<Code>(code);
  return error;
}

/// All that the pipe gives until it ends.
std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 512> part{};
  while (true) {
    const ssize_t size = ::read(descriptor, part.data(), part.size());
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size <= 0) {
      return text;
    }
    text.append(part.data(), static_cast<size_t>(size));
  }
}

/// Reads exactly `size` bytes.
bool read_exactly(int descriptor, void* to, size_t size) {
  auto* at = static_cast<uint8_t*>(to);
  while (size > 0) {
    const ssize_t got = ::read(descriptor, at, size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return false;
    }
    at += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

void reset_signals() {
  struct sigaction usual = {};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) {
    (void)::sigaction(number, &usual, nullptr);  // SIGKILL and SIGSTOP refuse
  }
  sigset_t none;
  (void)::sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// All but those below `first`.
void close_from(unsigned first) {
  if (::syscall(SYS_close_range, first, ~0U, 0U) == 0) {
    return;
  }
  const auto count = static_cast<unsigned>(::sysconf(_SC_OPEN_MAX));
  for (unsigned number = first; number < count; ++number) {
    ::close(static_cast<int>(number));
  }
}

Result<void> limit_self() {
  const rlimit none = {0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) {
    return system_error(errno, "core files cannot be forbidden", {});
  }
  ::umask(077);
  return {};
}

/// The pipes' ends become 3 and 4, whatever numbers they and the standard three have now: all are
/// lifted out of the way first.
bool arrange_descriptors(const Prepared& made, int go, int status) {
  constexpr int above = 16;
  const std::array<int, 5> wanted = {
      made.input.number(), made.log.number(), made.log.number(), go, status};
  std::array<int, 5> lifted{};
  for (size_t i = 0; i < wanted.size(); ++i) {
    lifted[i] = ::fcntl(wanted[i], F_DUPFD, above);
    if (lifted[i] < 0) {
      return false;
    }
  }
  for (size_t i = 0; i < lifted.size(); ++i) {
    if (::dup2(lifted[i], static_cast<int>(i)) < 0) {
      return false;
    }
  }
  close_from(5);
  return ::fcntl(3, F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(4, F_SETFD, FD_CLOEXEC) == 0;
}

/// The grandchild, until it is the program. Does not return.
[[noreturn]] void become(Prepared& made, int go, int status) {
  constexpr int go_here = 3;
  constexpr int status_here = 4;
  if (!arrange_descriptors(made, go, status)) {
    ::_exit(127);
  }
  const pid_t self = ::getpid();
  (void)!::write(status_here, &self, sizeof self);
  char word = 0;
  // The parent has written the pid file, or is gone, and then so is everything.
  if (!read_exactly(go_here, &word, 1)) {
    ::_exit(127);
  }
  reset_signals();
  Result<void> done = limit_self();
  if (done.ok() && made.view.has_value()) {
    done = enter(*made.view);
  } else if (done.ok() && ::chdir("/") != 0) {
    done = system_error(errno, "cannot be entered", "/");
  }
  if (done.ok()) {
    ::execve(made.argv[0], made.argv.data(), made.envp.data());
    done = system_error(errno, "the program cannot be run", made.words[0]);
  }
  report(status_here, done.error());
  ::_exit(127);
}

/// The process in between, which makes the program nobody's child.
[[noreturn]] void fork_again(Prepared& made, int go, int status) {
  if (::setsid() < 0) {
    ::_exit(1);
  }
  const pid_t grandchild = ::fork();
  if (grandchild == 0) {
    become(made, go, status);
  }
  ::_exit(grandchild < 0 ? 1 : 0);
}

void wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
}

/// Field `number`, counted from 1, of /proc/PID/stat; empty when there is no such process.
std::string stat_field(int pid, int number) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  const std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  // The second field, the name, is in brackets and may hold anything.
  const size_t bracket = all.rfind(')');
  if (bracket == std::string::npos) {
    return {};
  }
  std::istringstream rest(all.substr(bracket + 1));
  std::string field;
  for (int at = 3; at <= number; ++at) {
    rest >> field;
  }
  return rest.fail() ? std::string() : field;
}

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  in >> id;
  return id;
}

/// When the process with this pid began; empty when there is none.
std::string start_of(int pid) {
  const std::string ticks = stat_field(pid, 22);
  return ticks.empty() ? ticks : ticks + " " + boot_id();
}

/// Waits until a process ends. False: it has not, in that time.
bool wait_for_end(const Descriptor& process, int timeout_ms) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(timeout_ms);
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd waiting = {process.number(), POLLIN, 0};
    const int found = ::poll(&waiting, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (found >= 0 || errno != EINTR) {
      return found > 0;
    }
  }
}

}  // namespace

Result<Process> Process::of_pid(int pid) {
  std::string start = start_of(pid);
  if (start.empty()) {
    return refuse(Code::io_failed, "/proc does not say when a process began", "mount /proc");
  }
  return Process(pid, std::move(start));
}

Result<Process> Process::self() {
  return of_pid(::getpid());
}

Result<Process> Process::spawn(const Launch& launch) {
  const auto earlier = find(launch.pid_file);
  if (earlier.ok() && earlier->is_alive()) {
    return refuse(Code::in_use,
                  "process " + std::to_string(earlier->pid()) + " runs already",
                  "end it first",
                  launch.pid_file);
  }
  Prepared made = TRY(prepare(launch));
  Pipe go = TRY(make_pipe());
  Pipe status = TRY(make_pipe());
  const pid_t child = ::fork();
  if (child < 0) {
    return system_error(errno, "a process cannot be made", {});
  }
  if (child == 0) {
    // Only the parent's own end may keep the child waiting.
    go.in.close();
    fork_again(made, go.out.number(), status.in.number());
  }
  wait_for(child);
  go.out.close();
  status.in.close();
  pid_t pid = 0;
  if (!read_exactly(status.out.number(), &pid, sizeof pid)) {
    return refuse(Code::io_failed, "a process cannot be made", "check the limits (ulimit -a)");
  }
  const Process started = TRY(of_pid(pid));
  const std::string text = started.text();
  TRY(write_durably(launch.pid_file, Bytes(text.begin(), text.end()), Access::owner_only));
  (void)::send(go.in.number(), "g", 1, MSG_NOSIGNAL);
  const std::string problem = read_all(status.out.number());
  if (!problem.empty()) {
    ::unlink(launch.pid_file.c_str());
    return read_report(problem);
  }
  return started;
}

Result<Process> Process::find(const std::string& pid_file) {
  const Bytes bytes = TRY(Files().read(pid_file, pid_file_bytes_max));
  const std::string text(bytes.begin(), bytes.end());
  int pid = 0;
  const auto [stopped, failed] = std::from_chars(text.data(), text.data() + text.size(), pid);
  const auto used = static_cast<size_t>(stopped - text.data());
  if (failed != std::errc() || pid <= 1 || used + 1 >= text.size() || text[used] != ' ' ||
      text.back() != '\n') {
    return refuse(Code::io_failed, "this is no pid file", "delete it", pid_file);
  }
  return Process(pid, text.substr(used + 1, text.size() - used - 2));
}

std::string Process::text() const {
  return std::to_string(pid_) + " " + start_ + "\n";
}

bool Process::is_alive() const {
  const std::string state = stat_field(pid_, 3);
  if (state.empty()) {
    // /proc may be mounted so that it hides processes that cannot be traced.
    return ::kill(pid_, 0) == 0;
  }
  return state != "Z" && state != "X" && start_of(pid_) == start_;
}

Result<bool> Process::terminate(int grace_ms) const {
  // Held before it is looked at: from here on this is one process, whatever becomes of its pid.
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!process.ok() && errno != ESRCH) {
    return system_error(errno, "the process cannot be watched", std::to_string(pid_));
  }
  if (!process.ok() || !is_alive()) {
    return true;
  }
  for (const int signal : {SIGTERM, SIGKILL}) {
    if (::syscall(SYS_pidfd_send_signal, process.number(), signal, nullptr, 0) != 0 &&
        errno != ESRCH) {
      return refuse(Code::not_permitted,
                    "process " + std::to_string(pid_) + " belongs to another user",
                    "end it as that user");
    }
    if (wait_for_end(process, signal == SIGTERM ? grace_ms : kill_wait_ms)) {
      return signal == SIGTERM;
    }
  }
  return refuse(Code::io_failed, "the process does not end", "look at it with ps");
}

}  // namespace lockstep::platform
