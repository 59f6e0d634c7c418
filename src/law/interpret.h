// One step of a program by the law alone: the oracle that executors and gradients are tested with.
#pragma once

#include <span>
#include <vector>

#include "law/program.h"

namespace lockstep::law {

/// Evaluates every record of `program` with law::evaluate, in order, and returns the next value of
/// each leaf: the output of its writer, or a copy of `leaves` where it has none. `program` has
/// passed check(); `leaves` and `constants` stand in its order with its shapes (CHECKed). All
/// outputs are held until the end; where `values` is not null it receives them, one per record.
/// Slow on purpose: scalar code, one output element after the other.
[[nodiscard]] std::vector<Tensor> run_step(const Program& program,
                                           std::span<const Tensor> leaves,
                                           std::span<const Tensor> constants,
                                           std::vector<Tensor>* values);

}  // namespace lockstep::law
