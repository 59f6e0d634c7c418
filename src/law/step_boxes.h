// How many 1 KiB chunks a box of reads can touch, from its axes alone. For src/law/step_bound only.
#pragma once

#include <cstdint>
#include <vector>

namespace lockstep::law {

/// Farther apart, in bytes, than two bytes of any tensor.
inline constexpr int64_t far_apart = int64_t{1} << 50;

/// What one axis of the outputs, or of the terms, does to the place that is read, in elements.
struct Reach {
  int64_t dim = 1;
  int64_t stride = 0;
  /// Of n consecutive coordinates: they read within (n − 1 + widen) / divide + 1 slots, `stride`
  /// apart, but at most `cap`.
  int64_t widen = 0, divide = 1, cap = INT64_MAX;
  /// Each coordinate reads one slot only, any of them.
  bool sparse = false;
  [[nodiscard]] bool plain() const { return widen == 0 && divide == 1 && !sparse; }
  /// What is read moves with the coordinate.
  [[nodiscard]] bool linear() const { return divide == 1 && !sparse; }
  [[nodiscard]] int64_t slots(int64_t n) const;
};
/// Each coordinate reads anywhere, at a multiple of `unit` elements.
[[nodiscard]] Reach anywhere(int64_t dim, int64_t unit);

/// One axis of a box: `count` places within `extent` bytes; regular ones are `spacing` apart.
struct BoxAxis {
  int64_t count = 1, extent = 0;
  int64_t spacing = 0;  // 0: irregular
  int64_t unit = 0;     // bytes that every distance is a multiple of
  int part = -1;        // of the part whose run wraps around this axis; else −1
};

/// What `run` consecutive row-major coordinates read, from a multiple of `run` on: one box, or two
/// where the run wraps around an axis.
struct Part {
  std::vector<BoxAxis> axes;
  int64_t unit = 0;  // bytes that every beginning is a multiple of; 0: there is one only
  bool wraps = false;
  /// Where known: how far the second box lies from where the first would go on. One for each axis
  /// that may carry.
  std::vector<int64_t> carries;
};
/// `run` is a power of two.
[[nodiscard]] Part part_of(int64_t run, const std::vector<Reach>& reaches, int64_t element_bytes);

/// Upper bound of the chunks that the sum of the parts' places touches, `element_bytes` at each;
/// `offset` in bytes is added to every place.
[[nodiscard]] int64_t chunks_touched(const std::vector<Part>& parts,
                                     int64_t element_bytes,
                                     int64_t offset);

}  // namespace lockstep::law
