// What `lockstep devices` says: for people, and for scripts.
#include "apps/devices.h"

#include <gtest/gtest.h>

#include <map>

#include "device/devices.h"
#include "spec/slice.h"

namespace lockstep::apps {
namespace {

using nlohmann::json;

DevicesShown some_machine() {
  DevicesShown shown;
  device::Machine& machine = shown.machine;
  machine.cpu = {"Some Processor",
                 1,
                 8,
                 12,
                 6,
                 {"avx2", "fma"},
                 {{"performance", 8, 4}, {"efficiency", 4, 4}}};
  machine.caches = {{1, "data", 32'768, 8}, {3, "unified", 33'554'432, 1}};
  machine.numa = {{0, 6, 8'000'000'000}, {1, 6, 8'000'000'000}};
  machine.memory = {16'000'000'000, 9'000'000'000, 10'000'000'000};
  machine.disk = {"/data", 500'000'000'000, 200'000'000'000, false};
  device::Gpu gpu;
  gpu.vendor = "NVIDIA";
  gpu.address = "0000:01:00.0";
  gpu.vendor_id = 0x10de;
  gpu.driver = "nvidia";
  machine.gpus = {gpu};
  gpu = {};
  gpu.source = device::GpuSource::cuda;
  gpu.vendor = "NVIDIA";
  gpu.name = "H100";
  gpu.memory_bytes = 80'000'000'000;
  machine.library_gpus = {gpu};
  gpu.source = device::GpuSource::opencl;
  machine.library_gpus.push_back(gpu);
  machine.notes = {"a library hung"};
  shown.slice = model::Slice{2, 4'000'000'000, 10'000'000'000, 0, {{0x7f, 1320, 420, 0}}};
  shown.benchmark =
      model::Benchmark{1, "x86-64-avx2", "Some Processor", 2, 9'480'000'000, 1'700'000'000'000};
  shown.price_per_unit = Amount::from_nano(1'500'000);
  shown.earnings = Earned{12, 77, Amount::from_nano(250'000'000), Amount::from_nano(3'000'000'000)};
  return shown;
}

std::string text_of(const DevicesShown& shown) {
  testing::internal::CaptureStdout();
  tell_devices(shown, Report(false));
  return testing::internal::GetCapturedStdout();
}

TEST(DevicesCommand, TellsPeople) {
  EXPECT_EQ(text_of(some_machine()),
            "this machine\n"
            "  processor     Some Processor\n"
            "                1 socket, 8 cores, 12 threads (8 performance threads, 4 efficiency "
            "threads), 6 of them usable here\n"
            "  instructions  avx2 fma\n"
            "  cache         L1 data 32KiB x 8\n"
            "  cache         L3 unified 32MiB x 1\n"
            "  NUMA node     0: 6 threads, 8 GB\n"
            "  NUMA node     1: 6 threads, 8 GB\n"
            "  memory        16 GB, 10 GB usable here, 9 GB free\n"
            "  disk          500 GB, 200 GB free, solid state, /data\n"
            "  GPU           NVIDIA, 0000:01:00.0, nvidia\n"
            "  GPU           NVIDIA H100, 80 GB, by CUDA\n"
            "  GPU           NVIDIA H100, 80 GB, by OpenCL\n"
            "  note          a library hung\n"
            "\n"
            "lent to others\n"
            "  slice         2 processors, 4 GB of memory, 10 GB of disk, no GPU\n"
            "  when          22:00-07:00\n"
            "  price         0.0015 LKS for 10^9 operations\n"
            "  speed         9.4 x 10^9 operations a second on 2 threads, class x86-64-avx2/8\n"
            "  earned        3 LKS, and 0.25 LKS to become final, for 12 tasks\n");
}

TEST(DevicesCommand, TellsScripts) {
  testing::internal::CaptureStdout();
  tell_devices(some_machine(), Report(true));
  const std::string text = testing::internal::GetCapturedStdout();
  std::map<std::string, std::vector<json>> events;
  for (size_t from = 0; from < text.size();) {
    const size_t end = text.find('\n', from);
    const json event = json::parse(text.substr(from, end - from));
    events[event.at("event")].push_back(event);
    from = end + 1;
  }
  EXPECT_EQ(events["cpu"].at(0).at("usable_threads"), 6);
  EXPECT_EQ(events["cpu"].at(0).at("kinds").size(), 2U);
  EXPECT_EQ(events["cache"].size(), 2U);
  EXPECT_EQ(events["numa"].size(), 2U);
  EXPECT_EQ(events["machine"].at(0).at("memory_usable_bytes"), 10'000'000'000);
  EXPECT_EQ(events["machine"].at(0).at("disk_rotational"), false);
  EXPECT_EQ(events["gpu"].size(), 3U);
  EXPECT_EQ(events["gpu"].at(1).at("source"), "CUDA");
  EXPECT_EQ(events["note"].size(), 1U);
  EXPECT_EQ(events["slice"].at(0).at("price_per_unit"), "0.0015 LKS");
  EXPECT_EQ(events["benchmark"].at(0).at("device_class"), "x86-64-avx2/8");
  EXPECT_EQ(events["earnings"].at(0).at("paid"), "3 LKS");
}

TEST(DevicesCommand, TellsLittleOfAnEmptyMachine) {
  DevicesShown shown;
  const std::string text = text_of(shown);
  EXPECT_NE(text.find("processor     unknown"), std::string::npos) << text;
  EXPECT_NE(text.find("nothing is lent"), std::string::npos) << text;
  EXPECT_EQ(text.find("earned"), std::string::npos) << text;
}

TEST(DevicesCommand, ASliceIsCutFromWhatIsUsable) {
  const model::MachineSize size = size_of(some_machine().machine);
  EXPECT_EQ(size.cpus, 6U);
  EXPECT_EQ(size.memory_bytes, 10'000'000'000U);
  EXPECT_EQ(size.disk_bytes, 200'000'000'000U);
  EXPECT_EQ(size.gpus, 1U);  // seen twice
  spec::SliceFlags flags;
  flags.cpus = "8";
  const auto slice = spec::parse_slice_flags(flags, size);
  ASSERT_FALSE(slice.ok());
  EXPECT_EQ(slice.error().where, "--cpus");
}

TEST(DevicesCommand, ShowsThisMachine) {
  device::Where where;
  where.cuda.clear();
  where.opencl.clear();
  DevicesShown shown;
  shown.machine = device::find_devices(where);
  const auto slice = spec::parse_slice_flags({}, size_of(shown.machine));
  ASSERT_TRUE(slice.ok()) << slice.error().message();
  shown.slice = *slice;
  const std::string text = text_of(shown);
  EXPECT_NE(text.find("lent to others"), std::string::npos) << text;
  EXPECT_EQ(text.find("processor     unknown"), std::string::npos) << text;
}

}  // namespace
}  // namespace lockstep::apps
