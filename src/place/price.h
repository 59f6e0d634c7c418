// `--price auto`: what a machine asks for a unit of work (10^9 operations). See docs/pricing.md.
#pragma once

#include <span>

#include "base/amount.h"

namespace lockstep::place {

/// What a unit costs its owner: power alone, as far as the owner said.
struct OwnCost {
  uint64_t operations_per_second = 0;  // by the benchmark
  uint32_t power_watts = 0;            // that working adds
  Amount power_cost;                   // of a kilowatt-hour, not negative
};

/// A recent job, as settled on the ledger. Who collects them leaves out jobs whose requester and
/// provider have one owner.
struct PaidPrice {
  Amount price_per_unit;
  uint64_t operations = 0;
};

enum class PriceSource : uint8_t { market, cost, standard };
[[nodiscard]] const char* name_of(PriceSource source);

struct AutoPrice {
  Amount price_per_unit;
  Amount cost_per_unit;
  PriceSource source = PriceSource::standard;
};

/// Asked where nobody has paid anything yet.
inline constexpr Amount standard_price = Amount::from_nano(Amount::nano_per_whole / 1000);

/// The power for one unit: watts × cost of a kWh × 10^9 / (3,600,000 × operations a second),
/// rounded up. Errors: bad_option where power costs something and the speed is 0; overflow.
[[nodiscard]] Result<Amount> cost_per_unit(const OwnCost& own);

/// The larger of the market's price and the cost. The market's price is the lowest at or below
/// which half of the operations were paid (prices of 0 and jobs without operations do not count),
/// or standard_price where there are none. Errors: those of cost_per_unit.
[[nodiscard]] Result<AutoPrice> auto_price(const OwnCost& own, std::span<const PaidPrice> paid);

}  // namespace lockstep::place
