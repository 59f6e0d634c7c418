// What the worst proofs cost: large operators of every kind, lied about at several places of a long
// task. With LOCKSTEP_TABLE=1 it draws more of them and prints the rows that docs/law.md has.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "apps/duel_lies.h"
#include "apps/duel_seeds.h"

namespace lockstep::duels {
namespace {

using law::DType;
using law::Kind;
using law::test::RandomOp;
using law::test::SeededChoices;

const char* name_of(Kind kind) {
  static const char* const names[] = {"",
                                      "map",
                                      "contract",
                                      "reduce",
                                      "conv",
                                      "conv_weight_grad",
                                      "conv_input_grad",
                                      "max_pool",
                                      "max_pool_grad",
                                      "gather",
                                      "rank",
                                      "transpose",
                                      "slice",
                                      "pad",
                                      "concatenate",
                                      "broadcast",
                                      "scatter_add",
                                      "scatter_set",
                                      "gather_elements",
                                      "average_pool",
                                      "average_pool_grad",
                                      "random",
                                      "scan"};
  return names[static_cast<size_t>(kind)];
}

struct Worst {
  size_t disputes = 0, answers = 0;
  uint64_t answer_bytes = 0, proof_bytes = 0;
  double decide_ms = 0;
};

/// A task of eight steps of this one record, on inputs that stay.
std::unique_ptr<Game> game_of(const RandomOp& made) {
  auto game = std::make_unique<Game>();
  game->about.program = law::test::program_of(made);
  game->about.leaves = made.in;
  for (law::Tensor& leaf : game->about.leaves) {
    law::canonicalise(leaf);
  }
  game->about.leaves.push_back(
      {made.record.out, Bytes(static_cast<size_t>(made.record.out.bytes()))});
  game->steps = 8, game->claim_every = 3;
  play(*game, true);
  return game;
}

/// The least of a few: what is measured is the work, not the machine.
double time_of(const judge::Case& claim, const End& end) {
  double least = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const model::Outcome outcome = judge::decide(claim, end.kept, *end.step);
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - start;
    EXPECT_EQ(outcome, model::Outcome::refuted);
    least = std::min(least, taken.count());
  }
  return least;
}

/// A false bit in a chunk of the last step but one's output, and fold states that are false from
/// some step on, or none.
void measure(const Game& game, Draw& draw, Worst& worst) {
  Story story(game);
  StepTrace trace = game.traces[6];
  const law::Shape& out = game.program().records[0].out;
  flip_element(out, trace.outputs[0], draw);
  write_leaves(game.program(), trace);
  story.roots[6] = state_root(game.program(), trace.after);
  story.own[6] = trace;
  story.roots[7] = draw.hash();
  const uint64_t chunks = crypto::chunk_count(trace.outputs[0].size());
  for (uint64_t chunk = 0; chunk < chunks && !draw.chance(3); ++chunk) {
    const Place fold = top_at(Tree::fold, 6, 0, chunk);
    const auto& was = game.traces[6].outputs[0];
    const auto first = static_cast<ptrdiff_t>(chunk * 1024);
    const auto last = std::min<ptrdiff_t>(first + 1024, static_cast<ptrdiff_t>(was.size()));
    if (!judge::tree_of(story.shape(), fold) ||
        std::equal(was.begin() + first, was.begin() + last, trace.outputs[0].begin() + first)) {
      continue;
    }
    std::vector<Hash> hashes = story.entries(fold);
    for (size_t i = draw.below(hashes.size()); i < hashes.size(); ++i) {
      hashes[i] = draw.hash();
    }
    story.lists[fold] = std::move(hashes);
  }
  const Story truth(game);
  Asker asker(truth);
  const judge::Case claim = story.claim();
  const End end = duel(
      claim, [&](const Place& place) { return story.answer(place); }, asker);
  ASSERT_EQ(end.verdict, Verdict::refuted) << text_of(end.verdict) << " " << end.error;
  ASSERT_TRUE(end.step.has_value());
  EXPECT_LE(end.answers, 9U);
  EXPECT_LE(end.answer_bytes, uint64_t{60} << 10);
  EXPECT_LE(end.proof_bytes, judge::proof_bytes_max);
  ++worst.disputes;
  worst.answers = std::max(worst.answers, end.answers);
  worst.answer_bytes = std::max(worst.answer_bytes, end.answer_bytes);
  worst.proof_bytes = std::max(worst.proof_bytes, end.proof_bytes);
  worst.decide_ms = std::max(worst.decide_ms, time_of(claim, end));
}

RandomOp filled(law::Record record, const std::vector<law::Shape>& in, uint64_t seed) {
  RandomOp made{std::move(record), {}};
  SeededChoices choices(seed);
  for (uint32_t i = 0; i < in.size(); ++i) {
    const bool is_index = in[i].type == DType::i64;
    made.in.push_back(law::test::random_tensor(
        choices, in[i], is_index ? law::test::Fill::index : law::test::Fill::heavy, in[0].dims[0]));
    made.record.inputs.push_back({law::From::state, i, in[i].dims});
  }
  return made;
}

/// Operators that read far apart: rows of eight-byte elements, one column of each, many inputs.
std::vector<RandomOp> scattered_reads() {
  const auto f64 = [](law::Dims dims) { return law::Shape{DType::f64, std::move(dims)}; };
  const auto i64 = [](law::Dims dims) { return law::Shape{DType::i64, std::move(dims)}; };
  std::vector<RandomOp> made;
  const auto add = [&](Kind kind,
                       law::Attributes attributes,
                       const law::Shape& out,
                       const std::vector<law::Shape>& in) {
    made.push_back(filled({kind, std::move(attributes), {}, out}, in, made.size()));
  };
  add(Kind::contract,
      law::ContractAttr{},
      f64({1, 2, 300}),
      {f64({1, 2, 520}), f64({1, 520, 300})});
  add(Kind::contract,
      law::ContractAttr{false, true},
      f64({1, 2, 300}),
      {f64({1, 2, 520}), f64({1, 300, 520})});
  add(Kind::contract,
      law::ContractAttr{},
      f64({1, 200, 1}),
      {f64({1, 200, 520}), f64({1, 520, 1})});
  add(Kind::reduce, law::ReduceAttr{law::ReduceOp::sum, {0}}, f64({140, 1}), {f64({2000, 140})});
  add(Kind::reduce, law::ReduceAttr{law::ReduceOp::sum, {1}}, f64({140, 1}), {f64({140, 2000})});
  add(Kind::gather, law::GatherAttr{}, f64({900}), {f64({60'000}), i64({900})});
  add(Kind::gather_elements, law::GatherElementsAttr{0}, f64({900}), {f64({60'000}), i64({900})});
  add(Kind::scatter_set,
      law::ScatterAttr{},
      f64({90, 70}),
      {f64({90, 70}), i64({900}), f64({900, 70})});
  add(Kind::scatter_add,
      law::ScatterAttr{},
      f64({90, 70}),
      {f64({90, 70}), i64({900}), f64({900, 70})});
  add(Kind::transpose, law::TransposeAttr{{1, 0}}, f64({150, 400}), {f64({400, 150})});
  add(Kind::slice, law::SliceAttr{{3}, {150}}, f64({400}), {f64({60'000})});
  add(Kind::rank, law::RankAttr{}, {DType::i64, {2, 300}}, {i64({2, 300})});
  add(Kind::conv, law::ConvAttr{}, f64({1, 3, 3, 70}), {f64({1, 5, 5, 64}), f64({3, 3, 64, 70})});
  add(Kind::conv_weight_grad,
      law::ConvAttr{},
      f64({3, 3, 20, 30}),
      {f64({2, 8, 8, 20}), f64({2, 6, 6, 30})});
  add(Kind::conv_input_grad,
      law::ConvAttr{},
      f64({1, 5, 5, 64}),
      {f64({1, 3, 3, 70}), f64({3, 3, 64, 70})});
  law::PoolAttr pool;
  pool.window_h = pool.window_w = 8;
  add(Kind::max_pool, pool, {DType::i64, {1, 9, 9, 70}}, {i64({1, 16, 16, 70})});
  add(Kind::max_pool_grad,
      pool,
      {DType::i64, {1, 16, 16, 70}},
      {i64({1, 16, 16, 70}), i64({1, 9, 9, 70})});
  const law::AveragePoolAttr average{pool, false};
  add(Kind::average_pool, average, f64({1, 9, 9, 70}), {f64({1, 16, 16, 70})});
  add(Kind::average_pool_grad, average, f64({1, 16, 16, 70}), {f64({1, 9, 9, 70})});
  add(Kind::concatenate, law::ConcatenateAttr{0}, f64({64}), std::vector(64, f64({1})));
  std::vector<law::MapNode> sum = {{law::MapOp::input, 0}};
  for (uint8_t i = 1; i < 16; ++i) {
    sum.push_back({law::MapOp::input, i});
    sum.push_back({law::MapOp::add});
  }
  add(Kind::map, law::MapAttr{sum}, f64({4000}), std::vector(16, f64({4000})));
  return made;
}

TEST(WorstProofs, StayWithinTheLawsBounds) {
  const bool prints = test_number("LOCKSTEP_TABLE").has_value();
  std::map<Kind, Worst> worst;
  Draw draw{2024};
  for (const RandomOp& made : scattered_reads()) {
    SCOPED_TRACE(name_of(made.record.kind));
    const auto game = game_of(made);
    for (int i = 0; i < (prints ? 20 : 3); ++i) {
      measure(*game, draw, worst[made.record.kind]);
    }
  }
  for (const uint64_t seed : seeds_of(prints ? 60 : 8)) {
    SeededChoices choices(seed);
    for (int number = 1; number <= static_cast<int>(law::test::last_kind); ++number) {
      const auto kind = static_cast<Kind>(number);
      SCOPED_TRACE(std::string(name_of(kind)) + ", LOCKSTEP_SEED=" + std::to_string(seed));
      const RandomOp made = law::test::random_op(choices, kind, prints ? 40'000 : 3000);
      if (made.record.out.count() == 0 || !law::check(law::test::program_of(made)).ok()) {
        continue;
      }
      const auto game = game_of(made);
      for (int i = 0; i < 3; ++i) {
        measure(*game, draw, worst[kind]);
      }
    }
  }
  if (prints) {
    std::printf(
        "| operator | disputes | largest proof | slowest verdict | most answers | bytes of "
        "all answers |\n| --- | ---: | ---: | ---: | ---: | ---: |\n");
  }
  for (const auto& [kind, one] : worst) {
    EXPECT_GT(one.disputes, 0U) << name_of(kind);
    if (prints) {
      std::printf("| %s | %zu | %.1f KiB | %.2f ms | %zu | %.1f KiB |\n",
                  name_of(kind),
                  one.disputes,
                  static_cast<double>(one.proof_bytes) / 1024,
                  one.decide_ms,
                  one.answers,
                  static_cast<double>(one.answer_bytes) / 1024);
    }
  }
  EXPECT_EQ(worst.size(), static_cast<size_t>(law::test::last_kind));
}

}  // namespace
}  // namespace lockstep::duels
