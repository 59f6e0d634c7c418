#include "platform/data_dir.h"

#include <sys/stat.h>

#include "base/test_random.h"
#include "platform/test_child.h"

namespace lockstep::platform {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat found = {};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

size_t entries_in(const std::string& path) {
  const std::filesystem::directory_iterator all(path);
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST(DataDir, IsMadeForItsOwnerAloneAndOpensAgain) {
  const TestFolder folder;
  const std::string path = folder.at("some/parents/node");
  for (int i = 0; i < 2; ++i) {
    const auto opened = DataDir::open(path);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    EXPECT_EQ(opened->path(), path);
    for (const std::string& made : {folder.at("some"),
                                    path,
                                    opened->db(),
                                    opened->keys(),
                                    opened->logs(),
                                    opened->outputs()}) {
      EXPECT_EQ(mode_of(made), 0700U) << made;
    }
    EXPECT_EQ(test_text(path + "/format"), "lockstep data 1\n");
    EXPECT_EQ(mode_of(path + "/format"), 0600U);
  }
}

TEST(DataDir, ResolvesLinks) {
  const TestFolder folder;
  ASSERT_TRUE(DataDir::open(folder.at("node")).ok());
  std::filesystem::create_symlink(folder.at("node"), folder.at("link"));
  const auto opened = DataDir::open(folder.at("link/../link/"));
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ(opened->path(), folder.at("node"));
}

/// FOLDER: holds it until killed.
int keeper(const TestArguments& arguments) {
  const auto opened = DataDir::open(arguments[0]);
  test_say(opened.ok() ? "open" : opened.error().message());
  while (true) {
    ::pause();
  }
}
const bool keeper_known = add_test_role("keeper", &keeper);

TEST(DataDir, BelongsToOneProcessAtATimeAndIsFreeWhenThatIsKilled) {
  const TestFolder folder;
  const std::string path = folder.at("node");
  for (int i = 0; i < 3; ++i) {
    TestChild child("keeper", {path});
    ASSERT_EQ(child.line(), "open");
    const auto second = DataDir::open(path);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::in_use);
    const std::string pid = std::to_string(child.pid());
    EXPECT_NE(second.error().what.find("process " + pid), std::string::npos);
    EXPECT_NE(second.error().next.find("kill " + pid), std::string::npos);
    child.kill();
    EXPECT_TRUE(DataDir::open(path).ok());
  }
  const auto first = DataDir::open(path);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(DataDir::open(path).error().code, Code::in_use);  // this process counts too
}

TEST(DataDir, RefusesAnotherFormat) {
  for (const char* text :
       {"lockstep data 2\n", "lockstep data 1", "lockstep data 1\n\n", "", "\x01"}) {
    const TestFolder folder;
    test_write(folder.at("format"), text);
    const auto refused = DataDir::open(folder.path());
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.error().code, Code::bad_folder);
    EXPECT_FALSE(refused.error().next.empty());
    EXPECT_EQ(test_text(folder.at("format")), text);
  }
}

TEST(DataDir, LeavesAForeignFolderAlone) {
  const TestFolder folder;
  test_write(folder.at("thesis.txt"), "years of work");
  const auto refused = DataDir::open(folder.path());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::bad_folder);
  EXPECT_EQ(entries_in(folder.path()), 1U);
  const auto file = DataDir::open(folder.at("thesis.txt"));
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, Code::bad_folder);
  EXPECT_EQ(DataDir::open("").error().code, Code::bad_folder);
}

TEST(DataDir, FinishesWhatACrashLeftHalfDone) {
  const TestFolder folder;
  test_write(folder.at("lock"), "12");
  test_write(folder.at("format.part"), "lockst");
  EXPECT_TRUE(DataDir::open(folder.path()).ok());
  EXPECT_EQ(test_text(folder.at("format")), "lockstep data 1\n");
  std::filesystem::remove_all(folder.at("logs"));
  EXPECT_TRUE(DataDir::open(folder.path()).ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder.at("logs")));
}

TEST(DataDir, RefusesWhatOthersCanWriteIn) {
  for (const mode_t mode : {0770U, 0702U, 01777U}) {
    const TestFolder folder;
    ASSERT_EQ(::chmod(folder.path().c_str(), mode), 0);
    const auto refused = DataDir::open(folder.path());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::bad_folder);
    EXPECT_NE(refused.error().next.find("chmod go-w"), std::string::npos);
    EXPECT_EQ(entries_in(folder.path()), 0U);
  }
  if (::geteuid() != 0) {
    EXPECT_EQ(DataDir::open("/etc").error().code, Code::bad_folder);  // another user's
  }
}

TEST(DataDir, KnowsHowMuchDiskIsUsedAndLeft) {
  const TestFolder folder;
  const uint64_t before = *disk_used(folder.path());
  std::filesystem::create_directories(folder.at("a/b"));
  test_write(folder.at("a/b/c"), std::string(100'000, 'x'));
  std::filesystem::create_symlink("/usr", folder.at("a/link"));
  const uint64_t after = *disk_used(folder.path());
  EXPECT_GE(after - before, 100'000U);
  EXPECT_LT(after - before, 200'000U);
  EXPECT_EQ(disk_room(folder.path(), after + 5)->left, 5U);
  EXPECT_EQ(disk_room(folder.path(), after)->left, 0U);
  EXPECT_EQ(disk_room(folder.path(), 1)->left, 0U);
  EXPECT_EQ(disk_room(folder.path(), 1)->used, after);
  const uint64_t whole_disk = disk_room(folder.path(), ~uint64_t{0})->left;
  EXPECT_GT(whole_disk, 0U);
  EXPECT_LT(whole_disk, uint64_t{1} << 60);
  EXPECT_EQ(disk_used(folder.at("none")).error().code, Code::io_failed);
}

/// Says where networks lie in the environment it is in.
int finder(const TestArguments& arguments) {
  const auto folder = default_network_folder(arguments[0]);
  test_say(folder.ok() ? *folder : folder.error().message());
  return 0;
}
const bool finder_known = add_test_role("finder", &finder);

TEST(DataDir, TheDefaultFolderFollowsTheXdgRules) {
  const auto found = [] { return TestChild("finder", {"net-1"}).line(); };
  ASSERT_EQ(::setenv("HOME", "/home/someone", 1), 0);
  ASSERT_EQ(::setenv("XDG_DATA_HOME", "/data", 1), 0);
  EXPECT_EQ(found(), "/data/lockstep/net-1");
  ASSERT_EQ(::setenv("XDG_DATA_HOME", "relative", 1), 0);
  EXPECT_EQ(found(), "/home/someone/.local/share/lockstep/net-1");
  ASSERT_EQ(::unsetenv("XDG_DATA_HOME"), 0);
  EXPECT_EQ(found(), "/home/someone/.local/share/lockstep/net-1");
  ASSERT_EQ(::unsetenv("HOME"), 0);
  EXPECT_NE(found().find("E808"), std::string::npos);
  for (const std::string& name :
       {std::string(), std::string(".."), std::string("a/b"), std::string(65, 'a')}) {
    EXPECT_EQ(default_network_folder(name).error().code, Code::bad_option) << name;
  }
}

TEST(WriteDurably, ReplacesTheWholeFileAndKeepsOthersOut) {
  const TestFolder folder;
  const std::string path = folder.at("file");
  test_write(path + ".part", "left by a crash");
  ASSERT_EQ(::chmod((path + ".part").c_str(), 0666), 0);
  ASSERT_TRUE(write_durably(path, Bytes{1, 2}, Access::owner_only).ok());
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(test_text(path), "\x01\x02");
  ASSERT_TRUE(write_durably(path, Bytes{3}, Access::as_usual).ok());
  EXPECT_EQ(test_text(path), "\x03");
  EXPECT_EQ(entries_in(folder.path()), 1U);
  EXPECT_EQ(write_durably(folder.at("no/file"), {}, Access::as_usual).error().code,
            Code::io_failed);
  std::filesystem::create_directory(folder.at("folder"));
  test_write(folder.at("folder/x"), "");
  EXPECT_EQ(write_durably(folder.at("folder"), {}, Access::as_usual).error().code, Code::io_failed);
  EXPECT_EQ(entries_in(folder.path()), 2U);  // nothing half done is left
  EXPECT_EQ(write_durably("/dev/full/x", {}, Access::as_usual).error().code, Code::io_failed);
}

TEST(WriteDurably, SaysThatTheDiskIsFull) {
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const auto written = write_all(full.number(), Bytes{1}, "/dev/full");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Code::disk_full);
  EXPECT_FALSE(written.error().next.empty());
}

}  // namespace
}  // namespace lockstep::platform
