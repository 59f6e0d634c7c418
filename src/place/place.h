// Matching: which offers can do a job's tasks, in which order they are taken, why others are not,
// and what the job costs.
#pragma once

#include "model/job_spec.h"
#include "model/market.h"

namespace lockstep::place {

/// What a task needs of a machine, and what the requester is willing to pay.
struct Needs {
  model::ResourceSpec resources;
  uint64_t memory_bytes = 0;  // that the engine needs for the largest task; 0 is unknown
  uint64_t operations = 0;    // of the job
  uint64_t tasks = 0;
  uint32_t share_millionths = 0;  // drawn for audit
  std::optional<Amount> budget;
  crypto::PublicKey requester_owner;
  uint64_t now_ms = 0;
  uint32_t machines = 0;  // how many leases at most; 0 is as many as match
};

struct Offer {
  model::Signed signed_quote;  // checked by whoever received it
  model::Quote quote;
  Amount unlocked_stake;  // of its owner, as the ledger says
  Amount bond;            // that a lease adds to the work price it locks twice
};

/// Numbers are for scripts: never renumber.
enum class Constraint : uint8_t {
  expired = 0,
  own_machine = 1,  // a provider of the requester itself
  cpus = 2,
  memory = 3,
  gpu = 4,
  stake = 5,
  budget = 6,  // its price alone would take the job over the budget
};
[[nodiscard]] const char* name_of(Constraint constraint);

/// What one offer fails, with figures: "memory: needs 2 GB, offers 64 MB".
struct Failed {
  Constraint constraint = Constraint::expired;
  std::string text;
};
struct Judged {
  size_t offer = 0;            // index of the input
  std::vector<Failed> failed;  // empty: it matches
  bool taken = false;
};

struct Plan {
  std::vector<Judged> ranked;  // those taken first, then other matches, then the rest; all of them
  Amount price_per_unit;       // the highest accepted
  Amount work_price;
  Amount audit_budget;
  Amount total;  // what goes into escrow
};

/// Hard constraints drop offers; the rest is ranked by price a unit, then speed (higher first),
/// then memory, then name and node key. Taken are the first `machines`; where the highest price
/// among them takes the total over the budget, dearer ones are dropped. Errors: no_offer when
/// nothing matches: `what` names each constraint with the number of offers it removed, `next` what
/// to relax; over_budget when offers match but the cheapest of them costs more than the budget:
/// with both amounts; overflow.
[[nodiscard]] Result<Plan> plan(const Needs& needs, std::span<const Offer> offers);

/// "2 GB", "64 MB": decimal units, at most one decimal.
[[nodiscard]] std::string text_of_bytes(uint64_t bytes);

}  // namespace lockstep::place
