// Children that answer, crash, hang, throw and talk too much.
#include "device/ask_child.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace lockstep::device {
namespace {

constexpr uint32_t long_ms = 60'000;

bool has_no_child() {
  return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
}

TEST(AskChild, GivesTheAnswer) {
  const auto answer = ask_child([] { return std::string("a\nb\x04\0c", 6); }, long_ms);
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_EQ(*answer, std::string("a\nb\x04\0c", 6));
  const auto empty = ask_child([] { return std::string(); }, long_ms);
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->empty());
  EXPECT_TRUE(has_no_child());
}

TEST(AskChild, LongAnswersCome) {
  const auto answer = ask_child([] { return std::string(900'000, 'x'); }, long_ms);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->size(), 900'000U);
}

TEST(AskChild, CrashesStayThere) {
  for (const int number : {SIGSEGV, SIGABRT, SIGKILL, SIGBUS}) {
    const auto answer = ask_child(
        [&] {
          (void)raise(number);
          return std::string("never");
        },
        long_ms);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, Code::io_failed);
  }
  EXPECT_TRUE(has_no_child());
}

TEST(AskChild, HangingEndsAtTheDeadline) {
  const auto answer = ask_child(
      []() -> std::string {
        while (true) {
          (void)poll(nullptr, 0, -1);
        }
      },
      50);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::timed_out);
  EXPECT_TRUE(has_no_child());
}

TEST(AskChild, ExceptionsAndExitsAreNoAnswer) {
  const auto thrown =
      ask_child([]() -> std::string { throw std::runtime_error("a library's"); }, long_ms);
  ASSERT_FALSE(thrown.ok());
  EXPECT_EQ(thrown.error().code, Code::io_failed);
  const auto left = ask_child([]() -> std::string { _exit(0); }, long_ms);
  ASSERT_FALSE(left.ok());
  EXPECT_EQ(left.error().code, Code::io_failed);
}

TEST(AskChild, TooMuchIsRefused) {
  const auto answer = ask_child([] { return std::string(3 * answer_bytes_max, 'x'); }, long_ms);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::too_large);
  EXPECT_TRUE(has_no_child());
}

TEST(AskChild, WhatItDoesChangesNothingHere) {
  int here = 1;
  const auto answer = ask_child(
      [&] {
        here = 2;
        return std::to_string(here);
      },
      long_ms);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(*answer, "2");
  EXPECT_EQ(here, 1);
}

TEST(AskChild, PrintingDoesNotReachTheTerminal) {
  testing::internal::CaptureStdout();
  const auto answer = ask_child(
      [] {
        (void)!write(STDOUT_FILENO, "noise", 5);
        return std::string("x");
      },
      long_ms);
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace lockstep::device
