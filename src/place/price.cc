#include "place/price.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace lockstep::place {
namespace {

__extension__ using Wide = unsigned __int128;

std::optional<Amount> market_price(std::span<const PaidPrice> paid) {
  std::vector<PaidPrice> counted;
  counted.reserve(paid.size());
  Wide total = 0;
  for (const PaidPrice& one : paid) {
    if (one.operations > 0 && one.price_per_unit > Amount()) {
      counted.push_back(one);
      total += one.operations;
    }
  }
  std::sort(counted.begin(), counted.end(), [](const PaidPrice& a, const PaidPrice& b) {
    return a.price_per_unit < b.price_per_unit;
  });
  Wide below = 0;
  for (const PaidPrice& one : counted) {
    below += one.operations;
    if (below * 2 >= total) {
      return one.price_per_unit;
    }
  }
  return std::nullopt;
}

}  // namespace

const char* name_of(PriceSource source) {
  switch (source) {
    case PriceSource::market:
      return "market";
    case PriceSource::cost:
      return "cost";
    case PriceSource::standard:
      return "standard";
  }
  return "unknown";
}

Result<Amount> cost_per_unit(const OwnCost& own) {
  if (own.power_watts == 0 || own.power_cost <= Amount()) {
    return Amount();
  }
  if (own.operations_per_second == 0) {
    return refuse(Code::bad_option,
                  "the cost of power for a unit of work follows from the machine's speed",
                  "run the benchmark first",
                  "--power-cost");
  }
  constexpr uint64_t unit = 1'000'000'000;
  constexpr uint64_t watt_seconds = 3'600'000;  // of a kilowatt-hour
  // Below 2^32 · 2^63 · 2^30.
  const Wide spent = Wide{own.power_watts} * static_cast<uint64_t>(own.power_cost.nano()) * unit;
  const Wide speed = Wide{watt_seconds} * own.operations_per_second;
  const Wide cost = (spent + speed - 1) / speed;
  if (cost > static_cast<Wide>(INT64_MAX)) {
    return refuse(Code::overflow,
                  "the power for one unit of work costs more than any amount of money",
                  "check --power-watts and --power-cost",
                  "--power-cost");
  }
  return Amount::from_nano(static_cast<int64_t>(cost));
}

Result<AutoPrice> auto_price(const OwnCost& own, std::span<const PaidPrice> paid) {
  const Amount cost = TRY(cost_per_unit(own));
  const std::optional<Amount> market = market_price(paid);
  const Amount asked = market.value_or(standard_price);
  if (cost > asked) {
    return AutoPrice{cost, cost, PriceSource::cost};
  }
  return AutoPrice{asked, cost, market ? PriceSource::market : PriceSource::standard};
}

}  // namespace lockstep::place
