// What an owner has said about a provider of this machine, kept in its folder:
//   network.json   the network, and this machine as its only member here
//   slice.yaml     what is lent; may be edited
//   provide.json   price, owner, stake, and the last benchmark
//   provider/      of the node, the only folder that its process sees
//   wallets/       an owner's key that was made here, not sealed
#pragma once

#include "apps/network_folder.h"
#include "model/benchmark.h"
#include "spec/slice.h"

namespace lockstep::apps {

inline constexpr const char* provider_member = "provider";
inline constexpr const char* slice_file_name = "slice.yaml";
inline constexpr const char* provide_file_name = "provide.json";

struct ProvideFile {
  std::string name;    // in quotes
  std::string wallet;  // of the owner; empty: the key under wallets/
  crypto::PublicKey owner;
  Amount stake;
  spec::PriceFlags price;  // as typed, and checked
  std::optional<model::Benchmark> benchmark;
};
[[nodiscard]] std::string write_provide_file(const ProvideFile& file);
/// Nothing where there is none. Errors: bad_folder, io_failed.
[[nodiscard]] Result<std::optional<ProvideFile>> read_provide_file(const std::string& folder);
[[nodiscard]] Result<void> save(const std::string& folder, const ProvideFile& file);

/// What was lent last; nothing where nothing was. `machine` is what there is.
[[nodiscard]] Result<std::optional<model::Slice>> read_slice(const std::string& folder,
                                                             const model::MachineSize& machine);
[[nodiscard]] Result<void> save(const std::string& folder, const model::Slice& slice);

/// The flags that give this slice again.
[[nodiscard]] spec::SliceFlags flags_of(const model::Slice& slice);
/// `said` where it says something, otherwise `kept`.
[[nodiscard]] spec::SliceFlags merged(const spec::SliceFlags& said, const spec::SliceFlags& kept);
/// The same; a price and the two about power are each said or kept together.
[[nodiscard]] spec::PriceFlags merged(const spec::PriceFlags& said, const spec::PriceFlags& kept);

/// `chosen`, or the usual one. Errors: bad_folder.
[[nodiscard]] Result<std::string> provider_folder(const std::string& chosen);

}  // namespace lockstep::apps
