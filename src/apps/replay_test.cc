// A network of processes that writes down all it does, with a liar and processes that are killed,
// and the same again from the record.
#include <gtest/gtest.h>

#include "apps/recorder.h"
#include "apps/test_network_folder.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

class TextSource final : public sim::ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  Result<Bytes> read(size_t count) override {
    const std::string part = text_.substr(std::min(at_, text_.size()), count);
    at_ += part.size();
    return Bytes(part.begin(), part.end());
  }

 private:
  std::string text_;
  size_t at_ = 0;
};

class ReplayTest : public NetworkTest {
 protected:
  void kill_and_start(const std::string& name) const {
    const int pid = pid_of(net_ + "/" + name);
    ASSERT_GT(pid, 0) << name;
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    ASSERT_EQ(run("up" + flags_).exit, 0);
  }
  [[nodiscard]] Output replay() const { return run("sim replay --recorded " + net_); }

  /// The record with one Assign that says something else; "" when there is none.
  static std::string with_other_assignment(const std::string& record) {
    TextSource source(record);
    sim::EntryReader reader(source);
    std::string changed(sim::record_magic);
    bool is_changed = false;
    auto next = reader.next();
    for (; next.ok() && *next; next = reader.next()) {
      auto* const came = std::get_if<sim::MessageCame>(&**next);
      auto* const assign = came == nullptr ? nullptr : std::get_if<net::Assign>(&came->message);
      if (assign != nullptr && !is_changed) {
        assign->assignment.signature.bytes.at(3) ^= 1;
        is_changed = true;
      }
      const Bytes bytes = sim::framed(**next);
      changed.append(bytes.begin(), bytes.end());
    }
    return is_changed ? changed : std::string();
  }
  /// In the first life of the first provider that got one; gives its name.
  [[nodiscard]] std::string change_an_assignment() const {
    for (const char* name : {"provider-1", "provider-2", "provider-3"}) {
      const auto lives = recorded_lives(net_ + "/" + name);
      const std::string file = lives.ok() ? lives->front() : std::string();
      const std::string changed = with_other_assignment(text_in(file));
      if (!changed.empty()) {
        std::ofstream(file, std::ios::binary) << changed;
        return name;
      }
    }
    return {};
  }
};

TEST_F(ReplayTest, ARealRunHappensAgain) {
  write_job(12, "full");
  ASSERT_EQ(run("up --demo --record" + flags_).exit, 0);
  Beside job_run(run_words() + " --record");
  const std::string events = net_ + "/jobs/tiny-1/events.jsonl";
  ASSERT_TRUE(wait_until(
      [&] { return text_in(events).find("\"event\":\"round\"") != std::string::npos; }, 60'000));
  kill_and_start("provider-1");
  kill_and_start("ledger");
  kill_and_start("jobs/tiny-1");
  const Output& done = job_run.finish();
  ASSERT_EQ(done.exit, 0) << done.text;

  EXPECT_NE(replay().exit, 0);  // it runs
  ASSERT_EQ(run("down" + flags_).exit, 0);
  const Output same = replay();
  EXPECT_EQ(same.exit, 0) << same.text;
  EXPECT_NE(same.text.find("provider-1: as recorded; 2 lives (1 cut off)"), std::string::npos)
      << same.text;
  EXPECT_NE(same.text.find("job tiny-1: as recorded; 2 lives (1 cut off)"), std::string::npos)
      << same.text;
  EXPECT_FALSE(after(same.text, "state root: ").empty()) << same.text;

  const std::string liar = change_an_assignment();
  ASSERT_FALSE(liar.empty());
  const Output other = replay();
  EXPECT_EQ(other.exit, 7) << other.text;
  EXPECT_NE(other.text.find("differs: " + liar + ", life 1, input "), std::string::npos)
      << other.text;
  EXPECT_NE(other.text.find("(message Assign, at "), std::string::npos) << other.text;
}

TEST_F(ReplayTest, WhatWasNotRecordedIsNotReplayed) {
  ASSERT_EQ(run("up --providers 1 --auditors 0" + flags_).exit, 0);
  ASSERT_EQ(run("down" + flags_).exit, 0);
  const Output nothing = replay();
  EXPECT_NE(nothing.exit, 0);
  EXPECT_NE(nothing.text.find("lockstep up --record"), std::string::npos) << nothing.text;
  EXPECT_NE(run("sim replay").exit, 0);
}

}  // namespace
}  // namespace lockstep::apps
