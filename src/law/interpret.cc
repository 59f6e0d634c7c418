// One step of a program by the law alone.
#include "law/interpret.h"

#include "base/check.h"
#include "law/float_environment.h"
#include "law/fold.h"

namespace lockstep::law {
namespace {

void check_tensor(const Tensor& tensor, const Shape& shape) {
  CHECK(tensor.shape == shape);
  CHECK(tensor.data.size() == static_cast<size_t>(shape.bytes()));
}

}  // namespace

std::vector<Tensor> run_step(const Program& program,
                             std::span<const Tensor> leaves,
                             std::span<const Tensor> constants,
                             std::vector<Tensor>* values) {
  CHECK(leaves.size() == program.leaves.size());
  CHECK(constants.size() == program.constants.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    check_tensor(leaves[i], program.leaves[i].shape);
  }
  for (size_t i = 0; i < constants.size(); ++i) {
    check_tensor(constants[i], program.constants[i].shape);
  }
  const FloatEnvironment environment;
  std::vector<Tensor> made;
  made.reserve(program.records.size());
  for (uint32_t at = 0; at < program.records.size(); ++at) {
    const Op op = op_of(program, at);
    std::vector<ByteView> inputs;
    for (const Source& source : op.record->inputs) {
      const Tensor& from = source.from == From::state      ? leaves[source.index]
                           : source.from == From::constant ? constants[source.index]
                                                           : made[source.index];
      inputs.emplace_back(from.data);
    }
    TensorReader reader(op, std::move(inputs));
    made.push_back(evaluate(op, reader));
  }
  std::vector<Tensor> next;
  for (size_t i = 0; i < leaves.size(); ++i) {
    const Leaf& leaf = program.leaves[i];
    next.push_back(leaf.writer ? Tensor{leaf.shape, made[*leaf.writer].data} : leaves[i]);
  }
  if (values != nullptr) {
    *values = std::move(made);
  }
  return next;
}

}  // namespace lockstep::law
