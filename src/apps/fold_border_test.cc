// Fold lists whose first false state begins a node of its own: the state before it is shown by a
// path to the kept node next to it, and no further answer is asked for.
#include <gtest/gtest.h>

#include <algorithm>

#include "attest/own_tree.h"
#include "attest/test_task.h"
#include "codec/record.h"
#include "judge/dispute.h"
#include "judge/programs.h"

namespace lockstep::attest {
namespace {

using model::Outcome;

constexpr uint32_t last_step = 1;
constexpr uint32_t dot_record = 1;

/// A task whose second record folds its one output in `fold_steps` steps, and a false claim of it
/// whose fold states are false from `first_false` on.
class Border {
 public:
  explicit Border(int64_t fold_steps)
      : setting_(filled(wide_program(fold_steps * limits::step_terms), 2, 1)),
        honest_(setting_, {}),
        liar_(setting_,
              {[](uint32_t step, uint32_t record, Bytes& bytes) {
                 if (step == last_step && record == dot_record) {
                   flip(bytes, 1);
                 }
               },
               {}}) {
    const auto registered = programs_.add(law::encode(setting_.program), {});
    EXPECT_TRUE(registered.ok());
    const model::Execution claimed = liar_.execution();
    const Hash list = model::task_list(salt_, list_roots(claimed, setting_.steps));
    claim_ = {*registered,
              setting_.steps,
              setting_.claim_every,
              claimed.input_root,
              claimed.output_root,
              list,
              true};
    OwnFold fold(setting_.program, liar_.trace(last_step), dot_record, 0);
    EXPECT_EQ(fold.steps(), static_cast<uint64_t>(fold_steps));
    (void)fold.before(fold.steps() - 1, &states_);
  }

  struct End {
    std::vector<Place> asked;
    model::StepProof proof;
    model::Kept kept;
    Outcome outcome = Outcome::inadmissible;
  };
  End dispute(size_t first_false) {
    std::vector<Hash> claimed = states_;
    for (size_t i = first_false; i < claimed.size(); ++i) {
      claimed[i].bytes[7] ^= 1;
    }
    OwnTree tree = OwnTree::list(model::fold_list_mode(), claimed);
    Witness accused = liar_.witness();
    Witness challenger = honest_.witness();
    accused.set_trace(liar_.trace(last_step));
    challenger.set_trace(honest_.trace(last_step));
    End end;
    for (int moves = 0; moves < 20; ++moves) {
      const Witness::Move move = challenger.next(end.kept);
      const auto* ask = std::get_if<Witness::Ask>(&move);
      if (ask == nullptr) {
        end.proof = std::get<model::StepProof>(std::get<Witness::Prove>(move).proof);
        end.outcome = judge::decide(claim_, end.kept, end.proof);
        return end;
      }
      auto answer = std::get<model::Answer>(accused.answer(ask->place, salt_).value());
      if (ask->place.tree == Tree::fold) {
        answer.hashes = tree.open(ask->place.last == 0 ? tree.whole()
                                                       : Range{ask->place.first, ask->place.last});
      }
      EXPECT_TRUE(judge::take(claim_, end.kept, answer).ok());
      end.asked.push_back(ask->place);
    }
    ADD_FAILURE() << "the dispute does not end";
    return end;
  }
  [[nodiscard]] Outcome decide(const End& end, const model::StepProof& proof) const {
    return judge::decide(claim_, end.kept, proof);
  }
  [[nodiscard]] size_t entries() const { return states_.size(); }

 private:
  Setting setting_;
  Party honest_, liar_;
  Hash salt_ = crypto::hash(crypto::Mode::plain(), Bytes{4, 5, 6});
  judge::Programs programs_;
  judge::Case claim_;
  std::vector<Hash> states_;
};

size_t fold_answers(const Border::End& end) {
  return static_cast<size_t>(std::count_if(
      end.asked.begin(), end.asked.end(), [](const Place& p) { return p.tree == Tree::fold; }));
}

/// The path that stands for the state before, where the proof has one.
const model::InputRoot* shown(const model::StepProof& proof) {
  const size_t inputs = 2;
  return proof.inputs.back().input == inputs ? &proof.inputs.back() : nullptr;
}

TEST(FoldBorder, NeedsNoAnswerForTheStateBefore) {
  Border border(300);  // 299 states in nodes of one chunk, 32 states
  for (const size_t first : {0U, 1U, 31U, 32U, 33U, 64U, 255U, 256U, 288U, 298U}) {
    SCOPED_TRACE(first);
    const Border::End end = border.dispute(first);
    EXPECT_EQ(end.outcome, Outcome::refuted);
    EXPECT_EQ(end.proof.fold_step, first);
    EXPECT_EQ(fold_answers(end), 2U) << "the nodes, then the one with the false state";
    EXPECT_EQ(shown(end.proof) != nullptr, first > 0 && first % 32 == 0);
  }
}

TEST(FoldBorder, AListThatIsRightThroughoutNeedsItsNodesOnly) {
  Border border(300);
  const Border::End end = border.dispute(border.entries());
  EXPECT_EQ(end.outcome, Outcome::refuted);
  EXPECT_EQ(end.proof.fold_step, 299U) << "the last step leads to another chunk";
  EXPECT_EQ(fold_answers(end), 1U);
  EXPECT_TRUE(shown(end.proof) != nullptr);
}

TEST(FoldBorder, PathsEndAtNodesOfEightChunks) {
  Border border(34'000);  // nodes of 8 chunks, 256 states
  for (const size_t first : {256U, 25'600U, 255U, 8'448U, 33'998U}) {
    SCOPED_TRACE(first);
    const Border::End end = border.dispute(first);
    EXPECT_EQ(end.outcome, Outcome::refuted);
    EXPECT_EQ(end.proof.fold_step, first);
    EXPECT_EQ(fold_answers(end), 2U);
    const model::InputRoot* const path = shown(end.proof);
    ASSERT_EQ(path != nullptr, first % 256 == 0);
    if (path != nullptr) {
      EXPECT_EQ(path->path->siblings.size(), 3U);
    }
  }
}

TEST(FoldBorder, AnyOtherPathIsInadmissible) {
  Border border(300);
  const Border::End end = border.dispute(64);
  const Border::End other = border.dispute(96);
  ASSERT_TRUE(shown(end.proof) != nullptr && shown(other.proof) != nullptr);
  const auto expect_inadmissible = [&](const char* what, auto change) {
    model::StepProof proof = end.proof;
    change(proof);
    EXPECT_EQ(border.decide(end, proof), Outcome::inadmissible) << what;
  };
  using model::StepProof;
  expect_inadmissible("missing", [](StepProof& proof) { proof.inputs.pop_back(); });
  expect_inadmissible("no path", [](StepProof& proof) { proof.inputs.back().path.reset(); });
  expect_inadmissible("another hash",
                      [](StepProof& proof) { proof.inputs.back().data.bytes[3] ^= 1; });
  expect_inadmissible("another state", [](StepProof& proof) { proof.before[2] ^= 1; });
  expect_inadmissible("a changed chunk",
                      [](StepProof& proof) { proof.inputs.back().path->chunk[5] ^= 1; });
  expect_inadmissible("a sibling too many",
                      [](StepProof& proof) { proof.inputs.back().path->siblings.emplace_back(); });
  expect_inadmissible("another place's",
                      [&](StepProof& proof) { proof.inputs.back() = other.proof.inputs.back(); });
  expect_inadmissible("another state and its own path", [&](StepProof& proof) {
    proof.before = other.proof.before;
    proof.inputs.back() = other.proof.inputs.back();
  });
  expect_inadmissible("twice",
                      [](StepProof& proof) { proof.inputs.push_back(proof.inputs.back()); });
  expect_inadmissible("of no input", [](StepProof& proof) { ++proof.inputs.back().input; });
  // Where the entry is kept a path is one input too many.
  const Border::End inside = border.dispute(65);
  ASSERT_EQ(inside.outcome, Outcome::refuted);
  StepProof more = inside.proof;
  more.inputs.push_back(end.proof.inputs.back());
  EXPECT_EQ(border.decide(inside, more), Outcome::inadmissible);
  // Nor does the first step have a state before it.
  const Border::End begin = border.dispute(0);
  more = begin.proof;
  more.inputs.push_back(end.proof.inputs.back());
  EXPECT_EQ(border.decide(begin, more), Outcome::inadmissible);
}

TEST(FoldBorder, AnHonestStepBesideABorderHolds) {
  Border border(300);
  const Border::End end = border.dispute(65);
  // Step 64 of the same claim is right; its state before lies in the node that agrees.
  const Border::End at_border = border.dispute(64);
  model::StepProof proof = at_border.proof;
  EXPECT_EQ(border.decide(end, proof), Outcome::holds);
}

}  // namespace
}  // namespace lockstep::attest
