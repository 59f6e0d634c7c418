// Element types, shapes and the bytes of tensors.
#include "law/types.h"

#include "base/check.h"

namespace lockstep::law {
namespace {

struct TypeFacts {
  int64_t size;
  const char* name;
};

constexpr TypeFacts facts[dtype_count] = {{4, "f32"},
                                          {8, "f64"},
                                          {2, "bf16"},
                                          {2, "f16"},
                                          {1, "i8"},
                                          {2, "i16"},
                                          {4, "i32"},
                                          {8, "i64"},
                                          {1, "u8"},
                                          {2, "u16"},
                                          {4, "u32"},
                                          {8, "u64"},
                                          {1, "bool"}};

const TypeFacts& facts_of(DType type) {
  CHECK(static_cast<uint8_t>(type) < dtype_count);
  return facts[static_cast<uint8_t>(type)];
}

struct NanRule {
  uint64_t sign;
  uint64_t infinity;
  uint64_t quiet;
};

uint64_t canonical_by(const NanRule& rule, uint64_t bits) {
  return (bits & ~rule.sign) > rule.infinity ? rule.quiet : bits;
}

}  // namespace

int64_t size_of(DType type) {
  return facts_of(type).size;
}

const char* name_of(DType type) {
  return facts_of(type).name;
}

int64_t count_of(const Dims& dims) {
  int64_t count = 1;  // cannot overflow: valid() bounds the product of the dims that are not zero
  for (const int64_t dim : dims) {
    count *= dim;
  }
  return count;
}

std::string text_of(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  }
  return text + "]";
}

Result<void> valid(const Shape& shape) {
  if (static_cast<uint8_t>(shape.type) >= dtype_count) {
    return refuse(Code::bad_shape, "the element type is unknown");
  }
  if (shape.dims.size() > limits::rank_max) {
    return refuse(Code::bad_shape,
                  "a shape has " + std::to_string(shape.dims.size()) + " dims",
                  "the most is " + std::to_string(limits::rank_max));
  }
  int64_t count = 1;
  for (const int64_t dim : shape.dims) {
    if (dim < 0) {
      return refuse(Code::bad_shape, "a dim of " + text_of(shape.dims) + " is negative");
    }
    if (dim == 0) {
      continue;
    }
    if (dim > limits::elements_max / count) {
      return refuse(
          Code::bad_shape, text_of(shape.dims) + " is too large", "a count stays below 2^40");
    }
    count *= dim;
  }
  return {};
}

uint64_t load_bits(DType type, ByteView bytes, int64_t at) {
  const size_t size = static_cast<size_t>(size_of(type));
  CHECK(at >= 0 && static_cast<size_t>(at) < bytes.size() / size);
  const ByteView element = bytes.subspan(static_cast<size_t>(at) * size, size);
  uint64_t bits = 0;
  for (size_t i = 0; i < size; ++i) {
    bits |= uint64_t{element[i]} << (8 * i);
  }
  return bits;
}

void store_bits(DType type, std::span<uint8_t> bytes, int64_t at, uint64_t bits) {
  const size_t size = static_cast<size_t>(size_of(type));
  CHECK(at >= 0 && static_cast<size_t>(at) < bytes.size() / size);
  const std::span<uint8_t> element = bytes.subspan(static_cast<size_t>(at) * size, size);
  for (size_t i = 0; i < size; ++i) {
    element[i] = static_cast<uint8_t>(bits >> (8 * i));
  }
}

uint64_t canonical(DType type, uint64_t bits) {
  switch (type) {
    case DType::f32:
      return canonical_by({0x8000'0000, 0x7f80'0000, 0x7fc0'0000}, bits);
    case DType::f64:
      return canonical_by({uint64_t{1} << 63, 0x7ff0'0000'0000'0000, 0x7ff8'0000'0000'0000}, bits);
    case DType::bf16:
      return canonical_by({0x8000, 0x7f80, 0x7fc0}, bits);
    case DType::f16:
      return canonical_by({0x8000, 0x7c00, 0x7e00}, bits);
    default:
      return bits;
  }
}

void canonicalise(Tensor& tensor) {
  const DType type = tensor.shape.type;
  if (static_cast<uint8_t>(type) > static_cast<uint8_t>(DType::f16)) {
    return;
  }
  const int64_t count = tensor.shape.count();
  for (int64_t i = 0; i < count; ++i) {
    store_bits(type, tensor.data, i, canonical(type, load_bits(type, tensor.data, i)));
  }
}

}  // namespace lockstep::law
