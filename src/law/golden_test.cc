// Golden vectors: the law's own output of every primitive against committed hashes.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "law/fold.h"
#include "law/golden_cases.h"
#include "law/roots.h"

namespace lockstep::law {
namespace {

TEST(Golden, EveryPrimitiveGivesTheCommittedBits) {
  const std::vector<test::GoldenCase> cases = test::golden_cases();
  EXPECT_EQ(cases.size(), std::size(test::golden_hashes));
  for (size_t i = 0; i < cases.size(); ++i) {
    const Op op = cases[i].op();
    const auto checked = check(op);
    ASSERT_TRUE(checked.ok()) << cases[i].name << ": " << checked.error().message();
    TensorReader reader(op, cases[i].views());
    EXPECT_EQ(test::golden_entry(cases[i], data_hash(evaluate(op, reader).data)),
              test::committed_entry(i));
  }
}

TEST(Golden, EveryKindHasFourCasesAndEveryNameIsItsOwn) {
  std::map<Kind, int> count;
  std::set<std::string> names;
  for (const test::GoldenCase& c : test::golden_cases()) {
    count[c.record.kind] += 1;
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
  }
  for (auto kind = static_cast<uint16_t>(Kind::map); kind <= static_cast<uint16_t>(Kind::scan);
       ++kind) {
    EXPECT_GE(count[static_cast<Kind>(kind)], 4) << "kind " << kind;
  }
}

TEST(Golden, InputsHoldWhatTheyPromise) {
  uint64_t subnormals = 0, zeros = 0, nans = 0, infinities = 0;
  for (const test::GoldenCase& c : test::golden_cases()) {
    for (const Tensor& tensor : c.in) {
      for (int64_t i = 0; tensor.shape.type == DType::f32 && i < tensor.shape.count(); ++i) {
        const uint64_t bits = load_bits(DType::f32, tensor.data, i);
        const uint64_t magnitude = bits & 0x7fff'ffff;
        ASSERT_EQ(canonical(DType::f32, bits), bits) << c.name;
        subnormals += magnitude > 0 && magnitude < 0x0080'0000 ? 1 : 0;
        zeros += bits == 0x8000'0000 ? 1 : 0;
        infinities += magnitude == 0x7f80'0000 ? 1 : 0;
        nans += magnitude > 0x7f80'0000 ? 1 : 0;
      }
    }
  }
  for (const uint64_t count : {subnormals, zeros, nans, infinities}) {
    EXPECT_GT(count, 500U);
  }
}

}  // namespace
}  // namespace lockstep::law
