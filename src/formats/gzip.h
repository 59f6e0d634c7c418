// Unpacks one gzip member into memory, bounded.
#pragma once

#include "base/bytes.h"

namespace lockstep::formats {

/// The unpacked bytes of a file that is exactly one gzip member. Memory follows what is really
/// unpacked and stays within bytes_max. Errors: bad_gzip (not gzip, truncated, wrong checksum or
/// length, bytes after the end, more than bytes_max bytes).
[[nodiscard]] Result<Bytes> gunzip(ByteView bytes, size_t bytes_max);

}  // namespace lockstep::formats
