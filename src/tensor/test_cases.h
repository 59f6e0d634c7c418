// For tests only: random records with random data, and a run of one kernel between guard bytes.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/test_random.h"
#include "law/fold.h"
#include "law/scalar.h"
#include "tensor/kernel.h"

namespace lockstep::tensor::test {

using Random = TestRandom;

/// What a tensor's floats are like. Sums tell orders apart on `heavy`; `special` has NaN,
/// infinities, subnormals and both zeros; `tied` has few distinct values, −0 among them.
enum class Values { plain, heavy, special, tied, mixed };

inline uint64_t random_f32(Random& random, Values values) {
  const auto unit = [&] { return static_cast<float>(random.in(-(1 << 23), 1 << 23)) / (1 << 23); };
  if (values == Values::mixed) {
    values = random.chance(16) ? Values::special : Values::heavy;
  }
  switch (values) {
    case Values::plain:
      return __builtin_bit_cast(uint32_t, unit());
    case Values::heavy: {
      const auto power = static_cast<uint32_t>(random.in(127 - 20, 127 + 20)) << 23;
      return __builtin_bit_cast(uint32_t, unit() * __builtin_bit_cast(float, power));
    }
    case Values::tied:
      return random.of<uint32_t>({0, 0x80000000, 0x3f800000, 0xbf800000, 0x40000000});
    default:
      return random.of<uint32_t>({0x7fc00000,
                                  0x7f800000,
                                  0xff800000,
                                  0,
                                  0x80000000,
                                  1,
                                  0x80000001,
                                  0x007fffff,
                                  0x00800000,
                                  0x80800000,
                                  0x7f7fffff,
                                  0xff7fffff,
                                  0x3f800000,
                                  0xbf800000,
                                  0x4b000001});
  }
}

inline uint64_t random_bits(Random& random, law::DType type, Values values) {
  using law::DType;
  switch (type) {
    case DType::f32:
      return random_f32(random, values);
    case DType::f64:
      if (values == Values::heavy && random.chance(2)) {
        const uint64_t exponent = static_cast<uint64_t>(random.in(1023 - 40, 1023 + 40)) << 52;
        return exponent | (random.next() & 0x800fffffffffffff);
      }
      return law::convert(DType::f32, type, random_f32(random, values));
    case DType::bf16:
    case DType::f16:
      return law::convert(DType::f32, type, random_f32(random, values));
    case DType::boolean:
      return random.next() & 1;
    default: {
      const uint64_t all = ~uint64_t{0} >> (64 - law::size_of(type) * 8);
      if (values == Values::special) {
        return random.of<uint64_t>({0, 1, all, all >> 1, all ^ (all >> 1)});
      }
      return values == Values::heavy ? random.next() & all
                                     : static_cast<uint64_t>(random.in(-3, 9)) & all;
    }
  }
}

inline law::Tensor random_tensor(Random& random, const law::Shape& shape) {
  const Values values = random.of(
      {Values::plain, Values::heavy, Values::heavy, Values::special, Values::tied, Values::mixed});
  law::Tensor tensor{shape, Bytes(static_cast<size_t>(shape.bytes()))};
  for (int64_t i = 0; i < shape.count(); ++i) {
    law::store_bits(shape.type, tensor.data, i, random_bits(random, shape.type, values));
  }
  return tensor;
}

/// A record with inputs. op() borrows.
struct Case {
  law::Record record;
  std::vector<law::Tensor> in;
  [[nodiscard]] law::Op op() const {
    law::Op op{&record, {}};
    for (const law::Tensor& tensor : in) {
      op.in.push_back(tensor.shape);
    }
    return op;
  }
  [[nodiscard]] Bytes expected() const {
    const law::Op borrowed = op();
    std::vector<ByteView> views(in.size());
    std::transform(in.begin(), in.end(), views.begin(), [](const law::Tensor& tensor) {
      return ByteView(tensor.data);
    });
    law::TensorReader reader(borrowed, views);
    return law::evaluate(borrowed, reader).data;
  }
};

/// 64-byte aligned bytes with guards before and after them.
class Guarded {
 public:
  explicit Guarded(size_t size)
      : size_(size),
        bytes_(static_cast<uint8_t*>(std::aligned_alloc(64, (size + 2 * guard + 63) / 64 * 64))) {
    CHECK(bytes_ != nullptr);
    std::fill(bytes_.get(), bytes_.get() + size_ + 2 * guard, uint8_t{0xa5});
  }
  [[nodiscard]] std::span<uint8_t> bytes() const { return {bytes_.get() + guard, size_}; }
  [[nodiscard]] bool intact() const {
    const auto whole = [](const uint8_t* at) {
      return std::all_of(at, at + guard, [](uint8_t byte) { return byte == 0xa5; });
    };
    return whole(bytes_.get()) && whole(bytes_.get() + guard + size_);
  }

 private:
  static constexpr size_t guard = 64;
  struct Free {
    void operator()(uint8_t* bytes) const { std::free(bytes); }
  };
  size_t size_;
  std::unique_ptr<uint8_t, Free> bytes_;
};

/// The kernel's output; empty optional when it wrote outside its output or scratch, or to an input.
inline std::optional<Bytes> run_kernel(const Kernel& kernel, const Case& c, Workers& workers) {
  const law::Op op = c.op();
  std::vector<Guarded> in;
  std::vector<ByteView> views;
  for (const law::Tensor& tensor : c.in) {
    in.emplace_back(tensor.data.size());
    std::copy(tensor.data.begin(), tensor.data.end(), in.back().bytes().begin());
    views.emplace_back(in.back().bytes());
  }
  const Guarded out(static_cast<size_t>(c.record.out.bytes()));
  const Guarded scratch(kernel.scratch_bytes(op, workers.count()));
  kernel.run({op, views, out.bytes(), scratch.bytes(), workers});
  bool intact = out.intact() && scratch.intact();
  for (size_t i = 0; i < in.size(); ++i) {
    intact = intact && in[i].intact() && std::ranges::equal(in[i].bytes(), c.in[i].data);
  }
  if (!intact) {
    return std::nullopt;
  }
  return Bytes(out.bytes().begin(), out.bytes().end());
}

/// Names the record in a failure message.
inline std::string text_of(const Case& c) {
  std::string text = "kind " + std::to_string(static_cast<int>(c.record.kind));
  for (const law::Tensor& tensor : c.in) {
    text += " " + std::string(law::name_of(tensor.shape.type)) + law::text_of(tensor.shape.dims);
  }
  return text + " -> " + law::name_of(c.record.out.type) + law::text_of(c.record.out.dims);
}

}  // namespace lockstep::tensor::test
