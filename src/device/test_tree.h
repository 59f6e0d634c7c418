// For tests only: a folder that looks like /sys and /proc of some machine.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "device/devices.h"

namespace lockstep::device::test {

class Tree {
 public:
  Tree() {
    static int count = 0;
    root_ = std::filesystem::path(::testing::TempDir()) /
            ("lockstep_device_" + std::to_string(getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directories(root_ / "sys");
    std::filesystem::create_directories(root_ / "proc/self");
    std::filesystem::create_directories(root_ / "data");
  }
  ~Tree() {
    std::error_code error;
    std::filesystem::remove_all(root_, error);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  void file(const std::string& path, const std::string& text) {
    const std::filesystem::path full = root_ / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << text;
  }
  /// `target` is a path in the tree.
  void link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(root_ / target);
    const std::filesystem::path full = root_ / path;
    std::filesystem::create_directories(full.parent_path());
    std::filesystem::create_directory_symlink(root_ / target, full);
  }
  [[nodiscard]] std::string path(const std::string& inside) const {
    return (root_ / inside).string();
  }
  /// No library is asked.
  [[nodiscard]] Where where() const {
    Where where;
    where.sys = path("sys");
    where.proc = path("proc");
    where.folder = path("data");
    where.cuda.clear();
    where.opencl.clear();
    where.topology = "Package:1 L2Cache:2 L1dCache:1 Core:1 PU:1";
    return where;
  }

  /// Processors 0 to count − 1, `together` of them on each core, one socket.
  void processors(uint32_t count, uint32_t together, const std::string& flags) {
    std::string info;
    for (uint32_t i = 0; i < count; ++i) {
      info += "processor\t: " + std::to_string(i) + "\nmodel name\t: Some Processor 3.0GHz\n" +
              "flags\t\t: " + flags + "\n\n";
      const uint32_t first = i / together * together;
      const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(i) + "/topology/";
      file(folder + "core_cpus_list",
           std::to_string(first) + "-" + std::to_string(first + together - 1) + "\n");
      file(folder + "physical_package_id", "0\n");
    }
    file("proc/cpuinfo", info);
    file("sys/devices/system/cpu/online", "0-" + std::to_string(count - 1) + "\n");
    file("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-" + std::to_string(count - 1) + "\n");
    file("proc/meminfo",
         "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:   12000000 kB\n");
  }
  void adapter(const std::string& address,
               const std::string& device_class,
               const std::string& vendor,
               const std::string& device) {
    const std::string folder = "sys/bus/pci/devices/" + address + "/";
    file(folder + "class", device_class + "\n");
    file(folder + "vendor", vendor + "\n");
    file(folder + "device", device + "\n");
  }

 private:
  std::filesystem::path root_;
};

}  // namespace lockstep::device::test
