// A whole sweep on a simulated market: a liar is convicted, the table and the model are those of
// the honest run, and the receipt is checked like that of any other job.
#include <gtest/gtest.h>

#include <filesystem>

#include "apps/job_input.h"
#include "apps/page.h"
#include "apps/page_table.h"
#include "apps/results_table.h"
#include "apps/sim_run.h"
#include "apps/small_job.h"
#include "apps/test_page.h"
#include "apps/verify.h"
#include "law/roots.h"
#include "prepare/prepare.h"
#include "sim/world.h"
#include "spec/job_file.h"

namespace lockstep {
namespace {

const std::string job_text =
    "kind: sweep\n"
    "model: model.onnx\n"
    "data: {train_images: x, train_labels: y, test_images: tx, test_labels: ty, blob_images: 20}\n"
    "sweep: {lr: [0.0001, 0.05, 0.4], batch: 2, tasks: 2, steps: 10, claim_every: 4}\n"
    "verify: full\n";

class Record final : public sim::Observer {
 public:
  void on_notice(uint64_t /*now_ms*/, const node::Notice& notice) override {
    if (const auto* const news = std::get_if<node::LedgerNews>(&notice)) {
      slashed += std::holds_alternative<ledger::Slashed>(news->event) ? 1 : 0;
    } else if (const auto* const done = std::get_if<node::JobFinished>(&notice)) {
      finished = *done;
    } else if (std::holds_alternative<node::RoundFinished>(notice)) {
      rounds += 1;
    }
  }
  void on_machine(uint64_t, const std::string&, bool) override {}
  std::optional<node::JobFinished> finished;
  int slashed = 0, rounds = 0;
};

struct Outcome {
  Record record;
  uint64_t tasks = 0;
};

Outcome run(const sim::Options& options) {
  Outcome outcome;
  MemoryFiles files = small_files();
  env::MemoryKeyValue values;
  store::Blobs blobs(values, law::data_mode());
  model::JobSpec spec = spec::parse_job(job_text, "job.yaml").value();
  spec.resources.memory_bytes = 1'000'000'000;  // more than the smallest machine has
  const auto prepared = prepare::prepare(spec, "", files, blobs);
  EXPECT_TRUE(prepared.ok()) << prepared.error().message();
  platform::Clock clock;
  auto world =
      sim::World::create(options, prepared->job, blobs, clock, {1, tensor::best_isa(), false});
  EXPECT_TRUE(world.ok()) << world.error().message();
  const auto ended = (*world)->run(outcome.record);
  EXPECT_TRUE(ended.ok()) << ended.error().message();
  const ledger::State& state = (*world)->sequencer().ledger().state();
  EXPECT_EQ(*state.sum(), state.total);
  EXPECT_EQ(state.jobs.begin()->second.status, ledger::JobStatus::settled);
  outcome.tasks = state.jobs.begin()->second.terms.tasks;
  return outcome;
}

double number(const node::TableTold& table, size_t row, size_t column) {
  return std::get<node::TableNumber>(table.rows.at(row).at(column)).value;
}

TEST(Sweep, ALiarChangesNeitherTheTableNorTheModel) {
  sim::Options options;
  options.providers = 1;
  options.auditors = 0;
  const Outcome honest = run(options);
  ASSERT_TRUE(honest.record.finished);
  const node::JobFinished& end = *honest.record.finished;
  EXPECT_EQ(honest.tasks, 3 * (2 + 2 + 1) + 1 + 2 + 1U);
  EXPECT_EQ(honest.record.rounds, 1);
  EXPECT_EQ(honest.record.slashed, 0);
  ASSERT_EQ(end.table.columns.size(), 3U);
  ASSERT_EQ(end.table.rows.size(), 3U);
  ASSERT_TRUE(end.table.chosen && *end.table.chosen < 3);
  EXPECT_EQ(end.test_images, 40U);
  EXPECT_EQ(std::get<std::string>(end.table.rows[1][0]), "0.05");
  const double best = 100 * static_cast<double>(*end.correct) / 40;
  for (size_t row = 0; row < 3; ++row) {
    EXPECT_GT(number(end.table, row, 1), 0) << "a loss";
    EXPECT_LE(number(end.table, row, 2), best);
    if (row < *end.table.chosen) {
      EXPECT_LT(number(end.table, row, 2), best) << "of equals the first is kept";
    }
  }
  EXPECT_DOUBLE_EQ(number(end.table, *end.table.chosen, 2), best);

  for (const sim::CheatKind cheat : {sim::CheatKind::skip, sim::CheatKind::bitflip}) {
    sim::Options market;
    market.cheats = {{2, cheat}};
    const Outcome outcome = run(market);
    ASSERT_TRUE(outcome.record.finished);
    EXPECT_EQ(outcome.record.slashed, 1);
    EXPECT_EQ(outcome.record.finished->parameters, end.parameters);
    EXPECT_EQ(outcome.record.finished->correct, end.correct);
    EXPECT_EQ(outcome.record.finished->table.chosen, end.table.chosen);
    for (size_t row = 0; row < 3; ++row) {
      for (const size_t column : {size_t{1}, size_t{2}}) {
        EXPECT_EQ(number(outcome.record.finished->table, row, column),
                  number(end.table, row, column));
      }
    }
  }
}

TEST(Sweep, TheCommandsTakeItLikeAnyOtherJob) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / "lockstep_sweep_test";
  std::filesystem::remove_all(folder);
  platform::Files disk;
  for (const auto& [name, bytes] : small_files().files) {
    ASSERT_TRUE(disk.write((folder / name).string(), bytes).ok());
  }
  const auto write = [&](const std::string& text) {
    return disk.write((folder / "job.yaml").string(), Bytes(text.begin(), text.end())).ok();
  };
  apps::SimOptions options;
  options.job_path = (folder / "job.yaml").string();
  options.out_folder = (folder / "out").string();
  options.json = true;
  options.cheats = {"provider-2:skip"};
  ASSERT_TRUE(write(job_text));
  EXPECT_EQ(apps::validate_job(options.job_path, true), apps::Exit::ok);
  EXPECT_EQ(apps::sim_run(options), apps::Exit::ok);
  EXPECT_EQ(apps::verify_receipt((folder / "out/receipt.json").string(), true), apps::Exit::ok);
  EXPECT_EQ(apps::sim_replay((folder / "out/replay.json").string(), true), apps::Exit::ok);
  ASSERT_TRUE(write(job_text.substr(0, job_text.find("sweep: {"))));
  EXPECT_EQ(apps::validate_job(options.job_path, true), apps::Exit::invalid_input);
  ASSERT_TRUE(write(job_text + "train: {}\n"));
  EXPECT_EQ(apps::validate_job(options.job_path, true), apps::Exit::invalid_input);
  std::string fast = job_text;
  fast.replace(fast.find("0.05"), 4, "fast");
  ASSERT_TRUE(write(fast));
  EXPECT_EQ(apps::validate_job(options.job_path, true), apps::Exit::invalid_input)
      << "the kind's own section is checked too";
  std::filesystem::remove_all(folder);
}

TEST(ResultsTable, IsAlignedAndMarksWhatWasKept) {
  std::vector<std::pair<std::string, nlohmann::json>> told;
  const apps::Report report([&](const std::string& text, const nlohmann::json& event) {
    told.emplace_back(text, event);
  });
  apps::tell_table(report, {});
  EXPECT_TRUE(told.empty()) << "no table, no lines";
  node::TableTold table{{"rate", "accuracy %"}, {}, 1};
  table.rows.push_back({"0.1", node::TableNumber{9.5, 2}});
  table.rows.push_back({"0.00005", node::TableNumber{81.257, 2}});
  apps::tell_table(report, table);
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].first, "       rate  accuracy %");
  EXPECT_EQ(told[1].first, "        0.1        9.50");
  EXPECT_EQ(told[2].first, "    0.00005       81.26  <- kept");
  EXPECT_EQ(told[2].second["event"], "result");
  EXPECT_EQ(told[2].second["cells"], nlohmann::json::parse("[\"0.00005\", 81.257]"));
  EXPECT_EQ(told[2].second["texts"], nlohmann::json::parse("[\"0.00005\", \"81.26\"]"));
  EXPECT_EQ(told[2].second["kept"], true);
  EXPECT_EQ(told[1].second["kept"], false);

  apps::RunRecord record;
  EXPECT_EQ(apps::results_section(record), "");
  EXPECT_NE(apps::write_page(record).find("id=\"loss-part\""), std::string::npos);
  for (const auto& [text, event] : told) {
    record.add(1, event.at("event").get<std::string>(), event);
  }
  const std::string page = apps::write_page(record);
  EXPECT_EQ(apps::fault_of(page), "");
  EXPECT_EQ(page.find("id=\"loss-part\""), std::string::npos) << "there is no line of training";
  const size_t kept = page.find("<tr class=\"kept\"");
  ASSERT_NE(kept, std::string::npos);
  EXPECT_GT(page.find("0.00005"), kept);
  EXPECT_LT(page.find(">9.50<"), kept);
  EXPECT_NE(page.find(">81.26<"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
