// For tests: a job with two leases, whose claims are paid to the last nano.
#pragma once

#include <gtest/gtest.h>

#include "ledger/test_world.h"

namespace lockstep::ledger::test {

class Claims : public testing::Test {
 protected:
  std::vector<Work> works(const LeaseId& id, const Party& by, uint32_t first, uint32_t n) {
    std::vector<Work> all;
    for (uint32_t part = first; part < first + n; ++part) {
      all.push_back(world.work(id, by, {.part = part, .reads = {}}));
    }
    return all;
  }
  /// Of so many tasks, at 0.001 LKS an operation.
  Amount price(uint64_t tasks) {
    return nano(static_cast<int64_t>(tasks * world.step_cost()) * 1'000'000);
  }
  Amount balance(const Party& party) { return world.account(party.owner).balance; }
  /// Blocks with nothing in them until the ledger is at rest.
  void rest() {
    for (int i = 0; i < 1000; ++i) {
      const auto due = world.ledger().next_due_ms();
      if (!due) {
        return;
      }
      world.block({}, std::max(*due, world.now() + 100) - world.now());
    }
    FAIL() << "the ledger never comes to rest";
  }
  Events close_job() { return world.must(world.requester.node, model::CloseJob{job}); }

  World world;
  Party a = world.providers[0], b = world.providers[1];
  JobId job = world.open_job(world.terms());
  LeaseId lease_a = world.open_lease(job, a), lease_b = world.open_lease(job, b);
};

}  // namespace lockstep::ledger::test
