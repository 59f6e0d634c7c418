// Caches and NUMA nodes, by hwloc. Its plug-ins open GPU drivers, so it runs in a process of its
// own.
#include <hwloc.h>

#include <array>
#include <map>
#include <tuple>

#include "device/parts.h"
#include "device/system_files.h"

namespace lockstep::device {
namespace {

constexpr size_t entries_max = 4096;

const char* type_name(hwloc_obj_cache_type_t type) {
  switch (type) {
    case HWLOC_OBJ_CACHE_DATA:
      return "data";
    case HWLOC_OBJ_CACHE_INSTRUCTION:
      return "instruction";
    default:
      return "unified";
  }
}

std::string caches_text(hwloc_topology_t topology) {
  constexpr std::array types = {HWLOC_OBJ_L1CACHE,
                                HWLOC_OBJ_L1ICACHE,
                                HWLOC_OBJ_L2CACHE,
                                HWLOC_OBJ_L2ICACHE,
                                HWLOC_OBJ_L3CACHE,
                                HWLOC_OBJ_L3ICACHE,
                                HWLOC_OBJ_L4CACHE,
                                HWLOC_OBJ_L5CACHE};
  std::map<std::tuple<unsigned, std::string, uint64_t>, unsigned> caches;
  for (const hwloc_obj_type_t type : types) {
    hwloc_obj_t object = nullptr;
    while ((object = hwloc_get_next_obj_by_type(topology, type, object)) != nullptr) {
      const auto& cache = object->attr->cache;
      caches[{cache.depth, type_name(cache.type), cache.size}] += 1;
    }
  }
  std::string text;
  for (const auto& [cache, count] : caches) {
    const auto& [level, type, bytes] = cache;
    text += "cache " + std::to_string(level) + " " + type + " " + std::to_string(bytes) + " " +
            std::to_string(count) + "\n";
  }
  return text;
}

std::string nodes_text(hwloc_topology_t topology) {
  std::string text;
  hwloc_obj_t node = nullptr;
  while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr) {
    const int threads = node->cpuset == nullptr ? 0 : hwloc_bitmap_weight(node->cpuset);
    text += "node " + std::to_string(node->os_index) + " " + std::to_string(std::max(0, threads)) +
            " " + std::to_string(node->attr->numanode.local_memory) + "\n";
  }
  return text;
}

}  // namespace

std::string ask_topology(const std::string& synthetic) {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) {
    return {};
  }
  std::string text;
  (void)hwloc_topology_set_icache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
  if ((synthetic.empty() || hwloc_topology_set_synthetic(topology, synthetic.c_str()) == 0) &&
      hwloc_topology_load(topology) == 0) {
    text = "topology\n" + caches_text(topology) + nodes_text(topology);
  }
  hwloc_topology_destroy(topology);
  return text;
}

bool read_topology(const std::string& answer, Machine& machine) {
  constexpr size_t cache_words = 5;
  constexpr size_t node_words = 4;
  bool known = false;
  const auto number = [](std::string_view text) { return number_of(text).value_or(0); };
  const auto small = [&](std::string_view text) { return static_cast<uint32_t>(number(text)); };
  for (const std::string_view line : lines_of(answer)) {
    const auto words = words_of(line);
    if (words.size() == 1 && words[0] == "topology") {
      known = true;
    } else if (words.size() == cache_words && words[0] == "cache" &&
               machine.caches.size() < entries_max) {
      machine.caches.push_back(
          {small(words[1]), std::string(words[2]), number(words[3]), small(words[4])});
    } else if (words.size() == node_words && words[0] == "node" &&
               machine.numa.size() < entries_max) {
      machine.numa.push_back({small(words[1]), small(words[2]), number(words[3])});
    }
  }
  return known;
}

}  // namespace lockstep::device
