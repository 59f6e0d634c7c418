// Processors. The kernel's files are the same everywhere; what /proc/cpuinfo holds is not.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "device/parts.h"
#include "device/system_files.h"

namespace lockstep::device {
namespace {

using std::string_view;

/// What the kernel calls it, and what we do.
struct IsaName {
  string_view kernel, ours;
};
constexpr std::array<IsaName, 9> isa_names{{{"sse4_2", "sse4.2"},
                                            {"avx", "avx"},
                                            {"avx2", "avx2"},
                                            {"fma", "fma"},
                                            {"avx512f", "avx512f"},
                                            {"avx512bw", "avx512bw"},
                                            {"avx512vl", "avx512vl"},
                                            {"asimd", "neon"},
                                            {"sve", "sve"}}};

/// The value after "key :" in a line of /proc/cpuinfo; nothing for another key.
std::optional<string_view> value_if(string_view line, string_view key) {
  const size_t colon = line.find(':');
  if (colon == string_view::npos || trimmed(line.substr(0, colon)) != key) {
    return std::nullopt;
  }
  return trimmed(line.substr(colon + 1));
}

struct CpuInfo {
  uint32_t processors = 0;
  std::string model;
  std::vector<std::string> isa;
};

CpuInfo read_cpuinfo(const std::string& text) {
  CpuInfo info;
  std::array<uint32_t, isa_names.size()> having{};
  uint32_t flag_lines = 0;
  std::string implementer;
  for (const string_view line : lines_of(text)) {
    if (value_if(line, "processor")) {
      info.processors += 1;
    } else if (const auto model = value_if(line, "model name"); model && info.model.empty()) {
      info.model = *model;
    } else if (const auto maker = value_if(line, "CPU implementer")) {
      implementer = *maker;
    } else if (const auto part = value_if(line, "CPU part"); part && info.model.empty()) {
      info.model = "ARM " + implementer + " part " + std::string(*part);
    }
    const auto x86 = value_if(line, "flags");
    const auto flags = x86 ? x86 : value_if(line, "Features");
    if (!flags) {
      continue;
    }
    flag_lines += 1;
    const std::vector<string_view> words = words_of(*flags);
    for (size_t i = 0; i < isa_names.size(); ++i) {
      having.at(i) += std::count(words.begin(), words.end(), isa_names.at(i).kernel) > 0 ? 1 : 0;
    }
  }
  // A thread may be moved to any processor, so all must have it.
  for (size_t i = 0; i < isa_names.size(); ++i) {
    if (flag_lines > 0 && having.at(i) == flag_lines) {
      info.isa.emplace_back(isa_names.at(i).ours);
    }
  }
  return info;
}

/// The processors that share a core have this text in common.
std::string core_of(const std::string& folder, uint32_t processor) {
  for (const char* name : {"/core_cpus_list", "/thread_siblings_list"}) {
    std::string list = read_line(folder + name);
    if (!list.empty()) {
      return list;
    }
  }
  return std::to_string(processor);
}

struct Places {
  std::map<uint32_t, std::string> core;  // of a processor
  std::map<uint32_t, std::string> socket;
  std::map<uint32_t, uint64_t> capacity;  // of processors of unlike strength
};

Places read_places(const std::string& cpus, const std::vector<uint32_t>& online) {
  Places places;
  for (const uint32_t processor : online) {
    const std::string folder = cpus + "/cpu" + std::to_string(processor);
    places.core[processor] = core_of(folder + "/topology", processor);
    places.socket[processor] = read_line(folder + "/topology/physical_package_id");
    if (const auto capacity = read_number(folder + "/cpu_capacity")) {
      places.capacity[processor] = *capacity;
    }
  }
  return places;
}

uint32_t count_cores(const Places& places, const std::vector<uint32_t>& processors) {
  std::set<std::string> cores;
  for (const uint32_t processor : processors) {
    cores.insert(places.core.at(processor));
  }
  return static_cast<uint32_t>(cores.size());
}

/// Named groups of processors: Intel's are listed, ARM's differ in capacity.
std::vector<std::pair<std::string, std::vector<uint32_t>>> groups_of(const std::string& sys,
                                                                     const Places& places) {
  std::vector<std::pair<std::string, std::vector<uint32_t>>> groups;
  constexpr std::array<std::array<const char*, 2>, 3> intel{
      {{"cpu_core", "performance"}, {"cpu_atom", "efficiency"}, {"cpu_lowpower", "low power"}}};
  for (const auto& [file, name] : intel) {
    std::vector<uint32_t> list = numbers_of(read_line(sys + "/devices/" + file + "/cpus"));
    std::erase_if(list, [&](uint32_t processor) { return !places.core.contains(processor); });
    if (!list.empty()) {
      groups.emplace_back(name, std::move(list));
    }
  }
  if (!groups.empty()) {
    return groups;
  }
  std::map<uint64_t, std::vector<uint32_t>, std::greater<>> by_capacity;
  for (const auto& [processor, capacity] : places.capacity) {
    by_capacity[capacity].push_back(processor);
  }
  for (auto& [capacity, list] : by_capacity) {
    groups.emplace_back("capacity " + std::to_string(capacity), std::move(list));
  }
  return groups;
}

std::vector<CoreKind> kinds_of(const std::string& sys, const Places& places, const Cpu& cpu) {
  const auto groups = groups_of(sys, places);
  if (groups.size() < 2) {
    return {{"all", cpu.threads, cpu.cores}};
  }
  std::vector<CoreKind> kinds;
  kinds.reserve(groups.size());
  for (const auto& group : groups) {
    const auto threads = static_cast<uint32_t>(group.second.size());
    kinds.push_back({group.first, threads, count_cores(places, group.second)});
  }
  return kinds;
}

}  // namespace

Cpu find_cpu(const Where& where) {
  const CpuInfo info = read_cpuinfo(read_text(where.proc + "/cpuinfo").value_or(""));
  const std::string cpus = where.sys + "/devices/system/cpu";
  std::vector<uint32_t> online = numbers_of(read_line(cpus + "/online"));
  if (online.empty()) {
    online.resize(info.processors);
    std::iota(online.begin(), online.end(), 0);
  }
  const Places places = read_places(cpus, online);
  std::set<std::string> sockets;
  for (const auto& [processor, socket] : places.socket) {
    sockets.insert(socket);
  }
  Cpu cpu;
  cpu.model = info.model;
  cpu.isa = info.isa;
  cpu.threads = static_cast<uint32_t>(online.size());
  cpu.cores = count_cores(places, online);
  cpu.sockets = static_cast<uint32_t>(sockets.size());
  cpu.kinds = kinds_of(where.sys, places, cpu);
  const std::string status = read_text(where.proc + "/self/status").value_or("");
  std::vector<uint32_t> allowed = numbers_of(value_of(status, "Cpus_allowed_list"));
  std::erase_if(allowed, [&](uint32_t processor) { return !places.core.contains(processor); });
  cpu.usable_threads = allowed.empty() ? cpu.threads : static_cast<uint32_t>(allowed.size());
  return cpu;
}

}  // namespace lockstep::device
