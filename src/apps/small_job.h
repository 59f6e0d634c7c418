// For tests: a job of seconds over generated images, with the committed model.
#pragma once

#include <map>

#include "base/limits.h"
#include "env/files.h"
#include "model/job_spec.h"
#include "platform/files.h"

namespace lockstep {

/// Files in memory, with the committed model beside generated images.
class MemoryFiles final : public env::Files {
 public:
  Result<Bytes> read(const std::string& path, size_t bytes_max) override {
    const auto found = files.find(path);
    if (found == files.end()) {
      return refuse(Code::file_not_found, "no such file", {}, path);
    }
    return found->second.size() <= bytes_max ? Result<Bytes>(found->second)
                                             : refuse(Code::too_large, "too large", {}, path);
  }
  Result<void> write(const std::string& path, ByteView bytes) override {
    files[path] = Bytes(bytes.begin(), bytes.end());
    return {};
  }
  std::map<std::string, Bytes> files;
};

inline Bytes idx(const std::vector<uint32_t>& dims, uint32_t modulus, uint32_t seed) {
  Bytes bytes{0, 0, 8, static_cast<uint8_t>(dims.size())};
  uint32_t count = 1;
  for (const uint32_t dim : dims) {
    count *= dim;
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<uint8_t>(dim >> shift));
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    seed = seed * 1664525 + 1013904223;
    bytes.push_back(static_cast<uint8_t>((seed >> 16) % modulus));
  }
  return bytes;
}

inline model::JobSpec small_job() {
  model::JobSpec spec;
  spec.name = "small";
  spec.model = "model.onnx";
  spec.data = {model::DataFormat::idx, "x", "y", "tx", "ty", 20, 7};
  spec.train.rounds = 2;
  spec.train.lanes = 2;
  spec.train.batch = 5;
  spec.train.local_steps = 3;
  spec.train.claim_every = 2;
  spec.train.lr.warmup_steps = 2;
  return spec;
}

inline MemoryFiles small_files() {
  MemoryFiles files;
  const std::string model = std::string(LOCKSTEP_SOURCE_DIR) + "/examples/fashion-mnist/model.onnx";
  files.files["model.onnx"] = *platform::Files().read(model, limits::onnx_bytes_max);
  files.files["x"] = idx({60, 28, 28}, 256, 1);
  files.files["y"] = idx({60}, 10, 2);
  files.files["tx"] = idx({40, 28, 28}, 256, 3);
  files.files["ty"] = idx({40}, 10, 4);
  return files;
}

}  // namespace lockstep
