// The real files and the real clock.
#pragma once

#include "env/clock.h"
#include "env/files.h"

namespace lockstep::platform {

class Files final : public env::Files {
 public:
  Result<Bytes> read(const std::string& path, size_t bytes_max) override;
  Result<void> write(const std::string& path, ByteView bytes) override;
};

class Clock final : public env::Clock {
 public:
  uint64_t now_ns() override;
};

}  // namespace lockstep::platform
