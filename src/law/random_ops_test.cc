// The makers of random records: what they make is valid, of every kind, and comes from bytes too.
#include <gtest/gtest.h>

#include <map>

#include "law/fold.h"
#include "law/test_random_ops.h"
#include "law/test_steps.h"

namespace lockstep::law::test {
namespace {

TEST(RandomOps, AreValidAndEvaluate) {
  std::map<Kind, int64_t> elements;
  int64_t most_terms = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SeededChoices choices(seed);
    const auto kind = static_cast<Kind>(1 + seed % static_cast<uint64_t>(last_kind));
    const RandomOp random = random_op(choices, kind, seed % 3 == 0 ? 300 : 2000);
    const Op op = random.op();
    const auto checked = check(op);
    ASSERT_TRUE(checked.ok()) << "seed " << seed << ", kind " << static_cast<int>(kind) << ": "
                              << checked.error().message();
    const auto in_program = check(program_of(random));
    ASSERT_TRUE(in_program.ok()) << in_program.error().message();
    TensorReader reader(op, random.views());
    const Tensor out = evaluate(op, reader);
    elements[kind] += out.shape.count();
    most_terms = std::max(most_terms, out.shape.count() * range_max(op));
  }
  EXPECT_LT(most_terms, 200'000);
  for (const auto& [kind, count] : elements) {
    EXPECT_GT(count, 500) << "kind " << static_cast<int>(kind);
  }
  EXPECT_EQ(elements.size(), static_cast<size_t>(last_kind));
}

/// Of every kind, and each step also as a referee takes it: from the bytes that it reads alone.
TEST(RandomOps, FoldStepsGiveTheWholeOutput) {
  int64_t steps = 0;
  for (uint64_t seed = 0; seed < 660; ++seed) {
    SeededChoices choices(~seed);
    const auto kind = static_cast<Kind>(1 + seed % static_cast<uint64_t>(last_kind));
    const RandomOp random = random_op(choices, kind, 700);
    const Op op = random.op();
    TensorReader reader(op, random.views());
    EXPECT_EQ(stepped(op, random.views(), steps), evaluate(op, reader).data)
        << "seed " << seed << ", kind " << static_cast<int>(kind);
  }
  EXPECT_GT(steps, 2000);
}

TEST(RandomOps, ComeFromBytesAsWell) {
  TestRandom random(7);
  for (int i = 0; i < 1000; ++i) {
    Bytes bytes(random.below(200));
    for (uint8_t& byte : bytes) {
      byte = static_cast<uint8_t>(random.next());
    }
    ByteChoices choices(bytes);
    const RandomOp made = random_op(choices, 300);
    const auto checked = check(made.op());
    ASSERT_TRUE(checked.ok()) << i << ", kind " << static_cast<int>(made.record.kind) << ": "
                              << checked.error().message();
    ByteChoices again(bytes);
    EXPECT_EQ(random_op(again, 300).record, made.record);
  }
}

TEST(RandomOps, MapsUseEveryOperationAndEveryType) {
  std::map<MapOp, int> operations;
  std::map<DType, int> types;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SeededChoices choices(seed);
    const RandomOp random = random_op(choices, Kind::map, 8);
    const auto checked = check(random.op());
    ASSERT_TRUE(checked.ok()) << "seed " << seed << ": " << checked.error().message();
    for (const MapNode& node : std::get<MapAttr>(random.record.attributes).nodes) {
      operations[node.op] += 1;
    }
    types[random.record.out.type] += 1;
  }
  EXPECT_EQ(operations.size(), 4U + 12 + 4 + 12 + 2);
  EXPECT_EQ(types.size(), size_t{dtype_count});
}

}  // namespace
}  // namespace lockstep::law::test
