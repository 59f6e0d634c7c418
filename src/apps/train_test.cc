// A whole small job, from its data files to the trained weights: the same bits however it is run,
// and the bits that the law's own step gives.
#include "plan/train.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "apps/job_input.h"
#include "apps/sim_run.h"
#include "apps/small_job.h"
#include "apps/verify.h"
#include "exec/tensor_runner.h"
#include "formats/safetensors.h"
#include "law/interpret.h"
#include "law/roots.h"
#include "platform/files.h"
#include "prepare/prepare.h"

namespace lockstep {
namespace {

struct Trained {
  std::vector<model::Execution> executions;
  Hash root;
};

Result<Trained> train(tensor::Options options) {
  MemoryFiles files = small_files();
  env::MemoryKeyValue values;
  store::Blobs blobs(values, law::data_mode());
  const auto prepared = TRY(prepare::prepare(small_job(), "", files, blobs));
  auto planner = TRY(plan::TrainPlanner::create(prepared.job));
  platform::Clock clock;
  exec::TensorRunner runner(blobs, clock, options);
  Trained trained;
  std::vector<model::Execution> finished;
  while (!planner.done()) {
    const auto tasks = TRY(planner.advance(finished));
    finished.clear();
    for (const model::Task& task : tasks) {
      finished.push_back(TRY(runner.run(task)));
    }
    trained.executions.insert(trained.executions.end(), finished.begin(), finished.end());
  }
  std::vector<std::pair<std::string, Hash>> roots;
  for (const std::string& name : prepared.job.parameters) {
    const auto leaf = TRY(planner.output({model::TaskKind::merge, 1, 0}, name));
    roots.emplace_back(name, leaf.root);
  }
  trained.root = law::model_root(roots);
  return trained;
}

TEST(Training, GivesTheSameBitsOnEveryIsaAndThreadCount) {
  const auto first = train({1, tensor::Isa::portable, false});
  ASSERT_TRUE(first.ok()) << first.error().message();
  for (const tensor::Isa isa : {tensor::Isa::portable, tensor::best_isa()}) {
    for (const int threads : {1, 2, 7}) {
      const auto again = train({threads, isa, false});
      ASSERT_TRUE(again.ok());
      EXPECT_EQ(again->root, first->root) << threads;
      ASSERT_EQ(again->executions.size(), first->executions.size());
      for (size_t i = 0; i < first->executions.size(); ++i) {
        EXPECT_EQ(again->executions[i].state_roots, first->executions[i].state_roots) << i;
      }
    }
  }
}

TEST(Training, TheSmallJobsRootIsGolden) {
  const auto trained = train({2, tensor::best_isa(), false});
  ASSERT_TRUE(trained.ok()) << trained.error().message();
  EXPECT_EQ(to_hex(trained->root.view()),
            "932540f99293cd5bd82be200c31be30d43c9c50bde380b1cefc2bf6f9ead8218");
}

TEST(Training, ALaneTaskIsWhatTheLawSays) {
  MemoryFiles files = small_files();
  env::MemoryKeyValue values;
  store::Blobs blobs(values, law::data_mode());
  const auto prepared = prepare::prepare(small_job(), "", files, blobs);
  ASSERT_TRUE(prepared.ok()) << prepared.error().message();
  auto planner = plan::TrainPlanner::create(prepared->job);
  ASSERT_TRUE(planner.ok()) << planner.error().message();
  const model::Task task = planner->advance({})->at(1);
  platform::Clock clock;
  exec::TensorRunner runner(blobs, clock, {2, tensor::best_isa(), false});
  const auto done = runner.run(task);
  ASSERT_TRUE(done.ok()) << done.error().message();

  const law::Program program = *law::decode(task.program->bytes);
  std::vector<law::Tensor> leaves;
  std::vector<law::Tensor> constants;
  for (size_t i = 0; i < task.leaves.size(); ++i) {
    leaves.push_back({program.leaves[i].shape, *blobs.get(task.leaves[i].tensor.data)});
  }
  for (size_t i = 0; i < program.constants.size(); ++i) {
    constants.push_back({program.constants[i].shape, *blobs.get(task.program->constants[i])});
  }
  for (uint32_t step = 0; step < task.steps; ++step) {
    leaves = law::run_step(program, leaves, constants, nullptr);
  }
  for (size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_EQ(done->leaves[i].root, law::tensor_root(leaves[i])) << program.leaves[i].name;
  }
  EXPECT_EQ(done->state_roots.size(), 2u) << "after steps 2 and 3";
}

TEST(Runner, RefusesLeavesThatAreNotWhatTheTaskNames) {
  MemoryFiles files = small_files();
  env::MemoryKeyValue values;
  store::Blobs blobs(values, law::data_mode());
  const auto prepared = prepare::prepare(small_job(), "", files, blobs);
  auto planner = plan::TrainPlanner::create(prepared->job);
  const model::Task task = planner->advance({})->at(0);
  platform::Clock clock;
  exec::TensorRunner runner(blobs, clock, {1, tensor::best_isa(), false});
  model::Task wrong_root = task;
  wrong_root.leaves[0].tensor.root.bytes[0] ^= 1;
  EXPECT_EQ(runner.run(wrong_root).error().code, Code::wrong_task);
  model::Task lost = task;
  lost.leaves[0].tensor.data.bytes[0] ^= 1;
  lost.leaves[0].tensor.root = law::tensor_root(law::decode(task.program->bytes)->leaves[0].shape,
                                                lost.leaves[0].tensor.data);
  EXPECT_EQ(runner.run(lost).error().code, Code::blob_missing);
  model::Task endless = task;
  endless.steps = limits::task_steps_max + 1;
  EXPECT_EQ(runner.run(endless).error().code, Code::wrong_task);
}

TEST(Prepare, NamesTheFileThatIsWrong) {
  const auto broken = [](auto change) {
    MemoryFiles files = small_files();
    model::JobSpec spec = small_job();
    change(files.files, spec);
    env::MemoryKeyValue values;
    store::Blobs blobs(values, law::data_mode());
    const auto prepared = prepare::prepare(spec, "", files, blobs);
    return prepared.ok() ? Error{} : prepared.error();
  };
  using Map = std::map<std::string, Bytes>;
  const auto missing = broken([](Map& files, auto&) { files.erase("tx"); });
  EXPECT_EQ(missing.code, Code::file_not_found);
  EXPECT_EQ(missing.where, "tx");
  const auto cut = broken([](Map& files, auto&) { files["x"].pop_back(); });
  EXPECT_EQ(cut.code, Code::bad_idx);
  EXPECT_EQ(cut.where.substr(0, 1), "x");
  EXPECT_EQ(broken([](Map& files, auto&) { files["y"].back() = 10; }).code, Code::bad_data);
  EXPECT_EQ(broken([](Map& files, auto&) {
              files["x"] = idx({60, 28, 27}, 256, 1);
            }).code,
            Code::bad_data);
  EXPECT_EQ(broken([](Map& files, auto&) { files["y"] = idx({59}, 10, 1); }).code, Code::bad_data);
  EXPECT_EQ(broken([](Map&, model::JobSpec& spec) { spec.data.blob_images = 25; }).code,
            Code::bad_data);
  EXPECT_EQ(broken([](Map& files, auto&) { files["model.onnx"].resize(100); }).code,
            Code::bad_onnx);
}

TEST(Command, RunsAJobVerifiesItsReceiptAndReplaysIt) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / "lockstep_train_test";
  std::filesystem::remove_all(folder);
  platform::Files disk;
  for (const auto& [name, bytes] : small_files().files) {
    ASSERT_TRUE(disk.write((folder / name).string(), bytes).ok());
  }
  const std::string text =
      "model: model.onnx\ndata: {train_images: x, train_labels: y, test_images: tx, test_labels: "
      "ty, "
      "blob_images: 20}\ntrain: {rounds: 1, lanes: 2, batch: 5, local_steps: 2}\n";
  const Bytes job(text.begin(), text.end());
  ASSERT_TRUE(disk.write((folder / "job.yaml").string(), job).ok());
  apps::SimOptions options;
  options.job_path = (folder / "job.yaml").string();
  options.out_folder = (folder / "out").string();
  options.json = true;
  EXPECT_EQ(apps::validate_job(options.job_path, true), apps::Exit::ok);
  EXPECT_EQ(apps::sim_run(options), apps::Exit::ok);
  const auto bytes = disk.read((folder / "out/model.safetensors").string(), 1 << 20);
  ASSERT_TRUE(bytes.ok());
  const auto weights = formats::read_safetensors(*bytes);
  ASSERT_TRUE(weights.ok());
  ASSERT_EQ(weights->size(), 8u);
  EXPECT_EQ(weights->at(1).name, "conv1.weight");
  EXPECT_EQ(weights->at(1).tensor.shape.dims, (law::Dims{8, 1, 3, 3}));
  EXPECT_EQ(weights->at(5).tensor.shape.dims, (law::Dims{64, 784}));
  EXPECT_EQ(apps::verify_receipt((folder / "out/receipt.json").string(), true), apps::Exit::ok);
  EXPECT_EQ(apps::sim_replay((folder / "out/replay.json").string(), true), apps::Exit::ok);
  options.job_path = (folder / "none.yaml").string();
  EXPECT_EQ(apps::sim_run(options), apps::Exit::invalid_input);
  options.job_path = (folder / "job.yaml").string();
  options.cheats = {"provider-3:nap"};
  EXPECT_EQ(apps::sim_run(options), apps::Exit::invalid_input);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lockstep
