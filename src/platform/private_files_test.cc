// Secrets on disk: the modes they get, and that files and folders open to others are not used.
#include "platform/private_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "platform/random.h"

namespace lockstep::platform {
namespace {

namespace fs = std::filesystem;

class PrivateFiles : public ::testing::Test {
 protected:
  PrivateFiles() : folder_(::testing::TempDir() + "private_files_" + std::to_string(::getpid())) {
    fs::remove_all(folder_);
  }
  ~PrivateFiles() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string at(const std::string& name) const { return folder_ + "/" + name; }
  static unsigned mode_of(const std::string& path) {
    struct stat about = {};
    EXPECT_EQ(::stat(path.c_str(), &about), 0) << path;
    return about.st_mode & 0777;
  }

  std::string folder_;  // NOLINT(misc-non-private-member-variables-in-classes)
};

TEST_F(PrivateFiles, AreOursAlone) {
  const mode_t before = ::umask(0);
  ASSERT_TRUE(make_private_folder(at("a/b")).ok());
  const std::string path = at("a/b/secret.key");
  ASSERT_TRUE(write_private_file(path, Bytes{1, 2, 3}, Existing::refused).ok());
  (void)::umask(before);
  EXPECT_EQ(mode_of(at("a")), 0700U);
  EXPECT_EQ(mode_of(at("a/b")), 0700U);
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(read_private_file(path, 3).value(), (Bytes{1, 2, 3}));
  EXPECT_TRUE(make_private_folder(at("a/b")).ok()) << "the second time";
}

TEST_F(PrivateFiles, ThoseOpenToOthersAreRefusedWithTheFix) {
  ASSERT_TRUE(make_private_folder(folder_).ok());
  const std::string path = at("x.key");
  ASSERT_TRUE(write_private_file(path, Bytes{1}, Existing::refused).ok());
  for (const unsigned mode : {0640U, 0604U, 0666U, 0610U}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto read = read_private_file(path, 10);
    ASSERT_FALSE(read.ok()) << mode;
    EXPECT_EQ(read.error().code, Code::not_permitted);
    EXPECT_EQ(read.error().next, "run: chmod 600 '" + path + "'");
  }
  for (const unsigned mode : {0750U, 0701U, 0777U}) {
    ASSERT_EQ(::chmod(folder_.c_str(), mode), 0);
    for (const Result<void>& checked :
         {check_private_folder(folder_), make_private_folder(folder_)}) {
      ASSERT_FALSE(checked.ok()) << mode;
      EXPECT_EQ(checked.error().code, Code::not_permitted);
      EXPECT_EQ(checked.error().next, "run: chmod 700 '" + folder_ + "'");
    }
  }
}

TEST_F(PrivateFiles, SomebodyElsesAreRefused) {
  // What root owns is not ours, and what another owns is not root's.
  if (::geteuid() == 0) {
    ASSERT_TRUE(make_private_folder(folder_).ok());
    ASSERT_EQ(::chown(folder_.c_str(), 65534, 65534), 0);
    EXPECT_EQ(check_private_folder(folder_).error().code, Code::not_permitted);
  } else {
    EXPECT_EQ(check_private_folder("/").error().code, Code::not_permitted);
  }
}

TEST_F(PrivateFiles, AreReplacedOnlyWhenAsked) {
  ASSERT_TRUE(make_private_folder(folder_).ok());
  const std::string path = at("x.key");
  ASSERT_TRUE(write_private_file(path, Bytes{1}, Existing::refused).ok());
  const auto second = write_private_file(path, Bytes{2}, Existing::refused);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::already_there);
  EXPECT_EQ(read_private_file(path, 10).value(), Bytes{1});
  ASSERT_TRUE(write_private_file(path, Bytes{3}, Existing::replaced).ok());
  EXPECT_EQ(read_private_file(path, 10).value(), Bytes{3});
  EXPECT_EQ(files_in(folder_, "").value(), std::vector<std::string>{"x.key"}) << "nothing beside";
}

TEST_F(PrivateFiles, WhatIsNotThereOrTooLargeIsSaid) {
  EXPECT_EQ(check_private_folder(folder_).error().code, Code::bad_folder);
  EXPECT_EQ(files_in(folder_, ".key").error().code, Code::bad_folder);
  EXPECT_EQ(read_private_file(at("x"), 10).error().code, Code::file_not_found);
  EXPECT_EQ(read_private_file(::testing::TempDir(), 10).error().code, Code::file_not_found);
  ASSERT_TRUE(make_private_folder(folder_).ok());
  ASSERT_TRUE(write_private_file(at("x"), Bytes(11), Existing::refused).ok());
  EXPECT_EQ(read_private_file(at("x"), 10).error().code, Code::too_large);
  EXPECT_EQ(read_private_file(at("x"), 11).value().size(), 11U);
  EXPECT_FALSE(write_private_file(at("no/such/x"), Bytes{1}, Existing::refused).ok());
  std::ofstream(at("file")) << "x";
  EXPECT_FALSE(make_private_folder(at("file/below")).ok());
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_private_file(at("pipe"), 10).error().code, Code::file_not_found);
}

TEST_F(PrivateFiles, ALinkInTheWayIsNotFollowed) {
  ASSERT_TRUE(make_private_folder(folder_).ok());
  // The name of the file beside the target can be guessed.
  const std::string part = at("x.key.part." + std::to_string(::getpid()));
  fs::create_symlink("/dev/full", part);
  EXPECT_TRUE(write_private_file(at("x.key"), Bytes{1}, Existing::refused).ok())
      << "a link that lies in the way is removed and not followed";
  EXPECT_EQ(fs::symlink_status(at("x.key")).type(), fs::file_type::regular);
}

TEST_F(PrivateFiles, AFirstLineIsRead) {
  ASSERT_TRUE(make_private_folder(folder_).ok());
  const std::string path = at("line");
  const auto line_of = [&](std::string_view text) {
    EXPECT_TRUE(write_private_file(path, Bytes(text.begin(), text.end()), Existing::replaced).ok());
    const auto line = read_secret_line(path);
    return line.ok() ? std::string(line->text()) : std::to_string(int(line.error().code));
  };
  EXPECT_EQ(line_of("correct horse\nmore\n"), "correct horse");
  EXPECT_EQ(line_of(" no end "), " no end ");
  EXPECT_EQ(line_of(""), "");
  EXPECT_EQ(line_of(std::string(1024, 'x') + "\n"), std::string(1024, 'x'));
  EXPECT_EQ(line_of(std::string(1025, 'x')), "104");
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(read_secret_line(path).error().code, Code::not_permitted);
  EXPECT_EQ(read_secret_line(at("none")).error().code, Code::file_not_found);
  EXPECT_EQ(read_secret_line(folder_).error().code, Code::file_not_found);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "from a pipe\n", 12), 12);
  EXPECT_EQ(read_secret_line("/dev/fd/" + std::to_string(ends[0])).value().text(), "from a pipe");
  (void)::close(ends[0]);
  (void)::close(ends[1]);
}

TEST_F(PrivateFiles, AreListedByTheirEnding) {
  ASSERT_TRUE(make_private_folder(at("d.key")).ok());
  for (const char* const name : {"b.key", "a.key", "c.txt", "a.key.part.12"}) {
    ASSERT_TRUE(write_private_file(at(name), Bytes{1}, Existing::refused).ok());
  }
  EXPECT_EQ(files_in(folder_, ".key").value(), (std::vector<std::string>{"a.key", "b.key"}));
}

TEST(Random, GivesOtherBytesEachTime) {
  Random random;
  std::array<uint8_t, 1000> first{};
  std::array<uint8_t, 1000> second{};
  ASSERT_TRUE(random.fill(first).ok());
  ASSERT_TRUE(random.fill(second).ok());
  EXPECT_NE(first, second);
  EXPECT_NE(first, (std::array<uint8_t, 1000>{}));
  EXPECT_TRUE(random.fill({}).ok());
}

}  // namespace
}  // namespace lockstep::platform
