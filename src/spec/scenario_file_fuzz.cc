// Any bytes as a scenario file: read or refused as the input's fault, with a place; and what is
// read keeps its promises.
#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "spec/scenario_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scenario = lockstep::spec::parse_scenario(text, "f.yaml");
  if (!scenario.ok()) {
    CHECK(!scenario.error().is_fault());
    CHECK(scenario.error().where.starts_with("f.yaml:") && !scenario.error().what.empty());
    return 0;
  }
  CHECK(!scenario->name.empty() && !scenario->about.empty());
  CHECK(scenario->providers >= 1 && scenario->providers <= 16 && scenario->auditors <= 16);
  CHECK(scenario->claim_every >= 1 && scenario->claim_every <= 9);
  CHECK(scenario->verify.share_millionths <= 1'000'000 && scenario->loss_millionths < 1'000'000);
  for (const auto& [machine, lie] : scenario->cheats) {
    CHECK(machine.starts_with("provider-") && (lie == "skip" || lie == "bitflip"));
  }
  return 0;
}
