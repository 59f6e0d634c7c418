#include "exec/benchmark.h"

#include <array>
#include <bit>

#include "base/check.h"
#include "law/roots.h"

namespace lockstep::exec {
namespace {

using graph::Builder;
using graph::Value;
using law::DType;
using law::MapNode;
using law::MapOp;
using law::Shape;
__extension__ using Wide = unsigned __int128;

constexpr int64_t batch = 16;
constexpr int64_t side = 28;
constexpr int64_t classes = 10;
constexpr uint64_t seed = 0x10c57e9;
constexpr uint64_t tasks_max = 1'000'000;
constexpr uint64_t still_tasks_max = 100;  // with a clock that does not move

/// The parameters: leaf plus a fixed random start, so that the leaf itself may begin as zero.
struct Parameter {
  Value leaf, momentum, weight;
};

class Network {
 public:
  explicit Network(Builder& builder)
      : builder_(builder),
        step_(builder.leaf("step", {DType::u64, {}})),
        seed_(number(seed)),
        start_(number(UINT32_MAX)) {}

  Value forward() {
    const Value images = builder_.random_uniform({seed_, step_, 1}, {batch, side, side, 1});
    const law::PoolAttr pool{.window_h = 2, .window_w = 2, .stride_h = 2, .stride_w = 2};
    const Value first = conv(images, {3, 3, 1, 16}, "conv1");
    const Value second = conv(builder_.max_pool(first, pool), {3, 3, 16, 32}, "conv2");
    constexpr int64_t features = 7 * 7 * 32;
    const Value flat = builder_.reshape(builder_.max_pool(second, pool), {batch, features});
    const Value hidden = builder_.relu(builder_.matmul(flat, parameter("dense1", {features, 128})));
    return builder_.matmul(hidden, parameter("dense2", {128, classes}));
  }

  Value labels() {
    const law::RandomAttr bits{law::RandomMode::bits, 2, 0};
    const Value words = builder_.random(seed_, step_, bits, {batch});
    const MapNode count{MapOp::constant, 0, DType::u32, classes};
    return builder_.map({{{MapOp::input}, count, {MapOp::remainder}, {MapOp::cast, 0, DType::i64}}},
                        std::array{words});
  }

  void train(Value loss) {
    std::vector<Value> weights;
    weights.reserve(parameters_.size());
    for (const Parameter& one : parameters_) {
      weights.push_back(one.weight);
    }
    const std::vector<Value> gradients = builder_.gradients(loss, weights);
    const graph::Sgd sgd{builder_.scalar_f32(0.05F), 0.9F};
    for (size_t i = 0; i < gradients.size(); ++i) {
      const Parameter& one = parameters_[i];
      const graph::SgdUpdate update =
          graph::sgd_momentum(builder_, one.leaf, one.momentum, gradients[i], sgd);
      builder_.set_next(one.leaf, update.parameter);
      builder_.set_next(one.momentum, update.momentum);
    }
    const Value loss_leaf = builder_.leaf("loss", {DType::f32, {}});
    builder_.set_next(loss_leaf, builder_.add(loss_leaf, loss));
    builder_.set_next(step_, builder_.add(step_, number(1)));
  }

 private:
  Value number(uint64_t value) {
    law::Tensor tensor{{DType::u64, {}}, Bytes(sizeof value)};
    law::store_bits(DType::u64, tensor.data, 0, value);
    return builder_.constant(std::move(tensor));
  }

  Value parameter(const std::string& name, const law::Dims& dims) {
    const Shape shape{DType::f32, dims};
    Parameter made{builder_.leaf(name, shape), builder_.leaf("momentum/" + name, shape), {}};
    const auto stream = static_cast<uint32_t>(10 + parameters_.size());
    const Value start = builder_.random_normal({seed_, start_, stream}, dims);
    const MapNode scale{MapOp::constant, 0, DType::f32, std::bit_cast<uint32_t>(0.05F)};
    made.weight = builder_.map({{{MapOp::input, 0}, scale, {MapOp::input, 1}, {MapOp::fma}}},
                               std::array{start, made.leaf});
    parameters_.push_back(made);
    return made.weight;
  }

  Value conv(Value x, const law::Dims& dims, const std::string& name) {
    const law::ConvAttr attr{.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
    return builder_.relu(builder_.conv(x, parameter(name, dims), attr));
  }

  Builder& builder_;
  Value step_, seed_, start_;
  std::vector<Parameter> parameters_;
};

/// One program, ready to run from the start again and again.
class Task {
 public:
  static Result<Task> create(const BenchmarkOptions& options) {
    graph::Built built = TRY(benchmark_program());
    Task task;
    task.operations_ = law::cost(built.program) * benchmark_steps;
    task.zeros_.reserve(built.program.leaves.size());
    for (const law::Leaf& leaf : built.program.leaves) {
      task.zeros_.emplace_back(static_cast<size_t>(leaf.shape.bytes()));
    }
    task.executor_ = TRY(tensor::Executor::create(std::move(built.program),
                                                  std::move(built.constants),
                                                  {options.threads, options.isa, false}));
    return task;
  }

  Result<Hash> run() {
    const std::vector<ByteView> views(zeros_.begin(), zeros_.end());
    TRY(executor_->load(views));
    for (uint32_t i = 0; i < benchmark_steps; ++i) {
      executor_->step();
    }
    const law::Program& program = executor_->program();
    std::vector<Hash> roots;
    roots.reserve(zeros_.size());
    for (size_t i = 0; i < zeros_.size(); ++i) {
      roots.push_back(
          law::tensor_root(program.leaves[i].shape, law::data_hash(executor_->leaf(i))));
    }
    return law::state_root(program, roots);
  }
  [[nodiscard]] uint64_t operations() const { return operations_; }

 private:
  Task() = default;
  uint64_t operations_ = 0;
  std::vector<Bytes> zeros_;
  std::unique_ptr<tensor::Executor> executor_;
};

Result<void> run_checked(Task& task, const Hash& expected) {
  const Hash root = TRY(task.run());
  if (root != expected) {
    return refuse(Code::wrong_hash,
                  "this machine computes wrong: the benchmark's result is " + to_hex(root.view()) +
                      " and must be " + to_hex(expected.view()),
                  "do not offer it: others' audits would take its stake; check memory, cooling and "
                  "overclocking, or build the program again",
                  "benchmark");
  }
  return {};
}

uint64_t speed_of(uint64_t operations, uint64_t tasks, uint64_t elapsed_ns) {
  constexpr uint64_t second_ns = 1'000'000'000;
  const Wide speed = Wide{operations} * tasks * second_ns / elapsed_ns;
  return speed > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(speed);
}

}  // namespace

Result<graph::Built> benchmark_program() {
  Builder builder;
  Network network(builder);
  const Value logits = network.forward();
  network.train(graph::softmax_cross_entropy(builder, logits, network.labels()));
  return builder.finish();
}

Hash benchmark_root() {
  static constexpr std::string_view text =
      "6283fefdd24bdf9f9069f2cd96d1d3d7692a07021cbe0577438582005d99ef93";
  const Result<Bytes> bytes = from_hex(text);
  Hash root;
  CHECK(bytes.ok() && bytes->size() == root.bytes.size());
  std::copy(bytes->begin(), bytes->end(), root.bytes.begin());
  return root;
}

std::string family_of(tensor::Isa isa) {
#if defined(__x86_64__)
  return isa == tensor::Isa::avx2 ? "x86-64-avx2" : "x86-64";
#elif defined(__aarch64__)
  (void)isa;
  return "aarch64";
#else
  (void)isa;
  return "portable";
#endif
}

Result<BenchmarkResult> run_benchmark(const BenchmarkOptions& options, env::Clock& clock) {
  constexpr uint64_t milli_ns = 1'000'000;
  Task task = TRY(Task::create(options));
  TRY(run_checked(task, options.expected));
  BenchmarkResult result;
  const uint64_t start = clock.now_ns();
  uint64_t elapsed = 0;
  do {
    TRY(run_checked(task, options.expected));
    result.tasks += 1;
    elapsed = clock.now_ns() - start;
    if (elapsed == 0 && result.tasks == still_tasks_max) {
      return refuse(Code::internal, "the clock stands still", {}, "benchmark");
    }
  } while (elapsed / milli_ns < options.duration_ms && result.tasks < tasks_max);
  if (elapsed == 0) {
    return refuse(Code::internal, "the clock stands still", {}, "benchmark");
  }
  result.operations_per_second = speed_of(task.operations(), result.tasks, elapsed);
  result.family = family_of(options.isa);
  result.device_class = model::device_class(result.family, result.operations_per_second);
  return result;
}

}  // namespace lockstep::exec
