// `lockstep provide`: lends a slice of this machine to a network.
#pragma once

#include <string>

#include "apps/devices.h"
#include "ledger/state.h"
#include "place/price.h"
#include "spec/slice.h"

namespace lockstep::apps {

struct ProvideOptions {
  std::string folder;      // of the provider; empty: the usual one
  std::string join;        // ADDRESS#NODEID; needed the first time
  spec::SliceFlags slice;  // what is not said stays as it was
  spec::PriceFlags price;
  std::optional<std::string> owner;  // a wallet's name; none: a key made in the folder
  std::optional<std::string> stake;
  std::optional<std::string> name;
  std::string wallet_folder;
  std::string passphrase_file;
  uint64_t benchmark_ms = 10'000;
  bool background = false;
  bool json = false;
};

/// Joins, registers, measures, and starts the node; again with other numbers it changes what is
/// lent. In the foreground until Ctrl-C.
Exit provide(const ProvideOptions& options);

/// `lockstep devices`: this machine, and what a provider in this folder lends and has earned; the
/// ledger is asked, but not waited for. No thread may run yet.
Exit show_devices(const std::string& folder, bool json);

/// What the ledger says of a node's work.
[[nodiscard]] Earned earnings_of(const ledger::State& state, const crypto::PublicKey& node);
/// Prices of the last 30 days, without jobs whose owner is the provider's.
[[nodiscard]] std::vector<place::PaidPrice> paid_prices(const ledger::State& state);

}  // namespace lockstep::apps
