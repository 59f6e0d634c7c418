// GPUs as the system shows them: adapters on the PCI bus and nodes of the kernel's drivers.
#include <algorithm>
#include <array>
#include <filesystem>

#include "device/parts.h"
#include "device/system_files.h"

namespace lockstep::device {
namespace {

constexpr uint64_t class_shift = 16;
constexpr uint64_t display_class = 3;
constexpr size_t gpus_max = 256;

struct Vendor {
  uint16_t id;
  const char* name;
};
constexpr std::array<Vendor, 8> vendors{{{0x10de, "NVIDIA"},
                                         {0x1002, "AMD"},
                                         {0x1022, "AMD"},
                                         {0x8086, "Intel"},
                                         {0x1af4, "Virtio"},
                                         {0x1a03, "ASPEED"},
                                         {0x102b, "Matrox"},
                                         {0x15ad, "VMware"}}};
/// Drivers that only show pixels, without hardware behind them.
constexpr std::array<std::string_view, 4> pixel_drivers = {
    "simple-framebuffer", "simpledrm", "vkms", "vgem"};

uint16_t id_of(const std::string& path) {
  return static_cast<uint16_t>(read_number(path).value_or(0));
}

/// "card0" rather than "renderD128", where both are there.
std::string node_in(const std::string& folder) {
  const std::vector<std::string> names = names_in(folder);
  for (const char* prefix : {"card", "renderD"}) {
    for (const std::string& name : names) {
      if (name.starts_with(prefix)) {
        return name;
      }
    }
  }
  return {};
}

Gpu read_adapter(const std::string& folder, const std::string& address) {
  Gpu gpu;
  gpu.address = address;
  gpu.vendor_id = id_of(folder + "/vendor");
  gpu.device_id = id_of(folder + "/device");
  gpu.vendor = vendor_name(gpu.vendor_id);
  gpu.driver = link_name(folder + "/driver");
  gpu.node = node_in(folder + "/drm");
  gpu.memory_bytes = read_number(folder + "/mem_info_vram_total").value_or(0);
  return gpu;
}

/// "card0", but not "card0-HDMI-A-1".
bool is_card(const std::string& name) {
  constexpr std::string_view prefix = "card";
  return name.starts_with(prefix) && name.size() > prefix.size() &&
         std::all_of(
             name.begin() + prefix.size(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// GPUs inside a chip have a driver and a node, and are on no bus.
void add_cards(const std::string& sys, std::vector<Gpu>& gpus) {
  for (const std::string& name : names_in(sys + "/class/drm")) {
    const std::string folder = sys + "/class/drm/" + name + "/device";
    if (!is_card(name) || !exists(folder)) {
      continue;
    }
    // What is on the bus has been found there: by its node, or by the folder's name.
    const std::string address = link_name(folder);
    const auto known = std::find_if(gpus.begin(), gpus.end(), [&](const Gpu& gpu) {
      return gpu.node == name || (!address.empty() && gpu.address == address);
    });
    if (known != gpus.end()) {
      known->node = known->node.empty() ? name : known->node;
      continue;
    }
    Gpu gpu;
    gpu.driver = link_name(folder + "/driver");
    gpu.node = name;
    const bool pixels =
        std::find(pixel_drivers.begin(), pixel_drivers.end(), gpu.driver) != pixel_drivers.end();
    if (!gpu.driver.empty() && !pixels && gpus.size() < gpus_max) {
      gpus.push_back(std::move(gpu));
    }
  }
}

}  // namespace

std::string vendor_name(uint16_t vendor_id) {
  const auto* const found = std::find_if(
      vendors.begin(), vendors.end(), [&](const Vendor& vendor) { return vendor.id == vendor_id; });
  if (found != vendors.end()) {
    return found->name;
  }
  return "0x" + [&] {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (int shift = 12; shift >= 0; shift -= 4) {
      text += digits[static_cast<size_t>(vendor_id >> shift & 0xf)];
    }
    return text;
  }();
}

std::vector<Gpu> find_gpus(const Where& where) {
  std::vector<Gpu> gpus;
  const std::string bus = where.sys + "/bus/pci/devices";
  for (const std::string& address : names_in(bus)) {
    const std::string folder = bus + "/" + address;
    if (read_number(folder + "/class").value_or(0) >> class_shift == display_class &&
        gpus.size() < gpus_max) {
      gpus.push_back(read_adapter(folder, address));
    }
  }
  add_cards(where.sys, gpus);
  return gpus;
}

}  // namespace lockstep::device
