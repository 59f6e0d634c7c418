// What is found on machines made of files: processors, control groups, disks, GPUs.
#include "device/devices.h"

#include <gtest/gtest.h>

#include "base/test_random.h"
#include "device/parts.h"
#include "device/system_files.h"
#include "device/test_tree.h"

namespace lockstep::device {
namespace {

using test::Tree;

constexpr uint64_t kilo = 1024;
constexpr uint64_t giga = 1'000'000'000;
const char* const new_flags = "fpu sse4_2 avx avx2 fma avx512f avx512bw avx512vl ht";

TEST(Devices, PlainMachineWithoutAGpu) {
  Tree tree;
  tree.processors(8, 2, new_flags);
  tree.adapter("0000:00:1f.3", "0x040300", "0x8086", "0xa170");  // sound
  const Machine machine = find_devices(tree.where());
  EXPECT_EQ(machine.cpu.model, "Some Processor 3.0GHz");
  EXPECT_EQ(machine.cpu.sockets, 1U);
  EXPECT_EQ(machine.cpu.cores, 4U);
  EXPECT_EQ(machine.cpu.threads, 8U);
  EXPECT_EQ(machine.cpu.usable_threads, 8U);
  EXPECT_EQ(machine.cpu.isa,
            (std::vector<std::string>{
                "sse4.2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl"}));
  ASSERT_EQ(machine.cpu.kinds.size(), 1U);
  EXPECT_EQ(machine.cpu.kinds[0].name, "all");
  EXPECT_EQ(machine.memory.total_bytes, 16'000'000 * kilo);
  EXPECT_EQ(machine.memory.usable_bytes, 16'000'000 * kilo);
  EXPECT_EQ(machine.memory.available_bytes, 12'000'000 * kilo);
  EXPECT_TRUE(machine.gpus.empty());
  EXPECT_TRUE(machine.library_gpus.empty());
  EXPECT_GT(machine.disk.total_bytes, 0U);
  EXPECT_GT(machine.disk.free_bytes, 0U);
  EXPECT_LE(machine.disk.free_bytes, machine.disk.total_bytes);
  EXPECT_FALSE(machine.disk.rotational);
  EXPECT_TRUE(machine.notes.empty());
}

TEST(Devices, TopologyIsHwlocs) {
  Tree tree;
  tree.processors(8, 2, new_flags);
  Where where = tree.where();
  where.topology =
      "Package:2 [NUMANode(memory=8GB)] L3Cache:1(size=32MB) L2Cache:2(size=1MB) "
      "L1dCache:1(size=32kB) L1iCache:1(size=64kB) Core:1 PU:2";
  const Machine machine = find_devices(where);
  ASSERT_EQ(machine.caches.size(), 4U);
  EXPECT_EQ(machine.caches[0].level, 1U);
  EXPECT_EQ(machine.caches[0].type, "data");
  EXPECT_EQ(machine.caches[0].count, 4U);
  EXPECT_EQ(machine.caches[1].type, "instruction");
  EXPECT_EQ(machine.caches[3].level, 3U);
  EXPECT_EQ(machine.caches[3].type, "unified");
  EXPECT_EQ(machine.caches[3].count, 2U);
  EXPECT_GT(machine.caches[3].bytes, machine.caches[2].bytes);
  ASSERT_EQ(machine.numa.size(), 2U);
  EXPECT_EQ(machine.numa[1].number, 1U);
  EXPECT_EQ(machine.numa[1].threads, 4U);
  EXPECT_GT(machine.numa[1].memory_bytes, 0U);
  where.topology = "no such notation";
  EXPECT_EQ(find_devices(where).notes.size(), 1U);
}

TEST(Devices, NvidiaAndAmd) {
  Tree tree;
  tree.processors(2, 1, new_flags);
  tree.adapter("0000:01:00.0", "0x030200", "0x10de", "0x2330");
  tree.link("sys/bus/pci/devices/0000:01:00.0/driver", "sys/bus/pci/drivers/nvidia");
  tree.adapter("0000:41:00.0", "0x030000", "0x1002", "0x744c");
  tree.link("sys/bus/pci/devices/0000:41:00.0/driver", "sys/bus/pci/drivers/amdgpu");
  tree.file("sys/bus/pci/devices/0000:41:00.0/mem_info_vram_total", "25753026560\n");
  tree.file("sys/bus/pci/devices/0000:41:00.0/drm/renderD129/dev", "226:129\n");
  tree.file("sys/bus/pci/devices/0000:41:00.0/drm/card1/dev", "226:1\n");
  tree.link("sys/class/drm/card1/device", "sys/bus/pci/devices/0000:41:00.0");
  tree.link("sys/class/drm/card1-HDMI-A-1/device", "sys/class/drm/card1");
  tree.adapter("0000:00:02.0", "0x030000", "0x1234", "0x1111");  // of an emulator
  const std::vector<Gpu> gpus = find_devices(tree.where()).gpus;
  ASSERT_EQ(gpus.size(), 3U);
  EXPECT_EQ(gpus[0].vendor, "0x1234");
  EXPECT_EQ(gpus[0].driver, "");
  EXPECT_EQ(gpus[1].vendor, "NVIDIA");
  EXPECT_EQ(gpus[1].vendor_id, 0x10de);
  EXPECT_EQ(gpus[1].device_id, 0x2330);
  EXPECT_EQ(gpus[1].driver, "nvidia");
  EXPECT_EQ(gpus[1].memory_bytes, 0U);
  EXPECT_EQ(gpus[2].vendor, "AMD");
  EXPECT_EQ(gpus[2].driver, "amdgpu");
  EXPECT_EQ(gpus[2].node, "card1");
  EXPECT_EQ(gpus[2].address, "0000:41:00.0");
  EXPECT_EQ(gpus[2].memory_bytes, 25'753'026'560U);
  EXPECT_EQ(vendor_name(0x8086), "Intel");
  EXPECT_EQ(vendor_name(0), "0x0000");
}

TEST(Devices, GpuInsideAChip) {
  Tree tree;
  tree.file("proc/cpuinfo",
            "processor : 0\nFeatures : fp asimd sve\nCPU implementer : 0x41\nCPU part : 0xd40\n");
  tree.link("sys/class/drm/card0/device", "sys/devices/platform/ff9a0000.gpu");
  tree.link("sys/devices/platform/ff9a0000.gpu/driver", "sys/bus/platform/drivers/panfrost");
  tree.link("sys/class/drm/card1/device", "sys/devices/platform/framebuffer");
  tree.link("sys/devices/platform/framebuffer/driver", "sys/bus/platform/drivers/simpledrm");
  const Machine machine = find_devices(tree.where());
  ASSERT_EQ(machine.gpus.size(), 1U);
  EXPECT_EQ(machine.gpus[0].driver, "panfrost");
  EXPECT_EQ(machine.gpus[0].node, "card0");
  EXPECT_EQ(machine.cpu.model, "ARM 0x41 part 0xd40");
  EXPECT_EQ(machine.cpu.isa, (std::vector<std::string>{"neon", "sve"}));
}

TEST(Devices, HybridProcessorHasWhatAllItsCoresHave) {
  Tree tree;
  tree.processors(12, 1, "sse4_2 avx avx2 fma");
  for (uint32_t i = 0; i < 8; ++i) {  // four cores of two threads
    tree.file("sys/devices/system/cpu/cpu" + std::to_string(i) + "/topology/core_cpus_list",
              std::to_string(i / 2 * 2) + "-" + std::to_string(i / 2 * 2 + 1));
  }
  tree.file("sys/devices/cpu_core/cpus", "0-7\n");
  tree.file("sys/devices/cpu_atom/cpus", "8-11\n");
  std::string info = "processor : 0\nmodel name : Hybrid\nflags : sse4_2 avx avx2 fma avx512f\n\n";
  info += "processor : 8\nmodel name : Hybrid\nflags : sse4_2 avx avx2 fma\n";
  tree.file("proc/cpuinfo", info);
  const Cpu cpu = find_devices(tree.where()).cpu;
  EXPECT_EQ(cpu.threads, 12U);
  EXPECT_EQ(cpu.cores, 8U);
  ASSERT_EQ(cpu.kinds.size(), 2U);
  EXPECT_EQ(cpu.kinds[0].name, "performance");
  EXPECT_EQ(cpu.kinds[0].threads, 8U);
  EXPECT_EQ(cpu.kinds[0].cores, 4U);
  EXPECT_EQ(cpu.kinds[1].name, "efficiency");
  EXPECT_EQ(cpu.kinds[1].threads, 4U);
  EXPECT_EQ(cpu.kinds[1].cores, 4U);
  EXPECT_EQ(cpu.isa, (std::vector<std::string>{"sse4.2", "avx", "avx2", "fma"}));
}

TEST(Devices, KindsByCapacity) {
  Tree tree;
  tree.processors(4, 1, "asimd");
  for (uint32_t i = 0; i < 4; ++i) {
    tree.file("sys/devices/system/cpu/cpu" + std::to_string(i) + "/cpu_capacity",
              i < 3 ? "485\n" : "1024\n");
  }
  const Cpu cpu = find_devices(tree.where()).cpu;
  ASSERT_EQ(cpu.kinds.size(), 2U);
  EXPECT_EQ(cpu.kinds[0].name, "capacity 1024");
  EXPECT_EQ(cpu.kinds[0].threads, 1U);
  EXPECT_EQ(cpu.kinds[1].threads, 3U);
}

TEST(Devices, AffinityAndOfflineProcessorsCount) {
  Tree tree;
  tree.processors(8, 1, new_flags);
  tree.file("sys/devices/system/cpu/online", "0-3,6\n");
  tree.file("proc/self/status", "Cpus_allowed_list:\t2-7\n");
  const Cpu cpu = find_devices(tree.where()).cpu;
  EXPECT_EQ(cpu.threads, 5U);
  EXPECT_EQ(cpu.usable_threads, 3U);
}

TEST(Devices, GroupsOfVersion2) {
  Tree tree;
  tree.processors(8, 1, new_flags);
  tree.file("proc/self/cgroup", "0::/user.slice/lockstep\n");
  const std::string outer = "sys/fs/cgroup/user.slice/";
  tree.file(outer + "lockstep/cpu.max", "max 100000\n");
  tree.file(outer + "lockstep/memory.max", "max\n");
  tree.file(outer + "cpu.max", "250000 100000\n");  // the group around it limits too
  tree.file(outer + "memory.max", "4000000000\n");
  tree.file(outer + "memory.current", "1500000000\n");
  tree.file(outer + "memory.stat", "anon 5\ninactive_file 500000000\n");
  const Machine machine = find_devices(tree.where());
  EXPECT_EQ(machine.cpu.threads, 8U);
  EXPECT_EQ(machine.cpu.usable_threads, 2U);
  EXPECT_EQ(machine.memory.total_bytes, 16'000'000 * kilo);
  EXPECT_EQ(machine.memory.usable_bytes, 4 * giga);
  EXPECT_EQ(machine.memory.available_bytes, 3 * giga);
  tree.file(outer + "lockstep/memory.high", "2000000000\n");
  EXPECT_EQ(find_devices(tree.where()).memory.usable_bytes, 2 * giga);
}

TEST(Devices, ContainerOfVersion2HasItsGroupAtTheRoot) {
  Tree tree;
  tree.processors(8, 1, new_flags);
  for (const char* path : {"0::/\n", "0::/../../elsewhere\n", "0::/docker/of/the/host\n"}) {
    tree.file("proc/self/cgroup", path);
    tree.file("sys/fs/cgroup/cpu.max", "50000 100000\n");
    tree.file("sys/fs/cgroup/memory.max", "1000000000\n");
    const Machine machine = find_devices(tree.where());
    EXPECT_EQ(machine.cpu.usable_threads, 1U) << path;
    EXPECT_EQ(machine.memory.usable_bytes, giga) << path;
    EXPECT_EQ(machine.memory.available_bytes, giga) << path;
  }
}

TEST(Devices, GroupsOfVersion1) {
  Tree tree;
  tree.processors(8, 1, new_flags);
  tree.file("proc/self/cgroup",
            "9:memory:/docker/abc\n8:cpuset:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n");
  tree.file("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "3000000000\n");
  tree.file("sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", "800000000\n");
  tree.file("sys/fs/cgroup/memory/docker/abc/memory.stat", "total_inactive_file 100000000\n");
  tree.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  tree.file("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "300000\n");
  tree.file("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
  tree.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  tree.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  const Machine machine = find_devices(tree.where());
  EXPECT_EQ(machine.cpu.usable_threads, 3U);
  EXPECT_EQ(machine.memory.usable_bytes, 3 * giga);
  EXPECT_EQ(machine.memory.available_bytes, 2'300'000'000U);
}

TEST(Devices, ContainerOfVersion1SeesItsGroupAtTheRoot) {
  Tree tree;
  tree.processors(4, 1, new_flags);
  tree.file("proc/self/cgroup", "9:memory:/docker/abc\n4:cpu:/docker/abc\n");
  tree.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000000\n");
  tree.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  tree.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  const Machine machine = find_devices(tree.where());
  EXPECT_EQ(machine.cpu.usable_threads, 2U);
  EXPECT_EQ(machine.memory.usable_bytes, 2 * giga);
}

TEST(Devices, LimitsAboveTheHardwareDoNotCount) {
  Tree tree;
  tree.processors(2, 1, new_flags);
  tree.file("proc/self/cgroup", "0::/\n");
  tree.file("sys/fs/cgroup/cpu.max", "6400000 100000\n");
  tree.file("sys/fs/cgroup/memory.max", "999999999999999\n");
  const Machine machine = find_devices(tree.where());
  EXPECT_EQ(machine.cpu.usable_threads, 2U);
  EXPECT_EQ(machine.memory.usable_bytes, machine.memory.total_bytes);
  EXPECT_EQ(machine.memory.available_bytes, 12'000'000 * kilo);
}

TEST(Devices, DiskIsTheOneOfTheFolder) {
  Tree tree;
  tree.processors(1, 1, new_flags);
  const std::string data = std::filesystem::canonical(tree.path("data")).string();
  tree.file("proc/self/mountinfo",
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 9:0 / " + data +
                " rw - ext4 /dev/md0 rw\n24 22 0:5 / " + data + "more rw - tmpfs x rw\n");
  tree.file("sys/devices/disk/sda/queue/rotational", "1\n");
  tree.link("sys/dev/block/8:1", "sys/devices/disk/sda/sda1");
  tree.file("sys/dev/block/9:0/queue/rotational", "0\n");
  Where where = tree.where();
  EXPECT_EQ(find_devices(where).disk.rotational, false);
  where.folder = "/";
  EXPECT_EQ(find_devices(where).disk.rotational, true);  // a partition: its disk says
  where.folder = tree.path("data/not/yet/there");
  const Disk disk = find_devices(where).disk;
  EXPECT_EQ(disk.folder, data);
  EXPECT_GT(disk.total_bytes, 0U);
}

TEST(Devices, NothingAtAllIsNoCrash) {
  Where where;
  where.sys = "/nowhere/sys";
  where.proc = "/nowhere/proc";
  where.folder = "/nowhere/else";
  where.cuda = "libnowhere_cuda.so.1";
  where.opencl = "libnowhere_opencl.so.1";
  where.topology = "Package:1 Core:1 PU:1";
  const Machine machine = find_devices(where);
  EXPECT_EQ(machine.cpu.threads, 0U);
  EXPECT_EQ(machine.cpu.usable_threads, 1U);
  EXPECT_EQ(machine.memory.total_bytes, 0U);
  EXPECT_TRUE(machine.gpus.empty());
  EXPECT_TRUE(machine.library_gpus.empty());
  EXPECT_GE(machine.notes.size(), 2U);
}

TEST(Devices, OtherLibrariesAreNotTakenForGpus) {
  // Libraries that are there, but without a single function that is asked for.
  EXPECT_EQ(ask_cuda("libm.so.6"), "");
  EXPECT_EQ(ask_opencl("libm.so.6"), "");
  EXPECT_EQ(ask_cuda("/dev/null"), "");
}

TEST(Devices, ThisMachine) {
  Where where;
  where.cuda.clear();
  where.opencl.clear();
  const Machine machine = find_devices(where);
  EXPECT_GT(machine.cpu.threads, 0U);
  EXPECT_GT(machine.cpu.cores, 0U);
  EXPECT_GT(machine.cpu.usable_threads, 0U);
  EXPECT_LE(machine.cpu.usable_threads, machine.cpu.threads);
  EXPECT_GT(machine.memory.total_bytes, 0U);
  EXPECT_GT(machine.memory.usable_bytes, 0U);
  EXPECT_GT(machine.disk.total_bytes, 0U);
}

TEST(Devices, AnyFilesAreSafe) {
  TestRandom random(31);
  constexpr std::string_view letters = "0123456789abx-,: \n\tmax";
  const auto noise = [&] {
    std::string text(random.below(60), ' ');
    for (char& c : text) {
      c = random.chance(10) ? static_cast<char>(random.next())
                            : letters[random.below(letters.size())];
    }
    return text;
  };
  Tree tree;
  tree.processors(2, 1, new_flags);
  tree.adapter("0000:01:00.0", "0x030200", "0x10de", "0x2330");
  for (int i = 0; i < 40; ++i) {
    for (const char* name : {"proc/cpuinfo",
                             "proc/meminfo",
                             "proc/self/cgroup",
                             "proc/self/status",
                             "proc/self/mountinfo",
                             "sys/devices/system/cpu/online",
                             "sys/devices/system/cpu/cpu0/topology/core_cpus_list",
                             "sys/devices/cpu_core/cpus",
                             "sys/fs/cgroup/cpu.max",
                             "sys/fs/cgroup/memory.max",
                             "sys/bus/pci/devices/0000:01:00.0/class"}) {
      tree.file(name, random.chance(4) ? "0::/\n" + noise() : noise());
    }
    const Where where = tree.where();
    const Cpu cpu = find_cpu(where);
    EXPECT_LE(cpu.usable_threads, cpu.threads);
    const Memory memory = find_memory(where, find_limits(where));
    EXPECT_LE(memory.usable_bytes, memory.total_bytes);
    EXPECT_LE(find_gpus(where).size(), 1U);
    EXPECT_FALSE(find_disk(where).folder.empty());
    Machine machine;
    (void)read_topology(noise(), machine);
    EXPECT_LE(gpus_of(noise(), GpuSource::cuda).size(), 64U);
  }
}

TEST(SystemFiles, Lists) {
  EXPECT_EQ(numbers_of("0-3,8\n"), (std::vector<uint32_t>{0, 1, 2, 3, 8}));
  EXPECT_EQ(numbers_of("3,1,1-2"), (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_TRUE(numbers_of("").empty());
  EXPECT_TRUE(numbers_of("x,-,5-,-5,7-3,0-99999999").empty());
  EXPECT_EQ(number_of("0x10de"), 0x10deU);
  EXPECT_EQ(number_of("12"), 12U);
  for (const char* text : {"", "0x", "-1", "1 ", "max", "18446744073709551616"}) {
    EXPECT_FALSE(number_of(text)) << text;
  }
}

}  // namespace
}  // namespace lockstep::device
