// For tests only: what a golden case is and how its inputs are made. They come from an integer
// generator, so that no compiler has a say in them.
#pragma once

#include <initializer_list>
#include <iterator>
#include <string>

#include "law/indexing.h"
#include "law/program.h"
#include "law/test_values.h"

namespace lockstep::law::test {

struct GoldenCase {
  std::string name;
  Record record;
  std::vector<Tensor> in;
  /// Borrows.
  [[nodiscard]] Op op() const {
    Op op{&record, {}};
    for (const Tensor& tensor : in) {
      op.in.push_back(tensor.shape);
    }
    return op;
  }
  [[nodiscard]] std::vector<ByteView> views() const {
    std::vector<ByteView> views;
    for (const Tensor& tensor : in) {
      views.emplace_back(tensor.data);
    }
    return views;
  }
};

/// What a tensor's numbers are like. Sums tell orders apart on `heavy`: forty binades, subnormals
/// and both zeros among them. `poisoned` is heavy with a rare NaN or infinity, `edges` has nothing
/// but special values, `tied` few distinct ones, −0 and NaN among them. bf16 and f16 have any bits,
/// integers any length. `index` is an index into `rows` rows, at times outside.
enum class Fill { heavy, poisoned, edges, tied, index };
struct Input {
  Shape shape;
  Fill fill = Fill::heavy;
  int64_t rows = 0;
};

/// Bits of an f32 or f64 by sign, exponent and fraction.
struct FloatLayout {
  int fraction_bits = 23;
  uint64_t bias = 127;
  uint64_t sign = uint64_t{1} << 31;
  [[nodiscard]] uint64_t fraction() const { return (uint64_t{1} << fraction_bits) - 1; }
  [[nodiscard]] uint64_t infinity() const { return (2 * bias + 1) << fraction_bits; }
  [[nodiscard]] uint64_t quiet_nan() const {
    return infinity() | (uint64_t{1} << (fraction_bits - 1));
  }
  [[nodiscard]] uint64_t power(int64_t exponent) const {
    return (bias + static_cast<uint64_t>(exponent)) << fraction_bits;
  }
};

inline uint64_t golden_float(Generator& generator, const FloatLayout& layout, Fill fill) {
  const uint64_t sign = (generator.next() & 1) != 0 ? layout.sign : 0;
  const uint64_t fraction = generator.next() & layout.fraction();
  const uint64_t draw = generator.next() % 64;
  if (fill == Fill::tied) {
    const uint64_t few[] = {0, layout.power(0), layout.power(1), layout.quiet_nan()};
    return few[draw % 4] == layout.quiet_nan() ? few[3] : few[draw % 4] | sign;
  }
  if (fill == Fill::edges) {
    const uint64_t special[] = {0,
                                1,
                                layout.fraction(),
                                layout.fraction() + 1,
                                layout.infinity() - 1,
                                layout.infinity(),
                                layout.power(0),
                                layout.power(layout.fraction_bits) | 1,
                                fraction};
    return draw < 6 ? layout.quiet_nan() : special[draw % std::size(special)] | sign;
  }
  if (fill == Fill::poisoned && draw < 2) {
    return draw == 0 ? layout.quiet_nan() : layout.infinity() | sign;
  }
  if (draw < 8) {
    return (draw < 6 ? fraction : 0) | sign;  // a subnormal, or a zero
  }
  return layout.power(generator.in(-20, 20)) | fraction | sign;
}

inline uint64_t golden_bits(Generator& generator, const Input& input) {
  const DType type = input.shape.type;
  const uint64_t all = ~uint64_t{0} >> (64 - size_of(type) * 8);
  if (type == DType::f32 || type == DType::f64) {
    const FloatLayout f64_layout{52, 1023, uint64_t{1} << 63};
    return golden_float(generator, type == DType::f32 ? FloatLayout{} : f64_layout, input.fill);
  }
  if (type == DType::boolean) {
    return generator.next() & 1;
  }
  if (input.fill == Fill::index) {
    return static_cast<uint64_t>(generator.in(-input.rows - 2, input.rows + 1)) & all;
  }
  if (input.fill == Fill::edges && !is_float(type)) {
    const uint64_t special[] = {0, 1, all, all >> 1, all ^ (all >> 1)};
    return special[generator.next() % std::size(special)];
  }
  if (input.fill == Fill::tied && !is_float(type)) {
    return static_cast<uint64_t>(generator.in(-2, 2)) & all;
  }
  const uint64_t bits = generator.next_of_any_length();
  return canonical(type, ((generator.next() & 1) != 0 ? bits : ~bits) & all);
}

/// Collects cases. The name seeds the inputs, so that a new case leaves the others as they are.
class GoldenMaker {
 public:
  void add(const std::string& name,
           Kind kind,
           Attributes attributes,
           Shape out,
           std::initializer_list<Input> inputs) {
    GoldenCase made{name, {kind, std::move(attributes), {}, std::move(out)}, {}};
    uint64_t seed = 0;
    for (const char c : name) {
      seed = seed * 131 + static_cast<uint64_t>(c);
    }
    Generator generator(seed);
    for (const Input& input : inputs) {
      Tensor tensor{input.shape, Bytes(static_cast<size_t>(input.shape.bytes()))};
      for (int64_t i = 0; i < input.shape.count(); ++i) {
        store_bits(input.shape.type, tensor.data, i, golden_bits(generator, input));
      }
      made.in.push_back(std::move(tensor));
    }
    cases_.push_back(std::move(made));
  }
  std::vector<GoldenCase> take() { return std::move(cases_); }

 private:
  std::vector<GoldenCase> cases_;
};

inline Input floats(Dims dims, Fill fill = Fill::heavy) {
  return {{DType::f32, std::move(dims)}, fill};
}
inline Input doubles(Dims dims, Fill fill = Fill::heavy) {
  return {{DType::f64, std::move(dims)}, fill};
}
inline Input of_type(DType type, Dims dims, Fill fill = Fill::heavy) {
  return {{type, std::move(dims)}, fill};
}

/// Inputs 0 … operands − 1 on the stack, then `nodes`.
inline MapAttr on_inputs(uint8_t operands, std::initializer_list<MapNode> nodes) {
  MapAttr attr;
  for (uint8_t i = 0; i < operands; ++i) {
    attr.nodes.push_back({MapOp::input, i});
  }
  attr.nodes.insert(attr.nodes.end(), nodes);
  return attr;
}

/// A forward convolution's three shapes.
struct GoldenConv {
  const char* name;
  DType type;
  Dims x, w, y;
  ConvAttr attr;
  Fill fill = Fill::heavy;
};

/// The convolution and both of its gradients.
inline void add_conv(GoldenMaker& maker, const GoldenConv& c) {
  const Input x{{c.type, c.x}, c.fill};
  const Input w{{c.type, c.w}, c.fill};
  const Input y{{c.type, c.y}, c.fill};
  const std::string name = c.name;
  maker.add("conv " + name, Kind::conv, c.attr, y.shape, {x, w});
  maker.add("conv_weight_grad " + name, Kind::conv_weight_grad, c.attr, w.shape, {x, y});
  maker.add("conv_input_grad " + name, Kind::conv_input_grad, c.attr, x.shape, {y, w});
}

}  // namespace lockstep::law::test
