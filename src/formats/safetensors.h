// Reads and writes safetensors, the exchange format for named tensors.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "law/types.h"

namespace lockstep::formats {

struct NamedTensor {
  std::string name;
  law::Tensor tensor;
};

/// The tensors sorted bytewise by name, NaN canonical; "__metadata__" is checked and dropped.
/// Refused: a header that is not exactly the format's JSON or longer than the limit, names twice,
/// empty or too long, unknown types, offsets that overlap, leave holes or disagree with the shape,
/// a boolean that is not 0 or 1. Errors: bad_safetensors; `where` names the tensor.
[[nodiscard]] Result<std::vector<NamedTensor>> read_safetensors(ByteView bytes);

/// The same tensors always give the same bytes: sorted by name, no metadata, NaN canonical, the
/// header padded with spaces to a multiple of 8 bytes. Errors: bad_safetensors (a name twice,
/// empty, too long, reserved or not UTF-8).
[[nodiscard]] Result<Bytes> write_safetensors(std::span<const NamedTensor> tensors);

}  // namespace lockstep::formats
