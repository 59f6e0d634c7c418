// The built-in machines of a simulated network.
#include "sim/world.h"

namespace lockstep::sim {

std::vector<node::Machine> world_table(uint32_t count) {
  constexpr uint64_t gigabyte = 1'000'000'000;
  constexpr uint64_t units_per_second = 10'000'000'000;  // 10 units/s in operations
  struct Row {
    const char* price;
    uint64_t memory;
    uint32_t cpus;
    const char* device_class;
    const char* region;
  };
  static constexpr Row rows[] = {
      {"0.02 LKS", 8 * gigabyte, 4, "cpu-avx2", "eu-west"},
      {"0.018 LKS", 16 * gigabyte, 8, "cpu-avx2", "eu-north"},
      {"0.015 LKS", 4 * gigabyte, 2, "cpu-portable", "us-east"},
  };
  static constexpr Row small = {"0.001 LKS", gigabyte / 1000 * 64, 1, "cpu-portable", "eu-west"};
  std::vector<node::Machine> table;
  for (uint32_t i = 0; i <= count; ++i) {
    const Row& row = i == count ? small : rows[i % std::size(rows)];
    table.push_back({"provider-" + std::to_string(i + 1),
                     *Amount::parse(row.price),
                     units_per_second,
                     row.memory,
                     row.cpus,
                     row.device_class,
                     row.region});
  }
  return table;
}

}  // namespace lockstep::sim
