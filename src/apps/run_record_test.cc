#include "apps/run_record.h"

#include <gtest/gtest.h>

#include "apps/test_page.h"
#include "base/test_random.h"

namespace lockstep::apps {
namespace {

size_t count_of(const RunRecord& record, Fate fate) {
  return static_cast<size_t>(std::count_if(record.runs.begin(),
                                           record.runs.end(),
                                           [&](const TaskRun& run) { return run.fate == fate; }));
}

TEST(RunRecord, CollectsARunWithALiarAndACrash) {
  const RunRecord record = record_of(lines_of(SampleRun(9, 6, 3).events()));
  EXPECT_EQ(record.job, "fashion-mnist");
  EXPECT_EQ(record.tasks, 54U);
  // Rounds 1 to 4 were computed, voided and computed again; one task went with its machine.
  EXPECT_EQ(record.runs.size(), 54U + 24U + 2U);
  EXPECT_EQ(count_of(record, Fate::voided), 24U);
  EXPECT_EQ(count_of(record, Fate::lost), 1U);
  EXPECT_EQ(count_of(record, Fate::computed), 55U);
  EXPECT_EQ(count_of(record, Fate::running), 0U);
  EXPECT_EQ(record.tasks_voided, 24U);
  ASSERT_EQ(record.disputes.size(), 1U);
  const DisputeRow& dispute = record.disputes[0];
  EXPECT_TRUE(dispute.convicted);
  EXPECT_EQ(dispute.steps.size(), 10U);
  EXPECT_EQ(dispute.proof, "step 40, operator 48 (map), chunk 0, fold step 0");
  EXPECT_EQ(dispute.proof_bytes, 1453U);
  ASSERT_TRUE(dispute.slash.has_value());
  EXPECT_EQ(dispute.slash->burned.print(), "15 LKS");
  EXPECT_EQ(record.marks.size(), 3U);  // convicted, crashed, given up
  EXPECT_TRUE(record.settled);
}

TEST(RunRecord, ATaskPlacedAgainWasLostOrVoided) {
  RunRecord record;
  const auto place = [&](uint64_t ms, const char* id) {
    record.add(ms, "task_placed", {{"id", id}, {"task", "sum"}, {"machine", "a"}});
  };
  place(10, "1");
  place(20, "2");
  record.add(30, "task_delivered", {{"id", "2"}});
  record.add(40, "task_accepted", {{"id", "2"}});
  place(50, "3");
  record.add(60, "task_accepted", {{"id", "unknown"}});
  place(70, "3");  // told again by a requester that was started again
  place(70, "1");
  ASSERT_EQ(record.runs.size(), 3U);
  EXPECT_EQ(record.runs[0].fate, Fate::lost);
  EXPECT_EQ(record.runs[0].ended_ms, 20U);
  EXPECT_FALSE(record.runs[0].again);
  EXPECT_EQ(record.runs[1].fate, Fate::voided);
  EXPECT_EQ(record.runs[1].delivered_ms, 30U);
  EXPECT_TRUE(record.runs[1].again);
  EXPECT_EQ(record.runs[2].fate, Fate::running);
}

/// Any events missing, any fields of the wrong type: a gap, never a fault.
TEST(RunRecord, BearsWhateverIsMissing) {
  TestRandom random(7);
  const Events events = SampleRun(6, 4, 3).events();
  for (int turn = 0; turn < 60; ++turn) {
    Events some;
    size_t placed = 0;
    for (const auto& event : events) {
      if (random.below(4) == 0) {
        continue;
      }
      nlohmann::json one = event;
      for (const auto& [key, value] : event.items()) {
        const uint64_t what = random.below(12);
        if (key != "event" && what == 0) {
          one.erase(key);
        } else if (key != "event" && what == 1) {
          one[key] = nlohmann::json::array({1, "x", nullptr});
        } else if (key != "event" && what == 2) {
          one[key] = -3;
        }
      }
      placed += one["event"] == "task_placed" ? 1 : 0;
      some.push_back(std::move(one));
    }
    const RunRecord record = record_of(lines_of(some) + "not json\n[]\n{\"event\": 3}\n\n{");
    EXPECT_EQ(record.runs.size(), placed);
  }
}

TEST(RunRecord, PassesOverWhatItDoesNotKnow) {
  RunRecord record;
  record.add(5, "something_new", {{"x", 1}});
  record.add(5, "round", nlohmann::json::array());
  EXPECT_TRUE(record.rounds.empty());
  EXPECT_EQ(record.last_ms, 0U);
}

}  // namespace
}  // namespace lockstep::apps
