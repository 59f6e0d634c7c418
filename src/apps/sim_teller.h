// Tells what happens to a job on a simulated network.
#pragma once

#include "apps/teller.h"
#include "sim/world.h"

namespace lockstep::apps {

class SimTeller final : public sim::Observer {
 public:
  /// Borrows all. The clock times the judging of proofs.
  SimTeller(const Report& report, const model::JobSpec& job, uint64_t operations, env::Clock& clock)
      : report_(report), teller_(report, job, operations, clock) {}
  void watch(sim::World& world);
  void on_notice(uint64_t now_ms, const node::Notice& notice) override;
  void on_machine(uint64_t now_ms, const std::string& name, bool up) override;
  [[nodiscard]] const Teller& teller() const { return teller_; }

 private:
  const Report& report_;
  Teller teller_;
};

}  // namespace lockstep::apps
