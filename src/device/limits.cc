// What a container or a service manager leaves this process: control groups and memory.
#include <algorithm>

#include "device/parts.h"
#include "device/system_files.h"

namespace lockstep::device {
namespace {

using std::string_view;

constexpr size_t levels_max = 64;  // of groups inside groups

template <class T>
void lower(std::optional<T>& limit, T value) {
  limit = limit ? std::min(*limit, value) : value;
}

/// The group's folder and those around it, innermost first. A container that sees its host's path
/// but not its folders has its own group at the root.
std::vector<std::string> folders_of(const std::string& root, string_view path) {
  std::string at(path == "/" ? "" : path);
  if (at.find("..") != std::string::npos || !exists(root + at)) {
    at.clear();
  }
  std::vector<std::string> folders = {root + at};
  while (!at.empty() && folders.size() < levels_max) {
    at.erase(at.rfind('/'));
    folders.push_back(root + at);
  }
  return folders;
}

/// The names of one version's files; memory.high slows a group down long before its end.
struct MemoryNames {
  const char* limits[2];
  const char* usage;
  string_view cache;  // in memory.stat: what the kernel gives back when it is needed
};
constexpr MemoryNames names_v1{
    {"/memory.limit_in_bytes", ""}, "/memory.usage_in_bytes", "total_inactive_file"};
constexpr MemoryNames names_v2{{"/memory.max", "/memory.high"}, "/memory.current", "inactive_file"};

uint64_t cache_bytes(const std::string& folder, string_view name) {
  const std::string stat = read_text(folder + "/memory.stat").value_or("");
  for (const string_view line : lines_of(stat)) {
    const auto words = words_of(line);
    if (words.size() == 2 && words[0] == name) {
      return number_of(words[1]).value_or(0);
    }
  }
  return 0;
}

void read_memory(const std::string& folder, const MemoryNames& names, GroupLimits& limits) {
  for (const char* name : names.limits) {
    const auto limit = read_number(folder + name);  // "max" is no number
    if (!limit) {
      continue;
    }
    lower(limits.memory_bytes, *limit);
    const uint64_t usage = read_number(folder + names.usage).value_or(0);
    const uint64_t held = usage - std::min(usage, cache_bytes(folder, names.cache));
    lower(limits.memory_left_bytes, *limit - std::min(*limit, held));
  }
}

void read_quota(std::optional<uint64_t> quota,
                std::optional<uint64_t> period,
                GroupLimits& limits) {
  constexpr uint64_t threads_max = 65'536;
  if (quota && period && *period > 0) {
    const uint64_t threads = std::clamp<uint64_t>(*quota / *period, 1, threads_max);
    lower(limits.threads, static_cast<uint32_t>(threads));
  }
}

void read_version_2(const std::string& folder, GroupLimits& limits) {
  read_memory(folder, names_v2, limits);
  const std::string line = read_line(folder + "/cpu.max");  // "150000 100000" or "max 100000"
  const auto words = words_of(line);
  if (words.size() == 2) {
    read_quota(number_of(words[0]), number_of(words[1]), limits);
  }
}

void read_version_1(const std::string& folder, string_view controllers, GroupLimits& limits) {
  if (controllers.find("memory") != string_view::npos) {
    read_memory(folder, names_v1, limits);
  } else {  // a quota of -1 is no number
    read_quota(read_number(folder + "/cpu.cfs_quota_us"),
               read_number(folder + "/cpu.cfs_period_us"),
               limits);
  }
}

/// Where a hierarchy of version 1 is mounted: by all its controllers, or by one of them.
std::string root_of(const std::string& groups, string_view controllers) {
  std::string root = groups + "/" + std::string(controllers);
  if (!exists(root)) {
    root = groups + (controllers.find("memory") != string_view::npos ? "/memory" : "/cpu");
  }
  return root;
}

bool is_cpu(string_view controllers) {
  return controllers == "cpu" || controllers.starts_with("cpu,") || controllers.ends_with(",cpu") ||
         controllers.find(",cpu,") != string_view::npos;
}

uint64_t kilobytes(string_view text, string_view key) {
  constexpr uint64_t kilo = 1024;
  const auto words = words_of(value_of(text, key));
  return words.empty() ? 0 : number_of(words[0]).value_or(0) * kilo;
}

}  // namespace

GroupLimits find_limits(const Where& where) {
  const std::string groups = where.sys + "/fs/cgroup";
  const std::string unified =
      exists(groups + "/unified/cgroup.controllers") ? groups + "/unified" : groups;
  const std::string text = read_text(where.proc + "/self/cgroup").value_or("");
  GroupLimits limits;
  for (const string_view line : lines_of(text)) {  // "4:memory:/a/b", "0::/a/b"
    const size_t first = line.find(':');
    const size_t second = first == string_view::npos ? first : line.find(':', first + 1);
    if (second == string_view::npos) {
      continue;
    }
    const string_view controllers = line.substr(first + 1, second - first - 1);
    const string_view path = trimmed(line.substr(second + 1));
    if (controllers.empty()) {
      for (const std::string& folder : folders_of(unified, path)) {
        read_version_2(folder, limits);
      }
    } else if (controllers.find("memory") != string_view::npos || is_cpu(controllers)) {
      for (const std::string& folder : folders_of(root_of(groups, controllers), path)) {
        read_version_1(folder, controllers, limits);
      }
    }
  }
  return limits;
}

Memory find_memory(const Where& where, const GroupLimits& limits) {
  const std::string text = read_text(where.proc + "/meminfo").value_or("");
  Memory memory;
  memory.total_bytes = kilobytes(text, "MemTotal");
  memory.available_bytes = kilobytes(text, "MemAvailable");
  memory.usable_bytes = std::min(memory.total_bytes, limits.memory_bytes.value_or(UINT64_MAX));
  memory.available_bytes =
      std::min(memory.available_bytes, limits.memory_left_bytes.value_or(UINT64_MAX));
  return memory;
}

}  // namespace lockstep::device
