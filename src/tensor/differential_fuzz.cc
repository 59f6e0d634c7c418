// Fuzzes the law against the kernels: bytes choose a record of any kind, its shapes and its inputs;
// every kernel must give the law's bits, whatever the instruction set and the number of threads.
#include "base/check.h"
#include "law/fold.h"
#include "law/test_random_ops.h"
#include "tensor/executor.h"

namespace {

using namespace lockstep;  // NOLINT(google-build-using-namespace)

constexpr int64_t budget = 3000;  // elements and terms: a run takes well under a millisecond

void compare(const law::Program& program, const law::test::RandomOp& made, ByteView expected) {
  std::vector<ByteView> leaves = made.views();
  const Bytes zeros(expected.size());
  leaves.emplace_back(zeros);
  for (const tensor::Isa isa : {tensor::Isa::portable, tensor::Isa::avx2}) {
    if (!tensor::supported(isa)) {
      continue;
    }
    for (const int threads : {1, 2}) {
      auto executor = tensor::Executor::create(program, {}, {threads, isa, false});
      CHECK(executor.ok());
      CHECK((*executor)->load(leaves).ok());
      (*executor)->step();
      const ByteView got = (*executor)->leaf(leaves.size() - 1);
      CHECK(Bytes(got.begin(), got.end()) == Bytes(expected.begin(), expected.end()));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  law::test::ByteChoices choices({data, size});
  const law::test::RandomOp made = law::test::random_op(choices, budget);
  const law::Program program = law::test::program_of(made);
  if (!law::check(program).ok()) {
    return 0;
  }
  const law::Op op = made.op();
  law::TensorReader reader(op, made.views());
  compare(program, made, law::evaluate(op, reader).data);
  return 0;
}
