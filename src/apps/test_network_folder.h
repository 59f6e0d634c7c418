// For tests only: the program itself, a network of processes in a folder that vanishes, and a job
// for it. Everything goes through the command line, as people use it.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "apps/network_folder.h"
#include "apps/node_process.h"
#include "apps/requester_process.h"
#include "apps/small_job.h"
#include "apps/visit.h"
#include "platform/data_dir.h"
#include "platform/process.h"

namespace lockstep::apps {

struct Output {
  int exit = -1;
  std::string text;
};

/// A line for the shell.
inline Output run_line(const std::string& line) {
  Output output;
  std::FILE* const pipe = ::popen((line + " 2>&1 </dev/null").c_str(), "re");
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

/// `before` is what runs the program: empty, or other words of the command line.
inline Output run(const std::string& arguments, const std::string& before = {}) {
  return run_line(before + LOCKSTEP_BINARY + " " + arguments);
}

/// The rest of the line that begins so; "" when there is none.
inline std::string after(const std::string& text, const std::string& head) {
  const size_t at = text.find("\n" + head);
  if (at == std::string::npos) {
    return "";
  }
  const size_t begin = at + 1 + head.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

inline std::string text_in(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Looks until it is so, at most so long. False: it never was.
template <class IsSo>
bool wait_until(const IsSo& is_so, uint64_t ms_max) {
  constexpr uint64_t look_ms = 5;
  for (uint64_t waited = 0; waited < ms_max; waited += look_ms) {
    if (is_so()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(look_ms));
  }
  return is_so();
}

class NetworkTest : public ::testing::Test {
 public:
  ~NetworkTest() override {
    (void)run("down" + flags_);
    std::error_code failed;
    std::filesystem::remove_all(root_, failed);
  }

 protected:
  NetworkTest() : root_(new_folder()), net_(root_ + "/net"), flags_(" --network-dir " + net_) {
    write_job();
  }
  static std::string new_folder() {
    std::string name = std::filesystem::temp_directory_path().string() + "/lockstep_network_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    return std::filesystem::canonical(name).string();
  }

  void write(const std::string& name, const Bytes& bytes) const {
    std::ofstream file(root_ + "/" + name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void write_job(int rounds = 3, const std::string& verify = "spot:0.3") const {
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
        "verify: " +
        verify + "\nfinality: job\n";
    write("job.yaml", Bytes(text.begin(), text.end()));
  }
  /// The model root that the job has wherever it runs.
  [[nodiscard]] std::string honest_root() const {
    return after(run("sim run " + root_ + "/job.yaml").text, "model root: ");
  }
  [[nodiscard]] std::string run_words() const {
    return "run " + job() + " --yes --out " + root_ + "/out" + flags_;
  }
  [[nodiscard]] std::string job() const { return root_ + "/job.yaml"; }

  // NOLINTBEGIN(misc-non-private-member-variables-in-classes)
  std::string root_;
  std::string net_;
  std::string flags_;
  // NOLINTEND(misc-non-private-member-variables-in-classes)
};

/// The process of a node's folder, -1 when there is none.
inline int pid_of(const std::string& folder) {
  std::ifstream file(folder + "/node.pid");
  int pid = -1;
  return file >> pid ? pid : -1;
}

/// A command that runs beside the test.
class Beside {
 public:
  explicit Beside(const std::string& arguments, const std::string& before = {})
      : thread_([this, arguments, before] {
          output_ = run(arguments, before);
          over_ = true;
        }) {}
  ~Beside() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  [[nodiscard]] bool is_over() const { return over_; }
  const Output& finish() {
    if (thread_.joinable()) {
      thread_.join();
    }
    return output_;
  }

 private:
  Output output_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

/// Starts a node as `up` does, with more words on its command line, or `before` it; without a view
/// of its own, so that the tests' files are there. The caller holds the folder's start.lock.
inline Result<platform::Process> spawn_node(const std::string& folder,
                                            std::vector<std::string> words_after,
                                            std::vector<std::string> before = {}) {
  platform::Launch launch;
  std::vector<std::string> words = std::move(before);
  words.insert(words.end(), {LOCKSTEP_BINARY, "node", folder});
  words.insert(words.end(), words_after.begin(), words_after.end());
  launch.program = words.front();
  launch.arguments.assign(words.begin() + 1, words.end());
  launch.log = folder + "/logs/node.log";
  launch.pid_file = folder + "/node.pid";
  return platform::Process::spawn(launch);
}

}  // namespace lockstep::apps
