// How tasks, hashes and units of work are written for people.
#include "apps/teller.h"
#include "plan/kind.h"

namespace lockstep::apps {

std::string name_of(const model::TaskTag& tag) {
  return plan::name_of(tag);
}

std::string exact_units(uint64_t operations) {
  constexpr uint64_t operations_per_unit = 1'000'000'000;
  std::string text = std::to_string(operations / operations_per_unit);
  std::string fraction = std::to_string(operations_per_unit + operations % operations_per_unit);
  fraction.erase(0, 1);
  while (!fraction.empty() && fraction.back() == '0') {
    fraction.pop_back();
  }
  return fraction.empty() ? text : text + "." + fraction;
}

std::string short_hex(const Hash& hash) {
  return to_hex(hash.view()).substr(0, 12);
}

std::string units_of(uint64_t operations) {
  return text_of("%.3f", static_cast<double>(operations) * 1e-9);
}

}  // namespace lockstep::apps
