// One fold step on opened bytes: what a referee runs, and the reader that tells a prover which
// bytes to open. LAW sections 2 and 7. Hashes and paths are not checked here.
#pragma once

#include <optional>
#include <set>
#include <span>

#include "law/fold.h"

namespace lockstep::law {

/// Chunk `chunk` (1 KiB, the last may be short) of the bytes of input `input`.
struct OpenedChunk {
  uint32_t input = 0;
  int64_t chunk = 0;
  ByteView data;
};

/// A fold step of a record of ordinary strides reads a few hundred chunks; this only bounds the
/// work.
inline constexpr size_t openings_max = 8192;

/// Runs fold step `step` of output chunk `chunk` from the state `before` and returns the state
/// after it. Nothing when inadmissible: a byte that is read is not opened, an opening is not read,
/// they are not ascending by (input, chunk) or have a wrong size, the state's length is not the one
/// that the record gives, or a NaN in it is not the canonical one, or there are more than
/// openings_max openings. (A bool of another value than 0 and 1 may stand in a state: views pass it
/// on.) `op` has passed check(); chunk and step are in range (CHECKed).
[[nodiscard]] std::optional<FoldState> run_opened(const Op& op,
                                                  int64_t chunk,
                                                  int64_t step,
                                                  ByteView before,
                                                  std::span<const OpenedChunk> openings);

/// Fold state from its bytes: the inverse of FoldState::bytes for a state before `step`. Nothing
/// when the length differs or an accumulator's NaN is not canonical.
[[nodiscard]] std::optional<FoldState> state_of(const Fold& fold, int64_t step, ByteView bytes);

/// Passes reads on and remembers the chunks they touched.
class RecordingReader final : public Reader {
 public:
  RecordingReader(const Op& op, Reader& inner);
  uint64_t bits(uint32_t input, int64_t element) override;
  /// (input, chunk), ascending.
  [[nodiscard]] const std::set<std::pair<uint32_t, int64_t>>& touched() const { return touched_; }

 private:
  std::vector<int64_t> sizes_;  // bytes of an element, by input
  std::vector<int64_t> last_;   // the chunk read last, by input: most reads follow one another
  Reader& inner_;
  std::set<std::pair<uint32_t, int64_t>> touched_;
};

/// 1 KiB chunks of an output's bytes; at least one.
[[nodiscard]] int64_t chunks_of(const Shape& shape);

}  // namespace lockstep::law
