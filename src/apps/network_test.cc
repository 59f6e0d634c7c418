// The program itself: a network of processes, a job on it, and what becomes of both when processes
// die. Everything goes through the command line, as people use it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "apps/small_job.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

struct Output {
  int exit = -1;
  std::string text;
};

Output run(const std::string& arguments) {
  const std::string line = std::string(LOCKSTEP_BINARY) + " " + arguments + " 2>&1 </dev/null";
  Output output;
  std::FILE* const pipe = ::popen(line.c_str(), "re");
  if (pipe == nullptr) {
    return output;
  }
  std::array<char, 4096> part{};
  size_t got = 0;
  while ((got = std::fread(part.data(), 1, part.size(), pipe)) > 0) {
    output.text.append(part.data(), got);
  }
  const int status = ::pclose(pipe);
  output.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

/// The rest of the line that begins so; "" when there is none.
std::string after(const std::string& text, const std::string& head) {
  const size_t at = text.find("\n" + head);
  if (at == std::string::npos) {
    return "";
  }
  const size_t begin = at + 1 + head.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

class NetworkTest : public ::testing::Test {
 public:
  ~NetworkTest() override {
    (void)run("down" + flags_);
    fs::remove_all(root_);
  }

 protected:
  NetworkTest()
      : root_(::testing::TempDir() + "lockstep_network_" + std::to_string(::getpid())),
        flags_(" --network-dir " + root_ + "/net") {
    fs::remove_all(root_);
    fs::create_directories(root_);
    write_job();
  }

  void write(const std::string& name, const Bytes& bytes) const {
    std::ofstream file(root_ + "/" + name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void write_job(int rounds = 3) const {
    write("train-images", idx({60, 28, 28}, 251, 1));
    write("train-labels", idx({60}, 10, 2));
    write("test-images", idx({20, 28, 28}, 241, 3));
    write("test-labels", idx({20}, 10, 4));
    const std::string text =
        "name: tiny\nmodel: " LOCKSTEP_SOURCE_DIR
        "/examples/fashion-mnist/model.onnx\n"
        "data: {format: idx, train_images: train-images, train_labels: train-labels, "
        "test_images: test-images, test_labels: test-labels, blob_images: 20, shuffle: 0}\n"
        "train:\n  loss: softmax_cross_entropy\n  optimizer: {name: sgd, momentum: 0.9}\n"
        "  lr: {schedule: warmup_cosine, base: 0.05, warmup: 2}\n"
        "  batch: 10\n  rounds: " +
        std::to_string(rounds) +
        "\n  lanes: 2\n  local_steps: 2\n  claim_every: 1\n  seed: 0\n"
        "verify: spot:0.3\nfinality: job\n";
    write("job.yaml", Bytes(text.begin(), text.end()));
  }
  /// The model root that the job has wherever it runs.
  [[nodiscard]] std::string honest_root() const {
    return after(run("sim run " + root_ + "/job.yaml").text, "model root: ");
  }
  [[nodiscard]] std::string job() const { return root_ + "/job.yaml"; }

  // NOLINTBEGIN(misc-non-private-member-variables-in-classes)
  std::string root_;
  std::string flags_;
  // NOLINTEND(misc-non-private-member-variables-in-classes)
};

TEST_F(NetworkTest, AJobGivesTheModelOfTheSimulator) {
  const Output up = run("up --providers 2" + flags_);
  ASSERT_EQ(up.exit, 0) << up.text;
  EXPECT_NE(up.text.find("the network is up"), std::string::npos);

  const Output again = run("up" + flags_);
  EXPECT_EQ(again.exit, 0) << again.text;
  EXPECT_NE(again.text.find("provider-1: runs already"), std::string::npos) << again.text;

  const Output job_run = run("run " + job() + " --yes --out " + root_ + "/out" + flags_);
  ASSERT_EQ(job_run.exit, 0) << job_run.text;
  EXPECT_EQ(after(job_run.text, "model root: "), honest_root());
  EXPECT_NE(job_run.text.find("unchanged"), std::string::npos) << job_run.text;
  const Output verified = run("verify " + root_ + "/out/receipt.json");
  EXPECT_EQ(verified.exit, 0) << verified.text;
  EXPECT_TRUE(fs::exists(root_ + "/out/model.safetensors"));
  EXPECT_TRUE(fs::exists(root_ + "/out/report.html"));

  const Output jobs = run("jobs" + flags_);
  EXPECT_NE(jobs.text.find("tiny-1"), std::string::npos) << jobs.text;
  EXPECT_NE(jobs.text.find("done"), std::string::npos) << jobs.text;
  EXPECT_EQ(run("cancel tiny-1" + flags_).exit, 2);
}

/// The process of a node's folder, -1 when there is none.
int pid_of(const std::string& folder) {
  std::ifstream file(folder + "/node.pid");
  int pid = -1;
  return file >> pid ? pid : -1;
}

/// A command that runs beside the test.
class Beside {
 public:
  explicit Beside(const std::string& arguments)
      : thread_([this, arguments] { output_ = run(arguments); }) {}
  ~Beside() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  const Output& finish() {
    thread_.join();
    return output_;
  }

 private:
  Output output_;
  std::thread thread_;
};

TEST_F(NetworkTest, AnybodyMayBeKilledAtAnyMoment) {
  const auto seed =
      static_cast<unsigned>(std::chrono::system_clock::now().time_since_epoch().count());
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  write_job(30);
  const std::string root = honest_root();
  ASSERT_FALSE(root.empty());
  ASSERT_EQ(run("up --providers 2" + flags_).exit, 0);
  Beside job_run("run " + job() + " --yes --out " + root_ + "/out" + flags_);
  const std::string net = root_ + "/net/";
  const std::vector<std::string> members = {"ledger", "provider-1", "jobs/tiny-1", "auditor-1"};
  int killed = 0;
  for (int i = 0; i < 12 && !fs::exists(net + "jobs/tiny-1/over.json"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 700));
    const int pid = pid_of(net + members[static_cast<size_t>(i) % members.size()]);
    if (pid > 0 && ::kill(pid, SIGKILL) == 0) {
      ++killed;
    }
    EXPECT_EQ(run("up" + flags_).exit, 0);
  }
  const Output& done = job_run.finish();
  ASSERT_EQ(done.exit, 0) << done.text;
  EXPECT_GE(killed, 3);
  EXPECT_EQ(after(done.text, "model root: "), root);
  EXPECT_NE(done.text.find("unchanged"), std::string::npos) << done.text;
  const Output verified = run("verify " + root_ + "/out/receipt.json");
  EXPECT_EQ(verified.exit, 0) << verified.text;
}

TEST_F(NetworkTest, MistakesGetAClearAnswer) {
  const Output early = run("run " + job() + flags_);
  EXPECT_EQ(early.exit, 3) << early.text;
  EXPECT_NE(early.text.find("lockstep up"), std::string::npos) << early.text;

  ASSERT_EQ(run("up --providers 1 --auditors 0" + flags_).exit, 0);
  const Output nobody = run("run " + job() + flags_);
  EXPECT_EQ(nobody.exit, 2) << nobody.text;
  EXPECT_NE(nobody.text.find("--yes"), std::string::npos) << nobody.text;
  const Output missing = run("run " + root_ + "/no.yaml --yes" + flags_);
  EXPECT_EQ(missing.exit, 2) << missing.text;
  EXPECT_NE(missing.text.find("no.yaml"), std::string::npos) << missing.text;
  EXPECT_NE(run("logs nothing" + flags_).exit, 0);
}

}  // namespace
}  // namespace lockstep::apps
