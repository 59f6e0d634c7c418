// The fold of one output chunk over a trace's bytes. For src/attest only.
#pragma once

#include "law/fold.h"
#include "model/task.h"

namespace lockstep::attest {

/// Bytes of what an input of a record reads.
[[nodiscard]] const Bytes& input_bytes(const model::StepTrace& trace, const law::Source& source);

/// Borrows the program and the trace. Stays where it is: the fold refers to the op.
class OwnFold {
 public:
  OwnFold(const law::Program& program,
          const model::StepTrace& trace,
          uint32_t record,
          uint64_t chunk);
  OwnFold(const OwnFold&) = delete;
  OwnFold& operator=(const OwnFold&) = delete;

  [[nodiscard]] uint64_t steps() const { return static_cast<uint64_t>(fold_.steps()); }
  /// The state before `step`. Finished outputs are those of the trace, so that a chain of states
  /// leads to the chunk that the trace has, right or wrong. `hashes`, where not null, receives
  /// those of s_1 … s_step.
  [[nodiscard]] law::FoldState before(uint64_t step, std::vector<Hash>* hashes);
  [[nodiscard]] const law::Op& op() const { return op_; }
  [[nodiscard]] const law::Fold& fold() const { return fold_; }
  [[nodiscard]] law::Reader& reader() { return reader_; }

 private:
  law::Op op_;
  law::Fold fold_;
  law::TensorReader reader_;
  ByteView chunk_;
};

}  // namespace lockstep::attest
