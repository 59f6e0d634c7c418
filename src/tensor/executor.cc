// The executor: kernels chosen once, memory planned once, then steps.
#include "tensor/executor.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "law/float_environment.h"
#include "tensor/workers.h"

namespace lockstep::tensor {
namespace {

struct FreeAligned {
  void operator()(uint8_t* memory) const {
    ::operator delete (memory, std::align_val_t{buffer_alignment});
  }
};
using Memory = std::unique_ptr<uint8_t, FreeAligned>;

/// Null when there is not enough. Never of size zero, so that empty tensors have an address.
Memory allocate(size_t bytes) {
  return Memory(static_cast<uint8_t*>(::operator new (
      std::max<size_t>(bytes, 1), std::align_val_t{buffer_alignment}, std::nothrow)));
}

const Kernel* first_that_applies(std::span<const Kernel> kernels, const law::Op& op) {
  for (const Kernel& kernel : kernels) {
    if (kernel.applies(op)) {
      return &kernel;
    }
  }
  return nullptr;
}

bool is_contraction(law::Kind kind) {
  return kind == law::Kind::contract || kind == law::Kind::conv ||
         kind == law::Kind::conv_weight_grad || kind == law::Kind::conv_input_grad;
}

Result<void> check_constants(const law::Program& program,
                             const std::vector<law::Tensor>& constants) {
  if (constants.size() != program.constants.size()) {
    return refuse(Code::bad_program, "the program names another number of constants");
  }
  for (size_t i = 0; i < constants.size(); ++i) {
    if (constants[i].shape != program.constants[i].shape ||
        std::cmp_not_equal(constants[i].data.size(), constants[i].shape.bytes())) {
      return refuse(Code::bad_program,
                    "the tensor has another shape than the program names",
                    {},
                    "constant " + std::to_string(i));
    }
  }
  return {};
}

}  // namespace

bool supported(Isa isa) {
  if (isa == Isa::portable) {
    return true;
  }
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
#else
  return false;
#endif
}

Isa best_isa() {
  return supported(Isa::avx2) ? Isa::avx2 : Isa::portable;
}

const Kernel* choose_kernel(const law::Op& op, Isa isa) {
  const bool contraction = is_contraction(op.record->kind);
  if (isa == Isa::avx2) {
    const Kernel* kernel =
        first_that_applies(contraction ? contraction_kernels_avx2() : general_kernels_avx2(), op);
    if (kernel != nullptr) {
      return kernel;
    }
  }
  return first_that_applies(
      contraction ? contraction_kernels_portable() : general_kernels_portable(), op);
}

struct Executor::Impl {
  struct Work {
    law::Op op;  // borrows from program.records
    const Kernel* kernel = nullptr;
    std::vector<ByteView> in;  // room for the views; filled before each call
  };

  law::Program program;
  Options options;
  MemoryPlan plan;
  std::unique_ptr<ThreadPool> workers;
  Memory arena, scratch;
  size_t scratch_bytes = 0;
  std::vector<Work> work;

  [[nodiscard]] std::span<uint8_t> bytes(const MemoryPlan::Slot& slot) const {
    return {arena.get() + slot.offset, static_cast<size_t>(slot.bytes)};
  }
  [[nodiscard]] const MemoryPlan::Slot& slot(const law::Source& source) const {
    switch (source.from) {
      case law::From::state:
        return plan.leaves[source.index];
      case law::From::value:
        return plan.records[source.index];
      case law::From::constant:
        break;
    }
    return plan.constants[source.index];
  }
  Result<void> choose_kernels();
  Result<void> allocate_memory(const std::vector<law::Tensor>& constants);
};

Result<void> Executor::Impl::choose_kernels() {
  work.resize(program.records.size());
  for (uint32_t r = 0; r < work.size(); ++r) {
    work[r].op = law::op_of(program, r);
    work[r].in.resize(program.records[r].inputs.size());
    work[r].kernel = choose_kernel(work[r].op, options.isa);
    if (work[r].kernel == nullptr) {
      return refuse(Code::unsupported_device,
                    "unsupported on this device",
                    "run the task on another device",
                    "record " + std::to_string(r));
    }
    scratch_bytes =
        std::max(scratch_bytes, work[r].kernel->scratch_bytes(work[r].op, options.threads));
  }
  return {};
}

Result<void> Executor::Impl::allocate_memory(const std::vector<law::Tensor>& constants) {
  plan = plan_memory(program, options.keep_outputs);
  arena = allocate(static_cast<size_t>(plan.arena_bytes));
  scratch = allocate(scratch_bytes);
  if (arena == nullptr || scratch == nullptr) {
    return refuse(Code::internal,
                  "not enough memory: the step needs " + std::to_string(plan.arena_bytes) +
                      " bytes and scratch " + std::to_string(scratch_bytes),
                  "use a smaller batch or a larger device");
  }
  for (const MemoryPlan::Slot& leaf : plan.leaves) {
    std::ranges::fill(bytes(leaf), uint8_t{0});
  }
  for (size_t i = 0; i < constants.size(); ++i) {
    std::ranges::copy(constants[i].data, bytes(plan.constants[i]).begin());
  }
  return {};
}

Executor::Executor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Executor::~Executor() = default;

Result<std::unique_ptr<Executor>> Executor::create(law::Program program,
                                                   std::vector<law::Tensor> constants,
                                                   Options options) {
  TRY(law::check(program));
  TRY(check_constants(program, constants));
  if (!supported(options.isa)) {
    return refuse(Code::unsupported_device, "this processor has no AVX2 with FMA");
  }
  auto impl = std::make_unique<Impl>();
  impl->program = std::move(program);
  impl->options = options;
  impl->workers = TRY(ThreadPool::create(options.threads));
  TRY(impl->choose_kernels());
  TRY(impl->allocate_memory(constants));
  return std::unique_ptr<Executor>(new Executor(std::move(impl)));
}

Result<void> Executor::load(std::span<const ByteView> leaves) {
  if (leaves.size() != impl_->plan.leaves.size()) {
    return refuse(Code::bad_data,
                  "the program has " + std::to_string(impl_->plan.leaves.size()) +
                      " leaves, the state " + std::to_string(leaves.size()));
  }
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (std::cmp_not_equal(leaves[i].size(), impl_->plan.leaves[i].bytes)) {
      return refuse(Code::bad_data,
                    "the leaf has " + std::to_string(impl_->plan.leaves[i].bytes) +
                        " bytes, the state " + std::to_string(leaves[i].size()),
                    {},
                    impl_->program.leaves[i].name);
    }
  }
  for (size_t i = 0; i < leaves.size(); ++i) {
    std::ranges::copy(leaves[i], impl_->bytes(impl_->plan.leaves[i]).begin());
  }
  return {};
}

void Executor::step() {
  const law::FloatEnvironment environment;
  Impl& impl = *impl_;
  for (uint32_t r = 0; r < impl.work.size(); ++r) {
    Impl::Work& work = impl.work[r];
    for (size_t i = 0; i < work.in.size(); ++i) {
      work.in[i] = impl.bytes(impl.slot(work.op.record->inputs[i]));
    }
    const Call call{.op = work.op,
                    .in = work.in,
                    .out = impl.bytes(impl.plan.records[r]),
                    .scratch = {impl.scratch.get(), impl.scratch_bytes},
                    .workers = *impl.workers};
    work.kernel->run(call);
  }
  for (const MemoryPlan::Trade& copy : impl.plan.copies) {
    std::ranges::copy(impl.bytes(impl.plan.records[copy.record]),
                      impl.bytes(impl.plan.leaves[copy.leaf]).begin());
  }
  for (const MemoryPlan::Trade& swap : impl.plan.swaps) {
    std::swap(impl.plan.leaves[swap.leaf].offset, impl.plan.records[swap.record].offset);
  }
}

const law::Program& Executor::program() const {
  return impl_->program;
}

ByteView Executor::leaf(size_t index) const {
  CHECK(index < impl_->plan.leaves.size());
  return impl_->bytes(impl_->plan.leaves[index]);
}

ByteView Executor::output(uint32_t record) const {
  CHECK(impl_->options.keep_outputs && record < impl_->plan.records.size());
  // A writer's output has become its leaf.
  for (const MemoryPlan::Trade& swap : impl_->plan.swaps) {
    if (swap.record == record) {
      return leaf(swap.leaf);
    }
  }
  return impl_->bytes(impl_->plan.records[record]);
}

const char* Executor::kernel_name(uint32_t record) const {
  CHECK(record < impl_->work.size());
  return impl_->work[record].kernel->name;
}

const MemoryPlan& Executor::memory() const {
  return impl_->plan;
}

}  // namespace lockstep::tensor
