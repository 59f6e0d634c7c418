// Disputes over the programs of the Fashion-MNIST example: every lie is convicted, and what a
// dispute costs stays within the law's bounds.
#include <gtest/gtest.h>

#include <cstdio>

#include "apps/dispute_case.h"

namespace lockstep::disputes {
namespace {

using model::Answer;
using model::StepTrace;
using model::Tree;

/// The largest of what disputes about one task cost.
struct Figures {
  size_t disputes = 0, answers = 0;
  uint64_t answer_bytes = 0, proof_bytes = 0, decide_ns = 0;
  void add(const End& end) {
    ++disputes;
    answers = std::max(answers, end.answers);
    answer_bytes = std::max(answer_bytes, end.answer_bytes);
    proof_bytes = std::max(proof_bytes, end.proof_bytes);
    decide_ns = std::max(decide_ns, end.decide_ns);
  }
};

void expect_bounds(const std::string& name, const Figures& figures) {
  EXPECT_LE(figures.proof_bytes, uint64_t{400} << 10);
  EXPECT_LE(figures.answers, 9U);
  EXPECT_LE(figures.answer_bytes, uint64_t{60} << 10);
  std::printf(
      "%-14s %4zu disputes: at most %zu answers of %.1f KiB, a proof of %.1f KiB, judged in %.2f "
      "ms\n",
      name.c_str(),
      figures.disputes,
      figures.answers,
      static_cast<double>(figures.answer_bytes) / 1024,
      static_cast<double>(figures.proof_bytes) / 1024,
      static_cast<double>(figures.decide_ns) / 1e6);
}

void expect_step(const End& end, uint32_t step, uint32_t record) {
  EXPECT_EQ(end.verdict, Verdict::refuted) << end.error;
  ASSERT_TRUE(end.step.has_value());
  EXPECT_EQ(end.step->place.step, step);
  EXPECT_EQ(end.step->place.record, record);
}

TEST(Disputes, AFalseBitOfAnyOperatorIsConvicted) {
  Draw draw{1};
  for (const TaskCase& about : world().cases()) {
    Figures figures;
    const Party truth = honest(about);
    for (uint32_t record = 0; record < about.program().records.size(); ++record) {
      for (int lie = 0; lie < 4; ++lie) {
        const auto step = static_cast<uint32_t>(draw.below(about.steps()));
        SCOPED_TRACE(text_of(about, step, record));
        const Later later = lie % 2 == 0 ? Later::honest : Later::recomputed;
        const End end = dispute(lie_about(about, step, record, later, draw), truth);
        expect_step(end, step, record);
        figures.add(end);
      }
    }
    expect_bounds(about.name, figures);
  }
}

TEST(Disputes, HonestPartiesAgree) {
  for (const TaskCase& about : world().cases()) {
    const End end = dispute(honest(about), honest(about));
    EXPECT_EQ(end.verdict, Verdict::conceded) << about.name << end.error;
    EXPECT_EQ(end.answers, 1U);
  }
}

TEST(Disputes, RootsThatNobodyCanOpenAreConvicted) {
  Draw draw{2};
  for (const TaskCase& about : world().cases()) {
    SCOPED_TRACE(about.name);
    const Party truth = honest(about);
    // The state after any step: the output root, a window's end or one within a window. The roots
    // after it are false as well, or else the one within a window would not be claimed.
    for (uint32_t step = 0; step < about.steps(); ++step) {
      Party party = truth;
      for (uint32_t later = step; later < about.steps(); ++later) {
        party.step_roots[later] = draw.hash();
      }
      EXPECT_EQ(dispute(party, truth).verdict, Verdict::bad_answer) << step;
    }
    for (size_t record = 0; record < truth.output_roots.size(); ++record) {
      Party party = truth;
      party.output_roots[record] = draw.hash();
      EXPECT_EQ(dispute(party, truth).verdict, Verdict::bad_answer) << record;
    }
    judge::Case claim = truth.claim();
    claim.list = draw.hash();
    EXPECT_EQ(Dispute(claim, truth, truth).run(world().clock()).verdict, Verdict::bad_answer);
    claim = truth.claim();
    claim.output_root = draw.hash();  // and the list is honest
    EXPECT_EQ(Dispute(claim, truth, truth).run(world().clock()).verdict, Verdict::bad_answer);
  }
}

/// Entry `index` of the answers to one kind of tree is random.
Forge random_entry(Tree tree, size_t index, Draw& draw) {
  return [tree, index, &draw](Answer& answer) {
    if (answer.place.tree == tree && !answer.hashes.empty()) {
      answer.hashes[index % answer.hashes.size()] = draw.hash();
    }
  };
}

TEST(Disputes, AnswersThatAreNotOfTheClaimAreConvicted) {
  Draw draw{3};
  std::map<Tree, size_t> forged;
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    const auto records = static_cast<uint32_t>(about.program().records.size());
    for (int round = 0; round < 8; ++round) {
      const auto step = static_cast<uint32_t>(draw.below(about.steps()));
      const auto record = static_cast<uint32_t>(draw.below(records));
      const Party party = lie_about(about, step, record, Later::honest, draw);
      for (const Tree tree : {Tree::task, Tree::window, Tree::step, Tree::tensor, Tree::fold}) {
        SCOPED_TRACE(text_of(about, step, record) + ", tree " +
                     std::to_string(static_cast<int>(tree)));
        const Forge random = random_entry(tree, draw.below(1000), draw);
        const End end = dispute(party, truth, [&](Answer& answer) {
          forged[tree] += answer.place.tree == tree ? 1 : 0;
          random(answer);
        });
        EXPECT_TRUE(is_convicted(end.verdict)) << end.error << static_cast<int>(end.verdict);
      }
    }
  }
  for (const Tree tree : {Tree::task, Tree::window, Tree::step, Tree::tensor, Tree::fold}) {
    EXPECT_GE(forged[tree], 8U) << static_cast<int>(tree);
  }
}

TEST(Disputes, AFalseFoldStateIsConvictedWhereItBegins) {
  Draw draw{4};
  size_t folds = 0;
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    const uint32_t step = about.steps() - 1;
    for (uint32_t record = 0; record < about.program().records.size(); ++record) {
      SCOPED_TRACE(text_of(about, step, record));
      const Party party = lie_about(about, step, record, Later::honest, draw);
      attest::Witness own = truth.witness();
      own.set_trace(truth.trace(step));
      std::optional<size_t> first;
      const Forge forge = [&](Answer& answer) {
        if (answer.place.tree != Tree::fold) {
          return;
        }
        answer = std::get<Answer>(own.answer(answer.place, salt_of_task()).value());
        first = draw.below(answer.hashes.size());
        for (size_t i = *first; i < answer.hashes.size(); ++i) {
          answer.hashes[i] = draw.hash();
        }
      };
      const End end = dispute(party, truth, forge);
      expect_step(end, step, record);
      if (first) {
        EXPECT_EQ(end.step->fold_step, *first);
        ++folds;
      }
    }
  }
  EXPECT_GT(folds, 20U);
}

TEST(Disputes, SilenceMeetsAMoveOfTheChallenger) {
  Draw draw{5};
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    const auto record = static_cast<uint32_t>(draw.below(about.program().records.size()));
    const Party party = lie_about(about, about.steps() / 2, record, Later::recomputed, draw);
    const judge::Case claim = party.claim();
    const size_t answers = dispute(party, truth).answers;
    EXPECT_GE(answers, 2U);
    for (size_t number = 0; number <= answers; ++number) {
      Dispute silent(claim, party, truth);
      silent.withhold(number);
      const End end = silent.run(world().clock());
      EXPECT_EQ(end.verdict, number < answers ? Verdict::silent : Verdict::refuted);
    }
  }
}

/// Where an input's value comes from, as the program declares it.
law::Shape shape_of(const law::Program& program, const law::Source& source) {
  return source.from == law::From::state      ? program.leaves[source.index].shape
         : source.from == law::From::constant ? program.constants[source.index].shape
                                              : program.records[source.index].out;
}

/// Another value of the same shape that could stand at this input of `record`.
std::vector<law::Source> other_wires(const law::Program& program,
                                     uint32_t record,
                                     const law::Source& source) {
  std::vector<law::Source> others;
  const auto offer = [&](law::From from, size_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      const law::Source other{from, i, source.dims};
      if (other != source && shape_of(program, other) == shape_of(program, source)) {
        others.push_back(other);
      }
    }
  };
  offer(law::From::state, program.leaves.size());
  offer(law::From::value, record);
  offer(law::From::constant, program.constants.size());
  return others;
}

/// The step with `record` computed from another wire, and what follows from it.
StepTrace miswired(
    const TaskCase& about, uint32_t step, uint32_t record, size_t input, const law::Source& wire) {
  StepTrace trace = about.traces[step];
  law::Program program = about.program();
  program.records[record].inputs[input] = wire;
  std::vector<ByteView> views;
  for (const law::Source& source : program.records[record].inputs) {
    views.emplace_back(source.from == law::From::value   ? trace.outputs[source.index]
                       : source.from == law::From::state ? trace.before[source.index]
                                                         : trace.constants[source.index]);
  }
  const law::FloatEnvironment environment;
  const law::Op op = law::op_of(program, record);
  law::TensorReader reader(op, views);
  trace.outputs[record] = law::evaluate(op, reader).data;
  recompute(about.program(), record, trace);
  write_leaves(about.program(), trace);
  return trace;
}

TEST(Disputes, AWrongWireIsConvicted) {
  Draw draw{6};
  size_t wrong = 0;
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    for (uint32_t record = 0; record < about.program().records.size(); ++record) {
      const auto& inputs = about.program().records[record].inputs;
      const size_t input = draw.below(inputs.size());
      const auto others = other_wires(about.program(), record, inputs[input]);
      if (others.empty()) {
        continue;
      }
      const auto step = static_cast<uint32_t>(draw.below(about.steps()));
      SCOPED_TRACE(text_of(about, step, record));
      const Party party =
          liar(about, miswired(about, step, record, input, others[draw.below(others.size())]));
      if (party.list() == truth.list()) {
        continue;  // the wires held the same, or nothing came of it
      }
      expect_step(dispute(party, truth), step, record);
      ++wrong;
    }
  }
  EXPECT_GT(wrong, 40U);
}

TEST(Disputes, WrongDataAreConvicted) {
  Draw draw{7};
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    for (size_t leaf = 0; leaf < about.task.leaves.size(); ++leaf) {
      const std::string& name = about.program().leaves[leaf].name;
      SCOPED_TRACE(about.name + ", " + name);
      model::Task task = on_false_leaf(about, leaf, draw);
      if (name == "images") {
        task.leaves[leaf].tensor = about.task.tag.kind == model::TaskKind::lane
                                       ? world().job().train_blobs[1].images
                                       : world().job().test_blobs[1].images;
      }
      const TaskCase other = world().computed(about.name, task);
      if (other.execution.state_roots == about.execution.state_roots &&
          other.execution.output_roots == about.execution.output_roots) {
        continue;  // a leaf that is written and not read
      }
      Party party = from_others(about, other);
      EXPECT_EQ(dispute(party, truth).verdict, Verdict::refuted);
      // With the assigned leaf put back at the end, so that only its readers are false.
      party.own.at(0).after[leaf] = about.traces[0].after[leaf];
      party.step_roots[0] = root_of(about.program(), party.own.at(0).after);
      if (party.list() != truth.list()) {
        EXPECT_EQ(dispute(party, truth).verdict, Verdict::refuted);
      }
    }
  }
}

TEST(Disputes, AFalseLeafOverAnHonestTraceIsConvicted) {
  Draw draw{8};
  for (const TaskCase& about : world().cases()) {
    const Party truth = honest(about);
    for (uint32_t leaf = 0; leaf < about.program().leaves.size(); ++leaf) {
      // Each at a step whose root the receipt covers, and the first of all.
      for (const uint32_t step : {0U, about.task.claim_every - 1, about.steps() - 1}) {
        SCOPED_TRACE(about.name + ", step " + std::to_string(step) + ", leaf " +
                     about.program().leaves[leaf].name);
        StepTrace trace = about.traces[step];
        flip_element(about.program().leaves[leaf].shape, trace.after[leaf], draw);
        const Party party = liar(about, trace);
        if (party.list() == truth.list()) {
          EXPECT_EQ(step, 0U);  // written anew before the next root that is claimed
          continue;
        }
        const End end = dispute(party, truth);
        EXPECT_EQ(end.verdict, Verdict::refuted) << end.error;
        ASSERT_TRUE(end.leaf.has_value());
        EXPECT_EQ(end.leaf->leaf, leaf);
        EXPECT_EQ(end.leaf->step, step);
        const End other = dispute(party, truth, random_entry(Tree::state, draw.below(1000), draw));
        EXPECT_EQ(other.verdict, Verdict::bad_answer);
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::disputes
