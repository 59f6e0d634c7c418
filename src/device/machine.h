// What this machine has, as plain data: processors, caches, memory, a disk, GPUs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::device {

/// Processors of one kind; a hybrid processor has two or more.
struct CoreKind {
  std::string name;      // "performance", "efficiency"; "all" where there is one kind
  uint32_t threads = 0;  // what the system schedules on
  uint32_t cores = 0;
};

struct Cpu {
  std::string model;
  uint32_t sockets = 0;
  uint32_t cores = 0;
  uint32_t threads = 0;          // online
  uint32_t usable_threads = 0;   // by affinity, cpuset and the cgroups' quotas; at least 1
  std::vector<std::string> isa;  // those that matter to the engine and that every processor has
  std::vector<CoreKind> kinds;
};

struct Cache {
  uint32_t level = 0;
  std::string type;  // "data", "instruction", "unified"
  uint64_t bytes = 0;
  uint32_t count = 0;  // of such caches
};

struct NumaNode {
  uint32_t number = 0;
  uint32_t threads = 0;
  uint64_t memory_bytes = 0;
};

struct Memory {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;
  uint64_t usable_bytes = 0;  // total, or the smallest limit of the cgroups around this process
};

/// The file system that holds a folder.
struct Disk {
  std::string folder;
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;         // for this user
  std::optional<bool> rotational;  // nothing where the system does not say
};

enum class GpuSource : uint8_t { system, cuda, opencl };

struct Gpu {
  GpuSource source = GpuSource::system;
  std::string vendor;   // "NVIDIA", "AMD", "Intel", or "0x1af4"; may be empty
  std::string name;     // where a library knows it
  std::string address;  // on the PCI bus: "0000:01:00.0"
  uint16_t vendor_id = 0;
  uint16_t device_id = 0;
  std::string driver;         // empty: none is bound
  std::string node;           // "card0", "renderD128"
  uint64_t memory_bytes = 0;  // 0: not known
};

struct Machine {
  Cpu cpu;
  std::vector<Cache> caches;
  std::vector<NumaNode> numa;
  Memory memory;
  Disk disk;
  std::vector<Gpu> gpus;          // the system's, as the PCI bus and the kernel's drivers show them
  std::vector<Gpu> library_gpus;  // the same as CUDA and OpenCL show them: usable for compute
  std::vector<std::string> notes;  // what could not be found out, and why
};

}  // namespace lockstep::device
