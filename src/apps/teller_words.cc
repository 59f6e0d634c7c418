// How tasks, hashes and units of work are written for people.
#include "apps/teller.h"

namespace lockstep::apps {

using model::TaskKind;

std::string name_of(const model::TaskTag& tag) {
  const std::string round = " of round " + std::to_string(tag.round + 1);
  switch (tag.kind) {
    case TaskKind::lane:
      return "lane " + std::to_string(tag.part + 1) + round;
    case TaskKind::merge:
      return "merge" + round;
    case TaskKind::evaluate:
      return "evaluation " + std::to_string(tag.part + 1);
    case TaskKind::sum:
      return "sum";
  }
  return "unknown";
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
