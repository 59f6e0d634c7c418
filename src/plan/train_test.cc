#include "plan/train.h"

#include <gtest/gtest.h>

#include <functional>

#include "codec/record.h"
#include "graph/builder.h"
#include "law/roots.h"

namespace lockstep::plan {
namespace {

using graph::Builder;
using model::Execution;
using model::Task;
using model::TaskKind;
using model::TaskTag;

const law::Shape scalar{law::DType::f32, {}};
const law::Shape count{law::DType::i64, {}};

model::TensorRef ref(uint8_t data) {
  model::TensorRef made;
  made.data.bytes[0] = data;
  made.root = law::tensor_root(scalar, made.data);
  return made;
}

/// A program in which each of `names` is a scalar leaf and the first is written.
model::ProgramRef program(const std::vector<std::string>& names, const law::Shape& shape = scalar) {
  Builder builder;
  std::vector<graph::Value> leaves;
  leaves.reserve(names.size());
  for (const std::string& name : names) {
    leaves.push_back(builder.leaf(name, shape));
  }
  builder.set_next(leaves[0], builder.add(leaves[0], leaves.back()));
  auto built = builder.finish();
  EXPECT_TRUE(built.ok());
  return {law::program_root(built->program), law::encode(built->program), {}};
}

model::Job job_of(uint32_t rounds, uint32_t lanes, uint32_t blobs) {
  model::Job job;
  job.spec.train.rounds = rounds;
  job.spec.train.lanes = lanes;
  job.spec.train.local_steps = 3;
  const std::vector<std::string> merged =
      lanes == 2 ? std::vector<std::string>{"w", "lane1/w"} : std::vector<std::string>{"w"};
  job.programs = {{"train", program({"w", "images", "labels", "step"})},
                  {"merge", program(merged)},
                  {"evaluate", program({"correct", "images", "labels", "w"})},
                  {"sum", program({"correct", "part1"}, count)}};
  job.initial = {{"w", ref(1)}, {"step", ref(2)}, {"correct", ref(3)}};
  for (uint32_t i = 0; i < blobs; ++i) {
    job.train_blobs.push_back(
        {ref(static_cast<uint8_t>(100 + i)), ref(static_cast<uint8_t>(150 + i))});
  }
  job.test_blobs = {{ref(200), ref(201)}, {ref(202), ref(203)}};
  return job;
}

/// Leaves that name the task they came from.
Execution finish(const Task& task) {
  Execution done;
  done.tag = task.tag;
  for (size_t i = 0; i < task.leaves.size(); ++i) {
    auto leaf = ref(static_cast<uint8_t>(i));
    leaf.data.bytes[1] = static_cast<uint8_t>(static_cast<int>(task.tag.kind) + 1);
    leaf.data.bytes[2] = static_cast<uint8_t>(task.tag.round);
    leaf.data.bytes[3] = static_cast<uint8_t>(task.tag.part);
    done.leaves.push_back(leaf);
  }
  return done;
}

std::vector<Execution> finish_all(const std::vector<Task>& tasks) {
  std::vector<Execution> done;
  done.reserve(tasks.size());
  for (const Task& task : tasks) {
    done.push_back(finish(task));
  }
  return done;
}

std::vector<TaskTag> tags_of(const std::vector<Task>& tasks) {
  std::vector<TaskTag> tags;
  tags.reserve(tasks.size());
  for (const Task& task : tasks) {
    tags.push_back(task.tag);
  }
  return tags;
}

TEST(TrainPlanner, RunsRoundsThenEvaluationThenTheSum) {
  const auto job = job_of(2, 2, 3);
  auto planner = TrainPlanner::create(job);
  ASSERT_TRUE(planner.ok()) << planner.error().message();
  const std::vector<std::vector<TaskTag>> want{
      {{TaskKind::lane, 0, 0}, {TaskKind::lane, 0, 1}},
      {{TaskKind::merge, 0, 0}},
      {{TaskKind::lane, 1, 0}, {TaskKind::lane, 1, 1}},
      {{TaskKind::merge, 1, 0}},
      {{TaskKind::evaluate, 0, 0}, {TaskKind::evaluate, 0, 1}},
      {{TaskKind::sum, 0, 0}}};
  std::vector<Execution> done;
  uint64_t tasks_seen = 0;
  uint64_t operations = 0;
  for (const auto& tags : want) {
    EXPECT_FALSE(planner->done());
    const auto tasks = planner->advance(done);
    ASSERT_TRUE(tasks.ok()) << tasks.error().message();
    EXPECT_EQ(tags_of(*tasks), tags);
    for (const Task& task : *tasks) {
      ++tasks_seen;
      operations += task.operations;
    }
    done = finish_all(*tasks);
  }
  EXPECT_TRUE(planner->advance(done)->empty());
  EXPECT_TRUE(planner->done());
  EXPECT_EQ(tasks_seen, planner->task_count());
  EXPECT_EQ(operations, planner->operations());
}

TEST(TrainPlanner, WiresLeavesToTheirProducers) {
  const auto job = job_of(2, 2, 3);
  auto planner = TrainPlanner::create(job);
  const auto first = *planner->advance({});
  // Leaves in the program's order: images, labels, step, w.
  EXPECT_EQ(first[1].leaves[0].tensor, job.train_blobs[1].images);
  EXPECT_EQ(first[1].leaves[3].tensor, job.initial[0].tensor);
  EXPECT_EQ(first[0].steps, 3u);
  const auto merge = *planner->advance(finish_all(first));
  EXPECT_EQ(merge[0].leaves[0].task, (TaskTag{TaskKind::lane, 0, 1})) << "lane1/w";
  EXPECT_EQ(merge[0].leaves[1].task, (TaskTag{TaskKind::lane, 0, 0})) << "w";
  const auto second = *planner->advance(finish_all(merge));
  EXPECT_EQ(second[1].leaves[0].tensor, job.train_blobs[(2 * 1 + 1) % 3].images);
  EXPECT_EQ(second[1].leaves[2].task, (TaskTag{TaskKind::lane, 0, 0})) << "step is not merged";
  EXPECT_EQ(second[1].leaves[3].task, (TaskTag{TaskKind::merge, 0, 0}));
  EXPECT_EQ(second[1].leaves[3].tensor, finish(merge[0]).leaves[1]);
}

TEST(TrainPlanner, RefusesOutputsNobodyAskedFor) {
  const auto job = job_of(2, 2, 3);
  auto planner = TrainPlanner::create(job);
  const auto tasks = *planner->advance({});
  Execution unasked = finish(tasks[0]);
  unasked.tag.round = 1;
  EXPECT_EQ(planner->advance(std::vector{unasked}).error().code, Code::wrong_task);
  Execution small = finish(tasks[0]);
  small.leaves.pop_back();
  EXPECT_EQ(planner->advance(std::vector{small}).error().code, Code::wrong_task);
  EXPECT_TRUE(planner->advance(std::vector{finish(tasks[0])}).ok());
  EXPECT_EQ(planner->advance(std::vector{finish(tasks[0])}).error().code, Code::wrong_task)
      << "twice";
}

TEST(TrainPlanner, AnnulForgetsAllThatWasComputedFromATask) {
  const auto job = job_of(2, 2, 3);
  auto planner = TrainPlanner::create(job);
  std::vector<Execution> done;
  for (int i = 0; i < 3; ++i) {
    done = finish_all(*planner->advance(done));
  }
  ASSERT_TRUE(planner->advance(done).ok());  // the second merge is out
  const auto lost = planner->annul({TaskKind::lane, 0, 1});
  EXPECT_EQ(lost,
            (std::vector<TaskTag>{{TaskKind::lane, 0, 1},
                                  {TaskKind::lane, 1, 0},
                                  {TaskKind::lane, 1, 1},
                                  {TaskKind::merge, 0, 0},
                                  {TaskKind::merge, 1, 0}}));
  EXPECT_EQ(tags_of(*planner->advance({})), (std::vector<TaskTag>{{TaskKind::lane, 0, 1}}));
}

TEST(TrainPlanner, RefusesAJobWhoseLeavesDoNotFit) {
  auto job = job_of(2, 2, 3);
  job.initial.erase(job.initial.begin());
  EXPECT_EQ(TrainPlanner::create(job)->advance({}).error().code, Code::bad_plan);
  job = job_of(2, 2, 0);
  EXPECT_EQ(TrainPlanner::create(job).error().code, Code::bad_plan);
  job = job_of(2, 2, 3);
  job.programs[1].ref.bytes.pop_back();
  EXPECT_EQ(TrainPlanner::create(job).error().code, Code::truncated);
}

Code refusal_after(const std::function<void(model::Job&)>& change) {
  auto job = job_of(2, 2, 3);
  change(job);
  const auto planner = make_planner(job);
  return planner.ok() ? Code{} : planner.error().code;
}

TEST(Planner, RefusesAJobThatMakesNoSense) {
  EXPECT_EQ(refusal_after([](model::Job&) {}), Code{});
  using Change = std::function<void(model::Job&)>;
  const std::vector<Change> changes = {
      [](model::Job& job) { job.spec.kind = model::JobKind::sweep; },
      [](model::Job& job) { job.spec.train.rounds = 0; },
      [](model::Job& job) { job.spec.train.rounds = UINT32_MAX; },
      [](model::Job& job) { job.spec.train.lanes = 0; },
      [](model::Job& job) { job.spec.train.lanes = UINT32_MAX; },
      [](model::Job& job) { job.spec.train.local_steps = 0; },
      [](model::Job& job) { job.spec.train.local_steps = 101; },
      [](model::Job& job) { job.spec.train.claim_every = 0; },
      [](model::Job& job) { job.programs[2].name = "other"; },
      [](model::Job& job) { job.programs.push_back(job.programs[0]); },
      [](model::Job& job) { job.programs[0].ref.root.bytes[0] ^= 1; },
      [](model::Job& job) { std::swap(job.programs[0].ref.root, job.programs[1].ref.root); }};
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(refusal_after(changes[i]), Code::bad_plan) << i;
  }
}

/// Two processes: one prepares and writes the job, the other reads and plans it.
TEST(Planner, PlansTheSameFromAJobThatWasWrittenDown) {
  const auto job = job_of(2, 2, 3);
  const auto read = codec::decode<model::Job>(codec::encode(job));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, job);
  const auto first = make_planner(job).value();
  const auto second = make_planner(*read).value();
  EXPECT_EQ(first->operations(), second->operations());
  std::vector<Execution> done;
  while (!first->done()) {
    const auto tasks = *first->advance(done);
    const auto again = *second->advance(done);
    ASSERT_EQ(tags_of(tasks), tags_of(again));
    for (size_t i = 0; i < tasks.size(); ++i) {
      EXPECT_EQ(*tasks[i].program, *again[i].program);
      ASSERT_EQ(tasks[i].leaves.size(), again[i].leaves.size());
      for (size_t leaf = 0; leaf < tasks[i].leaves.size(); ++leaf) {
        EXPECT_EQ(tasks[i].leaves[leaf].tensor, again[i].leaves[leaf].tensor);
      }
    }
    done = finish_all(tasks);
  }
  EXPECT_TRUE(second->done());
}

TEST(Planner, SaysWhatTheJobComesTo) {
  auto job = job_of(2, 2, 3);
  job.parameters = {"w"};
  job.spec.data.blob_images = 20;
  job.programs[1].ref = program({"w", "loss", "lane1/w"});
  job.initial.push_back({"loss", ref(9)});
  const auto planner = make_planner(job).value();
  EXPECT_EQ(planner->rounds(), 2U);
  EXPECT_EQ(planner->about(), "2 rounds of 2 lanes");
  const JobResult result = planner->result();
  EXPECT_EQ(result.model, (TaskTag{TaskKind::merge, 1, 0}));
  EXPECT_EQ(result.parameters, job.parameters);
  EXPECT_EQ(result.evaluation, (TaskTag{TaskKind::sum, 0, 0}));
  EXPECT_EQ(result.test_images, 40U);
  Execution merge;
  merge.tag = {TaskKind::merge, 1, 0};
  merge.leaves = {ref(1), ref(2), ref(3)};
  const auto milestone = planner->milestone(merge);
  ASSERT_TRUE(milestone);
  EXPECT_EQ(milestone->round, 2U);
  EXPECT_EQ(milestone->loss, ref(2));
  EXPECT_EQ(milestone->terms, 3U);
  merge.tag.kind = TaskKind::lane;
  EXPECT_FALSE(planner->milestone(merge));
  EXPECT_EQ(planner->round_of({TaskKind::lane, 1, 0}), 2U);
  EXPECT_EQ(planner->round_of({TaskKind::merge, 0, 0}), 1U);
  EXPECT_FALSE(planner->round_of({TaskKind::evaluate, 0, 1}));
  EXPECT_FALSE(planner->round_of({TaskKind::sum, 0, 0}));

  job.test_blobs.clear();
  const JobResult untested = (*make_planner(job))->result();
  EXPECT_FALSE(untested.evaluation);
  EXPECT_EQ(untested.test_images, 0U);
}

}  // namespace
}  // namespace lockstep::plan
