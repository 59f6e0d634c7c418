// What the primitives share, and their factories. For src/law/ only.
#pragma once

#include "law/fold.h"
#include "law/indexing.h"
#include "law/scalar.h"

namespace lockstep::law {

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
