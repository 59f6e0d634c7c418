#include "platform/health.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <fstream>

namespace lockstep::platform {
namespace {

namespace fs = std::filesystem;

void find_memory(Health& health) {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::string unit;
  uint64_t kibibytes = 0;
  while (file >> name >> kibibytes) {
    if (name == "MemTotal:") {
      health.memory_bytes = kibibytes << 10;
    } else if (name == "MemAvailable:") {
      health.memory_available_bytes = kibibytes << 10;
    }
    std::getline(file, unit);
  }
}

void find_processor(Health& health) {
  struct utsname about = {};
  if (::uname(&about) == 0) {
    health.processor = about.machine;
  }
#if defined(__x86_64__)
  health.avx2 = __builtin_cpu_supports("avx2") != 0;
#endif
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
    health.cpus = static_cast<uint32_t>(CPU_COUNT(&cpus));
  }
}

FolderHealth folder_at(const std::string& path) {
  FolderHealth folder;
  folder.path = path;
  struct stat about = {};
  folder.exists = ::stat(path.c_str(), &about) == 0;
  if (folder.exists) {
    folder.is_folder = S_ISDIR(about.st_mode);
    folder.ours = about.st_uid == ::geteuid();
    folder.mode = about.st_mode & 0777;
  }
  fs::path nearest = path;
  std::error_code wrong;
  while (!fs::exists(nearest, wrong) && nearest.has_relative_path()) {
    nearest = nearest.parent_path();
  }
  folder.nearest = nearest.empty() ? "." : nearest.string();
  folder.writable =
      fs::is_directory(folder.nearest, wrong) && ::access(folder.nearest.c_str(), W_OK | X_OK) == 0;
  struct statvfs disk = {};
  if (::statvfs(folder.nearest.c_str(), &disk) == 0) {
    folder.free_bytes = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  }
  return folder;
}

void find_clock(Health& health) {
  const time_t now = ::time(nullptr);
  struct tm parts = {};
  if (::gmtime_r(&now, &parts) != nullptr) {
    health.year = parts.tm_year + 1900;
  }
  struct timex about = {};
  const int state = ::adjtimex(&about);
  if (state >= 0) {
    health.clock_synchronised = state != TIME_ERROR && (about.status & STA_UNSYNC) == 0;
  }
}

PortHealth port_at(uint16_t port) {
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  tcp::acceptor acceptor(context);
  boost::system::error_code wrong;
  // As a listener does: what lingers of connections that are over is no obstacle.
  acceptor.open(tcp::v4(), wrong);
  acceptor.set_option(tcp::acceptor::reuse_address(true), wrong);
  acceptor.bind(tcp::endpoint(tcp::v4(), port), wrong);
  if (!wrong) {
    acceptor.listen(1, wrong);
  }
  return {port, !wrong};
}

/// The number in a file under /proc/sys; none when it is not there.
std::optional<int64_t> setting_of(const char* path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

void find_namespaces(Health& health) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
  }
  int status = 1;
  health.user_namespaces = child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
  if (health.user_namespaces) {
    return;
  }
  if (setting_of("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    health.user_namespaces_setting = "kernel.unprivileged_userns_clone=1";
  } else if (setting_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
    health.user_namespaces_setting = "kernel.apparmor_restrict_unprivileged_userns=0";
  } else if (setting_of("/proc/sys/user/max_user_namespaces") == 0) {
    health.user_namespaces_setting = "user.max_user_namespaces=10000";
  }
}

void find_limits(Health& health) {
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    health.open_files_soft = limit.rlim_cur;
    health.open_files_hard = limit.rlim_max;
  }
}

/// By the local file: groups of devices are never elsewhere.
std::string group_name(gid_t wanted) {
  std::ifstream file("/etc/group");
  std::string line;
  while (std::getline(file, line)) {  // name:password:number:members
    const size_t name_end = line.find(':');
    const size_t number = name_end == std::string::npos ? name_end : line.find(':', name_end + 1);
    if (number != std::string::npos &&
        line.compare(number + 1, line.find(':', number + 1) - number - 1, std::to_string(wanted)) ==
            0) {
      return line.substr(0, name_end);
    }
  }
  return {};
}

GpuNode gpu_at(const std::string& path) {
  GpuNode node;
  node.path = path;
  node.usable = ::access(path.c_str(), R_OK | W_OK) == 0;
  struct stat about = {};
  if (::stat(path.c_str(), &about) == 0) {
    node.group = group_name(about.st_gid);
  }
  return node;
}

/// The nodes of drivers that compute: NVIDIA's, AMD's, and those that render.
void find_gpus(Health& health) {
  std::vector<std::string> paths;
  for (const auto& [folder, beginning] :
       {std::pair("/dev", "nvidia"), std::pair("/dev", "kfd"), std::pair("/dev/dri", "render")}) {
    std::error_code wrong;
    fs::directory_iterator at(folder, wrong);
    while (!wrong && at != fs::directory_iterator()) {
      const std::string name = at->path().filename().string();
      if (name.starts_with(beginning) && at->is_character_file(wrong)) {
        paths.push_back(at->path().string());
      }
      at.increment(wrong);
    }
  }
  std::ranges::sort(paths);
  health.gpus.reserve(paths.size());
  for (const std::string& path : paths) {
    health.gpus.push_back(gpu_at(path));
  }
}

}  // namespace

Health find_health(const HealthQuestions& questions) {
  Health health;
  find_processor(health);
  find_memory(health);
  find_clock(health);
  find_namespaces(health);
  find_limits(health);
  find_gpus(health);
  health.folders.reserve(questions.folders.size());
  for (const std::string& path : questions.folders) {
    health.folders.push_back(folder_at(path));
  }
  health.ports.reserve(questions.ports.size());
  for (const uint16_t port : questions.ports) {
    health.ports.push_back(port_at(port));
  }
  health.dataset = ::access(questions.dataset.c_str(), R_OK) == 0;
  return health;
}

}  // namespace lockstep::platform
