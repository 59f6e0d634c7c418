#include "plan/sweep_programs.h"

#include <array>
#include <bit>

#include "plan/programs.h"
#include "plan/sweep.h"

namespace lockstep::plan {
namespace {

using graph::Builder;
using graph::Value;
using law::DType;
using law::MapNode;
using law::MapOp;

/// The variant's own rate, by the schedule.
Value rate_at(Builder& builder, const model::TrainSpec& train, Value step) {
  const Value rate = builder.leaf("rate", {DType::f32, {}});
  if (train.lr.schedule == model::Schedule::constant) {
    return rate;
  }
  const int64_t total = int64_t{train.rounds} * train.local_steps;
  return builder.multiply(
      rate, graph::warmup_cosine(builder, step, train.lr.base, train.lr.warmup_steps, total));
}

std::string leaf_name(uint32_t variant, const std::string& name) {
  return variant == 0 ? name : "variant" + std::to_string(variant) + "/" + name;
}

/// The first of the variants with the most right answers, and how many those are.
struct Best {
  Value variant, correct;
};
Best best_of(Builder& builder, uint32_t variants) {
  const law::Shape count{DType::i64, {}};
  const Value best = builder.leaf("best", count);  // 0 before
  const Value correct = builder.leaf("correct", count);
  Best found{best, correct};
  for (uint32_t variant = 1; variant < variants; ++variant) {
    const Value next = builder.leaf(leaf_name(variant, "correct"), count);
    found.variant = builder.map({{{MapOp::input, 0},
                                  {MapOp::input, 1},
                                  {MapOp::less},
                                  {MapOp::constant, 0, DType::i64, variant},
                                  {MapOp::input, 2},
                                  {MapOp::select}}},
                                std::array{found.correct, next, found.variant});
    found.correct = builder.binary(MapOp::maximum, found.correct, next);
  }
  builder.set_next(best, found.variant);
  builder.set_next(correct, found.correct);
  return found;
}

/// Leaf `name` becomes the best variant's.
void choose(Builder& builder,
            const std::pair<uint32_t, Value>& variants_and_best,
            const std::string& name,
            const law::Shape& shape) {
  const Value first = builder.leaf(name, shape);
  Value chosen = first;
  for (uint32_t variant = 1; variant < variants_and_best.first; ++variant) {
    const Value other = builder.leaf(leaf_name(variant, name), shape);
    chosen = builder.map({{{MapOp::input, 0},
                           {MapOp::constant, 0, DType::i64, variant},
                           {MapOp::equal},
                           {MapOp::input, 1},
                           {MapOp::input, 2},
                           {MapOp::select}}},
                         std::array{variants_and_best.second, other, chosen});
  }
  builder.set_next(first, chosen);
}

Result<graph::Built> choose_program(const Network& network, uint32_t variants) {
  Builder builder;
  const Best best = best_of(builder, variants);
  for (const auto& [name, tensor] : network.parameters) {
    choose(builder, {variants, best.variant}, name, tensor.shape);
  }
  choose(builder, {variants, best.variant}, "loss", {DType::f32, {}});
  return builder.finish();
}

law::Tensor scalar(float value) {
  law::Tensor tensor = zeros({DType::f32, {}});
  law::store_bits(DType::f32, tensor.data, 0, std::bit_cast<uint32_t>(value));
  return tensor;
}

}  // namespace

Result<Parts> sweep_parts(const Material& material) {
  const SweepSpec sweep = TRY(read_sweep(material.spec));
  const auto variants = static_cast<uint32_t>(sweep.rates.size());
  const ProgramSpec spec{
      material.network, sweep.train, material.spec.data.blob_images, material.test_blobs};
  Parts parts{{}, first_values(material.network)};
  parts.initial.push_back({"best", zeros({DType::i64, {}})});
  for (uint32_t variant = 0; variant < variants; ++variant) {
    parts.initial.push_back({"rate" + std::to_string(variant), scalar(sweep.rates[variant].value)});
  }
  parts.programs.push_back({"train", TRY(step_program(spec, [&](Builder& builder, Value step) {
                              return rate_at(builder, sweep.train, step);
                            }))});
  parts.programs.push_back({"choose", TRY(choose_program(material.network, variants))});
  parts.programs.push_back({"evaluate", TRY(evaluate_program(spec))});
  parts.programs.push_back({"sum", TRY(sum_program(spec))});
  return parts;
}

}  // namespace lockstep::plan
