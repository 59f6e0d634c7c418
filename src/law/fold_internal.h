// Index arithmetic that the primitives share, and their factories. For src/law/fold*.cc only.
#pragma once

#include "law/fold.h"
#include "law/scalar.h"

namespace lockstep::law {

/// Row-major strides in elements.
[[nodiscard]] Dims strides_of(const Dims& dims);
/// Output index `o` of `dims`, split into coordinates. `at` has dims.size() places.
void split(int64_t o, const Dims& dims, std::span<int64_t> at);
/// Strides of `dims` read as `out` by numpy broadcasting: 0 where repeated.
[[nodiscard]] Dims broadcast_strides(const Dims& dims, const Dims& out);
[[nodiscard]] bool is_float(DType type);
[[nodiscard]] bool is_signed(DType type);
/// Canonical quiet NaN of a floating type, 0 of any other.
[[nodiscard]] uint64_t nan_or_zero(DType type);
[[nodiscard]] uint64_t one_of(DType type);

/// A primitive that computes its output from one term, in finish().
class OneTerm : public Primitive {
 public:
  explicit OneTerm(const Op& op) : op_(op) {}
  [[nodiscard]] int64_t range(int64_t) const override { return 1; }
  [[nodiscard]] int words() const override { return 0; }
  void init(std::span<uint64_t>) const override {}
  void step(int64_t, int64_t, Reader&, std::span<uint64_t>) const override {}
  [[nodiscard]] DType accumulator() const override { return op_.record->out.type; }

 protected:
  const Op& op_;
};

std::unique_ptr<Primitive> contraction_primitive(const Op& op);  // contract, conv and gradients
std::unique_ptr<Primitive> reduction_primitive(const Op& op);    // reduce, pools, rank
std::unique_ptr<Primitive> one_term_primitive(const Op& op);     // map, gather, views

}  // namespace lockstep::law
