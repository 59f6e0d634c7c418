// The registry of programs, and what an assignment of one must say.
#include "judge/programs.h"

#include "law/roots.h"

namespace lockstep::judge {
namespace {

Error wrong(std::string what) {
  return refuse(Code::wrong_claim, std::move(what));
}

Result<void> check_constants(const law::Program& program, std::span<const Hash> constants) {
  if (constants.size() != program.constants.size()) {
    return refuse(Code::bad_program,
                  "the program has " + std::to_string(program.constants.size()) +
                      " constants and comes with " + std::to_string(constants.size()) +
                      " addresses");
  }
  for (size_t i = 0; i < constants.size(); ++i) {
    const law::Constant& constant = program.constants[i];
    if (law::tensor_root(constant.shape, constants[i]) != constant.root) {
      return refuse(Code::bad_program,
                    "its address does not give its root",
                    {},
                    "constant " + std::to_string(i));
    }
  }
  return {};
}

}  // namespace

Result<const Registered*> Programs::add(ByteView bytes, std::span<const Hash> constants) {
  const Hash root = crypto::hash(law::program_mode(), bytes);
  if (const Registered* known = find(root)) {
    TRY(check_constants(known->program, constants));
    return known;
  }
  law::Program program = TRY(law::decode(bytes));
  TRY(law::check(program));
  TRY(check_constants(program, constants));
  const uint64_t operations = law::cost(program);
  auto made = std::make_shared<const Registered>(
      Registered{root,
                 std::move(program),
                 operations,
                 Bytes(bytes.begin(), bytes.end()),
                 std::vector<Hash>(constants.begin(), constants.end())});
  return programs_.emplace(root, std::move(made)).first->second.get();
}

const Registered* Programs::find(const Hash& root) const {
  const auto found = programs_.find(root);
  return found == programs_.end() ? nullptr : found->second.get();
}

Result<Hash> input_root(const Registered& program, std::span<const model::AssignedLeaf> leaves) {
  const std::vector<law::Leaf>& table = program.program.leaves;
  if (leaves.size() != table.size()) {
    return wrong("the assignment has " + std::to_string(leaves.size()) + " leaves, the program " +
                 std::to_string(table.size()));
  }
  std::vector<Hash> roots;
  roots.reserve(leaves.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    const model::TensorRef& tensor = leaves[i].tensor;
    if (law::tensor_root(table[i].shape, tensor.data) != tensor.root) {
      return wrong("the root of leaf " + table[i].name + " is not that of its shape and bytes");
    }
    roots.push_back(tensor.root);
  }
  return law::state_root(program.program, roots);
}

uint64_t list_entries(const Registered& program, uint32_t steps, uint32_t claim_every) {
  const uint64_t outputs = steps < model::short_task_steps ? program.program.records.size() : 0;
  return model::state_roots_of(steps, claim_every) + outputs;
}

Result<void> check_work(const Registered& program, const model::Assignment& assignment) {
  if (assignment.steps < 1 || assignment.steps > uint32_t{limits::task_steps_max}) {
    return wrong("a task has 1 to " + std::to_string(limits::task_steps_max) + " steps");
  }
  if (assignment.claim_every < 1 ||
      assignment.claim_every > model::claim_every_max(assignment.steps)) {
    return wrong("state roots are claimed every 1 to " +
                 std::to_string(model::claim_every_max(assignment.steps)) + " steps");
  }
  // A division: the product of a hostile program's cost and the steps may not fit.
  if (assignment.operations % assignment.steps != 0 ||
      assignment.operations / assignment.steps != program.operations) {
    return wrong("the operations are not those of the program times the steps");
  }
  return {};
}

}  // namespace lockstep::judge
