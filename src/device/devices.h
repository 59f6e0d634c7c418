// Finds out what this machine has. Reads the system's files; libraries that may crash or hang are
// asked in a process of their own.
#pragma once

#include "base/result.h"
#include "device/machine.h"

namespace lockstep::device {

/// Where to look. Tests give folders of their own.
struct Where {
  std::string sys = "/sys";
  std::string proc = "/proc";
  std::string folder = ".";           // whose file system the provider would use
  std::string cuda = "libcuda.so.1";  // empty: not asked
  std::string opencl = "libOpenCL.so.1";
  /// What hwloc is to take the machine for, in its synthetic notation; empty: the real one.
  std::string topology;
  uint32_t deadline_ms = 5000;  // for each process that asks a library
};

/// Never fails: what cannot be found out is left at 0 or empty and named in Machine::notes. Takes
/// up to three deadlines where drivers hang. Not for use while other threads of this process fork.
[[nodiscard]] Machine find_devices(const Where& where);

}  // namespace lockstep::device
