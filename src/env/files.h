// Files as the outside world gives them: whole, bounded, replaced atomically.
#pragma once

#include <string>

#include "base/bytes.h"

namespace lockstep::env {

class Files {
 public:
  virtual ~Files() = default;
  /// Errors: file_not_found, too_large (more than bytes_max), io_failed; `where` is the path.
  virtual Result<Bytes> read(const std::string& path, size_t bytes_max) = 0;
  /// Makes missing folders, writes beside the target and renames over it. Errors: io_failed.
  virtual Result<void> write(const std::string& path, ByteView bytes) = 0;
};

}  // namespace lockstep::env
