// For tests only: folders that vanish, and this test program started again as another process, in a
// role that a test names.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "platform/files.h"

namespace lockstep::platform {

/// A new folder, deleted with its owner.
class TestFolder {
 public:
  TestFolder() {
    std::string name = std::filesystem::temp_directory_path().string() + "/lockstep-test-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = std::filesystem::canonical(name).string();
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code failed;
    std::filesystem::remove_all(path_, failed);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string test_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void test_write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

using TestArguments = std::vector<std::string>;
using TestRole = int (*)(const TestArguments& arguments);

inline std::map<std::string, TestRole>& test_roles() {
  static std::map<std::string, TestRole> roles;
  return roles;
}

/// Plays the role that the command line "--role=NAME ARGUMENT..." asks for, before any test.
class TestStage final : public testing::Environment {
 public:
  void SetUp() override {
    const std::string line = test_text("/proc/self/cmdline");
    TestArguments words;
    for (size_t at = 0; at < line.size();) {
      words.push_back(line.substr(at, line.find('\0', at) - at));
      at += words.back().size() + 1;
    }
    if (words.size() < 2 || !words[1].starts_with("--role=")) {
      return;
    }
    const auto role = test_roles().find(words[1].substr(7));
    const bool found = role != test_roles().end();
    ::_exit(found ? role->second(TestArguments(words.begin() + 2, words.end())) : 126);
  }
};

/// At namespace scope in a test file: const bool known = add_test_role("name", &function);
inline bool add_test_role(const std::string& name, TestRole role) {
  if (test_roles().empty()) {
    testing::AddGlobalTestEnvironment(new TestStage);  // gtest owns it
  }
  return test_roles().emplace(name, role).second;
}

/// A child process in a role. What it writes to descriptor 3 is read here. Killed with its owner.
class TestChild {
 public:
  TestChild(const std::string& role, const TestArguments& arguments) {
    std::vector<std::string> words = {"/proc/self/exe", "--role=" + role};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    out_ = Descriptor(ends[0]);
    const Descriptor in(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      // Its own "Running main()" is nobody's business.
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, 1);
      if (in.number() == 3) {
        ::fcntl(3, F_SETFD, 0);
      } else {
        ::dup2(in.number(), 3);
      }
      ::execv("/proc/self/exe", pointers.data());
      ::_exit(125);
    }
  }
  TestChild(const TestChild&) = delete;
  TestChild& operator=(const TestChild&) = delete;
  ~TestChild() {
    if (pid_ > 0) {
      kill();
    }
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// The next line that it says; empty at the end.
  std::string line() {
    std::string text;
    char letter = 0;
    while (::read(out_.number(), &letter, 1) == 1 && letter != '\n') {
      text += letter;
    }
    return text;
  }
  /// kill -9, and gone.
  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  /// How it ended: its exit status, or minus the signal.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_ = 0;
  Descriptor out_;
};

/// From a role.
inline void test_say(const std::string& line) {
  (void)!::write(3, (line + "\n").data(), line.size() + 1);
}

/// In a role: says what is wrong and where, and ends it with status 1.
#define ROLE_CHECK(condition)                                                                   \
  do {                                                                                          \
    if (!(condition)) {                                                                         \
      ::lockstep::platform::test_say("line " + std::to_string(__LINE__) + ": not " #condition); \
      return 1;                                                                                 \
    }                                                                                           \
  } while (false)

/// In a role: a mount namespace of its own, whoever runs this. Otherwise says "skipped: " and why.
inline bool test_own_mounts() {
  const std::string uid = std::to_string(::geteuid());
  const std::string gid = std::to_string(::getegid());
  if (::geteuid() == 0 && ::unshare(CLONE_NEWNS) == 0) {
    return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    test_say("skipped: no mount namespace here: errno " + std::to_string(errno));
    return false;
  }
  test_write("/proc/self/setgroups", "deny");
  test_write("/proc/self/uid_map", "0 " + uid + " 1");
  test_write("/proc/self/gid_map", "0 " + gid + " 1");
  return true;
}

}  // namespace lockstep::platform
