// Reads IDX, the format of the MNIST family of data sets.
#pragma once

#include "law/types.h"

namespace lockstep::formats {

/// A tensor of type u8, i8, i16, i32, f32 or f64 and rank 1 to 8, NaN canonical. The file is big-
/// endian: two zero bytes, the type, the rank, a u32 for each dim, then exactly the elements.
/// Errors: bad_idx.
[[nodiscard]] Result<law::Tensor> read_idx(ByteView bytes);

}  // namespace lockstep::formats
