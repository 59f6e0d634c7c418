// Ways down to a lie, from the first question to the proof.
#include "attest/witness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "attest/own_fold.h"
#include "attest/own_tree.h"
#include "attest/test_ledger.h"
#include "attest/test_task.h"
#include "law/referee.h"
#include "law/roots.h"

namespace lockstep::attest {
namespace {

constexpr size_t answers_max = 9;

/// How a dispute ended. `refuted` is false where the challenger conceded.
struct End {
  bool refuted = false;
  size_t answers = 0;
  bool asked_steps = false;
  std::optional<model::StepProof> step;
  std::optional<model::LeafProof> leaf;
};

using Forge = std::function<void(model::Answer&)>;

/// The claimant's answer, with what it has to compute again; `forge` may change it.
model::Answer answer_of(const Party& party,
                        Witness& witness,
                        const Place& place,
                        const Hash& salt) {
  for (int tries = 0; tries < 3; ++tries) {
    auto reply = witness.answer(place, salt);
    if (!reply.ok()) {
      ADD_FAILURE() << reply.error().message();
      return {};
    }
    if (const auto* trace = std::get_if<NeedTrace>(&*reply)) {
      witness.set_trace(party.trace(trace->step));
    } else if (std::holds_alternative<NeedSteps>(*reply)) {
      witness.set_steps(party.steps());
    } else {
      return std::get<model::Answer>(*reply);
    }
  }
  ADD_FAILURE() << "no answer";
  return {};
}

End dispute(const Setting& setting,
            const Party& claimant,
            const Party& challenger,
            const Forge& forge = {}) {
  const Hash salt = crypto::hash(crypto::Mode::plain(), Bytes{1, 2, 3});
  const model::Execution claimed = claimant.execution();
  Ledger ledger(setting, claimed, salt);
  Witness accused = claimant.witness();
  Witness honest = challenger.witness();
  End end;
  for (int moves = 0; moves < 40; ++moves) {
    const Witness::Move move = honest.next(ledger.kept());
    if (const auto* ask = std::get_if<Witness::Ask>(&move)) {
      model::Answer answer = answer_of(claimant, accused, ask->place, salt);
      if (forge) {
        forge(answer);
      }
      ledger.take(answer);
    } else if (const auto* need = std::get_if<NeedTrace>(&move)) {
      honest.set_trace(challenger.trace(need->step));
    } else if (std::holds_alternative<NeedSteps>(move)) {
      end.asked_steps = true;
      honest.set_steps(challenger.steps());
    } else if (const auto* prove = std::get_if<Witness::Prove>(&move)) {
      if (const auto* step = std::get_if<model::StepProof>(&prove->proof)) {
        end.step = *step;
        end.refuted = ledger.refutes(*step, challenger.root_before(step->place.step));
      } else {
        end.leaf = std::get<model::LeafProof>(prove->proof);
        end.refuted = ledger.refutes(*end.leaf, challenger.root_before(end.leaf->step));
      }
      end.answers = ledger.answers();
      return end;
    } else {
      end.answers = ledger.answers();
      return end;
    }
    if (::testing::Test::HasFailure()) {
      break;
    }
  }
  ADD_FAILURE() << "the dispute does not end";
  return end;
}

/// A lie about byte `at` of one output; what reads it goes on honestly.
Lie false_output(uint32_t step, uint32_t record, size_t at) {
  return {[=](uint32_t s, uint32_t r, Bytes& bytes) {
            if (s == step && r == record) {
              flip(bytes, at);
            }
          },
          {}};
}

void expect_step(const End& end, uint32_t step, uint32_t record, uint64_t chunk) {
  EXPECT_TRUE(end.refuted);
  EXPECT_LE(end.answers, answers_max);
  ASSERT_TRUE(end.step.has_value());
  const Place expected{Tree::fold, step, record, chunk};
  EXPECT_EQ(end.step->place, expected);
}

TEST(Witness, AnHonestChallengerConcedesAnHonestTask) {
  for (const uint32_t steps : {1U, 2U, 12U}) {
    const Setting setting = filled(small_program(), steps, std::min(steps, 5U));
    const Party party(setting, {});
    const End end = dispute(setting, party, party);
    EXPECT_FALSE(end.refuted);
    EXPECT_FALSE(end.step || end.leaf);
    EXPECT_EQ(end.answers, 1U);
  }
}

TEST(Witness, FindsAFlippedBitInEveryRecordOfALongTask) {
  const Setting setting = filled(small_program(), 12, 5);
  const Party honest(setting, {});
  for (uint32_t record = 0; record < setting.program.records.size(); ++record) {
    for (const uint32_t step : {0U, 4U, 7U, 11U}) {
      SCOPED_TRACE("record " + std::to_string(record) + " step " + std::to_string(step));
      const Party liar(setting, false_output(step, record, 13));
      const End end = dispute(setting, liar, honest);
      if (liar.execution().state_roots == honest.execution().state_roots) {
        // The loss is written anew at every step: no root that was claimed is false.
        EXPECT_TRUE(record == 1 || record == 6);
        EXPECT_FALSE(end.step || end.leaf);
        continue;
      }
      expect_step(end, step, record, 0);
      EXPECT_TRUE(end.asked_steps);
    }
  }
}

TEST(Witness, FindsAFlippedBitInEveryChunkOfAnOutput) {
  const Setting setting = filled(small_program(), 9, 4);
  const Party honest(setting, {});
  for (uint64_t chunk = 0; chunk < 4; ++chunk) {
    // Bytes of several groups: the fold step is the one that finishes the group.
    for (const size_t group : {0U, 1U, 3U}) {
      const size_t at = std::min<size_t>(chunk * 1024 + group * 256 + 9, 3999);
      const Party liar(setting, false_output(8, 3, at));
      const End end = dispute(setting, liar, honest);
      expect_step(end, 8, 3, chunk);
      EXPECT_EQ(end.step->fold_step, at % 1024 / 256);
      EXPECT_FALSE(end.asked_steps) << "step 8 is a window of its own";
    }
  }
}

TEST(Witness, FindsALieInAShortTask) {
  for (const auto& [n, h] : {std::pair(2U, 2U), std::pair(2U, 1U), std::pair(1U, 1U)}) {
    const uint32_t steps = n;
    const uint32_t every = h;
    const Setting setting = filled(small_program(), steps, every);
    const Party honest(setting, {});
    for (uint32_t record = 0; record < setting.program.records.size(); ++record) {
      for (uint32_t step = 0; step < steps; ++step) {
        SCOPED_TRACE("record " + std::to_string(record) + " step " + std::to_string(step));
        const Party liar(setting, false_output(step, record, 14));
        const End end = dispute(setting, liar, honest);
        if (step + 1 < steps && liar.execution().state_roots == honest.execution().state_roots) {
          EXPECT_FALSE(end.step || end.leaf);
          continue;
        }
        expect_step(end, step, record, 0);
      }
    }
  }
}

TEST(Witness, FindsAnOutputThatOnlyTheListShows) {
  for (const uint32_t every : {1U, 2U, 3U}) {
    const Setting setting = filled(small_program(), 3, every);
    const Party honest(setting, {});
    // Record 1 is false, but what follows from it is as if it were right.
    const Party liar(setting,
                     {[&](uint32_t step, uint32_t record, Bytes& bytes) {
                        if (step == 2 && record == 1) {
                          flip(bytes, 3);
                        } else if (step == 2 && record == 6) {
                          bytes = honest.trace(2).outputs[6];
                        }
                      },
                      {}});
    ASSERT_EQ(liar.steps(), honest.steps());
    expect_step(dispute(setting, liar, honest), 2, 1, 0);
  }
}

TEST(Witness, FindsAnOutputThatOnlyALargeListShows) {
  for (const uint32_t every : {1U, 2U, 3U}) {
    const Setting setting = filled(chain_program(300), 3, every);
    const Party honest(setting, {});
    const Party liar(setting,
                     {[&](uint32_t step, uint32_t record, Bytes& bytes) {
                        if (step == 2 && record == 280) {
                          flip(bytes, 3);
                        } else if (step == 2 && record > 280) {
                          bytes = honest.trace(2).outputs[record];
                        }
                      },
                      {}});
    ASSERT_EQ(liar.steps(), honest.steps());
    expect_step(dispute(setting, liar, honest), 2, 280, 0);
  }
}

TEST(Witness, FindsAReplacedUpdate) {
  const Setting setting = filled(small_program(), 12, 5);
  const Party honest(setting, {});
  const Party liar(setting,
                   {[](uint32_t step, uint32_t record, Bytes& bytes) {
                      if (step == 11 && record == 4) {
                        std::fill(bytes.begin(), bytes.end(), uint8_t{0});
                      }
                    },
                    {}});
  expect_step(dispute(setting, liar, honest), 11, 4, 0);
}

TEST(Witness, FindsAFalseLeafOverAnHonestTrace) {
  for (const auto& [n, h] : {std::pair(12U, 5U), std::pair(2U, 1U)}) {
    const uint32_t steps = n;
    const uint32_t every = h;
    const Setting setting = filled(small_program(), steps, every);
    const Party honest(setting, {});
    for (uint32_t leaf = 0; leaf < setting.program.leaves.size(); ++leaf) {
      // Ends of windows: a leaf that is written anew at each step is only seen there.
      for (const uint32_t step : {every - 1, steps - 1}) {
        const Party liar(setting, {{}, [&](uint32_t s, std::vector<Bytes>& after) {
                                     if (s == step) {
                                       flip(after[leaf], 2);
                                     }
                                   }});
        const End end = dispute(setting, liar, honest);
        EXPECT_TRUE(end.refuted);
        EXPECT_LE(end.answers, answers_max);
        ASSERT_TRUE(end.leaf.has_value());
        EXPECT_EQ(end.leaf->leaf, leaf);
        EXPECT_EQ(end.leaf->step, step);
        EXPECT_EQ(end.leaf->before.has_value(), !setting.program.leaves[leaf].writer);
      }
    }
  }
}

TEST(Witness, FollowsTheFirstFalseFoldState) {
  const Setting setting = filled(small_program(), 2, 1);
  const Party honest(setting, {});
  const Party liar(setting, false_output(1, 2, 6));
  for (const size_t first : {0U, 7U, 19U}) {
    const Forge forge = [&](model::Answer& answer) {
      for (size_t i = first; answer.place.tree == Tree::fold && i < answer.hashes.size(); ++i) {
        answer.hashes[i].bytes[0] ^= 1;
      }
    };
    const End end = dispute(setting, liar, honest, forge);
    expect_step(end, 1, 2, 0);
    EXPECT_EQ(end.step->fold_step, first);
  }
  // Without a false state it is the last step that cannot lead to the claimed chunk.
  EXPECT_EQ(dispute(setting, liar, honest).step->fold_step, 20U);
}

TEST(Witness, GoesDownLargeTensors) {
  const Setting setting = filled(wide_program(64), 2, 1);
  const Party honest(setting, {});
  for (const uint64_t chunk : {0U, 1U, 129U, 255U, 256U, 273U}) {
    SCOPED_TRACE(chunk);
    for (const uint32_t step : {0U, 1U}) {
      const Party liar(setting, false_output(step, 0, chunk * 1024 + 5));
      const End end = dispute(setting, liar, honest);
      expect_step(end, step, 0, chunk);
      EXPECT_EQ(end.step->fold_step, 0U);
    }
  }
}

TEST(Witness, GoesDownLargeFoldLists) {
  const Setting setting = filled(wide_program(19'200), 2, 1);
  const Party honest(setting, {});
  const Party liar(setting, false_output(1, 1, 1));
  OwnFold fold(setting.program, liar.trace(1), 1, 0);
  ASSERT_EQ(fold.steps(), 300U);
  std::vector<Hash> states;
  (void)fold.before(299, &states);
  // At 32 and 288 the state before the false one lies in another node.
  for (const size_t first : {0U, 5U, 32U, 255U, 288U, 298U, 299U}) {
    SCOPED_TRACE(first);
    std::vector<Hash> claimed = states;
    for (size_t i = first; i < claimed.size(); ++i) {
      claimed[i].bytes[7] ^= 1;
    }
    OwnTree tree = OwnTree::list(model::fold_list_mode(), claimed);
    const Forge forge = [&](model::Answer& answer) {
      if (answer.place.tree == Tree::fold) {
        answer.hashes = tree.open(
            answer.place.last == 0 ? tree.whole() : Range{answer.place.first, answer.place.last});
      }
    };
    const End end = dispute(setting, liar, honest, forge);
    expect_step(end, 1, 1, 0);
    EXPECT_EQ(end.step->fold_step, first);
  }
}

TEST(Witness, GoesDownLargeStepLists) {
  for (const auto& [n, h] : {std::pair(9U, 4U), std::pair(3U, 3U)}) {
    const uint32_t steps = n;
    const uint32_t every = h;
    const Setting setting = filled(chain_program(300), steps, every);
    const Party honest(setting, {});
    // From the list's first node, its borders, and a last step of a short task.
    for (const uint32_t record : {0U, 1U, 28U, 29U, 32U, 253U, 256U, 257U, 299U}) {
      for (const uint32_t step : {1U, steps - 1}) {
        SCOPED_TRACE("record " + std::to_string(record) + " step " + std::to_string(step));
        const Party liar(setting, false_output(step, record, 2));
        expect_step(dispute(setting, liar, honest), step, record, 0);
      }
    }
    const Party liar(setting, {{}, [&](uint32_t step, std::vector<Bytes>& after) {
                                 if (step + 1 == steps) {
                                   flip(after[1], 1);
                                 }
                               }});
    const End end = dispute(setting, liar, honest);
    EXPECT_TRUE(end.refuted && end.leaf);
    EXPECT_LE(end.answers, answers_max);
  }
}

TEST(Witness, GoesDownListsOfThousands) {
  // 9,000 entries are 282 chunks: nodes of one and of two chunks lie under the top.
  const Setting task = filled(chain_program(9000), 1, 1);
  const Party honest(task, {});
  for (const uint32_t record : {0U, 4000U, 4031U, 8999U}) {
    const Party liar(task, false_output(0, record, 0));
    expect_step(dispute(task, liar, honest), 0, record, 0);
  }
  const Setting step = filled(chain_program(9000), 8, 8);
  const Party other(step, {});
  const Party liar(step, false_output(6, 4032, 0));
  const End end = dispute(step, liar, other);
  expect_step(end, 6, 4032, 0);
  // The input is the entry before, which lies in a node that nobody opened.
  ASSERT_TRUE(end.step->inputs.front().path.has_value());
  EXPECT_EQ(end.step->inputs.front().path->siblings.size(), 1U);
}

TEST(Witness, GoesDownLargeStates) {
  const Setting setting = filled(leafy_program(700), 9, 3);
  const Party honest(setting, {});
  for (const uint32_t leaf : {5U, 0U, 255U, 256U, 699U}) {
    const Party liar(setting, {{}, [&](uint32_t step, std::vector<Bytes>& after) {
                                 if (step == 4) {
                                   flip(after[leaf], 1);
                                 }
                               }});
    const End end = dispute(setting, liar, honest);
    EXPECT_TRUE(end.refuted);
    ASSERT_TRUE(end.leaf.has_value());
    EXPECT_EQ(end.leaf->leaf, leaf);
  }
  const Party liar(setting, false_output(4, 0, 1));
  expect_step(dispute(setting, liar, honest), 4, 0, 0);
}

TEST(Witness, AnEmptyOutputNeedsNoFold) {
  law::Program p;
  p.leaves = {{"none", f32({0, 3}), std::nullopt}};
  p.records = {{law::Kind::map, sum_of_two(), {state(0, {0, 3}), state(0, {0, 3})}, f32({0, 3})}};
  const Setting setting = filled(p, 1, 1);
  const Party party(setting, {});
  EXPECT_FALSE(dispute(setting, party, party).refuted);
  Witness witness = party.witness();
  witness.set_trace(party.trace(0));
  const Place place{Tree::fold, 0, 0};
  const model::StepProof proof = witness.prove(place, 0);
  EXPECT_TRUE(proof.openings.empty() && proof.inputs.empty() && proof.before.empty());
  EXPECT_EQ(witness.answer(place, {}).error().code, Code::bad_place);
}

TEST(Witness, RefusesPlacesThatTheTaskHasNot) {
  const Setting setting = filled(wide_program(19'200), 9, 4);
  const Party party(setting, {});
  Witness witness = party.witness();
  witness.set_trace(party.trace(3));
  const std::vector<Place> bad = {{Tree::task, 1},
                                  {Tree::task, 0, 0, 0, 0, 1},
                                  {Tree::window, 2},  // of a single step
                                  {Tree::window, 3},
                                  {Tree::window, 0, 1},
                                  {Tree::step, 9},
                                  {Tree::step, 0, 1},
                                  {Tree::state, 9},
                                  {Tree::state, 0, 0, 1},
                                  {Tree::tensor, 3, 2},
                                  {Tree::tensor, 3, 0, 1},
                                  {Tree::tensor, 3, 0, 0, 0, 274},  // the top is asked for by zeros
                                  {Tree::tensor, 3, 0, 0, 0, 1},    // between two answers
                                  {Tree::tensor, 3, 0, 0, 256, 257},
                                  {Tree::tensor, 3, 0, 0, 1, 3},
                                  {Tree::tensor, 3, 0, 0, 3, 2},
                                  {Tree::tensor, 3, 1, 0, 0, 1},
                                  {Tree::fold, 3, 0, 274},
                                  {Tree::fold, 3, 2},
                                  {Tree::fold, 3, 1, 0, 0, 10},
                                  {Tree::fold, 3, 1, 0, 9, 11},
                                  {Tree::fold, 9, 1}};
  for (size_t i = 0; i < bad.size(); ++i) {
    const auto reply = witness.answer(bad[i], {});
    ASSERT_FALSE(reply.ok()) << i;
    EXPECT_EQ(reply.error().code, Code::bad_place) << i;
  }
  const std::vector<Place> good = {{Tree::task},
                                   {Tree::step, 3},
                                   {Tree::state, 3},
                                   {Tree::tensor, 3, 0},
                                   {Tree::tensor, 3, 0, 0, 2, 4},
                                   {Tree::tensor, 3, 1},
                                   {Tree::fold, 3, 0},
                                   {Tree::fold, 3, 1},
                                   {Tree::fold, 3, 1, 0, 9, 10}};
  for (size_t i = 0; i < good.size(); ++i) {
    const auto reply = witness.answer(good[i], {});
    ASSERT_TRUE(reply.ok()) << i;
    EXPECT_TRUE(std::holds_alternative<model::Answer>(*reply)) << i;
  }
  EXPECT_TRUE(std::holds_alternative<NeedSteps>(*witness.answer({Tree::window, 0}, {})));
  const auto reply = witness.answer({Tree::step, 4}, {});
  ASSERT_TRUE(std::holds_alternative<NeedTrace>(*reply));
  EXPECT_EQ(std::get<NeedTrace>(*reply).step, 4U);
}

TEST(Witness, AShortTasksOutputsAreOnlyInItsList) {
  const Setting setting = filled(small_program(), 2, 1);
  const Party party(setting, {});
  Witness witness = party.witness();
  witness.set_trace(party.trace(0));
  EXPECT_TRUE(witness.answer({Tree::step, 0}, {}).ok());
  witness.set_trace(party.trace(1));
  EXPECT_EQ(witness.answer({Tree::step, 1}, {}).error().code, Code::bad_place);
  const auto reply = witness.answer({}, {});
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(std::get<model::Answer>(*reply).hashes, list_roots(party.execution(), 2));
  EXPECT_EQ(list_roots(party.execution(), 2).size(), 2 + setting.program.records.size());
}

TEST(Witness, ProvesEveryStepOfItsOwnTrace) {
  const Setting setting = filled(small_program(), 9, 4);
  const Party party(setting, {});
  Witness witness = party.witness();
  witness.set_trace(party.trace(5));
  for (uint32_t record = 0; record < setting.program.records.size(); ++record) {
    OwnFold fold(setting.program, party.trace(5), record, 0);
    for (uint64_t step = 0; step < fold.steps(); ++step) {
      const model::StepProof proof = witness.prove({Tree::fold, 5, record}, step);
      std::vector<law::OpenedChunk> opened;
      for (const model::Opening& opening : proof.openings) {
        opened.push_back(
            {opening.input, static_cast<int64_t>(opening.chunk), ByteView(opening.path.chunk)});
      }
      const auto after =
          law::run_opened(fold.op(), 0, static_cast<int64_t>(step), proof.before, opened);
      ASSERT_TRUE(after.has_value()) << record << " " << step;
      EXPECT_EQ(*after, fold.before(step + 1, nullptr));
    }
  }
}

TEST(Witness, AReceiptSaysWhatWasExecuted) {
  const Setting setting = filled(small_program(), 2, 1);
  const Party party(setting, {});
  const model::Execution execution = party.execution();
  model::Assignment assignment;
  assignment.lease.hash.bytes[0] = 1;
  assignment.program = law::program_root(setting.program);
  assignment.steps = 2;
  model::TaskId task;
  task.hash.bytes[0] = 2;
  Hash salt;
  salt.bytes[0] = 3;
  const model::Receipt receipt = make_receipt(assignment, task, execution, salt);
  EXPECT_EQ(receipt.lease, assignment.lease);
  EXPECT_EQ(receipt.task, task);
  EXPECT_EQ(receipt.law_version, law::law_version);
  EXPECT_EQ(receipt.program, assignment.program);
  EXPECT_EQ(receipt.input_root, party.root_before(0));
  EXPECT_EQ(receipt.output_root, party.steps().back());
  EXPECT_EQ(receipt.list, model::task_list(salt, list_roots(execution, 2)));
  // Eight steps make a long task: its list holds states only.
  EXPECT_EQ(list_roots(execution, 8), execution.state_roots);
}

}  // namespace
}  // namespace lockstep::attest
