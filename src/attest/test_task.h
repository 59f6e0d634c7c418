// Small tasks for tests: programs, the party that computed one, and the lies that it may tell.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <functional>

#include "attest/own_fold.h"
#include "attest/witness.h"
#include "base/test_random.h"
#include "law/interpret.h"
#include "law/roots.h"

namespace lockstep::attest {

using law::DType;
using law::Tensor;
using model::Place;
using model::Tree;

struct Generator : TestRandom {
  using TestRandom::TestRandom;
  /// Between −1 and 1, with all the bits of a float.
  Tensor tensor(const law::Shape& shape) {
    Tensor tensor{shape, Bytes(static_cast<size_t>(shape.bytes()))};
    for (int64_t i = 0; i < shape.count(); ++i) {
      const auto value = static_cast<float>(static_cast<int32_t>(next() >> 32)) / 2147483648.0F;
      law::store_bits(DType::f32, tensor.data, i, std::bit_cast<uint32_t>(value));
    }
    return tensor;
  }
};

inline law::Source state(uint32_t leaf, law::Dims dims) {
  return {law::From::state, leaf, std::move(dims)};
}
inline law::Source value(uint32_t record, law::Dims dims) {
  return {law::From::value, record, std::move(dims)};
}
inline law::Shape f32(law::Dims dims) {
  return {DType::f32, std::move(dims)};
}
inline law::MapAttr expression(const std::vector<law::MapOp>& ops) {
  law::MapAttr attr;
  uint8_t inputs = 0;
  for (const law::MapOp op : ops) {
    attr.nodes.push_back({op, op == law::MapOp::input ? inputs : uint8_t{0}});
    inputs = static_cast<uint8_t>(inputs + (op == law::MapOp::input ? 1 : 0));
  }
  return attr;
}
inline law::MapAttr sum_of_two() {
  return expression({law::MapOp::input, law::MapOp::input, law::MapOp::add});
}

struct Setting {
  law::Program program;
  std::vector<Tensor> leaves, constants;
  uint32_t steps = 1;
  uint32_t claim_every = 1;
};

inline Setting filled(law::Program program, uint32_t steps, uint32_t claim_every) {
  Setting setting{std::move(program), {}, {}, steps, claim_every};
  Generator generator{7};
  for (const law::Leaf& leaf : setting.program.leaves) {
    setting.leaves.push_back(generator.tensor(leaf.shape));
  }
  for (law::Constant& constant : setting.program.constants) {
    setting.constants.push_back(generator.tensor(constant.shape));
    constant.root = law::tensor_root(setting.constants.back());
  }
  const auto checked = law::check(setting.program);
  EXPECT_TRUE(checked.ok()) << (checked.ok() ? "" : checked.error().message());
  return setting;
}

/// One training step of a linear layer: contractions, reductions, maps, an update by fma, leaves
/// that stay.
inline law::Program small_program() {
  using law::MapOp;
  law::Program p;
  p.leaves = {{"data", f32({8, 200}), std::nullopt},
              {"long", f32({4, 1300}), std::nullopt},
              {"loss", f32({1}), 6},
              {"sums", f32({4, 1}), 5},
              {"w", f32({200, 5}), 4}};
  p.constants = {{f32({}), {}}};
  p.records = {{law::Kind::contract,
                law::ContractAttr{},
                {state(0, {1, 8, 200}), state(4, {1, 200, 5})},
                f32({1, 8, 5})},
               {law::Kind::map,
                expression({MapOp::input, MapOp::input, MapOp::multiply}),
                {value(0, {1, 8, 5}), value(0, {1, 8, 5})},
                f32({1, 8, 5})},
               {law::Kind::reduce,
                law::ReduceAttr{law::ReduceOp::sum, {1}},
                {state(1, {4, 1300})},
                f32({4, 1})},
               {law::Kind::contract,
                law::ContractAttr{true, false},
                {state(0, {1, 8, 200}), value(0, {1, 8, 5})},
                f32({1, 200, 5})},
               {law::Kind::map,
                expression({MapOp::input, MapOp::input, MapOp::input, MapOp::fma}),
                {value(3, {200, 5}), {law::From::constant, 0, {}}, state(4, {200, 5})},
                f32({200, 5})},
               {law::Kind::map, sum_of_two(), {value(2, {4, 1}), state(3, {4, 1})}, f32({4, 1})},
               {law::Kind::reduce,
                law::ReduceAttr{law::ReduceOp::sum, {0, 1, 2}},
                {value(1, {1, 8, 5})},
                f32({1})}};
  return p;
}

/// `records` maps one after the other over four numbers.
inline law::Program chain_program(uint32_t records) {
  law::Program p;
  p.leaves = {{"fixed", f32({4}), std::nullopt}, {"x", f32({4}), records - 1}};
  for (uint32_t i = 0; i < records; ++i) {
    const law::Source before = i == 0 ? state(1, {4}) : value(i - 1, {4});
    p.records.push_back({law::Kind::map, sum_of_two(), {before, state(0, {4})}, f32({4})});
  }
  return p;
}

/// A tensor of 274 chunks, and one output of `terms` terms.
inline law::Program wide_program(int64_t terms) {
  law::Program p;
  p.leaves = {
      {"big", f32({70'000}), 0}, {"dot", f32({1, 1, 1}), 1}, {"row", f32({terms}), std::nullopt}};
  p.records = {
      {law::Kind::map, sum_of_two(), {state(0, {70'000}), state(0, {70'000})}, f32({70'000})},
      {law::Kind::contract,
       law::ContractAttr{},
       {state(2, {1, 1, terms}), state(2, {1, terms, 1})},
       f32({1, 1, 1})}};
  return p;
}

/// Many leaves that stay, and one that is written.
inline law::Program leafy_program(uint32_t leaves) {
  law::Program p;
  for (uint32_t i = 0; i < leaves; ++i) {
    p.leaves.push_back({"leaf" + std::to_string(10'000 + i), f32({1}), std::nullopt});
  }
  p.leaves[5].writer = 0;
  p.records = {{law::Kind::map, sum_of_two(), {state(5, {1}), state(6, {1})}, f32({1})}};
  return p;
}

/// What a liar does. `output` sees each output as it is made, `after` the leaves after a step.
struct Lie {
  std::function<void(uint32_t step, uint32_t record, Bytes&)> output;
  std::function<void(uint32_t step, std::vector<Bytes>&)> after;
};

inline void flip(Bytes& bytes, size_t at) {
  bytes[at % bytes.size()] ^= 0x10;
}

/// A task computed by one party, and what it keeps of it.
class Party {
 public:
  Party(const Setting& setting, Lie lie) : setting_(setting), lie_(std::move(lie)) {
    std::vector<Bytes> leaves;
    for (const Tensor& leaf : setting.leaves) {
      leaves.push_back(leaf.data);
    }
    roots_.push_back(root_of(leaves));
    for (uint32_t step = 0; step < setting.steps; ++step) {
      traces_.push_back(run(step, leaves));
      leaves = traces_.back().after;
      roots_.push_back(root_of(leaves));
    }
  }
  [[nodiscard]] model::Execution execution() const {
    model::Execution execution;
    execution.input_root = roots_.front();
    execution.output_root = roots_.back();
    for (uint32_t step = 0; step < setting_.steps; ++step) {
      if ((step + 1) % setting_.claim_every == 0 || step + 1 == setting_.steps) {
        execution.state_roots.push_back(roots_[step + 1]);
      }
    }
    if (setting_.steps < model::short_task_steps) {
      for (size_t i = 0; i < setting_.program.records.size(); ++i) {
        const Hash data = law::data_hash(traces_.back().outputs[i]);
        execution.output_roots.push_back(law::tensor_root(setting_.program.records[i].out, data));
      }
    }
    return execution;
  }
  [[nodiscard]] Witness witness() const {
    return {setting_.program,
            setting_.steps,
            setting_.claim_every,
            list_roots(execution(), setting_.steps)};
  }
  /// Roots after each step.
  [[nodiscard]] std::vector<Hash> steps() const { return {roots_.begin() + 1, roots_.end()}; }
  [[nodiscard]] const model::StepTrace& trace(uint32_t step) const { return traces_[step]; }
  [[nodiscard]] Hash root_before(uint32_t step) const { return roots_[step]; }

 private:
  [[nodiscard]] Hash root_of(const std::vector<Bytes>& leaves) const {
    std::vector<Hash> roots;
    for (size_t i = 0; i < leaves.size(); ++i) {
      roots.push_back(
          law::tensor_root(setting_.program.leaves[i].shape, law::data_hash(leaves[i])));
    }
    return law::state_root(setting_.program, roots);
  }
  [[nodiscard]] model::StepTrace run(uint32_t step, const std::vector<Bytes>& leaves) const;

  const Setting& setting_;
  Lie lie_;
  std::vector<model::StepTrace> traces_;
  std::vector<Hash> roots_;
};

inline model::StepTrace Party::run(uint32_t step, const std::vector<Bytes>& leaves) const {
  const law::Program& program = setting_.program;
  model::StepTrace trace{step, leaves, {}, leaves, {}};
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < leaves.size(); ++i) {
    tensors.push_back({program.leaves[i].shape, leaves[i]});
  }
  for (const Tensor& constant : setting_.constants) {
    trace.constants.push_back(constant.data);
  }
  if (!lie_.output) {
    std::vector<Tensor> outputs;
    (void)law::run_step(program, tensors, setting_.constants, &outputs);
    for (Tensor& output : outputs) {
      trace.outputs.push_back(std::move(output.data));
    }
  } else {
    for (uint32_t record = 0; record < program.records.size(); ++record) {
      const law::Op op = law::op_of(program, record);
      std::vector<ByteView> inputs;
      for (const law::Source& source : op.record->inputs) {
        inputs.emplace_back(input_bytes(trace, source));
      }
      law::TensorReader reader(op, std::move(inputs));
      trace.outputs.push_back(law::evaluate(op, reader).data);
      lie_.output(step, record, trace.outputs.back());
    }
  }
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (program.leaves[i].writer) {
      trace.after[i] = trace.outputs[*program.leaves[i].writer];
    }
  }
  if (lie_.after) {
    lie_.after(step, trace.after);
  }
  return trace;
}

}  // namespace lockstep::attest
