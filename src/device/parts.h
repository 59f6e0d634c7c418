// The parts that find_devices() puts together. Not for use outside the module.
#pragma once

#include "device/devices.h"

namespace lockstep::device {

/// From /proc/cpuinfo and /sys/devices/system/cpu; usable_threads by affinity alone.
[[nodiscard]] Cpu find_cpu(const Where& where);

/// The tightest limits of the control groups around this process, of version 1 and 2.
struct GroupLimits {
  std::optional<uint32_t> threads;  // whole processors' time, at least 1
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> memory_left_bytes;
};
[[nodiscard]] GroupLimits find_limits(const Where& where);

[[nodiscard]] Memory find_memory(const Where& where, const GroupLimits& limits);
[[nodiscard]] Disk find_disk(const Where& where);

/// Displays' and other adapters on the PCI bus, and what has a node of the kernel's graphics
/// drivers.
[[nodiscard]] std::vector<Gpu> find_gpus(const Where& where);
/// "NVIDIA", "AMD", "Intel", … or the number as text.
[[nodiscard]] std::string vendor_name(uint16_t vendor_id);

/// These two run in a process of their own and answer as text, one GPU a line.
[[nodiscard]] std::string ask_cuda(const std::string& library);
[[nodiscard]] std::string ask_opencl(const std::string& library);
/// Reads such text. Whatever the library said, the result is bounded.
[[nodiscard]] std::vector<Gpu> gpus_of(const std::string& answer, GpuSource source);

/// Runs in a process of its own: caches and NUMA nodes by hwloc, one a line.
[[nodiscard]] std::string ask_topology(const std::string& synthetic);
/// Reads such text. False: it is none.
bool read_topology(const std::string& answer, Machine& machine);

}  // namespace lockstep::device
