// Prepared jobs as bytes: they come back whole, and nothing else is read.
#include "model/job.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <set>

#include "codec/random_record.h"

namespace lockstep::model {
namespace {

using codec::test::encoding_fault;
using codec::test::Random;
using codec::test::random_value;

TEST(Job, RandomOnesComeBackAndNoOtherBytesAreRead) {
  Random random(1);
  std::array<int, 2> seen{};
  for (int i = 0; i < 300; ++i) {
    const auto job = random_value<Job>(random);
    ++seen.at(static_cast<size_t>(job.spec.kind));
    EXPECT_EQ(encoding_fault(job), "") << i;
  }
  EXPECT_GT(seen[0], 0);
  EXPECT_GT(seen[1], 0);
}

TEST(Job, AChangedBitIsRefusedOrAnotherJob) {
  Random random(2);
  for (int i = 0; i < 3000; ++i) {
    const Bytes bytes = codec::encode(random_value<Job>(random));
    EXPECT_TRUE(codec::test::reads_only_canonical<Job>(bytes, random));
  }
}

/// Every field is in the bytes: each change of one makes other bytes, which come back equal.
TEST(Job, EveryFieldIsKept) {
  using Change = std::function<void(Job&)>;
  const std::vector<Change> changes = {
      [](Job& job) { job.spec.kind = JobKind::sweep; },
      [](Job& job) { job.spec.name = "name"; },
      [](Job& job) { job.spec.model = "model.onnx"; },
      [](Job& job) { job.spec.data.train_images = "x"; },
      [](Job& job) { job.spec.data.train_labels = "x"; },
      [](Job& job) { job.spec.data.test_images = "x"; },
      [](Job& job) { job.spec.data.test_labels = "x"; },
      [](Job& job) { job.spec.data.blob_images = 7; },
      [](Job& job) { job.spec.data.shuffle_seed = UINT64_MAX; },
      [](Job& job) { job.spec.train.optimizer.momentum = -0.0F; },
      [](Job& job) { job.spec.train.lr.schedule = Schedule::constant; },
      [](Job& job) { job.spec.train.lr.base = std::numeric_limits<float>::denorm_min(); },
      [](Job& job) { job.spec.train.lr.warmup_steps = 7; },
      [](Job& job) { job.spec.train.batch = 7; },
      [](Job& job) { job.spec.train.rounds = 7; },
      [](Job& job) { job.spec.train.lanes = 7; },
      [](Job& job) { job.spec.train.local_steps = 7; },
      [](Job& job) { job.spec.train.claim_every = 7; },
      [](Job& job) { job.spec.train.seed = 7; },
      [](Job& job) { job.spec.file.text = "x"; },
      [](Job& job) { job.spec.file.path = "x"; },
      [](Job& job) { job.spec.file.values.resize(1); },
      [](Job& job) {
        job.spec.file.values = {{ValueKind::plain, "x", 7, {{"key", 7, 7}}, {7}}};
      },
      [](Job& job) { job.spec.resources.cpus = 0; },
      [](Job& job) { job.spec.resources.memory_bytes = 0; },
      [](Job& job) { job.spec.resources.gpu.count = 1; },
      [](Job& job) { job.spec.resources.gpu.name = "any"; },
      [](Job& job) { job.spec.budget = Amount(); },
      [](Job& job) { job.spec.verify.kind = VerifyKind::self; },
      [](Job& job) { job.spec.verify.share_millionths = 7; },
      [](Job& job) { job.spec.verify.copies = 7; },
      [](Job& job) { job.spec.finality.kind = FinalityKind::span; },
      [](Job& job) { job.spec.finality.span_seconds = 7; },
      [](Job& job) { job.spec.outputs.weights = "x"; },
      [](Job& job) {
        job.programs = {{"train", {Hash(), {1, 2}, {Hash()}}}};
      },
      [](Job& job) {
        job.initial = {{"step", {}}};
      },
      [](Job& job) { job.parameters = {"weight"}; },
      [](Job& job) { job.train_blobs.resize(1); },
      [](Job& job) { job.test_blobs.resize(1); }};
  std::set<Bytes> all = {codec::encode(Job())};
  for (size_t i = 0; i < changes.size(); ++i) {
    Job job;
    changes[i](job);
    const Bytes bytes = codec::encode(job);
    EXPECT_TRUE(all.insert(bytes).second) << "change " << i << " is not in the bytes";
    EXPECT_EQ(codec::decode<Job>(bytes).value(), job) << i;
  }
}

TEST(ValueTree, IsWholeWhereEveryIndexPointsForward) {
  ValueTree tree;
  EXPECT_TRUE(is_whole(tree));
  tree.values.resize(3);
  tree.values[0].entries = {{"a", 0, 1}};
  tree.values[1].items = {2};
  EXPECT_TRUE(is_whole(tree));
  for (const uint64_t wrong : {uint64_t{0}, uint64_t{1}, uint64_t{3}, UINT64_MAX}) {
    tree.values[1].items = {wrong};
    EXPECT_FALSE(is_whole(tree)) << wrong;
  }
  tree.values[1].items = {2};
  for (const uint64_t wrong : {uint64_t{0}, uint64_t{3}, UINT64_MAX}) {
    tree.values[0].entries[0].value = wrong;
    EXPECT_FALSE(is_whole(tree)) << wrong;
  }
}

TEST(Job, FindsItsProgramsByName) {
  Job job;
  job.programs = {{"train", {Hash(), {1}, {}}}, {"merge", {Hash(), {2}, {}}}};
  EXPECT_EQ(program_named(job, "merge"), &job.programs[1].ref);
  EXPECT_EQ(program_named(job, "sum"), nullptr);
}

}  // namespace
}  // namespace lockstep::model
