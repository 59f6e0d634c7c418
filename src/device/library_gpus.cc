// GPUs as CUDA and OpenCL show them. The libraries are opened by name and called through the few
// functions that are needed; what runs them is a process of its own, so a crash is no matter here.
#include <dlfcn.h>

#include <algorithm>
#include <array>

#include "device/parts.h"
#include "device/system_files.h"

namespace lockstep::device {
namespace {

constexpr size_t name_bytes_max = 256;
constexpr uint32_t devices_max = 64;
constexpr uint32_t platforms_max = 16;

/// Null where the library does not have it.
template <class Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

/// One line: bytes, vendor, name. Whatever the library says becomes printable and free of tabs.
std::string line_of(uint64_t bytes, std::string vendor, std::string name) {
  const auto clean = [](std::string text) {
    text.resize(std::min(text.find('\0'), text.size()));
    for (char& c : text) {
      c = c >= ' ' && c <= '~' ? c : ' ';
    }
    return std::string(trimmed(text));
  };
  return std::to_string(bytes) + "\t" + clean(std::move(vendor)) + "\t" + clean(std::move(name)) +
         "\n";
}

// The driver interface's ABI: results are int, 0 is success; a device is an int.
using CudaInit = int(unsigned);
using CudaCount = int(int*);
using CudaGet = int(int*, int);
using CudaName = int(char*, int, int);
using CudaMemory = int(size_t*, int);

// OpenCL's: results are int32, 0 is success; handles are pointers; sizes size_t.
using ClPlatforms = int32_t(uint32_t, void**, uint32_t*);
using ClDevices = int32_t(void*, uint64_t, uint32_t, void**, uint32_t*);
using ClInfo = int32_t(void*, uint32_t, size_t, void*, size_t*);
constexpr uint64_t cl_gpus_and_accelerators = 0b1100;
constexpr uint32_t cl_device_memory = 0x101F;
constexpr uint32_t cl_device_name = 0x102B;
constexpr uint32_t cl_device_vendor = 0x102C;

std::string cl_text(ClInfo* info, void* device, uint32_t what) {
  std::array<char, name_bytes_max> text{};
  return info(device, what, text.size() - 1, text.data(), nullptr) == 0 ? text.data() : "";
}

}  // namespace

std::string ask_cuda(const std::string& library) {
  void* const opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    return {};
  }
  auto* const init = symbol<CudaInit>(opened, "cuInit");
  auto* const count = symbol<CudaCount>(opened, "cuDeviceGetCount");
  auto* const get = symbol<CudaGet>(opened, "cuDeviceGet");
  auto* const name = symbol<CudaName>(opened, "cuDeviceGetName");
  auto* const memory = symbol<CudaMemory>(opened, "cuDeviceTotalMem_v2");
  int devices = 0;
  if (init == nullptr || count == nullptr || get == nullptr || name == nullptr ||
      memory == nullptr || init(0) != 0 || count(&devices) != 0) {
    return {};
  }
  std::string answer;
  for (int i = 0; i < devices && i < static_cast<int>(devices_max); ++i) {
    int device = 0;
    std::array<char, name_bytes_max> text{};
    size_t bytes = 0;
    if (get(&device, i) == 0 && name(text.data(), name_bytes_max - 1, device) == 0 &&
        memory(&bytes, device) == 0) {
      answer += line_of(bytes, "NVIDIA", text.data());
    }
  }
  return answer;
}

std::string ask_opencl(const std::string& library) {
  void* const opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    return {};
  }
  auto* const platforms = symbol<ClPlatforms>(opened, "clGetPlatformIDs");
  auto* const devices = symbol<ClDevices>(opened, "clGetDeviceIDs");
  auto* const info = symbol<ClInfo>(opened, "clGetDeviceInfo");
  std::array<void*, platforms_max> platform{};
  uint32_t platform_count = 0;
  if (platforms == nullptr || devices == nullptr || info == nullptr ||
      platforms(platforms_max, platform.data(), &platform_count) != 0) {
    return {};
  }
  std::string answer;
  for (uint32_t p = 0; p < std::min(platform_count, platforms_max); ++p) {
    std::array<void*, devices_max> device{};
    uint32_t count = 0;
    if (devices(platform.at(p), cl_gpus_and_accelerators, devices_max, device.data(), &count) !=
        0) {
      continue;  // none of this kind
    }
    for (uint32_t d = 0; d < std::min(count, devices_max); ++d) {
      uint64_t bytes = 0;
      (void)info(device.at(d), cl_device_memory, sizeof bytes, &bytes, nullptr);
      answer += line_of(bytes,
                        cl_text(info, device.at(d), cl_device_vendor),
                        cl_text(info, device.at(d), cl_device_name));
    }
  }
  return answer;
}

std::vector<Gpu> gpus_of(const std::string& answer, GpuSource source) {
  std::vector<Gpu> gpus;
  for (const std::string_view line : lines_of(answer)) {
    const size_t first = line.find('\t');
    const size_t second = first == std::string_view::npos ? first : line.find('\t', first + 1);
    if (second == std::string_view::npos || gpus.size() == devices_max) {
      continue;
    }
    Gpu gpu;
    gpu.source = source;
    gpu.memory_bytes = number_of(line.substr(0, first)).value_or(0);
    gpu.vendor = line.substr(first + 1, second - first - 1).substr(0, name_bytes_max);
    gpu.name = line.substr(second + 1).substr(0, name_bytes_max);
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

}  // namespace lockstep::device
