#include "platform/process.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>

#include "platform/test_child.h"

namespace lockstep::platform {
namespace {

constexpr int grace_ms = 20'000;

/// Says in its log that it runs, and waits for ever. "stubborn": SIGTERM or not.
int sleeper(const TestArguments& arguments) {
  if (!arguments.empty() && arguments[0] == "stubborn") {
    (void)::signal(SIGTERM, SIG_IGN);
  }
  (void)!::write(1, "awake\n", 6);
  while (true) {
    ::pause();
  }
}
const bool sleeper_known = add_test_role("sleeper", &sleeper);

Launch launch_of(const std::string& folder, const std::string& role, TestArguments arguments = {}) {
  Launch launch;
  launch.program = "/proc/self/exe";
  launch.arguments = std::move(arguments);
  launch.arguments.insert(launch.arguments.begin(), "--role=" + role);
  launch.log = folder + "/log";
  launch.pid_file = folder + "/pid";
  return launch;
}

/// Waits for a word in a log, however long it takes.
void await(const std::string& log, const std::string& word) {
  while (test_text(log).find(word) == std::string::npos) {
    ::usleep(2'000);
  }
}

TEST(Process, OutlivesTheOneThatStartedItAndEndsOnSigterm) {
  const TestFolder folder;
  const auto started = Process::spawn(launch_of(folder.path(), "sleeper"));
  ASSERT_TRUE(started.ok()) << started.error().message();
  await(folder.at("log"), "awake");
  EXPECT_TRUE(started->is_alive());
  EXPECT_EQ(test_text(folder.at("pid")), started->text());
  const auto second = Process::spawn(launch_of(folder.path(), "sleeper"));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::in_use);
  const auto found = Process::find(folder.at("pid"));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->pid(), started->pid());
  EXPECT_EQ(*found->terminate(grace_ms), true);
  EXPECT_FALSE(started->is_alive());
  EXPECT_EQ(*found->terminate(grace_ms), true);  // again: nothing to do
  const auto again = Process::spawn(launch_of(folder.path(), "sleeper", {"stubborn"}));
  ASSERT_TRUE(again.ok()) << again.error().message();
  await(folder.at("log"), "awake\nRunning");
  while (test_text(folder.at("log")).find("awake", test_text(folder.at("log")).rfind("Running")) ==
         std::string::npos) {
    ::usleep(2'000);
  }
  EXPECT_EQ(*again->terminate(50), false);
  EXPECT_FALSE(again->is_alive());
}

/// FOLDER: starts a sleeper, says so, waits to be killed.
int spawner(const TestArguments& arguments) {
  const auto started = Process::spawn(launch_of(arguments[0], "sleeper"));
  test_say(started.ok() ? std::to_string(started->pid()) : started.error().message());
  while (true) {
    ::pause();
  }
}
const bool spawner_known = add_test_role("spawner", &spawner);

TEST(Process, SurvivesItsParentsKill) {
  const TestFolder folder;
  TestChild child("spawner", {folder.path()});
  const std::string pid = child.line();
  const auto found = Process::find(folder.at("pid"));
  ASSERT_TRUE(found.ok()) << pid;
  EXPECT_EQ(std::to_string(found->pid()), pid);
  child.kill();
  await(folder.at("log"), "awake");
  EXPECT_TRUE(found->is_alive());
  EXPECT_EQ(*found->terminate(grace_ms), true);
}

TEST(Process, IsNotMistakenForAnotherWithItsPid) {
  const TestFolder folder;
  TestChild other("sleeper", {});
  const auto self = Process::self();
  ASSERT_TRUE(self.ok());
  EXPECT_TRUE(self->is_alive());
  // The pid of one with the start of another, as after a reuse; and one of an earlier boot.
  const std::string text = self->text();
  const std::string start = text.substr(text.find(' '));
  const std::string boot = start.substr(start.rfind(' '));
  for (const std::string& stale :
       {std::to_string(other.pid()) + " 1" + boot,
        std::to_string(::getpid()) + start.substr(0, start.size() - 3) + "x\n"}) {
    test_write(folder.at("pid"), stale);
    const auto found = Process::find(folder.at("pid"));
    ASSERT_TRUE(found.ok());
    EXPECT_FALSE(found->is_alive()) << stale;
    EXPECT_EQ(*found->terminate(grace_ms), true);
  }
  EXPECT_EQ(::kill(other.pid(), 0), 0);  // nobody was hurt
  test_write(folder.at("pid"), text);
  EXPECT_TRUE(Process::find(folder.at("pid"))->is_alive());
  for (const char* bad : {"", "12", "12 ", "x y\n", "0 1 b\n", "1 1 b\n", "-5 1 b\n"}) {
    test_write(folder.at("pid"), bad);
    EXPECT_EQ(Process::find(folder.at("pid")).error().code, Code::io_failed) << bad;
  }
  EXPECT_EQ(Process::find(folder.at("none")).error().code, Code::file_not_found);
}

/// Writes to standard output what it was given and what it is.
int describer(const TestArguments& /*arguments*/) {
  std::string text = "environ: " + test_text("/proc/self/environ") + "\n";
  for (char& letter : text) {
    letter = letter == '\0' ? ' ' : letter;
  }
  std::array<char, 100> input{};
  const ssize_t size = ::read(0, input.data(), input.size());
  text +=
      "input: " + std::string(input.data(), static_cast<size_t>(std::max<ssize_t>(size, 0))) + "\n";
  text += "folder: " + std::filesystem::current_path().string() + "\nopen:";
  for (int number = 0; number < 100; ++number) {
    text += ::fcntl(number, F_GETFD) >= 0 ? " " + std::to_string(number) : "";
  }
  text += "\nsession: " +
          std::string(::getsid(0) != ::getpid() && ::getpgid(0) != ::getpid() ? "apart" : "leader");
  text += "\numask: " + std::to_string(::umask(0)) + "\n.\n";
  (void)!::write(1, text.data(), text.size());
  return 0;
}
const bool describer_known = add_test_role("describer", &describer);

TEST(Process, GetsNothingThatItWasNotGiven) {
  const TestFolder folder;
  ASSERT_EQ(::setenv("A_SECRET", "in the environment", 1), 0);
  const Descriptor open_here(::open("/dev/null", O_RDONLY));  // not closed on exec
  Launch launch = launch_of(folder.path(), "describer");
  launch.environment = {{"GIVEN", "1"}};
  launch.input = Bytes{'p', 'a', 's', 's'};
  ASSERT_TRUE(Process::spawn(launch).ok());
  await(folder.at("log"), "\n.\n");
  const std::string said = test_text(folder.at("log"));
  EXPECT_NE(
      said.find(
          "environ: PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/nonexistent GIVEN=1 \n"),
      std::string::npos)
      << said;
  EXPECT_NE(said.find("input: pass\nfolder: /\nopen: 0 1 2\n"), std::string::npos) << said;
  EXPECT_NE(said.find("session: apart\numask: 63\n"), std::string::npos) << said;
  struct stat found = {};
  ASSERT_EQ(::stat(folder.at("log").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
  EXPECT_EQ(test_text("/proc/self/cmdline").find("pass"), std::string::npos);
}

TEST(Process, SaysWhyAProgramDidNotStart) {
  const TestFolder folder;
  Launch launch = launch_of(folder.path(), "sleeper");
  launch.program = folder.at("none");
  EXPECT_EQ(Process::spawn(launch).error().code, Code::file_not_found);
  test_write(folder.at("text"), "no program");
  ASSERT_EQ(::chmod(folder.at("text").c_str(), 0755), 0);
  launch.program = folder.at("text");
  const auto refused = Process::spawn(launch);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::io_failed);
  EXPECT_EQ(refused.error().where, folder.at("text"));
  EXPECT_FALSE(std::filesystem::exists(folder.at("pid")));
  launch = launch_of(folder.path(), "sleeper");
  launch.view = View{folder.at("none"), {}, {}};
  EXPECT_EQ(Process::spawn(launch).error().code, Code::bad_folder);
  launch.view = View{folder.path(), {"relative"}, {}};
  EXPECT_EQ(Process::spawn(launch).error().code, Code::bad_folder);
  launch = launch_of(folder.at("none"), "sleeper");
  EXPECT_EQ(Process::spawn(launch).error().code, Code::io_failed);
}

/// Says of each path what it can do there, by name and by undoing its view.
int viewer(const TestArguments& arguments) {
  std::string text;
  const auto look = [&](const char* when) {
    for (const std::string& path : arguments) {
      const bool folder = std::filesystem::is_directory(path);
      const std::string probe = folder ? path + "/probe" : path;
      const Descriptor read(::open((folder ? path + "/secret" : path).c_str(), O_RDONLY));
      char letter = 0;
      const bool readable = read.ok() && ::read(read.number(), &letter, 1) == 1;
      const Descriptor write(::open(probe.c_str(), O_WRONLY | (folder ? O_CREAT : 0), 0600));
      text += std::string(when) + " " + path + (readable ? " read" : "") +
              (write.ok() ? " write" : "") + "\n";
    }
  };
  look("at first");
  for (const std::string& path : arguments) {
    (void)::umount2(path.c_str(), MNT_DETACH);
    (void)::umount2(std::filesystem::path(path).parent_path().c_str(), MNT_DETACH);
  }
  (void)::unshare(CLONE_NEWUSER | CLONE_NEWNS);
  for (const std::string& path : arguments) {
    (void)::umount2(std::filesystem::path(path).parent_path().c_str(), MNT_DETACH);
  }
  look("then");
  text += harden_process().ok() && ::prctl(PR_GET_DUMPABLE) == 0 ? "hardened\n" : "soft\n";
  text += ".\n";
  (void)!::write(1, text.data(), text.size());
  while (true) {
    ::pause();
  }
}
const bool viewer_known = add_test_role("viewer", &viewer);

/// FOLDER PROGRAM UID: two nodes' folders, data and a shared file there; what one node sees.
int isolator(const TestArguments& arguments) {
  const auto uid = static_cast<uid_t>(std::stoul(arguments[2]));
  ROLE_CHECK(uid == ::geteuid() ||
             (::setresgid(uid, uid, uid) == 0 && ::setresuid(uid, uid, uid) == 0));
  const std::string net = arguments[0] + "/net";
  for (const char* name : {"/net/a", "/net/b", "/data/set", "/open"}) {
    std::filesystem::create_directories(arguments[0] + name);
    test_write(arguments[0] + name + "/secret", "s");
  }
  test_write(net + "/shared", "s");
  Launch launch = launch_of(net + "/a",
                            "viewer",
                            {net + "/a",
                             net + "/b",
                             arguments[0] + "/data/set",
                             net + "/shared",
                             arguments[0] + "/open"});
  launch.program = arguments[1];
  launch.view = View{net + "/a", {net, arguments[0] + "/data"}, {net + "/shared"}};
  const auto started = Process::spawn(launch);
  if (!started.ok() && started.error().code == Code::not_permitted) {
    ROLE_CHECK(!started.error().next.empty());
    test_say("skipped: " + started.error().message());
    return 0;
  }
  test_say(started.ok() ? "started" : started.error().message());
  ROLE_CHECK(started.ok());
  await(launch.log, "\n.\n");
  // Not through /proc either, not even for one who may look at everything else of this user.
  const std::string said = test_text(launch.log);
  std::string wanted;
  for (const std::string when : {"at first ", "then "}) {
    wanted += when + net + "/a read write\n" + when + net + "/b\n" + when + arguments[0] +
              "/data/set\n" + when + net + "/shared read\n" + when + arguments[0] +
              "/open read write\n";
  }
  wanted += "hardened\n";
  if (said.find(wanted) == std::string::npos) {
    test_say(said);
  }
  ROLE_CHECK(said.find(wanted) != std::string::npos);
  ROLE_CHECK(*started->terminate(grace_ms));
  ROLE_CHECK(!std::filesystem::exists(net + "/b/probe"));
  ROLE_CHECK(std::filesystem::exists(net + "/a/probe"));
  return 0;
}
const bool isolator_known = add_test_role("isolator", &isolator);

TEST(Process, SeesItsOwnFolderAndNothingThatIsCovered) {
  constexpr uid_t nobody = 65534;
  for (const uid_t uid : {::geteuid(), ::geteuid() == 0 ? nobody : ::geteuid()}) {
    SCOPED_TRACE(uid);
    const TestFolder folder;
    const std::string program = folder.at("program");
    std::filesystem::copy_file("/proc/self/exe", program);
    ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
    ASSERT_TRUE(::geteuid() != 0 || ::chown(folder.path().c_str(), uid, uid) == 0);
    TestChild child("isolator", {folder.path(), program, std::to_string(uid)});
    std::string said;
    for (std::string line = child.line(); !line.empty(); line = child.line()) {
      said += line + "\n";
    }
    EXPECT_EQ(child.wait(), 0) << said;
    if (said.starts_with("skipped: ")) {
      GTEST_SKIP() << said;
    }
  }
}

}  // namespace
}  // namespace lockstep::platform
