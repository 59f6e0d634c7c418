// What `lockstep doctor` looks at on this machine. Facts only: apps/doctor.h says what is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::platform {

struct FolderHealth {
  std::string path;
  bool exists = false;
  bool is_folder = false;
  bool ours = false;
  uint32_t mode = 0;        // the lower nine bits
  bool writable = false;    // the folder, or the nearest one above it that exists
  std::string nearest;      // that one
  uint64_t free_bytes = 0;  // for this user, on its disk
};

struct PortHealth {
  uint16_t port = 0;
  bool free = false;
};

struct GpuNode {
  std::string path;
  bool usable = false;  // to read and write
  std::string group;    // who may use it; empty when it has no name here
};

struct Health {
  std::string processor;  // "x86_64", "aarch64", ...
  bool avx2 = false;
  uint32_t cpus = 0;  // that this process may use
  uint64_t memory_bytes = 0;
  uint64_t memory_available_bytes = 0;  // 0: unknown
  std::vector<FolderHealth> folders;
  int year = 0;
  std::optional<bool> clock_synchronised;  // none: the system does not say
  std::vector<PortHealth> ports;
  bool user_namespaces = false;
  std::string user_namespaces_setting;  // the sysctl that forbids them; empty: unknown
  uint64_t open_files_soft = 0;
  uint64_t open_files_hard = 0;
  bool dataset = false;
  std::vector<GpuNode> gpus;
};

struct HealthQuestions {
  std::vector<std::string> folders;
  std::vector<uint16_t> ports;
  std::string dataset;  // a file of it
};

/// Changes nothing, and leaves nothing behind; forks once. What cannot be found out is left as it
/// is above.
[[nodiscard]] Health find_health(const HealthQuestions& questions);

}  // namespace lockstep::platform
