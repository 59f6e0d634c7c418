// Times whole runs of the main job: in one process, on networks of processes with one provider and
// with three, and with a liar and a kill. Prints Markdown tables of medians; asserts nothing. Uses
// nothing of the project but its command, so that it counts what anybody could count: the clock,
// the processors' time of every process (this one is the reaper of all), bytes on the loopback
// device, and the events of the job.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// One run; what a way of running has not is left out.
struct Figures {
  bool ok = false;
  double wall_s = 0, processors_s = 0, loopback_mb = 0;
  std::optional<double> to_first_task_s, to_receipt_s, transactions_a_minute, blocks_a_minute;
};
using Runs = std::vector<Figures>;

double now_s() {
  timespec time{};
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double wall_clock_s() {
  timespec time{};
  (void)clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Of all processes that have ended and were waited for.
double processors_s() {
  rusage used{};
  (void)getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// What the loopback device has carried. Alone in its network namespace where bench/market.sh could
/// make one; else with whatever else uses it.
double loopback_mb() {
  std::ifstream devices("/proc/net/dev");
  for (std::string line; std::getline(devices, line);) {
    const size_t at = line.find("lo:");
    if (at != std::string::npos) {
      return std::strtod(line.c_str() + at + 3, nullptr) * 1e-6;
    }
  }
  return 0;
}

struct Child {
  int code = -1;
  double began_s = 0;  // on the wall clock
};

/// Runs the command and waits for it; its output goes to `log`.
Child command(const std::vector<std::string>& words, const std::string& log) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  Child child;
  child.began_s = wall_clock_s();
  const pid_t pid = fork();
  if (pid == 0) {
    const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    (void)dup2(file, STDOUT_FILENO);
    (void)dup2(file, STDERR_FILENO);
    (void)execv(arguments[0], arguments.data());
    _exit(127);
  }
  int status = 0;
  if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status)) {
    child.code = WEXITSTATUS(status);
  }
  return child;
}

/// Members of a network are no children of the command that started them for long: they become this
/// process's, and count when they have ended.
void reap_all() {
  while (true) {
    const pid_t pid = waitpid(-1, nullptr, 0);
    if (pid < 0) {
      return;
    }
  }
}

/// Blocks are those of the ledger when the job had settled.
void read_events(const std::string& folder, double asked_s, Figures& figures) {
  std::ifstream events(folder + "/events.jsonl");
  double first_ms = -1;
  double last_ms = 0;
  double blocks = 0;
  for (std::string line; std::getline(events, line);) {
    const json event = json::parse(line, nullptr, false);
    if (!event.is_object()) {
      continue;
    }
    const std::string name = event.value("event", std::string());
    const double ms = event.value("time_ms", 0.0);
    first_ms = name == "task_placed" && first_ms < 0 ? ms : first_ms;
    last_ms = std::max(last_ms, ms);
    blocks = name == "ledger_total" ? event.value("blocks", 0.0) : blocks;
  }
  if (first_ms < 0 || last_ms <= 0) {
    return;
  }
  // Events count from when the requester's process began: that is when it wrote down where it is.
  std::error_code error;
  const auto ready = fs::last_write_time(folder + "/ready.json", error);
  const auto system = std::chrono::file_clock::to_sys(ready);
  const double ready_s = std::chrono::duration<double>(system.time_since_epoch()).count();
  if (!error) {
    figures.to_first_task_s = std::max(0.0, ready_s - asked_s) + first_ms * 1e-3;
  }
  constexpr double ms_a_minute = 60'000;
  figures.blocks_a_minute = blocks * ms_a_minute / last_ms;
}

/// Transactions are those that the receipt of the job counts.
void read_receipt(const std::string& path, double minutes, Figures& figures) {
  std::ifstream file(path);
  const json receipt = json::parse(file, nullptr, false);
  if (!receipt.is_object() || minutes <= 0) {
    return;
  }
  const double count = receipt.value(json::json_pointer("/summary/transactions"), 0.0);
  if (count > 0) {
    figures.transactions_a_minute = count / minutes;
  }
}

struct Bench {
  std::string program, job, folder;

  [[nodiscard]] std::string log() const { return folder + "/log.txt"; }

  [[nodiscard]] Figures in_process() const {
    Figures figures;
    const std::string out = folder + "/sim-out";
    fs::remove_all(out);
    const double processors = processors_s();
    const double loopback = loopback_mb();
    const double start = now_s();
    const Child run = command({program,
                               "sim",
                               "run",
                               job,
                               "--providers",
                               "1",
                               "--auditors",
                               "0",
                               "--threads",
                               "1",
                               "--out",
                               out},
                              log());
    figures.wall_s = now_s() - start;
    figures.processors_s = processors_s() - processors;
    figures.loopback_mb = loopback_mb() - loopback;
    figures.ok = run.code == 0;
    return figures;
  }

  /// From `up` to a network that is down again; wall time is that of the job alone.
  [[nodiscard]] Figures on_network(const std::vector<std::string>& up_flags) const {
    Figures figures;
    const std::string network = folder + "/net";
    const std::string out = folder + "/net-out";
    fs::remove_all(network);
    fs::remove_all(out);
    std::vector<std::string> up = {program, "up", "--network-dir", network};
    up.insert(up.end(), up_flags.begin(), up_flags.end());
    const double processors = processors_s();
    const double loopback = loopback_mb();
    const double start = now_s();
    const Child came_up = command(up, log());
    const double asked = now_s();
    const Child run =
        command({program, "run", job, "--network-dir", network, "--yes", "--out", out}, log());
    const double ended = now_s();
    (void)command({program, "down", "--network-dir", network}, log());
    reap_all();
    figures.wall_s = ended - asked;
    figures.to_receipt_s = ended - start;
    figures.processors_s = processors_s() - processors;
    figures.loopback_mb = loopback_mb() - loopback;
    figures.ok = came_up.code == 0 && run.code == 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(network + "/jobs", error)) {
      read_events(entry.path().string(), run.began_s, figures);
    }
    read_receipt(out + "/receipt.json", figures.wall_s / 60, figures);
    return figures;
  }
};

template <class Get>
std::string median(const Runs& runs, int decimals, const Get& get) {
  std::vector<double> values;
  for (const Figures& run : runs) {
    const std::optional<double> value = get(run);
    if (run.ok && value) {
      values.push_back(*value);
    }
  }
  if (values.empty()) {
    return "";
  }
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  const double middle =
      values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  char text[64];
  (void)std::snprintf(text, sizeof text, "%.*f", decimals, middle);
  return text;
}

void print_row(const std::string& name, const Runs& runs) {
  const auto good = std::count_if(runs.begin(), runs.end(), [](const auto& run) { return run.ok; });
  using F = Figures;
  using Maybe = std::optional<double>;
  std::printf("| %s | %zu of %zu | %s | %s | %s | %s | %s | %s | %s |\n",
              name.c_str(),
              static_cast<size_t>(good),
              runs.size(),
              median(runs, 1, [](const F& f) { return Maybe(f.wall_s); }).c_str(),
              median(runs, 1, [](const F& f) { return Maybe(f.processors_s); }).c_str(),
              median(runs, 1, [](const F& f) { return Maybe(f.loopback_mb); }).c_str(),
              median(runs, 2, [](const F& f) { return f.to_first_task_s; }).c_str(),
              median(runs, 0, [](const F& f) { return f.transactions_a_minute; }).c_str(),
              median(runs, 0, [](const F& f) { return f.blocks_a_minute; }).c_str(),
              median(runs, 1, [](const F& f) { return f.to_receipt_s; }).c_str());
}

}  // namespace

int main(int count, char** words) {
  if (count < 4 || count > 5) {
    (void)std::fprintf(stderr, "usage: %s LOCKSTEP JOB.yaml FOLDER [TURNS]\n", words[0]);
    return 2;
  }
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
  const Bench bench{words[1], words[2], words[3]};
  const long turns = count == 5 ? std::strtol(words[4], nullptr, 10) : 5;
  fs::create_directories(bench.folder);
  struct Way {
    std::string name;
    std::vector<std::string> flags;  // of `up`; none: in one process
    Runs runs;
  };
  std::vector<Way> ways = {
      {"one process, one provider", {}, {}},
      {"processes, 1 provider, no auditor", {"--providers", "1", "--auditors", "0"}, {}},
      {"processes, 3 providers, 1 auditor", {"--providers", "3"}, {}},
      {"processes, 3 providers, a liar and a kill", {"--demo"}, {}}};
  for (long turn = 0; turn < turns; ++turn) {
    for (Way& way : ways) {
      way.runs.push_back(way.flags.empty() ? bench.in_process() : bench.on_network(way.flags));
      const Figures& last = way.runs.back();
      (void)std::fprintf(stderr,
                         "%ld: %s: %.1f s, %.1f s of processors%s\n",
                         turn + 1,
                         way.name.c_str(),
                         last.wall_s,
                         last.processors_s,
                         last.ok ? "" : ", FAILED");
    }
  }
  std::printf(
      "| medians | went well | elapsed s | processors s | loopback MB | to first task s | "
      "transactions a minute | blocks a minute | `up` to receipt s |\n"
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
  for (const Way& way : ways) {
    print_row(way.name, way.runs);
  }
  return 0;
}
