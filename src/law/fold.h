// The left fold that every primitive is, and its evaluation: the oracle, the challenger, the
// referee and the bounds test are four Readers over this one code. LAW section 2.
#pragma once

#include <memory>

#include "law/program.h"

namespace lockstep::law {

/// Data is read only here: raw bits of one element, zero-extended.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual uint64_t bits(uint32_t input, int64_t element) = 0;
};

/// Reads tensors that are all there. Borrows the views; input i has op.in[i]'s shape.
class TensorReader final : public Reader {
 public:
  TensorReader(const Op& op, std::vector<ByteView> inputs);
  uint64_t bits(uint32_t input, int64_t element) override;

 private:
  std::vector<DType> types_;
  std::vector<ByteView> inputs_;
};

/// One primitive on one checked Op. Accumulators are raw bits of their type, one word each.
class Primitive {
 public:
  virtual ~Primitive() = default;
  /// Terms of output o; may be 0.
  [[nodiscard]] virtual int64_t range(int64_t o) const = 0;
  /// Accumulator words of one output: 0 for one-term primitives, 2 for fma chains, 16 for reduce.
  [[nodiscard]] virtual int words() const = 0;
  virtual void init(std::span<uint64_t> acc) const = 0;
  virtual void step(int64_t o, int64_t r, Reader& in, std::span<uint64_t> acc) const = 0;
  /// Bits of output o, NaN canonical. One-term primitives compute here, from `in`.
  [[nodiscard]] virtual uint64_t finish(int64_t o,
                                        Reader& in,
                                        std::span<const uint64_t> acc) const = 0;
  /// The type of an accumulator word.
  [[nodiscard]] virtual DType accumulator() const = 0;
};
[[nodiscard]] std::unique_ptr<Primitive> primitive(const Op& op);

/// The oracle: all outputs, all terms. `op` must have passed check().
[[nodiscard]] Tensor evaluate(const Op& op, Reader& in);

/// What lies between two steps of a chunk's fold: the finished outputs, then the group's
/// accumulators. Its length at each step follows from the record alone.
struct FoldState {
  Bytes done;                 // little-endian elements, at most 1 KiB
  std::vector<uint64_t> acc;  // output-major; empty between groups
  [[nodiscard]] Bytes bytes(DType accumulator) const;
  bool operator==(const FoldState&) const = default;
};

/// The fold of one 1 KiB chunk of an output's bytes: groups of 64 outputs, steps of
/// step_terms(op) terms, which are 64 but for records whose reads lie far apart.
class Fold {
 public:
  /// `op` must have passed check() and outlive this; 0 <= chunk < chunks of the output.
  Fold(const Op& op, int64_t chunk);
  [[nodiscard]] int64_t steps() const { return starts_.back(); }
  [[nodiscard]] DType accumulator() const { return primitive_->accumulator(); }
  /// Bytes of `done` and words of `acc` before a step, 0 <= step <= steps().
  [[nodiscard]] std::pair<size_t, size_t> size_before(int64_t step) const;
  /// Takes one step; `state` must have size_before(step). After the last step `done` is the chunk.
  void run(int64_t step, FoldState& state, Reader& in) const;

 private:
  [[nodiscard]] size_t group_of(int64_t step) const;
  [[nodiscard]] int64_t outputs_of(size_t group) const;
  const Op& op_;
  std::unique_ptr<Primitive> primitive_;
  int64_t terms_;                    // that one step takes of each output
  int64_t first_ = 0, outputs_ = 0;  // elements of the chunk
  std::vector<int64_t> starts_;      // first step of each group, then the total
};

/// Upper bound, from shapes alone, of the terms of one output.
[[nodiscard]] int64_t range_max(const Op& op);
/// Upper bound of the steps of one chunk's fold.
[[nodiscard]] int64_t steps_max(const Op& op);

}  // namespace lockstep::law
