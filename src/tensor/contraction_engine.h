// Runs a contraction plan: pads, cuts outputs into parts for the workers, closes a segment after
// every 512 terms, and leaves the arithmetic to a Micro. For src/tensor/contraction_*.cc only.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/check.h"
#include "tensor/contraction_plan.h"
#include "tensor/kernel.h"

namespace lockstep::tensor {

inline constexpr int tile_rows_max = 9;
inline constexpr int panel_wide = 16;
inline constexpr int panel_narrow = 8;

/// A few rows by one panel of columns, over the terms of one segment. The chain of each output
/// starts at +0; its sum is written when `first`, otherwise added to what `out` holds; when `last`,
/// NaN is made canonical.
template <class T>
struct Tile {
  const T* a[tile_rows_max] = {};
  T* out[tile_rows_max] = {};
  const int64_t* offsets = nullptr;  // term t of row i is a[i][offsets[t]]
  int64_t terms = 0;
  const T* b = nullptr;  // term t has the panel's columns at b + t·b_step; the panel's full width
  int64_t b_step = 0;    // may be read
  int rows = 0;
  int columns = 0;  // of the panel, that exist
  int width = 0;    // panel_wide or panel_narrow
  bool first = false, last = false;
};

template <class T>
struct WorkerScratch {
  alignas(64) T panel[limits::segment_terms * panel_wide];
  alignas(64) int64_t a_offsets[limits::segment_terms];
  int64_t b_offsets[limits::segment_terms];
};

[[nodiscard]] inline size_t padded_bytes(const Plan& plan, size_t element) {
  const Padding& p = plan.padding;
  const int64_t count = p.needed ? p.n * p.high * p.wide * p.c : 0;
  return (static_cast<size_t>(count) * element + 63) / 64 * 64;
}

template <class T>
[[nodiscard]] size_t contraction_scratch(const law::Op& op, int workers) {
  return padded_bytes(plan_contraction(op), sizeof(T)) +
         static_cast<size_t>(workers) * sizeof(WorkerScratch<T>);
}

/// Micro has `static int rows(int width)`, at most tile_rows_max, and
/// `static void run(const Tile<T>&)`.
template <class T, class Micro>
class Contraction {
 public:
  explicit Contraction(const Call& call)
      : plan_(plan_contraction(call.op)),
        workers_(call.workers),
        source_(reinterpret_cast<const T*>(call.in[0].data())),
        b_(reinterpret_cast<const T*>(call.in[1].data())),
        out_(reinterpret_cast<T*>(call.out.data())) {
    const size_t padded = padded_bytes(plan_, sizeof(T));
    const auto workers = static_cast<size_t>(workers_.count());
    CHECK(call.scratch.size() >= padded + workers * sizeof(WorkerScratch<T>));
    padded_ = reinterpret_cast<T*>(call.scratch.data());
    a_ = plan_.padding.needed ? padded_ : source_;
    scratch_ = reinterpret_cast<WorkerScratch<T>*>(call.scratch.data() + padded);
  }

  void run() {
    if (plan_.problems == 0 || plan_.most_rows == 0 || plan_.columns == 0) {
      return;
    }
    if (plan_.padding.needed) {
      workers_.run(plan_.padding.n, [this](int64_t image, int) { pad(image); });
    }
    panels_ = (plan_.columns + panel_wide - 1) / panel_wide;
    // Enough blocks of rows to keep the workers busy; not so many that a block packs for nothing.
    const int64_t wanted = workers_.count() == 1 ? 1 : 4 * workers_.count();
    const int64_t blocks = (wanted - 1) / (plan_.problems * panels_) + 1;
    const int64_t rows = (plan_.most_rows - 1) / blocks + 1;
    block_rows_ = std::min<int64_t>(block_rows_max, (rows + 17) / 18 * 18);
    blocks_ = (plan_.most_rows - 1) / block_rows_ + 1;
    workers_.run(plan_.problems * panels_ * blocks_,
                 [this](int64_t index, int worker) { part(index, worker); });
  }

 private:
  static constexpr int64_t block_rows_max = 252;  // a multiple of both tile heights, 6 and 9

  /// One block of rows by one panel of columns of one problem.
  struct Part {
    Problem problem;
    int64_t first_row = 0, rows = 0, first_column = 0;
    int columns = 0, width = 0;
    WorkerScratch<T>* scratch = nullptr;
  };

  void pad(int64_t image) {
    const Padding& p = plan_.padding;
    const int64_t line = p.wide * p.c;
    const int64_t copied = std::clamp<int64_t>(p.wide - p.low_w, 0, p.w) * p.c;
    const int64_t before = std::min(p.low_w, p.wide) * p.c;
    T* to = padded_ + image * p.high * line;
    for (int64_t row = 0; row < p.high; ++row, to += line) {
      const int64_t h = row - p.low_h;
      if (h < 0 || h >= p.h || copied == 0) {
        std::fill_n(to, line, T{0});
        continue;
      }
      const T* from = source_ + (image * p.h + h) * p.w * p.c;
      std::fill_n(to, before, T{0});
      std::memcpy(to + before, from, static_cast<size_t>(copied) * sizeof(T));
      std::fill_n(to + before + copied, line - before - copied, T{0});
    }
  }

  void part(int64_t index, int worker) {
    Part part;
    part.problem = problem_of(plan_, index / panels_ / blocks_);
    part.first_column = index / blocks_ % panels_ * panel_wide;
    part.columns =
        static_cast<int>(std::min<int64_t>(panel_wide, part.problem.columns - part.first_column));
    part.width = part.columns > panel_narrow ? panel_wide : panel_narrow;
    part.first_row = index % blocks_ * block_rows_;
    part.rows = std::min(block_rows_, part.problem.rows.count() - part.first_row);
    part.scratch = scratch_ + worker;
    if (part.rows <= 0) {
      return;
    }
    const int64_t terms = part.problem.terms.count();
    if (terms == 0) {
      clear(part);
      return;
    }
    Cursor cursor(part.problem.terms, 0, 0, part.problem.b);
    for (int64_t at = 0; at < terms; at += limits::segment_terms) {
      Tile<T> tile;
      tile.terms = std::min(limits::segment_terms, terms - at);
      tile.first = at == 0;
      tile.last = at + tile.terms == terms;
      segment(part, cursor, tile);
    }
  }

  /// An empty range is +0.
  void clear(const Part& part) {
    const Problem& p = part.problem;
    Cursor row(p.rows, part.first_row, 0, p.out + part.first_column);
    for (int64_t i = 0; i < part.rows; ++i, row.next()) {
      std::fill_n(out_ + row.b, part.columns, T{0});
    }
  }

  void segment(const Part& part, Cursor& cursor, Tile<T>& tile) {
    const Problem& p = part.problem;
    WorkerScratch<T>& scratch = *part.scratch;
    for (int64_t t = 0; t < tile.terms; ++t, cursor.next()) {
      scratch.a_offsets[t] = cursor.a;
      scratch.b_offsets[t] = cursor.b;
    }
    tile.offsets = scratch.a_offsets;
    tile.width = part.width;
    tile.columns = part.columns;
    const bool few_rows = part.rows <= 4 * tile_rows_max;
    const bool packed_already = p.terms.b[2] == part.width;
    if (p.b_column == 1 && part.columns == part.width && p.terms.uniform_b() &&
        (few_rows || packed_already)) {
      tile.b = b_ + scratch.b_offsets[0] + part.first_column;
      tile.b_step = p.terms.b[2];
    } else {
      pack(part, tile.terms);
      tile.b = scratch.panel;
      tile.b_step = part.width;
    }
    tiles(part, tile);
  }

  /// The segment's terms of b for this panel, contiguous, zeros where there is no column.
  void pack(const Part& part, int64_t terms) {
    const T* b = b_ + part.first_column * part.problem.b_column;
    const int64_t* offsets = part.scratch->b_offsets;
    T* panel = part.scratch->panel;
    const auto width = static_cast<int64_t>(part.width);
    if (part.columns != part.width) {
      std::fill_n(panel, terms * width, T{0});
    }
    if (part.problem.b_column == 1) {
      for (int64_t t = 0; t < terms; ++t) {
        std::memcpy(
            panel + t * width, b + offsets[t], static_cast<size_t>(part.columns) * sizeof(T));
      }
      return;
    }
    // In blocks, so that each cache line of b is read once whatever the stride of its columns.
    constexpr int64_t together = 16;
    for (int64_t from = 0; from < terms; from += together) {
      const int64_t end = std::min(terms, from + together);
      for (int64_t column = 0; column < part.columns; ++column) {
        const T* source = b + column * part.problem.b_column;
        for (int64_t t = from; t < end; ++t) {
          panel[t * width + column] = source[offsets[t]];
        }
      }
    }
  }

  void tiles(const Part& part, Tile<T>& tile) {
    const Problem& p = part.problem;
    Cursor row(p.rows, part.first_row, p.a, p.out + part.first_column);
    const int64_t tallest = Micro::rows(part.width);
    int64_t tiles_left = (part.rows - 1) / tallest + 1;
    int64_t rows_left = part.rows;
    for (; tiles_left > 0; --tiles_left) {
      tile.rows = static_cast<int>((rows_left - 1) / tiles_left + 1);
      rows_left -= tile.rows;
      for (int i = 0; i < tile.rows; ++i, row.next()) {
        tile.a[i] = a_ + row.a;
        tile.out[i] = out_ + row.b;
      }
      Micro::run(tile);
    }
  }

  Plan plan_;
  Workers& workers_;
  const T* source_;
  const T* b_;
  T* out_;
  T* padded_ = nullptr;
  const T* a_ = nullptr;
  WorkerScratch<T>* scratch_ = nullptr;
  int64_t panels_ = 0, block_rows_ = 0, blocks_ = 0;
};

[[nodiscard]] inline bool is_contraction(law::Kind kind) {
  return kind == law::Kind::contract || kind == law::Kind::conv ||
         kind == law::Kind::conv_weight_grad || kind == law::Kind::conv_input_grad;
}

}  // namespace lockstep::tensor
