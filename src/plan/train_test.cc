#include "plan/train.h"

#include <gtest/gtest.h>

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

model::TrainJob job_of(uint32_t rounds, uint32_t lanes, uint32_t blobs) {
  model::TrainJob job;
  job.spec.train.rounds = rounds;
  job.spec.train.lanes = lanes;
  job.spec.train.local_steps = 3;
  job.train = program({"w", "images", "labels", "step"});
  job.merge = program(lanes == 2 ? std::vector<std::string>{"w", "lane1/w"}
                                 : std::vector<std::string>{"w"});
  job.evaluate = program({"correct", "images", "labels", "w"});
  job.sum = program({"correct", "part1"}, count);
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
  job.merge.bytes.pop_back();
  EXPECT_EQ(TrainPlanner::create(job).error().code, Code::truncated);
}

}  // namespace
}  // namespace lockstep::plan
