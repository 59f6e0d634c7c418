// The registry and the rules for assignments.
#include "judge/programs.h"

#include <gtest/gtest.h>

#include "judge/test_claim.h"

namespace lockstep::judge {
namespace {

struct Sample {
  law::Program program = test::small_program();
  Bytes bytes = law::encode(program);
  std::vector<Hash> constants{
      law::data_hash(test::random_tensor(program.constants[0].shape, 7).data)};
};

TEST(Programs, KeepsAProgramOnceUnderItsRoot) {
  const Sample sample;
  Programs programs;
  const auto first = programs.add(sample.bytes, sample.constants);
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_EQ((*first)->root, law::program_root(sample.program));
  EXPECT_EQ((*first)->program, sample.program);
  EXPECT_EQ((*first)->operations, law::cost(sample.program));
  EXPECT_EQ((*first)->bytes, sample.bytes);
  EXPECT_EQ((*first)->constants, sample.constants);
  EXPECT_EQ(programs.add(sample.bytes, sample.constants).value(), *first);
  EXPECT_EQ(programs.find((*first)->root), *first);
  EXPECT_EQ(programs.find(test::hash_of(3)), nullptr);
  const Programs copy = programs;
  EXPECT_EQ(copy.find((*first)->root), *first) << "copies share";
}

TEST(Programs, RefusesConstantsOfOtherBytes) {
  const Sample sample;
  Programs programs;
  const std::vector<Hash> other{test::hash_of(5)};
  EXPECT_EQ(programs.add(sample.bytes, other).error().code, Code::bad_program);
  EXPECT_EQ(programs.add(sample.bytes, {}).error().code, Code::bad_program);
  EXPECT_EQ(programs.find(law::program_root(sample.program)), nullptr);
  ASSERT_TRUE(programs.add(sample.bytes, sample.constants).ok());
  EXPECT_EQ(programs.add(sample.bytes, other).error().code, Code::bad_program);
}

TEST(Programs, RefusesWhatDoesNotDecodeOrCheck) {
  const Sample sample;
  Programs programs;
  EXPECT_EQ(programs.add(ByteView(sample.bytes).first(20), sample.constants).error().code,
            Code::truncated);
  law::Program ill = sample.program;
  ill.records[0].out.dims[1] = 21;
  EXPECT_EQ(programs.add(law::encode(ill), sample.constants).error().code, Code::bad_record);
}

TEST(Programs, InputRootIsTheStateRootOfTheLeaves) {
  const Sample sample;
  Programs programs;
  const Registered& program = *programs.add(sample.bytes, sample.constants).value();
  const test::Party party(program, {1, 1});
  std::vector<model::AssignedLeaf> leaves;
  for (const law::Tensor& leaf : party.states[0]) {
    const Hash data = law::data_hash(leaf.data);
    leaves.push_back({{law::tensor_root(leaf.shape, data), data}, std::nullopt});
  }
  EXPECT_EQ(input_root(program, leaves).value(), party.dispute().input_root);
  auto other = leaves;
  other[3].tensor.data = test::hash_of(1);
  EXPECT_EQ(input_root(program, other).error().code, Code::wrong_claim);
  other = leaves;
  other[1].tensor.root = other[0].tensor.root;
  EXPECT_EQ(input_root(program, other).error().code, Code::wrong_claim);
  other = leaves;
  other.pop_back();
  EXPECT_EQ(input_root(program, other).error().code, Code::wrong_claim);
}

TEST(Programs, ListEntriesAndWorkFollowFromTheShape) {
  const Sample sample;
  Programs programs;
  const Registered& program = *programs.add(sample.bytes, sample.constants).value();
  EXPECT_EQ(list_entries(program, 1, 1), 1U + 7U);
  EXPECT_EQ(list_entries(program, 7, 3), 3U + 7U);
  EXPECT_EQ(list_entries(program, 8, 3), 3U);
  EXPECT_EQ(list_entries(program, 100, 1), 100U);
  model::Assignment work;
  work.steps = 10, work.claim_every = 4, work.operations = 10 * program.operations;
  EXPECT_TRUE(check_work(program, work).ok());
  const auto refused = [&](auto change) {
    model::Assignment other = work;
    change(other);
    const auto result = check_work(program, other);
    return !result.ok() && result.error().code == Code::wrong_claim;
  };
  EXPECT_TRUE(refused([](auto& w) { w.steps = 0; }));
  EXPECT_TRUE(refused([&](auto& w) { w.steps = 101, w.operations = 101 * program.operations; }));
  EXPECT_TRUE(refused([](auto& w) { w.claim_every = 0; }));
  EXPECT_TRUE(refused([](auto& w) { w.claim_every = 10; }));
  EXPECT_TRUE(refused([](auto& w) { ++w.operations; }));
  EXPECT_TRUE(refused([](auto& w) { w.operations = 0; }));
}

}  // namespace
}  // namespace lockstep::judge
