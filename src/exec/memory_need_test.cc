// The memory that a task is said to need, for a program whose sizes are known.
#include "exec/memory_need.h"

#include <gtest/gtest.h>

#include "graph/builder.h"
#include "model/market.h"
#include "tensor/memory_plan.h"

namespace lockstep::exec {
namespace {

/// A chain of maps, each of which can take the place of the one before the last.
law::Program chain(int length) {
  graph::Builder builder;
  const graph::Value x = builder.leaf("x", {law::DType::f32, {1024}});
  graph::Value y = x;
  for (int i = 0; i < length; ++i) {
    y = builder.unary(law::MapOp::sigmoid, y);
  }
  builder.set_next(x, y);
  return builder.finish()->program;
}

TEST(MemoryNeed, CountsArenaInputsAndCopies) {
  constexpr uint64_t leaf = 4096;
  const law::Program program = chain(20);
  const auto arena = [&](bool keep) {
    return static_cast<uint64_t>(tensor::plan_memory(program, keep).arena_bytes);
  };
  const MemoryNeed need = memory_need(program, model::short_task_steps);
  EXPECT_EQ(need.run, arena(false) + leaf);
  EXPECT_EQ(need.trace, arena(true) + 2 * leaf + 20 * leaf);
  EXPECT_EQ(need.most(), need.trace);
  EXPECT_LT(need.run, 6 * leaf);
  EXPECT_GT(need.trace, 40 * leaf);
}

TEST(MemoryNeed, ShortTasksKeepEveryOutput) {
  const law::Program program = chain(20);
  const MemoryNeed brief = memory_need(program, model::short_task_steps - 1);
  const MemoryNeed normal = memory_need(program, model::short_task_steps);
  EXPECT_GT(brief.run, normal.run);
  EXPECT_EQ(brief.trace, normal.trace);
}

TEST(MemoryNeed, CountsConstants) {
  graph::Builder builder;
  const graph::Value x = builder.leaf("x", {law::DType::f32, {256}});
  const graph::Value c = builder.constant({{law::DType::f32, {256}}, Bytes(1024)});
  builder.set_next(x, builder.add(x, c));
  const auto built = builder.finish();
  ASSERT_TRUE(built.ok());
  const auto arena = static_cast<uint64_t>(tensor::plan_memory(built->program, false).arena_bytes);
  EXPECT_EQ(memory_need(built->program, 20).run, arena + 1024 + 1024);
}

}  // namespace
}  // namespace lockstep::exec
