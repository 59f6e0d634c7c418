#include "apps/run_job.h"

#include <cstdlib>
#include <cstring>

#include "exec/tensor_runner.h"
#include "formats/safetensors.h"
#include "law/roots.h"
#include "plan/train.h"
#include "platform/files.h"
#include "prepare/prepare.h"
#include "spec/job_file.h"

namespace lockstep::apps {
namespace {

using model::TaskKind;
using model::TaskTag;

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash == 0 ? 1 : slash);
}

template <class... Args>
std::string format(const char* pattern, Args... args) {
  char text[256];
  (void)std::snprintf(text, sizeof text, pattern, args...);  // cut when too long
  return text;
}

Result<model::JobSpec> read_job(env::Files& files, const std::string& path) {
  const Bytes text = TRY(files.read(path, limits::job_file_bytes_max));
  return spec::parse_job({reinterpret_cast<const char*>(text.data()), text.size()}, path);
}

/// LOCKSTEP_ISA=portable or avx2 chooses the kernels; unset, the widest that this machine has.
Result<tensor::Isa> choose_isa() {
  // No thread runs yet.
  const char* const wanted = std::getenv("LOCKSTEP_ISA");  // NOLINT(concurrency-mt-unsafe)
  const std::string name = wanted == nullptr ? "" : wanted;
  if (name == "portable") {
    crypto::set_isa(crypto::Isa::portable);
    return tensor::Isa::portable;
  }
  if (name.empty() || (name == "avx2" && tensor::supported(tensor::Isa::avx2))) {
    return tensor::best_isa();
  }
  return refuse(Code::out_of_range,
                "\"" + name + "\" is no instruction set that this machine runs",
                "set it to portable or avx2, or leave it unset",
                "LOCKSTEP_ISA");
}

/// One run: the world, the job and its planner.
class Run {
 public:
  Run(const RunOptions& options, const Report& report)
      : options_(options), report_(report), blobs_(values_, law::data_mode()) {}

  Result<void> all() {
    const uint64_t start = clock_.now_ns();
    const tensor::Isa isa = TRY(choose_isa());
    const model::JobSpec spec = TRY(read_job(files_, options_.job_path));
    const prepare::Prepared prepared =
        TRY(prepare::prepare(spec, folder_of(options_.job_path), files_, blobs_));
    auto planner = TRY(plan::TrainPlanner::create(prepared.job));
    tell_plan(prepared.job, planner);
    exec::TensorRunner runner(blobs_, clock_, {options_.threads, isa, false});
    TRY(run_tasks(prepared.job, planner, runner));
    TRY(finish(prepared, planner));
    const double seconds = static_cast<double>(clock_.now_ns() - start) * 1e-9;
    const auto compute = static_cast<double>(runner.meter().compute_ns);
    const auto hash = static_cast<double>(runner.meter().hash_ns);
    const double share = compute + hash > 0 ? 100 * hash / (compute + hash) : 0;
    report_.tell(format("time: %.1f s, %.1f %% of the engine's time spent hashing", seconds, share),
                 "time",
                 {{"seconds", seconds}, {"hash_percent", share}});
    return {};
  }

 private:
  void tell_plan(const model::TrainJob& job, const plan::TrainPlanner& planner) const {
    const auto& train = job.spec.train;
    const double units = static_cast<double>(planner.operations()) * 1e-9;
    report_.tell(format("job %s: %s tasks, %u rounds of %u lanes, %.3f units of work",
                        job.spec.name.c_str(),
                        std::to_string(planner.task_count()).c_str(),
                        train.rounds,
                        train.lanes,
                        units),
                 "plan",
                 {{"tasks", planner.task_count()},
                  {"operations", planner.operations()},
                  {"train_program", to_hex(job.train.root.view())}});
  }

  Result<void> run_tasks(const model::TrainJob& job,
                         plan::TrainPlanner& planner,
                         exec::TensorRunner& runner) {
    std::vector<model::Execution> finished;
    while (!planner.done()) {
      const std::vector<model::Task> tasks = TRY(planner.advance(finished));
      finished.clear();
      if (tasks.empty() && !planner.done()) {
        return refuse(Code::internal, "the planner has no task left and is not done");
      }
      for (const model::Task& task : tasks) {
        finished.push_back(TRY(runner.run(task)));
      }
      if (finished.size() == 1 && finished[0].tag.kind == TaskKind::merge) {
        TRY(tell_round(job, finished[0]));
      }
    }
    return {};
  }

  Result<void> tell_round(const model::TrainJob& job, const model::Execution& merge) {
    const law::Program program = TRY(law::decode(job.merge.bytes));
    for (size_t i = 0; i < program.leaves.size(); ++i) {
      if (program.leaves[i].name == "loss") {
        const Bytes bytes = TRY(blobs_.get(merge.leaves[i].data));
        float sum = 0;
        std::memcpy(&sum, bytes.data(), sizeof sum);
        const double loss = static_cast<double>(sum) / job.spec.train.local_steps;
        report_.tell(
            format("round %3u of %u  loss %.4f", merge.tag.round + 1, job.spec.train.rounds, loss),
            "round",
            {{"round", merge.tag.round + 1}, {"loss", loss}});
      }
    }
    return {};
  }

  Result<void> finish(const prepare::Prepared& prepared, const plan::TrainPlanner& planner) {
    const model::TrainJob& job = prepared.job;
    if (!job.test_blobs.empty()) {
      const auto correct = TRY(planner.output({TaskKind::sum, 0, 0}, "correct"));
      const Bytes bytes = TRY(blobs_.get(correct.data));
      const auto right = static_cast<int64_t>(law::load_bits(law::DType::i64, bytes, 0));
      const auto images = static_cast<double>(job.test_blobs.size()) * job.spec.data.blob_images;
      const double percent = 100 * static_cast<double>(right) / images;
      report_.tell(format("accuracy: %.2f %%", percent),
                   "accuracy",
                   {{"percent", percent}, {"correct", right}});
    }
    const TaskTag last{TaskKind::merge, job.spec.train.rounds - 1, 0};
    std::vector<formats::NamedTensor> weights;
    std::vector<std::pair<std::string, Hash>> roots;
    for (size_t i = 0; i < job.parameters.size(); ++i) {
      const auto leaf = TRY(planner.output(last, job.parameters[i]));
      const law::Shape& shape = prepared.model.parameters()[i].tensor.shape;
      const law::Tensor tensor{shape, TRY(blobs_.get(leaf.data))};
      weights.push_back({job.parameters[i], prepared.model.to_onnx_layout(i, tensor)});
      roots.emplace_back(job.parameters[i], leaf.root);
    }
    TRY(write_weights(job, weights));
    const std::string root = to_hex(law::model_root(roots).view());
    report_.tell("model root: " + root, "model_root", {{"root", root}});
    return {};
  }

  Result<void> write_weights(const model::TrainJob& job,
                             const std::vector<formats::NamedTensor>& weights) {
    if (options_.out_folder.empty()) {
      return {};
    }
    const std::string path = options_.out_folder + "/" + job.spec.outputs.weights;
    TRY(files_.write(path, TRY(formats::write_safetensors(weights))));
    report_.tell("model: " + path, "model", {{"path", path}});
    return {};
  }

  const RunOptions& options_;
  const Report& report_;
  platform::Files files_;
  platform::Clock clock_;
  env::MemoryKeyValue values_;
  store::Blobs blobs_;
};

}  // namespace

Exit run_job(const RunOptions& options) {
  const Report report(options.json);
  Run run(options, report);
  const Result<void> done = run.all();
  return done.ok() ? Exit::ok : report.fail(done.error());
}

Exit validate_job(const RunOptions& options) {
  const Report report(options.json);
  platform::Files files;
  const auto spec = read_job(files, options.job_path);
  if (!spec) {
    return report.fail(spec.error());
  }
  report.tell("job " + spec->name + " is valid", "valid", {{"name", spec->name}});
  return Exit::ok;
}

}  // namespace lockstep::apps
