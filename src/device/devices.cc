#include "device/devices.h"

#include <algorithm>

#include "device/ask_child.h"
#include "device/parts.h"

namespace lockstep::device {
namespace {

void note_if(bool condition, const char* text, Machine& machine) {
  if (condition) {
    machine.notes.emplace_back(text);
  }
}

void ask_library(const std::string& library,
                 GpuSource source,
                 const Where& where,
                 Machine& machine) {
  if (library.empty()) {
    return;
  }
  const Result<std::string> answer =
      ask_child([&] { return source == GpuSource::cuda ? ask_cuda(library) : ask_opencl(library); },
                where.deadline_ms);
  if (!answer.ok()) {
    machine.notes.push_back(library + ": " + answer.error().what + "; its GPUs are left out");
    return;
  }
  const std::vector<Gpu> found = gpus_of(*answer, source);
  machine.library_gpus.insert(machine.library_gpus.end(), found.begin(), found.end());
}

}  // namespace

Machine find_devices(const Where& where) {
  Machine machine;
  machine.cpu = find_cpu(where);
  const GroupLimits limits = find_limits(where);
  machine.cpu.usable_threads =
      std::max(1U, std::min(machine.cpu.usable_threads, limits.threads.value_or(UINT32_MAX)));
  machine.memory = find_memory(where, limits);
  machine.disk = find_disk(where);
  machine.gpus = find_gpus(where);
  const Result<std::string> topology =
      ask_child([&] { return ask_topology(where.topology); }, where.deadline_ms);
  const bool known = topology.ok() && read_topology(*topology, machine);
  note_if(!known, "caches and NUMA nodes are not known: hwloc gave no answer", machine);
  note_if(machine.cpu.threads == 0, "the processors are not known", machine);
  note_if(machine.memory.total_bytes == 0, "the memory is not known", machine);
  note_if(machine.disk.total_bytes == 0, "the disk is not known", machine);
  ask_library(where.cuda, GpuSource::cuda, where, machine);
  ask_library(where.opencl, GpuSource::opencl, where, machine);
  return machine;
}

}  // namespace lockstep::device
