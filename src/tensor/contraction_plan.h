// Every contraction and convolution as the same dense problem: rows × columns of outputs, each a
// chain over terms, where addresses in all operands are affine in three nested loops.
#pragma once

#include <cstddef>
#include <cstdint>

#include "law/program.h"

namespace lockstep::tensor {

/// Three nested loops, the last one innermost, and the strides (in elements) of two operands.
struct Loop {
  int64_t size[3] = {1, 1, 1};
  int64_t a[3] = {0, 0, 0};
  int64_t b[3] = {0, 0, 0};
  [[nodiscard]] int64_t count() const { return size[0] * size[1] * size[2]; }
  /// Element r of the walk is at b + r·step for every r.
  [[nodiscard]] bool uniform_b() const {
    return (size[1] == 1 || b[1] == size[2] * b[2]) &&
           (size[0] == 1 || b[0] == size[1] * size[2] * b[2]);
  }
};

/// Walks a Loop from any place, carrying both offsets.
class Cursor {
 public:
  Cursor(const Loop& loop, int64_t start, int64_t a_base, int64_t b_base) : loop_(loop) {
    at_[2] = start % loop.size[2];
    at_[1] = start / loop.size[2] % loop.size[1];
    const int64_t outer = start / loop.size[2] / loop.size[1];
    a = a_base + outer * loop.a[0] + at_[1] * loop.a[1] + at_[2] * loop.a[2];
    b = b_base + outer * loop.b[0] + at_[1] * loop.b[1] + at_[2] * loop.b[2];
  }
  void next() {
    a += loop_.a[2];
    b += loop_.b[2];
    if (++at_[2] != loop_.size[2]) {
      return;
    }
    at_[2] = 0;
    a += loop_.a[1] - loop_.size[2] * loop_.a[2];
    b += loop_.b[1] - loop_.size[2] * loop_.b[2];
    if (++at_[1] != loop_.size[1]) {
      return;
    }
    at_[1] = 0;
    a += loop_.a[0] - loop_.size[1] * loop_.a[1];
    b += loop_.b[0] - loop_.size[1] * loop_.b[1];
  }

  int64_t a = 0, b = 0;

 private:
  Loop loop_;
  int64_t at_[3] = {0, 0, 0};
};

/// out[row, column] = chain over terms of a[row, term] · b[term, column]. Output columns are
/// contiguous.
struct Problem {
  int64_t a = 0, b = 0, out = 0;  // where element 0 of each is
  Loop rows;                      // strides in a and in out
  Loop terms;                     // in range order; strides in a and in b
  int64_t columns = 0, b_column = 1;
};

/// The zero-padded copy of the first operand of a convolution: [n, high, wide, c], the image at
/// (low_h, low_w). It holds exactly what the taps reach, so it may also crop.
struct Padding {
  bool needed = false;
  int64_t n = 0, h = 0, w = 0, c = 0;
  int64_t low_h = 0, low_w = 0, high = 0, wide = 0;
};

/// One spatial axis of the forward convolution.
struct Axis {
  int64_t x = 0, k = 0, y = 0, stride = 1, dilation = 1, low = 0;
};

struct Plan {
  law::Kind kind = law::Kind::contract;
  bool fits = false;      // sizes are such that the kernels can run it
  int64_t problems = 0;   // independent of one another; together they write every output once
  int64_t most_rows = 0;  // of any problem
  int64_t columns = 0;    // of every problem
  Padding padding;
  Axis h, w;
  int64_t n = 0, ci = 0, co = 0, groups = 1;
  int64_t a_line = 0, a_plane = 0;  // strides of the first operand, padded or not
  int64_t m = 0, k = 0;             // contract
  bool a_transposed = false, b_transposed = false;
};

/// Does not allocate.
[[nodiscard]] Plan plan_contraction(const law::Op& op);
[[nodiscard]] Problem problem_of(const Plan& plan, int64_t index);

}  // namespace lockstep::tensor
