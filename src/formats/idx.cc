// Reads IDX. Every size is compared with the file's before memory is taken.
#include "formats/idx.h"

#include <algorithm>
#include <optional>

namespace lockstep::formats {
namespace {

Error bad(std::string what) {
  return refuse(Code::bad_idx, std::move(what), "Give an unpacked IDX file");
}

std::optional<law::DType> type_of(uint8_t code) {
  switch (code) {
    case 0x08:
      return law::DType::u8;
    case 0x09:
      return law::DType::i8;
    case 0x0b:
      return law::DType::i16;
    case 0x0c:
      return law::DType::i32;
    case 0x0d:
      return law::DType::f32;
    case 0x0e:
      return law::DType::f64;
    default:
      return std::nullopt;
  }
}

uint32_t big_endian_u32(ByteView bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 |
         uint32_t{bytes[3]};
}

}  // namespace

Result<law::Tensor> read_idx(ByteView bytes) {
  if (bytes.size() > limits::idx_bytes_max) {
    return bad("longer than " + std::to_string(limits::idx_bytes_max) + " bytes");
  }
  if (bytes.size() < 4) {
    return bad("ends inside the magic number");
  }
  const std::optional<law::DType> type = type_of(bytes[2]);
  if (bytes[0] != 0 || bytes[1] != 0 || !type) {
    return bad("does not begin with an IDX magic number");
  }
  const size_t rank = bytes[3];
  if (rank < 1 || rank > limits::rank_max) {
    return bad("rank " + std::to_string(rank) + " is not in 1 to 8");
  }
  ByteView left = bytes.subspan(4);
  if (left.size() < 4 * rank) {
    return bad("ends inside the dims");
  }
  law::Tensor tensor;
  tensor.shape.type = *type;
  for (size_t axis = 0; axis < rank; ++axis) {
    tensor.shape.dims.push_back(big_endian_u32(left.subspan(4 * axis)));
  }
  left = left.subspan(4 * rank);
  if (!law::valid(tensor.shape).ok()) {
    return bad("dims " + law::text_of(tensor.shape.dims) + " are too large");
  }
  if (static_cast<uint64_t>(tensor.shape.bytes()) != left.size()) {
    return bad("dims " + law::text_of(tensor.shape.dims) + " need " +
               std::to_string(tensor.shape.bytes()) + " bytes of elements, the file has " +
               std::to_string(left.size()));
  }
  tensor.data.assign(left.begin(), left.end());
  const auto size = static_cast<std::ptrdiff_t>(law::size_of(*type));
  if (size > 1) {
    for (auto at = tensor.data.begin(); at != tensor.data.end(); at += size) {
      std::reverse(at, at + size);
    }
  }
  law::canonicalise(tensor);
  return tensor;
}

}  // namespace lockstep::formats
