// Histories add up: for every owner of simulated markets with liars, to the nano-LKS; and through
// the command line, on a network of processes.
#include "apps/wallet_history.h"

#include <sstream>

#include "apps/test_network_folder.h"
#include "apps/wallet_money.h"
#include "law/roots.h"
#include "prepare/prepare.h"
#include "sim/world.h"

namespace lockstep::apps {
namespace {

/// Keeps every block.
class Watch final : public sim::Observer {
 public:
  void on_notice(uint64_t /*now_ms*/, const node::Notice& /*notice*/) override {}
  void on_machine(uint64_t /*now_ms*/, const std::string& /*name*/, bool /*up*/) override {}
  void on_block(uint64_t /*now_ms*/,
                const model::Block& block,
                const ledger::State& /*after*/) override {
    blocks.push_back(block);
  }
  std::vector<model::Block> blocks;
};

struct Sums {
  Amount balance, stake;
  std::map<std::string, int> kinds;
};

Sums sums_of(const std::vector<MoneyEntry>& entries) {
  Sums sums;
  for (const MoneyEntry& entry : entries) {
    sums.balance = *sums.balance.add(entry.balance);
    sums.stake = *sums.stake.add(entry.stake);
    ++sums.kinds[name_of(entry.kind)];
  }
  return sums;
}

void expect_histories_add_up(const sim::Options& options, std::map<std::string, int>& kinds) {
  MemoryFiles files = small_files();
  env::MemoryKeyValue values;
  store::Blobs blobs(values, law::data_mode());
  model::JobSpec spec = small_job();
  spec.verify = {model::VerifyKind::full, 1'000'000, 0};
  spec.resources.memory_bytes = 1'000'000'000;
  const auto prepared = prepare::prepare(spec, "", files, blobs);
  ASSERT_TRUE(prepared.ok()) << prepared.error().message();
  platform::Clock clock;
  auto world =
      sim::World::create(options, prepared->job, blobs, clock, {1, tensor::best_isa(), false});
  ASSERT_TRUE(world.ok()) << world.error().message();
  Watch watch;
  const auto ran = (*world)->run(watch);
  ASSERT_TRUE(ran.ok()) << ran.error().message();
  const ledger::State& state = (*world)->ledger_state();
  ASSERT_EQ(watch.blocks.size(), state.totals.height);
  for (const auto& [owner, account] : state.accounts) {
    const auto entries = history_of(owner, (*world)->genesis(), watch.blocks);
    ASSERT_TRUE(entries.ok()) << entries.error().message();
    const Sums sums = sums_of(*entries);
    EXPECT_EQ(sums.balance, account.balance) << (*world)->name_of(owner);
    EXPECT_EQ(sums.stake, account.stake) << (*world)->name_of(owner);
    EXPECT_EQ(sums.kinds.count("other"), 0U) << (*world)->name_of(owner);
    for (const auto& [kind, count] : sums.kinds) {
      kinds[kind] += count;
    }
  }
}

TEST(WalletHistory, AddsUpForEverybodyOnMarketsWithLiars) {
  std::map<std::string, int> kinds;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    sim::Options options;
    options.seed = seed;
    if (seed > 1) {
      options.cheats = {{static_cast<uint32_t>(1 + seed % 3),
                         seed % 2 == 0 ? sim::CheatKind::skip : sim::CheatKind::bitflip}};
    }
    expect_histories_add_up(options, kinds);
  }
  for (const char* const kind :
       {"genesis", "stake", "escrow", "refund", "work", "audit", "slash", "reward"}) {
    EXPECT_GE(kinds[kind], 1) << kind;
  }
}

class WalletMoney : public NetworkTest {
 protected:
  [[nodiscard]] nlohmann::json last_event(const std::string& words) const {
    const Output output = run(words + flags_ + " --json");
    EXPECT_EQ(output.exit, 0) << output.text;
    const size_t end = output.text.find_last_not_of('\n');
    const size_t begin = output.text.rfind('\n', end);
    return nlohmann::json::parse(
        output.text.substr(begin == std::string::npos ? 0 : begin + 1), nullptr, false);
  }
  /// The sum of a history's amounts, which is the balance that it ends with.
  [[nodiscard]] Amount sum_of_history(const std::string& name) const {
    const Output output = run("wallet history " + name + flags_ + " --json");
    EXPECT_EQ(output.exit, 0) << output.text;
    std::istringstream lines(output.text);
    Amount sum;
    for (std::string line; std::getline(lines, line);) {
      const auto event = nlohmann::json::parse(line, nullptr, false);
      if (event.value("event", "") == "money") {
        sum = *sum.add(*Amount::parse(event.value("amount", "")));
      } else {
        EXPECT_EQ(event.value("balance", ""), sum.print());
      }
    }
    return sum;
  }
};

TEST_F(WalletMoney, IsSentShownAndListed) {
  ASSERT_EQ(run("up --providers 1 --auditors 0" + flags_).exit, 0);
  const auto you = last_event("wallet show you");
  EXPECT_EQ(you.value("balance", ""), "1000 LKS");
  const Output asked = run("wallet send --to provider-1 --amount '5 LKS'" + flags_);
  EXPECT_EQ(asked.exit, 2) << asked.text;
  EXPECT_NE(asked.text.find("--yes"), std::string::npos) << asked.text;
  const auto sent = last_event("wallet send --to provider-1 --amount '5.000000001 LKS' --yes");
  EXPECT_EQ(sent.value("balance", ""), "994.999999999 LKS");
  EXPECT_EQ(last_event("wallet show you").value("balance", ""), "994.999999999 LKS");
  EXPECT_EQ(sum_of_history("you").print(), "994.999999999 LKS");
  EXPECT_EQ(sum_of_history("provider-1").print(), "505.000000001 LKS");

  const std::string send = "wallet send --yes --to provider-1" + flags_ + " --amount ";
  for (const std::string amount : {"5", "'5 EUR'", "'0 LKS'", "'0.0000000001 LKS'"}) {
    EXPECT_EQ(run(send + amount).exit, 2) << amount;
  }
  EXPECT_EQ(run(send + "'1000 LKS'").exit, 5);
  EXPECT_EQ(run("wallet send --yes --to nobody --amount '1 LKS'" + flags_).exit, 3);
  EXPECT_EQ(run("wallet send --yes --to you --amount '1 LKS'" + flags_).exit, 2);
  const std::string typo = you.value("key", "").substr(0, 60) + "x";
  EXPECT_EQ(run("wallet send --yes --to " + typo + " --amount '1 LKS'" + flags_).exit, 2);
}

TEST_F(WalletMoney, OfASealedWalletNeedsItsPassphrase) {
  write("secret", {'c', 'o', 'r', 'r', 'e', 'c', 't', ' ', 'h', 'o', 'r', 's', 'e', '\n'});
  write("wrong", {'w', 'r', 'o', 'n', 'g', ' ', 'h', 'o', 'r', 's', 'e', '\n'});
  for (const char* const name : {"/secret", "/wrong"}) {
    std::filesystem::permissions(root_ + name, std::filesystem::perms(0600));
  }
  const std::string wallets = " --wallet-dir " + root_ + "/wallets";
  const std::string pass = " --passphrase-file " + root_ + "/secret";
  ASSERT_EQ(run("wallet create alice" + wallets + pass).exit, 0);
  ASSERT_EQ(run("up --providers 1 --auditors 0" + flags_).exit, 0);
  ASSERT_EQ(run("wallet send --to alice --amount '7 LKS' --yes" + flags_ + wallets).exit, 0);
  const std::string back = "wallet send --from alice --to you --amount '2 LKS' --yes" + flags_;
  const Output wrong = run(back + wallets + " --passphrase-file " + root_ + "/wrong");
  EXPECT_EQ(wrong.exit, 2) << wrong.text;
  const Output right = run(back + wallets + pass);
  EXPECT_EQ(right.exit, 0) << right.text;
  EXPECT_EQ(last_event("wallet show alice" + wallets).value("balance", ""), "5 LKS");
  const Output list = run("wallet list" + flags_ + wallets);
  EXPECT_NE(list.text.find("  5 LKS"), std::string::npos) << list.text;
}

}  // namespace
}  // namespace lockstep::apps
