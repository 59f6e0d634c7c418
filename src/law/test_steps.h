// For tests only: an output made of single fold steps, as a dispute goes through them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "law/referee.h"

namespace lockstep::law::test {

/// The bytes of the whole output, each fold step taken by the referee from the state before it and
/// from the chunks that the step reads. Adds the steps taken to `steps`.
inline Bytes stepped(const Op& op, const std::vector<ByteView>& inputs, int64_t& steps) {
  Bytes whole;
  for (int64_t chunk = 0; chunk * limits::chunk_bytes < op.record->out.bytes(); ++chunk) {
    const Fold fold(op, chunk);
    EXPECT_LE(fold.steps(), steps_max(op));
    FoldState state;
    for (int64_t step = 0; step < fold.steps(); ++step, ++steps) {
      EXPECT_EQ(fold.size_before(step), std::pair(state.done.size(), state.acc.size()));
      const Bytes before = state.bytes(fold.accumulator());
      TensorReader tensors(op, inputs);
      RecordingReader recorder(op, tensors);
      fold.run(step, state, recorder);
      std::vector<OpenedChunk> openings;
      for (const auto& [input, at] : recorder.touched()) {
        const auto first = static_cast<size_t>(at * limits::chunk_bytes);
        const ByteView data = inputs[input].subspan(first);
        openings.push_back(
            {input, at, data.first(std::min<size_t>(data.size(), limits::chunk_bytes))});
      }
      const auto after = run_opened(op, chunk, step, before, openings);
      EXPECT_TRUE(after.has_value() && *after == state) << "step " << step;
    }
    whole.insert(whole.end(), state.done.begin(), state.done.end());
  }
  return whole;
}

}  // namespace lockstep::law::test
