// A running fold inside blocks of the last axis.
#include "law/fold_internal.h"

namespace lockstep::law {
namespace {

/// The accumulator is the identity until term 0, which is copied: whether an output has taken
/// anything follows from the step alone, and a fold state needs no counter.
class Scan final : public Primitive {
 public:
  explicit Scan(const Op& op)
      : type_(op.record->out.type),
        carried_(op.in.size() == 2 ? 1 : 0),
        n_(op.in[0].dims.back()),
        blocks_((n_ + limits::scan_block - 1) / limits::scan_block) {
    const auto& attr = std::get<ScanAttr>(op.record->attributes);
    own_ = attr.exclusive ? 0 : 1;
    merge_ = merge_of(attr.op, type_);
  }
  [[nodiscard]] int64_t range(int64_t o) const override {
    return carried_ + o % n_ % limits::scan_block + own_;
  }
  [[nodiscard]] int words() const override { return 1; }
  [[nodiscard]] DType accumulator() const override { return type_; }
  void init(std::span<uint64_t> acc) const override { acc[0] = merge_.identity; }
  void step(int64_t o, int64_t r, Reader& in, std::span<uint64_t> acc) const override {
    const int64_t place = o % n_;
    const bool carry = r < carried_;
    const int64_t first = o - place % limits::scan_block;  // of the block
    const uint64_t term = carry ? in.bits(1, o / n_ * blocks_ + place / limits::scan_block)
                                : in.bits(0, first + r - carried_);
    acc[0] = r == 0 ? canonical(type_, term) : binary(merge_.op, type_, acc[0], term);
  }
  [[nodiscard]] uint64_t finish(int64_t, Reader&, std::span<const uint64_t> acc) const override {
    return acc[0];
  }

 private:
  DType type_;
  int64_t carried_, n_, blocks_;  // carried_, own_: 1 where the term is taken, else 0
  int64_t own_ = 1;
  Merge merge_;
};

}  // namespace

std::unique_ptr<Primitive> scan_primitive(const Op& op) {
  return std::make_unique<Scan>(op);
}

}  // namespace lockstep::law
