#include "platform/kill_point.h"

#include "platform/test_child.h"

namespace lockstep::platform {
namespace {

/// FOLDER POINT: reaches a and b in turn, says so.
int walker(const TestArguments& arguments) {
  ROLE_CHECK(KillPoints::trace(arguments[0] + "/trace").ok());
  ROLE_CHECK(KillPoints::arm(arguments[1]).ok());
  for (int i = 0; i < 5; ++i) {
    kill_point("a");
    kill_point("b:", "x/y");
  }
  return 7;
}
const bool walker_known = add_test_role("walker", &walker);

TEST(KillPoint, KillsTheProcessAtTheNthTimeAndLeavesATrace) {
  const TestFolder folder;
  EXPECT_EQ(TestChild("walker", {folder.path(), "b:x/y:3"}).wait(), -SIGKILL);
  const auto counts = read_kill_trace(folder.at("trace"));
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(*counts, (std::map<std::string, uint64_t>{{"a", 3}, {"b:x/y", 3}}));
}

TEST(KillPoint, OneThatIsNotReachedOftenEnoughDoesNothing) {
  const TestFolder folder;
  EXPECT_EQ(TestChild("walker", {folder.path(), "a:6"}).wait(), 7);
  EXPECT_EQ(read_kill_trace(folder.at("trace"))->at("a"), 5U);
  EXPECT_EQ(TestChild("walker", {folder.path(), "b:x:1"}).wait(), 7);
  EXPECT_EQ(read_kill_trace(folder.at("trace"))->at("a"), 10U);  // appended
}

TEST(KillPoint, OfSeveralTheFirstThatComesKills) {
  const TestFolder folder;
  EXPECT_EQ(TestChild("walker", {folder.path(), "never:1,b:x/y:2,a:3"}).wait(), -SIGKILL);
  const auto counts = read_kill_trace(folder.at("trace"));
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(*counts, (std::map<std::string, uint64_t>{{"a", 2}, {"b:x/y", 2}}));
}

TEST(KillPoint, RefusesWhatNamesNoPoint) {
  for (const char* word : {"",
                           "a",
                           "a:",
                           ":1",
                           "a:0",
                           "a:-1",
                           "a:1x",
                           "a: 1",
                           "a:99999999999999999999",
                           "a:1,",
                           ",a:1",
                           "a:1,b"}) {
    const auto armed = KillPoints::arm(word);
    ASSERT_FALSE(armed.ok()) << word;
    EXPECT_EQ(armed.error().code, Code::bad_option);
  }
  EXPECT_FALSE(KillPoints::on());
  EXPECT_EQ(KillPoints::trace("/no/such/folder").error().code, Code::io_failed);
}

TEST(KillPoint, StoppingDisarms) {
  ASSERT_TRUE(KillPoints::arm("a:1").ok());
  EXPECT_TRUE(KillPoints::on());
  KillPoints::stop();
  EXPECT_FALSE(KillPoints::on());
  kill_point("a");
}

}  // namespace
}  // namespace lockstep::platform
