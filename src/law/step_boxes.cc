// Boxes of reads. All numbers are upper bounds; products stop at far_apart.
#include "law/step_boxes.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/limits.h"

namespace lockstep::law {
namespace {

/// Of two numbers that are not negative.
int64_t times(int64_t a, int64_t b) {
  return a == 0 || b == 0 ? 0 : a >= far_apart / b ? far_apart : a * b;
}

int64_t distance(int64_t elements, int64_t element_bytes) {
  return times(std::abs(elements), element_bytes);
}

/// Without axes of one place, and with neighbours that are one axis for this input joined.
std::vector<Reach> joined(const std::vector<Reach>& reaches) {
  std::vector<Reach> axes;
  for (const Reach& reach : reaches) {
    if (reach.dim == 1 && reach.plain()) {
      continue;
    }
    if (!axes.empty() && axes.back().plain() && reach.plain() &&
        axes.back().stride == reach.dim * reach.stride) {
      axes.back() = {axes.back().dim * reach.dim, reach.stride};
    } else {
      // A plain axis has as many slots as places; a longer one made of it would have more.
      axes.push_back(reach.plain() ? Reach{reach.dim, reach.stride} : reach);
    }
  }
  return axes;
}

BoxAxis box_axis(const Reach& reach, int64_t n, int64_t element_bytes) {
  BoxAxis axis;
  const int64_t slots = reach.stride == 0 ? 1 : reach.slots(n);
  const int64_t spacing = distance(reach.stride, element_bytes);
  axis.count = reach.sparse ? std::min(n, slots) : slots;
  axis.extent = times(slots - 1, spacing);
  axis.spacing = reach.sparse ? 0 : spacing;
  axis.unit = spacing;
  return axis;
}

/// Where the second box of a run that wraps around axis `at` lies, for each axis that may carry.
std::vector<int64_t> carries_of(const std::vector<Reach>& axes, size_t at, int64_t element_bytes) {
  std::vector<int64_t> carries;
  int64_t back = axes[at].dim * axes[at].stride;
  for (size_t level = at; level-- > 0;) {
    if (axes[level].dim == 1) {
      continue;
    }
    if (!axes[level].linear() || axes[level].cap <= axes[level].widen) {
      return {};  // the second box does not read at the same distances as the first
    }
    carries.push_back(distance(axes[level].stride - back, element_bytes));
    back += (axes[level].dim - 1) * axes[level].stride;
  }
  return carries;
}

/// How often the axis that is run through in part is passed, and where its run may begin.
void add_partial(Part& part,
                 const std::vector<Reach>& axes,
                 size_t at,
                 std::pair<int64_t, int64_t> run_and_inner,
                 int64_t element_bytes) {
  const auto [run, inner] = run_and_inner;
  Reach axis = axes[at];
  const bool aligned = run % inner == 0;
  int64_t n = aligned ? run / inner : (run - 2) / inner + 2;
  int64_t begins = aligned ? run / inner : 1;
  int64_t outer = 1;
  for (size_t i = 0; i < at; ++i) {
    outer *= axes[i].dim;
    part.unit = std::gcd(part.unit, distance(axes[i].stride, element_bytes));
  }
  part.wraps = outer > 1 && (inner * axis.dim) % run != 0;
  if (outer > 1) {
    begins = std::gcd(begins, axis.dim);
  }
  if (!part.wraps) {
    n = std::min(n, axis.dim);
  } else if (axis.linear()) {
    axis.cap = INT64_MAX;  // the run goes on beyond the axis
  }
  const int64_t spacing = distance(axis.stride, element_bytes);
  const bool rises = axis.plain() && axis.stride >= 0;
  part.unit = std::gcd(part.unit, rises ? times(begins, spacing) : spacing);
  part.axes.push_back(box_axis(axis, n, element_bytes));
  if (part.wraps) {
    // Two boxes share the count only where each coordinate has its own place.
    const bool shared = axis.plain() || (axis.sparse && axis.widen >= far_apart);
    part.axes.back().part = shared ? 0 : -1;
    part.carries = axis.linear() ? carries_of(axes, at, element_bytes) : std::vector<int64_t>{};
  }
  for (size_t i = 0; i < at; ++i) {
    // The outer coordinates of a box are fixed, but one may still read more than one place.
    if (axes[i].slots(1) > 1) {
      part.axes.push_back(box_axis(axes[i], 1, element_bytes));
    }
  }
}

/// Chunks that `bytes` consecutive bytes touch, beginning at a multiple of `unit`.
int64_t chunks_of_run(int64_t bytes, int64_t unit) {
  const int64_t free = std::max<int64_t>(0, bytes - std::gcd(unit, limits::chunk_bytes));
  return 1 + (free + limits::chunk_bytes - 1) / limits::chunk_bytes;
}

/// Sorts by distance and joins regular axes that overlap or touch.
std::vector<BoxAxis> sorted(std::vector<BoxAxis> axes) {
  const auto gap = [](const BoxAxis& axis) {
    return axis.count > 1 ? axis.extent / (axis.count - 1) : axis.extent;
  };
  std::sort(axes.begin(), axes.end(), [&](const BoxAxis& a, const BoxAxis& b) {
    return gap(a) < gap(b);
  });
  std::vector<BoxAxis> left;
  left.reserve(axes.size());
  for (const BoxAxis& axis : axes) {
    BoxAxis* const last = left.empty() ? nullptr : &left.back();
    const bool regular = last != nullptr && last->spacing > 0 && axis.spacing > 0 &&
                         last->part < 0 && axis.part < 0 && axis.spacing % last->spacing == 0 &&
                         axis.spacing / last->spacing <= last->count;
    if (regular) {
      last->count += times(axis.count - 1, axis.spacing / last->spacing);
      last->extent = std::min(far_apart, last->extent + axis.extent);
    } else {
      left.push_back(axis);
    }
  }
  return left;
}

/// The least, over how many of the nearest axes are seen as one run of bytes, of the runs times
/// their chunks. `wrapping`: bit p where part p wraps and its two boxes are counted apart.
int64_t chunks_of_boxes(std::vector<BoxAxis> unsorted,
                        int64_t element_bytes,
                        int64_t unit,
                        unsigned wrapping) {
  const std::vector<BoxAxis> axes = sorted(std::move(unsorted));
  int64_t least = far_apart;
  int64_t extent = element_bytes;
  for (size_t runs_from = 0; runs_from <= axes.size(); ++runs_from) {
    if (runs_from > 0) {
      extent = std::min(far_apart, extent + axes[runs_from - 1].extent);
    }
    int64_t runs = 1;
    int64_t at = unit;
    unsigned twice = wrapping;
    for (size_t i = runs_from; i < axes.size(); ++i) {
      runs = times(runs, axes[i].count);
      at = std::gcd(at, axes[i].unit);
      // The boxes on both sides of a wrap share the count of the axis that they wrap around.
      twice &= axes[i].part < 0 ? ~0U : ~(1U << axes[i].part);
    }
    for (; twice != 0; twice &= twice - 1) {
      runs = times(runs, 2);
    }
    least = std::min(least, times(runs, chunks_of_run(extent, at)));
  }
  return least;
}

/// With the second box of each wrap as one more axis, the worst of the ways to carry.
int64_t chunks_of_carries(const std::vector<Part>& parts,
                          const std::vector<BoxAxis>& axes,
                          int64_t element_bytes,
                          int64_t unit) {
  std::vector<size_t> at(parts.size(), 0);
  int64_t most = 0;
  while (true) {
    std::vector<BoxAxis> all = axes;
    int64_t from = unit;
    for (BoxAxis& axis : all) {
      axis.part = -1;
    }
    for (size_t p = 0; p < parts.size(); ++p) {
      if (parts[p].wraps && parts[p].carries[at[p]] != 0) {
        const int64_t carry = parts[p].carries[at[p]];
        all.push_back({2, carry, carry, carry, -1});
        from = std::gcd(from, carry);
      }
    }
    most = std::max(most, chunks_of_boxes(all, element_bytes, from, 0));
    size_t next = 0;
    while (next < parts.size() &&
           (!parts[next].wraps || ++at[next] == parts[next].carries.size())) {
      at[next++] = 0;
    }
    if (next == parts.size()) {
      return most;
    }
  }
}

}  // namespace

int64_t Reach::slots(int64_t n) const {
  return sparse && n == 1 ? 1 : std::min(cap, (n - 1 + widen) / divide + 1);
}

Reach anywhere(int64_t dim, int64_t unit) {
  return {dim, unit, far_apart, 1, INT64_MAX, true};
}

Part part_of(int64_t run, const std::vector<Reach>& reaches, int64_t element_bytes) {
  const std::vector<Reach> axes = joined(reaches);
  Part part;
  int64_t inner = 1;
  size_t at = axes.size();
  while (at > 0 && inner * axes[at - 1].dim < run) {
    const Reach& axis = axes[--at];
    inner *= axis.dim;
    part.axes.push_back(box_axis(axis, axis.dim, element_bytes));
    if (!axis.plain() || axis.stride < 0) {
      part.unit = std::gcd(part.unit, distance(axis.stride, element_bytes));
    }
  }
  if (at > 0) {
    add_partial(part, axes, at - 1, {run, inner}, element_bytes);
  }
  return part;
}

int64_t chunks_touched(const std::vector<Part>& parts, int64_t element_bytes, int64_t offset) {
  std::vector<BoxAxis> axes;
  int64_t unit = std::min(far_apart, std::abs(offset));
  unsigned wrapping = 0;
  bool carries_known = true;
  for (size_t p = 0; p < parts.size(); ++p) {
    unit = std::gcd(unit, parts[p].unit);
    for (BoxAxis axis : parts[p].axes) {
      if (axis.extent == 0) {
        continue;  // the input does not depend on it
      }
      axis.part = axis.part < 0 ? -1 : static_cast<int>(p);
      axes.push_back(axis);
    }
    wrapping |= parts[p].wraps ? 1U << p : 0U;
    carries_known = carries_known && (!parts[p].wraps || !parts[p].carries.empty());
  }
  const int64_t apart = chunks_of_boxes(axes, element_bytes, unit, wrapping);
  if (wrapping == 0 || !carries_known) {
    return apart;
  }
  return std::min(apart, chunks_of_carries(parts, axes, element_bytes, unit));
}

}  // namespace lockstep::law
