// `lockstep devices`: what this machine has, what of it is lent, and what that has earned.
#pragma once

#include <optional>

#include "apps/report.h"
#include "device/machine.h"
#include "model/benchmark.h"
#include "model/slice.h"

namespace lockstep::apps {

/// What a provider of this machine has made, as the ledger has it.
struct Earned {
  uint64_t tasks = 0;
  uint64_t operations = 0;
  Amount pending;  // claimed, and not final yet
  Amount paid;
};

/// Everything to be shown. Where nothing is lent there is no slice.
struct DevicesShown {
  device::Machine machine;
  std::optional<model::Slice> slice;
  std::optional<model::Benchmark> benchmark;
  std::optional<Amount> price_per_unit;
  std::optional<Earned> earnings;
};

/// What a slice is cut from.
[[nodiscard]] model::MachineSize size_of(const device::Machine& machine);

/// A table for people; for scripts the events "machine", "cpu", "cache", "numa", "gpu", "note",
/// "slice", "benchmark" and "earnings", one for each entry.
void tell_devices(const DevicesShown& shown, const Report& report);
/// Of them what is lent, and how fast it is.
void tell_lent(const DevicesShown& shown, const Report& report);

}  // namespace lockstep::apps
