#include "plan/sweep.h"

#include <algorithm>

#include "base/limits.h"
#include "model/market.h"
#include "plan/kind.h"

namespace lockstep::plan {
namespace {

using model::LeafInput;
using model::TaskKind;
using model::TaskTag;
using std::string_view;

constexpr size_t rates_max = 64;
constexpr float rate_max = 1000;  // beyond it nothing trains
constexpr uint64_t chain_max = 1000;
constexpr uint64_t tests_max = 1000;  // blobs of test data, of which each variant reads all
constexpr TaskTag choice{TaskKind::merge, 0, 0};

constexpr string_view sweep_keys[] = {
    "lr", "schedule", "warmup", "momentum", "batch", "tasks", "steps", "claim_every"};
constexpr string_view schedules[] = {"constant", "warmup_cosine"};  // as model::Schedule

Error bad_plan(std::string what, std::string where = {}) {
  return refuse(Code::bad_plan, std::move(what), {}, std::move(where));
}

Result<void> read_rates(const spec::Fields& map, std::vector<spec::WrittenNumber>& rates) {
  TRY(map.require("lr", "lr: [0.01, 0.1]"));
  TRY(map.numbers("lr", rates_max, rates));
  if (rates.size() < 2) {
    return map.bad(Code::out_of_range,
                   "lr",
                   "has one rate, and there is nothing to choose from",
                   "write at least two, or use `kind: train`");
  }
  for (size_t i = 0; i < rates.size(); ++i) {
    if (!(rates[i].value > 0 && rates[i].value <= rate_max)) {
      return map.bad_item(Code::out_of_range,
                          "lr",
                          i,
                          "must be above 0 and at most 1000 as a 32-bit float",
                          "write a number like 0.05");
    }
    const auto first = std::find_if(rates.begin(), rates.end(), [&](const auto& other) {
      return other.value == rates[i].value;
    });
    if (const auto at = static_cast<size_t>(first - rates.begin()); at != i) {
      return map.bad_item(Code::out_of_range,
                          "lr",
                          i,
                          "is the same rate as entry " + std::to_string(at + 1),
                          "remove one of the two");
    }
  }
  return {};
}

Result<void> read_schedule(const spec::Fields& map, model::TrainSpec& train) {
  size_t schedule = 0;
  TRY(map.choice("schedule", schedules, schedule));
  train.lr = {static_cast<model::Schedule>(schedule), 1, 0};
  if (train.lr.schedule == model::Schedule::constant && map.has("warmup")) {
    return map.bad(Code::out_of_range,
                   "warmup",
                   "has no meaning for a constant rate",
                   "remove it or write `schedule: warmup_cosine`");
  }
  const uint64_t steps = uint64_t{train.rounds} * train.local_steps;
  return map.integer("warmup", spec::Range{0, steps}, train.lr.warmup_steps);
}

/// A task reads one blob, so one blob must hold the images of all its steps.
Result<void> check_blob(const spec::Fields& map, const model::JobSpec& spec, uint64_t images) {
  if (images <= spec.data.blob_images) {
    return {};
  }
  return map.bad(Code::out_of_range,
                 map.has("steps") ? "steps" : "batch",
                 "does not fit: batch x steps = " + std::to_string(images) +
                     " images a task, but data.blob_images is " +
                     std::to_string(spec.data.blob_images),
                 "lower batch or steps, or raise data.blob_images");
}

}  // namespace

Result<SweepSpec> read_sweep(const model::JobSpec& spec) {
  if (spec.file.values.empty() || !model::is_whole(spec.file)) {
    return bad_plan("the job's section makes no sense", "sweep");
  }
  const spec::Fields file = spec::Fields::of_file(spec.file);
  TRY(file.require("sweep", "sweep: {lr: [0.01, 0.1]}"));
  const spec::Fields map = TRY(file.child("sweep", sweep_keys));
  SweepSpec sweep;
  TRY(read_rates(map, sweep.rates));
  model::TrainSpec& train = sweep.train;
  train.lanes = 1;
  train.rounds = 1;
  TRY(map.number("momentum", train.optimizer.momentum));
  if (!(train.optimizer.momentum >= 0 && train.optimizer.momentum < 1)) {
    return map.bad(Code::out_of_range,
                   "momentum",
                   "must be at least 0 and below 1 as a 32-bit float",
                   "write a number like 0.9");
  }
  TRY(map.integer("batch", spec::Range{1, UINT32_MAX}, train.batch));
  TRY(map.integer("tasks", spec::Range{1, chain_max}, train.rounds));
  TRY(map.integer("steps", spec::Range{1, limits::task_steps_max}, train.local_steps));
  const uint32_t claim_every_max = model::claim_every_max(train.local_steps);
  train.claim_every = std::min(train.claim_every, claim_every_max);
  TRY(map.integer("claim_every", spec::Range{1, claim_every_max}, train.claim_every));
  TRY(read_schedule(map, train));
  TRY(check_blob(map, spec, uint64_t{train.batch} * train.local_steps));
  if (spec.data.test_images.empty()) {
    return file.bad(Code::missing_key,
                    "data",
                    "needs test_images and test_labels: they say which rate is the best",
                    "write `test_images: images.gz` and `test_labels: labels.gz`");
  }
  return sweep;
}

std::string sweep_task_name(const model::JobSpec& spec, const TaskTag& tag) {
  const auto sweep = read_sweep(spec);
  const bool is_lane = tag.kind == TaskKind::lane;
  const uint32_t variant = is_lane ? tag.part : tag.round;
  if (!sweep.ok() || variant > sweep->rates.size()) {
    return name_of(tag);
  }
  const std::string of = variant < sweep->rates.size() ? " of rate " + sweep->rates[variant].text
                                                       : std::string(" of the choice");
  switch (tag.kind) {
    case TaskKind::lane:
      return "task " + std::to_string(tag.round + 1) + of;
    case TaskKind::merge:
      return "choice";
    case TaskKind::evaluate:
      return "evaluation " + std::to_string(tag.part + 1) + of;
    case TaskKind::sum:
      return "sum" + of;
  }
  return "unknown";
}

Result<SweepPlanner> SweepPlanner::create(const model::Job& job) {
  SweepPlanner planner(job, TRY(read_sweep(job.spec)));
  if (job.train_blobs.empty() || job.test_blobs.empty() || job.test_blobs.size() > tests_max) {
    return bad_plan("the job has no training data, or no test data or too much");
  }
  TRY(planner.add_program(TaskKind::lane, "train", planner.sweep_.train.local_steps));
  TRY(planner.add_program(TaskKind::merge, "choose", 1));
  TRY(planner.add_program(TaskKind::evaluate, "evaluate", 1));
  TRY(planner.add_program(TaskKind::sum, "sum", 1));
  TRY(planner.set_tasks(planner.all_tags(), planner.sweep_.train.claim_every));
  return planner;
}

TaskTag SweepPlanner::trained(uint32_t variant) const {
  return {TaskKind::lane, sweep_.train.rounds - 1, variant};
}

uint64_t SweepPlanner::test_images() const {
  return uint64_t{tests()} * job().spec.data.blob_images;
}

std::vector<TaskTag> SweepPlanner::all_tags() const {
  std::vector<TaskTag> tags;
  tags.reserve(size_t{variants()} * (sweep_.train.rounds + tests() + 1) + tests() + 2);
  for (uint32_t round = 0; round < sweep_.train.rounds; ++round) {
    for (uint32_t variant = 0; variant < variants(); ++variant) {
      tags.push_back({TaskKind::lane, round, variant});
    }
  }
  for (uint32_t of = 0; of <= variants(); ++of) {
    if (of == variants()) {
      tags.push_back(choice);
    }
    for (uint32_t blob = 0; blob < tests(); ++blob) {
      tags.push_back({TaskKind::evaluate, of, blob});
    }
    tags.push_back({TaskKind::sum, of, 0});
  }
  return tags;
}

std::vector<TaskTag> SweepPlanner::reads(const TaskTag& tag) const {
  std::vector<TaskTag> tags;
  switch (tag.kind) {
    case TaskKind::lane:
      if (tag.round > 0) {
        tags = {{TaskKind::lane, tag.round - 1, tag.part}};
      }
      break;
    case TaskKind::merge:
      for (uint32_t variant = 0; variant < variants(); ++variant) {
        tags.push_back(trained(variant));
        tags.push_back({TaskKind::sum, variant, 0});
      }
      break;
    case TaskKind::evaluate:
      tags = {tag.round == variants() ? choice : trained(tag.round)};
      break;
    case TaskKind::sum:
      for (uint32_t blob = 0; blob < tests(); ++blob) {
        tags.push_back({TaskKind::evaluate, tag.round, blob});
      }
      break;
  }
  return tags;
}

Result<LeafInput> SweepPlanner::lane_source(const TaskTag& tag, const std::string& leaf) const {
  if (leaf == "images" || leaf == "labels") {
    const model::DataBlob& blob = job().train_blobs[tag.round % job().train_blobs.size()];
    return LeafInput{leaf == "images" ? blob.images : blob.labels, std::nullopt, 0};
  }
  if (leaf == "rate") {
    return from_job(leaf + std::to_string(tag.part));
  }
  return tag.round == 0 ? from_job(leaf)
                        : from_task({TaskKind::lane, tag.round - 1, tag.part}, leaf);
}

Result<LeafInput> SweepPlanner::choice_source(const std::string& leaf) const {
  if (leaf == "best") {
    return from_job(leaf);
  }
  const auto [variant, name] = numbered(leaf, "variant").value_or(std::pair(0U, leaf));
  return name == "correct" ? from_task({TaskKind::sum, variant, 0}, name)
                           : from_task(trained(variant), name);
}

Result<LeafInput> SweepPlanner::source(const TaskTag& tag, const std::string& leaf) const {
  switch (tag.kind) {
    case TaskKind::lane:
      return lane_source(tag, leaf);
    case TaskKind::merge:
      return choice_source(leaf);
    case TaskKind::evaluate: {
      if (leaf == "images" || leaf == "labels") {
        const model::DataBlob& blob = job().test_blobs[tag.part];
        return LeafInput{leaf == "images" ? blob.images : blob.labels, std::nullopt, 0};
      }
      return leaf == "correct"
                 ? from_job(leaf)
                 : from_task(tag.round == variants() ? choice : trained(tag.round), leaf);
    }
    case TaskKind::sum: {
      const auto part = numbered(leaf, "part");
      return from_task({TaskKind::evaluate, tag.round, part ? part->first : 0}, "correct");
    }
  }
  return bad_plan("an unknown kind of task");
}

std::optional<Milestone> SweepPlanner::milestone(const model::Execution& task) const {
  const auto loss = leaf_of(TaskKind::merge, "loss");
  if (task.tag != choice || !loss || *loss >= task.leaves.size()) {
    return std::nullopt;
  }
  return Milestone{1, task.leaves[*loss], sweep_.train.local_steps};
}

JobResult SweepPlanner::result() const {
  return {choice, job().parameters, TaskTag{TaskKind::sum, variants(), 0}, test_images()};
}

Result<ResultsTable> SweepPlanner::table() const {
  constexpr double percent = 100;
  constexpr uint32_t loss_decimals = 4;
  constexpr uint32_t percent_decimals = 2;
  // A TRY that returns from inside of the braces would leak what was made before it.
  const model::TensorRef best = TRY(output(choice, "best"));
  ResultsTable table{{"learning rate", "loss", "accuracy %"}, {}, best};
  table.rows.reserve(variants());
  for (uint32_t variant = 0; variant < variants(); ++variant) {
    const Measured loss{TRY(output(trained(variant), "loss")),
                        law::DType::f32,
                        1 / static_cast<double>(sweep_.train.local_steps),
                        loss_decimals};
    const Measured right{TRY(output({TaskKind::sum, variant, 0}, "correct")),
                         law::DType::i64,
                         percent / static_cast<double>(test_images()),
                         percent_decimals};
    table.rows.push_back({sweep_.rates[variant].text, loss, right});
  }
  return table;
}

std::string SweepPlanner::about() const {
  const uint32_t tasks = sweep_.train.rounds;
  return std::to_string(variants()) + " learning rates of " + std::to_string(tasks) +
         (tasks == 1 ? " task" : " tasks");
}

}  // namespace lockstep::plan
