// What a new user does wrong, done for real: each mistake has its exit code and a line that says
// what to do.
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>

#include <sstream>

#include "apps/test_network_folder.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

/// The exit code, and every one of the words.
void expect_told(const Output& output, int exit, const std::vector<std::string>& words) {
  EXPECT_EQ(output.exit, exit) << output.text;
  for (const std::string& word : words) {
    EXPECT_NE(output.text.find(word), std::string::npos) << word << "\n in: " << output.text;
  }
}

/// Another program that listens on this computer.
class Listener {
 public:
  explicit Listener(uint16_t port = 0) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    (void)::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    socklen_t size = sizeof at;
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  int socket_;
  uint16_t port_ = 0;
};

/// The program at a terminal of its own: what it shows, and keys for it.
class Terminal {
 public:
  explicit Terminal(const std::string& arguments) {
    const std::string line = std::string("exec ") + LOCKSTEP_BINARY + " " + arguments;
    pid_ = ::forkpty(&keyboard_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~Terminal() { (void)finish(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Until it shows these words. False: it ended before.
  bool wait_for(const std::string& words) {
    while (shown_.find(words) == std::string::npos) {
      if (!read_more()) {
        return false;
      }
    }
    return true;
  }
  void type(const std::string& keys) const {
    EXPECT_EQ(::write(keyboard_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void press_ctrl_c() const { type("\x03"); }
  /// Ctrl-C until it ends: one that comes before the terminal is ready is lost.
  Output interrupt() {
    constexpr int patience_ms = 2000;
    do {
      press_ctrl_c();
      pollfd shown = {keyboard_, POLLIN, 0};
      while (::poll(&shown, 1, patience_ms) > 0 && read_more()) {
      }
      if ((shown.revents & POLLHUP) != 0) {
        break;
      }
    } while (true);
    return finish();
  }
  /// A process that a signal ended gives what a shell makes of that.
  Output finish() {
    while (pid_ > 0 && read_more()) {
    }
    if (pid_ > 0) {
      int status = 0;
      EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
      ::close(keyboard_);
      pid_ = -1;
      exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return {exit_, shown_};
  }

 private:
  bool read_more() {
    std::array<char, 4096> part{};
    const ssize_t got = ::read(keyboard_, part.data(), part.size());
    if (got > 0) {
      shown_.append(part.data(), static_cast<size_t>(got));
    }
    return got > 0;
  }
  pid_t pid_ = -1;
  int keyboard_ = -1;
  int exit_ = -1;
  std::string shown_;
};

class Mistakes : public NetworkTest {
 protected:
  void up(const std::string& more = " --providers 1 --auditors 0") const {
    const Output output = run("up" + more + flags_);
    ASSERT_EQ(output.exit, 0) << output.text;
  }
  [[nodiscard]] std::string text_of_job() const { return text_in(job()); }
  void write_text(const std::string& name, const std::string& text) const {
    write(name, Bytes(text.begin(), text.end()));
  }
  /// The job with one text for another.
  void write_changed(const std::string& name, const std::string& from, const std::string& to) {
    std::string text = text_of_job();
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_text(name, text.replace(at, from.size(), to));
  }
};

TEST_F(Mistakes, NoUpBeforeAnythingElse) {
  for (const std::string& words : {std::string("run ") + job() + " --yes",
                                   std::string("jobs"),
                                   std::string("logs tiny-1"),
                                   std::string("cancel tiny-1"),
                                   std::string("run --attach tiny-1"),
                                   std::string("wallet send --to you --amount '1 LKS' --yes"),
                                   std::string("wallet history"),
                                   std::string("down")}) {
    expect_told(run(words + flags_), 3, {"no network was started here yet", "lockstep up"});
  }
  EXPECT_FALSE(fs::exists(net_));
}

TEST_F(Mistakes, AWrongAddressAndAPortInUse) {
  expect_told(run("up --listen 127.0.0.1" + flags_), 2, {"HOST:PORT"});
  expect_told(run("up --listen 127.0.0.1:99999" + flags_), 2, {"HOST:PORT"});
  // TEST-NET-3: nobody's.
  expect_told(run("up --listen 203.0.113.9:4100" + flags_), 2, {"use one that it has"});
  const Listener other;
  const std::string port = std::to_string(other.port());
  expect_told(run("up --listen 127.0.0.1:" + port + flags_),
              4,
              {"another program listens there", "ss -ltnp 'sport = :" + port, "another port"});
  EXPECT_FALSE(fs::exists(net_)) << "nothing is made before it can be";
}

TEST_F(Mistakes, WrongPathsNamesAndTypos) {
  up();
  expect_told(run("run " + root_ + "/jbo.yaml --yes" + flags_), 2, {"did you mean \"job.yaml\""});
  expect_told(run("run /nowhere/at/all.yaml --yes" + flags_), 2, {"check the path: ls '/'"});
  write_changed("data.yaml", "train_images: train-images", "train_images: train-image");
  expect_told(
      run("run " + root_ + "/data.yaml --yes" + flags_), 2, {"did you mean \"train-images\""});
  write_changed("typo.yaml", "rounds:", "rouns:");
  expect_told(run("run " + root_ + "/typo.yaml --yes" + flags_),
              2,
              {"typo.yaml", "rouns", "did you mean \"rounds\""});
  expect_told(run("validate " + root_ + "/typo.yaml"), 2, {"did you mean \"rounds\""});

  for (const std::string words : {"logs ", "cancel ", "run --attach "}) {
    expect_told(run(words + "tiny-1" + flags_), 3, {"no job of this name", "lockstep jobs"});
  }
  expect_told(run("run " + job() + flags_), 2, {"nobody is there to agree", "--yes"});
  expect_told(run("jobs" + flags_), 0, {"no jobs yet"});

  // The second one finds everything running, and says so.
  expect_told(run("up" + flags_), 0, {"was up already", "lockstep run JOB.yaml", "lockstep down"});
}

TEST_F(Mistakes, ANetworkThatIsDownOrOfAnotherFormat) {
  up();
  ASSERT_EQ(run("down" + flags_).exit, 0);
  expect_told(run("run " + job() + " --yes" + flags_), 8, {"lockstep up"});
  const std::string ready = text_in(net_ + "/ledger/ready.json");
  const std::string address = nlohmann::json::parse(ready).value("address", "");
  {
    const Listener other(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    expect_told(run("up" + flags_), 4, {"another program listens there", "ss -ltnp"});
  }
  const std::string format = net_ + "/provider-1/format";
  const std::string ours = text_in(format);
  std::ofstream(format) << "lockstep data 0\n";
  expect_told(
      run("up" + flags_), 3, {"'lockstep data 0'", "lockstep up --network NEW_NAME", "provider-1"});
  std::ofstream(format) << ours;
  const std::string network = text_in(net_ + "/network.json");
  std::ofstream(net_ + "/network.json") << "{\"format\": \"lockstep-network-0\"}\n";
  expect_told(run("up" + flags_), 3, {"network.json", "lockstep up --network NEW_NAME"});
  expect_told(run("run " + job() + " --yes" + flags_), 3, {"network.json", "lockstep up"});
  std::ofstream(net_ + "/network.json") << network;
  up("");
}

TEST_F(Mistakes, TwoUpsAtOnceMakeOneNetwork) {
  Beside first("up --providers 1 --auditors 0" + flags_);
  Beside second("up --providers 1 --auditors 0" + flags_);
  expect_told(first.finish(), 0, {"lockstep run JOB.yaml"});
  expect_told(second.finish(), 0, {"lockstep run JOB.yaml"});
  expect_told(run("up" + flags_), 0, {"was up already"});
  // One that was interrupted while it made the network goes on where it ended.
  ASSERT_EQ(run("down" + flags_).exit, 0);
  fs::remove(net_ + "/network.json");
  fs::remove(net_ + "/provider-1/node.json");
  up();
}

/// Wall clocks of programs, so many seconds off; whatever measures time goes as before.
constexpr const char* clock_source = R"(
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long off(void) {
  const char* text = getenv("CLOCK_OFF");
  return text ? atol(text) : 0;
}
int clock_gettime(clockid_t id, struct timespec* at) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, at);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec += off();
  return result;
}
int gettimeofday(struct timeval* at, void* zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t* at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
)";

TEST_F(Mistakes, AClockThatIsADayOff) {
  write_text("clock.c", clock_source);
  const std::string library = root_ + "/clock.so";
  const Output built = run_line("cc -shared -fPIC -o " + library + " " + root_ + "/clock.c -ldl");
  ASSERT_EQ(built.exit, 0) << built.text;
  up();
  for (const std::string off : {"90000", "-90000"}) {
    // Sanitizers want to be loaded first, and need not be.
    std::string before = "ASAN_OPTIONS=verify_asan_link_order=0 CLOCK_OFF=";
    before.append(off).append(" LD_PRELOAD=").append(library).append(" ");
    const Output refused = run("run " + job() + " --yes" + flags_, before);
    expect_told(refused, 7, {"certificate", "here it is", "date -u", "timedatectl"});
    const Output found = run("doctor --network-dir " + net_, before);
    expect_told(found, 1, {"certificate", "timedatectl"});
  }
  expect_told(run("wallet show you" + flags_), 0, {"1000 LKS"});
}

TEST_F(Mistakes, NoSpaceOnTheDisk) {
  fs::create_directories(root_ + "/small");
  const std::string program = LOCKSTEP_BINARY;
  const std::string folder = root_ + "/small/net";
  const std::string flags = " --network-dir " + folder;
  const std::string script = "mount -t tmpfs -o size=32m none " + root_ + "/small || exit 77\n" +
                             program + " up --providers 1 --auditors 0" + flags +
                             "; echo \"first $?\"\n" + "mount -o remount,size=256m " + root_ +
                             "/small || exit 77\n" + program + " up --providers 1 --auditors 0" +
                             flags + "; echo \"second $?\"\n" + "head -c 215m /dev/zero > " +
                             root_ + "/small/other\n" + program + " run " + job() + " --yes" +
                             flags + "; echo \"third $?\"\n" + "rm " + root_ + "/small/other\n" +
                             program + " run " + job() + " --yes" + flags +
                             "; echo \"fourth $?\"\n" + program + " down" + flags + "\n";
  write_text("script", script);
  const Output output = run_line("unshare --user --map-root-user --mount sh " + root_ + "/script");
  // Where the kernel forbids namespaces, no node is started either.
  expect_told(
      output, 0, {"first 1", "second 0", "third 1", "fourth 0", "the disk is full", "df -h"});
}

TEST_F(Mistakes, CtrlCAtOnceLeavesNothingBehindOrSaysHowToComeBack) {
  up();
  std::string said;
  for (const int wait_ms : {0, 30, 60, 120, 250}) {
    Terminal terminal("run " + job() + flags_);
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
    const Output output = terminal.interrupt();
    EXPECT_EQ(output.exit, 130) << output.text;
    said += output.text;
  }
  // What runs on has said so.
  std::istringstream jobs(run("jobs" + flags_).text);
  for (std::string line; std::getline(jobs, line);) {
    const std::string attach = "lockstep run --attach " + line.substr(0, line.find(' '));
    EXPECT_TRUE(line.find("running") == std::string::npos || said.find(attach) != std::string::npos)
        << line;
  }
  const Output job_run = run(run_words());
  EXPECT_EQ(job_run.exit, 0) << job_run.text;
}

TEST_F(Mistakes, CtrlCAndNoAtTheQuestionSpendNothing) {
  up();
  for (const std::string keys : {"\x03", "n\n"}) {
    Terminal terminal("run " + job() + flags_);
    ASSERT_TRUE(terminal.wait_for("[y/N]")) << terminal.finish().text;
    terminal.type(keys);
    expect_told(terminal.finish(), 130, {"nothing was spent"});
  }
  expect_told(run("jobs" + flags_), 0, {"tiny-1", "tiny-2", "ended"});
  expect_told(run("up" + flags_), 0, {"was up already"});
  expect_told(run("wallet show you" + flags_), 0, {"1000 LKS"});

  Terminal terminal("run " + job() + flags_);
  ASSERT_TRUE(terminal.wait_for("[y/N]")) << terminal.finish().text;
  terminal.type("y\n");
  expect_told(terminal.finish(), 0, {"model root: "});
}

TEST_F(Mistakes, TheFirstCtrlCDetachesAndSaysHowToComeBack) {
  write_job(20, "none");
  up();
  Terminal terminal("run " + job() + " --yes" + flags_);
  ASSERT_TRUE(terminal.wait_for("round   1")) << terminal.finish().text;
  terminal.press_ctrl_c();
  expect_told(terminal.finish(),
              130,
              {"the job goes on", "lockstep run --attach tiny-1", "lockstep cancel tiny-1"});
  expect_told(run("run --attach tiny-1" + flags_), 0, {"model root: " + honest_root()});

  // Cancelled: what was done is paid, the rest comes back.
  Terminal again("run " + job() + " --yes" + flags_);
  ASSERT_TRUE(again.wait_for("round   2")) << again.finish().text;
  again.press_ctrl_c();
  EXPECT_EQ(again.finish().exit, 130);
  expect_told(run("cancel tiny-2" + flags_), 0, {"what was done is paid"});
}

TEST_F(Mistakes, EveryListingHasJson) {
  up();
  ASSERT_EQ(run(run_words()).exit, 0);
  for (const std::string& words : {std::string("jobs") + flags_,
                                   std::string("logs tiny-1") + flags_,
                                   "run " + job() + " --dry-run" + flags_,
                                   std::string("wallet list") + flags_,
                                   std::string("wallet show you") + flags_,
                                   std::string("wallet history") + flags_,
                                   std::string("devices"),
                                   std::string("doctor --network-dir ") + net_,
                                   "validate " + job(),
                                   std::string("up") + flags_}) {
    const Output output = run(words + " --json");
    std::istringstream lines(output.text);
    int events = 0;
    for (std::string line; std::getline(lines, line); ++events) {
      const auto event = nlohmann::json::parse(line, nullptr, false);
      EXPECT_TRUE(event.is_object() && event.contains("event")) << words << ": " << line;
    }
    EXPECT_GE(events, 1) << words;
  }
  const Output wrong = run("logs nothing --json" + flags_);
  EXPECT_EQ(wrong.exit, 3);
  EXPECT_EQ(nlohmann::json::parse(wrong.text, nullptr, false).value("event", ""), "error");
  // A dry run leaves no job behind.
  EXPECT_EQ(run("jobs" + flags_).text.find("tiny-2"), std::string::npos);
}

}  // namespace
}  // namespace lockstep::apps
