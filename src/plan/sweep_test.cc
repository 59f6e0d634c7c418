// Sweeps: read, planned and run by the law's interpreter, against one training job for each rate.
#include "plan/sweep.h"

#include <set>

#include "codec/record.h"
#include "plan/test_sweep.h"

namespace lockstep::plan {
namespace {

using model::TaskKind;
using model::TaskTag;
using test::Bench;
using test::head;

std::string sweep_text(const std::string& rates, const std::string& more = "") {
  return head("sweep") + "sweep:\n  lr: " + rates + "\n  batch: 2\n  steps: 3\n" + more;
}

int64_t number(const Bench& bench, const model::TensorRef& ref) {
  return static_cast<int64_t>(law::load_bits(law::DType::i64, bench.get(ref), 0));
}

TEST(Sweep, ReadsItsSection) {
  const auto spec = spec::parse_job(head("sweep") + "sweep: {lr: [0.5, 1e-2], tasks: 4}", "f");
  ASSERT_TRUE(spec.ok()) << spec.error().message();
  EXPECT_EQ(spec->kind, model::JobKind::sweep);
  EXPECT_EQ(read_sweep(*spec).error().code, Code::out_of_range) << "40 steps of 25 of 8 images";
  const auto fits = spec::parse_job(head("sweep") +
                                        "sweep: {lr: [0.5, 1e-2], tasks: 4, batch: 1, steps: 8, "
                                        "schedule: warmup_cosine, warmup: 5, momentum: 0}",
                                    "f");
  ASSERT_TRUE(fits.ok()) << fits.error().message();
  const auto sweep = read_sweep(*fits);
  ASSERT_TRUE(sweep.ok()) << sweep.error().message();
  EXPECT_EQ(sweep->rates.size(), 2U);
  EXPECT_EQ(sweep->rates[1].text, "1e-2");
  EXPECT_EQ(sweep->rates[1].value, 0.01F);
  EXPECT_EQ(sweep->train.rounds, 4U);
  EXPECT_EQ(sweep->train.local_steps, 8U);
  EXPECT_EQ(sweep->train.lr.schedule, model::Schedule::warmup_cosine);
  EXPECT_EQ(sweep->train.lr.warmup_steps, 5U);
  EXPECT_EQ(sweep->train.optimizer.momentum, 0.0F);
}

struct Refusal {
  std::string section;  // its lines begin at line 5 of the file
  Code code;
  std::string at;
  std::string says;
};

TEST(Sweep, RefusesWithThePlaceInTheFile) {
  const std::vector<Refusal> refusals = {
      {"  batch: 1", Code::missing_key, "5:3", "\"lr\""},
      {"  lr: 0.1", Code::wrong_type, "5:7", "a list of numbers"},
      {"  lr: []", Code::out_of_range, "5:7", "0 entries"},
      {"  lr: [0.1]", Code::out_of_range, "5:7", "nothing to choose from"},
      {"  lr: [0.1, fast]", Code::wrong_type, "5:13", "entry 2 of \"lr\""},
      {"  lr: [0.1, [0.2]]", Code::wrong_type, "5:13", "a list"},
      {"  lr: [0.1, 0]", Code::out_of_range, "5:13", "above 0"},
      {"  lr: [-1, 0.1]", Code::out_of_range, "5:8", "entry 1"},
      {"  lr: [0.1, 1001]", Code::out_of_range, "5:13", "at most 1000"},
      {"  lr: [0.1, 0.2, 1e-1]", Code::out_of_range, "5:18", "same rate as entry 1"},
      {"  lr: [0.1, 1e99]", Code::out_of_range, "5:13", "32-bit float"},
      {"  lr: [1, 2]\n  rate: 1", Code::unknown_key, "6:3", "\"rate\""},
      {"  lr: [1, 2]\n  lr: [1, 2]", Code::duplicate_key, "6:3", "twice"},
      {"  lr: [1, 2]\n  tasks: 0", Code::out_of_range, "6:10", "from 1 to 1000"},
      {"  lr: [1, 2]\n  steps: 101", Code::out_of_range, "6:10", "100"},
      {"  lr: [1, 2]\n  steps: 9\n  batch: 1", Code::out_of_range, "6:10", "does not fit"},
      {"  lr: [1, 2]\n  batch: 1", Code::out_of_range, "6:10", "does not fit"},
      {"  lr: [1, 2]\n  momentum: 1", Code::out_of_range, "6:13", "below 1"},
      {"  lr: [1, 2]\n  warmup: 1", Code::out_of_range, "6:11", "constant"},
      {"  lr: [1, 2]\n  schedule: cosine", Code::out_of_range, "6:13", "cosine"},
      {"  lr: [1, 2]\n  steps: 8\n  claim_every: 9", Code::out_of_range, "7:16", "claim_every"}};
  for (const Refusal& refusal : refusals) {
    const auto spec =
        spec::parse_job(head("sweep") + "sweep:\n" + refusal.section + "\n", "job.yaml");
    ASSERT_TRUE(spec.ok()) << refusal.section << "\n" << spec.error().message();
    const auto checked = check(*spec);
    ASSERT_FALSE(checked.ok()) << refusal.section;
    EXPECT_EQ(checked.error().code, refusal.code) << checked.error().message();
    EXPECT_EQ(checked.error().where, "job.yaml:" + refusal.at) << checked.error().message();
    EXPECT_NE(checked.error().message().find(refusal.says), std::string::npos)
        << checked.error().message();
    EXPECT_FALSE(checked.error().next.empty()) << refusal.section;
  }
  std::string many = "sweep: {lr: [1";
  for (int i = 0; i < 64; ++i) {
    many += ", 1";
  }
  const auto too_many = check(*spec::parse_job(head("sweep") + many + "]}", "f"));
  EXPECT_EQ(too_many.error().code, Code::out_of_range);
  EXPECT_EQ(too_many.error().what, "\"lr\" has 65 entries");
  const auto blind = spec::parse_job(
      "kind: sweep\nmodel: m.onnx\ndata: {train_images: a, train_labels: b}\n"
      "sweep: {lr: [1, 2]}\n",
      "f");
  EXPECT_EQ(check(*blind).error().code, Code::missing_key);
  EXPECT_EQ(check(*blind).error().where, "f:3:7");
}

TEST(Sweep, PlansIndependentTrainingsThenTheChoice) {
  Bench bench;
  const auto job = bench.job(sweep_text("[0.1, 0.2, 0.4]", "  tasks: 2\n"), 2, 2);
  ASSERT_TRUE(job.ok()) << job.error().message();
  const auto planner = make_planner(*job);
  ASSERT_TRUE(planner.ok()) << planner.error().message();
  EXPECT_EQ((*planner)->about(), "3 learning rates of 2 tasks");
  EXPECT_EQ((*planner)->task_count(), 3 * (2 + 2 + 1) + 1 + 2 + 1U);
  EXPECT_FALSE((*planner)->table().ok()) << "nothing is done";
  const auto first = (*planner)->advance({});
  ASSERT_EQ(first->size(), 3U) << "no training waits for another";
  EXPECT_EQ(first->at(2).tag, (TaskTag{TaskKind::lane, 0, 2}));
  EXPECT_EQ(first->at(2).steps, 3U);
  // One training runs ahead of the others.
  auto next = (*planner)->advance(std::vector{bench.run(first->at(1))});
  ASSERT_EQ(next->size(), 1U);
  EXPECT_EQ(next->at(0).tag, (TaskTag{TaskKind::lane, 1, 1}));
  next = (*planner)->advance(std::vector{bench.run(next->at(0))});
  ASSERT_EQ(next->size(), 2U);
  EXPECT_EQ(next->at(0).tag, (TaskTag{TaskKind::evaluate, 1, 0}));
  EXPECT_EQ(next->at(1).tag, (TaskTag{TaskKind::evaluate, 1, 1}));

  const auto whole = make_planner(*job).value();
  uint64_t operations = 0;
  std::set<TaskTag> tags;
  for (const model::Task& task : bench.run(*whole)) {
    operations += task.operations;
    EXPECT_TRUE(tags.insert(task.tag).second);
  }
  EXPECT_EQ(tags.size(), whole->task_count());
  EXPECT_EQ(operations, whole->operations());
  const JobResult result = whole->result();
  EXPECT_EQ(result.model, (TaskTag{TaskKind::merge, 0, 0}));
  EXPECT_EQ(result.evaluation, (TaskTag{TaskKind::sum, 3, 0}));
  EXPECT_EQ(result.test_images, 16U);
}

struct Trained {
  model::TensorRef weights;
  int64_t correct = 0;
};

/// A training job with one lane and this rate.
Trained train_alone(Bench& bench, const std::string& rate) {
  const auto job = bench.job(
      head("train") + "train: {lr: " + rate + ", batch: 2, local_steps: 3, lanes: 1, rounds: 4}\n",
      3,
      2);
  const auto planner = make_planner(*job).value();
  bench.run(*planner);
  return {planner->output(planner->result().model, "weights").value(),
          number(bench, planner->output(*planner->result().evaluation, "correct").value())};
}

/// Each training is that of a job of its own, and the kept model is the first of the best.
TEST(Sweep, KeepsTheBestOfTheTrainingsThatJobsOfTheirOwnWouldGive) {
  const std::vector<std::vector<std::string>> sweeps = {
      {"0.001", "0.1", "3"}, {"500", "0.05"}, {"0.1", "0.1000001"}, {"0.01", "0.02", "0.3", "900"}};
  std::set<uint64_t> places;
  for (const auto& rates : sweeps) {
    std::string list = "[" + rates[0];
    for (size_t i = 1; i < rates.size(); ++i) {
      list += ", " + rates[i];
    }
    Bench bench;
    const auto job = bench.job(sweep_text(list + "]", "  tasks: 4\n"), 3, 2);
    ASSERT_TRUE(job.ok()) << job.error().message();
    const auto planner = make_planner(*job).value();
    bench.run(*planner);
    const ResultsTable table = planner->table().value();
    ASSERT_EQ(table.rows.size(), rates.size());
    size_t best = 0;
    std::vector<Trained> alone;
    for (size_t i = 0; i < rates.size(); ++i) {
      alone.push_back(train_alone(bench, rates[i]));
      best = alone[i].correct > alone[best].correct ? i : best;
      ASSERT_EQ(table.rows[i].size(), table.columns.size());
      EXPECT_EQ(std::get<std::string>(table.rows[i][0]), rates[i]);
      EXPECT_EQ(number(bench, std::get<Measured>(table.rows[i][2]).tensor), alone[i].correct);
      const TaskTag last{TaskKind::lane, 3, static_cast<uint32_t>(i)};
      EXPECT_EQ(planner->output(last, "weights").value(), alone[i].weights) << list << i;
      EXPECT_EQ(planner->output(last, "loss").value(), std::get<Measured>(table.rows[i][1]).tensor);
    }
    EXPECT_EQ(number(bench, *table.chosen), static_cast<int64_t>(best)) << list;
    EXPECT_EQ(planner->output(planner->result().model, "weights").value(), alone[best].weights);
    EXPECT_EQ(number(bench, planner->output(*planner->result().evaluation, "correct").value()),
              alone[best].correct);
    places.insert(best);
  }
  EXPECT_GT(places.size(), 1U) << "the best stands in more than one place";
}

TEST(Sweep, AnnulForgetsOneTrainingAndTheChoice) {
  Bench bench;
  const auto job = bench.job(sweep_text("[0.1, 0.2]", "  tasks: 2\n"), 2, 1);
  const auto planner = make_planner(*job).value();
  bench.run(*planner);
  const std::vector<TaskTag> want{{TaskKind::lane, 0, 1},
                                  {TaskKind::lane, 1, 1},
                                  {TaskKind::merge, 0, 0},
                                  {TaskKind::evaluate, 1, 0},
                                  {TaskKind::evaluate, 2, 0},
                                  {TaskKind::sum, 1, 0},
                                  {TaskKind::sum, 2, 0}};
  EXPECT_EQ(planner->annul({TaskKind::lane, 0, 1}), want);
  EXPECT_FALSE(planner->done());
  EXPECT_EQ(bench.run(*planner).size(), want.size());
  EXPECT_TRUE(planner->done());
}

TEST(Sweep, TellsItsMilestone) {
  Bench bench;
  const auto job = bench.job(sweep_text("[0.1, 0.2]"), 1, 1);
  const auto planner = make_planner(*job).value();
  EXPECT_EQ(planner->about(), "2 learning rates of 1 task");
  EXPECT_EQ(planner->rounds(), 1U);
  for (const model::Task& task : bench.run(*planner)) {
    const auto milestone = planner->milestone(bench.run(task));
    EXPECT_EQ(milestone.has_value(), task.tag.kind == TaskKind::merge);
    if (milestone) {
      EXPECT_EQ(milestone->loss, planner->output(task.tag, "loss").value());
      EXPECT_EQ(milestone->terms, 3U);
    }
    EXPECT_FALSE(planner->round_of(task.tag)) << "trainings have no rounds in common";
  }
}

/// Both kinds: what is told of a task must say which one it is.
TEST(Sweep, CallsNoTwoTasksTheSame) {
  Bench bench;
  const std::vector<std::string> texts = {
      sweep_text("[0.1, 0.2, 2e-1]", "  tasks: 2\n"),
      sweep_text("[0.1, 0.2]", "  tasks: 2\n"),
      head("train") + "train: {lr: 0.1, batch: 2, local_steps: 3, lanes: 2, rounds: 2}\n"};
  EXPECT_FALSE(bench.job(texts[0], 1, 2).ok()) << "two names would be the same rate's";
  for (size_t i = 1; i < texts.size(); ++i) {
    const auto job = bench.job(texts[i], 1, 2);
    ASSERT_TRUE(job.ok()) << job.error().message();
    const auto planner = make_planner(*job).value();
    std::set<std::string> names, general;
    for (const model::Task& task : bench.run(*planner)) {
      EXPECT_TRUE(names.insert(name_of(job->spec, task.tag)).second);
      EXPECT_TRUE(general.insert(name_of(task.tag)).second) << name_of(task.tag);
    }
    EXPECT_EQ(names.size(), planner->task_count());
  }
  const auto job = bench.job(texts[1], 1, 1).value();
  const auto name = [&](TaskKind kind, uint32_t round, uint32_t part) {
    return name_of(job.spec, TaskTag{kind, round, part});
  };
  EXPECT_EQ(name(TaskKind::lane, 1, 0), "task 2 of rate 0.1");
  EXPECT_EQ(name(TaskKind::evaluate, 1, 0), "evaluation 1 of rate 0.2");
  EXPECT_EQ(name(TaskKind::sum, 0, 0), "sum of rate 0.1");
  EXPECT_EQ(name(TaskKind::merge, 0, 0), "choice");
  EXPECT_EQ(name(TaskKind::evaluate, 2, 0), "evaluation 1 of the choice");
  EXPECT_EQ(name(TaskKind::sum, 2, 0), "sum of the choice");
  EXPECT_EQ(name(TaskKind::sum, 3, 0), "sum of model 4") << "no task of this job";
}

TEST(Sweep, PlansTheSameFromAJobThatWasWrittenDown) {
  Bench bench;
  const auto job = bench.job(sweep_text("[0.1, 0.2]"), 1, 1);
  const auto read = codec::decode<model::Job>(codec::encode(*job));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, *job);
  const auto planner = make_planner(*read);
  ASSERT_TRUE(planner.ok()) << planner.error().message();
  EXPECT_EQ(bench.run(**planner).size(), (*planner)->task_count());
}

TEST(Sweep, RefusesAJobThatMakesNoSense) {
  Bench bench;
  const auto job = bench.job(sweep_text("[0.1, 0.2]"), 1, 1);
  ASSERT_TRUE(make_planner(*job).ok());
  using Change = std::function<void(model::Job&)>;
  const std::vector<Change> changes = {
      [](model::Job& one) { one.train_blobs.clear(); },
      [](model::Job& one) { one.test_blobs.clear(); },
      [](model::Job& one) { one.test_blobs.resize(1001); },
      [](model::Job& one) { one.spec.file.values.clear(); },
      [](model::Job& one) { one.spec.file.values[0].entries[0].value = 0; },
      [](model::Job& one) { one.spec.file.values[0].entries[0].value = UINT64_MAX; },
      [](model::Job& one) { one.programs.pop_back(); },
      [](model::Job& one) { one.programs.push_back(one.programs[0]); },
      [](model::Job& one) { one.programs[0].ref.root.bytes[0] ^= 1; }};
  for (size_t i = 0; i < changes.size(); ++i) {
    model::Job changed = *job;
    changes[i](changed);
    const auto planner = make_planner(changed);
    ASSERT_FALSE(planner.ok()) << i;
    EXPECT_EQ(planner.error().code, Code::bad_plan) << i << planner.error().message();
  }
}

}  // namespace
}  // namespace lockstep::plan
