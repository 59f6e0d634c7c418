// What a kernel is: a faster way to the same bits as law::evaluate for one record.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "law/program.h"

namespace lockstep::tensor {

/// Runs parts of a loop, perhaps on several threads. Results never depend on count() or on which
/// worker ran a part. Each worker thread holds a law::FloatEnvironment.
class Workers {
 public:
  virtual ~Workers() = default;
  [[nodiscard]] virtual int count() const = 0;
  /// Calls body(part, worker) once for each part in [0, parts) and returns when all are done;
  /// 0 <= worker < count(), and no two calls run at once with the same worker. Does not allocate.
  virtual void run(int64_t parts, const std::function<void(int64_t, int)>& body) = 0;
};

struct Call {
  const law::Op& op;
  std::span<const ByteView> in;  // row-major little-endian, 64-byte aligned, sizes as op.in says
  std::span<uint8_t> out;        // 64-byte aligned; never overlaps an input
  std::span<uint8_t> scratch;    // 64-byte aligned, scratch_bytes(op, workers.count()) bytes
  Workers& workers;
};

struct Kernel {
  const char* name;
  bool (*applies)(const law::Op& op);
  size_t (*scratch_bytes)(const law::Op& op, int workers);
  void (*run)(const Call& call);  // no allocation
};

/// In order of preference; the executor takes the first that applies and, where none does, fails
/// with "unsupported on this device".
std::span<const Kernel> contraction_kernels_portable();  // contract, conv and its gradients
std::span<const Kernel> contraction_kernels_avx2();
std::span<const Kernel> general_kernels_portable();  // every other kind
std::span<const Kernel> general_kernels_avx2();

}  // namespace lockstep::tensor
