#include "plan/train_programs.h"

#include "plan/programs.h"

namespace lockstep::plan {
namespace {

using graph::Builder;
using graph::Value;
using law::DType;
using law::MapOp;

Value rate_at(Builder& builder, const model::TrainSpec& train, Value step) {
  if (train.lr.schedule == model::Schedule::constant) {
    return builder.scalar_f32(train.lr.base);
  }
  const int64_t total = int64_t{train.rounds} * train.local_steps;
  return graph::warmup_cosine(builder, step, train.lr.base, train.lr.warmup_steps, total);
}

Result<graph::Built> merge_program(const ProgramSpec& spec) {
  Builder builder;
  const uint32_t lanes = spec.train.lanes;
  const auto average = [&](const std::string& name, const law::Shape& shape) {
    std::vector<Value> values{builder.leaf(name, shape)};
    for (uint32_t lane = 1; lane < lanes; ++lane) {
      values.push_back(builder.leaf("lane" + std::to_string(lane) + "/" + name, shape));
    }
    const Value sum = sum_in_order(builder, values);
    const Value count = builder.scalar_f32(static_cast<float>(lanes));
    builder.set_next(values.front(), builder.binary(MapOp::divide, sum, count));
  };
  for (const auto& parameter : spec.network.parameters) {
    average(parameter.name, parameter.tensor.shape);
    average("momentum/" + parameter.name, parameter.tensor.shape);
  }
  average("loss", {DType::f32, {}});
  return builder.finish();
}

}  // namespace

Result<Parts> train_parts(const Material& material) {
  const model::TrainSpec& train = material.spec.train;
  const ProgramSpec spec{
      material.network, train, material.spec.data.blob_images, material.test_blobs};
  Parts parts{{}, first_values(material.network)};
  parts.programs.push_back({"train", TRY(step_program(spec, [&](Builder& builder, Value step) {
                              return rate_at(builder, train, step);
                            }))});
  parts.programs.push_back({"merge", TRY(merge_program(spec))});
  parts.programs.push_back({"evaluate", TRY(evaluate_program(spec))});
  parts.programs.push_back({"sum", TRY(sum_program(spec))});
  return parts;
}

}  // namespace lockstep::plan
