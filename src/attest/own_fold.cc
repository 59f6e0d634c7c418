// Fold states that lead to the chunk a trace has.
#include "attest/own_fold.h"

#include <algorithm>

#include "base/check.h"
#include "model/dispute.h"

namespace lockstep::attest {
namespace {

std::vector<ByteView> views_of(const model::StepTrace& trace, const law::Record& record) {
  std::vector<ByteView> views;
  for (const law::Source& source : record.inputs) {
    views.emplace_back(input_bytes(trace, source));
  }
  return views;
}

ByteView chunk_of(ByteView bytes, uint64_t chunk) {
  constexpr uint64_t size = limits::chunk_bytes;
  CHECK(chunk < crypto::chunk_count(bytes.size()));
  return bytes.subspan(chunk * size, std::min(size, bytes.size() - chunk * size));
}

}  // namespace

const Bytes& input_bytes(const model::StepTrace& trace, const law::Source& source) {
  switch (source.from) {
    case law::From::state:
      return trace.before[source.index];
    case law::From::constant:
      return trace.constants[source.index];
    default:
      return trace.outputs[source.index];
  }
}

OwnFold::OwnFold(const law::Program& program,
                 const model::StepTrace& trace,
                 uint32_t record,
                 uint64_t chunk)
    : op_(law::op_of(program, record)),
      fold_(op_, static_cast<int64_t>(chunk)),
      reader_(op_, views_of(trace, program.records[record])),
      chunk_(chunk_of(trace.outputs[record], chunk)) {}

law::FoldState OwnFold::before(uint64_t step, std::vector<Hash>* hashes) {
  CHECK(step <= steps());
  law::FoldState state;
  for (uint64_t i = 0; i < step; ++i) {
    fold_.run(static_cast<int64_t>(i), state, reader_);
    std::copy_n(chunk_.begin(), state.done.size(), state.done.begin());
    if (hashes != nullptr) {
      hashes->push_back(model::fold_state_hash(state.bytes(fold_.accumulator())));
    }
  }
  return state;
}

}  // namespace lockstep::attest
