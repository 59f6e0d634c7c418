// Every fact that is wrong gives its own line and its fix; a healthy machine gives none.
#include "apps/doctor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace lockstep::apps {
namespace {

using platform::Health;

constexpr uint64_t gibi = uint64_t{1} << 30;

Health healthy() {
  Health health;
  health.processor = "x86_64";
  health.avx2 = true;
  health.cpus = 4;
  health.memory_bytes = 8 * gibi;
  health.memory_available_bytes = 6 * gibi;
  health.folders = {{"/d/lockstep", true, true, true, 0700, true, "/d/lockstep", 90 * gibi},
                    {"/c/wallets", false, false, false, 0, true, "/c", 90 * gibi}};
  health.year = 2025;
  health.clock_synchronised = true;
  health.ports = {{4100, true}};
  health.user_namespaces = true;
  health.open_files_soft = 20'000;
  health.open_files_hard = 20'000;
  health.dataset = true;
  health.gpus = {{"/dev/nvidia0", true, "root"}};
  return health;
}

TEST(Doctor, FindsNothingOnAHealthyMachine) {
  const auto findings = examine(healthy());
  EXPECT_EQ(findings.size(), 11U);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.verdict, Verdict::ok) << finding.text;
    EXPECT_TRUE(finding.fix.empty()) << finding.text;
    EXPECT_FALSE(finding.text.empty());
  }
}

struct Ill {
  const char* name;
  std::function<void(Health&)> harm;
  Verdict verdict;
  const char* subject;
  const char* fix;  // the line begins with it
};

// NOLINTNEXTLINE(readability-function-size): a table
const std::vector<Ill>& ills() {
  static const std::vector<Ill> all = {
      {"a strange processor",
       [](Health& h) { h.processor = "riscv64"; },
       Verdict::problem,
       "processor",
       "use a 64-bit x86 or ARM machine"},
      {"no AVX2",
       [](Health& h) { h.avx2 = false; },
       Verdict::warning,
       "processor",
       "in a virtual machine, pass the host's processor through"},
      {"little memory",
       [](Health& h) { h.memory_bytes = gibi - 1; },
       Verdict::problem,
       "memory",
       "use a machine with more memory, or add swap: sudo fallocate -l 2G /swapfile"},
      {"memory in use",
       [](Health& h) { h.memory_available_bytes = gibi / 2; },
       Verdict::warning,
       "memory",
       "close other programs"},
      {"memory unknown",
       [](Health& h) { h.memory_bytes = 0; },
       Verdict::warning,
       "memory",
       "check: free -h"},
      {"a full disk",
       [](Health& h) { h.folders[0].free_bytes = gibi / 4; },
       Verdict::problem,
       "disk",
       "make room (see: df -h '/d/lockstep'), or choose a folder on another disk"},
      {"a small disk",
       [](Health& h) { h.folders[0].free_bytes = 4 * gibi; },
       Verdict::warning,
       "disk",
       "make room (see: df -h '/d/lockstep')"},
      {"a file in the way",
       [](Health& h) { h.folders[0].is_folder = false; },
       Verdict::problem,
       "folder",
       "move it away: mv '/d/lockstep' '/d/lockstep.old'"},
      {"another's folder",
       [](Health& h) { h.folders[0].ours = false; },
       Verdict::problem,
       "folder",
       "sudo chown -R \"$USER\" '/d/lockstep'"},
      {"an open folder",
       [](Health& h) { h.folders[0].mode = 0755; },
       Verdict::problem,
       "folder",
       "chmod 700 '/d/lockstep'"},
      {"a folder without write permission",
       [](Health& h) {
         h.folders[0].mode = 0500;
         h.folders[0].writable = false;
       },
       Verdict::problem,
       "folder",
       "chmod 700 '/d/lockstep'; when its disk is mounted read-only"},
      {"a folder that cannot be made",
       [](Health& h) { h.folders[1].writable = false; },
       Verdict::problem,
       "folder",
       "sudo install -d -m 700 -o \"$USER\" '/c/wallets'"},
      {"a path with a quote",
       [](Health& h) {
         h.folders[0].path = "/d/it's; rm";
         h.folders[0].mode = 0777;
       },
       Verdict::problem,
       "folder",
       "chmod 700 '/d/it'\\''s; rm'"},
      {"a clock of 1970",
       [](Health& h) { h.year = 1970; },
       Verdict::problem,
       "clock",
       "sudo timedatectl set-ntp true"},
      {"a clock of 2150",
       [](Health& h) { h.year = 2150; },
       Verdict::problem,
       "clock",
       "sudo timedatectl set-ntp true"},
      {"a clock by itself",
       [](Health& h) { h.clock_synchronised = false; },
       Verdict::warning,
       "clock",
       "sudo timedatectl set-ntp true"},
      {"a clock that says nothing",
       [](Health& h) { h.clock_synchronised.reset(); },
       Verdict::warning,
       "clock",
       "compare it with another clock: date -u"},
      {"a port in use",
       [](Health& h) { h.ports[0].free = false; },
       Verdict::problem,
       "port",
       "who has it: sudo ss -ltnp 'sport = :4100'"},
      {"no namespaces in a container",
       [](Health& h) { h.user_namespaces = false; },
       Verdict::warning,
       "namespaces",
       "in a container, allow it to unshare"},
      {"no namespaces by a setting",
       [](Health& h) {
         h.user_namespaces = false;
         h.user_namespaces_setting = "kernel.unprivileged_userns_clone=1";
       },
       Verdict::warning,
       "namespaces",
       "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
      {"few files, but more may be had",
       [](Health& h) { h.open_files_soft = 1024; },
       Verdict::warning,
       "files",
       "ulimit -n 4096"},
      {"few files",
       [](Health& h) {
         h.open_files_soft = 100;
         h.open_files_hard = 1024;
       },
       Verdict::problem,
       "files",
       "add the line \"* - nofile 4096\" to"},
      {"no data",
       [](Health& h) { h.dataset = false; },
       Verdict::warning,
       "dataset",
       "sudo apt install dataset-fashion-mnist"},
      {"a GPU of a group",
       [](Health& h) {
         h.gpus[0] = {"/dev/dri/renderD128", false, "render"};
       },
       Verdict::warning,
       "gpu",
       "sudo usermod -aG render \"$USER\""},
      {"a GPU of root",
       [](Health& h) { h.gpus[0].usable = false; },
       Verdict::warning,
       "gpu",
       "sudo chmod a+rw '/dev/nvidia0'"},
  };
  return all;
}

TEST(Doctor, NamesEveryIllAloneAndItsFix) {
  for (const Ill& ill : ills()) {
    Health health = healthy();
    ill.harm(health);
    size_t found = 0;
    for (const Finding& finding : examine(health)) {
      if (finding.verdict == Verdict::ok) {
        EXPECT_TRUE(finding.fix.empty()) << ill.name;
        continue;
      }
      ++found;
      EXPECT_EQ(finding.verdict, ill.verdict) << ill.name;
      EXPECT_EQ(finding.subject, ill.subject) << ill.name;
      EXPECT_TRUE(finding.fix.starts_with(ill.fix)) << ill.name << ": " << finding.fix;
      EXPECT_FALSE(finding.text.empty()) << ill.name;
    }
    EXPECT_EQ(found, 1U) << ill.name;
  }
}

TEST(Doctor, OnlyAProblemFails) {
  for (const Ill& ill : ills()) {
    Health health = healthy();
    ill.harm(health);
    std::vector<std::string> log;
    const Exit exit = tell_findings(examine(health), Report(true, &log));
    EXPECT_EQ(exit, ill.verdict == Verdict::problem ? Exit::failed : Exit::ok) << ill.name;
    ASSERT_EQ(log.size(), 12U);
    const auto last = nlohmann::json::parse(log.back());
    EXPECT_EQ(last.at("event"), "doctor");
    EXPECT_EQ(last.at("problems").get<int>() + last.at("warnings").get<int>(), 1) << ill.name;
    const auto told = std::ranges::count_if(log, [&](const std::string& line) {
      const auto event = nlohmann::json::parse(line);
      return event.at("event") == "finding" && event.at("verdict") == name_of(ill.verdict) &&
             event.at("subject") == ill.subject;
    });
    EXPECT_EQ(told, 1) << ill.name;
  }
}

TEST(Doctor, LooksAtThisMachine) {
  DoctorOptions options;
  options.data_folder = ::testing::TempDir() + "doctor/none";
  options.wallet_folder = ::testing::TempDir() + "doctor/wallets";
  options.ports = {};
  // What is found depends on the machine; that each subject is looked at does not.
  const auto findings = examine(
      platform::find_health({{options.data_folder, options.wallet_folder}, options.ports, {}}));
  for (const char* const subject :
       {"processor", "memory", "disk", "folder", "clock", "namespaces", "files", "dataset"}) {
    EXPECT_TRUE(std::ranges::any_of(findings, [&](const Finding& finding) {
      return finding.subject == subject;
    })) << subject;
  }
  const bool problem = std::ranges::any_of(
      findings, [](const Finding& finding) { return finding.verdict == Verdict::problem; });
  EXPECT_EQ(doctor(options), problem ? Exit::failed : Exit::ok);
}

}  // namespace
}  // namespace lockstep::apps
