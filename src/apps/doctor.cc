#include "apps/doctor.h"

#include <algorithm>
#include <cinttypes>

#include "apps/folders.h"
#include "apps/hints.h"
#include "apps/network_folder.h"
#include "apps/visit.h"
#include "platform/data_dir.h"
#include "platform/loop.h"

namespace lockstep::apps {
namespace {

using platform::FolderHealth;
using platform::Health;

constexpr uint64_t mebi = uint64_t{1} << 20;
constexpr uint64_t gibi = uint64_t{1} << 30;
// The demonstration's three machines, ledger and auditor, measured together.
constexpr uint64_t memory_wanted = gibi;
constexpr uint64_t disk_least = 512 * mebi;
constexpr uint64_t disk_wanted = 5 * gibi;
constexpr uint64_t files_least = 256;
constexpr uint64_t files_wanted = 4096;
constexpr int year_least = 2024;
constexpr int year_most = 2100;
constexpr const char* dataset_file = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";

std::string size_text(uint64_t bytes) {
  if (bytes >= gibi) {
    return text_of("%.1f GiB", static_cast<double>(bytes) / static_cast<double>(gibi));
  }
  return std::to_string(bytes / mebi) + " MiB";
}

std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char letter : path) {
    text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  }
  return text + "'";
}

Finding processor(const Health& health) {
  const std::string cpus = std::to_string(health.cpus) + " processors, " + health.processor;
  if (health.processor != "x86_64" && health.processor != "aarch64") {
    return {Verdict::problem,
            "processor",
            cpus + ": not one that lockstep is built and tested for",
            "use a 64-bit x86 or ARM machine"};
  }
  if (health.processor == "x86_64" && !health.avx2) {
    return {Verdict::warning,
            "processor",
            cpus + " without AVX2: the portable kernels give the same bits, several times slower",
            "in a virtual machine, pass the host's processor through (QEMU: -cpu host)"};
  }
  return {Verdict::ok, "processor", cpus + (health.avx2 ? " with AVX2" : ""), {}};
}

Finding memory(const Health& health) {
  const std::string found =
      size_text(health.memory_available_bytes) + " available of " + size_text(health.memory_bytes);
  if (health.memory_bytes == 0) {
    return {Verdict::warning, "memory", "unknown", "check: free -h"};
  }
  if (health.memory_bytes < memory_wanted) {
    return {Verdict::problem,
            "memory",
            found + "; the demo needs " + size_text(memory_wanted),
            "use a machine with more memory, or add swap: sudo fallocate -l 2G /swapfile && "
            "sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"};
  }
  if (health.memory_available_bytes != 0 && health.memory_available_bytes < memory_wanted) {
    return {Verdict::warning,
            "memory",
            found + "; the demo needs " + size_text(memory_wanted),
            "close other programs; the largest: ps aux --sort=-rss | head"};
  }
  return {Verdict::ok, "memory", found, {}};
}

Finding disk(const FolderHealth& folder) {
  const std::string found = size_text(folder.free_bytes) + " free for " + folder.path;
  if (folder.free_bytes < disk_least) {
    return {Verdict::problem,
            "disk",
            found + "; at least " + size_text(disk_least) + " are needed",
            "make room (see: df -h " + quoted(folder.nearest) +
                "), or choose a folder on another disk: export XDG_DATA_HOME=/PATH"};
  }
  if (folder.free_bytes < disk_wanted) {
    return {Verdict::warning,
            "disk",
            found + "; " + size_text(disk_wanted) + " are good to have",
            "make room (see: df -h " + quoted(folder.nearest) + ")"};
  }
  return {Verdict::ok, "disk", found, {}};
}

Finding folder_finding(const FolderHealth& folder) {
  const auto problem = [&](const char* what, const std::string& fix) {
    return Finding{Verdict::problem, "folder", folder.path + what, fix};
  };
  if (folder.exists && !folder.is_folder) {
    return problem(" is in the way: it is a file and no folder",
                   "move it away: mv " + quoted(folder.path) + " " + quoted(folder.path + ".old"));
  }
  if (folder.exists && !folder.ours) {
    return problem(" belongs to another user", "sudo chown -R \"$USER\" " + quoted(folder.path));
  }
  if (folder.exists && (folder.mode & 077) != 0) {
    return problem(" is open to other users", "chmod 700 " + quoted(folder.path));
  }
  if (!folder.writable && folder.exists) {
    return problem(
        " cannot be written",
        "chmod 700 " + quoted(folder.path) + "; when its disk is mounted read-only, remount it");
  }
  if (!folder.writable) {
    return problem(" cannot be made", "sudo install -d -m 700 -o \"$USER\" " + quoted(folder.path));
  }
  return {Verdict::ok,
          "folder",
          folder.path + (folder.exists ? " is there and ours alone" : " can be made"),
          {}};
}

Finding clock_finding(const Health& health) {
  const std::string year = "the clock says " + std::to_string(health.year);
  if (health.year < year_least || health.year > year_most) {
    return {Verdict::problem,
            "clock",
            year,
            "sudo timedatectl set-ntp true, or by hand: sudo date -s 'YYYY-MM-DD HH:MM'"};
  }
  if (!health.clock_synchronised.has_value()) {
    return {Verdict::warning,
            "clock",
            year + "; whether it is synchronised, the system does not say",
            "compare it with another clock: date -u"};
  }
  if (!*health.clock_synchronised) {
    return {Verdict::warning,
            "clock",
            year + " and is not synchronised",
            "sudo timedatectl set-ntp true (or: sudo apt install systemd-timesyncd)"};
  }
  return {Verdict::ok, "clock", year + " and is synchronised", {}};
}

Finding port_finding(const platform::PortHealth& port) {
  const std::string number = std::to_string(port.port);
  if (port.free) {
    return {Verdict::ok, "port", "port " + number + " is free", {}};
  }
  return {
      Verdict::problem,
      "port",
      "port " + number + " is in use" + (port.port < 1024 ? ", or only root may listen there" : ""),
      "who has it: sudo ss -ltnp 'sport = :" + number + "'; stop that, or choose another port"};
}

Finding namespaces(const Health& health) {
  if (health.user_namespaces) {
    return {Verdict::ok, "namespaces", "user namespaces are available", {}};
  }
  return {Verdict::warning,
          "namespaces",
          "user namespaces are not available: programs of others cannot be shut in as tightly",
          health.user_namespaces_setting.empty()
              ? "in a container, allow it to unshare (Docker: --security-opt seccomp=PROFILE)"
              : "sudo sysctl -w " + health.user_namespaces_setting};
}

Finding open_files(const Health& health) {
  const std::string found = std::to_string(health.open_files_soft) + " files may be open at once";
  if (health.open_files_soft >= files_wanted) {
    return {Verdict::ok, "files", found, {}};
  }
  const std::string fix = health.open_files_hard >= files_wanted
                              ? "ulimit -n " + std::to_string(files_wanted)
                              : "add the line \"* - nofile " + std::to_string(files_wanted) +
                                    "\" to /etc/security/limits.conf and log in again";
  return {health.open_files_soft < files_least ? Verdict::problem : Verdict::warning,
          "files",
          found + "; " + std::to_string(files_wanted) + " are good to have",
          fix};
}

Finding dataset(const Health& health) {
  if (health.dataset) {
    return {Verdict::ok, "dataset", "Fashion-MNIST is there", {}};
  }
  return {Verdict::warning,
          "dataset",
          "Fashion-MNIST, which the example trains on, is not there",
          "sudo apt install dataset-fashion-mnist"};
}

Finding gpu_finding(const platform::GpuNode& node) {
  if (node.usable) {
    return {Verdict::ok, "gpu", node.path + " can be used", {}};
  }
  const bool for_group = !node.group.empty() && node.group != "root";
  return {Verdict::warning,
          "gpu",
          node.path + " cannot be opened by this user",
          for_group ? "sudo usermod -aG " + node.group + " \"$USER\", then log in again"
                    : "sudo chmod a+rw " + quoted(node.path) + " (until the next start)"};
}

/// Nothing where there is no network.
std::optional<Finding> ask_network(const std::string& folder) {
  constexpr uint64_t patience_ms = 3000;
  const auto network = NetworkFolder::open(folder);
  if (!network.ok()) {
    const bool none = network.error().code == Code::no_network;
    return none ? std::nullopt
                : std::optional(Finding{Verdict::problem,
                                        "network",
                                        network.error().where + ": " + network.error().what,
                                        with_hint(network.error()).next});
  }
  const auto visit = Visit::begin(network->file().genesis, network->file().ledger, patience_ms);
  const uint64_t now_ms = platform::Loop::now_ms();
  return visit.ok() ? network_clock(std::nullopt, (*visit)->state().totals.time_ms, now_ms)
                    : network_clock(visit.error(), 0, now_ms);
}

}  // namespace

Finding network_clock(const std::optional<Error>& error, uint64_t block_ms, uint64_t now_ms) {
  constexpr uint64_t tolerance_ms = 60'000;
  if (error && error->code == Code::not_trusted) {
    return {Verdict::problem, "network", error->what, with_hint(*error).next};
  }
  if (error) {
    return {Verdict::warning, "network", error->what, with_hint(*error).next};
  }
  if (block_ms > now_ms + tolerance_ms) {
    const Error off = clock_is_off(-static_cast<int64_t>(block_ms - now_ms));
    return {Verdict::problem, "network", off.what, off.next};
  }
  return {Verdict::ok, "network", "the network answers, and its time fits this clock", {}};
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warning:
      return "warning";
    case Verdict::problem:
      return "problem";
  }
  return "";
}

std::vector<Finding> examine(const platform::Health& health) {
  std::vector<Finding> findings = {processor(health), memory(health)};
  if (!health.folders.empty()) {
    findings.push_back(disk(health.folders.front()));
  }
  for (const FolderHealth& folder : health.folders) {
    findings.push_back(folder_finding(folder));
  }
  findings.push_back(clock_finding(health));
  for (const platform::PortHealth& port : health.ports) {
    findings.push_back(port_finding(port));
  }
  findings.push_back(namespaces(health));
  findings.push_back(open_files(health));
  findings.push_back(dataset(health));
  for (const platform::GpuNode& node : health.gpus) {
    findings.push_back(gpu_finding(node));
  }
  return findings;
}

Exit tell_findings(const std::vector<Finding>& findings, const Report& report) {
  const auto count = [&](Verdict verdict) {
    return std::ranges::count(findings, verdict, &Finding::verdict);
  };
  for (const Finding& finding : findings) {
    std::string text = name_of(finding.verdict);
    text.resize(9, ' ');
    text += finding.text;
    if (!finding.fix.empty()) {
      text += "\n         fix: " + finding.fix;
    }
    report.tell(text,
                "finding",
                {{"verdict", name_of(finding.verdict)},
                 {"subject", finding.subject},
                 {"text", finding.text},
                 {"fix", finding.fix}});
  }
  const auto problems = count(Verdict::problem);
  const auto warnings = count(Verdict::warning);
  const auto counted = [](auto number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
  };
  report.tell(counted(problems, "problem") + ", " + counted(warnings, "warning"),
              "doctor",
              {{"problems", problems}, {"warnings", warnings}});
  return problems == 0 ? Exit::ok : Exit::failed;
}

Exit doctor(const DoctorOptions& options) {
  const Report report(options.json);
  std::string data = options.data_folder;
  if (data.empty()) {
    const auto found = data_folder(environment_of_process);
    if (!found.ok()) {
      return report.fail(found.error());
    }
    data = *found;
  }
  const auto wallets = wallet_folder(environment_of_process, options.wallet_folder);
  if (!wallets.ok()) {
    return report.fail(wallets.error());
  }
  const auto network = options.network_folder.empty() ? platform::default_network_folder("default")
                                                      : Result<std::string>(options.network_folder);
  // First: the facts are found in a child of this process, which should have no network open.
  auto findings = examine(platform::find_health({{data, *wallets}, options.ports, dataset_file}));
  auto asked = network.ok() ? ask_network(*network) : std::nullopt;
  if (asked) {
    findings.push_back(std::move(*asked));
  }
  return tell_findings(findings, report);
}

}  // namespace lockstep::apps
