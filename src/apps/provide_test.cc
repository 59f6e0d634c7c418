// `lockstep provide`: what is kept of it, how a network is joined, what the ledger must have; and
// the program itself: a machine joins, works and is paid.
#include "apps/provide.h"

#include <gtest/gtest.h>

#include "apps/provide_file.h"
#include "apps/provide_join.h"
#include "apps/test_network_folder.h"
#include "apps/wallet_files.h"
#include "crypto/key_text.h"

namespace lockstep::apps {
namespace {

crypto::SecretKey key_of(uint8_t number) {
  Hash seed;
  seed.bytes.fill(number);
  return crypto::SecretKey::from_seed(seed);
}

Amount lks(int64_t whole) {
  return Amount::from_nano(whole * Amount::nano_per_whole);
}

TEST(ProvideJoin, TextNamesAnAddressAndANode) {
  const LedgerPlace place{{"192.0.2.7", 4100}, key_of(1).public_key()};
  const auto read = parse_join(join_text(place));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(text_of(read->address), "192.0.2.7:4100");
  EXPECT_EQ(read->node, place.node);
  const auto hex = parse_join("[::1]:7#" + to_hex(place.node.bytes));
  ASSERT_TRUE(hex.ok());
  EXPECT_EQ(hex->address.host, "::1");
  EXPECT_EQ(hex->node, place.node);
  const std::string key = crypto::key_text(place.node);
  for (const std::string& bad : {std::string(),
                                 std::string("192.0.2.7:4100"),
                                 "192.0.2.7#" + key,
                                 "192.0.2.7:0#" + key,
                                 "192.0.2.7:4100#" + key.substr(1),
                                 "192.0.2.7:4100#" + key + "q",
                                 std::string("192.0.2.7:4100#00")}) {
    const auto refused = parse_join(bad);
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(refused.error().code, Code::bad_address);
    EXPECT_FALSE(refused.error().next.empty());
  }
}

TEST(ProvideJoin, SaysExactlyWhatIsMissing) {
  ledger::State state;
  const crypto::PublicKey owner = key_of(2).public_key();
  const Registration wanted{key_of(3), owner, lks(500)};
  state.accounts[owner] = {lks(120), lks(100), Amount()};
  const auto poor = missing_of(state, wanted);
  ASSERT_FALSE(poor.ok());
  EXPECT_EQ(poor.error().code, Code::low_funds);
  EXPECT_NE(poor.error().next.find("lockstep wallet send --to " + crypto::key_text(owner) +
                                   " --amount \"280 LKS\""),
            std::string::npos)
      << poor.error().next;
  state.accounts[owner].balance = lks(400);
  const auto all = missing_of(state, wanted);
  ASSERT_TRUE(all.ok());
  EXPECT_TRUE(all->node);
  EXPECT_EQ(all->stake, lks(400));
  state.nodes[wanted.node.public_key()] = {owner, model::Role::provider};
  state.accounts[owner].stake = lks(500);
  const auto nothing = missing_of(state, wanted);
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->node);
  EXPECT_EQ(nothing->stake, Amount());
  state.nodes[wanted.node.public_key()].owner = key_of(9).public_key();
  EXPECT_EQ(missing_of(state, wanted).error().code, Code::already_there);
}

TEST(ProvideFile, ComesBackAndWhatIsNotSaidStays) {
  const std::string folder =
      ::testing::TempDir() + "lockstep_provide_" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  EXPECT_FALSE(read_provide_file(folder)->has_value());
  ProvideFile file;
  file.name = "mine";
  file.wallet = "savings";
  file.owner = key_of(4).public_key();
  file.stake = lks(7);
  file.price.power_watts = "65";
  file.price.power_cost = "0.25 LKS";
  file.benchmark = model::Benchmark{1, "x86-64-avx2", "a processor", 2, 12'345'678'901, 99};
  ASSERT_TRUE(save(folder, file).ok());
  const auto read = read_provide_file(folder);
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ(write_provide_file(**read), write_provide_file(file));
  EXPECT_EQ((*read)->benchmark, file.benchmark);

  const model::MachineSize machine{8, 16'000'000'000, 100'000'000'000, 0};
  const auto slice = spec::parse_slice_flags({"2", "4GB", "10%", "none", "22:00-07:00"}, machine);
  ASSERT_TRUE(slice.ok()) << slice.error().message();
  ASSERT_TRUE(save(folder, *slice).ok());
  const auto kept = read_slice(folder, machine);
  ASSERT_TRUE(kept.ok() && kept->has_value());
  EXPECT_EQ(**kept, *slice);
  spec::SliceFlags said;
  said.memory = "1GB";
  const auto changed = spec::parse_slice_flags(merged(said, flags_of(*slice)), machine);
  ASSERT_TRUE(changed.ok());
  model::Slice expected = *slice;
  expected.memory_bytes = 1'000'000'000;
  EXPECT_EQ(*changed, expected);
  spec::PriceFlags price;
  price.price = "auto";
  EXPECT_EQ(merged(price, file.price).power_watts, "65");
  std::filesystem::remove_all(folder);
}

TEST(Provide, PricesAndEarningsAreTheLedgers) {
  ledger::State state;
  const crypto::PublicKey node = key_of(5).public_key();
  const auto owner = key_of(6).public_key();
  const auto add = [&](uint8_t number, const crypto::PublicKey& job_owner, int64_t price) {
    Hash id;
    id.bytes.fill(number);
    ledger::Job job;
    job.owner = job_owner;
    job.terms.price_per_unit = lks(price);
    state.jobs[model::JobId{id}] = job;
    ledger::Lease lease;
    lease.job = model::JobId{id};
    lease.node = node;
    lease.owner = owner;
    lease.counted_operations = 30;
    lease.final_operations = 20;
    lease.paid = lks(2);
    lease.pending = lks(1);
    state.leases[model::LeaseId{id}] = lease;
  };
  add(1, key_of(7).public_key(), 3);
  add(2, owner, 1000);  // a job of its own says nothing of the market
  const auto paid = paid_prices(state);
  ASSERT_EQ(paid.size(), 1U);
  EXPECT_EQ(paid[0].price_per_unit, lks(3));
  EXPECT_EQ(paid[0].operations, 20U);
  const Earned earned = earnings_of(state, node);
  EXPECT_EQ(earned.paid, lks(4));
  EXPECT_EQ(earned.pending, lks(2));
  EXPECT_EQ(earned.operations, 60U);
  EXPECT_EQ(earnings_of(state, key_of(8).public_key()).paid, Amount());
}

// ---- the program itself

class ProvideTest : public NetworkTest {
 public:
  ~ProvideTest() override { (void)run("down --network-dir " + mine_); }

 protected:
  [[nodiscard]] std::string join() const {
    const auto network = NetworkFolder::open(net_);
    return network.ok() ? join_text(network->file().ledger) : "";
  }
  [[nodiscard]] Output provide(const std::string& flags) const {
    return run("provide --dir " + mine_ + " --benchmark-ms 1 --background " + flags);
  }
  /// From the network's first owner to the new one.
  void pay(const std::string& amount) const {
    const auto network = NetworkFolder::open(net_);
    const auto mine = NetworkFolder::open(mine_);
    const auto file = read_provide_file(mine_);
    ASSERT_TRUE(network.ok() && file.ok() && file->has_value());
    auto visit = Visit::begin(network->file().genesis, network->file().ledger);
    ASSERT_TRUE(visit.ok()) << visit.error().message();
    const auto you = load_plain_key(network->wallet_of("you"));
    ASSERT_TRUE(you.ok());
    const auto sent =
        (*visit)->submit(*you, model::Transfer{(*file)->owner, *Amount::parse(amount)});
    ASSERT_TRUE(sent.ok()) << sent.error().message();
  }
  [[nodiscard]] std::string key_file() const {
    return text_in(mine_ + "/provider/keys/" + key_file_name);
  }

  // NOLINTNEXTLINE(misc-non-private-member-variables-in-classes)
  std::string mine_ = root_ + "/mine";
};

TEST_F(ProvideTest, AMachineJoinsWorksAndIsPaid) {
  ASSERT_EQ(run("up --providers 1" + flags_).exit, 0);
  const std::string slice = "--cpus 1 --memory 1GB --disk 1GB --price \"0.001 LKS\"";
  const Output poor = provide("--join " + join() + " " + slice);
  EXPECT_EQ(poor.exit, 5) << poor.text;
  EXPECT_NE(poor.text.find("lockstep wallet send --to lk1"), std::string::npos) << poor.text;
  const std::string key = key_file();
  ASSERT_FALSE(key.empty());
  pay("500 LKS");
  const Output there = provide("");
  ASSERT_EQ(there.exit, 0) << there.text;
  EXPECT_NE(there.text.find("the provider runs"), std::string::npos) << there.text;
  EXPECT_EQ(key_file(), key) << "a second try goes on where the first one stopped";

  const Output job_run = run(run_words());
  ASSERT_EQ(job_run.exit, 0) << job_run.text;
  const Output shown = run("devices --json --dir " + mine_);
  const size_t at = shown.text.find("\"event\":\"earnings\"");
  ASSERT_NE(at, std::string::npos) << shown.text;
  const size_t line = shown.text.rfind('\n', at) + 1;
  const auto earned =
      nlohmann::json::parse(shown.text.substr(line, shown.text.find('\n', at) - line));
  EXPECT_GT(earned.at("tasks").get<uint64_t>(), 0U);
  EXPECT_NE(earned.at("paid").get<std::string>(), "0 LKS") << shown.text;

  // Other numbers: the same key, the same registration.
  const Output changed = provide("--memory 512MiB");
  EXPECT_EQ(changed.exit, 0) << changed.text;
  EXPECT_EQ(changed.text.find("registered"), std::string::npos) << changed.text;
  EXPECT_EQ(key_file(), key);
  EXPECT_NE(text_in(mine_ + "/slice.yaml").find("512MiB"), std::string::npos);
  EXPECT_NE(text_in(mine_ + "/slice.yaml").find("disk: 1GB"), std::string::npos);
}

TEST_F(ProvideTest, ASliceThatIsTooSmallDeclinesTheTaskAndLives) {
  ASSERT_EQ(run("up --providers 1" + flags_).exit, 0);
  const std::string slice = "--cpus 1 --memory 64kB --disk 1GB --price \"0.001 LKS\" ";
  (void)provide("--join " + join() + " " + slice);
  pay("500 LKS");
  ASSERT_EQ(provide("").exit, 0);
  const int pid = pid_of(mine_ + "/provider");
  const Output job_run = run(run_words() + " --json");
  ASSERT_EQ(job_run.exit, 0) << job_run.text;
  EXPECT_EQ(pid_of(mine_ + "/provider"), pid);
  EXPECT_EQ(::kill(pid, 0), 0);
}

TEST_F(ProvideTest, MistakesGetAClearAnswerAndLeaveNothing) {
  const Output nowhere = provide("");
  EXPECT_EQ(nowhere.exit, 2) << nowhere.text;
  EXPECT_NE(nowhere.text.find("--join"), std::string::npos);
  for (const std::string flags : {"--memory 4",
                                  "--memory 4lb",
                                  "--cpus 100000",
                                  "--cpus 1.5",
                                  "--disk 120%",
                                  "--when tomorrow",
                                  "--price cheap"}) {
    const Output refused =
        provide("--join 127.0.0.1:1#" + to_hex(key_of(1).public_key().bytes) + " " + flags);
    EXPECT_EQ(refused.exit, 2) << flags << refused.text;
    EXPECT_NE(refused.text.find(flags.substr(0, flags.find(' '))), std::string::npos)
        << refused.text;
  }
  const Output nobody =
      provide("--join 127.0.0.1:1#" + to_hex(key_of(1).public_key().bytes) + " --memory 1GB");
  EXPECT_EQ(nobody.exit, 8) << nobody.text;
  EXPECT_FALSE(std::filesystem::exists(mine_));
  ASSERT_EQ(run("up --providers 1 --auditors 0" + flags_).exit, 0);
  const std::string place = join();
  const Output other = provide("--join " + place.substr(0, place.find('#') + 1) +
                               crypto::key_text(key_of(1).public_key()) + " --memory 1GB");
  EXPECT_NE(other.exit, 0);
  EXPECT_NE(other.text.find("another node answers"), std::string::npos) << other.text;
}

}  // namespace
}  // namespace lockstep::apps
