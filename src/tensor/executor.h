// Runs a program's steps with kernels: plans the memory once, then steps without allocating.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "law/program.h"
#include "tensor/kernel.h"
#include "tensor/memory_plan.h"

namespace lockstep::tensor {

enum class Isa { portable, avx2 };
/// Whether this processor runs `isa`'s kernels.
[[nodiscard]] bool supported(Isa isa);
/// The fastest that this processor supports.
[[nodiscard]] Isa best_isa();
/// The kernel that runs `op` (which has passed law::check); null where there is none.
[[nodiscard]] const Kernel* choose_kernel(const law::Op& op, Isa isa);

struct Options {
  int threads = 1;
  Isa isa = Isa::portable;
  bool keep_outputs = false;  // every record's output of the last step stays readable
};

/// Not for use by several threads at once. Views that it hands out live until the next load() or
/// step().
class Executor {
 public:
  /// `constants` are the tensors of program.constants, in order; whoever fetched them has checked
  /// their roots. Errors: those of law::check; bad_program when a constant has another shape;
  /// unsupported_device, naming the record; out_of_range for the thread count; internal when memory
  /// runs out.
  [[nodiscard]] static Result<std::unique_ptr<Executor>> create(law::Program program,
                                                                std::vector<law::Tensor> constants,
                                                                Options options);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Sets every leaf, in the program's order; NaNs must be canonical and bools 0 or 1. All leaves
  /// are zero until then. Errors: bad_data when the number of leaves or a size differs; nothing is
  /// changed then.
  [[nodiscard]] Result<void> load(std::span<const ByteView> leaves);
  /// One step: every read of a leaf sees its value before the step.
  void step();

  [[nodiscard]] const law::Program& program() const;
  [[nodiscard]] ByteView leaf(size_t index) const;
  /// Of the last step. Only with keep_outputs.
  [[nodiscard]] ByteView output(uint32_t record) const;
  [[nodiscard]] const char* kernel_name(uint32_t record) const;
  [[nodiscard]] const MemoryPlan& memory() const;

 private:
  struct Impl;
  explicit Executor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::tensor
