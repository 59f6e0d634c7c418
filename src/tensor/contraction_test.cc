// Contraction kernels against the law's oracle: every bit, on every back end this machine has,
// alone and with seven workers whose parts run in reverse.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/test_random.h"
#include "law/fold.h"
#include "tensor/allocation_counter.h"
#include "tensor/kernel.h"

namespace lockstep::tensor {
namespace {

using law::DType;
using law::Kind;

using Random = TestRandom;

class SerialWorkers final : public Workers {
 public:
  [[nodiscard]] int count() const override { return 1; }
  void run(int64_t parts, const std::function<void(int64_t, int)>& body) override {
    for (int64_t part = 0; part < parts; ++part) {
      body(part, 0);
    }
  }
};

class ReversedWorkers final : public Workers {
 public:
  [[nodiscard]] int count() const override { return 7; }
  void run(int64_t parts, const std::function<void(int64_t, int)>& body) override {
    for (int64_t part = parts; part-- > 0;) {
      body(part, static_cast<int>(part % 7));
    }
  }
};

/// What the floating inputs are like.
enum class Flavour { tame, heavy, tiny, some_special, any_bits };
constexpr Flavour flavours[] = {
    Flavour::tame, Flavour::heavy, Flavour::tiny, Flavour::some_special, Flavour::any_bits};

/// A floating value of the type with the given exponent range about zero.
uint64_t value_bits(DType type, Random& random, int64_t exponent_low, int64_t exponent_high) {
  const auto exponent = static_cast<uint64_t>(random.in(exponent_low, exponent_high));
  const uint64_t bits = random.next();
  if (type == DType::f32) {
    return (bits & 0x807fffff) | ((127 + exponent) & 0xff) << 23;
  }
  return (bits & 0x800fffffffffffff) | ((1023 + exponent) & 0x7ff) << 52;
}

uint64_t random_bits(DType type, Random& random, Flavour flavour) {
  constexpr uint64_t specials[] = {0x80000000,
                                   0x7f800000,
                                   0xff800000,
                                   0x7fc00000,
                                   0xffc12345,
                                   0,
                                   1,
                                   0x80000001,
                                   0x7f7fffff,
                                   0x00800000,
                                   0x7f800001};
  if (type != DType::f32 && type != DType::f64) {
    return random.next() & (~uint64_t{0} >> (64 - 8 * law::size_of(type)));
  }
  const bool single = type == DType::f32;
  switch (flavour) {
    case Flavour::tame:
      return value_bits(type, random, -3, 0);
    case Flavour::heavy:
      return value_bits(type, random, -30, 30);
    case Flavour::tiny:  // products at the edge of underflow: subnormal sums, and −0 from +0
      return single ? value_bits(type, random, -78, -70) : value_bits(type, random, -540, -530);
    case Flavour::some_special:
      if (random.in(0, 200) == 0) {
        const uint64_t special = specials[random.in(0, std::ssize(specials) - 1)];
        return single ? special : special << 32;
      }
      return value_bits(type, random, -3, 3);
    default:
      return single ? random.next() & 0xffffffff : random.next();
  }
}

/// Bytes at a 64-byte boundary between guards that must stay.
class Guarded {
 public:
  Guarded(size_t size, uint8_t fill) : size_(size), memory_(size + 256, guard) {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    start_ = (address + 127) / 64 * 64 - address;
    std::fill_n(memory_.begin() + static_cast<std::ptrdiff_t>(start_), size, fill);
  }
  [[nodiscard]] std::span<uint8_t> bytes() { return std::span(memory_).subspan(start_, size_); }
  [[nodiscard]] bool intact() const {
    for (size_t i = 0; i < memory_.size(); ++i) {
      if ((i < start_ || i >= start_ + size_) && memory_[i] != guard) {
        return false;
      }
    }
    return true;
  }

 private:
  static constexpr uint8_t guard = 0xa5;
  size_t size_;
  size_t start_ = 0;
  Bytes memory_;
};

struct Case {
  law::Record record;
  std::vector<law::Shape> in;
};

void expect_kernel(const Kernel& kernel,
                   const law::Op& op,
                   std::span<const ByteView> in,
                   const Bytes& wanted,
                   Workers& workers) {
  Guarded out(wanted.size(), 0xff);
  Guarded scratch(kernel.scratch_bytes(op, workers.count()), 0xff);
  const int64_t before = allocations_so_far();
  kernel.run({op, in, out.bytes(), scratch.bytes(), workers});
  EXPECT_EQ(allocations_so_far(), before) << kernel.name << " allocates";
  EXPECT_TRUE(out.intact() && scratch.intact()) << kernel.name << " writes outside";
  const auto got = out.bytes();
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ(got[i], wanted[i]) << kernel.name << ", " << workers.count() << " workers, byte " << i
                                 << " of " << law::text_of(op.record->out.dims);
  }
}

void expect_law(const Case& test, Random& random, Flavour flavour) {
  const law::Op op{&test.record, test.in};
  ASSERT_TRUE(law::check(op).ok()) << law::check(op).error().message();
  std::vector<Guarded> inputs;
  for (const law::Shape& shape : test.in) {
    inputs.emplace_back(static_cast<size_t>(shape.bytes()), uint8_t{0});
    for (int64_t i = 0; i < shape.count(); ++i) {
      law::store_bits(
          shape.type, inputs.back().bytes(), i, random_bits(shape.type, random, flavour));
    }
  }
  const std::vector<ByteView> views = {inputs[0].bytes(), inputs[1].bytes()};
  law::TensorReader reader(op, views);
  const law::Tensor wanted = law::evaluate(op, reader);
  SerialWorkers serial;
  ReversedWorkers reversed;
  for (const auto kernels : {contraction_kernels_portable(), contraction_kernels_avx2()}) {
    for (const Kernel& kernel : kernels) {
      if (kernel.applies(op)) {
        expect_kernel(kernel, op, views, wanted.data, serial);
        expect_kernel(kernel, op, views, wanted.data, reversed);
      }
    }
  }
}

struct Product {
  int64_t batch, m, k, n;
};

Case contract_case(DType type, const Product& p, bool a_transposed, bool b_transposed) {
  Case test;
  test.record.kind = Kind::contract;
  test.record.attributes = law::ContractAttr{a_transposed, b_transposed};
  test.record.out = {type, {p.batch, p.m, p.n}};
  test.in = {{type, a_transposed ? law::Dims{p.batch, p.k, p.m} : law::Dims{p.batch, p.m, p.k}},
             {type, b_transposed ? law::Dims{p.batch, p.n, p.k} : law::Dims{p.batch, p.k, p.n}}};
  return test;
}

/// One forward convolution; its three records differ in what is input and what is output.
struct Convolution {
  law::Dims x, w;
  law::ConvAttr attr;

  [[nodiscard]] int64_t high() const {
    return (x[1] + attr.pad_top + attr.pad_bottom - attr.dilation_h * (w[0] - 1) - 1) /
               attr.stride_h +
           1;
  }
  [[nodiscard]] int64_t wide() const {
    return (x[2] + attr.pad_left + attr.pad_right - attr.dilation_w * (w[1] - 1) - 1) /
               attr.stride_w +
           1;
  }
  [[nodiscard]] Case as(Kind kind, DType type) const {
    const law::Shape image{type, x};
    const law::Shape weight{type, w};
    const law::Shape y{type, {x[0], high(), wide(), w[3]}};
    Case test;
    test.record.kind = kind;
    test.record.attributes = attr;
    test.record.out = kind == Kind::conv ? y : kind == Kind::conv_weight_grad ? weight : image;
    test.in = kind == Kind::conv               ? std::vector{image, weight}
              : kind == Kind::conv_weight_grad ? std::vector{image, y}
                                               : std::vector{y, weight};
    return test;
  }
};

Convolution random_convolution(Random& random) {
  Convolution c;
  c.attr.groups = random.in(0, 2) == 0 ? random.in(2, 3) : 1;
  c.attr.stride_h = random.in(1, 3);
  c.attr.stride_w = random.in(1, 4);
  c.attr.dilation_h = random.in(1, 3);
  c.attr.dilation_w = random.in(1, 2);
  c.attr.pad_top = random.in(0, 3);
  c.attr.pad_bottom = random.in(0, 3);
  c.attr.pad_left = random.in(0, 4);
  c.attr.pad_right = random.in(0, 2);
  const int64_t depth = random.in(1, 5);
  const int64_t outputs = random.in(0, 3) == 0 ? random.in(15, 25) : random.in(1, 9);
  c.w = {random.in(1, 4), random.in(1, 3), depth, outputs * c.attr.groups};
  c.x = {random.in(0, 3), random.in(0, 8), random.in(0, 9), depth * c.attr.groups};
  // Grow the image until the window fits.
  c.x[1] =
      std::max(c.x[1], c.attr.dilation_h * (c.w[0] - 1) + 1 - c.attr.pad_top - c.attr.pad_bottom);
  c.x[2] =
      std::max(c.x[2], c.attr.dilation_w * (c.w[1] - 1) + 1 - c.attr.pad_left - c.attr.pad_right);
  return c;
}

constexpr Kind conv_kinds[] = {Kind::conv, Kind::conv_weight_grad, Kind::conv_input_grad};
constexpr DType types[] = {DType::f32,
                           DType::f64,
                           DType::i8,
                           DType::i16,
                           DType::i32,
                           DType::i64,
                           DType::u8,
                           DType::u16,
                           DType::u32,
                           DType::u64};

TEST(Contraction, ContractOfRandomShapes) {
  Random random(1);
  for (int i = 0; i < 150; ++i) {
    const Product p{random.in(0, 3), random.in(0, 21), random.in(0, 40), random.in(0, 40)};
    for (int form = 0; form < 4; ++form) {
      const Case test = contract_case(DType::f32, p, (form & 1) != 0, (form & 2) != 0);
      expect_law(test, random, flavours[i % std::ssize(flavours)]);
    }
  }
}

TEST(Contraction, ContractClosesSegments) {
  Random random(2);
  for (const int64_t k : {511, 512, 513, 1023, 1024, 1025, 1700}) {
    for (const Flavour flavour : flavours) {
      const Product p{1, random.in(1, 20), k, random.in(1, 35)};
      const bool a_transposed = random.in(0, 1) == 0;
      expect_law(contract_case(DType::f32, p, a_transposed, random.in(0, 1) == 0), random, flavour);
    }
  }
}

TEST(Contraction, ContractOfManyRowsAndColumns) {
  Random random(3);
  for (int form = 0; form < 4; ++form) {
    const Case test = contract_case(DType::f32, {1, 700, 9, 70}, (form & 1) != 0, (form & 2) != 0);
    expect_law(test, random, Flavour::heavy);
  }
}

TEST(Contraction, ContractOfEveryType) {
  Random random(4);
  for (const DType type : types) {
    for (int i = 0; i < 8; ++i) {
      const Product p{
          random.in(1, 2), random.in(1, 11), i == 0 ? 1030 : random.in(0, 40), random.in(1, 19)};
      const bool a_transposed = random.in(0, 1) == 0;
      expect_law(contract_case(type, p, a_transposed, random.in(0, 1) == 0),
                 random,
                 flavours[i % std::ssize(flavours)]);
    }
  }
}

TEST(Contraction, ConvolutionsOfRandomShapes) {
  Random random(5);
  for (int i = 0; i < 300; ++i) {
    const Convolution convolution = random_convolution(random);
    for (const Kind kind : conv_kinds) {
      expect_law(convolution.as(kind, DType::f32), random, flavours[i % std::ssize(flavours)]);
    }
  }
}

TEST(Contraction, ConvolutionsOfEveryType) {
  Random random(6);
  for (const DType type : types) {
    for (int i = 0; i < 5; ++i) {
      const Convolution convolution = random_convolution(random);
      for (const Kind kind : conv_kinds) {
        expect_law(convolution.as(kind, type), random, flavours[i]);
      }
    }
  }
}

TEST(Contraction, ConvolutionsCloseSegments) {
  Random random(7);
  law::ConvAttr attr;
  attr.pad_top = attr.pad_left = 2;
  attr.pad_bottom = attr.pad_right = 1;
  attr.stride_w = 2;
  const Convolution deep{{1, 4, 5, 70}, {3, 3, 70, 66}, attr};  // 630 and up to 396 terms
  const Convolution large{{2, 24, 25, 3}, {2, 3, 3, 9}, attr};  // 1,352 terms of a weight
  const Convolution dense{{1, 3, 3, 2}, {3, 3, 2, 130}, {}};    // 1,170 terms of an input
  for (const Flavour flavour : flavours) {
    expect_law(deep.as(Kind::conv, DType::f32), random, flavour);
    expect_law(large.as(Kind::conv_weight_grad, DType::f32), random, flavour);
    expect_law(dense.as(Kind::conv_input_grad, DType::f32), random, flavour);
  }
}

TEST(Contraction, DemoShapes) {
  Random random(8);
  law::ConvAttr same;
  same.pad_top = same.pad_bottom = same.pad_left = same.pad_right = 1;
  const Convolution first{{25, 28, 28, 1}, {3, 3, 1, 8}, same};
  const Convolution second{{3, 14, 14, 8}, {3, 3, 8, 16}, same};
  expect_law(first.as(Kind::conv, DType::f32), random, Flavour::tame);
  expect_law(first.as(Kind::conv_weight_grad, DType::f32), random, Flavour::heavy);
  for (const Kind kind : conv_kinds) {
    expect_law(second.as(kind, DType::f32), random, Flavour::tame);
  }
  expect_law(contract_case(DType::f32, {1, 25, 784, 64}, false, false), random, Flavour::tame);
  expect_law(contract_case(DType::f32, {1, 784, 25, 64}, true, false), random, Flavour::tame);
  expect_law(contract_case(DType::f32, {1, 25, 64, 784}, false, true), random, Flavour::tame);
}

/// The bits of one output where a 1 × 1 image meets a 3 × 3 window whose middle is on it.
void expect_window(Kind kind, float image, const float (&w)[9], const Bytes& wanted) {
  law::ConvAttr same;
  same.pad_top = same.pad_bottom = same.pad_left = same.pad_right = 1;
  const Case test = Convolution{{1, 1, 1, 1}, {3, 3, 1, 1}, same}.as(kind, DType::f32);
  const law::Op op{&test.record, test.in};
  Guarded image_bytes(sizeof image, 0);
  Guarded w_bytes(sizeof w, 0);
  std::memcpy(image_bytes.bytes().data(), &image, sizeof image);
  std::memcpy(w_bytes.bytes().data(), w, sizeof w);
  const std::vector<ByteView> in = {image_bytes.bytes(), w_bytes.bytes()};
  SerialWorkers serial;
  for (const auto kernels : {contraction_kernels_portable(), contraction_kernels_avx2()}) {
    for (const Kernel& kernel : kernels) {
      expect_kernel(kernel, op, in, wanted, serial);
    }
  }
}

/// A tap outside the image multiplies +0: infinity becomes NaN, and a sum that underflowed to −0
/// becomes +0 unless the other factor is negative too.
TEST(Contraction, TapsOutsideTheImageAreTerms) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float tiny = 1e-40F;
  for (const Kind kind : {Kind::conv, Kind::conv_input_grad}) {
    expect_window(kind, 1, {1, 1, 1, 1, 1, 1, 1, 1, infinity}, {0, 0, 0xc0, 0x7f});
    expect_window(kind, tiny, {1, 1, 1, 1, -tiny, 1, 1, 1, 1}, {0, 0, 0, 0});
    expect_window(kind, tiny, {1, 1, 1, 1, -tiny, -1, -1, -1, -1}, {0, 0, 0, 0x80});
  }
}

TEST(Contraction, AppliesOnlyToItsKindsAndTypes) {
  Case test = contract_case(DType::bf16, {1, 1, 1, 1}, false, false);
  EXPECT_FALSE(contraction_kernels_portable()[0].applies({&test.record, test.in}));
  test = contract_case(DType::f32, {1, 1, 1, 1}, false, false);
  EXPECT_TRUE(contraction_kernels_portable()[0].applies({&test.record, test.in}));
  test.record.kind = Kind::transpose;
  EXPECT_FALSE(contraction_kernels_portable()[0].applies({&test.record, test.in}));
}

}  // namespace
}  // namespace lockstep::tensor
