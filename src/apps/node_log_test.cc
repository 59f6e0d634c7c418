// The structured log: every line is one JSON object, none is lost while files move aside, and what
// strangers say cannot break it.
#include "apps/node_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/test_random.h"
#include "platform/test_child.h"

namespace lockstep::apps {
namespace {

using platform::test_text;
using platform::TestFolder;

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(file, line)) {
    lines.push_back(line);
  }
  return lines;
}

TEST(NodeLog, TimesAreRfc3339) {
  EXPECT_EQ(time_text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(time_text(951'782'399'999), "2000-02-28T23:59:59.999Z");
  EXPECT_EQ(time_text(951'782'400'000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(time_text(1'795'316'706'007), "2026-11-22T03:05:06.007Z");
  EXPECT_EQ(time_text(4'102'444'800'000), "2100-01-01T00:00:00.000Z");
}

TEST(NodeLog, NoLineIsLostWhileFilesMoveAside) {
  const TestFolder folder;
  const std::string path = folder.at("node.jsonl");
  constexpr int count = 1000;
  TestRandom random(3);
  {
    auto file = std::make_unique<LogFile>(path, LogFile::Limits{20'000, 4});
    for (int i = 0; i < count; ++i) {
      if (i % 97 == 0) {  // the process starts again
        file = std::make_unique<LogFile>(path, LogFile::Limits{20'000, 4});
      }
      ASSERT_TRUE(file->write(std::to_string(i) + std::string(random.next() % 80, 'x')));
    }
  }
  int expected = 0;
  for (const std::string& name : LogFile::files_of(path)) {
    EXPECT_LE(std::filesystem::exists(name) ? std::filesystem::file_size(name) : 0, 20'000U);
    for (const std::string& line : lines_of(name)) {
      EXPECT_EQ(std::stoi(line), expected++);
    }
  }
  EXPECT_EQ(expected, count);
}

TEST(NodeLog, TheOldestFileGoes) {
  const TestFolder folder;
  const std::string path = folder.at("node.jsonl");
  LogFile file(path, {100, 3});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(file.write("line " + std::to_string(i)));
  }
  EXPECT_FALSE(std::filesystem::exists(path + ".3"));
  uintmax_t bytes = 0;
  int last = -1;
  for (const std::string& name : LogFile::files_of(path, 3)) {
    bytes += std::filesystem::file_size(name);
    for (const std::string& line : lines_of(name)) {
      const int number = std::stoi(line.substr(5));
      EXPECT_TRUE(last == -1 || number == last + 1);
      last = number;
    }
  }
  EXPECT_EQ(last, 99);
  EXPECT_LE(bytes, 300U);
}

TEST(NodeLog, ALineThatWasCutOffDoesNotSpoilTheNext) {
  const TestFolder folder;
  const std::string path = folder.at("node.jsonl");
  platform::test_write(path, "{\"a\":1}\n{\"half");
  LogFile file(path);
  EXPECT_TRUE(file.write("{\"b\":2}"));
  EXPECT_EQ(test_text(path), "{\"a\":1}\n{\"half\n{\"b\":2}\n");
}

TEST(NodeLog, WhatCannotBeWrittenIsCountedAndTriedAgain) {
  const TestFolder folder;
  const std::string path = folder.at("later/node.jsonl");
  NodeLog log(path, LogLevel::info, "provider");
  log.write(LogLevel::info, 0, "one", {});
  EXPECT_EQ(log.lost(), 1U);
  std::filesystem::create_directory(folder.at("later"));
  log.write(LogLevel::info, 0, "two", {});
  EXPECT_EQ(log.lost(), 1U);
  EXPECT_EQ(log.lines(), 2U);
  EXPECT_NE(test_text(path).find("two"), std::string::npos);

  NodeLog full("/dev/full", LogLevel::info, "provider");
  full.write(LogLevel::info, 0, "three", {});
  EXPECT_EQ(full.lost(), 1U);
}

TEST(NodeLog, LevelsLeaveOut) {
  const TestFolder folder;
  NodeLog log(folder.at("log"), LogLevel::warn, "auditor");
  log.write(LogLevel::debug, 0, "a", {});
  log.write(LogLevel::info, 0, "b", {});
  log.write(LogLevel::warn, 1, "c", {{"job", "1"}});
  log.write(LogLevel::error, 2, "d", {});
  EXPECT_EQ(test_text(folder.at("log")),
            "{\"time\":\"1970-01-01T00:00:00.001Z\",\"level\":\"warn\",\"role\":\"auditor\","
            "\"event\":\"c\",\"job\":\"1\"}\n"
            "{\"time\":\"1970-01-01T00:00:00.002Z\",\"level\":\"error\",\"role\":\"auditor\","
            "\"event\":\"d\"}\n");
  EXPECT_FALSE(level_named("loud"));
  for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
    EXPECT_EQ(level_named(name_of(level)), level);
  }
}

TEST(NodeLog, StrangersTextsStayText) {
  const TestFolder folder;
  NodeLog log(folder.at("log"), LogLevel::info, "provider");
  TestRandom random(5);
  constexpr int count = 300;
  for (int i = 0; i < count; ++i) {
    std::string text(random.next() % 1000, ' ');
    for (char& c : text) {
      c = static_cast<char>(random.next() >> 56);
    }
    log.write(LogLevel::info, 0, "said", {{"reason", text}, {"number", i}});
  }
  log.write(LogLevel::info, 0, "said", {{"reason", "\x1b[31m\n\"}{"}});
  const auto lines = lines_of(folder.at("log"));
  ASSERT_EQ(lines.size(), static_cast<size_t>(count) + 1);
  for (const std::string& line : lines) {
    const auto read = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(read.is_object()) << line;
    EXPECT_EQ(read["event"], "said");
    const std::string shown = readable_line(line);
    EXPECT_TRUE(std::all_of(shown.begin(), shown.end(), [](char c) { return c >= 32; })) << shown;
  }
  EXPECT_EQ(readable_line(lines.back()),
            "1970-01-01T00:00:00.000Z info  said reason=\"\\u001b[31m\\n\\\"}{\"");
  EXPECT_EQ(readable_line("{\"time\":\"T\",\"level\":\"warn\",\"role\":\"x\",\"event\":\"e\","
                          "\"job\":\"ab\",\"count\":3}"),
            "T warn" + std::string(25, ' ') + "e job=ab count=3");
}

}  // namespace
}  // namespace lockstep::apps
