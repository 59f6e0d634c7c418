// Whole programs: executor steps against the law's, memory plans, and no allocation while stepping.
#include "tensor/executor.h"

#include <gtest/gtest.h>

#include "law/interpret.h"
#include "law/roots.h"
#include "tensor/allocation_counter.h"
#include "tensor/test_cases.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::From;
using law::Kind;
using law::MapOp;
using test::Random;

struct Model {
  law::Program program;
  std::vector<law::Tensor> constants, leaves;
};

/// Random chains over tensors of 24 elements, read with whatever dims: leaves that are read after
/// their writer, leaves that share a writer or swap, records that nothing reads.
class ModelMaker {
 public:
  explicit ModelMaker(uint64_t seed) : random_(seed) {}

  Model make() {
    Model model;
    const int64_t leaves = random_.in(1, 4);
    for (int64_t i = 0; i < leaves; ++i) {
      const law::Shape shape{DType::f32, dims()};
      model.program.leaves.push_back({"leaf" + std::to_string(i), shape, std::nullopt});
      model.leaves.push_back(tensor(shape));
    }
    for (const law::Dims& shape : {dims(), law::Dims{}}) {
      model.constants.push_back(tensor({DType::f32, shape}));
      const law::Tensor& constant = model.constants.back();
      model.program.constants.push_back({constant.shape, law::tensor_root(constant)});
    }
    const int64_t records = random_.in(1, 20);
    for (int64_t i = 0; i < records; ++i) {
      model.program.records.push_back(record(model));
    }
    for (law::Leaf& leaf : model.program.leaves) {
      const auto writer = static_cast<uint32_t>(random_.in(0, records - 1));
      if (model.program.records[writer].out == leaf.shape) {
        leaf.writer = writer;
      }
    }
    return model;
  }

 private:
  law::Dims dims() { return random_.of<law::Dims>({{24}, {4, 6}, {6, 4}, {1, 4, 6}, {2, 3, 4}}); }
  law::Tensor tensor(const law::Shape& shape) {
    law::Tensor made{shape, Bytes(static_cast<size_t>(shape.bytes()))};
    for (int64_t i = 0; i < shape.count(); ++i) {
      law::store_bits(shape.type, made.data, i, test::random_f32(random_, test::Values::heavy));
    }
    return made;
  }
  law::Source source(const Model& model, const law::Dims& dims) {
    const auto at = random_.in(0, 3);
    const auto records = static_cast<int64_t>(model.program.records.size());
    if (at == 0) {
      return {From::constant, 0, dims};
    }
    if (at == 1 || records == 0) {
      const auto leaves = static_cast<int64_t>(model.program.leaves.size());
      return {From::state, static_cast<uint32_t>(random_.in(0, leaves - 1)), dims};
    }
    return {From::value, static_cast<uint32_t>(random_.in(0, records - 1)), dims};
  }
  law::Record record(const Model& model) {
    const law::Dims shape = dims();
    const DType type = DType::f32;
    switch (random_.in(0, 3)) {
      case 0:
        return {
            Kind::transpose, law::TransposeAttr{{1, 0}}, {source(model, {6, 4})}, {type, {4, 6}}};
      case 1: {
        const law::MapAttr negate{{{MapOp::input, 0, type, 0}, {MapOp::negate, 0, type, 0}}};
        return {Kind::map, negate, {source(model, shape)}, {type, shape}};
      }
      case 2:
        return {Kind::contract,
                law::ContractAttr{},
                {source(model, {1, 24, 1}), tiny()},
                {type, {1, 24, 1}}};
      default:
        return add(model, shape);
    }
  }
  /// The second constant, one element.
  static law::Source tiny() { return {From::constant, 1, {1, 1, 1}}; }
  law::Record add(const Model& model, const law::Dims& shape) {
    const DType type = DType::f32;
    const law::MapAttr sum{{{MapOp::input, 0, type, 0},
                            {MapOp::input, 1, type, 0},
                            {random_.of({MapOp::add, MapOp::multiply, MapOp::maximum}), 0, type, 0},
                            {MapOp::constant, 0, type, 0x3f000000},
                            {MapOp::multiply, 0, type, 0}}};
    return {Kind::map, sum, {source(model, shape), source(model, shape)}, {type, shape}};
  }

  Random random_;
};

std::vector<ByteView> views_of(const std::vector<law::Tensor>& tensors) {
  std::vector<ByteView> views;
  for (const law::Tensor& tensor : tensors) {
    views.emplace_back(tensor.data);
  }
  return views;
}

std::vector<Isa> isas() {
  return supported(Isa::avx2) ? std::vector{Isa::portable, Isa::avx2} : std::vector{Isa::portable};
}

std::unique_ptr<Executor> executor_of(const Model& model, Options options) {
  auto made = Executor::create(model.program, model.constants, options);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message());
  auto executor = std::move(made).value();
  EXPECT_TRUE(executor->load(views_of(model.leaves)).ok());
  return executor;
}

void expect_steps(const Model& model, Options options) {
  const auto executor = executor_of(model, options);
  std::vector<law::Tensor> leaves = model.leaves;
  for (int step = 0; step < 4; ++step) {
    std::vector<law::Tensor> values;
    leaves = law::run_step(model.program, leaves, model.constants, &values);
    executor->step();
    for (size_t i = 0; i < leaves.size(); ++i) {
      ASSERT_TRUE(std::ranges::equal(executor->leaf(i), leaves[i].data))
          << "leaf " << i << " after step " << step;
    }
    for (uint32_t r = 0; options.keep_outputs && r < values.size(); ++r) {
      ASSERT_TRUE(std::ranges::equal(executor->output(r), values[r].data))
          << "record " << r << " of step " << step;
    }
  }
}

TEST(Executor, StepsAsTheLawSays) {
  for (uint64_t seed = 0; seed < 300 && !testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Model model = ModelMaker(seed).make();
    ASSERT_TRUE(law::check(model.program).ok()) << law::check(model.program).error().message();
    for (const Isa isa : isas()) {
      expect_steps(model, {.threads = 1, .isa = isa, .keep_outputs = false});
      expect_steps(model, {.threads = 1, .isa = isa, .keep_outputs = true});
    }
  }
}

TEST(Executor, ThreadsDoNotChangeTheResult) {
  const Model model = ModelMaker(11).make();
  for (const int threads : {1, 2, 7}) {
    expect_steps(model, {.threads = threads, .isa = best_isa(), .keep_outputs = true});
  }
}

/// Two leaves that exchange their values each step, by records that copy.
Model exchange() {
  Model model;
  const law::Shape shape{DType::f32, {40000}};
  const law::MapAttr copy{{{MapOp::input, 0, DType::f32, 0}}};
  for (const uint32_t i : {0U, 1U}) {
    model.program.leaves.push_back({i == 0 ? "a" : "b", shape, 1 - i});
    model.program.records.push_back({Kind::map, copy, {{From::state, i, shape.dims}}, shape});
    Random random(i);
    model.leaves.push_back(test::random_tensor(random, shape));
  }
  return model;
}

TEST(Executor, ReadsOfALeafSeeItsValueBeforeTheStep) {
  expect_steps(exchange(), {.threads = 2, .isa = best_isa(), .keep_outputs = false});
}

TEST(Executor, DoesNotAllocateWhileStepping) {
  for (const Model& model : {exchange(), ModelMaker(3).make(), ModelMaker(4).make()}) {
    const auto executor =
        executor_of(model, {.threads = 2, .isa = best_isa(), .keep_outputs = false});
    executor->step();
    const int64_t before = allocations_so_far();
    for (int step = 0; step < 20; ++step) {
      executor->step();
    }
    EXPECT_EQ(allocations_so_far(), before);
  }
}

TEST(Executor, ReusesBuffersOfDeadValues) {
  Model model;
  const law::Shape shape{DType::f32, {1000}};
  const law::MapAttr negate{{{MapOp::input, 0, DType::f32, 0}, {MapOp::negate, 0, DType::f32, 0}}};
  for (uint32_t i = 0; i < 50; ++i) {
    const law::Source source{i == 0 ? From::state : From::value, i == 0 ? 0 : i - 1, shape.dims};
    model.program.records.push_back({Kind::map, negate, {source}, shape});
  }
  model.program.leaves.push_back({"x", shape, 49});
  // The leaf, its next value, and two that take turns.
  EXPECT_EQ(plan_memory(model.program, false).arena_bytes, 4 * 4032);
  EXPECT_EQ(plan_memory(model.program, true).arena_bytes, 51 * 4032);
}

TEST(MemoryPlan, ValuesThatLiveTogetherNeverOverlap) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const law::Program program = ModelMaker(seed).make().program;
    const MemoryPlan plan = plan_memory(program, false);
    std::vector<uint32_t> last(program.records.size());
    for (uint32_t r = 0; r < last.size(); ++r) {
      last[r] = r;
      for (const law::Source& source : program.records[r].inputs) {
        if (source.from == From::value) {
          last[source.index] = r;
        }
      }
    }
    const auto apart = [](const MemoryPlan::Slot& a, const MemoryPlan::Slot& b) {
      return a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
    };
    for (uint32_t r = 0; r < last.size(); ++r) {
      EXPECT_EQ(plan.records[r].offset % buffer_alignment, 0);
      EXPECT_LE(plan.records[r].offset + plan.records[r].bytes, plan.arena_bytes);
      for (uint32_t q = 0; q < r; ++q) {
        EXPECT_TRUE(last[q] < r || apart(plan.records[q], plan.records[r])) << q << ", " << r;
      }
      for (const MemoryPlan::Trade& swap : plan.swaps) {
        EXPECT_TRUE(swap.record == r || apart(plan.records[swap.record], plan.records[r]));
      }
      for (const MemoryPlan::Slot& leaf : plan.leaves) {
        EXPECT_TRUE(apart(leaf, plan.records[r]));
      }
      for (const MemoryPlan::Slot& constant : plan.constants) {
        EXPECT_TRUE(apart(constant, plan.records[r]));
      }
    }
  }
}

TEST(Executor, RefusesWhatDoesNotFit) {
  const Model model = ModelMaker(1).make();
  EXPECT_EQ(Executor::create(model.program, {}, {}).error().code, Code::bad_program);
  EXPECT_EQ(Executor::create(model.program, model.constants, {.threads = 0}).error().code,
            Code::out_of_range);
  Model broken = model;
  broken.program.records[0].out.dims.push_back(2);
  EXPECT_FALSE(Executor::create(broken.program, model.constants, {}).ok());
  const auto executor = executor_of(model, {});
  EXPECT_EQ(executor->load({}).error().code, Code::bad_data);
  std::vector<ByteView> views = views_of(model.leaves);
  views[0] = views[0].first(4);
  EXPECT_EQ(executor->load(views).error().code, Code::bad_data);
  EXPECT_TRUE(std::ranges::equal(executor->leaf(0), model.leaves[0].data));
}

TEST(Executor, NamesTheKernelOfEachRecord) {
  const Model model = exchange();
  EXPECT_STREQ(executor_of(model, {.isa = Isa::portable})->kernel_name(0), "map_portable");
  if (supported(Isa::avx2)) {
    EXPECT_STREQ(executor_of(model, {.isa = Isa::avx2})->kernel_name(0), "map_avx2");
  }
}

}  // namespace
}  // namespace lockstep::tensor
