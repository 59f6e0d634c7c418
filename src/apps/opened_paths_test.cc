// What a node's process opens while a job runs: files of its own folder and of a short list of the
// system's, and nothing else.
#include <algorithm>

#include "apps/test_network_folder.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

/// The system's, files and folders with all below them: libraries, what the C library and OpenSSL
/// read about themselves, what the kernel says about this process and about the processors.
constexpr std::array<std::string_view, 13> system_paths = {
    "/lib",
    "/lib64",
    "/usr/lib",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/ssl/openssl.cnf",
    "/etc/localtime",
    "/dev/urandom",
    "/dev/null",
    "/proc/self",
    "/proc/sys/kernel/random",         // boot id and fresh ids
    "/proc/sys/vm/overcommit_memory",  // read by the allocator
    "/sys/devices",                    // processors; block sizes of disks
};

bool is_within(const std::string& path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

/// The path of a line of strace -y: `PID openat(AT_FDCWD</cwd>, "PATH", ...`; "" when it has none.
std::string opened_path(const std::string& line) {
  const size_t call = line.find("openat(");
  const size_t quote = line.find('"', call);
  if (call == std::string::npos || quote == std::string::npos) {
    return "";
  }
  std::string path = line.substr(quote + 1, line.find('"', quote + 1) - quote - 1);
  if (!path.starts_with("/")) {
    const size_t open = line.find('<', call);
    path = line.substr(open + 1, line.find('>', open) - open - 1) + "/" + path;
  }
  return fs::path(path).lexically_normal().string();
}

class OpenedPathsTest : public NetworkTest {
 protected:
  /// Kills what runs in a folder and starts it again under strace.
  void trace(const std::string& folder) {
    const auto turn = platform::wait_for_lock(folder + "/start.lock");
    ASSERT_TRUE(turn.ok());
    const auto running = platform::Process::find(folder + "/node.pid");
    ASSERT_TRUE(running.ok());
    (void)::kill(running->pid(), SIGKILL);
    ASSERT_TRUE(wait_until([&] { return !running->is_alive(); }, 5000));
    // With -D strace is beside the process, not its parent: its pid is the node's.
    const auto started = spawn_node(folder,
                                    {},
                                    {"/usr/bin/strace",
                                     "-D",
                                     "-f",
                                     "-y",
                                     "-qq",
                                     "-s",
                                     "4096",
                                     "-e",
                                     "trace=open,openat,openat2,creat",
                                     "-e",
                                     "signal=none",
                                     "-o",
                                     trace_of(folder)});
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  [[nodiscard]] std::string trace_of(const std::string& folder) const {
    return root_ + "/" + fs::path(folder).filename().string() + ".strace";
  }
  void expect_only_own(const std::string& folder) const {
    SCOPED_TRACE(folder);
    std::istringstream lines(text_in(trace_of(folder)));
    std::string line;
    std::set<std::string> strange;
    size_t own = 0;
    while (std::getline(lines, line)) {
      const std::string path = opened_path(line);
      const bool is_own = is_within(path, folder);
      own += is_own ? 1 : 0;
      if (!path.empty() && !is_own &&
          std::none_of(system_paths.begin(), system_paths.end(), [&](std::string_view allowed) {
            return is_within(path, allowed);
          })) {
        strange.insert(path);
      }
    }
    EXPECT_GT(own, 10U);
    EXPECT_EQ(strange, std::set<std::string>());
  }
};

TEST_F(OpenedPathsTest, ANodeOpensItsOwnFilesAndTheSystems) {
  if (run_line("strace -f -o /dev/null true").exit != 0) {
    std::puts("skipped: strace is not there, or may not trace");
    return;
  }
  write_job(3);
  const std::string root = honest_root();
  ASSERT_EQ(run("up --providers 2" + flags_).exit, 0);
  std::vector<std::string> folders;
  for (const char* member : {"ledger", "provider-1", "provider-2", "auditor-1"}) {
    folders.push_back(net_ + "/" + member);
    trace(folders.back());
  }
  ASSERT_TRUE(wait_until([&] { return fs::exists(net_ + "/ledger/ready.json"); }, 30'000));
  Beside job_run(run_words());
  folders.push_back(net_ + "/jobs/tiny-1");
  ASSERT_TRUE(wait_until(
      [&] { return job_run.is_over() || fs::exists(folders.back() + "/ready.json"); }, 60'000));
  trace(folders.back());
  const Output& done = job_run.finish();
  ASSERT_EQ(done.exit, 0) << done.text;
  EXPECT_EQ(after(done.text, "model root: "), root);
  for (const std::string& folder : folders) {
    expect_only_own(folder);
  }
}

TEST(OpenedPaths, LinesAreRead) {
  EXPECT_EQ(opened_path(R"(12 openat(AT_FDCWD</a/b>, "c.txt", O_RDONLY) = 3</a/b/c.txt>)"),
            "/a/b/c.txt");
  EXPECT_EQ(opened_path(R"(12 openat(AT_FDCWD</a/b>, "/x/../y", O_RDONLY) = -1 ENOENT)"), "/y");
  EXPECT_EQ(opened_path(R"(12 openat(7</z>, "q/w", O_RDONLY <unfinished ...>)"), "/z/q/w");
  EXPECT_EQ(opened_path("12 +++ exited with 0 +++"), "");
}

}  // namespace
}  // namespace lockstep::apps
