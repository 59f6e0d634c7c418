// f32 reduce with AVX2 where the reduced axes are neighbours: [outer, n, inner]. With inner = 1 a
// vector is eight of the law's sixteen lanes; otherwise it is eight outputs and the lanes are rows.
#if defined(__x86_64__)

#include "base/check.h"
#include "tensor/general_avx2.h"

namespace lockstep::tensor {
namespace {

using law::ReduceOp;

constexpr int64_t columns_max = 64;
constexpr int64_t vectors_max = columns_max / vector_lanes;
constexpr int64_t lanes = limits::reduce_lanes;

struct Sum {
  static constexpr uint32_t identity = 0;
  LOCKSTEP_AVX2 static __m256 merge(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
};
struct Product {
  static constexpr uint32_t identity = 0x3f800000;
  LOCKSTEP_AVX2 static __m256 merge(__m256 a, __m256 b) { return _mm256_mul_ps(a, b); }
};
struct Maximum {
  static constexpr uint32_t identity = 0xff800000;
  LOCKSTEP_AVX2 static __m256 merge(__m256 a, __m256 b) { return maximum8(a, b); }
};
struct Minimum {
  static constexpr uint32_t identity = 0x7f800000;
  LOCKSTEP_AVX2 static __m256 merge(__m256 a, __m256 b) { return minimum8(a, b); }
};

template <class Op>
LOCKSTEP_AVX2 __m256 identity8() {
  return _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(Op::identity)));
}

/// `terms` contiguous elements; lanes 0–7 in `low`, 8–15 in `high`.
template <class Op>
LOCKSTEP_AVX2 float fold_row(const float* x, int64_t terms) {
  __m256 low = identity8<Op>();
  __m256 high = low;
  int64_t r = 0;
  for (; r + lanes <= terms; r += lanes) {
    low = Op::merge(low, _mm256_loadu_ps(x + r));
    high = Op::merge(high, _mm256_loadu_ps(x + r + vector_lanes));
  }
  // A lane without a term keeps its value: the identity is none for −0 or NaN.
  const __m256i low_mask = first_lanes(terms - r);
  const __m256i high_mask = first_lanes(terms - r - vector_lanes);
  low = _mm256_blendv_ps(
      low, Op::merge(low, _mm256_maskload_ps(x + r, low_mask)), _mm256_castsi256_ps(low_mask));
  if (terms - r > vector_lanes) {
    high = _mm256_blendv_ps(high,
                            Op::merge(high, _mm256_maskload_ps(x + r + vector_lanes, high_mask)),
                            _mm256_castsi256_ps(high_mask));
  }
  __m256 all = Op::merge(low, high);
  all = Op::merge(all, _mm256_permute2f128_ps(all, all, 1));
  all = Op::merge(all, _mm256_permute_ps(all, 0b01'00'11'10));
  all = Op::merge(all, _mm256_permute_ps(all, 0b10'11'00'01));
  return _mm256_cvtss_f32(canonical8(all));
}

struct Columns {
  const float* x;  // the first row of the segment at the first column
  int64_t row;     // floats from one row to the next
  int64_t terms, count;
  float* out;
  int64_t out_step;
};

/// `count` ≤ columns_max neighbouring outputs; rows are terms.
template <class Op>
LOCKSTEP_AVX2 void fold_columns(const Columns& work) {
  __m256 acc[lanes][vectors_max];
  const int64_t vectors = ceil_div(work.count, vector_lanes);
  for (auto& lane : acc) {
    for (int64_t v = 0; v < vectors; ++v) {
      lane[v] = identity8<Op>();
    }
  }
  const int64_t whole = work.count / vector_lanes;
  const __m256i mask = first_lanes(work.count - whole * vector_lanes);
  const float* x = work.x;
  for (int64_t r = 0; r < work.terms; ++r, x += work.row) {
    __m256* const lane = acc[r % lanes];
    for (int64_t v = 0; v < whole; ++v) {
      lane[v] = Op::merge(lane[v], _mm256_loadu_ps(x + v * vector_lanes));
    }
    if (whole != vectors) {
      lane[whole] = Op::merge(lane[whole], _mm256_maskload_ps(x + whole * vector_lanes, mask));
    }
  }
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) {
      for (int64_t v = 0; v < vectors; ++v) {
        acc[i][v] = Op::merge(acc[i][v], acc[i + half][v]);
      }
    }
  }
  alignas(32) float results[columns_max];
  for (int64_t v = 0; v < vectors; ++v) {
    _mm256_store_ps(results + v * vector_lanes, canonical8(acc[0][v]));
  }
  for (int64_t i = 0; i < work.count; ++i) {
    work.out[i * work.out_step] = results[i];
  }
}

/// Unit u is one segment of one row (inner = 1), or of one strip of columns.
template <class Op>
struct Reduction {
  const Call& call;
  ReduceView view;
  int64_t segments, strips;

  void fold(int64_t unit) const {
    const int64_t segment = unit % segments;
    const int64_t first = segment * limits::reduce_terms;
    const int64_t terms = std::min(limits::reduce_terms, view.n - first);
    const auto* const x = as<float>(call.in[0]);
    auto* const out = as<float>(call.out);
    if (view.inner == 1) {
      out[unit] = fold_row<Op>(x + unit / segments * view.n + first, terms);
      return;
    }
    const int64_t outer = unit / segments / strips;
    const int64_t column = unit / segments % strips * columns_max;
    fold_columns<Op>({.x = x + (outer * view.n + first) * view.inner + column,
                      .row = view.inner,
                      .terms = terms,
                      .count = std::min(columns_max, view.inner - column),
                      .out = out + (outer * view.inner + column) * segments + segment,
                      .out_step = segments});
  }

  void run() const {
    const int64_t units = view.outer * strips * segments;
    const int64_t work = std::clamp<int64_t>(view.n, 1, limits::reduce_terms) *
                         std::clamp<int64_t>(view.inner, 1, columns_max);
    const int64_t units_a_part = std::max<int64_t>(1, part_elements / work);
    for_parts(call.workers, ceil_div(units, units_a_part), [&](int64_t part, int) {
      const int64_t end = std::min(units, (part + 1) * units_a_part);
      for (int64_t unit = part * units_a_part; unit < end; ++unit) {
        fold(unit);
      }
    });
  }
};

template <class Op>
void reduce_as(const Call& call) {
  ReduceView view;
  CHECK(reduce_view(call.op, view));
  Reduction<Op>{call,
                view,
                std::max<int64_t>(1, ceil_div(view.n, limits::reduce_terms)),
                ceil_div(view.inner, columns_max)}
      .run();
}

}  // namespace

bool reduce_avx2_applies(const law::Op& op) {
  ReduceView view;
  return op.record->kind == law::Kind::reduce && op.record->out.type == law::DType::f32 &&
         reduce_view(op, view);
}

void run_reduce_avx2(const Call& call) {
  if (call.out.empty()) {
    return;
  }
  switch (std::get<law::ReduceAttr>(call.op.record->attributes).op) {
    case ReduceOp::sum:
      return reduce_as<Sum>(call);
    case ReduceOp::product:
      return reduce_as<Product>(call);
    case ReduceOp::maximum:
      return reduce_as<Maximum>(call);
    case ReduceOp::minimum:
      return reduce_as<Minimum>(call);
  }
}

}  // namespace lockstep::tensor

#endif
