// Receipts of whole jobs on simulated networks: made, written, read again and checked; and files
// that somebody has changed.
#include <gtest/gtest.h>

#include <filesystem>

#include "apps/receipt_file.h"
#include "apps/small_job.h"
#include "apps/verify.h"
#include "law/roots.h"
#include "prepare/prepare.h"
#include "sim/world.h"

namespace lockstep::apps {
namespace {

using nlohmann::json;

class Quiet final : public sim::Observer {
 public:
  void on_notice(uint64_t, const node::Notice&) override {}
  void on_machine(uint64_t, const std::string&, bool) override {}
};

model::JobSpec some_job(uint32_t share_millionths) {
  model::JobSpec spec = small_job();
  spec.train.rounds = 3;
  spec.train.batch = 2;
  spec.train.local_steps = 10;
  spec.train.claim_every = 4;
  spec.verify = {model::VerifyKind::full, share_millionths, 0};
  if (share_millionths < 1'000'000) {
    spec.verify.kind = model::VerifyKind::spot;
  }
  spec.resources.memory_bytes = 1'000'000'000;
  return spec;
}

/// Runs a job to its end and makes its receipt, as `lockstep sim run` does.
Result<node::JobReceipt> receipt_of(const sim::Options& options, const model::JobSpec& spec) {
  MemoryFiles files = small_files();
  env::MemoryKeyValue values;
  store::Blobs blobs(values, law::data_mode());
  const auto prepared = TRY(prepare::prepare(spec, "", files, blobs));
  platform::Clock clock;
  auto world =
      TRY(sim::World::create(options, prepared.job, blobs, clock, {1, tensor::best_isa(), false}));
  Quiet quiet;
  TRY(world->run(quiet));
  chain::Sequencer& sequencer = world->sequencer();
  const std::vector<model::Block> blocks = TRY(sequencer.blocks(1, sequencer.height()));
  return node::make_receipt(world->genesis(),
                            blocks,
                            sequencer.ledger().state(),
                            *world->requester().job_id(),
                            TRY(world->requester().receipt_parts()));
}

sim::Options with_liar() {
  sim::Options options;
  options.cheats = {{2, sim::CheatKind::skip}};
  return options;
}

/// The receipt of a job with a liar, as a file.
const Bytes& liars_file() {
  static const Bytes file = [] {
    const auto receipt = receipt_of(with_liar(), some_job(1'000'000));
    EXPECT_TRUE(receipt.ok()) << receipt.error().message();
    const auto bytes = write_receipt_json(*receipt);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    return *bytes;
  }();
  return file;
}

/// A file in the tests' own folder; what verify says of it.
Exit verdict_of(const Bytes& bytes) {
  const std::string path = ::testing::TempDir() + "/lockstep_receipt_test.json";
  EXPECT_TRUE(platform::Files().write(path, bytes).ok());
  const Exit exit = verify_receipt(path, false);
  std::filesystem::remove(path);
  return exit;
}

Bytes bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}
Bytes bytes_of(const json& file) {
  return bytes_of(file.dump());
}

TEST(Receipt, IsRightWhateverHappened) {
  sim::Options crash;
  crash.crashes = {{1, 2, 700}};
  sim::Options all = with_liar();
  all.network.loss_millionths = 30'000;
  all.network.delay_us_max = 120'000;
  all.crashes = {{3, 3, std::nullopt}};
  sim::Options alone = with_liar();
  alone.auditors = 0;
  for (const sim::Options& options : {sim::Options(), crash, all, alone}) {
    for (const uint32_t share : {300'000U, 1'000'000U}) {
      const auto receipt = receipt_of(options, some_job(share));
      ASSERT_TRUE(receipt.ok()) << receipt.error().message();
      const auto facts = node::check_receipt(*receipt);
      ASSERT_TRUE(facts.ok()) << facts.error().message();
      EXPECT_TRUE(facts->model_root);
      EXPECT_LE(*facts->correct, facts->test_images);
      EXPECT_EQ(facts->final_tasks, facts->tasks);
      EXPECT_EQ(facts->test_images, 40U);
      uint64_t refuted = 0;
      for (const node::VerdictFact& verdict : facts->verdicts) {
        refuted += verdict.outcome == model::Outcome::refuted ? 1 : 0;
      }
      const bool lies = share == 1'000'000 && !options.cheats.empty();
      EXPECT_TRUE(!lies || refuted == 1);
      EXPECT_TRUE(!options.cheats.empty() || refuted == 0);
    }
  }
}

}  // namespace
}  // namespace lockstep::apps
