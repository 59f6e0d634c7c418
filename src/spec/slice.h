// What an owner lends, read from flags or from the slice file, and checked against the machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/amount.h"
#include "model/slice.h"

namespace lockstep::spec {

/// Text as the owner wrote it. Nothing means the default: half of the processors (at least one) and
/// of the memory, 10 GB of disk or half of what is free, no GPU, at any time.
struct SliceFlags {
  std::optional<std::string> cpus, memory, disk, gpu, when;
};

/// cpus is a count, or a share of the machine: "50%", rounded down. memory and disk are sizes with
/// a unit (B, kB, MB, GB, TB or KiB, MiB, GiB, TiB; up to six decimals where that is whole bytes),
/// or a share. gpu is "none" or a count. Errors, `where` the flag: wrong_type for what is no such
/// text, out_of_range for nothing, or more than the machine has; those of parse_when.
[[nodiscard]] Result<model::Slice> parse_slice_flags(const SliceFlags& flags,
                                                     const model::MachineSize& machine);

/// Reads a slice file, which an owner may also write by hand: the same values as YAML, all of them
/// needed.
///
///     cpus: 1
///     memory: 4GB
///     disk: 10GB
///     gpu: none
///     when: "mon-fri 22:00-07:00, idle"
///
/// Errors, `where` "path:line:column": those of parse_yaml and of parse_slice_flags; unknown_key,
/// duplicate_key, missing_key.
[[nodiscard]] Result<model::Slice> parse_slice_file(std::string_view text,
                                                    std::string_view path,
                                                    const model::MachineSize& machine);
/// A slice file that reads back to the same slice, on any machine that is large enough.
[[nodiscard]] std::string slice_file(const model::Slice& slice);

/// "4GB", "512MiB", "1001B": the shortest exact text, decimal units first.
[[nodiscard]] std::string size_text(uint64_t bytes);

/// What --price, --power-watts and --power-cost ask for.
struct PriceFlags {
  std::optional<std::string> price, power_watts, power_cost;
};
struct PriceWish {
  std::optional<Amount> fixed;  // of a unit; none: found by place::price_of_machine()
  uint32_t power_watts = 0;
  Amount power_cost;  // of a kilowatt-hour
};
/// price is "auto" (the default) or an amount above 0; watts up to 100,000; a cost of power from 0.
/// Errors, `where` the flag: wrong_type, out_of_range; missing_key where only one of watts and cost
/// is given.
[[nodiscard]] Result<PriceWish> parse_price_flags(const PriceFlags& flags);

}  // namespace lockstep::spec
