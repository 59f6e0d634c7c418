// What one fold step may open, from the record's shapes alone, and the number of terms that a step
// takes so that its proof stays small. LAW sections 2 and 7.
#pragma once

#include "law/program.h"

namespace lockstep::law {

/// Upper bounds over all steps of all chunks of a record.
struct StepBound {
  int64_t openings = 0;  // 1 KiB chunks of inputs
  int64_t bytes = 0;     // of the proof: the state before, the openings and the inputs' own paths
  int64_t reads = 0;     // elements that the referee looks up
  [[nodiscard]] bool fits() const {
    return bytes <= limits::step_proof_bytes_max && reads <= limits::step_reads_max;
  }
};
/// Of steps of `terms` terms, a power of two of at most limits::step_terms. The shapes of `op` have
/// been checked.
[[nodiscard]] StepBound step_bound(const Op& op, int64_t terms);

/// The terms that a fold step of this record takes: the most of 64, 32, … 1 whose bound fits; 0
/// where none does, and check() refuses the record.
[[nodiscard]] int64_t step_terms(const Op& op);

}  // namespace lockstep::law
