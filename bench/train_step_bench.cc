// Times our engine for bench/compare.py: a line on standard input asks for one measurement, a line
// on standard output gives it. Not a test: it asserts no time.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <string>

#include "formats/gzip.h"
#include "formats/idx.h"
#include "law/roots.h"
#include "law/test_values.h"
#include "platform/files.h"
#include "prepare/prepare.h"
#include "spec/job_file.h"
#include "tensor/executor.h"

namespace lockstep {
namespace {

/// What to run, and on how many threads.
struct Setting {
  std::string job_path;
  int threads = 1;
};

int64_t now_ns(clockid_t clock) {
  timespec time{};
  (void)clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string in_folder_of(const std::string& job_path, const std::string& path) {
  const size_t slash = job_path.rfind('/');
  return path.starts_with("/") || slash == std::string::npos ? path
                                                             : job_path.substr(0, slash + 1) + path;
}

Result<law::Tensor> read_images(env::Files& files, const std::string& path) {
  const Bytes packed = TRY(files.read(path, limits::idx_bytes_max));
  return formats::read_idx(TRY(formats::gunzip(packed, limits::idx_bytes_max)));
}

/// The job's model and data.
struct Example {
  model::JobSpec job;
  formats::Model model;
  law::Tensor images, labels;

  static Result<Example> read(const std::string& job_path) {
    platform::Files files;
    const Bytes text = TRY(files.read(job_path, limits::job_file_bytes_max));
    const std::string_view view(reinterpret_cast<const char*>(text.data()), text.size());
    const model::JobSpec job = TRY(spec::parse_job(view, job_path));
    const Bytes onnx = TRY(files.read(in_folder_of(job_path, job.model), limits::onnx_bytes_max));
    return Example{job,
                   TRY(formats::Model::import(onnx)),
                   TRY(read_images(files, in_folder_of(job_path, job.data.train_images))),
                   TRY(read_images(files, in_folder_of(job_path, job.data.train_labels)))};
  }

  /// What a leaf holds before the first step; the data is the first blob, not shuffled.
  [[nodiscard]] law::Tensor initial(const law::Leaf& leaf) const {
    for (const formats::Parameter& parameter : model.parameters()) {
      if (parameter.name == leaf.name) {
        return parameter.tensor;
      }
    }
    law::Tensor tensor{leaf.shape, Bytes(static_cast<size_t>(leaf.shape.bytes()))};
    if (leaf.name == "images" || leaf.name == "labels") {
      const Bytes& all = (leaf.name == "images" ? images : labels).data;
      std::copy_n(all.begin(), std::min(all.size(), tensor.data.size()), tensor.data.begin());
    }
    return tensor;
  }
};

/// The job's training program, as `lockstep sim run` runs it.
struct Training {
  std::unique_ptr<tensor::Executor> executor;
  size_t loss = 0;  // the leaf

  static Result<Training> create(const Setting& setting) {
    const Example example = TRY(Example::read(setting.job_path));
    const plan::Network network = prepare::network_of(example.model);
    plan::Parts parts = TRY(plan::make_parts({example.job, network, 0}));
    graph::Built built = std::move(parts.programs.front().built);
    Training training;
    std::vector<law::Tensor> leaves;
    std::vector<ByteView> views;
    for (const law::Leaf& leaf : built.program.leaves) {
      training.loss = leaf.name == "loss" ? leaves.size() : training.loss;
      leaves.push_back(example.initial(leaf));
      views.emplace_back(leaves.back().data);
    }
    training.executor = TRY(tensor::Executor::create(std::move(built.program),
                                                     std::move(built.constants),
                                                     {setting.threads, tensor::best_isa(), false}));
    TRY(training.executor->load(views));
    return training;
  }
};

/// Nanoseconds of each of `count` runs of `body` on one line, and on the next the processor time of
/// the whole process: what a run takes when nobody else wants the processor.
template <class Body>
void tell_times(int64_t count, const Body& body) {
  std::string processor;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t start = now_ns(CLOCK_MONOTONIC);
    const int64_t processor_start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    body();
    processor += std::to_string(now_ns(CLOCK_PROCESS_CPUTIME_ID) - processor_start) + ' ';
    std::cout << now_ns(CLOCK_MONOTONIC) - start << ' ';
  }
  std::cout << '\n' << processor << std::endl;
}

/// What a claimed state root costs: the hash of every leaf that a step writes, and the list.
Hash state_root(const tensor::Executor& executor) {
  const law::Program& program = executor.program();
  std::vector<Hash> roots(program.leaves.size());
  for (size_t i = 0; i < program.leaves.size(); ++i) {
    if (program.leaves[i].writer) {
      roots[i] = law::tensor_root(program.leaves[i].shape, law::data_hash(executor.leaf(i)));
    }
  }
  return law::state_root(program, roots);
}

void tell_hashing(int64_t count, crypto::Isa isa) {
  const Bytes message(size_t{1} << 20, 0x5a);
  crypto::set_isa(isa);
  tell_times(count, [&] { (void)law::data_hash(message); });
  crypto::set_isa(crypto::best_isa());
}

/// One 1024 x 1024 x 1024 contraction of f32.
Result<void> tell_contraction(int64_t count, int threads) {
  constexpr int64_t side = 1024;
  law::Program program;
  const law::Shape shape{law::DType::f32, {1, side, side}};
  program.leaves = {{"a", shape, {}}, {"b", shape, {}}, {"c", shape, 0U}};
  program.records.push_back({law::Kind::contract,
                             law::ContractAttr{},
                             {{law::From::state, 0, shape.dims}, {law::From::state, 1, shape.dims}},
                             shape});
  const auto executor =
      TRY(tensor::Executor::create(program, {}, {threads, tensor::best_isa(), false}));
  Bytes values(static_cast<size_t>(shape.bytes()));
  law::test::Generator generator(1);
  for (int64_t i = 0; i < shape.count(); ++i) {
    const float value = static_cast<float>(generator.in(-(1 << 20), 1 << 20)) / (1 << 20);
    law::store_bits(shape.type, values, i, law::test::bits_of(value));
  }
  TRY(executor->load(std::vector<ByteView>(3, values)));
  tell_times(count, [&] { executor->step(); });
  return {};
}

/// Answers "step N", "root N", "contract N", "blake3 N" and "blake3-portable N" with twice N times,
/// and "loss" with the sum of the losses since the task's first step.
Result<void> serve(const Setting& setting) {
  Training training = TRY(Training::create(setting));
  std::cout << "ready" << std::endl;
  std::string what;
  int64_t count = 0;
  while (std::cin >> what >> count) {
    if (what == "step") {
      tell_times(count, [&] { training.executor->step(); });
    } else if (what == "root") {
      tell_times(count, [&] { (void)state_root(*training.executor); });
    } else if (what == "contract") {
      TRY(tell_contraction(count, setting.threads));
    } else if (what == "blake3") {
      tell_hashing(count, crypto::best_isa());
    } else if (what == "blake3-portable") {
      tell_hashing(count, crypto::Isa::portable);
    } else {
      float loss = 0;
      std::memcpy(&loss, training.executor->leaf(training.loss).data(), sizeof loss);
      std::cout << loss << std::endl;
    }
  }
  return {};
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: lockstep_bench JOB_FILE THREADS\n";
    return 2;
  }
  const auto done = lockstep::serve({argv[1], static_cast<int>(std::strtol(argv[2], nullptr, 10))});
  if (!done.ok()) {
    std::cerr << done.error().message() << '\n';
    return 1;
  }
  return 0;
}
