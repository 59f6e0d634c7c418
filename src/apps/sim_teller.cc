#include "apps/sim_teller.h"

namespace lockstep::apps {

void SimTeller::watch(sim::World& world) {
  const auto block_at = [&world](uint64_t height) -> std::optional<model::Block> {
    auto blocks = world.sequencer().blocks(height, 1);
    if (!blocks.ok() || blocks->empty()) {
      return std::nullopt;
    }
    return std::move(blocks->front());
  };
  teller_.watch(world.requester(),
                {[&world](const crypto::PublicKey& key) { return world.name_of(key); }, block_at});
}

void SimTeller::on_notice(uint64_t now_ms, const node::Notice& notice) {
  report_.at(now_ms);
  teller_.on_notice(notice);
}

void SimTeller::on_machine(uint64_t now_ms, const std::string& name, bool up) {
  report_.at(now_ms);
  report_.tell("machine: " + name + (up ? " is back" : " has crashed"),
               "machine",
               {{"time_ms", now_ms}, {"name", name}, {"up", up}});
}

}  // namespace lockstep::apps
