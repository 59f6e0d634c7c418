// Which faults the guarantees of docs/fault_model.md allow for, and random plans of such faults.
#pragma once

#include "base/result.h"
#include "model/faults.h"
#include "model/genesis.h"

namespace lockstep::sim {

/// Errors: bad_option, `where` names the fault.
[[nodiscard]] Result<void> within_model(const model::Faults& faults, const model::Genesis& genesis);

/// A plan that is within the model of a network with the usual times. All its faults are over at
/// faults_over_ms() and every machine is up.
[[nodiscard]] model::Faults random_faults(uint64_t seed, uint32_t providers, uint32_t auditors);

/// The same of the requester's machine alone: it crashes, its disk is full, its book rots.
[[nodiscard]] model::Faults requester_faults(uint64_t seed);

/// When nothing is wrong any more: the end of the last fault.
[[nodiscard]] uint64_t faults_over_ms(const model::Faults& faults);

}  // namespace lockstep::sim
