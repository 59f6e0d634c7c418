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
Bytes dumped(const json& file) {
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
      // A lost voucher may leave the last task unpaid.
      EXPECT_TRUE(facts->final_tasks == facts->tasks || options.network.loss_millionths > 0);
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

TEST(Receipt, ReadsWhatItWrote) {
  const auto read = read_receipt_file(liars_file(), "r.json");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*write_receipt_json(read->receipt), liars_file());
  const auto facts = node::check_receipt(read->receipt);
  ASSERT_TRUE(facts.ok()) << facts.error().message();
  EXPECT_EQ(read->summary, summary_of(*facts));
  EXPECT_EQ(read->summary.at("verdicts").size(), 1U);
  EXPECT_EQ(read->summary.at("verdicts")[0].at("outcome"), "refuted");
  EXPECT_EQ(read->summary.at("model_root"), to_hex(facts->model_root->view()));
}

TEST(Receipt, VerifyHasAnExitCodeForEachEnd) {
  EXPECT_EQ(verdict_of(liars_file()), Exit::ok);
  EXPECT_EQ(verify_receipt(::testing::TempDir() + "/no_such_receipt", false), Exit::invalid_input);
  EXPECT_EQ(verdict_of(dumped(json::object())), Exit::verification_failed);
  json file = json::parse(liars_file());
  file["summary"]["paid"] = "1 LKS";
  EXPECT_EQ(verdict_of(dumped(file)), Exit::verification_failed) << "a doctored summary";
  file = json::parse(liars_file());
  file["evidence"]["headers"].erase(0);
  EXPECT_EQ(verdict_of(dumped(file)), Exit::verification_failed) << "a header is gone";
}

TEST(Receipt, TheSummaryCannotBeDoctored) {
  const json file = json::parse(liars_file());
  for (const auto& [key, value] : file["summary"].items()) {
    json changed = file;
    changed["summary"][key] = "better";
    EXPECT_EQ(verdict_of(dumped(changed)), Exit::verification_failed) << key;
    changed = file;
    changed["summary"].erase(key);
    EXPECT_EQ(verdict_of(dumped(changed)), Exit::verification_failed) << key;
  }
  json more = file;
  more["summary"]["insured"] = true;
  EXPECT_EQ(verdict_of(dumped(more)), Exit::verification_failed);
}

/// What reading a changed file says; empty when it is read.
std::string refusal_of(const Bytes& bytes) {
  const auto read = read_receipt_json(bytes, "r.json");
  if (read.ok()) {
    return "";
  }
  EXPECT_EQ(read.error().code, Code::bad_receipt);
  return read.error().where + ": " + read.error().what;
}

TEST(Receipt, SaysWhereAFileIsWrong) {
  const json file = json::parse(liars_file());
  const auto with = [&](const char* pointer, const json& value) {
    json changed = file;
    changed[json::json_pointer(pointer)] = value;
    return refusal_of(dumped(changed));
  };
  EXPECT_EQ(refusal_of(dumped(file)), "");
  EXPECT_EQ(with("/format", "lockstep-receipt-2"),
            "r.json: /format: only lockstep-receipt-1 is understood");
  EXPECT_EQ(with("/more", 1), "r.json: it has keys that a receipt does not have");
  EXPECT_EQ(with("/evidence/more", 1),
            "r.json: /evidence: it has keys that a receipt does not have");
  EXPECT_EQ(with("/evidence/headers", 7), "r.json: /evidence/headers: this is no list");
  EXPECT_EQ(with("/evidence/headers/3", 7), "r.json: /evidence/headers/3: this is no text");
  EXPECT_EQ(with("/evidence/headers/3", "0g"),
            "r.json: /evidence/headers/3: this is no hexadecimal text");
  EXPECT_NE(with("/evidence/headers/3", "00").find("/evidence/headers/3: the bytes are not"),
            std::string::npos);
  EXPECT_EQ(with("/evidence/transactions/0/height", -1),
            "r.json: /evidence/transactions/0/height: this is no whole number");
  EXPECT_EQ(with("/evidence/transactions/0/kind", "Transfer"),
            "r.json: /evidence/transactions/0/kind: the transaction is of another kind");
  EXPECT_EQ(with("/evidence/entries/0", json::array()),
            "r.json: /evidence/entries/0: this is no object");
  EXPECT_EQ(with("/evidence/parameters/0", 1), "r.json: /evidence/parameters/0: this is no text");
  for (const auto& [key, value] : file["evidence"].items()) {
    json changed = file;
    changed["evidence"].erase(key);
    EXPECT_EQ(refusal_of(dumped(changed)), "r.json: /evidence/" + key + ": it is missing");
  }
}

TEST(Receipt, RefusesFilesMadeToHurt) {
  EXPECT_NE(refusal_of({}), "");
  EXPECT_NE(refusal_of(bytes_of(std::string("[]"))), "");
  EXPECT_NE(refusal_of(bytes_of(std::string(100'000, '['))), "");
  EXPECT_NE(refusal_of(bytes_of(std::string("{\"format\": \"\xff\"}"))), "");
  const std::string twice =
      R"({"format": "lockstep-receipt-1", "summary": {"paid": 1, "paid": 2}})";
  EXPECT_EQ(refusal_of(bytes_of(twice)), "r.json: it has a key twice");
  std::string many = "[0";
  for (size_t i = 0; i < limits::receipt_values_max; ++i) {
    many += ",0";
  }
  EXPECT_EQ(refusal_of(bytes_of(many + "]")), "r.json: it has more values than any receipt");
  std::string text(liars_file().begin(), liars_file().end());
  for (size_t size = 0; size < text.size(); size += text.size() / 50) {
    EXPECT_NE(refusal_of(bytes_of(text.substr(0, size))), "") << size;
  }
}

TEST(Receipt, ShowsNoNameAsItIs) {
  EXPECT_EQ(readable("provider-1"), "provider-1");
  EXPECT_EQ(readable("a\x1b[2Jb\n"), "a?[2Jb?");
  EXPECT_EQ(readable("\xc3\xa9\xff"), "\xc3\xa9\xef\xbf\xbd");
}

}  // namespace
}  // namespace lockstep::apps
