// Element types, shapes and tensors: what values are, before anything is computed.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"

namespace lockstep::law {

/// The version of the law that this tree's records are read by. A program names its own.
inline constexpr uint16_t law_version = 1;

/// Numbers are part of hashed bytes: never renumber.
enum class DType : uint8_t {
  f32 = 0,
  f64 = 1,
  bf16 = 2,
  f16 = 3,
  i8 = 4,
  i16 = 5,
  i32 = 6,
  i64 = 7,
  u8 = 8,
  u16 = 9,
  u32 = 10,
  u64 = 11,
  boolean = 12,
};
inline constexpr uint8_t dtype_count = 13;

/// Bytes of one element.
[[nodiscard]] int64_t size_of(DType type);
[[nodiscard]] const char* name_of(DType type);

using Dims = std::vector<int64_t>;

/// Product of the dims; no dims = one element. Only for dims that valid() accepted.
[[nodiscard]] int64_t count_of(const Dims& dims);
[[nodiscard]] std::string text_of(const Dims& dims);

struct Shape {
  DType type = DType::f32;
  Dims dims;
  [[nodiscard]] int64_t count() const { return count_of(dims); }
  [[nodiscard]] int64_t bytes() const { return count() * size_of(type); }
  bool operator==(const Shape&) const = default;
};

/// Rank ≤ 8, every dim ≥ 0, count < 2^40 (also of the dims that are not zero). Errors: bad_shape.
[[nodiscard]] Result<void> valid(const Shape& shape);

/// Row-major, little-endian. data.size() == shape.bytes().
struct Tensor {
  Shape shape;
  Bytes data;
};

/// Element `at` of `bytes` as raw bits, zero-extended; and back.
[[nodiscard]] uint64_t load_bits(DType type, ByteView bytes, int64_t at);
void store_bits(DType type, std::span<uint8_t> bytes, int64_t at, uint64_t bits);

/// Every NaN of a floating type becomes its canonical quiet one; other bits stay.
[[nodiscard]] uint64_t canonical(DType type, uint64_t bits);
void canonicalise(Tensor& tensor);

}  // namespace lockstep::law
