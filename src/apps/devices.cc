#include "apps/devices.h"

#include <algorithm>

#include "place/place.h"
#include "spec/slice.h"
#include "spec/when.h"

namespace lockstep::apps {
namespace {

using nlohmann::json;
using place::text_of_bytes;

constexpr uint64_t unit = 1'000'000'000;

/// "memory      16 GB": the first column is as wide as its longest word.
std::string row(const std::string& name, const std::string& text) {
  constexpr size_t width = 14;
  return "  " + name + std::string(width - std::min(width - 1, name.size()), ' ') + text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text.empty() ? "none" : text;
}

std::string plural(uint64_t count, const std::string& of) {
  return std::to_string(count) + " " + of + (count == 1 ? "" : "s");
}

std::string or_unknown(const std::string& text) {
  return text.empty() ? "unknown" : text;
}

void tell_cpu(const device::Cpu& cpu, const Report& report) {
  std::string kinds;
  json kinds_json = json::array();
  for (const device::CoreKind& kind : cpu.kinds) {
    if (cpu.kinds.size() > 1) {
      kinds += (kinds.empty() ? " (" : ", ") + plural(kind.threads, kind.name + " thread");
    }
    kinds_json.push_back({{"name", kind.name}, {"threads", kind.threads}, {"cores", kind.cores}});
  }
  const std::string usable =
      cpu.usable_threads < cpu.threads
          ? ", " + std::to_string(cpu.usable_threads) + " of them usable here"
          : "";
  report.tell(
      row("processor", or_unknown(cpu.model)) + "\n" +
          row("",
              plural(cpu.sockets, "socket") + ", " + plural(cpu.cores, "core") + ", " +
                  plural(cpu.threads, "thread") + kinds + (kinds.empty() ? "" : ")") + usable) +
          "\n" + row("instructions", joined(cpu.isa)),
      "cpu",
      {{"model", cpu.model},
       {"sockets", cpu.sockets},
       {"cores", cpu.cores},
       {"threads", cpu.threads},
       {"usable_threads", cpu.usable_threads},
       {"isa", cpu.isa},
       {"kinds", kinds_json}});
}

void tell_topology(const device::Machine& machine, const Report& report) {
  for (const device::Cache& cache : machine.caches) {
    report.tell(row("cache",
                    "L" + std::to_string(cache.level) + " " + cache.type + " " +
                        spec::size_text(cache.bytes) + " x " + std::to_string(cache.count)),
                "cache",
                {{"level", cache.level},
                 {"type", cache.type},
                 {"bytes", cache.bytes},
                 {"count", cache.count}});
  }
  for (const device::NumaNode& node : machine.numa) {
    // One node is no news for people.
    report.tell(
        machine.numa.size() < 2
            ? std::string()
            : row("NUMA node",
                  std::to_string(node.number) + ": " + plural(node.threads, "thread") + ", " +
                      text_of_bytes(node.memory_bytes)),
        "numa",
        {{"number", node.number}, {"threads", node.threads}, {"memory_bytes", node.memory_bytes}});
  }
}

void tell_stores(const device::Machine& machine, const Report& report) {
  const device::Memory& memory = machine.memory;
  const device::Disk& disk = machine.disk;
  const std::string usable = memory.usable_bytes < memory.total_bytes
                                 ? text_of_bytes(memory.usable_bytes) + " usable here, "
                                 : "";
  const char* kind = "";
  if (disk.rotational) {
    kind = *disk.rotational ? ", rotating" : ", solid state";
  }
  json event = {{"memory_bytes", memory.total_bytes},
                {"memory_usable_bytes", memory.usable_bytes},
                {"memory_available_bytes", memory.available_bytes},
                {"disk_folder", disk.folder},
                {"disk_bytes", disk.total_bytes},
                {"disk_free_bytes", disk.free_bytes}};
  event["disk_rotational"] = disk.rotational ? json(*disk.rotational) : json();
  report.tell(row("memory",
                  text_of_bytes(memory.total_bytes) + ", " + usable +
                      text_of_bytes(memory.available_bytes) + " free") +
                  "\n" +
                  row("disk",
                      text_of_bytes(disk.total_bytes) + ", " + text_of_bytes(disk.free_bytes) +
                          " free" + kind + ", " + disk.folder),
              "machine",
              std::move(event));
}

const char* name_of(device::GpuSource source) {
  switch (source) {
    case device::GpuSource::system:
      return "system";
    case device::GpuSource::cuda:
      return "CUDA";
    case device::GpuSource::opencl:
      return "OpenCL";
  }
  return "unknown";
}

void tell_gpu(const device::Gpu& gpu, const Report& report) {
  const bool system = gpu.source == device::GpuSource::system;
  std::string text = gpu.vendor;
  const auto add = [&](const std::string& more, const char* before) {
    text += more.empty() ? "" : (text.empty() ? "" : before) + more;
  };
  add(gpu.name, " ");
  add(gpu.memory_bytes > 0 ? text_of_bytes(gpu.memory_bytes) : "", ", ");
  add(gpu.address, ", ");
  add(gpu.driver.empty() && system ? "no driver" : gpu.driver, ", ");
  add(system ? "" : name_of(gpu.source), ", by ");
  report.tell(row("GPU", text),
              "gpu",
              {{"source", name_of(gpu.source)},
               {"vendor", gpu.vendor},
               {"name", gpu.name},
               {"address", gpu.address},
               {"vendor_id", gpu.vendor_id},
               {"device_id", gpu.device_id},
               {"driver", gpu.driver},
               {"node", gpu.node},
               {"memory_bytes", gpu.memory_bytes}});
}

void tell_machine(const device::Machine& machine, const Report& report) {
  tell_cpu(machine.cpu, report);
  tell_topology(machine, report);
  tell_stores(machine, report);
  for (const device::Gpu& gpu : machine.gpus) {
    tell_gpu(gpu, report);
  }
  for (const device::Gpu& gpu : machine.library_gpus) {
    tell_gpu(gpu, report);
  }
  for (const std::string& note : machine.notes) {
    report.tell(row("note", note), "note", {{"text", note}});
  }
}

void tell_offer(const DevicesShown& shown, const Report& report) {
  if (!shown.slice) {
    report.tell("\nnothing is lent", "slice", {{"lent", false}});
    return;
  }
  const model::Slice& slice = *shown.slice;
  const std::string when = spec::text_of(slice.when);
  std::string text =
      "\nlent to others\n" +
      row("slice",
          plural(slice.cpus, "processor") + ", " + text_of_bytes(slice.memory_bytes) +
              " of memory, " + text_of_bytes(slice.disk_bytes) + " of disk, " +
              (slice.gpus == 0 ? "no GPU" : plural(slice.gpus, "GPU"))) +
      "\n" + row("when", when.empty() ? "never" : when);
  json event = {{"lent", true},
                {"cpus", slice.cpus},
                {"memory_bytes", slice.memory_bytes},
                {"disk_bytes", slice.disk_bytes},
                {"gpus", slice.gpus},
                {"when", when}};
  if (shown.price_per_unit) {
    text += "\n" + row("price", shown.price_per_unit->print() + " for 10^9 operations");
    event["price_per_unit"] = shown.price_per_unit->print();
  }
  report.tell(text, "slice", std::move(event));
}

void tell_benchmark(const model::Benchmark& benchmark, const Report& report) {
  const uint64_t speed = benchmark.operations_per_second;
  const std::string name = model::device_class(benchmark.family, speed);
  constexpr uint64_t tenth = unit / 10;
  const std::string units = std::to_string(speed / unit) + "." + std::to_string(speed / tenth % 10);
  report.tell(row("speed",
                  units + " x 10^9 operations a second on " + plural(benchmark.threads, "thread") +
                      ", class " + name),
              "benchmark",
              {{"operations_per_second", speed},
               {"threads", benchmark.threads},
               {"device_class", name},
               {"measured_ms", benchmark.measured_ms}});
}

void tell_earnings(const Earned& earnings, const Report& report) {
  report.tell(row("earned",
                  earnings.paid.print() + ", and " + earnings.pending.print() +
                      " to become final, for " + plural(earnings.tasks, "task")),
              "earnings",
              {{"tasks", earnings.tasks},
               {"operations", earnings.operations},
               {"paid", earnings.paid.print()},
               {"pending", earnings.pending.print()}});
}

}  // namespace

model::MachineSize size_of(const device::Machine& machine) {
  // A GPU can be lent where a library that computes on it sees it; two may see the same one.
  uint32_t cuda = 0;
  uint32_t opencl = 0;
  for (const device::Gpu& gpu : machine.library_gpus) {
    (gpu.source == device::GpuSource::cuda ? cuda : opencl) += 1;
  }
  return {machine.cpu.usable_threads,
          machine.memory.usable_bytes,
          machine.disk.free_bytes,
          std::max(cuda, opencl)};
}

void tell_lent(const DevicesShown& shown, const Report& report) {
  tell_offer(shown, report);
  if (shown.benchmark) {
    tell_benchmark(*shown.benchmark, report);
  }
}

void tell_devices(const DevicesShown& shown, const Report& report) {
  report.tell("this machine", "devices", json::object());
  tell_machine(shown.machine, report);
  tell_lent(shown, report);
  if (shown.earnings) {
    tell_earnings(*shown.earnings, report);
  }
}

}  // namespace lockstep::apps
