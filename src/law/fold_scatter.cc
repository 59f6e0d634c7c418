// Scatters: term 0 of an output is the base, term 1 + i is update i where its index hits.
#include "base/check.h"
#include "law/fold_internal.h"

namespace lockstep::law {
namespace {

class Scatter final : public Primitive {
 public:
  explicit Scatter(const Op& op)
      : type_(op.record->out.type),
        index_type_(op.in[1].type),
        adds_(op.record->kind == Kind::scatter_add),
        rows_(op.in[0].dims[0]),
        indices_(op.in[1].count()) {
    for (size_t i = 1; i < op.in[0].dims.size(); ++i) {
      row_ *= op.in[0].dims[i];
    }
  }
  [[nodiscard]] int64_t range(int64_t) const override { return 1 + indices_; }
  [[nodiscard]] int words() const override { return 1; }
  [[nodiscard]] DType accumulator() const override { return type_; }
  void init(std::span<uint64_t> acc) const override { acc[0] = 0; }
  void step(int64_t o, int64_t r, Reader& in, std::span<uint64_t> acc) const override {
    if (r == 0) {
      acc[0] = canonical(type_, in.bits(0, o));
      return;
    }
    // Below 0 adds n once. What is still outside is the row of no output, so it is ignored.
    auto index = static_cast<int64_t>(convert(index_type_, DType::i64, in.bits(1, r - 1)));
    index += index < 0 ? rows_ : 0;
    if (index != o / row_) {
      return;
    }
    const uint64_t update = in.bits(2, (r - 1) * row_ + o % row_);
    acc[0] = adds_ ? binary(MapOp::add, type_, acc[0], update) : canonical(type_, update);
  }
  [[nodiscard]] uint64_t finish(int64_t, Reader&, std::span<const uint64_t> acc) const override {
    return acc[0];
  }

 private:
  DType type_, index_type_;
  bool adds_;
  int64_t rows_, indices_, row_ = 1;
};

}  // namespace

std::unique_ptr<Primitive> scatter_primitive(const Op& op) {
  return std::make_unique<Scatter>(op);
}

}  // namespace lockstep::law
