// A network whose nodes are watched: what /metrics and the logs say of a job while it runs, that
// nobody who asks disturbs it, and that neither says a secret.
#include <algorithm>

#include "apps/node_log.h"
#include "apps/test_network_folder.h"
#include "apps/test_prometheus.h"
#include "apps/wallet_files.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::vector<json> lines_in(const std::string& path) {
  std::ifstream file(path);
  std::vector<json> lines;
  std::string line;
  while (std::getline(file, line)) {
    lines.push_back(json::parse(line, nullptr, false));
    EXPECT_TRUE(lines.back().is_object()) << path << ": " << line;
  }
  return lines;
}

std::string field(const json& line, const char* name) {
  return line.value(name, json()).is_string() ? line[name].get<std::string>() : std::string();
}

/// One field of all lines with this event, and with `job` where one is given.
std::set<std::string> fields_of(const std::vector<json>& lines,
                                const std::string& event,
                                const char* name,
                                const std::string& job = {}) {
  std::set<std::string> found;
  for (const json& line : lines) {
    if (field(line, "event") == event && (job.empty() || field(line, "job") == job)) {
      found.insert(field(line, name));
    }
  }
  return found;
}

class ObserveTest : public NetworkTest {
 protected:
  /// Starts the network; where each node answers.
  std::map<std::string, uint16_t> up(const std::string& more) {
    const Output output = run("up --json " + more + flags_);
    EXPECT_EQ(output.exit, 0) << output.text;
    std::map<std::string, uint16_t> ports;
    size_t begin = 0;
    while (begin < output.text.size()) {
      const size_t end = std::min(output.text.find('\n', begin), output.text.size());
      const json event = json::parse(output.text.substr(begin, end - begin), nullptr, false);
      begin = end + 1;
      if (event.is_object() && field(event, "event") == "node_up") {
        const std::string address = field(event, "metrics");
        EXPECT_TRUE(address.starts_with("127.0.0.1:")) << event;
        if (address.size() < 10) {
          return {};
        }
        ports[field(event, "name")] =
            static_cast<uint16_t>(std::strtoul(address.substr(10).c_str(), nullptr, 10));
      }
    }
    return ports;
  }
  std::map<std::string, PrometheusPage> pages(const std::map<std::string, uint16_t>& ports) {
    std::map<std::string, PrometheusPage> all;
    for (const auto& [name, port] : ports) {
      SCOPED_TRACE(name);
      const std::string text = ask_metrics(port);
      said_ += text;
      all.emplace(name, PrometheusPage(text));
    }
    return all;
  }
  [[nodiscard]] std::vector<json> log_of(const std::string& folder) const {
    return lines_in(net_ + "/" + folder + "/logs/" + node_log_name);
  }
  /// All that every node has logged.
  [[nodiscard]] std::string all_logs() const {
    std::string all;
    for (const auto& entry : fs::recursive_directory_iterator(net_)) {
      if (entry.path().parent_path().filename() == "logs" && entry.is_regular_file()) {
        all += text_in(entry.path().string());
      }
    }
    return all;
  }
  /// Of everybody, as a file would have them.
  [[nodiscard]] std::vector<std::string> secrets() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(net_)) {
      if (entry.path().extension() != ".key") {
        continue;
      }
      const auto key = load_plain_key(entry.path().string());
      EXPECT_TRUE(key.ok()) << entry.path();
      const crypto::Seed seed = key->seed();
      for (const Hash& secret : {Hash{seed.bytes()},
                                 node_secret(*key, "salts"),
                                 node_secret(*key, "preimages"),
                                 node_secret(*key, "requester")}) {
        all.emplace_back(secret.bytes.begin(), secret.bytes.end());
        all.push_back(to_hex(secret.bytes));
        std::string upper = all.back();
        std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
          return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
        });
        all.push_back(upper);
      }
    }
    return all;
  }

  /// What a job of 16 lane tasks and more leaves in the metrics.
  static void expect_counted(const std::map<std::string, PrometheusPage>& before,
                             const std::map<std::string, PrometheusPage>& after_job) {
    const auto sum = [&](const std::string& sample) {
      return after_job.at("provider-1").at(sample) + after_job.at("provider-2").at(sample);
    };
    EXPECT_GE(sum("lockstep_work_total{kind=\"execute\",result=\"ok\"}"), 16);
    EXPECT_GE(sum("lockstep_tasks_placed_total"), 16);
    EXPECT_GE(sum("lockstep_tasks_accepted_total"), 16);
    EXPECT_GT(sum("lockstep_engine_seconds_total{what=\"compute\"}"), 0);
    EXPECT_GT(sum("lockstep_engine_operations_total"), 0);
    EXPECT_GT(sum("lockstep_blob_bytes_total{direction=\"fetched\"}"), 0);
    EXPECT_GT(sum("lockstep_blob_bytes_total{direction=\"served\"}"), 0);
    EXPECT_GE(sum("lockstep_transactions_sent_total{kind=\"post_claim\"}"), 1);
    EXPECT_GT(sum("lockstep_money_earned_lks"), 0);
    for (const auto& [name, page] : after_job) {
      SCOPED_TRACE(name);
      EXPECT_GT(page.at("lockstep_ledger_height"), before.at(name).at("lockstep_ledger_height"));
      EXPECT_GT(page.at("lockstep_network_bytes_total{direction=\"in\"}"), 0);
      EXPECT_GT(page.at("lockstep_network_bytes_total{direction=\"out\"}"), 0);
      EXPECT_GT(page.at("lockstep_store_sync_seconds_count"), 0);
      EXPECT_EQ(page.at("lockstep_store_failures_total"), 0);
      EXPECT_EQ(page.at("lockstep_log_lines_lost_total"), 0);
      EXPECT_GT(page.at("process_resident_memory_bytes"), 1 << 20);
      EXPECT_GE(page.at("lockstep_links"), 1);
    }
    const auto& ledger = after_job.at("ledger");
    EXPECT_GE(ledger.at("lockstep_ledger_events_total{event=\"claim_posted\"}"), 1);
    EXPECT_EQ(ledger.at("lockstep_ledger_events_total{event=\"job_settled\"}"), 1);
    EXPECT_EQ(ledger.at("lockstep_ledger_records{kind=\"open_dispute\"}"), 0);
  }
  /// From the job to its tasks to the claims that they stand in; gives the job.
  [[nodiscard]] std::string follow_job() const {
    const auto opened = fields_of(log_of("ledger"), "job_opened", "job");
    EXPECT_EQ(opened.size(), 1U);
    std::string job = opened.empty() ? std::string() : *opened.begin();
    EXPECT_EQ(job.size(), 64U);
    std::set<std::string> assigned;
    std::set<std::string> claimed;
    std::set<std::string> claims;
    for (const char* const name : {"provider-1", "provider-2"}) {
      const auto lines = log_of(name);
      assigned.merge(fields_of(lines, "task_assigned", "task", job));
      claimed.merge(fields_of(lines, "task_claimed", "task", job));
      claims.merge(fields_of(lines, "task_claimed", "claim", job));
      const auto delivered = fields_of(lines, "task_delivered", "task", job);
      const auto accepted = fields_of(lines, "task_accepted", "task", job);
      EXPECT_TRUE(
          std::includes(delivered.begin(), delivered.end(), accepted.begin(), accepted.end()));
    }
    EXPECT_GE(claimed.size(), 16U);
    EXPECT_TRUE(std::includes(assigned.begin(), assigned.end(), claimed.begin(), claimed.end()));
    EXPECT_EQ(fields_of(log_of("ledger"), "claim_posted", "claim", job), claims);
    const auto requester = log_of("jobs/tiny-1");
    const auto placed = fields_of(requester, "task_assigned", "task", job);
    EXPECT_TRUE(std::includes(placed.begin(), placed.end(), assigned.begin(), assigned.end()));
    EXPECT_TRUE(fields_of(requester, "job_over", "job").contains(job));
    EXPECT_FALSE(fields_of(log_of("provider-1"), "link_up", "peer").empty());
    return job;
  }
  void expect_no_secrets(const std::string& passphrase) const {
    const std::string logs = all_logs();
    EXPECT_NE(logs.find("message_in"), std::string::npos);
    auto all = secrets();
    all.push_back(passphrase);
    EXPECT_GE(all.size(), 100U);
    for (const std::string& secret : all) {
      EXPECT_EQ(logs.find(secret), std::string::npos);
      EXPECT_EQ(said_.find(secret), std::string::npos);
    }
  }

  std::string said_;  // NOLINT(misc-non-private-member-variables-in-classes): of all pages
};

TEST_F(ObserveTest, AJobShowsInMetricsAndLogs) {
  const std::string passphrase = "four or more random words";
  std::ofstream(root_ + "/passphrase") << passphrase << "\n";
  fs::permissions(root_ + "/passphrase", fs::perms::owner_read | fs::perms::owner_write);
  const Output sealed = run("wallet create owner --passphrase-file " + root_ +
                            "/passphrase --wallet-dir " + root_ + "/sealed");
  EXPECT_EQ(sealed.exit, 0) << sealed.text;
  write_job(8);
  const auto ports = up("--providers 2 --metrics");
  ASSERT_EQ(ports.size(), 4U);
  const auto before = pages(ports);
  EXPECT_EQ(before.at("provider-1").at("lockstep_work_total{kind=\"execute\",result=\"ok\"}"), 0);
  // Somebody who never says what he wants, all the time, and others who talk nonsense.
  const platform::TestHttpClient silent(ports.at("ledger"));
  ASSERT_TRUE(silent.connected());

  Beside job_run(run_words());
  auto last = before;
  for (int look = 0; look < 400 && !fs::exists(net_ + "/jobs/tiny-1/over.json"); ++look) {
    auto now = pages(ports);
    for (const auto& [name, page] : now) {
      page.expect_after(last.at(name));
    }
    last = std::move(now);
    for (const auto& [name, port] : ports) {
      EXPECT_TRUE(
          platform::test_ask(port, "\x16\x03\x01 garbage\r\n\r\n").starts_with("HTTP/1.1 400 "));
      EXPECT_TRUE(platform::test_ask(port, "POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                      .starts_with("HTTP/1.1 405 "));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const Output& done = job_run.finish();
  ASSERT_EQ(done.exit, 0) << done.text;
  std::this_thread::sleep_for(std::chrono::milliseconds(250));  // a page is good for so long
  const auto after_job = pages(ports);

  expect_counted(before, after_job);
  const std::string job = follow_job();

  const Output shown = run("logs --node provider-1" + flags_);
  EXPECT_EQ(shown.exit, 0);
  EXPECT_NE(shown.text.find(" task_claimed job=" + job), std::string::npos) << shown.text;
  EXPECT_EQ(run("logs --node nobody" + flags_).exit, 2);
  EXPECT_EQ(run("logs" + flags_).exit, 2);

  // A node that starts again answers again, and goes on with its log.
  const size_t lines = log_of("provider-1").size();
  EXPECT_EQ(run("down" + flags_).exit, 0);
  EXPECT_TRUE(fields_of(log_of("provider-1"), "node_stopped", "name").contains("provider-1"));
  EXPECT_EQ(pages(up("--log-level debug")).size(), 4U);
  EXPECT_GT(log_of("provider-1").size(), lines);

  expect_no_secrets(passphrase);
}

TEST_F(ObserveTest, WithoutTheOptionNobodyListens) {
  const Output output = run("up --providers 1 --auditors 0" + flags_);
  ASSERT_EQ(output.exit, 0) << output.text;
  EXPECT_EQ(output.text.find("/metrics"), std::string::npos);
  EXPECT_FALSE(fs::exists(net_ + "/provider-1/metrics.json"));
  EXPECT_NE(run("up --metrics" + flags_).text.find("without metrics"), std::string::npos);
  EXPECT_EQ(run("up --log-level loud" + flags_).exit, 2);
}

}  // namespace
}  // namespace lockstep::apps
